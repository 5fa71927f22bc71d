//! By which kind of credentials requests are decided: a closed set, as verdicts are.

use super::Verdict;
use crate::config::Config;
use crate::refusal::Rejection;

/// By which kind of credentials a request is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// It has none that are looked at, or is decided before.
    #[default]
    None,
    /// By an AWS signature.
    SigV4,
    /// By a token of Keystone's.
    Token,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Token, Self::SigV4, Self::None];

    /// What configurations, metrics and events call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SigV4 => "sigv4",
            Self::Token => "token",
        }
    }

    /// Whether a request can be decided by such credentials with these settings.
    #[must_use]
    pub fn is_taken(self, settings: &Config) -> bool {
        match self {
            Self::None => true,
            Self::SigV4 => settings.sigv4.is_some(),
            Self::Token => settings.token.is_some(),
        }
    }

    /// Whether a request with such credentials can be decided so.
    #[must_use]
    pub fn can_be(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Allowed => self != Self::None,
            Verdict::Answered(_) => self == Self::Token,
            Verdict::Bypassed | Verdict::ListenerCheck => self == Self::None,
            Verdict::Unavailable(_) => true,
            Verdict::Anonymous(rejection) | Verdict::Rejected(rejection) => match rejection {
                Rejection::AclDenied => self != Self::None,
                // Those are found out before and after who sends it.
                Rejection::Body(_) | Rejection::Schema(_) => true,
                Rejection::CredentialsMissing
                | Rejection::RouteInDoubt
                | Rejection::TokenMissing => self == Self::None,
                Rejection::Signature(_) => self == Self::SigV4,
                // A service may show a token, or two, where there is none of a user.
                Rejection::ServiceTokenInvalid | Rejection::TokenAmbiguous => self != Self::SigV4,
                _ => self == Self::Token,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::example;
    use serde_json::json;

    #[test]
    fn every_verdict_is_one_of_some_mechanism() {
        for verdict in Verdict::all() {
            assert!(Mechanism::ALL.into_iter().any(|it| it.can_be(verdict)), "{verdict:?}");
        }
    }

    #[test]
    fn what_is_taken_is_what_there_are_sections_for() {
        for (changes, taken) in [
            (json!({}), alloc::vec!["token", "none"]),
            (json!({"sigv4": {}}), alloc::vec!["token", "sigv4", "none"]),
            (json!({"sigv4": {}, "token": null}), alloc::vec!["sigv4", "none"]),
        ] {
            let config = Config::parse(example::with(&changes).as_bytes()).unwrap();
            let all = Mechanism::ALL.into_iter().filter(|it| it.is_taken(&config));
            assert_eq!(all.map(Mechanism::name).collect::<alloc::vec::Vec<_>>(), taken);
        }
    }
}
