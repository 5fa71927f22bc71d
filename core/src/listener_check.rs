//! Whether the listener leaves a request as it was signed.
//!
//! Envoy can normalise paths, merge slashes, decode `%2F` and take the port off the host before any
//! filter sees the request, and a filter cannot ask whether it does. So one worker sends a request
//! through the listener to itself, with a path that has one of each, and compares what arrives.
//!
//! ```text
//!   Probe::new ──request──▶ listener ──▶ answer: "this is what arrived" ──▶ Probe::judge
//! ```

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use hmac::Mac as _;

use crate::config::{ListenerCheck, Server};
use crate::head::RequestHead;
use crate::mac::hmac_sha256;
use crate::refusal::Reply;
use crate::secret::Secret;
use crate::sigv4::{Hex, hex_bytes};

/// One request to ourselves.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its path, with everything in it that a proxy may change.
    pub path: String,
    /// Its `:authority`, with a port.
    pub authority: String,
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It arrived as it was sent.
    Sound,
    /// It was changed on the way.
    Changed(Vec<Change>),
    /// It did not arrive, or not here; this is the status that came back.
    NotReached(String),
}

/// What a listener can do to a request that was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `//` became `/`.
    SlashesMerged,
    /// `.` and `..` were resolved, or a backslash became a slash.
    PathNormalized,
    /// `%2F` became a slash, or such a path is not let through.
    SlashesUnescaped,
    /// The port was taken off the host.
    PortStripped,
    /// Something else.
    Other,
}

impl Probe {
    /// A request that only whoever knows this configuration can send. `nonce` should not come
    /// again.
    #[must_use]
    pub fn new(keyserver: &Server, check: &ListenerCheck, nonce: [u8; 32]) -> Self {
        let path = format!("{PREFIX}{}/{}{ODD}", Hex(&nonce), Hex(&mac(keyserver, &nonce)));
        Self { path, authority: check.authority.clone() }
    }

    /// What the answer to it says.
    #[must_use]
    pub fn judge(&self, status: &[u8], body: &[u8]) -> Finding {
        let text = core::str::from_utf8(body).ok().and_then(|text| text.split_once('\n'));
        let (Some((authority, path)), b"200") = (text, status) else {
            // Envoy's other ways with such a path: it refuses it, or redirects to another.
            return if matches!(status, b"400" | b"307") {
                Finding::Changed(Vec::from([Change::SlashesUnescaped]))
            } else {
                Finding::NotReached(String::from_utf8_lossy(status).into_owned())
            };
        };
        let mut changes = Vec::new();
        if path != self.path {
            let is_missing = |part: &str| !path.contains(part);
            let suspects = [
                ("a//b", Change::SlashesMerged),
                ("/./c/../d", Change::PathNormalized),
                ("e%2Ff", Change::SlashesUnescaped),
            ];
            let found = suspects.into_iter().filter(|(part, _)| is_missing(part));
            changes.extend(found.map(|(_, change)| change));
            if changes.is_empty() {
                changes.push(Change::Other);
            }
        }
        if authority != self.authority {
            changes.push(Change::PortStripped);
        }
        if changes.is_empty() { Finding::Sound } else { Finding::Changed(changes) }
    }
}

/// The answer to a probe, if the request is one: what arrived of it.
#[must_use]
pub fn answer(keyserver: &Server, head: RequestHead<'_>) -> Option<Reply> {
    let path = head.path().and_then(|path| core::str::from_utf8(path).ok())?;
    let (nonce, rest) = path.strip_prefix(PREFIX)?.split_once('/')?;
    let nonce = hex_bytes(nonce.as_bytes())?;
    let claimed: [u8; 32] = hex_bytes(rest.split('/').next()?.as_bytes())?;
    if !Secret::new(mac(keyserver, &nonce).into()).matches(&claimed) {
        return None;
    }
    let authority = head.values(b":authority").next().unwrap_or_default();
    let authority = String::from_utf8_lossy(authority);
    Some(Reply {
        status: 200,
        headers: Vec::from([("content-type".into(), "text/plain".into())]),
        body: format!("{authority}\n{path}"),
        details: "voussoir_listener_check".into(),
    })
}

/// It keeps strangers from using up workers with probes; there is nothing to be learnt from one.
fn mac(keyserver: &Server, nonce: &[u8; 32]) -> [u8; 32] {
    let token = keyserver.secret.as_ref().map(Secret::expose).unwrap_or_default();
    let mac = hmac_sha256(token).chain_update(b"voussoir listener check").chain_update(nonce);
    mac.finalize().into_bytes().into()
}

impl fmt::Display for Change {
    /// What to set in the listener, in Envoy's terms.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlashesMerged => "slashes are merged: set merge_slashes: false",
            Self::PathNormalized => "paths are normalised: set normalize_path: false",
            Self::SlashesUnescaped => {
                "%2F does not stay what it is: set path_with_escaped_slashes_action: KEEP_UNCHANGED"
            }
            Self::PortStripped => {
                "the host's port is taken off: set neither strip_any_host_port nor \
                 strip_matching_host_port"
            }
            Self::Other => "the path is rewritten before this filter",
        })
    }
}

/// All that a listener must set, in Envoy's terms.
pub const SETTINGS: &str = "normalize_path: false, merge_slashes: false, \
    path_with_escaped_slashes_action: KEEP_UNCHANGED, and neither strip_any_host_port nor \
    strip_matching_host_port";

const PREFIX: &str = "/.voussoir-listener-check/";

/// One of each.
const ODD: &str = "/a//b/./c/../d/e%2Ff/%7Eg";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use core::time::Duration;

    fn keyserver(token: &str) -> Server {
        Server {
            cluster: "keyserver".into(),
            authority: "keyserver".into(),
            timeout: Duration::from_secs(1),
            secret: Some(Secret::new(token.into())),
        }
    }

    fn probe() -> Probe {
        let check = ListenerCheck { cluster: "self".into(), authority: "a.example:8443".into() };
        Probe::new(&keyserver("token"), &check, [7; 32])
    }

    fn arrived(path: &str, authority: &str) -> Option<Reply> {
        let headers =
            [(&b":path"[..], path.as_bytes()), (&b":authority"[..], authority.as_bytes())];
        answer(&keyserver("token"), RequestHead::new(&headers))
    }

    #[test]
    fn a_listener_that_changes_nothing_is_sound() {
        let probe = probe();
        let reply = arrived(&probe.path, &probe.authority).unwrap();
        assert_eq!(probe.judge(b"200", reply.body.as_bytes()), Finding::Sound);
    }

    #[test]
    fn each_change_is_told() {
        let probe = probe();
        for (from, to, change) in [
            ("a//b", "a/b", Change::SlashesMerged),
            ("/./c/../d", "/d", Change::PathNormalized),
            ("e%2Ff", "e/f", Change::SlashesUnescaped),
            ("%7Eg", "~g", Change::Other),
        ] {
            let reply = arrived(&probe.path.replace(from, to), &probe.authority).unwrap();
            let finding = probe.judge(b"200", reply.body.as_bytes());
            assert_eq!(finding, Finding::Changed(Vec::from([change])));
        }
        let reply = arrived(&probe.path, "a.example").unwrap();
        let finding = probe.judge(b"200", reply.body.as_bytes());
        assert_eq!(finding, Finding::Changed(Vec::from([Change::PortStripped])));
    }

    #[test]
    fn what_is_told_beforehand_is_what_is_told_of_each_change() {
        for change in [
            Change::SlashesMerged,
            Change::PathNormalized,
            Change::SlashesUnescaped,
            Change::PortStripped,
        ] {
            let told = alloc::string::ToString::to_string(&change);
            let (_, setting) = told.split_once(": set ").unwrap();
            assert!(SETTINGS.contains(setting), "{setting}");
        }
    }

    #[test]
    fn an_answer_of_somebody_else_is_none() {
        let probe = probe();
        for status in [&b"404"[..], b"503", b"200", b""] {
            let finding = probe.judge(status, b"hello");
            assert!(matches!(finding, Finding::NotReached(_)), "{finding:?}");
        }
        let refused = Finding::Changed(Vec::from([Change::SlashesUnescaped]));
        assert_eq!(probe.judge(b"400", b""), refused);
    }

    #[test]
    fn strangers_get_no_answer() {
        let path = probe().path;
        let headers = [(&b":path"[..], path.as_bytes())];
        assert!(answer(&keyserver("other"), RequestHead::new(&headers)).is_none());
        for path in ["/", PREFIX, "/.voussoir-listener-check/a/b/c", &path.replace("07", "08")] {
            assert!(arrived(path, "a").is_none());
        }
    }
}
