//! Why a body is refused, in AWS's terms.

use alloc::string::String;
use core::fmt;

use super::Algorithm;

/// What is wrong with a body. It is final: nothing more of the body comes out.
///
/// [`BodyError::code`] is the `Code` of AWS's error document and `Display` writes its `Message`; the
/// fields are the further elements that AWS adds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The trailing checksum is not that of the body.
    Checksum(Algorithm),
    /// The value of the trailing checksum cannot be one: not base64, or of another length.
    ChecksumValue(Algorithm),
    /// A chunk is larger than the configured limit, which is ours: AWS documents none.
    ChunkTooLarge {
        /// The size that the chunk announced.
        size: u64,
    },
    /// A chunk of fewer than 8192 bytes was not the last one.
    ChunkTooSmall {
        /// The number of the chunk *after* the small one, from 1: AWS notices it there.
        chunk: u64,
        /// How small it was.
        size: u64,
    },
    /// The body is not the one that `x-amz-content-sha256` names.
    ContentHash {
        /// The SHA-256 that the client gave, in lower-case hexadecimal digits.
        claimed: String,
        /// That of the body.
        computed: String,
    },
    /// The body ends early, or its chunks are not framed as they must be.
    Incomplete,
    /// The body has another length than a header said.
    Length {
        /// What the header said.
        expected: u64,
        /// How many there are; of too many, so many as were known when that was known.
        provided: u64,
    },
    /// The signature of a chunk or of the trailers is wrong.
    Signature {
        /// What a right signature would have signed.
        string_to_sign: String,
        /// The signature that came, as far as it is text.
        provided: String,
    },
    /// The trailers are not the declared ones, or not well-formed.
    Trailer,
}

impl BodyError {
    /// The `Code` of AWS's error document.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Checksum(_) => "BadDigest",
            Self::ChecksumValue(_) => "InvalidRequest",
            Self::ChunkTooLarge { .. } => "EntityTooLarge",
            Self::ChunkTooSmall { .. } => "InvalidChunkSizeError",
            Self::ContentHash { .. } => "XAmzContentSHA256Mismatch",
            Self::Incomplete | Self::Length { .. } => "IncompleteBody",
            Self::Signature { .. } => "SignatureDoesNotMatch",
            Self::Trailer => "MalformedTrailerError",
        }
    }

    /// The HTTP status that AWS answers with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::ChunkTooSmall { .. } | Self::Signature { .. } => 403,
            Self::Checksum(_)
            | Self::ChecksumValue(_)
            | Self::ChunkTooLarge { .. }
            | Self::ContentHash { .. }
            | Self::Incomplete
            | Self::Length { .. }
            | Self::Trailer => 400,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum(algorithm) => write!(
                f,
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ),
            Self::ChecksumValue(algorithm) => {
                write!(f, "Value for {} trailing header is invalid.", algorithm.header())
            }
            Self::ChunkTooLarge { .. } => {
                f.write_str("Your proposed upload exceeds the maximum allowed chunk size")
            }
            Self::ChunkTooSmall { .. } => f.write_str(
                "Only the last chunk is allowed to have a size less than 8192 bytes",
            ),
            Self::ContentHash { .. } => f.write_str(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Self::Incomplete => f.write_str("The request body terminated unexpectedly"),
            Self::Length { .. } => f.write_str(
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ),
            Self::Signature { .. } => f.write_str(
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            ),
            Self::Trailer => f.write_str(
                "The request contained trailing data that was not well-formed or did not conform to \
                 our published schema.",
            ),
        }
    }
}

impl core::error::Error for BodyError {}
