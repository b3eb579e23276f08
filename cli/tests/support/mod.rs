//! The command as a person runs it who works with a local AWS.

use std::process::Command;

use credlink_local_aws::{LocalAws, REGION};

/// `credlink` with the region and the credentials of the local AWS, and nothing of the machine's own account.
pub(crate) fn credlink() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_credlink"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", LocalAws::shared().endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    command
}
