//! One connection, from the handshake to its end.
//!
//! **A connection lives as long as it gets answers**: a first one within the request timeout, each
//! further one within the idle timeout. The rule needs to know nothing about what a client does
//! instead, be it half a handshake, half a head, one byte now and then, or answers left unread.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info};

use crate::config::Limits;
use crate::http::Peer;
use crate::logging::Allowance;
use crate::metrics::ConnectionEnd;
use crate::tls::Tls;

/// What all connections share.
pub(crate) struct Connections {
    pub(crate) limits: Limits,
    pub(crate) router: TowerToHyperService<Router>,
    /// The TLS configuration in force, if the server speaks TLS.
    pub(crate) tls: Option<Receiver<Arc<Tls>>>,
    /// Becomes true when the server ends.
    pub(crate) ending: Receiver<bool>,
    /// For log lines that a client can cause.
    pub(crate) allowance: Allowance,
    protocol: auto::Builder<TokioExecutor>,
}

impl Connections {
    pub(crate) fn new(
        limits: Limits,
        router: Router,
        tls: Option<Receiver<Arc<Tls>>>,
        ending: Receiver<bool>,
    ) -> Self {
        let mut protocol = auto::Builder::new(TokioExecutor::new());
        // hyper's own timeout of a head also runs while a connection is idle; ours does better.
        protocol.http1().max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
        protocol
            .http2()
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST_BYTES)
            // Nobody reads a request's body here, so there need be no room for one.
            .initial_stream_window_size(MAX_HEADER_LIST_BYTES)
            .max_send_buf_size(MAX_HEAD_BYTES);
        let router = TowerToHyperService::new(router);
        Self { limits, router, tls, ending, allowance: Allowance::new(), protocol }
    }

    /// Serves a connection until it ends.
    pub(crate) async fn serve(&self, stream: TcpStream, address: SocketAddr) -> ConnectionEnd {
        let opened = Instant::now();
        // An answer is one small packet; there is nothing to wait for before sending it.
        let _only_slower = stream.set_nodelay(true);
        let peer = |has_certificate| Peer { address, has_certificate };
        let Some(tls) = &self.tls else {
            return self.converse(stream, peer(false), opened).await;
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow().0));
        match timeout_at(opened + self.limits.request, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let has_certificate = certificates.is_some_and(|chain| !chain.is_empty());
                self.converse(stream, peer(has_certificate), opened).await
            }
            Ok(Err(why)) => {
                self.tell_of_handshake(address, &why);
                ConnectionEnd::Handshake
            }
            Err(_) => {
                debug!(%address, "the TLS handshake took too long");
                ConnectionEnd::Timeout
            }
        }
    }

    async fn converse(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        opened: Instant,
    ) -> ConnectionEnd {
        let deadline = Deadline::new(opened + self.limits.request);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let answer = self.router.call(request);
            let (deadline, idle) = (deadline.clone(), self.limits.idle);
            async move {
                let mut answer = answer.await?;
                if answer.status() == StatusCode::NOT_MODIFIED {
                    // axum notes the length of the body, 0, but in a 304 this would speak of the
                    // body that is not sent (RFC 9110, section 8.6).
                    answer.headers_mut().remove(CONTENT_LENGTH);
                }
                deadline.set(Instant::now() + idle);
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(self.protocol.serve_connection(TokioIo::new(stream), service));

        let mut ending = self.ending.clone();
        let last_day = opened + max_age(peer.address);
        let (end, grace) = loop {
            let next_look = deadline.read().min(last_day);
            tokio::select! {
                result = connection.as_mut() => return finished(peer.address, result),
                () = sleep_until(next_look) => {
                    let now = Instant::now();
                    if now >= last_day {
                        break (ConnectionEnd::Done, GRACE);
                    }
                    if now >= deadline.read() {
                        break (ConnectionEnd::Timeout, GRACE);
                    }
                }
                _ = ending.wait_for(|ending| *ending) => {
                    break (ConnectionEnd::Done, self.limits.shutdown);
                }
            }
        };
        // The client may still get an answer that is on its way, and is told to come no more.
        connection.as_mut().graceful_shutdown();
        let _ended_or_not = timeout(grace, connection).await;
        debug!(address = %peer.address, ?end, "connection ended by the server");
        end
    }

    /// A handshake that fails is worth a line, unless the client just went away, as a probe of the
    /// port does.
    fn tell_of_handshake(&self, address: SocketAddr, why: &io::Error) {
        if matches!(why.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) {
            debug!(%address, "the client went away in the TLS handshake");
        } else if let Some(unsaid) = self.allowance.take() {
            info!(%address, unsaid, "refused: TLS handshake: {why}");
        }
    }
}

/// When the next answer is due; shared with the answers, which put it off.
#[derive(Clone)]
struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn new(first: Instant) -> Self {
        Self(Arc::new(Mutex::new(first)))
    }

    fn read(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, next: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

fn finished(
    address: SocketAddr,
    result: Result<(), Box<dyn Error + Send + Sync>>,
) -> ConnectionEnd {
    match result {
        Ok(()) => ConnectionEnd::Done,
        Err(why) => {
            debug!(%address, "connection failed: {why}");
            ConnectionEnd::Failed
        }
    }
}

/// Connections end at last, so that an authority or a certificate that is no longer in force stops
/// being believed. Clients that came together do not leave together: the port spreads them.
fn max_age(client: SocketAddr) -> Duration {
    MAX_AGE.saturating_sub(Duration::from_millis(u64::from(client.port()) * SPREAD_MS_PER_PORT))
}

/// The most bytes of the head of a request: ours take a few hundred.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// The most requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 32;

const MAX_AGE: Duration = Duration::from_hours(1);
/// Ports go up to 65,535: ten minutes and a half.
const SPREAD_MS_PER_PORT: u64 = 10;

/// How long a client that is told to go has for it.
const GRACE: Duration = Duration::from_secs(1);
