//! One reading of the key repository: a complete set of keys, or why it is none.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use voussoir_core::fernet::{Key, MAX_KEYS};
use voussoir_core::record::{FernetKey, KeySet};
use voussoir_core::secret::Secret;

use crate::file::{self, ReadError};

/// Reads the keys in the order in which they are tried: the primary key first, the staged one last.
///
/// The staged key is also *read* last, and that is what makes two equal readings in a row, of which
/// the second began after the first had ended, a set that was in force. A staged key is random and
/// never comes again. If both readings end with the same one, no rotation put another in its place
/// from the end of the first reading to the end of the second, so the whole of the second fell into
/// a time in which a rotation did nothing but write `0.tmp` or delete the oldest keys; and with or
/// without those the set is complete.
pub(crate) fn read(directory: &Path) -> Result<KeySet, Incomplete> {
    // In a Kubernetes volume the files are links into `..data`, itself a link that is swapped as a
    // whole. Resolving it once gives all files from one and the same side of the swap.
    let data = fs::canonicalize(directory.join("..data"));
    let directory = data.as_deref().unwrap_or(directory);

    let mut ids = Vec::new();
    for entry in fs::read_dir(directory).map_err(|why| unreadable(&why))? {
        ids.extend(key_id(&entry.map_err(|why| unreadable(&why))?.file_name().to_string_lossy()));
        if ids.len() > MAX_KEYS {
            return Err(Incomplete::TooManyKeys);
        }
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    if ids.last() != Some(&0) {
        return Err(Incomplete::NoStagedKey);
    }
    if ids.len() == 1 {
        return Err(Incomplete::NoPrimaryKey);
    }

    let mut keys: Vec<FernetKey> = Vec::with_capacity(ids.len());
    for id in ids {
        let key = read_key(directory, id)?;
        if let Some(twin) = keys.iter().find(|other| other.key.matches(key.key.expose())) {
            return Err(Incomplete::SameKeyTwice(twin.id, id));
        }
        keys.push(key);
    }
    Ok(KeySet { fernet: keys, ..KeySet::default() })
}

fn read_key(directory: &Path, id: u32) -> Result<FernetKey, Incomplete> {
    let text = file::read(&directory.join(id.to_string()), MAX_KEY_FILE_BYTES)
        .map_err(|error| Incomplete::UnreadableKey(id, error))?;
    let key = Secret::new(text.expose().trim_ascii_end().to_vec());
    if key.expose().is_empty() {
        return Err(Incomplete::EmptyKey(id));
    }
    Key::from_text(key.expose()).map_err(|_| Incomplete::InvalidKey(id))?;
    Ok(FernetKey { id, key })
}

/// The number that a file is named by, written the one way in which Keystone writes it: `01` and
/// `+1` are no keys, and neither are `0.tmp` and what an editor leaves behind.
fn key_id(name: &str) -> Option<u32> {
    name.parse().ok().filter(|id: &u32| id.to_string() == name)
}

pub(super) fn unreadable(error: &io::Error) -> Incomplete {
    Incomplete::Unreadable(error.kind())
}

/// Why a reading is no complete set of keys. None of it shows a byte of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// A key file is empty: its writer has not got there yet.
    EmptyKey(u32),
    /// A key file is not 44 characters of padded base64url.
    InvalidKey(u32),
    /// A file of the repository of public keys, by its name, is no public key on P-256 in PEM.
    InvalidPublicKey(Box<str>),
    /// No key above 0: nothing that makes tokens.
    NoPrimaryKey,
    /// No file in the repository of public keys.
    NoPublicKey,
    /// No key 0: a rotation is half done, or the directory is no key repository.
    NoStagedKey,
    /// One key under two names: a rotation was seen from both sides of a renaming.
    SameKeyTwice(u32, u32),
    /// More than [`MAX_KEYS`] key files.
    TooManyKeys,
    /// More than [`voussoir_core::jws::MAX_KEYS`] files in the repository of public keys.
    TooManyPublicKeys,
    /// The directory cannot be listed.
    Unreadable(io::ErrorKind),
    /// A key file cannot be read.
    UnreadableKey(u32, ReadError),
    /// A file of the repository of public keys, by its name, cannot be read.
    UnreadablePublicKey(Box<str>, ReadError),
}

impl Incomplete {
    /// The reason as a label of a metric.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::EmptyKey(_) => "empty_key",
            Self::InvalidKey(_) => "invalid_key",
            Self::InvalidPublicKey(_) => "invalid_public_key",
            Self::NoPrimaryKey => "no_primary_key",
            Self::NoPublicKey => "no_public_key",
            Self::NoStagedKey => "no_staged_key",
            Self::SameKeyTwice(..) => "same_key_twice",
            Self::TooManyKeys | Self::TooManyPublicKeys => "too_many_keys",
            Self::Unreadable(_) => "unreadable",
            Self::UnreadableKey(..) | Self::UnreadablePublicKey(..) => "unreadable_key",
        }
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyKey(id) => write!(f, "the file of key {id} is empty"),
            Self::InvalidKey(id) => {
                write!(f, "the file of key {id} does not hold 44 characters of padded base64url")
            }
            Self::InvalidPublicKey(name) => {
                write!(
                    f,
                    "the file {name:?} does not hold a public key on P-256 in PEM, and nothing else"
                )
            }
            Self::NoPublicKey => f.write_str("there is no file with a public key"),
            Self::NoPrimaryKey => f.write_str("there is no primary key (a file named 1 or higher)"),
            Self::NoStagedKey => f.write_str("there is no staged key (a file named 0)"),
            Self::SameKeyTwice(one, other) => write!(f, "keys {one} and {other} are the same"),
            Self::TooManyKeys => write!(f, "there are more than {MAX_KEYS} keys"),
            Self::TooManyPublicKeys => {
                write!(f, "there are more than {} public keys", voussoir_core::jws::MAX_KEYS)
            }
            Self::UnreadablePublicKey(name, error) => {
                write!(f, "the file {name:?} cannot be read: {error}")
            }
            Self::Unreadable(kind) => write!(f, "the directory cannot be listed: {kind}"),
            Self::UnreadableKey(id, error) => {
                write!(f, "the file of key {id} cannot be read: {error}")
            }
        }
    }
}

/// The most bytes of a key file; a key takes 44.
const MAX_KEY_FILE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    const KEYS: [&str; 3] = [
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=",
        "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=",
    ];

    fn repository(files: &[(&str, &str)]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn ids(directory: &Path) -> Result<Vec<u32>, Incomplete> {
        read(directory).map(|keys| keys.fernet.iter().map(|key| key.id).collect())
    }

    #[test]
    fn puts_the_primary_key_first_and_the_staged_one_last() {
        let files = [("9", KEYS[0]), ("10", KEYS[1]), ("0", KEYS[2])];
        assert_eq!(ids(repository(&files).path()), Ok(vec![10, 9, 0]));
    }

    #[test]
    fn passes_over_files_that_are_not_named_by_a_number() {
        let files = [("0", KEYS[0]), ("1", KEYS[1])];
        let directory = repository(&files);
        let names = ["0.tmp", "01", "+2", "-1", "2~", ".3", "4294967296", "backup", "\u{0661}"];
        for name in names {
            fs::write(directory.path().join(name), "whatever").unwrap();
        }
        assert_eq!(ids(directory.path()), Ok(vec![1, 0]));
    }

    #[test]
    fn trims_the_end_of_a_key_file_only() {
        let newline = format!("{}\r\n", KEYS[0]);
        assert_eq!(ids(repository(&[("0", &newline), ("1", KEYS[1])]).path()), Ok(vec![1, 0]));
        let space = format!(" {}", KEYS[0]);
        let directory = repository(&[("0", &space), ("1", KEYS[1])]);
        assert_eq!(ids(directory.path()), Err(Incomplete::InvalidKey(0)));
    }

    #[test]
    fn refuses_what_is_no_complete_set() {
        let long = "A".repeat(MAX_KEY_FILE_BYTES + 1);
        let too_long = ReadError::TooLong(MAX_KEY_FILE_BYTES);
        for (files, expected) in [
            (&[][..], Incomplete::NoStagedKey),
            (&[("1", KEYS[0])], Incomplete::NoStagedKey),
            (&[("0", KEYS[0])], Incomplete::NoPrimaryKey),
            (&[("0", ""), ("1", KEYS[0])], Incomplete::EmptyKey(0)),
            (&[("0", "\n"), ("1", KEYS[0])], Incomplete::EmptyKey(0)),
            (&[("0", KEYS[0]), ("1", &KEYS[1][..43])], Incomplete::InvalidKey(1)),
            (&[("0", KEYS[0]), ("1", KEYS[1]), ("2", KEYS[0])], Incomplete::SameKeyTwice(2, 0)),
            (&[("0", &long), ("1", KEYS[0])], Incomplete::UnreadableKey(0, too_long)),
        ] {
            assert_eq!(ids(repository(files).path()), Err(expected));
        }
        assert_eq!(
            ids(Path::new("/nonexistent")),
            Err(Incomplete::Unreadable(io::ErrorKind::NotFound))
        );
    }

    #[test]
    fn every_reason_is_documented() {
        let documentation = include_str!("../../../docs/key-server.md");
        for why in [
            Incomplete::EmptyKey(1),
            Incomplete::InvalidKey(1),
            Incomplete::NoPrimaryKey,
            Incomplete::NoStagedKey,
            Incomplete::SameKeyTwice(1, 0),
            Incomplete::TooManyKeys,
            Incomplete::Unreadable(io::ErrorKind::NotFound),
            Incomplete::UnreadableKey(1, ReadError::NotRegular),
            Incomplete::InvalidPublicKey("a".into()),
            Incomplete::NoPublicKey,
            Incomplete::TooManyPublicKeys,
            Incomplete::UnreadablePublicKey("a".into(), ReadError::NotRegular),
        ] {
            let row = format!("| `{}` |", why.reason());
            assert!(documentation.contains(&row), "{row} is not documented");
        }
    }

    #[test]
    fn takes_32_keys_and_no_more() {
        let directory = repository(&[]);
        for id in 0..MAX_KEYS {
            fs::write(directory.path().join(id.to_string()), format!("{id:0>42}A=")).unwrap();
        }
        assert_eq!(ids(directory.path()).map(|ids| ids.len()), Ok(MAX_KEYS));
        fs::write(directory.path().join("32"), KEYS[1]).unwrap();
        assert_eq!(ids(directory.path()), Err(Incomplete::TooManyKeys));
    }

    #[test]
    fn a_fifo_named_like_a_key_is_not_waited_for() {
        let directory = repository(&[("0", KEYS[0]), ("1", KEYS[1])]);
        let fifo = directory.path().join("2");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(ids(directory.path()), Err(Incomplete::UnreadableKey(2, ReadError::NotRegular)));
    }

    #[test]
    fn reads_a_kubernetes_volume_from_one_side_of_its_swap() {
        let directory = repository(&[]);
        let path = directory.path();
        for (version, keys) in [
            ("..1", &[("0", KEYS[0]), ("1", KEYS[1])][..]),
            ("..2", &[("0", KEYS[2]), ("1", KEYS[1]), ("2", KEYS[0])]),
        ] {
            fs::create_dir(path.join(version)).unwrap();
            for (name, text) in keys {
                fs::write(path.join(version).join(name), text).unwrap();
            }
        }
        symlink("..1", path.join("..data")).unwrap();
        for name in ["0", "1"] {
            symlink(Path::new("..data").join(name), path.join(name)).unwrap();
        }
        assert_eq!(ids(path), Ok(vec![1, 0]));

        // The swap alone: the link for the new file 2 comes later, and is not needed.
        symlink("..2", path.join("..data_tmp")).unwrap();
        fs::rename(path.join("..data_tmp"), path.join("..data")).unwrap();
        assert_eq!(ids(path), Ok(vec![2, 1, 0]));
    }
}
