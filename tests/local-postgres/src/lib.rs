//! A PostgreSQL for the tests of everything that keeps proofs in one: Debian's, on loopback, as a process of its own, with
//! its data in a temporary folder. `make postgres` installs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod databases;
mod programs;

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    sync::OnceLock,
};

use uuid::Uuid;

pub use databases::connect;
use programs::Programs;

/// The user that owns all databases, and may do everything.
pub const USER: &str = "credlink";

/// What a server that forgets everything soon need not do. Its clients are told the truth all the same: a commit is
/// seen by everybody, also after the server was stopped or killed.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
full_page_writes = off
autovacuum = off
log_min_messages = fatal
";

/// A PostgreSQL that runs. It ends, and its data is removed, when this is dropped or the process of the tests ends,
/// however that ends.
pub struct LocalPostgres {
    programs: Programs,
    folder: PathBuf,
    port: u16,
    password: String,
    _guard: Child,
    /// Closed when the process of the tests ends, which tells the guard to end the server as well.
    _lifeline: ChildStdin,
}

impl LocalPostgres {
    /// The one that all tests of a process share. Each test makes databases of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<LocalPostgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of a test's own, which it may stop.
    pub fn start() -> Self {
        Self::start_with("", &[])
    }

    /// One of somebody's own that keeps its data as in production: it flushes, and its vacuum runs.
    pub fn start_durable() -> Self {
        Self::start_with("fsync = on\nfull_page_writes = on\nautovacuum = on\n", &[])
    }

    /// One that speaks TLS as well, with this certificate and its key, both PEM.
    pub fn start_with_certificate(certificate: &str, key: &str) -> Self {
        Self::start_with("ssl = on\n", &[("server.crt", certificate), ("server.key", key)])
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The password of [`USER`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Stops it, as its owner would: whoever is connected is told so.
    pub fn stop(&self) {
        self.programs.run("pg_ctl", &self.folder, &["stop", "-D", "data", "-m", "fast", "-s", "-w"]);
    }

    /// Stops it as if the machine lost power.
    pub fn kill(&self) {
        self.programs.run("pg_ctl", &self.folder, &["stop", "-D", "data", "-m", "immediate", "-s", "-w"]);
    }

    /// Starts it again at the same port, with what it held.
    pub fn resume(&self) {
        let start = ["start", "-D", "data", "-l", "log", "-s", "-w", "-t", "60"];
        self.programs.run("pg_ctl", &self.folder, &start);
    }

    fn start_with(settings: &str, files: &[(&str, &str)]) -> Self {
        let programs = Programs::find();
        let folder = tempfile::tempdir().unwrap().keep();
        programs.give(&folder);
        let (guard, lifeline) = programs.guard(&folder);
        // Taken by somebody else in between only by a rare accident, which the start then reports.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let password = Uuid::new_v4().simple().to_string();
        let postgres = Self { programs, folder, port, password, _guard: guard, _lifeline: lifeline };
        postgres.initialise(settings, files);
        postgres.resume();
        postgres
    }

    fn initialise(&self, settings: &str, files: &[(&str, &str)]) {
        self.write("password", &self.password);
        let initialise = [
            "-D",
            "data",
            "-U",
            USER,
            "--pwfile=password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ];
        self.programs.run("initdb", &self.folder, &initialise);
        self.write("data/postgresql.auto.conf", &format!("{SETTINGS}port = {}\n{settings}", self.port));
        for (name, content) in files {
            self.write(&format!("data/{name}"), content);
        }
    }

    /// Writes a file that only the server may read.
    fn write(&self, name: &str, content: &str) {
        let path = self.folder.join(name);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        self.programs.give(&path);
    }
}

impl Programs {
    /// Makes `path` belong to whom the programs run as.
    fn give(&self, path: &Path) {
        if let Some(owner) = &self.owner {
            chown(path, Some(owner.user), Some(owner.group)).unwrap();
        }
    }

    /// Starts what ends the server and removes its folder as soon as the pipe to it is closed. Signals of a terminal,
    /// which reach the tests as well, do not end it.
    fn guard(&self, folder: &Path) -> (Child, ChildStdin) {
        let script = r#"trap "" HUP INT TERM; cat >/dev/null; "$0/pg_ctl" stop -D data -m immediate -s -w; rm -rf "$1""#;
        let mut guard = self.command(Path::new("sh"), folder);
        guard.args(["-c", script]).arg(&self.folder).arg(folder);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut guard = guard.spawn().expect("sh can be run");
        let lifeline = guard.stdin.take().expect("stdin is a pipe");
        (guard, lifeline)
    }
}
