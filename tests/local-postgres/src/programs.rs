//! The programs of PostgreSQL, which refuse to run as root.

use std::{
    fs,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian installs them, in a folder per version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The user that Debian makes for them.
const DEBIAN_USER: &str = "postgres";

pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    /// Whom they run as; `None` is the user of the tests.
    pub(crate) owner: Option<Owner>,
}

pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Programs {
    /// Those of the newest version.
    pub(crate) fn find() -> Self {
        let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
        let installed = versions.filter(|version| version.join("bin/initdb").exists());
        let newest = installed.max_by_key(|version| version.file_name()?.to_str()?.parse::<u32>().ok());
        let newest = newest.expect("no PostgreSQL is installed; `make postgres` installs it");
        Self { folder: newest.join("bin"), owner: is_root().then(debian_user) }
    }

    /// Runs one to its end, which must be a good one.
    pub(crate) fn run(&self, program: &str, folder: &Path, arguments: &[&str]) {
        let path = self.folder.join(program);
        // Not a pipe: the server, which outlives the program, would hold it open.
        let errors = fs::File::create(folder.join("errors")).unwrap();
        let mut command = self.command(&path, folder);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let status = command.status().unwrap();
        let told = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(status.success(), "{program} {arguments:?}: {}{}", told("errors"), told("log"));
    }

    pub(crate) fn command(&self, path: &Path, folder: &Path) -> Command {
        let mut command = Command::new(path);
        command.current_dir(folder).env("LC_ALL", "C");
        if let Some(Owner { user, group }) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn debian_user() -> Owner {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of_user = |line: &&str| line.split(':').next() == Some(DEBIAN_USER);
    let line = users.lines().find(of_user).expect("there is no user postgres; `make postgres` makes it");
    let mut numbers = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Owner { user: numbers.next().unwrap(), group: numbers.next().unwrap() }
}
