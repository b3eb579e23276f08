//! The internal authority with its keys in KMS.

use credlink_keys::{
    KeyKind,
    aws::rotation::{AUTHORITY_TAG, KmsAuthority},
    rotation::{
        AuthorityChoice, Trigger,
        ports::{Authority as _, Fault, Issuance, RotationId},
    },
};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};
use credlink_pipeline::timestamp::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::deployment::Deployment;
use crate::support::{now, openssl_ok, path, write_certificate};

fn authority(deployment: &Deployment, config: &credlink_aws::SdkConfig) -> KmsAuthority {
    let (kms, dynamo) = (aws_sdk_kms::Client::new(config), aws_sdk_dynamodb::Client::new(config));
    KmsAuthority::new(kms, dynamo, &deployment.settings.stack, &deployment.settings.table)
}

/// A request for a new key, DER.
fn request() -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::default().serialize_request(&key).unwrap().der().to_vec()
}

async fn issue(authority: &KmsAuthority, now: Timestamp) -> Result<Vec<Vec<u8>>, Fault> {
    let rotation = RotationId::random();
    let receipt = authority.request(rotation, &request(), now).await?;
    match authority.collect(rotation, &receipt, now).await? {
        Issuance::Issued { chain, root } => {
            let mut ders = certificates(&chain);
            ders.extend(certificates(&root));
            Ok(ders)
        }
        Issuance::Waiting { reason } => panic!("{reason}"),
    }
}

fn certificates(file: &credlink_keys::PemFile) -> Vec<Vec<u8>> {
    file.certificates().unwrap()
}

#[tokio::test]
async fn openssl_verifies_what_it_issues() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let ders = issue(&authority(&deployment, &Deployment::config()), now()).await.unwrap();
    let folder = TempDir::new().unwrap();
    let [leaf, between, root] = ["leaf.pem", "between.pem", "root.pem"].map(|name| path(&folder, name));
    for (name, der) in ["leaf.pem", "between.pem", "root.pem"].iter().zip(&ders) {
        write_certificate(&folder, name, der);
    }
    let verify =
        ["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", &root, "-untrusted", &between, &leaf];
    openssl_ok(&verify);
    let text = openssl_ok(&["x509", "-in", &leaf, "-noout", "-text"]);
    for line in [
        "X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation",
        "1.3.6.1.4.1.62558.2.1, E-mail Protection",
        "CA:FALSE",
        "X509v3 Authority Key Identifier",
        "O = CredLink, CN = CredLink Signer",
        "ecdsa-with-SHA256",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let text = openssl_ok(&["x509", "-in", &between, "-noout", "-text"]);
    assert!(text.contains("CA:TRUE, pathlen:0") && text.contains("Certificate Sign, CRL Sign"), "{text}");
}

#[tokio::test]
async fn asking_again_is_the_same_request_and_what_was_issued_is_forgotten_once_it_is_used() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let authority = authority(&deployment, &Deployment::config());
    let (rotation, request) = (RotationId::random(), request());
    let receipt = authority.request(rotation, &request, now()).await.unwrap();
    let collect = async || match authority.collect(rotation, &receipt, now()).await.unwrap() {
        Issuance::Issued { chain, .. } => certificates(&chain),
        Issuance::Waiting { reason } => panic!("{reason}"),
    };
    let issued = collect().await;
    assert_eq!(authority.request(rotation, &request, now()).await.unwrap(), receipt);
    assert_eq!(collect().await, issued);
    assert!(authority.issued(&issued).await.unwrap());
    for _ in 0..2 {
        authority.forget(rotation, &receipt).await.unwrap();
    }
    let fault = authority.collect(rotation, &receipt, now()).await.unwrap_err();
    assert!(!fault.passing && fault.problem.contains("not there any more"), "{fault}");
    assert!(authority.issued(&issued).await.unwrap(), "it is still its own");
}

#[tokio::test]
async fn of_two_first_uses_at_once_one_root_is_left() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let [one, other] = [(); 2].map(|()| authority(&deployment, &Deployment::config()));
    let (first, second) = (request(), request());
    let (one, other) = tokio::join!(
        one.request(RotationId::random(), &first, now()),
        other.request(RotationId::random(), &second, now())
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(deployment.enabled(AUTHORITY_TAG).await.len(), 2, "a root and an intermediate");
    let authority = authority(&deployment, &Deployment::config());
    let (first, second) = (issue(&authority, now()).await.unwrap(), issue(&authority, now()).await.unwrap());
    assert_eq!(first[1..], second[1..], "the same issuers");
}

#[tokio::test]
async fn a_first_use_that_was_killed_anywhere_is_completed_by_the_next() {
    for operation in ["CreateKey", "Sign", "PutItem"] {
        for count in 0..3 {
            let deployment = Deployment::new(AuthorityChoice::Internal).await;
            let (mut seen, mut dead) = (0, false);
            let line = FaultyLink::to(LocalAws::shared(), move |call| {
                if dead {
                    return Fate::Fail(400, "ExpiredTokenException");
                }
                if call.operation == operation {
                    dead = seen == count;
                    seen += 1;
                }
                if dead { Fate::LoseAnswer } else { Fate::Pass }
            });
            let dying = authority(&deployment, &line.sdk_config());
            drop(dying.request(RotationId::random(), &request(), now()).await);
            issue(&authority(&deployment, &Deployment::config()), now()).await.unwrap();
            let keys = deployment.enabled(AUTHORITY_TAG).await;
            assert_eq!(keys.len(), 2, "killed after {operation} {count}: {keys:?}");
        }
    }
}

#[tokio::test]
async fn its_own_certificates_are_renewed_before_a_leaf_outlives_them() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let authority = authority(&deployment, &Deployment::config());
    let first = issue(&authority, now()).await.unwrap();
    let after = |days| now().plus_days(days);
    assert_eq!(issue(&authority, after(1400)).await.unwrap()[1..], first[1..]);
    let second = issue(&authority, after(1500)).await.unwrap();
    assert_ne!(second[1], first[1], "another intermediate");
    assert_eq!(second[2], first[2], "below the same root");
    let third = issue(&authority, after(3300)).await.unwrap();
    assert_ne!(third[2], first[2], "another root");
    assert!(authority.issued(&first[..2]).await.unwrap(), "what led to the earlier root is still its own");
    // The keys of the certificates that were replaced are given up by the next issuance.
    issue(&authority, after(3302)).await.unwrap();
    assert_eq!(deployment.enabled(AUTHORITY_TAG).await.len(), 2);
}

#[tokio::test]
async fn a_request_without_proof_of_its_key_is_refused() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let mut bad = request();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    for request in [bad, b"no request".to_vec()] {
        let authority = authority(&deployment, &Deployment::config());
        let fault = authority.request(RotationId::random(), &request, now()).await.unwrap_err();
        assert!(!fault.passing && fault.problem.contains("refused"), "{fault}");
    }
    assert!(deployment.keys(AUTHORITY_TAG).await.is_empty(), "nothing was made for it");
}

#[tokio::test]
async fn a_key_that_was_disabled_by_hand_is_named_with_the_ways_out() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let authority = authority(&deployment, &Deployment::config());
    issue(&authority, now()).await.unwrap();
    for key in deployment.enabled(AUTHORITY_TAG).await {
        Deployment::kms().disable_key().key_id(key).send().await.unwrap();
    }
    let fault = issue(&authority, now()).await.unwrap_err();
    assert!(fault.resource.contains("KMS key") && fault.problem.contains("DisabledException"), "{fault}");
    assert!(fault.fix.contains("aws dynamodb delete-item"), "{fault}");
}

#[tokio::test]
async fn automatically_a_chain_from_elsewhere_is_not_replaced_by_one_of_its_own() {
    let deployment = Deployment::new(AuthorityChoice::Auto).await;
    let first = deployment.rotate(Trigger::WhenDue).await;
    assert!(first.certificates()[0].issuer.contains("CredLink Intermediate"), "nobody was active");
    let second = deployment.rotate(Trigger::Forced).await;
    assert_eq!(second.anchors(), first.anchors(), "its own chain is replaced by its own");

    let folder = TempDir::new().unwrap();
    let kms = Deployment::kms();
    let key = credlink_keys::aws::KmsKey::read(&kms, &deployment.strange_key().await).await.unwrap();
    assert_eq!(key.kind(), KeyKind::P256);
    let new = credlink_keys::aws::NewSigner::issue(&key, folder.path(), now()).unwrap();
    deployment.records().activate(&new, Some(second.version()), now()).await.unwrap();
    let report = deployment.run(Trigger::Forced).await;
    let text = report.to_string();
    assert!(text.contains("Waiting") && text.contains("csr.pem"), "{text}");
    assert_eq!(deployment.active().await.key_arn(), key.arn());
}
