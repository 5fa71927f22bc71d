//! Clients that are slow, greedy or silent, and the end of the server.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use voussoir_core::record::TOKEN_KEYS_PATH;

use crate::authority::{Authority, TLS};
use crate::world::{Files, Running, ask, time_to_end};

const IMPATIENT: &str =
    "--allow-unauthenticated --request-timeout 500ms --idle-timeout 500ms --shutdown-timeout 1s";

#[tokio::test]
async fn a_connection_without_an_answer_in_time_is_ended() {
    let files = Files::new();
    let server = Running::start(&files, IMPATIENT).await;
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let openings: [&[u8]; 6] = [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nhost: keyserver\r\nx: ",
        &http2[..20],
        http2,
        // A HEADERS frame that promises a continuation.
        &[&http2[..], b"\0\0\x01\x01\x01\0\0\0\x01\x82"].concat(),
    ];
    let mut streams = Vec::new();
    for opening in openings {
        let mut stream = server.connect().await;
        stream.write_all(opening).await.unwrap();
        streams.push((opening, tokio::spawn(async move { time_to_end(&mut stream).await })));
    }
    for (opening, time) in streams {
        let time = time.await.unwrap();
        assert!(time >= Duration::from_millis(200), "{time:?} {opening:?}");
        assert!(time < Duration::from_secs(3), "{time:?} {opening:?}");
    }
}

#[tokio::test]
async fn a_drop_now_and_then_is_no_answer_in_time() {
    let files = Files::new();
    let server = Running::start(&files, IMPATIENT).await;
    let mut stream = server.connect().await;
    let begun = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: keyserver\r\n").await.unwrap();
    while stream.write_all(b"x: y\r\n").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(3), "still there");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_ended_and_a_busy_one_is_not() {
    let files = Files::new();
    let server = Running::start(&files, IMPATIENT).await;
    let mut stream = server.connect().await;
    for _ in 0..12 {
        assert_eq!(ask(&mut stream, "/healthz", "").await.unwrap().status, 200);
        sleep(Duration::from_millis(100)).await;
    }
    assert!(time_to_end(&mut stream).await < Duration::from_secs(2));
    let metrics = server.get("/metrics", "").await.body;
    let metric = "voussoir_keyserver_connections_ended_total{reason=\"timeout\"} 1";
    assert!(metrics.contains(metric), "{metrics}");
}

#[tokio::test]
async fn answers_left_unread_are_no_answers() {
    let files = Files::new();
    let server = Running::start(&files, IMPATIENT).await;
    let mut stream = server.connect().await;
    let requests = format!("GET {TOKEN_KEYS_PATH} HTTP/1.1\r\nhost: keyserver\r\n\r\n").repeat(100);
    let begun = Instant::now();
    let flood = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(Duration::from_secs(20), flood).await.expect("the connection is ended");
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn half_a_tls_handshake_is_ended() {
    let files = Files::new();
    Authority::new().write_server_files(&files);
    let flags = format!("{TLS} --bearer-tokens @/tokens --request-timeout 500ms");
    let server = Running::start(&files, &flags).await;
    for opening in [&b""[..], b"\x16\x03\x01\x02\0\x01"] {
        let mut stream = server.connect().await;
        stream.write_all(opening).await.unwrap();
        assert!(time_to_end(&mut stream).await < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn heads_are_bounded_and_bodies_not_read() {
    let files = Files::new();
    let server = Running::start(&files, "--allow-unauthenticated").await;

    let mut stream = server.connect().await;
    let answer = ask(&mut stream, "/healthz", &format!("x: {}\r\n", "y".repeat(64 * 1024))).await;
    assert_eq!(answer.map_or(431, |answer| answer.status), 431);
    assert!(time_to_end(&mut stream).await < Duration::from_secs(2));
    let many = "x: y\r\n".repeat(101);
    assert_eq!(server.get("/healthz", &many).await.status, 431);

    let mut stream = server.connect().await;
    let length = "content-length: 1000000000000\r\n";
    assert_eq!(ask(&mut stream, TOKEN_KEYS_PATH, length).await.unwrap().status, 200);
    let mut sent = 0;
    while stream.write_all(&[0; 4096]).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "the body is read");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let files = Files::new();
    let flags = "--allow-unauthenticated --max-connections 2 --idle-timeout 1h";
    let server = Running::start(&files, flags).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    for stream in [&mut one, &mut two] {
        assert_eq!(ask(stream, "/healthz", "").await.unwrap().status, 200);
    }
    let mut three = server.connect().await;
    let answer = ask(&mut three, "/healthz", "");
    let mut answer = std::pin::pin!(answer);
    assert!(timeout(Duration::from_millis(300), &mut answer).await.is_err());
    drop(one);
    assert_eq!(answer.await.unwrap().status, 200);
}

#[tokio::test]
async fn the_end_is_graceful_and_comes() {
    let files = Files::new();
    let mut server = Running::start(&files, IMPATIENT).await;
    let mut idle = server.connect().await;
    assert_eq!(ask(&mut idle, "/healthz", "").await.unwrap().status, 200);
    let mut slow = server.connect().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await.unwrap();
    sleep(Duration::from_millis(100)).await;

    let begun = Instant::now();
    server.end.take().unwrap().send(()).unwrap();
    assert!(time_to_end(&mut idle).await < Duration::from_millis(500));
    timeout(Duration::from_secs(2), &mut server.task).await.expect("the server ends").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(TcpStream::connect(server.address).await.is_err());
}
