//! Answers of HTTP/1.1, as far as whoever gives load looks at them.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::time::Duration;

/// A connection that is given up when nothing comes for ten seconds.
pub(crate) fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// What has come of one answer.
#[derive(Default)]
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// Reads once. With the whole answer: whether it is 200.
    pub(crate) fn read(&mut self, stream: &mut TcpStream) -> io::Result<Option<bool>> {
        let mut piece = [0; 16 * 1024];
        let size = stream.read(&mut piece)?;
        if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.extend_from_slice(piece.get(..size).unwrap_or_default());
        let Some(head) = self.0.windows(4).position(|end| end == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(self.0.get(..head).unwrap_or_default());
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        Ok((self.0.len() >= head + 4 + length).then(|| text.starts_with("HTTP/1.1 200")))
    }
}

/// Reads one answer: whether it is 200.
pub(crate) fn is_ok(stream: &mut TcpStream) -> io::Result<bool> {
    let mut answer = Answer::default();
    loop {
        if let Some(ok) = answer.read(stream)? {
            return Ok(ok);
        }
    }
}
