//! Very many proxies, as a key server sees them: each keeps the keys of tokens, follows what changes and
//! knows what was revoked, by the very machines of the filter.
//!
//! Of the workers of a proxy one at a time asks for all, so each of these is a worker without others, on a
//! connection of its own. `look` on standard input has one line of JSON come on standard output, with all
//! since `begin`; the end of the input ends the program.

mod connection;
mod counts;
mod edge;

use std::cell::RefCell;
use std::io::{BufRead as _, stdin};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use voussoir_core::config::Config;

use crate::random::Random;
use counts::Counts;
use edge::Edge;

/// Runs so many edges with this configuration, which ask the key server at this address.
pub(crate) fn run(address: &str, config: &[u8], count: u32) {
    let config = Config::parse(config).expect("a configuration");
    let (sender, commands) = unbounded_channel();
    thread::spawn(move || {
        let lines = stdin().lock().lines().map_while(Result::ok);
        let _over = lines.map(|line| sender.send(line)).take_while(Result::is_ok).count();
    });
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, observe(address.into(), config, count, commands));
}

async fn observe(
    address: String,
    config: Config,
    count: u32,
    mut commands: UnboundedReceiver<String>,
) {
    let counts = Rc::new(RefCell::new(Counts::default()));
    let (config, mut random) = (Rc::new(config), Random::new(1));
    for number in 0..count {
        let edge = Edge::new(&address, &config, number, Rc::clone(&counts));
        let pause = WITHIN.mul_f64(random.fraction());
        spawn_local(async move {
            sleep(pause).await;
            edge.live().await;
        });
    }
    while let Some(command) = commands.recv().await {
        match command.as_str() {
            "begin" => counts.borrow_mut().begin(),
            _ => println!("{}", counts.borrow().to_json()),
        }
    }
}

/// How long it takes until all have started.
const WITHIN: Duration = Duration::from_secs(5);
