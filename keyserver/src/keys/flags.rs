//! The flags of `voussoir-keyserver keys`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::StoreFlags;
use crate::quantity;
use crate::store::Prefix;

/// The flags of `keys`.
#[derive(Args, Debug)]
pub struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What can be done with access keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make an access key, and print its secret: once and never again
    Create(Box<Create>),
    /// Show all access keys, without their secrets
    List(List),
    /// Switch an access key off
    Disable(Named),
    /// Switch an access key on again
    Enable(Named),
    /// Delete an access key
    Delete(Named),
}

/// The flags of `keys create`.
///
/// The secret goes into the store sealed with the key of --store-key, a file that must not lie where
/// the store lies. It is made, with mode 0600, if the store is still empty.
#[derive(Args, Debug)]
pub struct Create {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreFlags,

    /// Id of the user whom the key stands for
    #[arg(long, value_name = "ID")]
    pub user_id: String,

    /// Name of the user
    #[arg(long, value_name = "NAME")]
    pub user_name: Option<String>,

    /// Id of the user's domain
    #[arg(long, value_name = "ID")]
    pub user_domain_id: Option<String>,

    /// Name of the user's domain
    #[arg(long, value_name = "NAME", requires = "user_domain_id")]
    pub user_domain_name: Option<String>,

    /// Id of the project that the key is for
    #[arg(long, value_name = "ID")]
    pub project_id: Option<String>,

    /// Name of the project
    #[arg(long, value_name = "NAME", requires = "project_id")]
    pub project_name: Option<String>,

    /// Id of the project's domain
    #[arg(long, value_name = "ID", requires = "project_id")]
    pub project_domain_id: Option<String>,

    /// Name of the project's domain
    #[arg(long, value_name = "NAME", requires = "project_domain_id")]
    pub project_domain_name: Option<String>,

    /// Name of a role; can be given more than once
    #[arg(long = "role", value_name = "NAME")]
    pub roles: Vec<String>,

    /// What the key is for: for you, services do not see it
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,

    /// How long the key is good: 15m, 12h, 90d; without it, until it is disabled or deleted
    #[arg(long, value_name = "DURATION")]
    pub expires_in: Option<Lifetime>,

    /// Make a temporary key: it is good with a session token only, which is printed once too
    #[arg(long, requires = "expires_in")]
    pub session_token: bool,

    /// What the key's id begins with, so that filters can pass over other keys
    #[arg(long, value_name = "PREFIX", default_value = "VSR")]
    pub prefix: Prefix,

    /// Take over an access key with this id instead of making one
    #[arg(long, value_name = "ID", requires = "secret_file", conflicts_with = "prefix")]
    pub access_key: Option<String>,

    /// File with the secret of the access key that is taken over; `-` is stdin
    #[arg(long, value_name = "FILE", requires = "access_key")]
    pub secret_file: Option<PathBuf>,

    /// Form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// The flags of `keys list`.
#[derive(Args, Debug)]
pub struct List {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreFlags,

    /// Form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// The flags of what is done to one access key.
#[derive(Args, Debug)]
pub struct Named {
    /// Where the store is.
    #[command(flatten)]
    pub store: StoreFlags,

    /// Id of the access key
    #[arg(value_name = "ACCESS_KEY")]
    pub access_key: String,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON.
    Json,
    /// For people.
    Text,
}

/// How long a key is good, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime(pub(super) u64);

/// A text that is no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLifetime;

impl FromStr for Lifetime {
    type Err = InvalidLifetime;

    fn from_str(text: &str) -> Result<Self, InvalidLifetime> {
        let (count, unit) = quantity::split(text).ok_or(InvalidLifetime)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => DAY,
            _ => return Err(InvalidLifetime),
        };
        let seconds = count.checked_mul(unit).ok_or(InvalidLifetime)?;
        (1..=MAX_LIFETIME).contains(&seconds).then_some(Self(seconds)).ok_or(InvalidLifetime)
    }
}

impl fmt::Display for InvalidLifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a duration like 30s, 15m, 12h or 90d, up to 3650d")
    }
}

impl std::error::Error for InvalidLifetime {}

const DAY: u64 = 24 * 60 * 60;
const MAX_LIFETIME: u64 = 3650 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_have_a_unit_and_an_end() {
        for (text, seconds) in [("1s", 1), ("15m", 900), ("12h", 43_200), ("3650d", MAX_LIFETIME)] {
            assert_eq!(text.parse(), Ok(Lifetime(seconds)), "{text}");
        }
        for text in ["", "1", "d", "0s", "-1s", "1.5h", "3651d", "1y", "99999999999999999999s"] {
            assert_eq!(text.parse::<Lifetime>(), Err(InvalidLifetime), "{text}");
        }
    }
}
