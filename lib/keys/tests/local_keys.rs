//! The keys of an installation: first use, every kind, permissions, interruptions, several processes at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{fs, path::Path, process::Command, thread};

use credlink_keys::{KeyKind, KeysError, LocalKeys, Replacement, trust_anchors};
use credlink_pipeline::signer::Signer;
use support::{files, now, openssl, openssl_ok, path, signer_contract, text};
use tempfile::TempDir;

const FILES: [&str; 5] =
    ["root.key.pem", "root.pem", "intermediate.key.pem", "intermediate.pem", "signer.pem"];

fn keys_in(folder: &TempDir) -> LocalKeys {
    LocalKeys::open_or_create(&folder.path().join("keys"), KeyKind::P256, now()).unwrap()
}

fn leaf(keys: &LocalKeys) -> Vec<u8> {
    keys.signer().chain()[0].clone()
}

#[tokio::test]
async fn every_kind_fulfils_the_contract_of_a_signer() {
    for kind in KeyKind::ALL {
        let folder = TempDir::new().unwrap();
        let keys = LocalKeys::open_or_create(folder.path(), kind, now()).unwrap();
        assert_eq!(keys.signer().kind(), kind);
        assert_eq!(keys.signer().chain().len(), 2);
        signer_contract(&*keys.signer()).await;

        let again = LocalKeys::open(folder.path(), now()).unwrap();
        signer_contract(&*again.signer()).await;
        assert_eq!(leaf(&again), leaf(&keys));
    }
}

#[test]
fn openssl_accepts_every_chain_and_sees_the_profile() {
    for kind in KeyKind::ALL {
        let folder = TempDir::new().unwrap();
        LocalKeys::open_or_create(folder.path(), kind, now()).unwrap();
        let [root, intermediate, signer] =
            ["root.pem", "intermediate.pem", "signer.pem"].map(|name| path(&folder, name));
        let checks = ["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", &root, "-untrusted"];
        openssl_ok(&[&checks[..], &[&intermediate, &signer]].concat());

        let printed = openssl_ok(&["x509", "-in", &signer, "-noout", "-text"]);
        for expected in [
            "Version: 3 (0x2)",
            "Signature Algorithm: ecdsa-with-SHA256",
            "X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation\n",
            "X509v3 Extended Key Usage: \n                1.3.6.1.4.1.62558.2.1, E-mail Protection\n",
            "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
            "X509v3 Authority Key Identifier: \n",
            "X509v3 Subject Key Identifier: \n",
            "O = CredLink Local",
            "CN = CredLink Local Signer",
        ] {
            assert!(printed.contains(expected), "{kind}: no {expected:?} in\n{printed}");
        }
        openssl_ok(&["pkey", "-in", &signer, "-noout", "-check"]);
    }
}

#[test]
fn the_authorities_outlive_what_they_issue() {
    let folder = TempDir::new().unwrap();
    let start = now();
    let keys = LocalKeys::open_or_create(&folder.path().join("keys"), KeyKind::P256, start).unwrap();
    let signer = keys.signer();
    let [leaf, intermediate] = signer.certificates() else { panic!("two certificates") };
    assert!(leaf.not_after <= intermediate.not_after);
    assert_eq!(leaf.days_left(start), 365);
    assert!(leaf.not_before < start && leaf.not_before.plus_days(366) >= leaf.not_after);
    assert_ne!(leaf.subject, leaf.issuer);

    let root = path(&folder, "keys/root.pem");
    let printed = openssl_ok(&["x509", "-in", &root, "-noout", "-text"]);
    assert!(printed.contains("CA:TRUE, pathlen:1") && printed.contains("Certificate Sign, CRL Sign"));
    let still_valid = |days: i64| {
        openssl(&["x509", "-in", &root, "-noout", "-checkend", &(days * 86400).to_string()]).status.success()
    };
    assert!(still_valid(3640) && !still_valid(3660));

    let late = start.plus_days(1825 - 200);
    let made = LocalKeys::create(keys.folder(), KeyKind::P256, Replacement::KeepPrevious, late).unwrap();
    let signer = made.keys.signer();
    let [leaf, same] = signer.certificates() else { panic!("two certificates") };
    assert_eq!(same.sha256, intermediate.sha256);
    assert_eq!((leaf.not_after, leaf.days_left(late)), (intermediate.not_after, 200));
}

#[test]
fn serial_numbers_are_random_and_positive() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    let again = LocalKeys::create(keys.folder(), KeyKind::P256, Replacement::KeepPrevious, now()).unwrap();
    let mut numbers: Vec<String> = Vec::new();
    for keys in [&keys, &again.keys] {
        numbers.extend(keys.signer().certificates().iter().map(|summary| summary.serial_number.clone()));
    }
    assert!(numbers.iter().all(|number| number.len() == 32 && number < &"8".to_owned()), "{numbers:?}");
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 3, "two leaves of one intermediate");
}

#[test]
fn litter_of_a_killed_process_goes_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    let litter = keys.folder().join(".new-xyz789");
    fs::write(&litter, "half").unwrap();
    LocalKeys::open(keys.folder(), now()).unwrap();
    assert!(!litter.exists());
}

#[cfg(unix)]
#[test]
fn keys_in_a_folder_that_cannot_be_written_are_usable() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    fs::write(keys.folder().join(".new-xyz789"), "half").unwrap();
    fs::set_permissions(keys.folder(), fs::Permissions::from_mode(0o500)).unwrap();
    let opened = LocalKeys::open_or_create(keys.folder(), KeyKind::P256, now());
    fs::set_permissions(keys.folder(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(leaf(&opened.unwrap()), leaf(&keys));
}

#[test]
fn a_second_use_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    let before = contents(keys.folder());
    let again = LocalKeys::open_or_create(keys.folder(), KeyKind::Rsa4096, now()).unwrap();
    assert_eq!(again.signer().kind(), KeyKind::P256);
    assert_eq!(contents(keys.folder()), before);
}

#[test]
fn the_trust_anchors_are_the_local_root() {
    let folder = TempDir::new().unwrap();
    assert_eq!(trust_anchors(folder.path()).unwrap(), "");
    let keys = keys_in(&folder);
    assert_eq!(keys.trust_anchors().unwrap(), fs::read_to_string(keys.folder().join("root.pem")).unwrap());
    assert!(!keys.trust_anchors().unwrap().contains("PRIVATE"));
}

#[test]
fn opening_needs_keys_and_says_how_to_get_them() {
    let folder = TempDir::new().unwrap();
    let error = LocalKeys::open(&folder.path().join("none"), now()).unwrap_err();
    assert!(matches!(error, KeysError::NoSigner { .. }));
    assert!(error.to_string().contains("credlink keys init"), "{error}");
    assert!(!folder.path().join("none").exists(), "looking makes no folder");
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let folder = TempDir::new().unwrap();
    let printed = format!("{:?} {:?}", keys_in(&folder), keys_in(&folder).signer());
    assert!(printed.contains("P256") && printed.len() < 2000, "{printed}");
    assert!(!printed.contains("secret") && !printed.contains("BEGIN"), "{printed}");
}

#[cfg(unix)]
#[test]
fn private_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    LocalKeys::create(keys.folder(), KeyKind::P256, Replacement::KeepPrevious, now()).unwrap();
    assert_eq!(mode(keys.folder()), 0o700);
    assert_eq!(mode(&keys.folder().join("previous")), 0o700);
    for name in files(keys.folder()) {
        let wanted = if ["root.pem", "intermediate.pem"].contains(&name.as_str()) { 0o644 } else { 0o600 };
        let found = mode(&keys.folder().join(&name));
        assert_eq!(found & !wanted, 0, "{name} is {found:o}");
    }

    let signer = keys.folder().join("signer.pem");
    fs::set_permissions(&signer, fs::Permissions::from_mode(0o644)).unwrap();
    LocalKeys::open(keys.folder(), now()).unwrap();
    assert_eq!(mode(&signer), 0o600, "what others could read is tightened");
}

#[test]
fn a_first_use_that_was_killed_is_completed() {
    let complete = TempDir::new().unwrap();
    let keys = keys_in(&complete);
    for count in 0..FILES.len() {
        let folder = TempDir::new().unwrap();
        for name in &FILES[..count] {
            fs::copy(keys.folder().join(name), folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join(".new-abc123"), "-----BEGIN PRIV").unwrap();
        LocalKeys::open_or_create(folder.path(), KeyKind::P256, now()).unwrap();
        let [root, intermediate, signer] =
            ["root.pem", "intermediate.pem", "signer.pem"].map(|name| path(&folder, name));
        openssl_ok(&["verify", "-CAfile", &root, "-untrusted", &intermediate, &signer]);
        assert!(!folder.path().join(".new-abc123").exists(), "no litter after {count} files");
        if count >= 2 {
            let kept = fs::read(folder.path().join("root.pem")).unwrap();
            assert_eq!(kept, fs::read(keys.folder().join("root.pem")).unwrap(), "a finished root is kept");
        }
        LocalKeys::open(folder.path(), now()).unwrap();
    }
}

#[test]
fn an_authority_without_its_key_is_not_replaced_silently() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    for name in ["root.key.pem", "intermediate.key.pem"] {
        fs::remove_file(keys.folder().join(name)).unwrap();
    }
    LocalKeys::open(keys.folder(), now()).unwrap();
    let before = contents(keys.folder());
    let error =
        LocalKeys::create(keys.folder(), KeyKind::P256, Replacement::KeepPrevious, now()).unwrap_err();
    assert!(matches!(error, KeysError::AuthorityKeyMissing { .. }), "{error}");
    assert!(error.to_string().contains("root.key.pem"), "{error}");
    for (name, bytes) in before {
        assert_eq!(fs::read(keys.folder().join(&name)).unwrap(), bytes, "{name} is as it was");
    }
}

#[test]
fn a_new_key_keeps_the_authority_and_the_earlier_signer() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    let old = fs::read(keys.folder().join("signer.pem")).unwrap();
    let refused = LocalKeys::create(keys.folder(), KeyKind::P384, Replacement::Refuse, now()).unwrap_err();
    assert!(matches!(refused, KeysError::SignerExists { .. }));
    assert!(refused.to_string().contains("--force"), "{refused}");

    let made = LocalKeys::create(keys.folder(), KeyKind::P384, Replacement::KeepPrevious, now()).unwrap();
    assert_eq!(made.keys.signer().kind(), KeyKind::P384);
    assert_eq!(fs::read(made.previous.unwrap()).unwrap(), old);
    assert_eq!(made.keys.trust_anchors().unwrap(), keys.trust_anchors().unwrap());
    assert_eq!(leaf(&LocalKeys::open(keys.folder(), now()).unwrap()), leaf(&made.keys));
}

#[test]
fn an_authority_near_its_end_is_renewed_and_the_old_root_stays_trusted() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    let root = keys.trust_anchors().unwrap();
    let in_six_years = now().plus_days(6 * 365);
    let expired = LocalKeys::open_or_create(keys.folder(), KeyKind::P256, in_six_years).unwrap_err();
    assert!(matches!(expired, KeysError::Expired { .. }), "{expired}");
    assert!(expired.to_string().contains("signer.pem"), "{expired}");

    let create =
        |time| LocalKeys::create(keys.folder(), KeyKind::P256, Replacement::KeepPrevious, time).unwrap().keys;
    assert_eq!(create(in_six_years).trust_anchors().unwrap(), root, "the root lives on");
    let anchors = create(now().plus_days(9 * 365 + 300)).trust_anchors().unwrap();
    assert!(anchors.ends_with(&root) && anchors.matches("BEGIN CERTIFICATE").count() == 2, "{anchors}");
}

#[test]
fn threads_that_start_at_once_end_with_the_same_keys() {
    let folder = TempDir::new().unwrap();
    let leaves: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| leaf(&keys_in(&folder)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(leaves.iter().all(|found| *found == leaves[0]));
}

const CHILD_FOLDER: &str = "CREDLINK_TEST_KEYS_FOLDER";

#[test]
fn processes_that_start_at_once_end_with_the_same_keys() {
    if let Ok(folder) = std::env::var(CHILD_FOLDER) {
        LocalKeys::open_or_create(Path::new(&folder), KeyKind::P256, now()).unwrap();
        return;
    }
    let folder = TempDir::new().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes_that_start_at_once_end_with_the_same_keys"])
            .env(CHILD_FOLDER, folder.path())
            .output()
    };
    thread::scope(|scope| {
        let children: Vec<_> = (0..6).map(|_| scope.spawn(start)).collect();
        for child in children {
            let output = child.join().unwrap().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    });
    let mut expected: Vec<_> = FILES.iter().map(|name| (*name).to_owned()).collect();
    expected.push(".lock".to_owned());
    expected.sort();
    assert_eq!(files(folder.path()), expected);
    LocalKeys::open(folder.path(), now()).unwrap();
}

#[test]
fn damaged_files_are_named_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let keys = keys_in(&folder);
    for (content, part) in [
        (&b""[..], "it is empty"),
        (b"hello", "no `-----BEGIN"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "damaged or cut off"),
        (&[0x30, 0x82, 1, 2], "convert it"),
    ] {
        let path = keys.folder().join("signer.pem");
        fs::write(&path, content).unwrap();
        let error = LocalKeys::open_or_create(keys.folder(), KeyKind::P256, now()).unwrap_err().to_string();
        assert!(error.contains("signer.pem") && error.contains(part), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::write(keys.folder().join("signer.pem"), vec![b'a'; 300_000]).unwrap();
    let error = LocalKeys::open(keys.folder(), now()).unwrap_err();
    assert!(matches!(error, KeysError::FileTooLarge { .. }), "{error}");
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files(folder)
        .into_iter()
        .map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap()))
        .filter(|(name, _)| !name.starts_with("previous") && name != ".lock")
        .collect()
}
