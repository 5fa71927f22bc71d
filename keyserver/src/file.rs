//! Small files, read whole. What lies at a path is not trusted: a FIFO is not waited for, a device
//! is not opened, and a large file is not read to its end.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use voussoir_core::secret::Secret;

/// Reads the regular file at `path`, through symbolic links, if it has at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Secret, ReadError> {
    // Looked at before it is opened, because opening alone can already do something to a device,
    // and after, because it may have been replaced in between: hence also O_NONBLOCK.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular);
    }

    // The whole capacity at once: growing would leave copies of a secret behind.
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX).min(limit);
    let mut bytes = Vec::with_capacity(length + 1);
    let length = file.take(u64::try_from(limit + 1).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    let bytes = Secret::new(bytes);
    if length > limit { Err(ReadError::TooLong(limit)) } else { Ok(bytes) }
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The operating system says no.
    Io(io::ErrorKind),
    /// A directory, FIFO, socket or device.
    NotRegular,
    /// More bytes than the limit.
    TooLong(usize),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "{kind}"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::TooLong(limit) => write!(f, "longer than {limit} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn reads_a_file_up_to_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "12345678").unwrap();
        assert_eq!(read(&path, 8).unwrap().expose(), b"12345678");
        assert_eq!(read(&path, 7).unwrap_err(), ReadError::TooLong(7));
    }

    #[test]
    fn follows_symbolic_links() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "text").unwrap();
        symlink("file", directory.path().join("link")).unwrap();
        symlink("nowhere", directory.path().join("dangling")).unwrap();
        assert_eq!(read(&directory.path().join("link"), 9).unwrap().expose(), b"text");
        assert_eq!(
            read(&directory.path().join("dangling"), 9).unwrap_err(),
            ReadError::Io(io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn waits_for_no_fifo_and_opens_no_device() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        for path in [&fifo, Path::new("/dev/zero"), directory.path()] {
            assert_eq!(read(path, 9).unwrap_err(), ReadError::NotRegular, "{}", path.display());
        }
    }
}
