//! A Keystone, read from its database: access keys that users make themselves (`openstack ec2
//! credentials create`), who acts with a token, what was revoked, the service catalogue.
//!
//! The database is only read. Where to find what:
//!
//! * `statements`: what is asked of the database, and the facts of its schema that this rests on.
//! * `facts`: what an answer rests on. `lookup` reads it for one question, `rows` for many at a time.
//! * `access_key`, `token`: Keystone's rules: what the facts mean for an EC2 credential, for a token.
//! * `credentials`, `identities`: how a question is answered; `blob` opens a credential's secret.
//! * `watched`, `recheck`: what was answered lately, and how changes of it are noticed.
//! * `events`: what was revoked: `revoked` tells all of it, `revocations` what is new.
//! * `catalogs`, `catalog_changes`: the same of the service catalogue; `shared` has many wait for one answer.

mod access_key;
mod blob;
mod catalog_changes;
mod catalogs;
mod credentials;
mod events;
mod facts;
mod identities;
mod lookup;
mod parts;
mod recheck;
mod revocations;
mod revoked;
mod rows;
mod shared;
mod statements;
#[cfg(test)]
mod tests;
mod token;
mod watched;

use catalog_changes::CatalogChanges;
pub(crate) use catalogs::{Catalogs, NoCatalog};
use credentials::Credentials;
pub(crate) use events::Events;
pub(crate) use identities::{Identities, IdentityError};
pub(crate) use parts::Parts;
use recheck::Recheck;
use revocations::Revocations;
pub(crate) use revoked::RevocationPages;
pub(crate) use watched::Watched;

#[cfg(test)]
pub(crate) use {
    catalogs::tests::make_tables as make_catalog_tables, events::tests::empty as empty_revocations,
};

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The type of a credential that is one of EC2.
const EC2: &str = "ec2";
