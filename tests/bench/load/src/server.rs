//! The servers that are compared: how they are started, and with which settings.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    rc::Rc,
};

use bytes::Bytes;
use tempfile::TempDir;

use crate::{client::Client, process::Process, request::Request};

/// What signs, with which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    pub program: Program,
    /// As `credlink keys init` names it.
    pub key: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// As it is, but that no client is limited.
    Credlink,
    /// c2pa-python as it is: it makes a thumbnail, and verifies what it signed.
    Python,
    PythonWithoutThumbnails,
    /// Neither a thumbnail nor the check.
    PythonBare,
}

impl Setup {
    /// Whether it is CredLink, and not what it is compared with.
    pub fn is_credlink(self) -> bool {
        self.program == Program::Credlink
    }

    pub fn name(self) -> String {
        let program = match self.program {
            Program::Credlink => "credlink serve",
            Program::Python => "c2pa-python, default settings",
            Program::PythonWithoutThumbnails => "c2pa-python, thumbnails off",
            Program::PythonBare => "c2pa-python, thumbnails and check off",
        };
        format!("{program}, {}", self.key)
    }

    /// Starts it with a key of its own.
    pub fn start(self) -> Server {
        let data = tempfile::tempdir().expect("a temporary folder");
        let made = Command::new(credlink())
            .args(["keys", "init", "--algorithm", self.key, "--data"])
            .arg(data.path())
            .output()
            .expect("credlink runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(data.path().join("server.log")).expect("a file for the log");
        let mut process = self
            .command(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a first line");
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address.parse());
        let Some(Ok(address)) = address else {
            let log = fs::read_to_string(data.path().join("server.log")).unwrap_or_default();
            panic!("the server does not say where it listens: {line:?}\n{log}");
        };
        Server { setup: self, process, address, data }
    }

    fn command(self, data: &Path) -> Command {
        if self.is_credlink() {
            let mut command = Command::new(credlink());
            command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
            command.envs([("RATE_LIMIT_MAX", "0"), ("SIGN_RATE_LIMIT_MAX", "0")]);
            return command;
        }
        let mut command = Command::new(python());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../c2pa_server.py"));
        command.arg("--keys").arg(data.join("keys")).args(["--algorithm", self.key]);
        // It would keep preferences in the user's folder.
        command.env("XDG_CONFIG_HOME", data);
        if self.program != Program::Python {
            command.arg("--no-thumbnails");
        }
        if self.program == Program::PythonBare {
            command.arg("--no-check");
        }
        command
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    setup: Setup,
    process: Child,
    address: SocketAddr,
    data: TempDir,
}

impl Server {
    pub fn client(&self) -> Rc<Client> {
        Rc::new(Client::new(self.address))
    }

    pub fn process(&self) -> Process {
        Process::server(self.process.id())
    }

    /// A request to sign `image`, in its way.
    pub fn sign_request(&self, image: &Bytes) -> Request {
        if self.setup.is_credlink() { Request::sign_form(image) } else { Request::sign(image) }
    }

    /// A request to verify what it signed itself, which it finds valid.
    pub async fn verify_request(&self, image: &Bytes) -> Request {
        let client = self.client();
        let request = Request::verify(&client.fetch(&self.sign_request(image)).await);
        let report = client.fetch(&request).await;
        let good: &[u8] =
            if self.setup.is_credlink() { b"\"valid\":true" } else { b"\"validation_state\": \"Trusted\"" };
        let is_good = report.windows(good.len()).any(|part| part == good);
        assert!(is_good, "it does not trust its own: {}", String::from_utf8_lossy(&report));
        request
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that it takes its children along.
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            eprintln!(
                "{} could not be stopped; its data is in {}",
                self.setup.name(),
                self.data.path().display()
            );
            return;
        }
        if let Err(error) = self.process.wait() {
            eprintln!("{} did not end: {error}", self.setup.name());
        }
    }
}

fn credlink() -> PathBuf {
    env::var_os("CREDLINK_BIN").map(PathBuf::from).expect("CREDLINK_BIN names a release build of credlink")
}

fn python() -> PathBuf {
    env::var_os("CREDLINK_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}
