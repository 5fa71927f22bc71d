//! Very many proxies, as a key server sees them: each keeps the keys of tokens, follows what changes and
//! knows what was revoked, by the very machines of the filter.
//!
//! Of the workers of a proxy one at a time asks for all, so each of these is a worker without others, on a
//! connection of its own. `look` on standard input has one line of JSON come on standard output, with all
//! since `begin`; the end of the input ends the program.

mod connection;
mod counts;
mod edge;

use std::io::stdin;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use voussoir_core::config::Config;

use crate::random::Random;
use counts::Counts;
use edge::Edge;

/// Runs so many edges with this configuration, which ask the key server at this address.
pub(crate) fn run(address: &str, config: &[u8], count: u32) {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    Config::parse(config).expect("a configuration");
    for first in (0..count).take(threads) {
        let numbers = (first..count).step_by(threads);
        let (address, config) = (address.to_owned(), config.to_vec());
        let counts = Arc::clone(&counts);
        thread::spawn(move || live(&address, &config, numbers, &counts));
    }
    for command in stdin().lines().map_while(Result::ok) {
        let mut counts = counts.lock().expect("no panic");
        match command.as_str() {
            "begin" => counts.begin(),
            _ => println!("{}", counts.to_json()),
        }
    }
}

/// The edges of these numbers, on this thread, until the program ends.
fn live(
    address: &str,
    config: &[u8],
    numbers: impl Iterator<Item = u32>,
    counts: &Arc<Mutex<Counts>>,
) {
    let config = Config::parse(config).expect("a configuration");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let edges = LocalSet::new();
    let _entered = edges.enter();
    for number in numbers {
        let edge = Edge::new(address, &config, number, Arc::clone(counts));
        let pause = WITHIN.mul_f64(Random::new(number.into()).fraction());
        spawn_local(async move {
            sleep(pause).await;
            edge.live().await;
        });
    }
    runtime.block_on(edges);
}

/// How long it takes until all have started.
const WITHIN: Duration = Duration::from_secs(5);
