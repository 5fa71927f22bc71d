//! Paths that every server reads alike.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// The longest path, in bytes, as it was sent and in its one spelling, that an access rule allows.
pub const MAX_PATH: usize = 8 * 1024;

/// A path that no server behind has a reason to read as another one, in the one spelling that
/// keystonemiddleware sees: each byte that can stand for itself does, and each other one is `%` and two
/// digits in upper case (`request.path` of webob, which decodes a path and encodes it again).
///
/// A path is not plain
///
/// * if a segment but an empty last one has nothing but dots and spaces before its first semicolon:
///   `//`, `/./`, `/../`, `/..;x/`, percent-encoded or not;
/// * if it has an encoded slash, or a backslash or a control character, encoded or not;
/// * if one of these, a dot, or a percent sign is in it when it is decoded a second time;
/// * if a percent sign in it is not followed by two hexadecimal digits;
/// * if it does not begin with a slash, is not UTF-8 once it is decoded, or is longer than [`MAX_PATH`].
///
/// A path that came in that spelling is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainPath<'a>(Cow<'a, [u8]>);

impl<'a> PlainPath<'a> {
    /// The path, if it is plain; without a query.
    #[must_use]
    pub fn new(path: &'a [u8]) -> Option<Self> {
        if path.len() > MAX_PATH {
            return None;
        }
        let decoded = decode(path)?;
        let text = core::str::from_utf8(&decoded).ok()?;
        let segments = text.strip_prefix('/')?;
        let (directories, last) =
            segments.rsplit_once('/').map_or((None, segments), |(dirs, last)| (Some(dirs), last));
        let mut named = directories.into_iter().flat_map(|dirs| dirs.split('/'));
        let is_plain = named.all(is_name)
            && (last.is_empty() || is_name(last))
            && !text.chars().any(|char| char == '\\' || char.is_control())
            && !decoded.windows(3).any(is_escaped_mark);
        is_plain
            .then(|| encode(decoded, stands_for_itself))
            .filter(|path| path.len() <= MAX_PATH)
            .map(Self)
    }

    /// Its one spelling.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `None` if an escape is incomplete, or stands for a slash, which would make two segments of one.
fn decode(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !path.contains(&b'%') {
        return Some(path.into());
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = after.split_first_chunk()?;
            decoded.push(value(*digits).filter(|byte| *byte != b'/')?);
            rest = after;
        } else {
            decoded.push(*byte);
        }
    }
    Some(decoded.into())
}

/// What two hexadecimal digits stand for.
fn value([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Encodes each byte that does not stay as it is.
pub(crate) fn encode(path: Cow<'_, [u8]>, stays: fn(u8) -> bool) -> Cow<'_, [u8]> {
    if path.iter().copied().all(stays) {
        return path;
    }
    let mut encoded = Vec::with_capacity(path.len());
    for byte in path.iter().copied() {
        if stays(byte) {
            encoded.push(byte);
        } else {
            let digit = |nibble: u8| b"0123456789ABCDEF".get(usize::from(nibble)).copied();
            encoded.push(b'%');
            encoded.extend(digit(byte >> 4));
            encoded.extend(digit(byte & 15));
        }
    }
    encoded.into()
}

/// Whether a byte of a path is not encoded in its one spelling.
pub(crate) fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte)
}

/// Whether a segment stays what it is when a server drops parameters, or, as those on Windows do, dots
/// and spaces at its end.
fn is_name(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    !name.chars().all(|char| char == '.' || char == ' ')
}

/// Whether three characters are the escape of what could part or end segments, name a directory above, or
/// begin one more escape.
fn is_escaped_mark(characters: &[u8]) -> bool {
    let &[b'%', high, low] = characters else { return false };
    value([high, low]).is_some_and(|byte| b"./\\%".contains(&byte) || byte.is_ascii_control())
}
