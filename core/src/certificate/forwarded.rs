//! Certificates in the header `x-forwarded-client-cert`: Envoy writes `Cert="..."` into it, the PEM text
//! in percent-encoding, next to other pairs of names and values.
//!
//! What else stands there is not read, and so neither are its quotes and escapes: Envoy writes the DNS
//! names of a certificate as they are, quotes and all, and a name must not hide a certificate. Whatever
//! looks like one is one; the caller believes none.

use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BEGIN, END};
use crate::sigv4::{Plus, percent_decode};

/// The DER of each certificate in the header's value, the last one first: every proxy appends its own.
pub(super) fn certificates(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let end = value.get(value.len().saturating_sub(MAX_LENGTH)..).unwrap_or_default();
    let places = end.windows(NAME.len()).enumerate().rev();
    let names = places.filter(|(_, word)| word.eq_ignore_ascii_case(NAME));
    let values = names.filter_map(|(place, _)| end.get(place + NAME.len()..));
    values.take(MAX_VALUES).filter_map(|rest| der(text(rest)))
}

/// The text that a value begins with, without its quotes. There are none in it: they would be encoded.
fn text(rest: &[u8]) -> &[u8] {
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    rest.split(|byte| b"\",;".contains(byte)).next().unwrap_or_default()
}

fn der(text: &[u8]) -> Option<Vec<u8>> {
    let pem = percent_decode(text, Plus::Literal).ok()?;
    let base64 = pem.trim_ascii().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let base64: Vec<_> = base64.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    STANDARD.decode(base64).ok()
}

const NAME: &[u8] = b"cert=";

/// How much of a header is looked at: as much as Envoy takes of all headers unless it is told otherwise.
const MAX_LENGTH: usize = 60 * 1024;

/// How many values of a header are, so that many short ones cost no more than a long one.
const MAX_VALUES: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::String;

    /// The PEM text of these bytes as Envoy encodes it.
    fn encoded(der: &[u8]) -> String {
        let base64 = STANDARD.encode(der).replace('+', "%2B").replace('/', "%2F");
        let base64 = base64.replace('=', "%3D");
        format!("-----BEGIN%20CERTIFICATE-----%0A{base64}%0A-----END%20CERTIFICATE-----%0A")
    }

    fn found(value: &str) -> Vec<Vec<u8>> {
        certificates(value.as_bytes()).collect()
    }

    #[test]
    fn finds_certificates_wherever_they_stand() {
        let (one, two) = (encoded(b"one certificate"), encoded(b"\xfb\xff\x00"));
        let (first, second) = (b"one certificate".to_vec(), b"\xfb\xff\x00".to_vec());
        for value in [
            format!("Cert=\"{one}\""),
            format!("By=spiffe://a;Hash=00ff;Cert=\"{one}\";Subject=\"CN=a,O=b\";URI="),
            format!("Subject=\"CN=\\\\\";Cert=\"{one}\""),
            format!("Subject=\"CN=\\\\\";Cert=\\\"x;cert=\";Cert=\"{one}\""),
            format!("cert={one};Subject=\"\""),
            format!("Chain=\"{two}{one}\";CERT=\"{one}\""),
        ] {
            assert_eq!(found(&value), [&first[..]], "{value}");
        }
        let both = format!("Hash=1;Cert=\"{one}\",Hash=2;Cert=\"{two}\"");
        assert_eq!(found(&both), [second, first]);
    }

    #[test]
    fn what_is_none_is_not_found() {
        let one = encoded(b"one certificate");
        for value in [
            String::new(),
            "Cert=".into(),
            "Cert=\"\"".into(),
            "Cert=\"".into(),
            format!("Cert=\" {}\"", &one[1..]),
            format!("Cert=\"{}\"", one.replace("%20", " %")),
            format!("Cert=\"{}\"", one.replace("END", "STOP")),
            format!("Cert=\"{}\"", one.replace("%0A-----END", "*%0A-----END")),
            format!("Cert=\"{}\"", &one[..one.len() - 20]),
            // Two of them are not one.
            format!("Cert=\"{one}{one}\""),
            format!("Hash=\"{one}\""),
        ] {
            assert!(found(&value).is_empty(), "{value}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_header_is_looked_at() {
        let one = format!("Cert=\"{}\",", encoded(b"one certificate"));
        let long = "x".repeat(MAX_LENGTH);
        assert_eq!(found(&format!("{one}{}", &long[one.len()..])).len(), 1);
        assert_eq!(found(&format!("{one}{long}")).len(), 0);
        assert_eq!(found(&format!("{long}{one}")).len(), 1);
        assert_eq!(found(&one.repeat(MAX_VALUES + 1)).len(), MAX_VALUES);
        assert_eq!(found(&format!("{one}{}", "cert=;".repeat(MAX_VALUES))).len(), 0);
    }
}
