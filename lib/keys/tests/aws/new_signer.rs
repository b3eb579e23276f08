//! Keys of KMS and the certificates for them.

use std::fs;

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use credlink_keys::{
    KeyKind, KeysError, LocalKeys, PemFile,
    aws::{KmsKey, KmsKeyError, NewSigner, NewSignerError},
};
use credlink_pipeline::signer::SignerError;
use rcgen::SubjectPublicKeyInfo;

use crate::{
    installation::Installation,
    issuer::{Authority, pem},
    support::{now, openssl_ok, path, write_certificate},
};

#[tokio::test]
async fn the_local_authority_issues_for_a_key_it_never_saw() {
    let installation = Installation::new().await;
    let new = installation.signer(KeySpec::Rsa3072).await;
    let record = installation.records().activate(&new, None, now()).await.unwrap();
    assert_eq!(record.kind(), KeyKind::Rsa3072);
    let leaf = write_certificate(&installation.folder, "leaf.pem", &record.chain()[0]);
    let between = write_certificate(&installation.folder, "between.pem", &record.chain()[1]);
    let root = path(&installation.folder, "root.pem");
    openssl_ok(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "smimesign",
        "-CAfile",
        &root,
        "-untrusted",
        &between,
        &leaf,
    ]);
    assert_eq!(record.anchors(), fs::read_to_string(&root).unwrap());

    let again = installation.signer(KeySpec::EccNistP256).await;
    let second = installation.records().activate(&again, Some(1), now()).await.unwrap();
    assert_eq!(second.chain()[1], record.chain()[1], "the authority stays");
    assert_eq!(second.anchors(), record.anchors());
}

#[tokio::test]
async fn the_certificate_is_for_the_public_key_of_kms() {
    let installation = Installation::new().await;
    let key = installation.key(KeySpec::EccNistP384).await;
    let new = NewSigner::issue(&key, installation.folder.path(), now()).unwrap();
    let record = installation.records().activate(&new, None, now()).await.unwrap();
    let leaf = write_certificate(&installation.folder, "leaf.pem", &record.chain()[0]);
    let printed = openssl_ok(&["x509", "-in", &leaf, "-pubkey", "-noout"]);
    assert_eq!(pem::parse(printed).unwrap().into_contents(), key.public_key_info());
}

#[tokio::test]
async fn a_chain_from_elsewhere_must_be_for_this_key_and_lead_to_its_root() {
    let installation = Installation::new().await;
    let key = installation.key(KeySpec::EccNistP256).await;
    let root = Authority::root("Root");
    let between = root.intermediate("Between");
    let public_key = SubjectPublicKeyInfo::from_der(key.public_key_info()).unwrap();
    let leaf = between.leaf_for(&public_key, |_| {});
    let chain = |texts: &[&str]| pem("chain.pem", &texts.concat());
    let root_file = |authority: &Authority| pem("root.pem", &authority.pem);

    let new = NewSigner::new(&key, &chain(&[&leaf, &between.pem]), &root_file(&root), now()).unwrap();
    new.try_out(&installation.kms).await.unwrap();
    let record = installation.records().activate(&new, None, now()).await.unwrap();
    assert_eq!((record.key_arn(), record.chain().len()), (key.arn(), 2));

    let with_root = NewSigner::new(&key, &chain(&[&leaf, &between.pem, &root.pem]), &root_file(&root), now());
    assert!(with_root.unwrap().notes()[0].contains("root"));
    let refused = |chain: PemFile, root: PemFile| NewSigner::new(&key, &chain, &root, now()).unwrap_err();
    let of_another = between.leaf();
    let error = refused(chain(&[&of_another.pem, &between.pem]), root_file(&root));
    assert!(matches!(&error, KeysError::KeyMismatch { key: name, .. } if name == key.arn()), "{error}");
    let error = refused(chain(&[&between.pem, &leaf]), root_file(&root));
    assert!(matches!(error, KeysError::WrongOrder { .. }), "{error}");
    let error = refused(chain(&[&leaf, &between.pem]), root_file(&Authority::root("Another")));
    assert!(matches!(error, KeysError::RootMismatch { .. }), "{error}");
    let late = NewSigner::new(&key, &chain(&[&leaf, &between.pem]), &root_file(&root), now().plus_days(201));
    assert!(matches!(late, Err(KeysError::Expired { .. })), "{late:?}");
}

#[tokio::test]
async fn keys_that_cannot_sign_images_are_refused() {
    let installation = Installation::new().await;
    let read = async |spec, usage| {
        let arn = installation.create_key(spec, usage).await;
        KmsKey::read(&installation.kms, &arn).await.unwrap_err()
    };
    let error = read(KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt).await;
    assert!(
        matches!(&error, KmsKeyError::NotForSigning { usage, .. } if usage == "ENCRYPT_DECRYPT"),
        "{error}"
    );
    let error = read(KeySpec::EccSecgP256K1, KeyUsageType::SignVerify).await;
    assert!(
        matches!(&error, KmsKeyError::UnsupportedSpec { spec, .. } if spec == "ECC_SECG_P256K1"),
        "{error}"
    );
    let error = read(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await;
    assert!(matches!(error, KmsKeyError::Refused { .. }), "{error}");
    let error = KmsKey::read(&installation.kms, "alias/nobody").await.unwrap_err();
    assert!(matches!(&error, KmsKeyError::Refused { key, .. } if key == "alias/nobody"), "{error}");
}

#[tokio::test]
async fn an_alias_stands_for_its_key_until_it_is_read() {
    let installation = Installation::new().await;
    let key = installation.key(KeySpec::EccNistP256).await;
    let alias = "alias/credlink-tests-alias";
    installation.kms.create_alias().alias_name(alias).target_key_id(key.arn()).send().await.unwrap();
    assert_eq!(KmsKey::read(&installation.kms, alias).await.unwrap(), key);
}

#[tokio::test]
async fn a_trial_finds_a_key_that_does_not_sign() {
    let installation = Installation::new().await;
    let new = installation.signer(KeySpec::Rsa2048).await;
    new.try_out(&installation.kms).await.unwrap();
    installation.kms.disable_key().key_id(new.key_arn()).send().await.unwrap();
    let error = new.try_out(&installation.kms).await.unwrap_err();
    assert!(matches!(error, NewSignerError::Signer(SignerError::Unusable(_))), "{error}");
}

#[test]
fn the_folder_of_the_authority_may_have_keys_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let keys = LocalKeys::open_or_create(folder.path(), KeyKind::P256, now()).unwrap();
    let info = openssl_ok(&["x509", "-in", &path(&folder, "signer.pem"), "-pubkey", "-noout"]);
    let info = ::pem::parse(info).unwrap().into_contents();
    let issued = credlink_keys::authority::issue_for(folder.path(), &info, now()).unwrap();
    assert_eq!(issued.root.name(), path(&folder, "root.pem"));
    let again = LocalKeys::open(folder.path(), now()).unwrap();
    assert_eq!(again.signer().certificates(), keys.signer().certificates());
    assert!(credlink_keys::authority::issue_for(folder.path(), b"no key", now()).is_err());
}
