//! The bearer tokens (RFC 6750) by which edges are known: a file with one per line.
//!
//! Several are valid at once, so that a token can be replaced without a gap: add the new one, hand
//! it to the edges, remove the old one.

use std::error::Error;
use std::fmt;

use voussoir_core::secret::Secret;

use crate::reload::FromFiles;

/// The tokens that are valid now; at least one.
pub(crate) struct BearerTokens(Vec<Secret>);

impl BearerTokens {
    /// Reads the lines of a file. Empty lines and those that begin with `#` say nothing.
    fn parse(text: &[u8]) -> Result<Self, InvalidTokens> {
        let mut tokens = Vec::new();
        for (line, text) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let token = text.trim_ascii();
            if token.is_empty() || token.starts_with(b"#") {
                continue;
            }
            if token.len() < MIN_TOKEN_BYTES {
                return Err(InvalidTokens::TooShort(line));
            }
            if token.len() > MAX_TOKEN_BYTES {
                return Err(InvalidTokens::TooLong(line));
            }
            if !token.iter().all(u8::is_ascii_graphic) {
                return Err(InvalidTokens::Character(line));
            }
            if tokens.len() == MAX_TOKENS {
                return Err(InvalidTokens::TooMany);
            }
            tokens.push(Secret::new(token.to_vec()));
        }
        if tokens.is_empty() { Err(InvalidTokens::None) } else { Ok(Self(tokens)) }
    }

    /// Whether `presented` is one of them. All are compared, each in constant time, so that the
    /// time tells neither how much of a token was right nor which one it was.
    pub(crate) fn contain(&self, presented: &[u8]) -> bool {
        self.0.iter().fold(false, |found, token| found | token.matches(presented))
    }
}

impl FromFiles for BearerTokens {
    const FILES: &'static str = "bearer-tokens";
    type Error = InvalidTokens;

    fn from_files(contents: &[Secret]) -> Result<Self, InvalidTokens> {
        Self::parse(contents.first().map_or(&[], Secret::expose))
    }
}

/// Why a file holds no bearer tokens. Only the number of the line is told, never what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidTokens {
    /// A character that cannot be in a token.
    Character(usize),
    /// No token at all.
    None,
    /// A token of more than [`MAX_TOKEN_BYTES`].
    TooLong(usize),
    /// More than [`MAX_TOKENS`].
    TooMany,
    /// A token of less than [`MIN_TOKEN_BYTES`].
    TooShort(usize),
}

impl fmt::Display for InvalidTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(line) => write!(
                f,
                "line {line} of the bearer tokens has a space or another character that no token has"
            ),
            Self::None => f.write_str("there is no bearer token in the file: put one on each line"),
            Self::TooLong(line) => write!(
                f,
                "the bearer token in line {line} is longer than {MAX_TOKEN_BYTES} characters"
            ),
            Self::TooMany => write!(f, "there are more than {MAX_TOKENS} bearer tokens"),
            Self::TooShort(line) => write!(
                f,
                "the bearer token in line {line} is shorter than {MIN_TOKEN_BYTES} characters: \
                 make one with `openssl rand -hex 32`"
            ),
        }
    }
}

impl Error for InvalidTokens {}

/// The fewest characters of a token: fewer can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// The most characters of a token.
const MAX_TOKEN_BYTES: usize = 1024;

/// The most tokens: each costs one comparison per request.
const MAX_TOKENS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba98-76543210_~+/.=";

    #[test]
    fn every_line_is_a_token() {
        let text = format!("# edges\n\n{ONE}\r\n  {OTHER}\t\n#{ONE}{ONE}");
        let tokens = BearerTokens::parse(text.as_bytes()).unwrap();
        for token in [ONE, OTHER] {
            assert!(tokens.contain(token.as_bytes()));
        }
        for other in ["", "# edges", &ONE[1..], &format!("{ONE}0"), &ONE.repeat(2)] {
            assert!(!tokens.contain(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn refuses_what_is_no_list_of_tokens() {
        for (text, expected) in [
            (String::new(), InvalidTokens::None),
            ("# none\n".into(), InvalidTokens::None),
            (format!("{ONE}\n{}", &ONE[1..]), InvalidTokens::TooShort(2)),
            (format!("{ONE} {ONE}"), InvalidTokens::Character(1)),
            (format!("\n{ONE}\u{e9}"), InvalidTokens::Character(2)),
            ("a".repeat(MAX_TOKEN_BYTES + 1), InvalidTokens::TooLong(1)),
            (format!("{ONE}\n").repeat(MAX_TOKENS + 1), InvalidTokens::TooMany),
        ] {
            assert_eq!(BearerTokens::parse(text.as_bytes()).err(), Some(expected));
        }
        assert!(BearerTokens::parse("a".repeat(MAX_TOKEN_BYTES).as_bytes()).is_ok());
        assert!(BearerTokens::parse(format!("{ONE}\n").repeat(MAX_TOKENS).as_bytes()).is_ok());
    }

    #[test]
    fn no_error_shows_a_token() {
        let error = BearerTokens::parse(b"hunter2").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
