//! The program: command line in, exit code out.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use voussoir_keyserver::cli::{Cli, Command, Demo};
use voussoir_keyserver::config::Config;
use voussoir_keyserver::server::{Server, StartError};
use voussoir_keyserver::{demo, keys, logging, policy, schemas};

fn main() -> ExitCode {
    // clap itself ends the process with code 2 on wrong flags, and with 0 after --help.
    let cli = Cli::parse();
    logging::start(cli.log_format, cli.log_level);
    let done = match cli.command {
        Command::Demo(demo) => demonstrate(demo).and_then(|config| block_on(serve(config))),
        Command::Keys(keys) => block_on(keys::run(keys)),
        Command::Schemas(flags) => schemas::run(flags),
        Command::Policy(flags) => policy::run(flags).map_err(StartError::Configuration),
        Command::Serve(flags) => {
            Config::try_from(*flags).map_err(wrong).and_then(|config| block_on(serve(config)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nowhere_to_tell = writeln!(io::stderr(), "voussoir-keyserver: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn demonstrate(demo: Demo) -> Result<Config, StartError> {
    let directory = demo.directory.clone();
    let config = Config::try_from(demo).map_err(wrong)?;
    let tokens = demo::prepare(&directory).map_err(wrong)?;
    for (name, token) in tokens.iter() {
        say(&format!("{name}: {token}"));
    }
    Ok(config)
}

fn wrong(why: impl Error + Send + Sync + 'static) -> StartError {
    StartError::Configuration(Box::new(why))
}

fn block_on(work: impl Future<Output = Result<(), StartError>>) -> Result<(), StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| StartError::Runtime(why.into()))?
        .block_on(work)
}

async fn serve(config: Config) -> Result<(), StartError> {
    let signals = |kind| signal(kind).map_err(|why| StartError::Runtime(why.into()));
    let mut terminate = signals(SignalKind::terminate())?;
    let mut interrupt = signals(SignalKind::interrupt())?;

    let server = Server::bind(config).await?;
    say(&format!("listening on {}", server.url()));
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    Ok(())
}

/// Prints a line for whoever started the program. If nobody reads it, that is no reason to end.
fn say(line: &str) {
    let mut stdout = io::stdout();
    let _nobody_reads = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
