//! Whatever happens to many workers' keys, in random worlds.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::Event;
use super::world::{KeyServer, Outcome, World};
use crate::time::UnixTime;

const SECOND: Duration = Duration::from_secs(1);

/// A world, and what is true in it.
struct Life {
    world: World,
    /// Who was not told yet of the latest change: what the feed of each worker says, at its time.
    untold: Vec<bool>,
    /// When the key server was there to tell of it, and when that was asked of it.
    changed_at: UnixTime,
}

impl Life {
    fn new(workers: usize, seed: u64) -> Self {
        let mut world = World::with(workers, r#"{"fresh":"5s","stale":"30s"}"#, 20);
        world.random = seed;
        let changed_at = world.now;
        Self { world, untold: vec![false; workers], changed_at }
    }

    fn rotate(&mut self) {
        self.world.primary += 1;
        self.changed_at = self.world.now;
        self.untold.fill(true);
    }

    fn tell(&mut self, worker: usize) {
        if core::mem::take(&mut self.untold[worker]) {
            let (now, changed_at) = (self.world.now, self.changed_at);
            self.world.workers[worker].renew(now, changed_at);
        }
    }

    fn tell_all(&mut self) {
        (0..self.untold.len()).for_each(|worker| self.tell(worker));
    }

    fn anything(&mut self) {
        let world = &mut self.world;
        let worker = world.random(world.workers.len());
        match world.random(100) {
            0..=34 => {
                world.request(worker, None);
            }
            35..=44 => {
                let newer_than = world.random(4);
                world.request(worker, Some(u64::try_from(newer_than).unwrap()));
            }
            45..=69 => {
                let millis = world.random(400);
                world.pass(Duration::from_millis(u64::try_from(millis).unwrap()));
            }
            70..=74 => self.rotate(),
            75..=84 => self.tell(worker),
            85..=89 => {
                let nth = world.random(20);
                let request = world.parked.keys().nth(nth).copied();
                if let Some(request) = request {
                    let at = world.parked.remove(&request).unwrap();
                    world.handle(at, Event::Gone(request));
                }
            }
            90..=94 => {
                let all = KeyServer::ALL;
                world.server = all[world.random(all.len())];
            }
            95..=96 => {
                world.lose(worker);
                // What is new is told that all may have changed.
                self.untold[worker] = true;
            }
            97 => {
                let by = Duration::from_secs(u64::try_from(world.random(40_000)).unwrap());
                world.now = if world.random(2) == 0 { world.now + by } else { world.now - by };
                self.changed_at = world.now;
            }
            _ => world.server = KeyServer::Up,
        }
    }

    /// Nothing goes wrong any more.
    fn settle(&mut self) {
        self.world.server = KeyServer::Up;
        self.changed_at = self.world.now;
        self.tell_all();
        // The longest call that is lost, the longest back-off, and one that succeeds.
        self.world.pass(5 * SECOND);
        assert!(self.world.parked.is_empty());
        let primary = self.world.primary;
        for worker in 0..self.untold.len() {
            let request = self.world.request(worker, None);
            assert_eq!(self.world.outcomes.get(&request), Some(&Outcome::Keys(primary)));
        }
    }
}

/// However many they are, and whatever came before: each request is told once, a key that is gone is
/// used no more soon after its worker was told, and one call serves all.
#[test]
fn everybody_is_told_once_and_keys_that_are_gone_are_gone() {
    for seed in 0..RUNS {
        let workers = [1, 2, 3, 8, 64][usize::try_from(seed).unwrap() % 5];
        let mut life = Life::new(workers, seed);
        for _ in 0..3 {
            for _ in 0..60 {
                life.anything();
            }
            life.settle();
            // On a quiet day one change costs one call, whenever each of the workers hears of it.
            let before = life.world.calls.len();
            life.rotate();
            life.tell(workers - 1);
            life.world.pass(SECOND / 2);
            life.tell_all();
            life.world.pass(SECOND);
            let calls = life.world.calls.len() - before;
            assert!((1..=2).contains(&calls), "{calls} calls of {workers} workers, seed {seed}");
            life.settle();
        }
    }
}

/// How many worlds there are.
const RUNS: u64 = if cfg!(target_arch = "wasm32") { 10 } else { 200 };
