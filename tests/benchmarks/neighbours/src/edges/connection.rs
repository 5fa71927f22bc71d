//! One connection to the key server, kept as a proxy keeps it: HTTP/1.1, one question at a time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use voussoir_core::config::Server;
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::record::{PROTOCOL_HEADER, PROTOCOL_VERSION};

pub(super) struct Connection {
    address: String,
    /// What every question has in its head.
    common: String,
    timeout: Duration,
    stream: Option<TcpStream>,
}

/// What came back.
pub(super) struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Connection {
    /// One that is opened when it is needed.
    pub(super) fn new(address: &str, server: &Server) -> Self {
        let authorization = server.secret.as_ref().map_or_else(String::new, |secret| {
            format!("authorization: Bearer {}\r\n", String::from_utf8_lossy(secret.expose()))
        });
        let common = format!(
            "host: {}\r\naccept: application/json\r\n{PROTOCOL_HEADER}: {PROTOCOL_VERSION}\r\n{authorization}",
            server.authority
        );
        Self { address: address.into(), common, timeout: server.timeout, stream: None }
    }

    /// Asks, and waits no longer than the filter does.
    pub(super) async fn get(
        &mut self,
        path: &str,
        etag: Option<&str>,
    ) -> Result<Reply, FetchFailure> {
        let etag = etag.map_or_else(String::new, |etag| format!("if-none-match: {etag}\r\n"));
        let question = format!("GET {path} HTTP/1.1\r\n{}{etag}\r\n", self.common);
        // What is answered too late belongs to no question any more.
        let stream = self.stream.take();
        let asking = ask(stream, &self.address, question.as_bytes());
        match timeout(self.timeout, asking).await {
            Ok(Ok((stream, reply))) => {
                self.stream = Some(stream);
                Ok(reply)
            }
            Ok(Err(_)) | Err(_) => Err(FetchFailure::NoAnswer),
        }
    }
}

async fn ask(
    stream: Option<TcpStream>,
    address: &str,
    question: &[u8],
) -> io::Result<(TcpStream, Reply)> {
    let mut stream = if let Some(stream) = stream {
        stream
    } else {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream
    };
    stream.write_all(question).await?;
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
        let mut reply = Reply { head, body: Vec::new() };
        let length = reply.header("content-length").and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or(0);
        if let Some(body) = bytes.get(end + 4..).filter(|body| body.len() >= length) {
            reply.body = body.into();
            return Ok((stream, reply));
        }
    }
}

impl Reply {
    pub(super) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.head.split(' ').nth(1).unwrap_or_default().as_bytes(),
            protocol: self.header(PROTOCOL_HEADER).map(str::as_bytes),
            etag: self.header("etag").map(str::as_bytes),
            subject_token: None,
            body: &self.body,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}
