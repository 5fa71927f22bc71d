//! The checksums that S3 takes in `x-amz-checksum-*`, computed while a body passes.

use alloc::boxed::Box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Digest, Table};
use once_cell::race::OnceBox;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::BodyError;

/// An algorithm of the S3 API reference, "Checking object integrity".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32, as in zlib and Ethernet.
    Crc32,
    /// CRC-32C (Castagnoli), as in iSCSI.
    Crc32c,
    /// CRC-64/NVME, the default of AWS's newer SDKs.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The algorithm of a header or trailer such as `x-amz-checksum-crc32`, in any case.
    #[must_use]
    pub fn from_header(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.header().as_bytes()))
    }

    /// The header or trailer that carries the checksum.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// What AWS's messages call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// A checksum of what has passed so far.
pub(super) struct Checksum {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc32(Digest<'static, u32, Table<16>>),
    Crc64(Digest<'static, u64, Table<16>>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Crc32 => State::Crc32(crc32(&CRC32, &CRC_32_ISO_HDLC).digest()),
            Algorithm::Crc32c => State::Crc32(crc32(&CRC32C, &CRC_32_ISCSI).digest()),
            Algorithm::Crc64Nvme => State::Crc64(crc64_nvme().digest()),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// The trailer that carries it.
    pub(super) fn header(&self) -> &'static str {
        self.algorithm.header()
    }

    /// Adds what passes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc32(state) => state.update(bytes),
            State::Crc64(state) => state.update(bytes),
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
        }
    }

    /// Whether it is what the client sent, in base64. It protects from accidents and is no secret.
    pub(super) fn verify(self, text: &[u8]) -> Result<(), BodyError> {
        let computed = match self.state {
            State::Crc32(state) => state.finalize().to_be_bytes().to_vec(),
            State::Crc64(state) => state.finalize().to_be_bytes().to_vec(),
            State::Sha1(state) => state.finalize().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
        };
        let claimed = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == computed.len());
        let claimed = claimed.ok_or(BodyError::ChecksumValue(self.algorithm))?;
        if claimed == computed { Ok(()) } else { Err(BodyError::Checksum(self.algorithm)) }
    }
}

// Tables of 64 KiB in all, which take sixteen bytes at a time: WebAssembly has no instruction for a
// CRC, and for a body without chunk signatures it is the whole cost. In V8 they make 390 MB/s, and
// the plain tables of 4 KiB 120 MB/s. Each is made when the first body needs it, in microseconds:
// in the module they would be a tenth of it.
static CRC32: OnceBox<Crc<u32, Table<16>>> = OnceBox::new();
static CRC32C: OnceBox<Crc<u32, Table<16>>> = OnceBox::new();
static CRC64_NVME: OnceBox<Crc<u64, Table<16>>> = OnceBox::new();

fn crc32(
    table: &'static OnceBox<Crc<u32, Table<16>>>,
    of: &'static crc::Algorithm<u32>,
) -> &'static Crc<u32, Table<16>> {
    table.get_or_init(|| Box::new(Crc::<u32, Table<16>>::new(of)))
}

fn crc64_nvme() -> &'static Crc<u64, Table<16>> {
    CRC64_NVME.get_or_init(|| Box::new(Crc::<u64, Table<16>>::new(&CRC_64_NVME)))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The check values of the CRC catalogue, and of FIPS 180-4's implementations, for "123456789".
    const VECTORS: [(Algorithm, &str); 5] = [
        (Algorithm::Crc32, "y/Q5Jg=="),
        (Algorithm::Crc32c, "4waSgw=="),
        (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
        (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];

    #[test]
    fn every_algorithm_has_its_published_value() {
        for (algorithm, text) in VECTORS {
            for cut in 0..=9 {
                let mut checksum = Checksum::new(algorithm);
                checksum.update(&b"123456789"[..cut]);
                checksum.update(&b"123456789"[cut..]);
                assert_eq!(checksum.verify(text.as_bytes()), Ok(()));
            }
            let mut other = Checksum::new(algorithm);
            other.update(b"12345678");
            assert_eq!(other.verify(text.as_bytes()), Err(BodyError::Checksum(algorithm)));
        }
    }

    #[test]
    fn a_checksum_is_padded_base64_of_the_right_length() {
        for text in
            ["", "not-base-64", "y/Q5Jg", "y_Q5Jg==", " y/Q5Jg==", "y/Q5Jh==", "rosUhgp5mIg="]
        {
            let checksum = Checksum::new(Algorithm::Crc32);
            let error = Err(BodyError::ChecksumValue(Algorithm::Crc32));
            assert_eq!(checksum.verify(text.as_bytes()), error, "{text:?}");
        }
    }

    #[test]
    fn headers_are_known_in_any_case() {
        for algorithm in Algorithm::ALL {
            let name = algorithm.header();
            assert_eq!(Algorithm::from_header(name.as_bytes()), Some(algorithm));
            assert_eq!(Algorithm::from_header(name.to_uppercase().as_bytes()), Some(algorithm));
            assert!(name.ends_with(&algorithm.name().to_lowercase()));
        }
        for name in ["", "x-amz-checksum-", "x-amz-checksum-md4", "x-amz-checksum-crc32 ", "crc32"]
        {
            assert_eq!(Algorithm::from_header(name.as_bytes()), None, "{name:?}");
        }
    }
}
