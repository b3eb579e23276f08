//! Signatures of KMS.

use aws_sdk_kms::types::KeySpec;
use credlink_keys::{KeyKind, aws::KmsSigner};
use credlink_pipeline::signer::{Signer as _, SignerError};

use crate::{
    installation::Installation,
    support::{now, signer_contract},
};

async fn signer_of(installation: &Installation, spec: KeySpec) -> KmsSigner {
    let new = installation.signer(spec).await;
    let record = installation.records().activate(&new, None, now()).await.unwrap();
    KmsSigner::new(&record, installation.kms.clone()).unwrap()
}

async fn fulfils_the_contract(spec: KeySpec, kind: KeyKind) {
    let installation = Installation::new().await;
    let signer = signer_of(&installation, spec).await;
    assert_eq!(signer.algorithm(), kind.signing_algorithm());
    assert_eq!(signer.signature_length(), kind.signature_length());
    signer_contract(&signer).await;
}

#[tokio::test]
async fn rsa_2048_fulfils_the_contract_of_a_signer() {
    fulfils_the_contract(KeySpec::Rsa2048, KeyKind::Rsa2048).await;
}

#[tokio::test]
async fn rsa_4096_fulfils_the_contract_of_a_signer() {
    fulfils_the_contract(KeySpec::Rsa4096, KeyKind::Rsa4096).await;
}

#[tokio::test]
async fn p256_fulfils_the_contract_of_a_signer() {
    fulfils_the_contract(KeySpec::EccNistP256, KeyKind::P256).await;
}

#[tokio::test]
async fn p384_fulfils_the_contract_of_a_signer() {
    fulfils_the_contract(KeySpec::EccNistP384, KeyKind::P384).await;
}

/// One in 128 numbers is shorter than its curve, so this meets several.
#[tokio::test]
async fn every_ecdsa_signature_has_the_full_length() {
    let installation = Installation::new().await;
    let signer = signer_of(&installation, KeySpec::EccNistP256).await;
    for _ in 0..300 {
        assert_eq!(signer.sign(b"message").await.unwrap().len(), 64);
    }
}

#[tokio::test]
async fn a_disabled_key_is_unusable_and_the_message_says_what_to_do() {
    let installation = Installation::new().await;
    let signer = signer_of(&installation, KeySpec::EccNistP256).await;
    installation.kms.disable_key().key_id(signer.key_arn()).send().await.unwrap();
    let SignerError::Unusable(message) = signer.sign(b"message").await.unwrap_err() else {
        panic!("it does not pass by itself")
    };
    assert!(message.contains(signer.key_arn()) && message.contains("enable the key"), "{message}");

    installation.kms.enable_key().key_id(signer.key_arn()).send().await.unwrap();
    assert!(signer.sign(b"message").await.is_ok());
}

#[tokio::test]
async fn a_key_that_is_to_be_deleted_is_unusable() {
    let installation = Installation::new().await;
    let signer = signer_of(&installation, KeySpec::EccNistP256).await;
    installation.kms.schedule_key_deletion().key_id(signer.key_arn()).send().await.unwrap();
    let error = signer.sign(b"message").await.unwrap_err();
    assert!(matches!(&error, SignerError::Unusable(text) if text.contains("keys activate")), "{error}");
}
