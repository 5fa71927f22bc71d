//! The state machine of an `aws-chunked` body.
//!
//! ```text
//!          size > 0            all of it         CRLF
//!   Line ───────────▶ Data ───────────▶ DataEnd ──────▶ Line
//!     │ size = 0
//!     └──────────▶ Trailers ───────────────────────────▶ Done
//!                            blank line, or the end
//! ```
//!
//! `frame` is the one buffer: what has come and may not be passed on yet. A signed chunk stays there
//! until its signature is verified; the line of the chunk without data, which ends the body, stays
//! with the trailers until all is.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::chain::Chain;
use super::checksum::Checksum;
use super::chunk_line::{ChunkLine, MAX_LINE, Status};
use super::hold_back::HoldBack;
use super::sizes::Sizes;
use super::trailer::{CRLF, MAX_TRAILERS, Trailers, has_blank_line};
use super::{BodyError, Chunked, Framing, Output};

/// A body on its way.
pub(super) struct Decoder {
    /// `None` where the chunks are not signed.
    chain: Option<Chain>,
    trailing: Trailing,
    output: Output,
    max_chunk: usize,
    sizes: Sizes,
    held_back: HoldBack,
    frame: Vec<u8>,
    state: State,
}

/// What may follow the last chunk.
enum Trailing {
    /// A blank line, or nothing.
    Nothing,
    /// The declared checksum, if there is one; here it is of everything so far.
    Trailers(Option<Checksum>),
}

enum State {
    Line,
    Data {
        left: u64,
        hash: Sha256,
        signature: Vec<u8>,
    },
    DataEnd {
        has_cr: bool,
    },
    /// `start` is where the trailers begin in the frame.
    Trailers {
        start: usize,
    },
    Done,
}

impl Decoder {
    pub(super) fn new(body: Chunked<'_>) -> Self {
        let trailers = |declared: Option<_>| Trailing::Trailers(declared.map(Checksum::new));
        let (chain, trailing) = match body.framing {
            Framing::Signed(seed) => (Some(Chain::new(seed)), Trailing::Nothing),
            Framing::SignedTrailer(seed, declared) => (Some(Chain::new(seed)), trailers(declared)),
            Framing::UnsignedTrailer(declared) => (None, trailers(declared)),
        };
        Self {
            chain,
            trailing,
            output: body.output,
            max_chunk: body.max_chunk,
            sizes: Sizes::new(body.decoded_length),
            held_back: HoldBack::default(),
            frame: Vec::new(),
            state: State::Line,
        }
    }

    /// Bytes of memory that the body occupies.
    pub(super) fn held(&self) -> usize {
        self.frame.capacity()
    }

    /// Takes in a piece, and passes on what may be.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), BodyError> {
        let mut rest = piece;
        while !rest.is_empty() {
            // After an error it is not `Done`, and so never at its end.
            rest = match core::mem::replace(&mut self.state, State::Line) {
                State::Line => self.on_line(rest, out)?,
                State::Data { left, hash, signature } => {
                    self.on_data(rest, left, hash, signature, out)?
                }
                State::DataEnd { has_cr } => self.on_data_end(rest, has_cr, out)?,
                State::Trailers { start } => self.on_trailers(rest, start)?,
                State::Done => return self.on_more(),
            };
        }
        Ok(())
    }

    /// There are no more pieces.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), BodyError> {
        match self.state {
            State::Line | State::Data { .. } | State::DataEnd { .. } => {
                return Err(BodyError::Incomplete);
            }
            State::Trailers { start } => self.finish(start)?,
            State::Done => {}
        }
        match self.output {
            Output::AsSent => out.append(&mut self.frame),
            Output::Decoded => self.held_back.release(out),
        }
        self.frame = Vec::new();
        Ok(())
    }

    fn on_line<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], BodyError> {
        let rest = self.take_line(rest, MAX_LINE);
        let line = match ChunkLine::parse(&self.frame).map_err(|_| BodyError::Incomplete)? {
            Status::Complete(line, _) => line,
            Status::Partial => {
                self.state = State::Line;
                return Ok(rest);
            }
        };
        let (size, signature) = match (&self.chain, line.signature) {
            (Some(_), Some(signature)) => (line.size, signature.to_vec()),
            (None, None) => (line.size, Vec::new()),
            (Some(_), None) | (None, Some(_)) => return Err(BodyError::Incomplete),
        };
        if self.output == Output::Decoded {
            self.frame.clear();
        }
        if size == 0 {
            if let Some(chain) = &mut self.chain {
                chain.add_chunk(Sha256::digest(b"").into(), &signature)?;
            }
            self.sizes.finish()?;
            self.state = State::Trailers { start: self.frame.len() };
            return Ok(rest);
        }
        self.sizes.add(size)?;
        if self.chain.is_none() {
            out.append(&mut self.frame);
        } else if size > u64::try_from(self.max_chunk).unwrap_or(u64::MAX) {
            return Err(BodyError::ChunkTooLarge { size });
        }
        self.state = State::Data { left: size, hash: Sha256::new(), signature };
        Ok(rest)
    }

    fn on_data<'a>(
        &mut self,
        rest: &'a [u8],
        left: u64,
        mut hash: Sha256,
        signature: Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], BodyError> {
        let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let (data, rest) = rest.split_at(taken);
        if let Trailing::Trailers(Some(checksum)) = &mut self.trailing {
            checksum.update(data);
        }
        if self.chain.is_some() {
            hash.update(data);
            self.hold(data);
        } else {
            match self.output {
                Output::AsSent => out.extend_from_slice(data),
                Output::Decoded => self.held_back.pass(data, out),
            }
        }
        let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        if left > 0 {
            self.state = State::Data { left, hash, signature };
            return Ok(rest);
        }
        if let Some(chain) = &mut self.chain {
            chain.add_chunk(hash.finalize().into(), &signature)?;
        }
        self.state = State::DataEnd { has_cr: false };
        Ok(rest)
    }

    fn on_data_end<'a>(
        &mut self,
        rest: &'a [u8],
        has_cr: bool,
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], BodyError> {
        let (byte, rest) = rest.split_first().ok_or(BodyError::Incomplete)?;
        match (has_cr, byte) {
            (false, b'\r') => self.state = State::DataEnd { has_cr: true },
            (true, b'\n') => {
                match self.output {
                    Output::AsSent => {
                        self.hold(CRLF);
                        // Most often it is all that comes out, and need not be copied.
                        if out.is_empty() {
                            core::mem::swap(out, &mut self.frame);
                        }
                        out.append(&mut self.frame);
                    }
                    Output::Decoded => self.held_back.pass(&self.frame, out),
                }
                self.frame.clear();
                self.state = State::Line;
            }
            (false | true, _) => return Err(BodyError::Incomplete),
        }
        Ok(rest)
    }

    fn on_trailers<'a>(&mut self, rest: &'a [u8], start: usize) -> Result<&'a [u8], BodyError> {
        let rest = self.take_line(rest, start + MAX_TRAILERS);
        let section = self.frame.get(start..).unwrap_or_default();
        if has_blank_line(section) {
            self.finish(start)?;
            return Ok(rest);
        }
        if section.len() >= MAX_TRAILERS {
            return Err(self.trailing.malformed());
        }
        self.state = State::Trailers { start };
        Ok(rest)
    }

    /// All is there, and the trailers decide. What was held back waits for the end all the same:
    /// trailers of HTTP may be behind it, with which the request is refused.
    fn finish(&mut self, start: usize) -> Result<(), BodyError> {
        let section = self.frame.get(start..).unwrap_or_default();
        if !section.is_empty() && !section.ends_with(CRLF) {
            return Err(BodyError::Incomplete);
        }
        match &mut self.trailing {
            Trailing::Nothing if section.is_empty() || section == CRLF => {}
            Trailing::Nothing => return Err(BodyError::Incomplete),
            Trailing::Trailers(checksum) => {
                let trailers = Trailers::parse(section)?;
                if let Some(chain) = &mut self.chain {
                    // S3 does not take signed trailers of which none was declared.
                    let signature = trailers.signature().filter(|_| checksum.is_some());
                    let signature = signature.ok_or(BodyError::Incomplete)?;
                    chain.add_trailers(Sha256::digest(trailers.canonical()).into(), signature)?;
                }
                match checksum.take() {
                    Some(checksum) => {
                        let text = trailers.only(checksum.header())?;
                        checksum.verify(text)?;
                    }
                    None if trailers.is_empty() => {}
                    None => return Err(BodyError::Trailer),
                }
            }
        }
        self.state = State::Done;
        Ok(())
    }

    /// Bytes after the end. S3 ignores them, and so they are dropped from a decoded body; in a body
    /// as it was sent they would go on unverified, and without them its length would be wrong.
    fn on_more(&mut self) -> Result<(), BodyError> {
        self.state = State::Done;
        match self.output {
            Output::AsSent => Err(BodyError::Incomplete),
            Output::Decoded => Ok(()),
        }
    }

    /// Moves bytes into the frame, up to the end of a line or until the frame is `limit` bytes long.
    fn take_line<'a>(&mut self, rest: &'a [u8], limit: usize) -> &'a [u8] {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let room = limit.saturating_sub(self.frame.len());
        let (line, rest) = rest.split_at(end.min(room));
        self.hold(line);
        rest
    }

    /// Moves bytes into the frame, which grows as they come and not beyond [`Decoder::max_frame`].
    fn hold(&mut self, bytes: &[u8]) {
        let needed = self.frame.len().saturating_add(bytes.len());
        if needed > self.frame.capacity() {
            let doubled = self.frame.capacity().saturating_mul(2).min(self.max_frame());
            self.frame.reserve_exact(doubled.max(needed).saturating_sub(self.frame.len()));
        }
        self.frame.extend_from_slice(bytes);
    }

    /// A line, and behind it a chunk that has to be verified or trailers.
    fn max_frame(&self) -> usize {
        let chunk =
            if self.chain.is_some() { self.max_chunk.saturating_add(CRLF.len()) } else { 0 };
        MAX_LINE.saturating_add(MAX_TRAILERS.max(chunk))
    }
}

impl Trailing {
    /// What bytes are that cannot follow the last chunk.
    fn malformed(&self) -> BodyError {
        match self {
            Self::Nothing => BodyError::Incomplete,
            Self::Trailers(_) => BodyError::Trailer,
        }
    }
}
