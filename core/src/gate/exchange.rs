//! What goes in and out of a gate: one input, and one effect for it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::Verdict;
use crate::access_keys::AccessKey;
use crate::catalogs::ServiceCatalog;
use crate::certificate::ClientCertificate;
use crate::head::RequestHead;
use crate::identities::Identity;
use crate::identity::HeaderEdits;
use crate::keys::Keys;
use crate::record::{
    AccessKeyFault, CatalogRequest, IdentityFault, IdentityRequest, ValidationFault,
};
use crate::refusal::{Reply, Unknown};
use crate::revocation::RevocationSet;
use crate::sigv4::Credential;
use crate::time::UnixTime;
use crate::validations::{Validation, ValidationRequest};

/// What the world tells a request.
#[derive(Debug)]
pub enum Input<'a> {
    /// The request's head has arrived, and what [`crate::identity::claims`] finds in it was removed.
    Head {
        /// The head.
        head: RequestHead<'a>,
        /// Whether it is the whole request.
        is_end: bool,
    },
    /// The head cannot be had: the host failed.
    NoHead,
    /// Keys, as [`Effect::NeedKeys`] asked for them.
    Keys(Rc<Keys>),
    /// The client's certificate, as [`Effect::NeedCertificate`] asked for it.
    Certificate(ClientCertificate),
    /// What was asked for cannot be had, and why.
    Unknown {
        /// Why.
        cause: Unknown,
        /// When it may be worth another try.
        retry_after: Duration,
    },
    /// Whom the token stands for, as [`Effect::NeedIdentity`] asked for it.
    Identity(Rc<Identity>),
    /// Keystone would not take such a token.
    NoIdentity(IdentityFault),
    /// What was revoked, as [`Effect::NeedRevocations`] asked for it.
    Revocations(Rc<RevocationSet>),
    /// What Keystone says of the token, as [`Effect::NeedValidation`] asked for it.
    Validation(Rc<Validation>),
    /// Keystone does not take the token.
    NoValidation(ValidationFault),
    /// A catalogue, as [`Effect::NeedCatalog`] asked for it.
    Catalog(Rc<ServiceCatalog>),
    /// A signing key, as [`Effect::NeedSigningKey`] asked for it.
    SigningKey(Rc<AccessKey>),
    /// The access key opens nothing.
    NoAccessKey(AccessKeyFault),
    /// The time is over that [`Effect::NeedRest`] named.
    Late,
    /// A piece of the body: what arrived since the last one.
    Body {
        /// The piece. Whoever asked [`super::Gate::reads_body`] and was told no need not read it.
        piece: &'a [u8],
        /// Whether it is the last one.
        is_end: bool,
    },
    /// The request ends with trailers, and what [`crate::identity::claims`] finds in them was
    /// removed.
    Trailers,
}

/// What a request asks of the world.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing: the input came too late, all is decided.
    Nothing,
    /// Hold the request, and hand in keys when they are there: any that may be used, or (after
    /// these did not open the token) newer ones than those of a generation.
    NeedKeys {
        /// The generation that is not new enough.
        newer_than: Option<u64>,
    },
    /// Hand in what is known of the client's certificate.
    NeedCertificate,
    /// Hold the request, and hand in whom a token stands for.
    NeedIdentity(Rc<IdentityRequest>),
    /// Hold the request, and hand in what was revoked.
    NeedRevocations,
    /// Hold the request, and hand in what Keystone says of a token.
    NeedValidation(ValidationRequest),
    /// Hold the request, and hand in a service catalogue.
    NeedCatalog(CatalogRequest),
    /// Hold the request, and hand in the signing key of this credential.
    NeedSigningKey(Rc<Credential>),
    /// Hold the request and let its body come. If that is not complete at this time, hand in
    /// [`Input::Late`].
    NeedRest {
        /// When the time is over.
        until: UnixTime,
    },
    /// Edit the headers and let the request pass. Without a verdict the body is verified on its
    /// way: each piece of it is handed in, and brings the verdict in the end.
    Forward(Rc<HeaderEdits>, Option<Verdict>),
    /// Let the piece of the body pass.
    Pass {
        /// What is to pass in its place.
        replacement: Option<Vec<u8>>,
        /// The verdict, when this completes the body.
        verdict: Option<Verdict>,
    },
    /// Answer in the service's place.
    Refuse(Reply, Verdict),
}

impl Effect {
    /// How the request is decided by it, if it is.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Forward(_, verdict) | Self::Pass { verdict, .. } => *verdict,
            Self::Refuse(_, verdict) => Some(*verdict),
            Self::Nothing
            | Self::NeedKeys { .. }
            | Self::NeedCertificate
            | Self::NeedIdentity(_)
            | Self::NeedRevocations
            | Self::NeedValidation(_)
            | Self::NeedCatalog(_)
            | Self::NeedSigningKey(_)
            | Self::NeedRest { .. } => None,
        }
    }
}
