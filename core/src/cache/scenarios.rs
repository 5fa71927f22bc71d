//! What one worker's cache does, and what many do together.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::world::{Server, World, credential, key};
use super::{Event, Report, Want};
use crate::record::{AccessKeyFault, Change};
use crate::refusal::Unknown;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_call_serves_all_who_want_the_same_key() {
    let mut world = World::new(1, &json!({}), 1);
    let requests: Vec<_> = (0..7).map(|_| world.request(0, "A", "r")).collect();
    world.tick();
    world.answer();
    assert!(requests.iter().all(|request| world.word(*request) == "ready"));
    assert_eq!(world.all_calls(), 1);
    let later = world.request(0, "A", "r");
    assert_eq!((world.word(later), world.all_calls()), ("ready", 1));
    assert_eq!(world.reports, [Report::Fetched]);
}

#[test]
fn an_unknown_access_key_costs_one_call_whatever_else_is_new() {
    let mut world = World::new(1, &json!({"cache": {"negative": "30s"}}), 1);
    let first = world.request(0, "nobody", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(first), "access_key_unknown");
    for region in 0..1000 {
        let request = world.request(0, "nobody", &format!("r{region}"));
        assert_eq!(world.word(request), "access_key_unknown");
    }
    world.tick();
    assert_eq!(world.all_calls(), 1);
    world.pass(SECOND * 30);
    let request = world.request(0, "nobody", "r");
    world.tick();
    assert_eq!((world.word(request), world.all_calls()), ("waits", 2));
}

#[test]
fn a_known_access_key_with_ever_new_regions_costs_a_configured_number() {
    let mut world = World::new(1, &json!({"limits": {"scopes_per_access_key": 4}}), 1);
    for region in 0..100 {
        let request = world.request(0, "A", &format!("r{region}"));
        world.tick();
        world.answer();
        let expected = if region < 4 { "ready" } else { "too_many_calls" };
        assert_eq!(world.word(request), expected);
    }
    assert_eq!(world.all_calls(), 4);
    // Nobody else suffers, and neither do the regions that were there.
    let others = [world.request(0, "A", "r3"), world.request(0, "B", "r")];
    world.tick();
    world.answer();
    assert_eq!(others.map(|request| world.word(request)), ["ready"; 2]);
}

#[test]
fn a_flood_of_access_keys_costs_a_configured_number_of_calls() {
    let changes = json!({"limits": {"calls_per_second": 10}, "cache": {"entries": 50}});
    let mut world = World::new(1, &changes, 1);
    let known = world.request(0, "A", "r");
    world.tick();
    world.answer();
    for second in 0..20 {
        for request in 0..500 {
            world.request(0, &format!("k{second}x{request}"), "r");
        }
        world.tick();
        world.answer();
        let request = world.request(0, "A", "r");
        assert_eq!(world.word(request), "ready");
        world.pass(SECOND);
    }
    assert_eq!(world.word(known), "ready");
    assert!((200..=210).contains(&world.all_calls()), "{}", world.all_calls());
}

#[test]
fn a_flood_that_a_slow_key_server_cannot_keep_up_with_starves_no_key_in_use() {
    let changes = json!({
        "limits": {"calls": 2, "parked": 100, "calls_per_second": 1000},
        "cache": {"fresh": "10s", "stale": "25s"},
        "keyserver": {"timeout": "5s"},
    });
    let mut world = World::new(1, &changes, 1);
    world.request(0, "A", "r");
    world.tick();
    world.answer();
    for second in 0..200 {
        for request in 0..50 {
            world.request(0, &format!("k{second}x{request}"), "r");
        }
        let request = world.request(0, "A", "r");
        assert_eq!(world.word(request), "ready", "second {second}");
        world.pass(SECOND);
        world.answer();
    }
    // And some of the others have their turn.
    assert!(world.calls.len() > 100, "{}", world.calls.len());
}

#[test]
fn a_key_in_use_is_fetched_anew_while_it_serves() {
    let mut world = World::new(1, &json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
    world.request(0, "A", "r");
    world.tick();
    world.answer();
    world.pass(SECOND * 11);
    let behind = [world.request(0, "A", "r"), world.request(0, "A", "r")];
    world.tick();
    assert_eq!(behind.map(|request| world.word(request)), ["ready"; 2]);
    assert_eq!(world.all_calls(), 2);
    world.answer();
    world.pass(SECOND * 9);
    assert_eq!((world.request(0, "A", "r"), world.all_calls()), (3, 2));
    // After twice as long nobody is served by what was not asked for again.
    world.pass(SECOND * 21);
    let request = world.request(0, "A", "r");
    assert_eq!(world.word(request), "waits");
}

#[test]
fn a_key_that_is_no_more_is_refused_with_the_next_answer() {
    let mut world = World::new(1, &json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
    world.request(0, "A", "r");
    world.tick();
    world.answer();
    world.existing.remove("A");
    world.pass(SECOND * 11);
    let last = world.request(0, "A", "r");
    world.tick();
    world.answer();
    let next = world.request(0, "A", "r");
    assert_eq!([last, next].map(|it| world.word(it)), ["ready", "access_key_unknown"]);
    assert_eq!(world.workers[0].cache.record_count(), 0);
}

#[test]
fn while_the_key_server_fails_keys_serve_until_they_are_stale() {
    for server in Server::ALL.into_iter().filter(|server| *server != Server::Sound) {
        let mut world = World::new(1, &json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
        world.request(0, "A", "r");
        world.tick();
        world.answer();
        world.server = server;
        for _ in 0..55 {
            world.pass(SECOND);
            let request = world.request(0, "A", "r");
            for _ in 0..4 {
                world.tick();
                world.answer();
                world.pass(SECOND / 20);
            }
            let mut patience = 0;
            while world.word(request) == "waits" {
                world.pass(SECOND / 2);
                world.answer();
                patience += 1;
                assert!(patience < 20, "{server:?}");
            }
            let age = world.now.since(world.vouched[&credential("A", "r")]);
            let told = world.word(request);
            assert!(age > SECOND * 57 || told == "ready", "{server:?} {age:?} {told}");
            assert!(age < SECOND * 63 || told == "keys_unavailable", "{server:?} {age:?} {told}");
        }
        world.pass(SECOND * 30);
        let request = world.request(0, "A", "r");
        for _ in 0..6 {
            world.pass(SECOND);
            world.answer();
        }
        assert_eq!(world.word(request), "keys_unavailable", "{server:?}");
        world.server = Server::Sound;
        world.pass(SECOND * 16);
        let request = world.request(0, "A", "r");
        world.tick();
        world.answer();
        world.tick();
        world.answer();
        assert_eq!(world.word(request), "ready", "{server:?}");
    }
}

#[test]
fn an_answer_without_sense_is_about_its_question_only() {
    let mut world = World::new(1, &json!({}), 1);
    world.server = Server::Garbled;
    let request = world.request(0, "A", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(request), "keys_unavailable");
    let again = world.request(0, "A", "r");
    world.tick();
    assert_eq!((world.word(again), world.all_calls()), ("keys_unavailable", 1));
    world.server = Server::Sound;
    let other = world.request(0, "B", "r");
    world.tick();
    world.answer();
    assert_eq!(world.word(other), "ready");
}

#[test]
fn an_answer_without_sense_takes_no_key_that_is_held() {
    let mut world = World::new(1, &json!({}), 1);
    world.request(0, "A", "r");
    world.tick();
    world.answer();
    world.server = Server::Garbled;
    let odd = world.request(0, "A", "odd");
    world.tick();
    world.answer();
    assert_eq!(world.word(odd), "keys_unavailable");
    // Whoever knows an access key can ask for odd things in its name.
    let request = world.request(0, "A", "r");
    assert_eq!(world.word(request), "ready");
}

#[test]
fn who_is_gone_is_not_told_and_costs_no_call() {
    let mut world = World::new(1, &json!({"limits": {"calls": 1}}), 1);
    let first = world.request(0, "A", "r");
    world.tick();
    let second = world.request(0, "B", "r");
    world.leave(0, first);
    world.leave(0, second);
    world.answer();
    world.tick();
    assert_eq!(world.all_calls(), 1);
    assert!(world.answers.is_empty());
    assert!(world.workers[0].cache.next_tick() == SECOND);
    // What was fetched for nobody is there for the next.
    let request = world.request(0, "A", "r");
    assert_eq!(world.word(request), "ready");
}

#[test]
fn no_more_wait_than_may() {
    let mut world = World::new(1, &json!({"limits": {"parked": 3}}), 1);
    let requests: Vec<_> = (0..5).map(|_| world.request(0, "A", "r")).collect();
    let words: Vec<_> = requests.iter().map(|request| world.word(*request)).collect();
    assert_eq!(words, ["waits", "waits", "waits", "too_many_waiting", "too_many_waiting"]);
    assert!(matches!(world.answers[&4], Want::Refused { cause: Unknown::TooManyWaiting, .. }));
}

#[test]
fn an_access_key_ends_when_its_record_says() {
    let mut world = World::new(1, &json!({}), 1);
    let request = world.request(0, "A", "r");
    world.tick();
    let (call, (question, _)) = world.workers[0].under_way.pop_first().unwrap();
    let mut answer: Value = serde_json::from_str(&key(&question)).unwrap();
    answer["credential"]["expires_at"] = (world.now.as_secs() + 5).into();
    world.vouched.insert(question, world.now);
    world.answer_call(0, call, "200", b"1", &answer.to_string());
    assert_eq!(world.word(request), "ready");
    world.pass(SECOND * 5);
    let request = world.request(0, "A", "r");
    assert_eq!(world.word(request), AccessKeyFault::AccessKeyExpired.reason());
}

#[test]
fn who_could_not_be_told_is_counted() {
    let mut world = World::new(1, &json!({"cache": {"fresh": "10s", "stale": "60s"}}), 1);
    world.request(0, "A", "r");
    world.settle();
    world.workers[0].cache.take_stats();
    world.server = Server::Failing;
    world.pass(SECOND * 30);
    for access_key in ["A", "B"] {
        world.request(0, access_key, "r");
        world.settle();
    }
    let stats = world.workers[0].cache.take_stats();
    assert_eq!((stats.fresh, stats.stale, stats.refused, stats.searched), (0, 1, 1, 2));
    for _ in 0..3 {
        world.request(0, "A", "r");
        world.request(0, "C", "r");
        world.settle();
    }
    let stats = world.workers[0].cache.take_stats();
    assert_eq!((stats.fresh, stats.stale, stats.refused), (0, 3, 3));
}

#[test]
fn one_call_serves_all_workers() {
    for access_key in ["A", "nobody"] {
        let mut world = World::new(64, &json!({}), 1);
        let requests: Vec<_> = (0..1000).map(|n| world.request(n % 64, access_key, "r")).collect();
        world.settle();
        assert_eq!(world.all_calls(), 1);
        let expected = if access_key == "A" { "ready" } else { "access_key_unknown" };
        assert!(requests.iter().all(|request| world.word(*request) == expected));
        // Who comes later finds it there.
        let late = world.request(63, access_key, "r");
        assert_eq!((world.word(late), world.all_calls()), (expected, 1));
    }
}

#[test]
fn who_holds_a_lease_and_vanishes_blocks_nobody_for_long() {
    let mut world = World::new(2, &json!({}), 1);
    world.request(0, "A", "r");
    world.handle(0, Event::Tick);
    assert_eq!(world.all_calls(), 1);
    world.lose(0);
    let request = world.request(1, "A", "r");
    world.settle();
    assert_eq!((world.word(request), world.all_calls()), ("waits", 1));
    for _ in 0..10 {
        world.pass(SECOND / 4);
        world.answer();
    }
    assert_eq!((world.word(request), world.all_calls()), ("ready", 2));
}

#[test]
fn a_call_that_is_given_up_ends_nobody_elses_lease() {
    let mut world = World::new(3, &json!({"keyserver": {"timeout": "1s"}}), 1);
    world.server = Server::Silent;
    world.request(0, "A", "r");
    world.handle(0, Event::Tick);
    // The lease has run out, the second worker takes it, and the first gives up.
    world.now = world.now + SECOND * 2;
    world.request(1, "A", "r");
    world.handle(1, Event::Tick);
    world.handle(0, Event::Tick);
    world.request(2, "A", "r");
    world.handle(2, Event::Tick);
    assert_eq!(world.all_calls(), 2);
}

#[test]
fn strangers_do_not_push_out_keys_in_use() {
    let changes = json!({
        "cache": {"shared_entries": 4, "negative": "1h", "fresh": "1h", "stale": "2h"},
        "limits": {"calls_per_second": 100_000},
    });
    let mut world = World::new(2, &changes, 3);
    let friends = ["A", "B", "C", "D"];
    for access_key in friends {
        world.request(0, access_key, "r");
        world.settle();
    }
    let calls = world.all_calls();
    for n in 0..500 {
        world.request(0, &format!("stranger{n}"), "r");
        world.settle();
    }
    // At the other worker, those that found room in shared data are still there.
    let before = world.all_calls();
    assert_eq!(before, calls + 500);
    for access_key in friends {
        let request = world.request(1, access_key, "r");
        world.settle();
        assert_eq!(world.word(request), "ready");
    }
    // Four keys in four slots, each with two to choose from: one or two find none.
    assert!(world.all_calls() - before <= 2, "{}", world.all_calls() - before);
}

/// A world with feeds that have begun, and `A` at the first worker.
fn followed(workers: usize, changes: &Value) -> World {
    let mut world = World::with_feeds(workers, changes, 1);
    for _ in 0..10 {
        world.pass(SECOND / 2);
        world.answer();
    }
    world.request(0, "A", "r");
    world.settle();
    world
}

#[test]
fn what_may_have_changed_serves_for_a_moment_while_it_is_confirmed() {
    let mut world = followed(1, &json!({"cache": {"fresh": "1h", "stale": "4h"}}));
    world.workers[0].cache.changed(world.now, &[Change::All]);
    // A quarter of a poll period; and it does not begin again.
    let told_at = world.now;
    for millis in [200, 499] {
        world.now = told_at + Duration::from_millis(millis);
        world.workers[0].cache.changed(world.now, &[Change::All]);
        let request = world.request(0, "A", "r");
        assert_eq!(world.word(request), "ready");
    }
    world.now = told_at + SECOND / 2;
    let request = world.request(0, "A", "r");
    assert_eq!(world.word(request), "waits");
    world.tick();
    assert_eq!(world.all_calls(), 2, "which was made behind the first of them");
    world.answer();
    let later = world.request(0, "A", "r");
    assert_eq!([request, later].map(|it| world.word(it)), ["ready"; 2]);
    assert_eq!(world.all_calls(), 2);
}

#[test]
fn where_no_more_may_wait_what_is_held_serves() {
    let cache = json!({"fresh": "1h", "stale": "4h"});
    let mut world = followed(1, &json!({"limits": {"parked": 2}, "cache": cache}));
    world.workers[0].cache.changed(world.now, &[Change::All]);
    world.now = world.now + SECOND;
    let others = ["B", "C"].map(|access_key| world.request(0, access_key, "r"));
    let held = [world.request(0, "A", "r"), world.request(0, "A", "r")];
    let new = world.request(0, "D", "r");
    assert_eq!(others.map(|it| world.word(it)), ["waits"; 2]);
    assert_eq!(held.map(|it| world.word(it)), ["ready"; 2]);
    assert_eq!(world.word(new), "too_many_waiting");
    // It is confirmed all the same.
    world.tick();
    let of_a = &world.calls[&credential("A", "r")];
    assert_eq!(of_a.len(), 2);
    // And too old is too old.
    world.now = world.now + SECOND * 4 * 3600;
    let others = ["B", "C"].map(|access_key| world.request(0, access_key, "other"));
    let held = world.request(0, "A", "r");
    assert_eq!((world.word(held), others.len()), ("too_many_waiting", 2));
}

#[test]
fn a_silent_feed_shortens_the_time_for_which_a_record_is_fresh() {
    let cache = json!({"fresh": "1h", "stale": "4h"});
    let mut world = followed(1, &json!({"cache": cache}));
    let step = |world: &mut World, seconds: u32| {
        for _ in 0..seconds * 2 {
            world.pass(SECOND / 2);
            world.answer();
        }
        let request = world.request(0, "A", "r");
        let told = world.word(request);
        world.settle();
        (told, world.all_calls())
    };
    assert_eq!(step(&mut world, 60), ("ready", 1));
    world.is_feed_mute = true;
    // It is silent after ten seconds; then what is ten seconds old is fetched anew, behind who wants it.
    assert_eq!(step(&mut world, 5), ("ready", 1));
    assert_eq!(step(&mut world, 15), ("waits", 2), "and what is older than twice that, before");
    assert_eq!(step(&mut world, 5), ("ready", 2));
    assert_eq!(step(&mut world, 8), ("ready", 3));
    world.is_feed_mute = false;
    assert_eq!(step(&mut world, 60), ("ready", 3));
}

#[test]
fn what_changed_before_the_clock_went_back_is_not_found_in_shared_data() {
    let cache = json!({"fresh": "1h", "stale": "4h"});
    let mut world = followed(2, &json!({"cache": cache}));
    world.change("A");
    for _ in 0..8 {
        world.pass(SECOND / 2);
        world.answer();
    }
    world.set_back(SECOND * 60);
    for worker in 0..2 {
        // Whoever is served it is served the new one: the world looks.
        let request = world.request(worker, "A", "r");
        world.settle();
        assert_eq!(world.word(request), "ready");
    }
    assert!((2..=3).contains(&world.all_calls()), "{}", world.all_calls());
}

#[test]
fn what_was_under_way_when_it_changed_serves_nobody_who_came_later() {
    for back in [Duration::ZERO, SECOND * 60] {
        let cache = json!({"fresh": "1h", "stale": "4h"});
        let mut world = followed(1, &json!({"cache": cache, "keyserver": {"timeout": "10s"}}));
        if back > Duration::ZERO {
            world.set_back(back);
        }
        world.request(0, "B", "r");
        world.handle(0, Event::Tick);
        let (call, (question, _)) = world.workers[0].under_way.pop_first().unwrap();
        // The answer is made up, and takes its time.
        let old = key(&question);
        world.change("B");
        for _ in 0..8 {
            world.pass(SECOND / 2);
            world.answer();
        }
        let later = world.request(0, "B", "r");
        assert_eq!(world.word(later), "waits");
        world.vouched.insert(question, world.now);
        world.answer_call(0, call, "200", b"1", &old);
        assert_eq!(world.word(later), "waits", "{back:?}");
        world.settle();
        assert_eq!(world.word(later), "ready", "{back:?}");
    }
}
