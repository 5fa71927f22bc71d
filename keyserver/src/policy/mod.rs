//! `voussoir-keyserver policy`: makes an access control list for the filter of the policies of a service
//! of `OpenStack`, as oslo.policy reads them.
//!
//! ```text
//!   sample, policy.yaml ─▶ file ─▶ expression ─▶ normal_form ─▶ list ─▶ the section `acl`
//!                    names            check ─▶ condition ──┘
//! ```
//!
//! A policy asks for things that a proxy cannot know, above all for what is stored: whose a server is.
//! What cannot be told is refused by name, unless the operator says what shall become of it.

mod condition;
mod expression;
mod file;
mod list;
mod names;
mod normal_form;
#[cfg(test)]
mod vectors;

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

pub use expression::{Check, Expression, InvalidExpression};
pub use file::{Documented, InvalidFile, Policies, Renamed, Request, Sample, policies};
pub use list::{Compiled, InDoubt, NotCompiled, Terms, compile};

/// The flags of `policy`.
#[derive(Args, Debug)]
pub struct Policy {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be done with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Print the section `acl` that says what the policies of a service say
    Compile(Compile),
}

/// The flags of `policy compile`.
#[derive(Args, Debug)]
pub struct Compile {
    /// What `oslopolicy-sample-generator` writes for the service, deprecated names included: its comments
    /// tell which requests a policy is about, and what it was called before
    #[arg(long, value_name = "FILE")]
    pub sample: PathBuf,

    /// The service's policy file, if it has one: what it says counts before the sample
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// What stands before the paths of the sample, such as /v2.1; can be given more than once
    #[arg(long = "prefix", value_name = "PATH")]
    pub prefixes: Vec<String>,

    /// A check that never holds, such as `is_admin:1`; can be given more than once
    #[arg(long = "never", value_name = "CHECK", value_parser = check)]
    pub never: Vec<Check>,

    /// What becomes of what the proxy cannot tell: refuse to compile it, leave it to the service, or
    /// deny what depends on it
    #[arg(long, value_enum, default_value = "refuse")]
    pub in_doubt: InDoubt,
}

/// Compiles, prints the list to stdout, and what it leaves open to stderr.
pub fn run(policy: Policy) -> Result<(), Box<dyn Error + Send + Sync>> {
    let PolicyCommand::Compile(flags) = policy.command;
    let sample =
        Sample::parse(&read(&flags.sample)?).map_err(|why| in_file(&flags.sample, &why))?;
    let rules = match &flags.rules {
        Some(file) => policies(&read(file)?).map_err(|why| in_file(file, &why))?,
        None => Policies::new(),
    };
    let terms = Terms { prefixes: flags.prefixes, never: flags.never, in_doubt: flags.in_doubt };
    let Compiled { acl, remarks } = compile(&sample, rules, &terms)?;
    let mut stderr = io::stderr();
    for remark in remarks {
        writeln!(stderr, "{remark}")?;
    }
    writeln!(io::stdout(), "{acl:#}")?;
    Ok(())
}

/// Reads what may be a pipe from the service's own generator, unlike what [`crate::file`] reads.
fn read(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|it| it.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|why| in_file(file, &why))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length < MAX_FILE_BYTES) {
        String::from_utf8(bytes).map_err(|why| in_file(file, &why))
    } else {
        Err(format!(
            "{}: {MAX_FILE_BYTES} bytes or more, no service has that many rules",
            file.display()
        ))
    }
}

fn in_file(file: &Path, why: &dyn Error) -> String {
    format!("{}: {why}", file.display())
}

fn check(text: &str) -> Result<Check, String> {
    let (kind, value) = text.split_once(':').ok_or("a check has a colon in it: is_admin:1")?;
    Ok(Check { kind: kind.into(), value: value.into() })
}

/// As many bytes of a file are not read: Nova's sample, one of the longest, has 0.2 MB.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_without_end_is_not_read_to_it() {
        let why = read(Path::new("/dev/zero")).unwrap_err();
        assert!(why.starts_with("/dev/zero: 8388608 bytes or more"), "{why}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "{}").unwrap();
        assert_eq!(read(&file).unwrap(), "{}");
    }
}
