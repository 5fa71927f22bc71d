//! The program: what it prints, how it ends, what it does not log.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;
use voussoir_core::record::TOKEN_KEYS_PATH;

use crate::world::{AUTHORIZATION, Files, TOKEN, ask};

struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_voussoir-keyserver"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until it listens; returns where.
    fn address(&mut self) -> SocketAddr {
        loop {
            if let Some(address) = self.line().strip_prefix("listening on http://") {
                return address.parse().unwrap();
            }
        }
    }

    /// Waits for its end; returns the exit code and what it wrote to stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }

    fn terminate(self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.end()
    }
}

#[tokio::test]
async fn demo_prints_its_tokens_serves_and_ends_on_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("demo");
    let arguments = ["demo", "--directory", path.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut program = Program::start(&arguments);
    let json = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path.join("tokens.json")).unwrap()).unwrap()
    };
    for name in ["good", "expired", "tampered", "foreign"] {
        let line = program.line();
        assert_eq!(line, format!("{name}: {}", json(&path)[name].as_str().unwrap()));
    }
    let mut stream = TcpStream::connect(program.address()).await.unwrap();
    let answer = ask(&mut stream, TOKEN_KEYS_PATH, "").await.unwrap();
    assert_eq!(answer.keys(), [1, 0]);
    assert_eq!(program.terminate().0, Some(0));
}

#[tokio::test]
async fn logs_are_json_and_show_no_secret() {
    let files = Files::new();
    let [keys, tokens] = ["fernet-keys", "tokens"].map(|name| files.path(name));
    let mut program = Program::start(&[
        "serve",
        "--listen=127.0.0.1:0",
        "--fernet-keys",
        keys.to_str().unwrap(),
        "--bearer-tokens",
        tokens.to_str().unwrap(),
        "--log-format=json",
        "--log-level=debug",
    ]);
    let address = program.address();
    let wrong = "authorization: Bearer hunter2-hunter2-hunter2\r\n";
    for headers in [AUTHORIZATION, wrong] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream, &format!("{TOKEN_KEYS_PATH}?hunter2"), headers).await.unwrap();
        ask(&mut stream, "/hunter2", headers).await.unwrap();
    }
    let staged = fs::read_to_string(keys.join("0")).unwrap();
    fs::write(keys.join("0"), "hunter2").unwrap();
    sleep(Duration::from_millis(400)).await;
    fs::write(&tokens, "hunter2").unwrap();
    sleep(Duration::from_millis(2500)).await;

    let (code, text) = program.terminate();
    assert_eq!(code, Some(0));
    let messages: Vec<String> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        })
        .collect();
    for expected in [
        "serving a new set of keys",
        "answered",
        "refused: wrong bearer token",
        "the key repository holds no complete set of keys: the file of key 0 does not hold 44 \
         characters of padded base64url",
        "ending",
    ] {
        assert!(messages.iter().any(|message| message == expected), "{expected}\n{text}");
    }
    assert!(text.contains("changed files are refused"), "{text}");
    let primary = fs::read_to_string(keys.join("1")).unwrap();
    for secret in [TOKEN, "hunter2", &staged, &primary] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn exit_codes_and_messages_tell_what_to_do() {
    let files = Files::new();
    let [keys, tokens, nowhere] =
        ["fernet-keys", "tokens", "nowhere"].map(|name| files.path(name).display().to_string());
    fs::write(files.path("short"), "hunter2").unwrap();
    let short = files.path("short").display().to_string();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, code, expected) in [
        (&["--help"][..], 0, ""),
        (&["--version"], 0, ""),
        (&[], 2, "Usage"),
        (&["serve"], 2, "--fernet-keys"),
        (&["serve", "--fernet-keys", &keys], 2, "give --bearer-tokens"),
        (&["serve", "--fernet-keys", &keys, "--client-ca", &tokens], 2, "--tls-certificate <FILE>"),
        (&["serve", "--fernet-keys", &nowhere, "--bearer-tokens", &tokens], 2, "fernet_setup"),
        (
            &["serve", "--jws-public-keys", &nowhere, "--bearer-tokens", &tokens],
            2,
            "create_jws_keypair",
        ),
        (&["serve", "--fernet-keys", &keys, "--bearer-tokens", &nowhere], 2, "entity not found"),
        (&["serve", "--fernet-keys", &keys, "--bearer-tokens", &short], 2, "openssl rand -hex 32"),
        (
            &["serve", "--fernet-keys", &keys, "--bearer-tokens", &tokens, "--listen", &taken],
            1,
            "cannot listen on",
        ),
        (&["demo", "--directory", &nowhere, "--listen", "0.0.0.0:0"], 2, "127.0.0.1:9311"),
    ] {
        let (actual, text) = Program::start(arguments).end();
        assert_eq!(actual, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
    }
    assert!(!Path::new(&nowhere).exists());
}
