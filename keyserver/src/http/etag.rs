//! `If-None-Match` (RFC 9110, section 13.1.2): whether the client holds what we would send.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// Whether one of the request's entity tags is `etag`, a strong one in its quotes.
///
/// The comparison is the weak one (section 8.8.3.2): a proxy may have put `W/` before our tag. A
/// list that is malformed matches nothing from there on, so that in doubt the keys are sent.
pub(super) fn is_held(headers: &HeaderMap, etag: &[u8]) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| list_holds(value.as_bytes(), etag))
}

fn list_holds(list: &[u8], etag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let mut rest = list;
    loop {
        // Empty elements are allowed in lists (section 5.6.1.2).
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        let Some((tag, after)) = entity_tag(rest) else {
            return false;
        };
        let after = after.trim_ascii_start();
        if !matches!(after, [] | [b',', ..]) {
            return false;
        }
        if tag == etag {
            return true;
        }
        rest = after;
    }
}

/// Takes one entity tag from the front: it with its quotes, without `W/`, and what follows.
fn entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"W/").unwrap_or(text);
    let opaque = text.strip_prefix(b"\"")?;
    let end = opaque.iter().position(|byte| *byte == b'"')?;
    text.split_at_checked(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &[u8] = b"\"0123abcd\"";

    #[test]
    fn finds_the_tag_in_every_form_of_the_list() {
        for list in [
            "*",
            " * ",
            "\"0123abcd\"",
            "W/\"0123abcd\"",
            "\"other\", \"0123abcd\"",
            "\"other\",W/\"0123abcd\"",
            ", ,\t\"0123abcd\" ,",
            "\"a,b\" , \"\", \"0123abcd\"",
            "\"0123abcd\", rubbish",
        ] {
            assert!(list_holds(list.as_bytes(), ETAG), "{list}");
        }
    }

    #[test]
    fn finds_nothing_else() {
        for list in [
            "",
            ",",
            "\"other\"",
            "\"0123ABCD\"",
            "0123abcd",
            "\"0123abcd",
            "w/\"0123abcd\"",
            "W/ \"0123abcd\"",
            "\"0123abcd\"x",
            "x, \"0123abcd\"",
            "*, \"other\"",
            "\"other\" \"0123abcd\"",
        ] {
            assert!(!list_holds(list.as_bytes(), ETAG), "{list}");
        }
    }
}
