//! Public keys, as `keystone-manage create_jws_keypair` writes them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::AffinePoint;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates as _;

/// The most keys that are tried: each costs a verification, half a millisecond, for a token that none of them
/// signed. Keystone has no limit of its own; a rotation needs two.
pub const MAX_KEYS: usize = 8;

/// A point on P-256: what opens tokens that were signed with its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// The keys of one Keystone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys(Vec<PublicKey>);

/// What is no public key on P-256 in the one form that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPublicKey;

impl PublicKey {
    /// Reads a PEM file (RFC 7468) that has a `PUBLIC KEY` and nothing else in it but white space.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidPublicKey> {
        let text = core::str::from_utf8(pem).map_err(|_| InvalidPublicKey)?;
        let text = text.trim_ascii().strip_prefix(BEGIN).ok_or(InvalidPublicKey)?;
        let text = text.strip_suffix(END).ok_or(InvalidPublicKey)?;
        let is_line_end = |byte: u8| byte == b'\n' || byte == b'\r';
        if !text.bytes().next().is_some_and(is_line_end) {
            return Err(InvalidPublicKey);
        }
        let base64: Vec<_> = text.bytes().filter(|byte| !is_line_end(*byte)).collect();
        Self::from_base64(&base64)
    }

    /// Reads the `SubjectPublicKeyInfo` (RFC 5480, section 2) of a point that is not compressed.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidPublicKey> {
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or(InvalidPublicKey)?;
        // No compressed point or point at infinity.
        let coordinates = point.strip_prefix(&[UNCOMPRESSED]).ok_or(InvalidPublicKey)?;
        let ([x, y], []) = coordinates.as_chunks() else { return Err(InvalidPublicKey) };
        // Whether they are those of a point is looked at there.
        let point = AffinePoint::from_coordinates(x.into(), y.into()).into_option();
        let point = point.ok_or(InvalidPublicKey)?;
        VerifyingKey::from_affine(point).map(Self).map_err(|_| InvalidPublicKey)
    }

    /// Reads the base64 of the same.
    pub fn from_base64(base64: &[u8]) -> Result<Self, InvalidPublicKey> {
        let der = STANDARD.decode(base64).map_err(|_| InvalidPublicKey)?;
        Self::from_der(&der)
    }

    /// What [`PublicKey::from_base64`] reads.
    #[must_use]
    pub fn to_base64(&self) -> String {
        let point = self.0.to_sec1_point(false);
        STANDARD.encode([&SPKI_PREFIX[..], point.as_bytes()].concat())
    }

    /// Whether this key's private key signed what has this hash.
    pub(super) fn verifies(&self, sha256: &[u8; 32], signature: &Signature) -> bool {
        self.0.verify_prehash(sha256, signature).is_ok()
    }
}

impl PublicKeys {
    /// Some keys, in any order; `None` without any, or with more than [`MAX_KEYS`].
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Option<Self> {
        let keys: Vec<_> = keys.into_iter().take(MAX_KEYS + 1).collect();
        (1..=MAX_KEYS).contains(&keys.len()).then_some(Self(keys))
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }

    /// How many keys there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for InvalidPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a public key on P-256, uncompressed, as SubjectPublicKeyInfo")
    }
}

impl core::error::Error for InvalidPublicKey {}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// `SEQUENCE (89) { SEQUENCE (19) { id-ecPublicKey, secp256r1 }, BIT STRING (66) { no unused bits`, before
/// the point itself.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// How a point begins of which both coordinates follow (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;
