//! Header maps as they cross the ABI, in both directions.
//!
//! ```text
//!   count: u32 | count × (length of the name: u32, of the value: u32) | count × (name, 0, value, 0)
//! ```
//!
//! All numbers are little-endian (proxy-wasm ABI 0.2.1, "Serialization of maps").

/// The names and values of a serialised map, in order; `None` when the bytes are none.
///
/// An empty map is sent as no bytes at all, or as a count of zero.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (count, rest) = split_u32(bytes)?;
    // Each pair needs its two lengths: a count that lies is found out before anything is allocated.
    let (lengths, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let (lengths, _) = lengths.as_chunks::<8>();
    let mut pairs = Vec::with_capacity(count);
    for lengths in lengths {
        let (name_length, rest) = split_u32(lengths)?;
        let (value_length, _) = split_u32(rest)?;
        let name = split_text(&mut texts, name_length)?;
        let value = split_text(&mut texts, value_length)?;
        pairs.push((name, value));
    }
    Some(pairs)
}

/// Serialises a map. Lengths over 32 bits do not occur in a memory of 32 bits.
pub(crate) fn encode(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let length = |bytes: &[u8]| number(bytes.len());
    let size = |(name, value): &(&[u8], &[u8])| name.len() + value.len() + 10;
    let mut bytes = Vec::with_capacity(4 + pairs.iter().map(size).sum::<usize>());
    bytes.extend_from_slice(&number(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&length(name));
        bytes.extend_from_slice(&length(value));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

/// Takes a text of this length, and the zero behind it.
fn split_text<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest.strip_prefix(b"\0")?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(&[u8], &[u8]); 3] =
        [(b":path", b"/"), (b"x-auth-token", b"\xff\0\r\n"), (b"x-auth-token", b"")];

    #[test]
    fn a_map_comes_back_as_it_was() {
        assert_eq!(decode(&encode(&PAIRS)).unwrap(), PAIRS);
        assert_eq!(decode(&encode(&[])).unwrap(), []);
        assert_eq!(decode(b"").unwrap(), []);
    }

    #[test]
    fn what_is_cut_is_no_map() {
        let bytes = encode(&PAIRS);
        for length in 1..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "length {length}");
        }
    }

    #[test]
    fn no_length_is_believed() {
        for bytes in [
            &b"\xff\xff\xff\xff"[..],
            b"\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xffab",
            b"\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00abcd", // no zeros behind the texts
        ] {
            assert_eq!(decode(bytes), None);
        }
    }
}
