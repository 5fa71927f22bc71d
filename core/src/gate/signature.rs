//! A request with an AWS signature: its head is verified with the key of one access key and scope.
//!
//! Whatever can be refused without the key is refused before anybody is asked for it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::time::Duration;

use sha2::{Digest as _, Sha256};

use super::body::Passing;
use super::{Effect, Gate, SHUT, State, Verdict};
use crate::access_keys::AccessKey;
use crate::config::SigV4Rules;
use crate::head::RequestHead;
use crate::identity::{HeaderEdits, SERVICE_TOKEN, TOKENS};
use crate::record::AccessKeyFault;
use crate::refusal::aws::{Fault, Manner, SignedText};
use crate::refusal::{Rejection, SignatureFault};
use crate::sigv4::body::{Body, Output};
use crate::sigv4::{Authorization, Claim, Error, Unverified, Verified};
use crate::time::UnixTime;

/// What is left of a signed request's head while it waits for its key.
#[derive(Debug)]
pub(super) struct Signed {
    claim: Claim,
    /// What the body's length is, where the head says so.
    content_length: Option<u64>,
    /// What has to be done to the head, beside the identity, if it is let through.
    forwarding: HeaderEdits,
    /// The hash of the body so far, where it is needed first.
    hash: Option<HashFirst>,
}

#[derive(Debug)]
struct HashFirst {
    sha256: Sha256,
    is_complete: bool,
}

/// Why a signed request does not pass: for the client and for whoever counts.
pub(super) type Refusal = (Fault, SignatureFault);

impl Gate {
    pub(super) fn on_signed(
        &mut self,
        now: UnixTime,
        head: RequestHead<'_>,
        is_end: bool,
    ) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.sigv4 else { return self.fail() };
        let claim = claim(now, head, rules);
        self.note_signature(claim.as_ref().ok().map(Claim::credential));
        let dialect = claim.as_ref().ok().map(|claim| claim.credential().scope.dialect());
        self.manner = Some(Box::new(Manner::of(head, rules, dialect)));
        match claim.and_then(|claim| self.read(now, head, is_end, claim, rules)) {
            Ok(signed) => self.need_signing_key(Box::new(signed)),
            Err(refusal) => self.refuse_signature(&refusal),
        }
    }

    fn read(
        &self,
        now: UnixTime,
        head: RequestHead<'_>,
        is_end: bool,
        claim: Claim,
        rules: &SigV4Rules,
    ) -> Result<Signed, Refusal> {
        let of_head = |error| of_head(&error, now, rules.max_skew);
        check_scope(claim.authorization(), rules)?;

        let content_length = content_length(head).map_err(of_head)?;
        let is_empty = is_end || content_length == Some(0);
        let content_length = if is_empty { Some(0) } else { content_length };
        let claim = match claim.body() {
            Body::HashFirst if is_empty => claim.with_body_sha256(Sha256::digest(b"").into()),
            _ => claim,
        };
        let hash = match claim.body() {
            Body::HashFirst if !self.config.hold_headers => {
                return Err((Fault::of_body_not_held(), SignatureFault::BodyNotHeld));
            }
            Body::HashFirst => Some(HashFirst { sha256: Sha256::new(), is_complete: false }),
            Body::Chunked { .. } | Body::Hashed(_) | Body::Unbound => None,
        };
        let forwarding = if self.enforces() {
            claim.edits(head, rules.output, rules.forward).map_err(of_head)?
        } else {
            HeaderEdits::default()
        };
        Ok(Signed { claim, content_length, forwarding, hash })
    }

    pub(super) fn on_signing_key(
        &mut self,
        now: UnixTime,
        mut signed: Box<Signed>,
        key: &Rc<AccessKey>,
    ) -> Effect {
        self.note_that_access_key_is_one();
        if let Some(HashFirst { sha256, is_complete }) = signed.hash.take() {
            if !is_complete {
                signed.hash = Some(HashFirst { sha256, is_complete });
                self.state = State::AwaitBody(signed);
                return self.need_rest(now).unwrap_or(Effect::Nothing);
            }
            signed.claim = signed.claim.with_body_sha256(sha256.finalize().into());
            // It was all there before the key was, and the host holds it: nothing is to follow.
            signed.content_length = None;
            return self.on_complete(now, &signed, key, true);
        }
        self.on_complete(now, &signed, key, false)
    }

    /// A body may take its time, and meanwhile a key may end, or be disabled: when all has come, the key is
    /// asked for again, which costs no call as long as it is known.
    pub(super) fn on_awaited_body(&mut self, piece: &[u8], is_end: bool) -> Effect {
        match core::mem::replace(&mut self.state, SHUT) {
            State::AwaitBody(mut signed) => {
                signed.take_in(piece, is_end);
                if is_end {
                    return self.need_signing_key(signed);
                }
                self.state = State::AwaitBody(signed);
                Effect::Nothing
            }
            _ => self.fail(),
        }
    }

    fn need_signing_key(&mut self, signed: Box<Signed>) -> Effect {
        let credential = Rc::clone(signed.claim.credential());
        self.state = State::AwaitSigningKey(signed);
        Effect::NeedSigningKey(credential)
    }

    /// All is there that the signature covers, so that it can be verified.
    fn on_complete(
        &mut self,
        now: UnixTime,
        signed: &Signed,
        key: &Rc<AccessKey>,
        is_body_verified: bool,
    ) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.sigv4 else { return self.fail() };
        let verified = match verify(now, &signed.claim, key, rules.max_skew) {
            Ok(verified) => verified,
            Err(refusal) => return self.refuse_signature(&refusal),
        };
        self.note_access_key(key);
        let verdict = self.authorize(&key.caller());
        if let Verdict::Rejected(denied) = verdict
            && self.enforces()
        {
            self.state = SHUT;
            return self.reject(denied, &Fault::of_denied());
        }
        let edits = signed.forwarding.and(key.identity(&config.identity_headers));

        // In shadow mode the body is looked at while it passes as it came.
        let output = if self.enforces() { rules.output } else { Output::AsSent };
        let content_length = signed.content_length;
        let body =
            verified.body_verifier(&key.signing_key, rules.max_chunk, output, content_length);
        let Some(mut body) = body.filter(|_| !is_body_verified) else {
            self.state = State::Decided { is_open: true, takes_trailers: false };
            return Effect::Forward(edits, Some(verdict));
        };
        let shown = SignedText::new(&verified.authorization, verified.canonical_request);
        // Without a body the head is a whole request, and so it has to wait for the verdict.
        if content_length == Some(0)
            && let Err(error) = body.push(b"", true)
        {
            let refusal = (Fault::of_body(&error, &shown), SignatureFault::from(&error));
            return self.refuse_signature(&refusal);
        }
        let known = body.is_verified().then_some(verdict);
        self.state = State::Passing(Box::new(Passing::new(body, shown, verdict, &self.budget)));
        Effect::Forward(edits, known)
    }

    pub(super) fn on_no_access_key(&mut self, signed: &Signed, fault: AccessKeyFault) -> Effect {
        let authorization = signed.claim.authorization();
        let has_session_token = authorization.session_token.is_some();
        let access_key = &authorization.credential.access_key;
        let fault_ = Fault::of_access_key(access_key, fault, has_session_token);
        self.refuse_signature(&(fault_, SignatureFault::AccessKey(fault)))
    }

    /// Never left to the service: what is signed wrongly is not unsigned.
    pub(super) fn refuse_signature(&mut self, (fault, reason): &Refusal) -> Effect {
        self.state = SHUT;
        self.reject(Rejection::Signature(*reason), fault)
    }
}

impl Signed {
    /// Whether the pieces of the body are needed before it can be decided.
    pub(super) fn reads_body(&self) -> bool {
        self.hash.is_some()
    }

    /// A piece of the body, while the head still waits.
    pub(super) fn take_in(&mut self, piece: &[u8], is_end: bool) {
        if let Some(hash) = &mut self.hash {
            hash.sha256.update(piece);
            hash.is_complete |= is_end;
        }
    }
}

/// What the head claims, if that is a sound claim and the only one.
fn claim(now: UnixTime, head: RequestHead<'_>, rules: &SigV4Rules) -> Result<Claim, Refusal> {
    let of_head = |error| of_head(&error, now, rules.max_skew);
    // A service that takes tokens too could take this one instead.
    if TOKENS.into_iter().chain([SERVICE_TOKEN]).any(|name| head.has(name)) {
        return Err(of_head(Error::Ambiguous));
    }
    let claim = Claim::from_head(head, now, rules.max_skew).map_err(of_head)?;
    claim.ok_or_else(|| of_head(Error::Unsupported))
}

/// Whether the request is the owner's, and the owner's key good.
fn verify(
    now: UnixTime,
    claim: &Claim,
    key: &AccessKey,
    max_skew: Duration,
) -> Result<Verified, Refusal> {
    let authorization = claim.authorization();
    let verified = claim.verify(&key.signing_key, now).map_err(|unverified| match unverified {
        Unverified::Stale(error) => of_head(&error, now, max_skew),
        Unverified::Mismatch(mismatch) => {
            (Fault::of_mismatch(authorization, mismatch), SignatureFault::Mismatch)
        }
        Unverified::BodyNeeded => (Fault::of_body_not_held(), SignatureFault::BodyNotHeld),
    })?;
    // The signature alone does not bind a session token to its access key.
    let token = authorization.session_token.as_ref();
    match (&key.record.session_token_sha256, token) {
        (None, None) => Ok(verified),
        (Some(hash), Some(token)) if hash.matches(token.expose()) => Ok(verified),
        // As for a temporary key that is told without its token.
        (Some(_), None) => Err((
            Fault::of_access_key(
                &authorization.credential.access_key,
                AccessKeyFault::AccessKeyUnknown,
                false,
            ),
            SignatureFault::SessionToken,
        )),
        (_, Some(_)) => Err((Fault::of_session_token(), SignatureFault::SessionToken)),
    }
}

/// Whether the signature is for this proxy at all.
fn check_scope(authorization: &Authorization, rules: &SigV4Rules) -> Result<(), Refusal> {
    let credential = &authorization.credential;
    let (region, service) = (credential.scope.region(), credential.scope.service());
    let is_presigned = authorization.is_presigned();
    let is_one_of = |name: &str, names: &[String]| names.iter().any(|n| n == name);
    if !is_one_of(service, &rules.services) {
        let expected = rules.services.first().map(String::as_str);
        let fault = Fault::of_service(service, expected.unwrap_or_default(), is_presigned);
        return Err((fault, SignatureFault::ServiceRefused));
    }
    if let Some(expected) = rules.regions.first()
        && !is_one_of(region, &rules.regions)
    {
        let fault = Fault::of_region(region, expected, is_presigned);
        return Err((fault, SignatureFault::RegionRefused));
    }
    if !credential.access_key.starts_with(&rules.access_key_prefix) {
        let unknown = AccessKeyFault::AccessKeyUnknown;
        let fault = Fault::of_access_key(&credential.access_key, unknown, false);
        return Err((fault, SignatureFault::AccessKeyForeign));
    }
    Ok(())
}

fn of_head(error: &Error, now: UnixTime, max_skew: Duration) -> Refusal {
    (Fault::of_head(error, now, max_skew), SignatureFault::from(error))
}

fn content_length(head: RequestHead<'_>) -> Result<Option<u64>, Error> {
    let text =
        head.single(b"content-length").map_err(|_| Error::Repeated(b"content-length".to_vec()))?;
    let number = |text: &[u8]| {
        // A sign is none of HTTP's digits (RFC 9110, section 8.6).
        let is_number = text.iter().all(u8::is_ascii_digit);
        core::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
    };
    text.map(|text| number(text).ok_or(Error::Malformed)).transpose()
}
