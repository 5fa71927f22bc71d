//! Whatever happens, in thousands of random worlds.

use alloc::string::ToString as _;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::world::{Server, World};

#[test]
fn everybody_is_told_once_and_nobody_too_much() {
    let (mut conflicts, mut changes) = (0, 0);
    for seed in 0..RUNS {
        let nth = usize::try_from(seed).unwrap();
        // With one slot or three, entries collide.
        let (workers, slots) = ([1, 2, 3, 8, 64][nth % 5], [0, 1, 3, 64][nth / 5 % 4]);
        // Half of them hear of changes.
        let new = if seed % 2 == 0 { World::new } else { World::with_feeds };
        let mut world = new(
            workers,
            &json!({
                "limits": {"parked": 20, "calls": 3, "calls_per_second": 50,
                    "scopes_per_access_key": 4},
                "cache": {"entries": 5, "shared_entries": slots,
                    "fresh": "5s", "stale": "20s", "negative": "3s"},
            }),
            seed,
        );
        for _ in 0..150 {
            anything(&mut world);
        }
        world.server = Server::Sound;
        for _ in 0..30 {
            world.pass(Duration::from_secs(1));
            world.answer();
        }
        world.assert_calm();
        conflicts += world.conflicts;
        changes += world.history.len();
    }
    // Rules for what never happens prove nothing.
    assert!(conflicts > 100 && changes > 1000, "{conflicts} {changes}");
}

fn anything(world: &mut World) {
    let worker = world.random(world.workers.len());
    match world.random(14) {
        0..=4 => {
            let access_key = world.one_of(&["A", "B", "C", "D", "E", "F"]);
            let region = world.random(3).to_string();
            world.request(worker, access_key, &region);
        }
        5 | 6 => world.answer_calls_of(worker),
        7 => {
            let time = world.random_time(Duration::from_secs(2));
            world.pass(time);
        }
        8 => {
            let time = world.random_time(Duration::from_secs(30));
            match world.random(20) {
                0 | 1 => world.set_back(time),
                // A machine that slept.
                2 => world.pass(time * 100_000),
                _ => {}
            }
        }
        9 => {
            let nth = world.random(20);
            let request = world.workers[worker].parked.keys().nth(nth).copied();
            if let Some(request) = request {
                world.leave(worker, request);
            }
        }
        10 => {
            let mood = world.one_of(&Server::ALL);
            world.server = if world.random(3) == 0 { Server::Sound } else { mood };
        }
        11 => match world.random(12) {
            0 => world.lose(worker),
            1 => world.reload(),
            2 => world.restart_server(),
            _ => world.answer(),
        },
        12 => {
            let access_key = world.one_of(&["A", "B", "C"]);
            world.change(access_key);
        }
        _ => {
            let access_key = world.one_of(&["A", "B"]);
            world.change(access_key);
            if !world.existing.remove(access_key) {
                world.existing.insert(access_key.into());
            }
        }
    }
}

/// The clock goes forward, the key server is slow at times and sound, and there is room for all.
#[test]
fn each_record_is_fetched_once_in_its_time() {
    for seed in 0..RUNS {
        let workers = [2, 3, 8, 64][usize::try_from(seed).unwrap() % 4];
        let changes = json!({
            "cache": {"fresh": "10s", "stale": "60s", "negative": "9s"},
            "limits": {"calls_per_second": 1000, "scopes_per_access_key": 1000},
        });
        let mut world = World::new(workers, &changes, seed);
        for step in 0..60 {
            for _ in 0..8 {
                let worker = world.random(workers);
                let access_key = world.one_of(&["A", "B", "nobody"]);
                world.request(worker, access_key, "r");
            }
            let time = world.random_time(Duration::from_millis(900));
            world.pass(time);
            // No call takes so long that it is given up.
            if step % 2 == 0 || world.random(2) == 0 {
                world.answer();
            }
        }
        assert!(workers < 8 || world.conflicts > 0);
        for (credential, times) in &world.calls {
            let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]));
            // What is fresh for ten seconds is fetched a tenth of that earlier at the most.
            let shortest = gaps.min().unwrap_or(Duration::MAX);
            assert!(shortest >= Duration::from_secs(9), "seed {seed}: {credential:?} {shortest:?}");
        }
    }
}

/// How many worlds there are of each kind.
const RUNS: u64 = if cfg!(target_arch = "wasm32") { 100 } else { 1000 };
