//! `neighbours sink` takes whole bodies and answers 200. `neighbours ext-authz KEY` checks the token of
//! each request as the filter does, with the code of its core, and answers as Envoy's `ext_authz` wants
//! it: 200 with the headers to set, or the refusal. KEY is a Fernet key as it stands in a key repository.
//!
//! Each has one thread, as a proxy's worker has, and says on which port it listens.
//!
//! `neighbours storm ADDRESS FILE RATE SECONDS` sends the request in the file so many times a second, whether or
//! not it is answered in time.
#![allow(clippy::expect_used, reason = "a benchmark that cannot start must say so and end")]

mod ext_authz;
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

use ext_authz::ExtAuthz;

/// What answers.
enum Service {
    Sink,
    ExtAuthz(ExtAuthz),
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let service = match arguments.as_slice() {
        ["sink"] => Service::Sink,
        ["ext-authz", key] => Service::ExtAuthz(ExtAuthz::new(key)),
        ["storm", address, file, rate, seconds] => {
            let request = std::fs::read(file).expect("a request");
            let rate = rate.parse().expect("a rate");
            let time = Duration::from_secs(seconds.parse().expect("seconds"));
            storm::run(address, &request, rate, time).expect("answers");
            return;
        }
        _ => {
            eprintln!("usage: neighbours sink | ext-authz KEY | storm ADDRESS FILE RATE SECONDS");
            std::process::exit(2);
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, serve(Rc::new(service)));
}

async fn serve(service: Rc<Service>) {
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
            Self::Sink => {
                let is_whole = drained(request.into_body()).await;
                let mut response = Response::new("ok".into());
                *response.status_mut() =
                    if is_whole { hyper::StatusCode::OK } else { hyper::StatusCode::BAD_REQUEST };
                response
            }
        }
    }
}

/// Reads a body and keeps nothing of it: whether it had an end.
async fn drained(mut body: Incoming) -> bool {
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        if frame.is_err() {
            return false;
        }
    }
    true
}
