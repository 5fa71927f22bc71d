//! `voussoir-keyserver demo`: a key repository and tokens of its own, so that a first run needs no
//! Keystone. The keys protect nothing.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use voussoir_core::fernet::Key;
use voussoir_core::token::{AuditId, AuditIds, Delegation, Expiry, Id, Methods, Payload, Scope};
use zeroize::Zeroizing;

use crate::cli::Demo;
use crate::clock;
use crate::key_repository::{self, Incomplete};

/// Tokens to try a filter with. All but the first are to be refused.
#[derive(Debug)]
pub struct Tokens {
    good: String,
    expired: String,
    tampered: String,
    foreign: String,
}

/// Makes what is missing in the directory, and new tokens in any case.
pub fn prepare(directory: &Path) -> Result<Tokens, DemoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why| DemoError::Io { path, why }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        .map_err(failed(directory))?;

    let fernet_keys = directory.join(FERNET_KEYS);
    if !fernet_keys.exists() {
        set_up(&fernet_keys).map_err(failed(&fernet_keys))?;
    }
    let incomplete = |why: Incomplete| DemoError::Incomplete {
        directory: fernet_keys.clone(),
        why: why.to_string(),
    };
    let keys = key_repository::read(&fernet_keys).map_err(incomplete)?;
    let primary = keys
        .fernet
        .first()
        .and_then(|primary| Key::from_text(primary.key.expose()).ok())
        .ok_or(Incomplete::NoPrimaryKey)
        .map_err(incomplete)?;

    let tokens_file = directory.join(TOKENS);
    let tokens = Tokens::mint(&primary, clock::since_1970()).map_err(failed(&tokens_file))?;
    write_anew(&tokens_file, tokens.to_json().as_bytes()).map_err(failed(&tokens_file))?;
    Ok(tokens)
}

impl Demo {
    /// The key repository in the directory.
    pub(crate) fn fernet_keys(&self) -> PathBuf {
        self.directory.join(FERNET_KEYS)
    }
}

/// What `keystone-manage fernet_setup` leaves behind: the staged key 0 and the primary key 1. They
/// appear together, so that a start that was cut short leaves nothing half done.
fn set_up(fernet_keys: &Path) -> io::Result<()> {
    let unfinished = fernet_keys.with_extension("tmp");
    match fs::remove_dir_all(&unfinished) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    DirBuilder::new().mode(DIRECTORY_MODE).create(&unfinished)?;
    for name in ["0", "1"] {
        let mut key = Zeroizing::new([0; 32]);
        fill(&mut *key)?;
        write_anew(&unfinished.join(name), Zeroizing::new(URL_SAFE.encode(*key)).as_bytes())?;
    }
    fs::rename(&unfinished, fernet_keys)
}

/// Writes a file that only its owner can read, and that is either the old or the new one whole.
fn write_anew(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    match fs::remove_file(&unfinished) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&unfinished)?
        .write_all(content)?;
    fs::rename(unfinished, path)
}

impl Tokens {
    /// The tokens with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("good", &*self.good),
            ("expired", &*self.expired),
            ("tampered", &*self.tampered),
            ("foreign", &*self.foreign),
        ]
        .into_iter()
    }

    /// Mints the tokens at a point in time, given since 1970.
    fn mint(primary: &Key, now: Duration) -> io::Result<Self> {
        let (mut signing, mut encryption) = ([0; 16], [0; 16]);
        fill(&mut signing)?;
        fill(&mut encryption)?;
        let good = mint(primary, now)?;
        Ok(Self {
            expired: mint(primary, now.saturating_sub(2 * LIFETIME))?,
            tampered: tamper(&good),
            foreign: mint(&Key::new(&signing, &encryption), now)?,
            good,
        })
    }

    fn to_json(&self) -> String {
        let tokens: serde_json::Map<_, _> =
            self.iter().map(|(name, token)| (name.into(), token.into())).collect();
        format!("{:#}\n", serde_json::Value::Object(tokens))
    }
}

/// A token for the demonstration's user and project, as one gets it for a token that one got for a
/// password: it has two audit ids, its own and that of the first.
fn mint(key: &Key, issued_at: Duration) -> io::Result<String> {
    let issued_at = Duration::from_secs(issued_at.as_secs());
    let expires_at = Expiry::from_seconds((issued_at + LIFETIME).as_secs_f64())
        .map_err(|_| io::Error::other("the clock is beyond the year 9999"))?;
    let (mut own, mut chain, mut iv) = ([0; 16], [0; 16], [0; 16]);
    fill(&mut own)?;
    fill(&mut chain)?;
    fill(&mut iv)?;
    let payload = Payload {
        user_id: Id::uuid(USER),
        methods: Methods::Bits(PASSWORD_AND_TOKEN),
        expires_at,
        audit_ids: AuditIds { own: AuditId(own), chain: Some(AuditId(chain)) },
        scope: Scope::Project(Id::uuid(PROJECT)),
        delegation: Delegation::None,
    };
    Ok(key.seal_text(issued_at.as_secs(), &iv, &payload.encode()))
}

/// Changes the character in the middle. The token remains well-formed: every 6 bits are a
/// character, and only the last one of a text can have bits that do not count.
fn tamper(token: &str) -> String {
    let middle = token.len() / 2;
    let change = |(at, character)| match character {
        'A' if at == middle => 'B',
        _ if at == middle => 'A',
        other => other,
    };
    token.chars().enumerate().map(change).collect()
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|why| io::Error::other(why.to_string()))
}

/// Why there is no demonstration.
#[derive(Debug)]
#[non_exhaustive]
pub enum DemoError {
    /// The key repository in the directory is not complete, and not ours to repair.
    Incomplete {
        /// The key repository.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or directory cannot be read or made.
    Io {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        why: io::Error,
    },
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { directory, why } => write!(
                f,
                "{} holds no complete set of keys ({why}): remove it, and it is made anew",
                directory.display()
            ),
            Self::Io { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl Error for DemoError {}

const FERNET_KEYS: &str = "fernet-keys";
const TOKENS: &str = "tokens.json";

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// How long tokens live: Keystone's default, `[token] expiration`.
const LIFETIME: Duration = Duration::from_hours(1);

/// Bits 1 and 2 of Keystone's default `[auth] methods`.
const PASSWORD_AND_TOKEN: u64 = 0b110;

const USER: [u8; 16] = [0x11; 16];
const PROJECT: [u8; 16] = [0x22; 16];

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use voussoir_core::fernet::{Envelope, KeyRing, OpenError};
    use voussoir_core::time::UnixTime;

    const NOW: Duration = Duration::from_secs(1_795_328_492);

    fn ring(key: &Key) -> KeyRing {
        KeyRing::new([(1, key.clone())]).unwrap()
    }

    fn opened(token: &str, key: &Key) -> Result<Payload, OpenError> {
        let envelope = Envelope::from_text(token.as_bytes(), 255).unwrap();
        envelope.open(&ring(key)).map(|opened| Payload::decode(&opened.payload).unwrap())
    }

    #[test]
    fn each_token_is_what_its_name_says() {
        let key = Key::new(&[1; 16], &[2; 16]);
        let tokens = Tokens::mint(&key, NOW).unwrap();
        let now = UnixTime::from_secs(NOW.as_secs());

        let good = opened(&tokens.good, &key).unwrap();
        assert_eq!(good.expires_at.time(), now + LIFETIME);
        assert_eq!(good.user_id.to_string(), "1".repeat(32));
        assert_eq!(good.scope, Scope::Project(Id::uuid(PROJECT)));
        assert!(good.audit_ids.chain.is_some());

        let expired = opened(&tokens.expired, &key).unwrap();
        assert_eq!(now.since(expired.expires_at.time()), LIFETIME);

        assert!(matches!(opened(&tokens.foreign, &key), Err(OpenError::NoKey(_))));
        assert!(matches!(opened(&tokens.tampered, &key), Err(OpenError::NoKey(_))));
        assert_eq!(tokens.tampered.len(), tokens.good.len());
        let differ = tokens.tampered.bytes().zip(tokens.good.bytes()).filter(|(a, b)| a != b);
        assert_eq!(differ.count(), 1);
    }

    #[test]
    fn no_two_tokens_share_their_randomness() {
        let key = Key::new(&[1; 16], &[2; 16]);
        let (one, other) = (mint(&key, NOW).unwrap(), mint(&key, NOW).unwrap());
        assert_eq!(one[..12], other[..12], "version and time");
        assert_ne!(one[12..34], other[12..34], "IV");
        let audit_ids = |token: &str| opened(token, &key).unwrap().audit_ids;
        assert_ne!(audit_ids(&one), audit_ids(&other));
    }

    #[test]
    fn only_the_owner_can_read_what_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new/demo");
        prepare(&directory).unwrap();
        for (name, mode) in [
            ("", 0o700),
            ("fernet-keys", 0o700),
            ("fernet-keys/0", 0o600),
            ("fernet-keys/1", 0o600),
            ("tokens.json", 0o600),
        ] {
            let permissions = fs::metadata(directory.join(name)).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, mode, "{name}");
        }
        let names = |directory: &Path| fs::read_dir(directory).unwrap().count();
        assert_eq!((names(&directory), names(&directory.join("fernet-keys"))), (2, 2));
    }

    #[test]
    fn a_second_start_keeps_the_keys_and_mints_anew() {
        let directory = tempfile::tempdir().unwrap();
        let first = prepare(directory.path()).unwrap();
        let keys = |name| fs::read(directory.path().join("fernet-keys").join(name)).unwrap();
        let (staged, primary) = (keys("0"), keys("1"));
        let second = prepare(directory.path()).unwrap();
        assert_eq!((staged, primary), (keys("0"), keys("1")));
        assert_ne!(first.good, second.good);
        let primary = Key::from_text(&keys("1")).unwrap();
        assert!(opened(&first.good, &primary).is_ok() && opened(&second.good, &primary).is_ok());

        let json = fs::read(directory.path().join("tokens.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        for (name, token) in second.iter() {
            assert_eq!(json[name], token);
        }
    }

    #[test]
    fn a_repository_that_is_not_complete_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("fernet-keys")).unwrap();
        let error = prepare(directory.path()).unwrap_err().to_string();
        assert!(error.ends_with("remove it, and it is made anew"), "{error}");
    }
}
