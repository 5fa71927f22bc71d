//! One reading of Keystone's repository of public keys, `[jwt_tokens] jws_public_key_repository`: every
//! file in it is a key (`keystone/token/providers/jws/core.py`, `public_keys`), and a rotation is that
//! files come and go. So any set of files is a complete one, as long as each of them is whole.

use std::fs;
use std::path::Path;

use voussoir_core::jws::{MAX_KEYS, PublicKey};
use voussoir_core::record::JwsKey;

use super::read::{Incomplete, unreadable};
use crate::file;

/// Reads the keys, each once, in the order of their texts. Files whose names begin with a dot are passed
/// over: Kubernetes has some in every volume, and an editor may leave them.
pub(crate) fn read(directory: &Path) -> Result<Vec<JwsKey>, Incomplete> {
    // One side of the swap of a Kubernetes volume, as for the other keys.
    let data = fs::canonicalize(directory.join("..data"));
    let directory = data.as_deref().unwrap_or(directory);

    let mut keys = Vec::new();
    for entry in fs::read_dir(directory).map_err(|why| unreadable(&why))? {
        let name = entry.map_err(|why| unreadable(&why))?.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let shown = || name.to_string_lossy().into();
        let pem = file::read(&directory.join(&name), MAX_KEY_FILE_BYTES)
            .map_err(|why| Incomplete::UnreadablePublicKey(shown(), why))?;
        let key =
            PublicKey::from_pem(pem.expose()).map_err(|_| Incomplete::InvalidPublicKey(shown()))?;
        keys.push(JwsKey { spki: key.to_base64() });
        if keys.len() > MAX_KEYS {
            return Err(Incomplete::TooManyPublicKeys);
        }
    }
    if keys.is_empty() {
        return Err(Incomplete::NoPublicKey);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The most bytes of a key file; a key takes 178.
const MAX_KEY_FILE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::ReadError;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// What `keystone-manage create_jws_keypair` wrote.
    const KEYS: [&str; 2] = [
        "-----BEGIN PUBLIC KEY-----\n\
         MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJgmN6vnDQIfSXio/90ZxK1YPpcxm\n\
         CC/Y0uesdfn/JtzTw4PEjgM4/PwqEg6ArdVkS22MPADH0eQGDruqgFyFmw==\n\
         -----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\
         MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqQ4a7iHXifuRlrcRgniiP7IsFjX5\n\
         AWLB/3KbEMU5G7NhILTkfO/Ne37VmClovHL8kVJmFZYjlkAV5GDvw9OJuQ==\n\
         -----END PUBLIC KEY-----\n",
    ];

    fn repository(files: &[(&str, &str)]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn count(files: &[(&str, &str)]) -> Result<usize, Incomplete> {
        read(repository(files).path()).map(|keys| keys.len())
    }

    #[test]
    fn every_file_is_a_key_whatever_its_name() {
        let one = read(repository(&[("public.pem", KEYS[0]), ("0", KEYS[1])]).path()).unwrap();
        let other = read(repository(&[("Ω", KEYS[1]), ("b.pem", KEYS[0])]).path()).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.len(), 2);
        assert!(one[0] < one[1]);
        for JwsKey { spki } in one {
            assert!(KEYS.iter().any(|pem| pem.replace('\n', "").contains(&spki)));
        }
        assert_eq!(count(&[("a", KEYS[0]), ("b", KEYS[0])]), Ok(1));
        assert_eq!(count(&[("a", KEYS[0]), (".b.swp", "x")]), Ok(1));
    }

    #[test]
    fn refuses_what_is_no_complete_set() {
        let long = format!("{}{}", KEYS[0], "\n".repeat(MAX_KEY_FILE_BYTES));
        let invalid = || Incomplete::InvalidPublicKey("b".into());
        let too_long = ReadError::TooLong(MAX_KEY_FILE_BYTES);
        for (text, expected) in [
            ("", invalid()),
            ("README", invalid()),
            (&KEYS[1][..KEYS[1].len() - 10], invalid()),
            (&KEYS[1].replace("PUBLIC", "PRIVATE"), invalid()),
            (&long, Incomplete::UnreadablePublicKey("b".into(), too_long)),
        ] {
            assert_eq!(count(&[("a", KEYS[0]), ("b", text)]), Err(expected));
        }
        assert_eq!(count(&[]), Err(Incomplete::NoPublicKey));
        assert_eq!(count(&[(".a", KEYS[0])]), Err(Incomplete::NoPublicKey));
        let directory = repository(&[("a", KEYS[0])]);
        fs::create_dir(directory.path().join("old")).unwrap();
        let error = Incomplete::UnreadablePublicKey("old".into(), ReadError::NotRegular);
        assert_eq!(read(directory.path()), Err(error));
        assert!(matches!(read(Path::new("/nonexistent")), Err(Incomplete::Unreadable(_))));
    }

    #[test]
    fn takes_8_keys_and_no_more() {
        let names: Vec<_> = (0..=MAX_KEYS).map(|name| name.to_string()).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), KEYS[0])).collect();
        assert_eq!(count(&files[..MAX_KEYS]), Ok(1));
        assert_eq!(count(&files), Err(Incomplete::TooManyPublicKeys));
    }

    #[test]
    fn reads_a_kubernetes_volume_through_its_link() {
        let directory = repository(&[]);
        let path = directory.path();
        fs::create_dir(path.join("..1")).unwrap();
        fs::write(path.join("..1").join("public.pem"), KEYS[0]).unwrap();
        symlink("..1", path.join("..data")).unwrap();
        symlink("..data/public.pem", path.join("public.pem")).unwrap();
        assert_eq!(read(path).map(|keys| keys.len()), Ok(1));
    }
}
