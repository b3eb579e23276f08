//! `credlink keys activate` and `credlink keys show --table`, run as a person runs them, against a local AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{fs, process::Command};

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use credlink_local_aws::LocalAws;
use serde_json::Value;
use tempfile::TempDir;

/// A table, a data folder, and the command.
struct Installation {
    kms: aws_sdk_kms::Client,
    table: String,
    data: TempDir,
}

/// What the command said.
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The one line of a failure.
    fn complaint(&self) -> &str {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        &self.stderr
    }
}

impl Installation {
    async fn new() -> Self {
        let aws = LocalAws::shared();
        let kms = aws_sdk_kms::Client::new(&aws.sdk_config());
        Self { kms, table: aws.make_table().await, data: TempDir::new().unwrap() }
    }

    async fn key(&self, spec: KeySpec, usage: KeyUsageType) -> String {
        let made = self.kms.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.data.path().join(name).display().to_string()
    }

    fn keys(&self, arguments: &[&str]) -> Outcome {
        Self::run(self.command(arguments))
    }

    fn activate(&self, key: &str) -> Outcome {
        self.keys(&["activate", "--kms-key", key, "--table", &self.table, "--json"])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::credlink();
        command.arg("keys").args(arguments).arg("--data").arg(self.data.path());
        command
    }

    fn run(mut command: Command) -> Outcome {
        let output = command.output().unwrap();
        Outcome {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[tokio::test]
async fn a_key_becomes_active_and_the_next_one_follows() {
    let installation = Installation::new().await;
    let show = ["show", "--table", &installation.table, "--json"];
    let nobody = installation.keys(&show);
    assert!(nobody.complaint().contains("credlink keys activate"), "{}", nobody.stderr);

    let first = installation.key(KeySpec::Rsa2048, KeyUsageType::SignVerify).await;
    let made = installation.activate(&first).json();
    assert_eq!((&made["version"], &made["keyArn"]), (&1.into(), &first.as_str().into()));
    assert_eq!((&made["algorithm"], &made["keyKind"]), (&"ps256".into(), &"rsa-2048".into()));
    assert_eq!(made["root"], installation.file("keys/root.pem"));
    assert_eq!(made["chain"].as_array().map(Vec::len), Some(2));
    assert!(fs::read_to_string(installation.file("keys/root.pem")).unwrap().contains("CERTIFICATE"));
    assert_eq!(installation.keys(&show).json()["serialNumber"], made["serialNumber"]);

    let again = installation.activate(&first).json();
    assert_eq!((&again["version"], &again["serialNumber"]), (&1.into(), &made["serialNumber"]));
    assert!(again["notes"][0].as_str().is_some_and(|note| note.contains("nothing was changed")), "{again}");

    let second = installation.key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    let table = installation.table.as_str();
    let text = installation.keys(&["activate", "--kms-key", &second, "--table", table]);
    assert_eq!(text.status, 0, "{}", text.stderr);
    for line in ["Version        2", &second, "es256 (p-256)", "Before it      version 1", "keys/root.pem"] {
        assert!(text.stdout.contains(line), "no {line:?} in\n{}", text.stdout);
    }
    let shown = installation.keys(&["show", "--table", table]);
    assert!(shown.stdout.contains(&second) && !shown.stdout.contains("PRIVATE"), "{}", shown.stdout);
    assert_eq!(installation.keys(&show).json()["anchors"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_cannot_sign_does_not_become_active() {
    let installation = Installation::new().await;
    let decrypts = installation.key(KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt).await;
    assert!(installation.activate(&decrypts).complaint().contains("SIGN_VERIFY"));
    let strange = installation.key(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify).await;
    assert!(installation.activate(&strange).complaint().contains("ECC_NIST_P256"));
    assert!(installation.activate("alias/nobody").complaint().contains("alias/nobody"));

    let disabled = installation.key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    installation.kms.disable_key().key_id(&disabled).send().await.unwrap();
    assert!(installation.activate(&disabled).complaint().contains("enable the key"));
    let nobody = installation.keys(&["show", "--table", &installation.table]);
    assert!(nobody.complaint().contains("no signer is active"));
}

#[tokio::test]
async fn a_chain_from_elsewhere_must_be_for_the_key() {
    let installation = Installation::new().await;
    let key = installation.key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    let init = installation.keys(&["init", "--algorithm", "p-256"]);
    assert_eq!(init.status, 0, "{}", init.stderr);
    let (chain, root) = (installation.file("keys/signer.pem"), installation.file("keys/root.pem"));
    let command = ["activate", "--kms-key", &key, "--table", &installation.table, "--chain", &chain];
    assert_eq!(installation.keys(&command).status, 2, "a chain comes with its root");
    let mismatch = installation.keys(&[&command[..], &["--root", &root]].concat());
    let complaint = mismatch.complaint();
    assert!(complaint.contains(&key) && complaint.contains("does not belong"), "{complaint}");
}

#[tokio::test]
async fn without_a_region_or_a_table_the_message_says_so() {
    let installation = Installation::new().await;
    let mut command = installation.command(&["show", "--table", "any"]);
    command.env_remove("AWS_REGION");
    assert!(Installation::run(command).complaint().contains("AWS_REGION"));
    let missing = installation.keys(&["show", "--table", "no-such-table"]);
    assert!(missing.complaint().contains("no-such-table"), "{}", missing.stderr);
}
