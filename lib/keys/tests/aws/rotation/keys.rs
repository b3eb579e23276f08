//! Keys in KMS that are made for rotations.

use aws_sdk_kms::types::KeyState;
use credlink_keys::{
    KeyKind,
    aws::{
        KmsKey, NewSigner, SignerRecord,
        rotation::{KmsKeyKeeper, ROTATION_TAG},
    },
    rotation::{
        AuthorityChoice, Trigger,
        ports::{CandidateKey, KeyKeeper as _, KeyName, RotationId},
    },
};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};

use rcgen::SubjectPublicKeyInfo;
use time::Duration;

use super::deployment::Deployment;
use crate::{
    issuer::{Authority, pem},
    support::{now, openssl},
};

async fn deployment() -> Deployment {
    Deployment::new(AuthorityChoice::Internal).await
}

#[tokio::test]
async fn a_key_whose_maker_never_heard_the_answer_is_found_again() {
    let deployment = deployment().await;
    let mut answers = vec![Fate::LoseAnswer].into_iter();
    let line = FaultyLink::to(LocalAws::shared(), move |call| match call.operation.as_str() {
        "CreateKey" => answers.next().unwrap_or(Fate::Pass),
        _ => Fate::Pass,
    });
    let kms = aws_sdk_kms::Client::new(&line.sdk_config());
    let keeper = KmsKeyKeeper::new(kms, &deployment.settings.stack, deployment.records());
    let rotation = RotationId::random();
    let fault = keeper.make(rotation, KeyKind::P256).await.unwrap_err();
    assert!(fault.passing, "{fault}");
    let found = keeper.make(rotation, KeyKind::P256).await.unwrap();
    assert_eq!(deployment.enabled(ROTATION_TAG).await, [found.name.0.as_str()]);
    assert_eq!(keeper.candidates().await.unwrap(), [found]);
}

#[tokio::test]
async fn every_kind_of_key_signs_requests_as_x509_wants_it() {
    let deployment = deployment().await;
    let keeper = deployment.keeper();
    for kind in KeyKind::ALL {
        let rotation = RotationId::random();
        let mut made = keeper.make(rotation, kind).await;
        if kind == KeyKind::Ed25519 {
            assert!(made.unwrap_err().fix.contains("rsa-4096"));
            continue;
        }
        // A busy machine may take longer for a large key than the client waits.
        for _ in 0..5 {
            if made.is_err() {
                made = keeper.make(rotation, kind).await;
            }
        }
        let key = made.unwrap();
        assert_eq!(key.kind, kind);
        let signature = keeper.sign_request(&key, b"a request").await.unwrap();
        assert!(openssl_verifies(&key, b"a request", &signature), "{kind}");
    }
}

fn openssl_verifies(key: &CandidateKey, message: &[u8], signature: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        crate::support::path(&folder, name)
    };
    let public = ::pem::encode(&::pem::Pem::new("PUBLIC KEY", key.public_key_info.clone()));
    let (public, message) = (write("public.pem", public.as_bytes()), write("message", message));
    let (signature, digest) =
        (write("signature", signature), if key.kind == KeyKind::P384 { "-sha384" } else { "-sha256" });
    openssl(&["dgst", digest, "-verify", &public, "-signature", &signature, &message]).status.success()
}

#[tokio::test]
async fn keys_of_others_are_no_candidates_and_are_left_alone() {
    let (ours, theirs) = (deployment().await, deployment().await);
    let stranger = ours.strange_key().await;
    let own = ours.keeper().make(RotationId::random(), KeyKind::P256).await.unwrap();
    theirs.keeper().make(RotationId::random(), KeyKind::P256).await.unwrap();
    assert_eq!(ours.keeper().candidates().await.unwrap(), std::slice::from_ref(&own));
    ours.keeper().discard(&own).await.unwrap();
    ours.keeper().discard(&own).await.unwrap();
    assert_eq!(ours.state(&own.name.0).await, KeyState::PendingDeletion);
    assert_eq!(ours.keeper().candidates().await.unwrap(), []);
    assert_eq!(theirs.keeper().candidates().await.unwrap().len(), 1);
    assert_eq!(ours.state(&stranger).await, KeyState::Enabled);
}

#[tokio::test]
async fn a_key_that_signs_is_neither_discarded_nor_disabled_nor_deleted() {
    let deployment = deployment().await;
    let active = deployment.rotate(Trigger::WhenDue).await;
    let (keeper, name) = (deployment.keeper(), KeyName(active.key_arn().to_owned()));
    assert_eq!(keeper.candidates().await.unwrap(), []);
    let candidate = CandidateKey {
        name: name.clone(),
        rotation: RotationId::random(),
        kind: KeyKind::P256,
        public_key_info: Vec::new(),
    };
    keeper.discard(&candidate).await.unwrap();
    assert!(keeper.disable(&name).await.unwrap_err().problem.contains("it signs"));
    assert!(keeper.delete(&name).await.unwrap_err().problem.contains("it signs"));
    assert_eq!(deployment.state(&name.0).await, KeyState::Enabled);
}

#[tokio::test]
async fn a_damaged_copy_of_a_version_does_not_make_its_key_a_candidate() {
    let deployment = deployment().await;
    let first = deployment.rotate(Trigger::WhenDue).await;
    deployment.rotate(Trigger::Forced).await;
    let key = [("pk", "signer"), ("sk", "version#0000000001")];
    let mut request = Deployment::dynamo().update_item().table_name(&deployment.settings.table);
    for (name, value) in key {
        request = request.key(name, aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned()));
    }
    request.update_expression("REMOVE anchors").send().await.unwrap();
    let ports = deployment.records().versions().await.unwrap();
    assert_eq!(ports.len(), 1, "the damaged one is passed over");
    assert_eq!(deployment.keeper().candidates().await.unwrap(), []);
    deployment.run(Trigger::WhenDue).await;
    assert_eq!(deployment.state(first.key_arn()).await, KeyState::Enabled);
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named_with_what_to_do() {
    let deployment = deployment().await;
    let active = deployment.rotate(Trigger::WhenDue).await;
    let (keeper, kms) = (deployment.keeper(), Deployment::kms());
    let name = KeyName(active.key_arn().to_owned());
    keeper.check(&name).await.unwrap();

    kms.disable_key().key_id(&name.0).send().await.unwrap();
    let fault = keeper.check(&name).await.unwrap_err();
    assert!(fault.resource.contains(&name.0) && fault.problem.contains("disabled"), "{fault}");
    assert!(fault.fix.contains(&format!("aws kms enable-key --key-id {name}")), "{fault}");
    let report = deployment.rotation().run(Trigger::WhenDue, &|| false).await.unwrap();
    assert_eq!(report.upkeep.problems.len(), 1, "a run says it before somebody's image fails");

    kms.schedule_key_deletion().key_id(&name.0).send().await.unwrap();
    let fault = keeper.check(&name).await.unwrap_err();
    assert!(
        fault.problem.contains("will be deleted") && fault.fix.contains("cancel-key-deletion"),
        "{fault}"
    );

    let gone = KeyName(name.0.replace("key/", "key/0"));
    let fault = keeper.check(&gone).await.unwrap_err();
    assert!(fault.problem.contains("gone") && fault.fix.contains("credlink keys rotate"), "{fault}");
}

#[tokio::test]
async fn keys_of_expired_certificates_are_disabled_and_later_deleted() {
    let deployment = deployment().await;
    let first = short_lived(&deployment, 100).await;
    deployment.rotate(Trigger::Forced).await;
    let expiry = first.not_after();
    deployment.clock.set(expiry);
    deployment.run(Trigger::WhenDue).await;
    assert_eq!(deployment.state(first.key_arn()).await, KeyState::Enabled, "its certificate is still valid");
    deployment.clock.set(expiry.plus_days(2));
    let report = deployment.run(Trigger::WhenDue).await;
    assert_eq!(report.upkeep.disabled, [KeyName(first.key_arn().to_owned())]);
    assert_eq!(deployment.state(first.key_arn()).await, KeyState::Disabled);
    deployment.clock.set(expiry.plus_days(31));
    deployment.run(Trigger::WhenDue).await;
    assert_eq!(deployment.state(first.key_arn()).await, KeyState::PendingDeletion);
    deployment.assert_record_matches_its_key().await;
}

/// Makes a signer active whose certificate is valid for so many days.
async fn short_lived(deployment: &Deployment, days: i64) -> SignerRecord {
    let key = deployment.keeper().make(RotationId::random(), KeyKind::P256).await.unwrap();
    let (root, public) =
        (Authority::root("Example"), SubjectPublicKeyInfo::from_der(&key.public_key_info).unwrap());
    let between = root.intermediate("Between");
    let leaf =
        between.leaf_for(&public, |params| params.not_after = params.not_before + Duration::days(days));
    let key = KmsKey::read(&Deployment::kms(), &key.name.0).await.unwrap();
    let (chain, root) = (pem("chain", &format!("{leaf}{}", between.pem)), pem("root", &root.pem));
    let new = NewSigner::new(&key, &chain, &root, now()).unwrap();
    deployment.records().activate(&new, None, now()).await.unwrap()
}
