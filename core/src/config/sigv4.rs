//! The section `sigv4`: which AWS signatures are taken, and what becomes of their bodies.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::check::is_visible;
use super::server::cluster;
use super::setting::Setting;
use crate::sigv4::body::Output;
use crate::sigv4::{DEFAULT_MAX_SKEW, Dialect, MAX_ACCESS_KEY, MAX_NAME, Scope};

/// Which signatures are taken.
#[derive(Clone, Debug)]
pub struct SigV4Rules {
    /// The services that a signature may be for, as in `s3`.
    pub services: Vec<String>,
    /// The regions that it may be for; any, when there are none here. Some clients sign for a
    /// region that they made up.
    pub regions: Vec<String>,
    /// What the id of every access key begins with. One that does not is refused before anybody is
    /// asked.
    pub access_key_prefix: String,
    /// How far a client's clock may be off. Services other than S3 take five minutes at the most.
    pub max_skew: Duration,
    /// The most data in one signed chunk, in bytes. That much is held of each request's body.
    pub max_chunk: usize,
    /// In which form a body in chunks reaches the service.
    pub output: Output,
    /// Whether the credentials travel on to the service.
    pub forward: bool,
    /// How the filter reaches its own listener, to find out whether that leaves paths alone.
    pub listener_check: Option<ListenerCheck>,
}

/// How the filter reaches its own listener.
#[derive(Clone, Debug)]
pub struct ListenerCheck {
    /// The proxy's name for the cluster that the listener stands behind.
    pub cluster: String,
    /// The `:authority` of the call.
    pub authority: String,
}

impl SigV4Rules {
    /// Whether the services are all of S3's kind, so that even a request that does not say for
    /// which service it is signed is answered in S3's manner.
    #[must_use]
    pub fn is_s3_only(&self) -> bool {
        self.services.iter().all(|service| Dialect::of(service) == Dialect::S3)
    }
}

pub(super) fn check(section: &Setting<'_>) -> SigV4Rules {
    let is_prefix = |text: &str| text.is_empty() || is_visible(text.as_bytes(), MAX_ACCESS_KEY);
    let access_key_prefix = section.text_that(
        "access_key_prefix",
        "",
        is_prefix,
        "at most 128 visible ASCII characters",
    );
    SigV4Rules {
        access_key_prefix,
        max_skew: section.time(
            "max_skew",
            DEFAULT_MAX_SKEW,
            (1_000, 900_000),
            "1s to 15m, such as \"900s\"",
        ),
        max_chunk: section.size(
            "max_chunk",
            DEFAULT_MAX_CHUNK,
            (8 * 1024, 16 * 1024 * 1024),
            "8KiB to 16MiB, such as \"1MiB\"",
        ),
        services: services(&section.field("services")),
        regions: names(&section.field("regions")),
        output: if section.flag("decode_chunks", true) { Output::Decoded } else { Output::AsSent },
        forward: section.flag("forward", true),
        listener_check: section.field("listener_check").given().map(listener_check),
    }
}

fn services(field: &Setting<'_>) -> Vec<String> {
    if !field.is_given() {
        return Vec::from(["s3".into()]);
    }
    let services = names(field);
    if services.is_empty() {
        field.refuse("at least one service, such as s3");
    }
    services
}

fn listener_check(section: &Setting<'_>) -> ListenerCheck {
    let (cluster, authority) = cluster(section, Some("voussoir.invalid:9443"));
    ListenerCheck { cluster, authority }
}

fn names(field: &Setting<'_>) -> Vec<String> {
    let limits = format!("1 to {MAX_NAME} letters, digits, dashes, dots and underscores");
    let name = |name: &str| Scope::is_name(name).then(|| name.into());
    field.at_most(MAX_NAMES, "at most 64 names").each(&limits, name)
}

/// The most data in one signed chunk by default. SDKs make chunks of 64 to 128 KiB.
pub const DEFAULT_MAX_CHUNK: usize = 1024 * 1024;

const MAX_NAMES: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use alloc::string::ToString as _;
    use serde_json::{Value, json};

    fn parse(sigv4: &Value) -> Result<SigV4Rules, String> {
        let json = example::with(&json!({"sigv4": sigv4}));
        let config = Config::parse(json.as_bytes()).map_err(|error| error.to_string())?;
        Ok(config.sigv4.unwrap())
    }

    #[test]
    fn defaults_are_those_of_s3() {
        let rules = parse(&json!({})).unwrap();
        assert_eq!(rules.services, ["s3"]);
        assert_eq!(rules.regions, [""; 0]);
        assert_eq!(rules.access_key_prefix, "");
        assert_eq!(rules.max_skew, Duration::from_mins(15));
        assert_eq!(rules.max_chunk, DEFAULT_MAX_CHUNK);
        assert_eq!(rules.output, Output::Decoded);
        assert!(rules.forward && rules.listener_check.is_none());
        assert!(rules.is_s3_only());
    }

    #[test]
    fn every_field_can_be_set() {
        let rules = parse(&json!({
            "services": ["s3", "sqs"], "regions": ["eu-1"], "access_key_prefix": "VSR",
            "max_skew": "1m", "max_chunk": "64KiB", "decode_chunks": false, "forward": false,
            "listener_check": {"cluster": "self", "authority": "a:1"},
        }))
        .unwrap();
        assert!(!rules.is_s3_only());
        assert_eq!(rules.max_chunk, 65_536);
        assert_eq!(rules.output, Output::AsSent);
        assert_eq!(rules.listener_check.unwrap().authority, "a:1");
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        for (sigv4, field) in [
            (json!({"services": []}), "sigv4.services"),
            (json!({"services": ["s3", "s 3"]}), "sigv4.services[1]"),
            (json!({"regions": [""]}), "sigv4.regions[0]"),
            (json!({"regions": (0..65).map(|_| "a").collect::<Vec<_>>()}), "sigv4.regions"),
            (json!({"access_key_prefix": "a b"}), "sigv4.access_key_prefix"),
            (json!({"max_skew": "16m"}), "sigv4.max_skew"),
            (json!({"max_chunk": "17MiB"}), "sigv4.max_chunk"),
            (json!({"max_chunk": "1024B"}), "sigv4.max_chunk"),
            (json!({"listener_check": {"cluster": ""}}), "sigv4.listener_check.cluster"),
            (
                json!({"listener_check": {"cluster": "a", "authority": "a b"}}),
                "sigv4.listener_check.authority",
            ),
        ] {
            let message = parse(&sigv4).unwrap_err();
            assert!(message.starts_with(&format!("{field}: must be ")), "{message}");
        }
        assert!(parse(&json!({"region": []})).unwrap_err().starts_with("sigv4.region: unknown"));
    }
}
