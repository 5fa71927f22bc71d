//! Values made from files, and made anew when the files change: bearer tokens, certificates.
//!
//! The files must be good at the start. Later, what is unreadable, half-written or wrong is
//! complained about and leaves the last good value in force.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch::{Receiver, Sender};
use tracing::{info, warn};
use voussoir_core::secret::Secret;

use crate::complaint::Complaint;
use crate::file::{self, ReadError};
use crate::metrics::Metrics;
use crate::settle::{Reading, Settle};

/// A value that files hold.
pub(crate) trait FromFiles: Send + Sized + Sync + 'static {
    /// What the files are called in logs and metrics.
    const FILES: &'static str;

    /// What can be wrong in them. It must not show any secret.
    type Error: Error;

    /// Makes the value from the contents of the files.
    fn from_files(contents: &[Secret]) -> Result<Self, Self::Error>;
}

/// Makes a value from the files at `paths` and starts to watch them. The thread ends when nobody
/// listens any more.
pub(crate) fn watch<T: FromFiles>(
    paths: Vec<PathBuf>,
    metrics: Arc<Metrics>,
) -> Result<Receiver<Arc<T>>, LoadError<T::Error>> {
    let contents = read(&paths)?;
    let value = T::from_files(&contents).map_err(LoadError::Content)?;
    let (sender, receiver) = tokio::sync::watch::channel(Arc::new(value));
    let settle = Settle::believing(contents);
    let mut watch = Watch { paths, metrics, sender, settle, complaint: Complaint::default() };
    thread::Builder::new()
        .name(T::FILES.into())
        .spawn(move || {
            while !watch.sender.is_closed() {
                thread::sleep(POLL_INTERVAL);
                watch.look();
            }
        })
        .map_err(LoadError::Thread)?;
    Ok(receiver)
}

struct Watch<T> {
    paths: Vec<PathBuf>,
    metrics: Arc<Metrics>,
    sender: Sender<Arc<T>>,
    settle: Settle<Vec<Secret>>,
    complaint: Complaint<String>,
}

impl<T: FromFiles> Watch<T> {
    fn look(&mut self) {
        let contents = match read::<T::Error>(&self.paths) {
            Ok(contents) => contents,
            Err(why) => {
                self.settle.failed();
                return self.complain(&why);
            }
        };
        match self.settle.read(contents) {
            Reading::Believed => {}
            Reading::Unsettled => return,
            Reading::New(contents) => match T::from_files(contents) {
                Ok(value) => {
                    self.sender.send_replace(Arc::new(value));
                    self.metrics.reloaded(T::FILES, true);
                    info!(files = T::FILES, "changed files are in force");
                }
                Err(why) => return self.complain(&LoadError::Content(why)),
            },
        }
        self.complaint.end();
    }

    fn complain(&mut self, why: &LoadError<T::Error>) {
        if let Some(why) = self.complaint.about(why.to_string()) {
            let files = T::FILES;
            warn!(files, "changed files are refused, what was in force stays so: {why}");
            self.metrics.reloaded(files, false);
        }
    }
}

fn read<E>(paths: &[PathBuf]) -> Result<Vec<Secret>, LoadError<E>> {
    let read = |path: &PathBuf| {
        file::read(path, MAX_FILE_BYTES).map_err(|why| LoadError::Read(path.clone(), why))
    };
    paths.iter().map(read).collect()
}

/// Why files make no value.
#[derive(Debug)]
pub(crate) enum LoadError<E> {
    /// Something is wrong in them.
    Content(E),
    /// One of them cannot be read.
    Read(PathBuf, ReadError),
    /// The operating system gives no thread to watch them.
    Thread(io::Error),
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(why) => write!(f, "{why}"),
            Self::Read(path, why) => write!(f, "{} cannot be read: {why}", path.display()),
            Self::Thread(why) => write!(f, "no thread to watch the files: {why}"),
        }
    }
}

impl<E: Error> Error for LoadError<E> {}

/// How often the files are read. A change is in force after two readings that agree, so within
/// twice this.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The most bytes of one file: room for any bundle of certificates.
const MAX_FILE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    #[derive(Debug)]
    struct Number(u32);

    impl FromFiles for Number {
        const FILES: &'static str = "number";
        type Error = std::num::ParseIntError;

        fn from_files(contents: &[Secret]) -> Result<Self, Self::Error> {
            String::from_utf8_lossy(contents[0].expose()).parse().map(Self)
        }
    }

    struct World {
        directory: TempDir,
        watch: Watch<Number>,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let paths = vec![directory.path().join("file")];
            let settle = Settle::believing(vec![Secret::new(b"1".to_vec())]);
            let sender = Sender::new(Arc::new(Number(1)));
            let metrics = Arc::new(Metrics::new());
            let watch = Watch { paths, metrics, sender, settle, complaint: Complaint::default() };
            Self { directory, watch }
        }

        fn sees(&mut self, text: &str) -> u32 {
            fs::write(self.directory.path().join("file"), text).unwrap();
            self.watch.look();
            self.watch.sender.borrow().0
        }
    }

    #[test]
    fn a_change_is_in_force_once_it_was_read_twice() {
        let mut world = World::new();
        assert_eq!(world.sees("1"), 1);
        assert_eq!(world.sees("2"), 1);
        assert_eq!(world.sees("2"), 2);
    }

    #[test]
    fn what_is_wrong_leaves_the_last_good_value_in_force() {
        let mut world = World::new();
        for text in ["", "", "two", "two", "two"] {
            assert_eq!(world.sees(text), 1);
        }
        fs::remove_file(world.directory.path().join("file")).unwrap();
        world.watch.look();
        world.watch.look();
        assert_eq!(world.watch.sender.borrow().0, 1);
        let refused = "reloads_total{files=\"number\",result=\"refused\"} 3";
        assert!(world.watch.metrics.to_string().contains(refused), "one each, not one a reading");
        assert_eq!(world.sees("1"), 1);
        assert_eq!(world.sees("1"), 1);
        assert_eq!(world.sees("3"), 1);
        assert_eq!(world.sees("3"), 3);
    }

    #[test]
    fn files_must_be_good_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let load = || watch::<Number>(vec![path.clone()], Arc::new(Metrics::new()));
        assert!(load().unwrap_err().to_string().ends_with("file cannot be read: entity not found"));
        fs::write(&path, "one").unwrap();
        assert_eq!(load().unwrap_err().to_string(), "invalid digit found in string");
        fs::write(&path, "1").unwrap();
        assert_eq!(load().unwrap().borrow().0, 1);
    }
}
