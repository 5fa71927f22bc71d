//! What the sizes of the chunks must add up to.

use super::BodyError;

/// The sizes of the chunks so far, against `x-amz-decoded-content-length`.
#[derive(Debug)]
pub(super) struct Sizes {
    expected: u64,
    total: u64,
    chunks: u64,
    /// The size of the newest chunk.
    newest: u64,
}

impl Sizes {
    pub(super) fn new(expected: u64) -> Self {
        Self { expected, total: 0, chunks: 0, newest: MIN_CHUNK }
    }

    /// Takes in the size of another chunk that has data in it.
    pub(super) fn add(&mut self, size: u64) -> Result<(), BodyError> {
        self.chunks = self.chunks.saturating_add(1);
        // Only now is it known that the one before was not the last.
        if self.newest < MIN_CHUNK {
            return Err(BodyError::ChunkTooSmall { chunk: self.chunks, size: self.newest });
        }
        self.newest = size;
        self.total = self.total.saturating_add(size);
        if self.total > self.expected { Err(self.wrong()) } else { Ok(()) }
    }

    /// There are no more chunks.
    pub(super) fn finish(&self) -> Result<(), BodyError> {
        if self.total == self.expected { Ok(()) } else { Err(self.wrong()) }
    }

    fn wrong(&self) -> BodyError {
        BodyError::Length { expected: self.expected, provided: self.total }
    }
}

/// The smallest chunk that another one may follow. The documentation says so for signed chunks, and
/// S3 holds unsigned ones to it as well (aws/aws-sdk-js-v3#6949).
pub(super) const MIN_CHUNK: u64 = 8192;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn only_the_last_chunk_may_be_small() {
        let mut sizes = Sizes::new(30_000);
        assert_eq!(sizes.add(MIN_CHUNK), Ok(()));
        assert_eq!(sizes.add(MIN_CHUNK - 1), Ok(()));
        assert_eq!(sizes.add(1), Err(BodyError::ChunkTooSmall { chunk: 3, size: MIN_CHUNK - 1 }));
    }

    #[test]
    fn they_add_up_to_the_decoded_length() {
        let mut sizes = Sizes::new(10_000);
        assert_eq!(sizes.add(9000), Ok(()));
        assert_eq!(sizes.finish(), Err(BodyError::Length { expected: 10_000, provided: 9000 }));
        assert_eq!(sizes.add(1000), Ok(()));
        assert_eq!(sizes.finish(), Ok(()));
        assert_eq!(Sizes::new(0).finish(), Ok(()));
    }

    #[test]
    fn a_size_that_is_too_large_is_noticed_before_the_data() {
        let error = Err(BodyError::Length { expected: 5, provided: u64::MAX });
        assert_eq!(Sizes::new(5).add(u64::MAX), error);
        assert_eq!(Sizes::new(u64::MAX).add(u64::MAX), Ok(()));
    }
}
