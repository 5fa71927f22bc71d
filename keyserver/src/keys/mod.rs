//! `voussoir-keyserver keys`: access keys of our own are made, shown, switched off and deleted.

mod flags;
mod print;

use std::error::Error;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use voussoir_core::record::{CredentialRecord, Domain, Project, Role, SessionTokenHash, User};
use voussoir_core::secret::Secret;
use voussoir_core::sigv4::is_access_key;
use voussoir_core::time::UnixTime;
use zeroize::Zeroizing;

pub use flags::{Create, Format, InvalidLifetime, Keys, KeysCommand, Lifetime, List, Named};

use crate::cli::StoreFlags;
use crate::clock;
use crate::config::StoreConfig;
use crate::database::{Database, DatabaseError, Purpose};
use crate::file;
use crate::reload::FromFiles as _;
use crate::server::StartError;
use crate::store::{self, Entry, SchemaError, StoreKeys};

/// Does what the command line says.
pub async fn run(keys: Keys) -> Result<(), StartError> {
    let printed = match keys.command {
        KeysCommand::Create(flags) => create(*flags, clock::now()).await?,
        KeysCommand::List(flags) => {
            let (database, _) = open(flags.store).await?;
            print::entries(&store::list(&database).await.map_err(failed)?, flags.format)
        }
        KeysCommand::Disable(flags) => set_enabled(flags, false).await?,
        KeysCommand::Enable(flags) => set_enabled(flags, true).await?,
        KeysCommand::Delete(Named { store, access_key }) => {
            let (database, _) = open(store).await?;
            if !store::delete(&database, &access_key, clock::now()).await.map_err(failed)? {
                return Err(failed(KeysError::Unknown(access_key)));
            }
            Zeroizing::new(format!("{access_key} is deleted"))
        }
    };
    // Nobody reads what was made? Then it must not look as if all were well.
    writeln!(io::stdout(), "{}", *printed).map_err(|why| failed(KeysError::Print(why)))
}

async fn set_enabled(flags: Named, is_enabled: bool) -> Result<Zeroizing<String>, StartError> {
    let (database, _) = open(flags.store).await?;
    let access_key = flags.access_key;
    let is_known = store::set_enabled(&database, &access_key, is_enabled, clock::now()).await;
    if !is_known.map_err(failed)? {
        return Err(failed(KeysError::Unknown(access_key)));
    }
    let status = if is_enabled { "enabled" } else { "disabled" };
    Ok(Zeroizing::new(format!("{access_key} is {status}")))
}

/// The store, with its tables, and its configuration.
async fn open(flags: StoreFlags) -> Result<(Database, StoreConfig), StartError> {
    let store = StoreConfig::from_flags(flags).map_err(wrong)?;
    let store = store.ok_or_else(|| wrong(KeysError::NoStore))?;
    let database = Database::open(store.url.clone(), Purpose::Write);
    store::prepare(&database).await.map_err(failed)?;
    Ok((database, store))
}

async fn create(flags: Create, now: UnixTime) -> Result<Zeroizing<String>, StartError> {
    let random = |why: getrandom::Error| failed(KeysError::Random(why));
    let (access_key, secret) = match (flags.access_key, flags.secret_file) {
        (Some(access_key), Some(file)) => (access_key, read_secret(&file).map_err(wrong)?),
        _ => (store::access_key(&flags.prefix).map_err(random)?, store::secret().map_err(random)?),
    };
    let session_token =
        flags.session_token.then(store::session_token).transpose().map_err(random)?;
    let domain = |id: Option<String>, name| id.map(|id| Domain { id, name });
    let entry = Entry {
        access_key,
        is_enabled: true,
        record: CredentialRecord {
            user: User {
                id: flags.user_id,
                name: flags.user_name,
                domain: domain(flags.user_domain_id, flags.user_domain_name),
            },
            project: flags.project_id.map(|id| Project {
                id,
                name: flags.project_name,
                domain: domain(flags.project_domain_id, flags.project_domain_name),
            }),
            roles: flags.roles.into_iter().map(|name| Role::new(None, name)).collect(),
            delegation: None,
            expires_at: flags.expires_in.map(|Lifetime(seconds)| now.as_secs() + seconds),
            session_token_sha256: session_token
                .as_ref()
                .map(|token| SessionTokenHash::of(token.expose())),
        },
        description: flags.description,
        created_at: now.as_secs(),
        changed_at: now.as_secs(),
    };
    check(&entry).map_err(wrong)?;

    let (database, store) = open(flags.store).await?;
    let is_empty = store::count(&database).await.map_err(failed)? == 0;
    let keys = store_keys(&store.key, is_empty).map_err(wrong)?;
    let sealed = keys.seal(&entry.access_key, &secret, now).map_err(random)?;
    match store::insert(&database, &entry, &sealed).await {
        Err(why) if why.is_duplicate() => return Err(failed(KeysError::Exists(entry.access_key))),
        inserted => inserted.map_err(failed)?,
    }
    Ok(print::created(&entry, &secret, session_token.as_ref(), flags.format))
}

/// What filters would refuse is refused here.
fn check(entry: &Entry) -> Result<(), KeysError> {
    if !is_access_key(&entry.access_key) {
        return Err(KeysError::AccessKey);
    }
    entry.record.check().map_err(KeysError::Record)?;
    let CredentialRecord { user, project, .. } = &entry.record;
    let project = project.as_ref();
    let domains = [user.domain.as_ref(), project.and_then(|project| project.domain.as_ref())];
    let of_domains = domains.into_iter().flatten().flat_map(|d| [Some(&d.id), d.name.as_ref()]);
    let of_project = project.into_iter().flat_map(|p| [Some(&p.id), p.name.as_ref()]);
    let of_user = [Some(&user.id), user.name.as_ref(), entry.description.as_ref()];
    let mut texts = of_user.into_iter().chain(of_project).chain(of_domains).flatten();
    if texts.any(|text| text.chars().count() > MAX_COLUMN) {
        return Err(KeysError::TooLong);
    }
    Ok(())
}

fn read_secret(path: &Path) -> Result<Secret, KeysError> {
    let text = if path == Path::new("-") {
        // The whole capacity at once: growing would leave copies of the secret behind.
        let mut text = Vec::with_capacity(2 * MAX_SECRET);
        let limit = u64::try_from(2 * MAX_SECRET).unwrap_or(u64::MAX);
        io::stdin().lock().take(limit).read_to_end(&mut text).map_err(KeysError::Stdin)?;
        Secret::new(text)
    } else {
        file::read(path, 2 * MAX_SECRET).map_err(KeysError::SecretFile)?
    };
    let secret = text.expose().trim_ascii();
    let is_secret =
        (1..=MAX_SECRET).contains(&secret.len()) && secret.iter().all(u8::is_ascii_graphic);
    if is_secret { Ok(Secret::new(secret.to_vec())) } else { Err(KeysError::Secret) }
}

/// The keys that seal; made if they are absent and nothing was sealed yet.
fn store_keys(path: &Path, is_empty: bool) -> Result<StoreKeys, KeysError> {
    if is_empty && !path.exists() {
        make_store_key(path).map_err(KeysError::MakeStoreKey)?;
    }
    let text = file::read(path, MAX_STORE_KEY_FILE).map_err(KeysError::StoreKeyFile)?;
    StoreKeys::from_files(&[text]).map_err(|why| KeysError::StoreKey(why.to_string()))
}

fn make_store_key(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let text = Zeroizing::new(URL_SAFE.encode(*key) + "\n");
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(STORE_KEY_MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Why nothing was done.
#[derive(Debug)]
enum KeysError {
    AccessKey,
    Database(DatabaseError),
    Exists(String),
    MakeStoreKey(io::Error),
    NoStore,
    Print(io::Error),
    Random(getrandom::Error),
    Record(voussoir_core::record::InvalidRecord),
    Schema(SchemaError),
    Secret,
    SecretFile(file::ReadError),
    Stdin(io::Error),
    StoreKey(String),
    StoreKeyFile(file::ReadError),
    TooLong,
    Unknown(String),
}

fn wrong(why: impl Into<Box<dyn Error + Send + Sync>>) -> StartError {
    StartError::Configuration(why.into())
}

fn failed(why: impl Into<KeysError>) -> StartError {
    StartError::Runtime(Box::new(why.into()))
}

impl From<DatabaseError> for KeysError {
    fn from(why: DatabaseError) -> Self {
        Self::Database(why)
    }
}

impl From<SchemaError> for KeysError {
    fn from(why: SchemaError) -> Self {
        Self::Schema(why)
    }
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey => f.write_str("an access key has 1 to 128 visible ASCII characters"),
            Self::Database(why) => write!(f, "the store: {why}"),
            Self::Exists(access_key) => write!(f, "there is an access key {access_key} already"),
            Self::MakeStoreKey(why) => write!(f, "--store-key cannot be made: {why}"),
            Self::NoStore => f.write_str("give --store or --store-file, and --store-key"),
            Self::Print(why) => write!(f, "nothing can be printed: {why}"),
            Self::Random(why) => write!(f, "the system gives no random bytes: {why}"),
            Self::Record(why) => write!(f, "{why}"),
            Self::Schema(why) => write!(f, "the store: {why}"),
            Self::Secret => {
                write!(f, "a secret has 1 to {MAX_SECRET} visible ASCII characters on one line")
            }
            Self::SecretFile(why) => write!(f, "--secret-file cannot be read: {why}"),
            Self::Stdin(why) => write!(f, "stdin cannot be read: {why}"),
            Self::StoreKey(why) => f.write_str(why),
            Self::StoreKeyFile(why) => write!(
                f,
                "--store-key cannot be read: {why}. The store holds secrets that were sealed with \
                 it, so it is not made anew"
            ),
            Self::TooLong => write!(f, "a text is longer than {MAX_COLUMN} characters"),
            Self::Unknown(access_key) => write!(f, "there is no access key {access_key}"),
        }
    }
}

impl Error for KeysError {}

/// The longest secret that is taken over.
const MAX_SECRET: usize = 512;
/// The most characters of a text in the store.
const MAX_COLUMN: usize = 255;
const MAX_STORE_KEY_FILE: usize = 16 * 1024;
const STORE_KEY_MODE: u32 = 0o600;
