//! A thousand sidecars before one key server: when they start, when they are configured anew, and when
//! the key server comes back.

use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::world::{Server, World};

/// A thousand sidecars, each with two workers, a main thread and shared data of its own.
fn fleet() -> Vec<World> {
    let changes = json!({"cache": {"fresh": "60s", "stale": "1h", "shared_entries": 256}});
    (0..1000).map(|sidecar| World::new(3, &changes, sidecar)).collect()
}

/// Each worker of a sidecar is asked for some keys.
fn ask(sidecar: &mut World, keys: usize) {
    for worker in 0..3 {
        for region in 0..keys {
            sidecar.request(worker, "A", &region.to_string());
        }
    }
}

fn calls(fleet: &[World]) -> usize {
    fleet.iter().map(World::all_calls).sum()
}

#[test]
fn that_starts_asks_for_each_key_once_a_sidecar() {
    let mut fleet = fleet();
    for sidecar in &mut fleet {
        ask(sidecar, 10);
        sidecar.settle();
    }
    assert!(IS_ABOUT_10_000.contains(&calls(&fleet)), "{}", calls(&fleet));
}

#[test]
fn that_is_configured_anew_asks_for_nothing_that_its_sidecar_has() {
    let mut fleet = fleet();
    for sidecar in &mut fleet {
        ask(sidecar, 10);
        sidecar.settle();
        sidecar.reload();
        ask(sidecar, 10);
        sidecar.settle();
        sidecar.assert_calm();
    }
    assert!(IS_ABOUT_10_000.contains(&calls(&fleet)), "{}", calls(&fleet));
}

#[test]
fn that_started_together_does_not_ask_together_again() {
    let mut fleet = fleet();
    for sidecar in &mut fleet {
        ask(sidecar, 2);
        sidecar.settle();
    }
    let mut by_second = Vec::new();
    for _ in 0..70 {
        let before = calls(&fleet);
        for sidecar in &mut fleet {
            sidecar.pass(Duration::from_millis(900));
            ask(sidecar, 2);
            sidecar.pass(Duration::from_millis(100));
            sidecar.answer();
        }
        by_second.push(calls(&fleet) - before);
    }
    // Each of 2,000 keys is fetched again once, up to a tenth of its time early.
    assert!((2_000..2_020).contains(&by_second.iter().sum::<usize>()), "{by_second:?}");
    assert!(by_second.iter().all(|calls| *calls <= 1_000), "{by_second:?}");
}

#[test]
fn whose_key_server_is_away_calls_once_in_a_while_and_not_more_when_it_is_back() {
    let mut fleet = fleet();
    for sidecar in &mut fleet {
        sidecar.server = Server::Unreachable;
        for _ in 0..30 {
            ask(sidecar, 10);
            sidecar.pass(Duration::from_secs(1));
        }
    }
    // Three workers of a thousand sidecars for thirty seconds; each tries about once a second.
    assert!(calls(&fleet) <= 3 * 1000 * 40, "{}", calls(&fleet));
    let before = calls(&fleet);
    for sidecar in &mut fleet {
        sidecar.restart_server();
        for _ in 0..3 {
            sidecar.pass(Duration::from_secs(2));
            ask(sidecar, 10);
            sidecar.settle();
        }
        sidecar.assert_calm();
        let last = sidecar.request(0, "A", "0");
        assert_eq!(sidecar.word(last), "ready");
    }
    let calls = calls(&fleet) - before;
    // What waited for its turn for longer than a lease lasts is asked for by more than one worker.
    assert!((10_000..15_000).contains(&calls), "{calls}");
}

/// Ten keys of a thousand sidecars. Among 256 slots, now and then a key finds both of its two taken.
const IS_ABOUT_10_000: core::ops::Range<usize> = 10_000..10_100;
