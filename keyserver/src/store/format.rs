//! What the keys that we make look like: short enough for every client, and known at sight by
//! programs that look for leaked secrets.
//!
//! ```text
//! access key     VSR + 17 of A-Z0-9                   20 characters, as AWS's
//! secret         vsrs_ + 29 of 0-9A-Za-z + checksum   40 characters, as AWS's: 172 bits
//! session token  vsrt_ + 53 of 0-9A-Za-z + checksum   64 characters: 315 bits
//! ```
//!
//! The checksum is the CRC-32 of the characters between prefix and checksum, in six base62 digits:
//! a text that only looks like a secret has another.

use std::fmt;
use std::str::FromStr;

use crc::{CRC_32_ISO_HDLC, Crc};
use voussoir_core::secret::Secret;

/// What the ids of access keys begin with: 1 to 8 of `A-Z0-9`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// A text that is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPrefix;

/// A new access key's id.
pub(crate) fn access_key(prefix: &Prefix) -> Result<String, getrandom::Error> {
    let random = random(ACCESS_KEY_LENGTH - prefix.0.len(), UPPER_CASE)?;
    Ok(format!("{prefix}{}", String::from_utf8_lossy(random.expose())))
}

/// A new secret.
pub(crate) fn secret() -> Result<Secret, getrandom::Error> {
    checked(SECRET_PREFIX, SECRET_LENGTH)
}

/// A new session token.
pub(crate) fn session_token() -> Result<Secret, getrandom::Error> {
    checked(SESSION_TOKEN_PREFIX, SESSION_TOKEN_LENGTH)
}

fn checked(prefix: &str, length: usize) -> Result<Secret, getrandom::Error> {
    let body = random(length - prefix.len() - CHECKSUM_LENGTH, BASE62)?;
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(prefix.as_bytes());
    text.extend_from_slice(body.expose());
    text.extend_from_slice(&checksum(body.expose()));
    Ok(Secret::new(text))
}

/// The CRC-32 in base62 digits, the highest first.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = usize::try_from(Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(body)).unwrap_or(0);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get(rest % BASE62.len()).copied().unwrap_or_default();
        rest /= BASE62.len();
    }
    digits
}

/// Characters of an alphabet, each as likely as any other: what does not divide evenly is drawn
/// again.
fn random(length: usize, alphabet: &[u8]) -> Result<Secret, getrandom::Error> {
    let limit = 256 - 256 % alphabet.len();
    let mut text = Vec::with_capacity(length);
    let mut drawn = zeroize::Zeroizing::new([0; 64]);
    while text.len() < length {
        getrandom::fill(&mut *drawn)?;
        let fair = drawn.iter().map(|byte| usize::from(*byte)).filter(|number| *number < limit);
        let characters = fair.filter_map(|number| alphabet.get(number % alphabet.len()));
        text.extend(characters.take(length - text.len()));
    }
    Ok(Secret::new(text))
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let is_prefix = (1..=MAX_PREFIX).contains(&text.len())
            && text.bytes().all(|byte| UPPER_CASE.contains(&byte));
        is_prefix.then(|| Self(text.into())).ok_or(InvalidPrefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a prefix is 1 to {MAX_PREFIX} of A-Z and 0-9")
    }
}

impl std::error::Error for InvalidPrefix {}

const ACCESS_KEY_LENGTH: usize = 20;
const MAX_PREFIX: usize = 8;
const SECRET_PREFIX: &str = "vsrs_";
const SECRET_LENGTH: usize = 40;
const SESSION_TOKEN_PREFIX: &str = "vsrt_";
const SESSION_TOKEN_LENGTH: usize = 64;
const CHECKSUM_LENGTH: usize = 6;
const UPPER_CASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn keys_look_as_they_are_documented() {
        let access_key = access_key(&"VSR".parse().unwrap()).unwrap();
        assert!(access_key.starts_with("VSR") && access_key.len() == 20, "{access_key}");
        assert!(access_key.bytes().all(|byte| UPPER_CASE.contains(&byte)), "{access_key}");
        for (made, prefix, length) in
            [(secret().unwrap(), "vsrs_", 40), (session_token().unwrap(), "vsrt_", 64)]
        {
            let text = str::from_utf8(made.expose()).unwrap();
            assert_eq!(text.len(), length);
            let body = text.strip_prefix(prefix).unwrap();
            assert!(body.bytes().all(|byte| BASE62.contains(&byte)));
            let (body, sum) = body.split_at(body.len() - 6);
            assert_eq!(checksum(body.as_bytes()), sum.as_bytes());
        }
    }

    #[test]
    fn the_documentation_shows_a_secret_of_this_form() {
        let documentation = include_str!("../../../docs/key-server.md");
        let line = documentation.lines().find_map(|line| line.strip_prefix("secret         "));
        let shown = line.unwrap();
        let (body, sum) = shown.strip_prefix(SECRET_PREFIX).unwrap().split_at(29);
        assert_eq!((shown.len(), checksum(body.as_bytes()).as_slice()), (40, sum.as_bytes()));
        for form in ["`VSR[A-Z0-9]{17}`", "`vsrs_[0-9A-Za-z]{35}`", "`vsrt_[0-9A-Za-z]{59}`"] {
            assert!(documentation.contains(form), "{form}");
        }
    }

    /// A published example of the checksum, and its ends.
    #[test]
    fn the_checksum_is_crc_32_in_six_base62_digits() {
        assert_eq!(&checksum(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), b"0mLq17");
        assert_eq!(&checksum(b""), b"000000");
        // CRC-32 is 0xFFFFFFFF for this.
        assert_eq!(&checksum(&[0xff; 4]), b"4gfFC3");
    }

    #[test]
    fn no_two_are_the_same_and_no_character_is_preferred() {
        let mut seen = HashSet::new();
        let mut counts = HashMap::new();
        for _ in 0..4000 {
            let secret = secret().unwrap();
            let body = secret.expose()[5..34].to_vec();
            for byte in &body {
                *counts.entry(*byte).or_insert(0_u32) += 1;
            }
            assert!(seen.insert(body));
        }
        // 116 000 characters, 1871 of each: seven standard deviations are about 300. Taking the
        // remainder of a byte would give the first eight a quarter more.
        assert_eq!(counts.len(), 62);
        for (byte, count) in counts {
            assert!((1571..2171).contains(&count), "{byte}: {count}");
        }
    }

    #[test]
    fn a_prefix_is_short_and_plain() {
        for text in ["V", "VSR", "ABCD1234"] {
            assert_eq!(access_key(&text.parse().unwrap()).unwrap().len(), 20, "{text}");
        }
        for text in ["", "vsr", "VSR-", "ABCDE12345", "Ä"] {
            assert_eq!(text.parse::<Prefix>(), Err(InvalidPrefix), "{text}");
        }
    }
}
