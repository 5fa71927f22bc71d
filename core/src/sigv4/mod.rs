//! AWS Signature Version 4: whether a request is what the owner of an access key signed.
//!
//! ```text
//!   RequestHead ─▶ Form ──┬─▶ Authorization ─▶ freshness, unsigned headers, Body ─▶ Claim
//!                  one    │   header or query                                       │
//!                  place  └─▶ refused: ambiguous, Version 2                         ▼
//!                                                        SigningKey of Claim::credential
//!                                                                                   │
//!   BodyVerifier ◀── as Body says ◀── Verified ◀── canonical request, string to sign ┘
//!                                     or Mismatch, with both, for the client to see
//! ```
//!
//! [`Claim::from_head`] is the one way in. It needs no key, and refuses whatever no key could make
//! good. [`Claim::verify`] needs the key of one access key, day, region and service, from which
//! neither the secret nor any other key follows.
//!
//! What is signed, and how it is written down, is in AWS's "Create a signed AWS API request" (IAM
//! User Guide) and, where S3 differs, in "Authenticating Requests (AWS Signature Version 4)" (S3
//! API Reference). Where those are silent, the comments say what was found out by others.

mod authorization;
pub mod body;
mod canonical;
mod claim;
mod date;
mod encoding;
mod error;
mod form;
mod forwarding;
mod freshness;
mod header;
mod path;
mod payload;
mod presigned;
mod query;
mod scope;
mod signature;

pub use authorization::{Algorithm, Authorization};
pub use body::Body;
pub use canonical::CanonicalRequest;
pub use claim::{Claim, Mismatch, Unverified, Verified};
pub use date::{AmzDate, Day, InvalidDate};
pub(crate) use encoding::{
    Hex, Plus, decode as percent_decode, decode_complete as percent_decode_complete, hex_bytes,
};
pub use error::{Error, HeaderFault, QueryFault};
pub use form::Form;
pub use freshness::{DEFAULT_MAX_SKEW, is_derivable};
pub use header::{InvalidSignedHeaders, SignedHeaders};
pub use payload::Streaming;
pub use presigned::MAX_EXPIRES;
pub use query::Query;
pub use scope::{
    Credential, CredentialFault, Dialect, MAX_ACCESS_KEY, MAX_NAME, Scope, is_access_key,
};
pub use signature::{Signature, SigningKey, string_to_sign};
