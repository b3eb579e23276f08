//! `credlink keys`: show, make, import and replace the signing key of this machine, and say who signs on AWS.

mod api;
mod aws;
mod aws_rotation;
mod import;
mod rotate;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use credlink_keys::{
    KeyKind, KeysError, KeysSummary, LocalKeys, Replacement,
    aws::{KmsKeyError, NewSignerError, RecordsError},
    rotation::{RotationError, ports::Fault},
};
use credlink_pipeline::timestamp::Timestamp;
use credlink_service::config::ConfigError;
use serde::Serialize;
use thiserror::Error;
use time::OffsetDateTime;

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show the active signing key and its certificates; never the key itself
    #[command(after_help = "Examples:\n  credlink keys show\n  credlink keys show --json | jq .daysLeft\n  \
                      credlink keys show --table credlink-proofs")]
    Show(ShowArgs),
    /// Make a signing key with a certificate of the local authority
    #[command(after_help = "Examples:\n  credlink keys init\n  credlink keys init --algorithm p-256\n  \
                      credlink keys init --algorithm rsa-4096 --force\n\n\
                      keys/root.pem in the data folder is the trust anchor to hand to other validators.")]
    Init(InitArgs),
    /// Import a certificate chain and its key from another authority
    #[command(after_help = "Examples:\n  credlink keys import --chain chain.pem --key key.pem\n  \
                      credlink keys import --chain chain.pem --key key.pem --root root.pem\n  \
                      credlink keys import --chain chain.pem --root root.pem\n  \
                      credlink keys import --chain chain.pem --root root.pem --table credlink-proofs\n\n\
                      Without --key, the chain answers the request of a rotation, keys/requests/*.csr.pem.\n\
                      The earlier key is kept in keys/previous/.")]
    Import(import::ImportArgs),
    /// Make a new key with a new certificate, when the active one is due
    #[command(after_help = "Examples:\n  credlink keys rotate\n  credlink keys rotate --force\n  \
                      ROTATION_AUTHORITY=external credlink keys rotate --force --json\n  \
                      credlink keys rotate --table credlink-proofs\n\n\
                      A rotation that was broken off goes on. The earlier key is kept in keys/previous/.")]
    Rotate(rotate::RotateArgs),
    /// Make an earlier signer the active one again
    #[command(after_help = "Examples:\n  credlink keys rollback\n  credlink keys rollback --to 3f8a90c1\n  \
                      credlink keys rollback --table credlink-proofs --to 2")]
    Rollback(rotate::RollbackArgs),
    /// List who signed when
    #[command(
        after_help = "Examples:\n  credlink keys history\n  credlink keys history --json | jq '.[0].expiresAt'"
    )]
    History(rotate::HistoryArgs),
    /// Make a key in AWS KMS the one that signs, with a certificate of the local authority or with your own
    #[command(after_help = "Examples:\n  credlink keys activate --table credlink-proofs --kms-key \
                      arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\n  \
                      credlink keys activate --table credlink-proofs --kms-key alias/signing \
                      --chain chain.pem --root root.pem\n\n\
                      Region and credentials are found as the AWS command line finds them.\n\
                      The local authority stays in keys/ in the data folder: keep that folder for the next key.")]
    Activate(aws::ActivateArgs),
    /// Make, list and revoke API keys, which say who may call the service
    #[command(subcommand)]
    Api(api::ApiCommand),
}

/// Arguments of `keys show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show the signer that is active on AWS instead, from this DynamoDB table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `keys init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Kind of key: rsa-2048, rsa-3072, rsa-4096, p-256, p-384 or ed25519
    #[arg(long, value_name = "KIND", default_value_t = KeyKind::default())]
    algorithm: KeyKind,
    /// Replace the key that is there; it is kept in keys/previous/
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why a `keys` command failed. The exit status is 2.
#[derive(Debug, Error)]
pub(crate) enum KeysCommandError {
    /// The keys, or what was to become keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The key in KMS.
    #[error(transparent)]
    KmsKey(#[from] KmsKeyError),
    /// The trial signature.
    #[error(transparent)]
    Trial(#[from] NewSignerError),
    /// The record of the active signer.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The key is active, and its certificate cannot be used.
    #[error(
        "{0}; C2PA wants a new key for a new certificate, so make another KMS key and activate it, or give a chain \
         for this one with --chain"
    )]
    SameKey(String),
    /// A step of a rotation.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// What stands in the way on AWS.
    #[error(transparent)]
    Aws(#[from] Fault),
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The operator looks after the key.
    #[error(
        "SIGNING_CERTIFICATE is {}: this key is yours to replace; unset the variable to look after the key in the data \
         folder", _0.display()
    )]
    NotOurs(PathBuf),
    /// A chain whose root nobody knows.
    #[error("the root of {0} is neither in it nor known here: give it with --root")]
    NoRoot(String),
    /// The API keys.
    #[error(transparent)]
    Api(#[from] api::ApiCommandError),
    /// Nothing says which region of AWS is meant.
    #[error("no AWS region: set AWS_REGION, or choose a profile that has one with AWS_PROFILE")]
    NoRegion,
    /// The system gives no timers or sockets.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// The result could not be written to the terminal or pipe.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
    /// The result could not be put into JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs a `keys` command on the data folder `data_dir`; the keys stand in `keys/` below it.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub(crate) fn run(command: &KeysCommand, data_dir: &Path) -> Result<(), KeysCommandError> {
    let now = Timestamp::new(OffsetDateTime::now_utc());
    execute(command, &data_dir.join("keys"), now, &mut io::stdout().lock())
}

fn execute(
    command: &KeysCommand,
    folder: &Path,
    now: Timestamp,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    match command {
        KeysCommand::Show(ShowArgs { table: Some(table), json }) => {
            aws::show(table, now)?.write(*json, output)
        }
        KeysCommand::Show(args) => {
            let report = Report { summary: KeysSummary::read(folder, now)?, previous: None, notes: vec![] };
            report.write(args.json, output)
        }
        KeysCommand::Init(args) => {
            let replacement = if args.force { Replacement::KeepPrevious } else { Replacement::Refuse };
            let created = LocalKeys::create(folder, args.algorithm, replacement, now)?;
            let summary = created.keys.describe(now)?;
            Report { summary, previous: created.previous, notes: vec![] }.write(args.json, output)
        }
        KeysCommand::Import(args) => import::run(args, folder, now, output),
        KeysCommand::Rotate(args) => rotate::rotate(args, folder, output),
        KeysCommand::Rollback(args) => rotate::roll_back(args, folder, output),
        KeysCommand::History(args) => rotate::history(args, folder, output),
        KeysCommand::Activate(args) => aws::activate(args, folder, now)?.write(args.json, output),
        KeysCommand::Api(command) => api::execute(command, folder, now, output),
    }
}

/// What every `keys` command prints at its end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    summary: KeysSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Report {
    fn write(&self, json: bool, output: &mut impl Write) -> Result<(), KeysCommandError> {
        if json {
            serde_json::to_writer_pretty(&mut *output, self)?;
            writeln!(output)?;
            return Ok(());
        }
        writeln!(output, "{}", self.summary)?;
        if let Some(previous) = &self.previous {
            writeln!(output, "Earlier key    {}", previous.display())?;
        }
        for note in &self.notes {
            writeln!(output, "Note           {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use credlink_pipeline::timestamp::Timestamp;

    use super::*;

    #[derive(Debug, Parser)]
    struct Keys {
        #[command(subcommand)]
        command: KeysCommand,
    }

    fn keys(folder: &Path, arguments: &[&str]) -> Result<String, KeysCommandError> {
        let arguments = [&["keys"], arguments].concat();
        let mut output = Vec::new();
        let now = Timestamp::new(OffsetDateTime::now_utc());
        execute(&Keys::try_parse_from(arguments).unwrap().command, folder, now, &mut output)?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn init_makes_a_key_once_and_again_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let error = keys(folder.path(), &["show"]).unwrap_err().to_string();
        assert!(error.contains("credlink keys init"), "{error}");

        let made = keys(folder.path(), &["init", "--algorithm", "p-256"]).unwrap();
        assert!(made.contains("es256 (p-256)") && made.contains("root.pem"), "{made}");
        let error = keys(folder.path(), &["init"]).unwrap_err().to_string();
        assert!(error.contains("--force"), "{error}");
        let forced = keys(folder.path(), &["init", "--algorithm", "ed25519", "--force"]).unwrap();
        assert!(forced.contains("ed25519") && forced.contains("previous/signer-"), "{forced}");
    }

    #[test]
    fn show_prints_json_for_programs() {
        let folder = tempfile::tempdir().unwrap();
        keys(folder.path(), &["init", "--algorithm", "p-384"]).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&keys(folder.path(), &["show", "--json"]).unwrap()).unwrap();
        assert_eq!(json["algorithm"], "es384");
        assert_eq!(json["chain"].as_array().map(Vec::len), Some(2));
        assert!(json["files"]["root"].as_str().is_some_and(|path| path.ends_with("root.pem")));
    }

    #[test]
    fn import_reads_files_and_names_the_bad_one() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        keys(from.path(), &["init", "--algorithm", "p-256"]).unwrap();
        let path = |name: &str| from.path().join(name).display().to_string();
        let [signer, root, missing] = ["signer.pem", "root.pem", "none.pem"].map(path);
        let import = |key: &str| {
            keys(to.path(), &["import", "--chain", &signer, "--key", key, "--root", &root, "--json"])
        };
        let error = import(&missing).unwrap_err().to_string();
        assert!(error.contains("none.pem"), "{error}");
        let error = import(&root).unwrap_err().to_string();
        assert!(error.contains("root.pem holds no private key"), "{error}");
        let json: serde_json::Value = serde_json::from_str(&import(&signer).unwrap()).unwrap();
        assert_eq!(json["trustedHere"], true);
        assert!(json["notes"][0].as_str().is_some_and(|note| note.contains("trust anchor")), "{json}");
    }

    #[test]
    fn an_api_key_is_shown_once_and_revoked_by_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let json = |arguments: &[&str]| -> serde_json::Value {
            let arguments = [&["api"], arguments, &["--json"]].concat();
            serde_json::from_str(&keys(folder.path(), &arguments).unwrap()).unwrap()
        };
        let made = json(&["create", "--name", "desk", "--scope", "sign,verify", "--expires", "30"]);
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        assert!(key.starts_with("credlink_") && made["state"] == "active", "{made}");
        let listed = json(&["list"]);
        assert_eq!(listed[0]["id"], id);
        assert_eq!(listed[0]["scopes"], serde_json::json!(["sign", "verify"]));
        assert!(!listed.to_string().contains(&key[9..]), "{listed}");
        assert_eq!(json(&["revoke", id])["state"], "revoked");
        let error = keys(folder.path(), &["api", "revoke", "0000000000000000"]).unwrap_err().to_string();
        assert!(error.contains("credlink keys api list"), "{error}");
    }

    #[test]
    fn an_unknown_algorithm_is_a_usage_error() {
        let error = Keys::try_parse_from(["keys", "init", "--algorithm", "rsa-1024"]).unwrap_err();
        assert!(error.to_string().contains("rsa-2048"), "{error}");
    }
}
