//! Documents of APIs: compiled by a command, and served from a directory.
//!
//! Of a file that was compiled, the bytes are served as they are: proxies are told their digest. A document of
//! OpenAPI is compiled when it is read, so that its digest may be another one with another version of this
//! program.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch::{Receiver, Sender};
use tracing::{info, warn};
use voussoir_core::record::is_schema_name;
use voussoir_core::schema::Document;
use voussoir_core::secret::Secret;
use voussoir_schema_compiler::{MAX_BYTES, Refusals, compile};

use crate::complaint::Complaint;
use crate::file::{self, ReadError};
use crate::keystone::hex;
use crate::metrics::Metrics;
use crate::server::StartError;
use crate::settle::{Reading, Same, Settle};

/// The flags of `schemas`.
#[derive(Args, Debug)]
pub struct Schemas {
    /// What to do.
    #[command(subcommand)]
    pub command: SchemasCommand,
}

/// What can be done with documents.
#[derive(Debug, Subcommand)]
pub enum SchemasCommand {
    /// Compile an OpenAPI 3.1 document, in JSON or YAML, and print the digest of what becomes of it
    Compile(Compile),
}

/// The flags of `schemas compile`.
#[derive(Args, Debug)]
pub struct Compile {
    /// The document
    #[arg(value_name = "DOCUMENT")]
    pub document: PathBuf,

    /// Where to write what it is compiled to; without it, only whether it can be is told
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Does what the command line says.
pub fn run(schemas: Schemas) -> Result<(), StartError> {
    let SchemasCommand::Compile(Compile { document, output }) = schemas.command;
    let wrong = |why: SchemaError| StartError::Configuration(Box::new(why));
    let schema = Schema::read(&document).map_err(|why| wrong(why.of(&document)))?;
    if let Some(output) = output {
        fs::write(&output, &*schema.json)
            .map_err(|why| wrong(Problem::Write(why.kind()).of(&output)))?;
    }
    let printed = writeln!(io::stdout(), "{} {} bytes", schema.digest(), schema.json.len());
    printed.map_err(|why| StartError::Runtime(why.into()))
}

/// One document, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) json: Arc<[u8]>,
    sha256: String,
}

/// All documents of a directory, by their names.
pub(crate) type Served = BTreeMap<String, Schema>;

impl Schema {
    fn new(text: &[u8]) -> Result<Self, Problem> {
        let json = match Document::from_json(text) {
            Ok(_) => text.to_vec(),
            Err(_) => compile(text).map_err(Problem::Refused)?,
        };
        let sha256 = hex(&Sha256::digest(&json));
        Ok(Self { json: json.into(), sha256 })
    }

    fn read(path: &Path) -> Result<Self, Problem> {
        let text = file::read(path, MAX_BYTES).map_err(Problem::Read)?;
        Self::new(text.expose())
    }

    /// As the filter's configuration has it.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", self.sha256)
    }

    /// The entity tag: the digest, in quotes.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }
}

/// Reads the documents of a directory and starts to watch it. All of them must be good at the start; later,
/// what is wrong is complained about, and leaves what there was. The thread ends when nobody listens any more.
pub(crate) fn watch(
    directory: &Path,
    metrics: Arc<Metrics>,
) -> Result<Receiver<Arc<Served>>, SchemaError> {
    let files = read(directory)?;
    let served = compiled(&files)?;
    tell(&served);
    let (sender, receiver) = tokio::sync::watch::channel(Arc::new(served));
    let settle = Settle::believing(files);
    let problem = |why: io::Error| Problem::Thread(why.kind()).of(directory);
    let mut watch = Watch {
        directory: directory.to_owned(),
        metrics,
        sender,
        settle,
        complaint: Complaint::default(),
    };
    thread::Builder::new()
        .name("schemas".into())
        .spawn(move || {
            while !watch.sender.is_closed() {
                thread::sleep(POLL_INTERVAL);
                watch.look();
            }
        })
        .map_err(problem)?;
    Ok(receiver)
}

struct Watch {
    directory: PathBuf,
    metrics: Arc<Metrics>,
    sender: Sender<Arc<Served>>,
    settle: Settle<Vec<File>>,
    complaint: Complaint<SchemaError>,
}

impl Watch {
    fn look(&mut self) {
        let files = match read(&self.directory) {
            Ok(files) => files,
            Err(why) => {
                self.settle.failed();
                return self.complain(why);
            }
        };
        match self.settle.read(files) {
            Reading::Believed => {}
            Reading::Unsettled => return,
            Reading::New(files) => match compiled(files) {
                Ok(served) => {
                    tell(&served);
                    self.sender.send_replace(Arc::new(served));
                    self.metrics.reloaded("schemas", true);
                }
                Err(why) => return self.complain(why),
            },
        }
        self.complaint.end();
    }

    fn complain(&mut self, why: SchemaError) {
        if let Some(why) = self.complaint.about(why) {
            warn!("changed schemas are refused, what was in force stays so: {why}");
            self.metrics.reloaded("schemas", false);
        }
    }
}

/// A file of the directory.
struct File {
    path: PathBuf,
    name: String,
    text: Secret,
}

impl Same for File {
    fn same(&self, other: &Self) -> bool {
        self.path == other.path && self.text.same(&other.text)
    }
}

/// The files whose names end as documents do, in order. What begins with a dot is none: so are files that are
/// not complete yet.
fn read(directory: &Path) -> Result<Vec<File>, SchemaError> {
    let problem = |why: io::Error| Problem::Read(why.into()).of(directory);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        let is_document = path
            .extension()
            .is_some_and(|end| ["json", "yaml", "yml"].iter().any(|known| end == *known));
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !is_document || name.starts_with('.') {
            continue;
        }
        if !is_schema_name(&name) {
            return Err(Problem::Name.of(&path));
        }
        let text = file::read(&path, MAX_BYTES).map_err(|why| Problem::Read(why).of(&path))?;
        files.push(File { path, name, text });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn compiled(files: &[File]) -> Result<Served, SchemaError> {
    let mut served = Served::new();
    for File { path, name, text } in files {
        let schema = Schema::new(text.expose()).map_err(|why| why.of(path))?;
        if served.insert(name.clone(), schema).is_some() {
            return Err(Problem::Twice.of(path));
        }
    }
    Ok(served)
}

fn tell(served: &Served) {
    for (name, schema) in served {
        info!(name, digest = schema.digest(), "schema");
    }
}

/// Why a file is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Name,
    Read(ReadError),
    Refused(Refusals),
    Thread(io::ErrorKind),
    Twice,
    Write(io::ErrorKind),
}

impl Problem {
    fn of(self, path: &Path) -> SchemaError {
        SchemaError { path: path.into(), problem: self }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Name => write!(
                f,
                "{path}: a document's name has 1 to 64 letters, digits, dots, hyphens and underscores"
            ),
            Problem::Read(why) => write!(f, "{path} cannot be read: {why}"),
            Problem::Refused(refusals) => {
                write!(f, "{path} cannot be compiled:")?;
                refusals.0.iter().try_for_each(|refusal| write!(f, "\n  {refusal}"))
            }
            Problem::Thread(why) => write!(f, "no thread to watch {path}: {why}"),
            Problem::Twice => write!(f, "{path}: another document has the same name"),
            Problem::Write(why) => write!(f, "{path} cannot be written: {why}"),
        }
    }
}

impl Error for SchemaError {}

/// How often the directory is read. A change is served after two readings that agree, so within twice this.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "openapi: 3.1.0\npaths:\n  /a:\n    get: {}\n";

    fn write(directory: &tempfile::TempDir, name: &str, text: &str) {
        fs::write(directory.path().join(name), text).unwrap();
    }

    #[test]
    fn what_was_compiled_is_served_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory, "api.yaml", API);
        write(&directory, ".half.yaml", "openapi");
        write(&directory, "README.md", "no document");
        let served = compiled(&read(directory.path()).unwrap()).unwrap();
        let api = served.get("api").unwrap();
        write(&directory, "other.json", str::from_utf8(&api.json).unwrap());
        let served = compiled(&read(directory.path()).unwrap()).unwrap();
        assert_eq!(served.get("other"), Some(api));
        assert_eq!(served.len(), 2);
        // As a person has it who looks.
        assert_eq!(api.digest(), format!("sha256:{}", api.etag().trim_matches('"')));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text, why) in [
            ("api.yml", API, "another document has the same name"),
            ("a b.json", API, "a document's name"),
            ("b.yaml", "openapi: 3.0.0\npaths: {}\n", "/: `openapi` is \"3.0.0\""),
            ("b.json", "{", "is not readable"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            write(&directory, "api.yaml", API);
            write(&directory, name, text);
            let found = read(directory.path()).and_then(|files| compiled(&files).map(|_| ()));
            let found = found.unwrap_err().to_string();
            assert!(found.contains(name) && found.contains(why), "{found}");
        }
        assert!(read(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_change_is_served_once_it_was_read_twice_and_what_is_wrong_leaves_what_there_was() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory, "api.yaml", API);
        let files = read(directory.path()).unwrap();
        let sender = Sender::new(Arc::new(compiled(&files).unwrap()));
        let metrics = Arc::new(Metrics::new());
        let settle = Settle::believing(files);
        let path = directory.path().into();
        let complaint = Complaint::default();
        let mut watch = Watch { directory: path, metrics, sender, settle, complaint };
        let names = |watch: &Watch| watch.sender.borrow().keys().cloned().collect::<Vec<_>>();
        write(&directory, "b.yaml", API);
        watch.look();
        assert_eq!(names(&watch), ["api"]);
        watch.look();
        assert_eq!(names(&watch), ["api", "b"]);
        write(&directory, "c.yaml", "openapi: 2");
        for _ in 0..3 {
            watch.look();
        }
        assert_eq!(names(&watch), ["api", "b"]);
        let refused = "reloads_total{files=\"schemas\",result=\"refused\"} 1";
        assert!(watch.metrics.to_string().contains(refused));
    }
}
