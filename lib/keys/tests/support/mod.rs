//! What the tests of signers share: the OpenSSL command line as an independent judge, and the contract that every
//! implementation of the `Signer` port fulfils.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use credlink_pipeline::{
    signer::{Signer, SigningAlgorithm},
    timestamp::Timestamp,
};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Everything that the pipeline relies on in a signer, whoever holds the key.
pub(crate) async fn signer_contract(signer: &dyn Signer) {
    let algorithm = signer.algorithm();
    assert!(!signer.chain().is_empty(), "a chain has a leaf");
    assert_eq!(algorithm.name().parse::<SigningAlgorithm>().unwrap(), algorithm);
    let leaf = &signer.chain()[0];

    let large = vec![0x5a; 1 << 20];
    for message in [&b""[..], b"x", b"a claim signature", &large] {
        let signature = signer.sign(message).await.unwrap();
        assert!(signature.len() <= signer.signature_length(), "{} bytes", signature.len());
        assert!(verifies(algorithm, leaf, message, &signature), "{algorithm} over {} bytes", message.len());
        let mut other = message.to_vec();
        other.push(1);
        assert!(!verifies(algorithm, leaf, &other, &signature), "{algorithm} over another message");
    }
    if algorithm == SigningAlgorithm::Ed25519 {
        assert_eq!(signer.sign(b"same").await.unwrap(), signer.sign(b"same").await.unwrap());
    } else {
        assert_ne!(signer.sign(b"same").await.unwrap(), signer.sign(b"same").await.unwrap());
    }

    let chain: Vec<_> = signer.chain().to_vec();
    for pair in chain.windows(2) {
        let folder = TempDir::new().unwrap();
        let child = write_certificate(&folder, "child.pem", &pair[0]);
        let parent = write_certificate(&folder, "parent.pem", &pair[1]);
        let output = openssl(&["verify", "-partial_chain", "-trusted", &parent, &child]);
        assert!(output.status.success(), "{}", text(&output));
    }
    for certificate in &chain {
        let folder = TempDir::new().unwrap();
        let path = write_certificate(&folder, "certificate.pem", certificate);
        let output = openssl(&["verify", "-trusted", &path, &path]);
        let self_signed = output.status.success() && subject(&path) == issuer(&path);
        assert!(!self_signed, "the root is not part of the chain");
    }
    assert_eq!(signer.chain(), chain, "key and chain are fixed for the life of the value");
}

/// Whether OpenSSL finds that `signature` over `message` was made with the key of the certificate `leaf` (DER).
pub(crate) fn verifies(algorithm: SigningAlgorithm, leaf: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let folder = TempDir::new().unwrap();
    let certificate = write_certificate(&folder, "leaf.pem", leaf);
    let public = path(&folder, "public.pem");
    let output = openssl(&["x509", "-in", &certificate, "-pubkey", "-noout"]);
    assert!(output.status.success(), "{}", text(&output));
    fs::write(&public, output.stdout).unwrap();
    let (message_path, signature_path) = (path(&folder, "message"), path(&folder, "signature"));
    fs::write(&message_path, message).unwrap();
    let encoded = match algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::Es384 => der_of_fixed(signature),
        SigningAlgorithm::Ps256 | SigningAlgorithm::Ed25519 => signature.to_vec(),
    };
    fs::write(&signature_path, encoded).unwrap();
    let options: &[&str] = match algorithm {
        SigningAlgorithm::Ps256 => &[
            "dgst",
            "-sha256",
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            "rsa_pss_saltlen:32",
            "-sigopt",
            "rsa_mgf1_md:sha256",
        ],
        SigningAlgorithm::Es256 => &["dgst", "-sha256"],
        SigningAlgorithm::Es384 => &["dgst", "-sha384"],
        SigningAlgorithm::Ed25519 => {
            let arguments = ["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-in"];
            let rest = [message_path.as_str(), "-sigfile", &signature_path];
            // OpenSSL 3.0 cannot read an empty file here.
            return if message.is_empty() {
                ed25519_verifies(leaf, message, signature)
            } else {
                openssl(&[&arguments[..], &rest[..]].concat()).status.success()
            };
        }
    };
    let rest = ["-verify", &public, "-signature", &signature_path, &message_path];
    openssl(&[options, &rest[..]].concat()).status.success()
}

/// Runs `openssl`, which must be installed.
pub(crate) fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().expect("the tests need the openssl command line tool")
}

/// Runs `openssl`, which must succeed, and returns what it printed.
pub(crate) fn openssl_ok(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    assert!(output.status.success(), "openssl {arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command printed, for messages.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The time now.
pub(crate) fn now() -> Timestamp {
    Timestamp::new(OffsetDateTime::now_utc())
}

/// A path in a temporary folder as text.
pub(crate) fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Writes DER as PEM.
pub(crate) fn write_certificate(folder: &TempDir, name: &str, der: &[u8]) -> String {
    let path = path(folder, name);
    fs::write(&path, pem::encode(&pem::Pem::new("CERTIFICATE", der))).unwrap();
    path
}

/// The names of the files below `folder`, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    let mut names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn subject(path: &str) -> String {
    openssl_ok(&["x509", "-in", path, "-noout", "-subject"]).trim_start_matches("subject=").to_owned()
}

fn issuer(path: &str) -> String {
    openssl_ok(&["x509", "-in", path, "-noout", "-issuer"]).trim_start_matches("issuer=").to_owned()
}

fn ed25519_verifies(leaf: &[u8], message: &[u8], signature: &[u8]) -> bool {
    use x509_parser::prelude::FromDer;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(leaf).unwrap();
    let key = &certificate.public_key().subject_public_key.data;
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, key)
        .verify(message, signature)
        .is_ok()
}

/// `r ‖ s` as `Ecdsa-Sig-Value` (RFC 3279, 2.2.3).
fn der_of_fixed(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [der_integer(r), der_integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

fn der_integer(big_endian: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = big_endian.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    [&[0x02, u8::try_from(digits.len()).unwrap()][..], &digits].concat()
}
