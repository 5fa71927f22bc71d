//! What stands beside a proxy in the benchmarks, and what gives it load:
//!
//! * `neighbours sink` takes whole bodies and answers 200.
//! * `neighbours ext-authz KEY` checks the token of each request as the filter does, with the code of its
//!   core, and answers as Envoy's `ext_authz` wants it: 200 with the headers to set, or the refusal.
//! * `neighbours stand-in KEY` answers in a key server's place, and knows whomever it is asked for.
//! * `neighbours storm ADDRESS FILE RATE SECONDS` sends the request in the file so many times a second,
//!   whether or not it is answered in time.
//! * `neighbours crowd ADDRESS KEY COUNT EXPONENT SECONDS CONNECTIONS` sends requests of so many users as
//!   fast as they are answered.
//! * `neighbours edges ADDRESS CONFIG COUNT` is so many proxies with the filter, as a key server sees them.
//!
//! Those that answer have one thread, as a proxy's worker has, and say on which port they listen. KEY is a
//! Fernet key as it stands in a key repository, CONFIG the filter's configuration.
#![allow(clippy::expect_used, reason = "a benchmark that cannot start must say so and end")]

mod answer;
mod clock;
mod crowd;
mod edges;
mod ext_authz;
mod percentiles;
mod random;
mod stand_in;
mod storm;

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crowd::Crowd;
use ext_authz::ExtAuthz;
use stand_in::StandIn;

/// What answers.
enum Service {
    Sink,
    ExtAuthz(ExtAuthz),
    StandIn(StandIn),
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["sink"] => serve(Service::Sink),
        ["ext-authz", key] => serve(Service::ExtAuthz(ExtAuthz::new(key))),
        ["stand-in", key] => serve(Service::StandIn(StandIn::new(key))),
        ["storm", address, file, rate, seconds] => {
            let request = std::fs::read(file).expect("a request");
            let rate = rate.parse().expect("a rate");
            storm::run(address, &request, rate, time(seconds)).expect("answers");
        }
        ["crowd", address, key, count, exponent, seconds, connections] => {
            let crowd = Crowd::new(
                key,
                count.parse().expect("a count"),
                exponent.parse().expect("an exponent"),
            );
            let connections = connections.parse().expect("a number of connections");
            crowd::run(address, &crowd, time(seconds), connections).expect("answers");
        }
        ["edges", address, config, count] => {
            edges::run(address, config.as_bytes(), count.parse().expect("a count"));
        }
        _ => {
            eprintln!(
                "usage: neighbours sink | ext-authz KEY | stand-in KEY | storm ADDRESS FILE RATE SECONDS | \
                 crowd ADDRESS KEY COUNT EXPONENT SECONDS CONNECTIONS | edges ADDRESS CONFIG COUNT"
            );
            std::process::exit(2);
        }
    }
}

fn time(seconds: &str) -> Duration {
    Duration::from_secs(seconds.parse().expect("seconds"))
}

fn serve(service: Service) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, accept(Rc::new(service)));
}

async fn accept(service: Rc<Service>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::task::spawn_local(serve_connection(Rc::clone(&service), stream));
    }
}

async fn serve_connection(service: Rc<Service>, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answer = service_fn(move |request| {
        let service = Rc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    // A proxy that ends a connection has its reasons.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<String> {
        match self {
            Self::ExtAuthz(service) => service.answer(&request),
            Self::StandIn(service) => service.answer(request).await,
            Self::Sink => {
                let is_whole = drained(request.into_body(), |_| ()).await;
                let mut response = Response::new("ok".into());
                *response.status_mut() =
                    if is_whole { hyper::StatusCode::OK } else { hyper::StatusCode::BAD_REQUEST };
                response
            }
        }
    }
}

/// Reads a body, piece by piece: whether it had an end.
async fn drained(mut body: Incoming, mut piece: impl FnMut(&[u8])) -> bool {
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let Ok(frame) = frame else { return false };
        if let Some(data) = frame.data_ref() {
            piece(data);
        }
    }
    true
}
