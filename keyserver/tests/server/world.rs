//! A server with files of its own, and a client without manners.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use voussoir_core::record::KeySet;
use voussoir_keyserver::cli::{Cli, Command};
use voussoir_keyserver::demo;
use voussoir_keyserver::server::Server;

pub(crate) const TOKEN: &str = "0123456789abcdef-token";
pub(crate) const AUTHORIZATION: &str = "authorization: Bearer 0123456789abcdef-token\r\n";

/// A directory of files that a server is made of.
pub(crate) struct Files(pub(crate) TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        demo::prepare(directory.path()).unwrap();
        fs::write(directory.path().join("tokens"), TOKEN).unwrap();
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As `keystone-manage fernet_rotate`, without purging.
    pub(crate) fn rotate(&self, primary: u32) {
        let keys = self.path("fernet-keys");
        let key = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzw=";
        fs::write(keys.join("0.tmp"), key).unwrap();
        fs::rename(keys.join("0"), keys.join(primary.to_string())).unwrap();
        fs::rename(keys.join("0.tmp"), keys.join("0")).unwrap();
    }
}

/// A server that runs until it is ended.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) end: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Running {
    /// Starts `serve` with these flags, in which `@` stands for the directory of the files.
    pub(crate) async fn start(files: &Files, flags: &str) -> Self {
        let flags = flags.replace('@', files.0.path().to_str().unwrap());
        let words = format!(
            "voussoir-keyserver serve --listen 127.0.0.1:0 --fernet-keys {} {flags}",
            files.path("fernet-keys").display()
        );
        let Command::Serve(serve) = Cli::try_parse_from(words.split_whitespace()).unwrap().command
        else {
            panic!("not serve");
        };
        let server = Server::bind((*serve).try_into().unwrap()).await.unwrap();
        let address = server.url().rsplit('/').next().unwrap().parse().unwrap();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = ended.await;
        }));
        Self { address, end: Some(end), task }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        ask(&mut self.connect().await, path, headers).await.unwrap()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn keys(&self) -> Vec<u32> {
        let keys = KeySet::from_json(self.body.as_bytes()).unwrap();
        keys.fernet.iter().map(|key| key.id).collect()
    }
}

/// One request and its answer over HTTP/1.1; `None` if the connection ends before.
pub(crate) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
    headers: &str,
) -> Option<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: keyserver\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes.drain(..head_end).collect()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < length {
        assert_ne!(stream.read_buf(&mut bytes).await.ok()?, 0);
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body: String::from_utf8(bytes).unwrap() })
}

/// How long the other side takes to end a connection.
pub(crate) async fn time_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _end_or_reset = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest))
        .await
        .expect("the connection is ended");
    begun.elapsed()
}

pub(crate) async fn soon(mut holds: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..100 {
        if holds().await {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}
