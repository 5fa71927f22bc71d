//! What gives access, and how it is found in what a client sends: by the name of a parameter, or by how it
//! looks.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::sigv4::percent_decode_complete;
use crate::split;

/// A header's value as an event shows it: nothing of one that looks as if a token were in it.
pub(super) fn without_token(value: &[u8]) -> &[u8] {
    let is_harmless = decoded(value).is_some_and(|text| !has_token(&text));
    if is_harmless { value } else { MASK.as_bytes() }
}

/// Whether one of these names, each with its equals sign, is that of a secret.
pub(super) fn is_secret(names: &[u8], more: &[String]) -> bool {
    WORDS.iter().any(|word| split::contains(names, word.as_bytes()))
        || more.iter().any(|word| split::contains(names, word.as_bytes()))
}

/// Whether something in it looks like a token: one of Fernet's, which all begin alike for the next
/// hundred years, or a signed one, whose first part is the beginning of a JSON object. The text is [`decoded`].
pub(super) fn has_token(text: &[u8]) -> bool {
    let is_of_words = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let mut words = text.split(|byte| !is_of_words(byte));
    words.any(|word| {
        word.len() >= SHORTEST_TOKEN && TOKENS.iter().any(|start| word.starts_with(start))
    })
}

/// The text in lower case, decoded for as often as there are escapes in it. `None` where there is no end of
/// them.
pub(super) fn decoded(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut decoded = Cow::from(text);
    for _ in 0..MAX_DECODED {
        match percent_decode_complete(&decoded) {
            Cow::Owned(text) => decoded = text.into(),
            Cow::Borrowed(_) if decoded.iter().any(u8::is_ascii_uppercase) => {
                return Some(decoded.to_ascii_lowercase().into());
            }
            Cow::Borrowed(_) => return Some(decoded),
        }
    }
    None
}

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// What names of secrets contain: `X-Amz-Signature`, `Signature`, `X-Amz-Security-Token`, `temp_url_sig`,
/// `access_token`, and so on. Those that end with an equals sign are whole ends of names.
const WORDS: [&str; 16] = [
    "api-key",
    "api_key",
    "apikey",
    "assertion",
    "auth=",
    "authoriz",
    "code=",
    "jwt",
    "passw",
    "passphrase",
    "saml",
    "secret",
    "session",
    "sig=",
    "signature",
    "token",
];

/// In lower case. The first byte of a Fernet token is its version, and the next are of a time.
const TOKENS: [&[u8]; 2] = [b"gaaaa", b"eyj"];

/// A Fernet token of an empty message has 76 characters without its padding.
const SHORTEST_TOKEN: usize = 64;

/// How often a text is decoded.
const MAX_DECODED: usize = 4;
