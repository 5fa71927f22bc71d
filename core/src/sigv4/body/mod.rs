//! The body of a request with an AWS signature: verified while it passes.
//!
//! What `x-amz-content-sha256` says decides how the signature of the head reaches the body: by one
//! hash ([`BodyVerifier::hashed`]), or by chunks with or without signatures of their own
//! ([`BodyVerifier::chunked`]). The head alone says which ([`Body`]), and a verified one makes the
//! right verifier ([`Verified::body_verifier`](super::Verified::body_verifier)). Then: **hand in a piece, forward what comes back, and on an
//! error answer with it and reset the request.**
//!
//! ```text
//!   pieces ─push──▶ ┌──────────────┐ ──▶ bytes to forward; never one of an unverified chunk
//!    of any size    │ BodyVerifier │
//!                   └──────────────┘ ──▶ or why the body is refused, once and for all
//! ```
//!
//! # What the service gets, and when
//!
//! | Body | Passed on | Held until all is verified |
//! |---|---|---|
//! | one hash | at once | the newest byte |
//! | signed chunks, decoded | a chunk when its signature is verified | the newest byte |
//! | signed chunks, as sent | a chunk when its signature is verified | the chunk without data, the trailers |
//! | unsigned chunks, decoded | at once | the newest byte |
//! | unsigned chunks, as sent | at once | the chunk without data, the trailers |
//!
//! The rest is passed on with the end of the body, and not before: trailers of HTTP may come in its
//! place, with which the request is refused.
//!
//! So a body that is refused never reaches a service as a complete request. One thing is up to the
//! caller: *the head of a request without a body is a complete request*. Where there are no bytes to
//! come (`Content-Length: 0`, or a decoded length of zero) the head must wait for the verdict too.
//!
//! # Memory
//!
//! A verifier holds one chunk of signed data at the most: [`Chunked::max_chunk`] and 1280 bytes. All
//! else (one hash, unsigned chunks) takes 1280 bytes or less. A `push` returns at most what was held
//! and the piece.

mod chain;
mod checksum;
mod chunk_line;
mod decoder;
mod error;
mod hold_back;
mod plan;
mod single;
mod sizes;
#[cfg(test)]
mod tests;
mod trailer;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

pub use chain::Seed;
pub use checksum::Algorithm;
pub use error::BodyError;
pub use plan::Body;

use decoder::Decoder;
use single::Single;

/// A body in chunks, `aws-chunked`, as the head announces it.
#[derive(Clone, Copy, Debug)]
pub struct Chunked<'a> {
    /// How the chunks are framed and signed.
    pub framing: Framing<'a>,
    /// The header `x-amz-decoded-content-length`.
    pub decoded_length: u64,
    /// The most data in one signed chunk: it has to be held until its signature is verified. Chunks
    /// without signatures are not held and may have any size.
    pub max_chunk: usize,
    /// What comes out.
    pub output: Output,
}

/// How chunks are framed, by the value of `x-amz-content-sha256`.
///
/// Where trailers may follow, the checksum is the one that the header `x-amz-trailer` declares, if
/// that is there.
#[derive(Clone, Copy, Debug)]
pub enum Framing<'a> {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`
    Signed(Seed<'a>),
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`
    SignedTrailer(Seed<'a>, Option<Algorithm>),
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: the signature of the head does not cover the body.
    UnsignedTrailer(Option<Algorithm>),
}

/// In which form a chunked body comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The bytes as they came, for a service that reads `aws-chunked` itself. What follows the end
    /// of such a body is refused; S3 would ignore it.
    AsSent,
    /// The data alone, for a service that wants a plain body. What follows the end is dropped.
    Decoded,
}

/// A body on its way to a service.
#[derive(Debug)]
pub struct BodyVerifier {
    state: State,
    content_length: Option<u64>,
    seen: u64,
}

enum State {
    Chunked(Box<Decoder>),
    Hashed(Single),
    /// All of it is there, by its length, and right; these bytes wait for the end.
    Complete(Vec<u8>),
    Verified,
    Refused(BodyError),
}

impl BodyVerifier {
    /// Verifies a body in chunks. `content_length` is that of the body as it is sent, where known.
    #[must_use]
    pub fn chunked(body: Chunked<'_>, content_length: Option<u64>) -> Self {
        let state = State::Chunked(Box::new(Decoder::new(body)));
        Self { state, content_length, seen: 0 }
    }

    /// Verifies a body by the one hash that `x-amz-content-sha256` names.
    #[must_use]
    pub fn hashed(sha256: [u8; 32], content_length: Option<u64>) -> Self {
        Self { state: State::Hashed(Single::new(sha256)), content_length, seen: 0 }
    }

    /// Takes in the next piece of the body, and returns what may be forwarded now.
    ///
    /// `end` says that no more will follow. Where the content length is known, it is decided with the
    /// piece that completes it, so that a wrong body is refused at once. What was held of a right one
    /// comes out with the end alone, whose piece may be empty.
    ///
    /// An error is final, and comes back however often this is called.
    pub fn push(&mut self, piece: &[u8], end: bool) -> Result<Vec<u8>, BodyError> {
        let result = self.advance(piece, end);
        if let Err(error) = &result {
            self.state = State::Refused(error.clone());
        }
        result
    }

    /// Whether the body was verified to its end, and all of it came out.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.state, State::Verified)
    }

    /// How many bytes of memory are occupied by what could not be passed on yet.
    #[must_use]
    pub fn held(&self) -> usize {
        match &self.state {
            State::Chunked(decoder) => decoder.held(),
            State::Complete(last) => last.capacity(),
            State::Hashed(_) | State::Verified | State::Refused(_) => 0,
        }
    }

    /// Decides in the order of the bytes, so that it does not matter how they were cut into pieces.
    fn advance(&mut self, piece: &[u8], end: bool) -> Result<Vec<u8>, BodyError> {
        let room = self.content_length.map_or(u64::MAX, |length| length.saturating_sub(self.seen));
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let Some((piece, surplus)) = piece.split_at_checked(room) else {
            return self.take(piece, end);
        };
        let out = self.take(piece, end && surplus.is_empty())?;
        match self.content_length {
            Some(expected) if !surplus.is_empty() => {
                Err(BodyError::Length { expected, provided: expected.saturating_add(1) })
            }
            Some(_) | None => Ok(out),
        }
    }

    /// Takes in a piece that does not go beyond the content length.
    fn take(&mut self, piece: &[u8], end: bool) -> Result<Vec<u8>, BodyError> {
        if let State::Refused(error) = &self.state {
            return Err(error.clone());
        }
        let mut out = Vec::new();
        self.seen = self.seen.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        match &mut self.state {
            State::Chunked(decoder) => decoder.push(piece, &mut out)?,
            State::Hashed(single) => single.push(piece, &mut out),
            State::Complete(_) if piece.is_empty() => {}
            State::Verified if piece.is_empty() => return Ok(out),
            State::Complete(_) | State::Verified | State::Refused(_) => {
                return Err(BodyError::Incomplete);
            }
        }
        let is_complete = self.content_length == Some(self.seen);
        if !end && !is_complete {
            return Ok(out);
        }
        if let Some(expected) = self.content_length
            && self.seen < expected
        {
            return Err(BodyError::Length { expected, provided: self.seen });
        }
        let mut last = Vec::new();
        match &mut self.state {
            State::Chunked(decoder) => decoder.end(&mut last)?,
            State::Hashed(single) => single.end(&mut last)?,
            State::Complete(held) => last = core::mem::take(held),
            State::Verified | State::Refused(_) => {}
        }
        if end {
            out.append(&mut last);
            self.state = State::Verified;
        } else {
            self.state = State::Complete(last);
        }
        Ok(out)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chunked(_) => "Chunked",
            Self::Hashed(_) => "Hashed",
            Self::Complete(_) => "Complete",
            Self::Verified => "Verified",
            Self::Refused(_) => "Refused",
        })
    }
}
