//! Changes of one thing that a signature binds, after which it must not verify any more.

use std::ops::Range;

use voussoir_core::sigv4::{Body, Claim, Dialect};

use crate::random::Random;
use crate::request::{Request, SHA256_OF_NOTHING};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    AuthorityByte,
    BodyByte,
    BodyCut,
    BodyEnd,
    ChunkGone,
    ChunkOrder,
    ContentSha256,
    CopySource,
    Date,
    Expires,
    HeaderByte,
    HeaderGone,
    HeaderLine,
    HeaderOrder,
    MethodByte,
    PathByte,
    PathEnd,
    PathSlash,
    QueryByte,
    QueryGone,
    QueryMore,
    Region,
    Service,
    Signature,
    SignedHeaders,
    Token,
}

impl Change {
    const ALL: [Self; 26] = [
        Self::AuthorityByte,
        Self::BodyByte,
        Self::BodyCut,
        Self::BodyEnd,
        Self::ChunkGone,
        Self::ChunkOrder,
        Self::ContentSha256,
        Self::CopySource,
        Self::Date,
        Self::Expires,
        Self::HeaderByte,
        Self::HeaderGone,
        Self::HeaderLine,
        Self::HeaderOrder,
        Self::MethodByte,
        Self::PathByte,
        Self::PathEnd,
        Self::PathSlash,
        Self::QueryByte,
        Self::QueryGone,
        Self::QueryMore,
        Self::Region,
        Self::Service,
        Self::Signature,
        Self::SignedHeaders,
        Self::Token,
    ];
}

/// How often each change was made.
#[derive(Default)]
pub(crate) struct Tally([usize; Change::ALL.len()]);

impl Tally {
    /// Changes one thing in a request that was verified: what was changed least, of what it has.
    pub(crate) fn change(
        &mut self,
        request: &Request,
        claim: &Claim,
        random: &mut Random,
    ) -> (Change, Request) {
        let mut order: Vec<usize> = (0..Change::ALL.len()).collect();
        order.sort_by_key(|number| self.0[*number]);
        for number in order {
            let (change, mut changed) = (Change::ALL[number], request.clone());
            if changed.apply(change, claim, random) {
                self.0[number] += 1;
                return (change, changed);
            }
        }
        panic!("nothing can be changed in {request:?}");
    }

    /// How often the change was made that was made least; the impossible ones do not count.
    pub(crate) fn least(&self, impossible: &[&str]) -> usize {
        let counts = Change::ALL.iter().zip(self.0);
        let possible = counts.filter(|(change, _)| !impossible.contains(&&*format!("{change:?}")));
        possible.map(|(_, count)| count).min().unwrap()
    }
}

impl Request {
    /// Changes one thing; `false` when this request has no such thing, or not one that is bound.
    fn apply(&mut self, change: Change, claim: &Claim, random: &mut Random) -> bool {
        let scope = claim.credential().scope.clone();
        match change {
            Change::AuthorityByte => other_byte(self.value(":authority").unwrap(), 0, random),
            Change::BodyByte
            | Change::BodyCut
            | Change::BodyEnd
            | Change::ChunkGone
            | Change::ChunkOrder => self.apply_to_body(change, claim.body(), random),
            Change::CopySource => {
                self.headers.push(("x-amz-copy-source".into(), b"/b/k".into()));
                true
            }
            Change::MethodByte => other_byte(self.value(":method").unwrap(), 0, random),
            Change::PathByte | Change::PathEnd | Change::PathSlash => {
                self.apply_to_path(change, scope.dialect(), random)
            }
            Change::QueryByte | Change::QueryGone | Change::QueryMore => {
                self.apply_to_query(change, random)
            }
            Change::HeaderByte | Change::HeaderGone | Change::HeaderLine | Change::HeaderOrder => {
                self.apply_to_headers(change, claim, random)
            }
            Change::Region => self.apply_to_scope(scope.region(), &format!("{}x", scope.region())),
            Change::Service => {
                // One of the same dialect.
                let other = match scope.dialect() {
                    Dialect::General => "sts",
                    Dialect::S3 => "s3express",
                };
                self.apply_to_scope(scope.service(), other)
            }
            Change::ContentSha256
            | Change::Date
            | Change::Expires
            | Change::Signature
            | Change::SignedHeaders
            | Change::Token => self.apply_to_credentials(change, random),
        }
    }

    fn apply_to_body(&mut self, change: Change, body: Body, random: &mut Random) -> bool {
        let is_chunked = matches!(body, Body::Chunked { .. });
        if body == Body::Unbound {
            return false;
        }
        match change {
            Change::BodyByte => {
                let before = self.body.clone();
                let is_changed = other_byte(&mut self.body, 0, random);
                // The names of trailers have no case.
                is_changed && !(is_chunked && self.body.eq_ignore_ascii_case(&before))
            }
            Change::BodyCut => {
                // The last line break of chunks may be absent.
                let length = self.body.trim_ascii_end().len();
                self.body.truncate(random.below(length.max(1)));
                length > 0
            }
            Change::BodyEnd => {
                self.body.push(b'x');
                // What follows the last chunk is dropped, by S3 too.
                !is_chunked
            }
            Change::ChunkGone if is_chunked => {
                let chunks = chunks(&self.body);
                let number = random.below(chunks.len().max(1));
                let Some(gone) = chunks.get(number) else { return false };
                self.body.drain(gone.clone());
                true
            }
            Change::ChunkOrder if is_chunked => {
                let chunks = chunks(&self.body);
                let [first, second, ..] = &*chunks else { return false };
                let [before, after] = [first, second].map(|at| self.body[at.clone()].to_vec());
                self.body.splice(first.start..second.end, [&*after, &*before].concat());
                after != before
            }
            _ => false,
        }
    }

    fn apply_to_path(&mut self, change: Change, dialect: Dialect, random: &mut Random) -> bool {
        let target = self.value(":path").unwrap();
        let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
        let mut path: Vec<u8> = target.drain(..end).collect();
        let before = path.clone();
        let is_bound = match change {
            Change::PathByte => {
                let is_changed = other_byte(&mut path, 1, random);
                is_changed
                    && match dialect {
                        // Other services' clients sign what they send, without dot segments.
                        Dialect::General => !before.windows(2).any(|pair| pair == b"/."),
                        Dialect::S3 => decode(&path, b'+') != decode(&before, b'+'),
                    }
            }
            Change::PathEnd => {
                path.push(b'x');
                true
            }
            _ => {
                path.insert(0, b'/');
                dialect == Dialect::S3
            }
        };
        target.splice(..0, path);
        is_bound
    }

    fn apply_to_query(&mut self, change: Change, random: &mut Random) -> bool {
        let target = self.value(":path").unwrap();
        let start = target.iter().position(|byte| *byte == b'?');
        match (change, start) {
            (Change::QueryMore, _) => {
                let separator = if start.is_some() { b'&' } else { b'?' };
                target.extend([separator, b'z', b'z', b'=', b'1']);
                true
            }
            (Change::QueryGone, Some(start)) => {
                let before = parameters(&target[start + 1..]);
                target.truncate(start);
                !before.is_empty() && !before.iter().any(|(name, _)| name == b"X-Amz-Signature")
            }
            (Change::QueryByte, Some(start)) => {
                let before = parameters(&target[start + 1..]);
                other_byte(target, start + 1, random) && parameters(&target[start + 1..]) != before
            }
            _ => false,
        }
    }

    fn apply_to_headers(&mut self, change: Change, claim: &Claim, random: &mut Random) -> bool {
        let signed = &claim.authorization().signed_headers;
        let lines: Vec<usize> = (0..self.headers.len())
            .filter(|line| {
                let name = self.headers[*line].0.as_str();
                signed.contains(name.as_bytes()) && !OF_THE_SIGNATURE.contains(&name)
            })
            .collect();
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return false };
        let line = random.pick(&lines);
        match change {
            Change::HeaderByte => other_byte(&mut self.headers[line].1, 0, random),
            Change::HeaderGone => {
                self.headers.remove(line);
                true
            }
            Change::HeaderLine => {
                self.headers.push(self.headers[line].clone());
                true
            }
            _ => {
                let [(name, value), (other_name, other)] =
                    [first, last].map(|line| &self.headers[*line]);
                // Two lines are signed as one, with a comma in between.
                let line = |lines: [&Vec<u8>; 2]| {
                    let folded = lines.map(|value| {
                        let words = value.split(|byte| matches!(byte, b' ' | b'\t'));
                        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
                        words.join(&b' ')
                    });
                    folded.join(&b',')
                };
                let is_bound = lines.len() == 2
                    && name == other_name
                    && line([value, other]) != line([other, value]);
                self.headers.swap(*first, *last);
                is_bound
            }
        }
    }

    fn apply_to_scope(&mut self, from: &str, to: &str) -> bool {
        self.replace(&format!("/{from}/"), &format!("/{to}/"))
            || self.replace(&format!("%2F{from}%2F"), &format!("%2F{to}%2F"))
    }

    fn apply_to_credentials(&mut self, change: Change, random: &mut Random) -> bool {
        match change {
            Change::ContentSha256 => {
                let Some(value) = self.value("x-amz-content-sha256") else { return false };
                let unsigned = b"UNSIGNED-PAYLOAD";
                *value = if value == unsigned { SHA256_OF_NOTHING.into() } else { unsigned.into() };
                true
            }
            Change::Date => {
                // The last digit of the seconds.
                let (digit, value) = if let Some(value) = self.value("x-amz-date") {
                    (14, value)
                } else if let Some(at) = find(self.value(":path").unwrap(), b"X-Amz-Date=") {
                    (at + b"X-Amz-Date=".len() + 14, self.value(":path").unwrap())
                } else {
                    ("Fri, 24 May 2013 00:00:0".len(), self.value("date").unwrap())
                };
                value[digit] = if value[digit] == b'9' { b'8' } else { value[digit] + 1 };
                true
            }
            Change::Expires => self.replace("X-Amz-Expires=", "X-Amz-Expires=1"),
            Change::Signature => {
                let is_signature =
                    |(_, value): &&mut (String, Vec<u8>)| find(value, b"Signature=").is_some();
                let (_, value) = self.headers.iter_mut().find(is_signature).unwrap();
                let start = find(value, b"Signature=").unwrap() + b"Signature=".len();
                let digit = start + random.below(64);
                value[digit] = if value[digit] == b'0' { b'1' } else { b'0' };
                true
            }
            Change::SignedHeaders => {
                let separator = if self.value("authorization").is_some() { ";" } else { "%3B" };
                // It is there, it is a name, and comes before all others.
                self.headers.push(("!".into(), b"x".into()));
                self.replace("SignedHeaders=", &format!("SignedHeaders=!{separator}"))
            }
            _ => {
                if let Some(value) = self.value("x-amz-security-token") {
                    value.push(b'x');
                    return true;
                }
                self.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=x")
            }
        }
    }
}

/// Where the chunks of a body are, without the last one, of no bytes.
fn chunks(body: &[u8]) -> Vec<Range<usize>> {
    let (mut chunks, mut start) = (Vec::new(), 0);
    while let Some(line) = find(&body[start..], b"\r\n") {
        let text = str::from_utf8(&body[start..start + line]).unwrap();
        let size = usize::from_str_radix(text.split(';').next().unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        let end = start + line + size + 4;
        chunks.push(start..end);
        start = end;
    }
    chunks
}

/// Changes one byte from `start` on, to another one that is a letter or a digit.
fn other_byte(bytes: &mut [u8], start: usize, random: &mut Random) -> bool {
    if bytes.len() <= start {
        return false;
    }
    let at = start + random.below(bytes.len() - start);
    let other = random.pick(b"abcdefXYZ0123456789");
    bytes[at] = if bytes[at] == other { b'q' } else { other };
    true
}

/// What a query means: its parameters decoded, in whatever order. `None` is for what is malformed.
fn parameters(query: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut parameters: Vec<_> = query
        .split(|byte| *byte == b'&')
        .filter(|text| !text.is_empty())
        .map(|text| {
            let at = find(text, b"=").unwrap_or(text.len());
            let name = decode(&text[..at], b' ').unwrap_or_else(|| text[..at].to_vec());
            (name, decode(text.get(at + 1..).unwrap_or_default(), b' '))
        })
        .collect();
    parameters.sort();
    parameters
}

/// Percent-decoding, written down once more.
fn decode(text: &[u8], plus: u8) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        decoded.push(match byte {
            b'%' => {
                let digits = str::from_utf8(tail.get(..2)?).ok()?;
                rest = &tail[2..];
                if digits.starts_with('+') {
                    return None;
                }
                u8::from_str_radix(digits, 16).ok()?
            }
            b'+' => plus,
            byte => *byte,
        });
    }
    Some(decoded)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// What other changes are for.
const OF_THE_SIGNATURE: [&str; 4] =
    ["date", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
