//! AWS Private CA as the authority.

use std::{sync::Arc, time::Duration};

use credlink_keys::{
    aws::rotation::DeployedRotation,
    rotation::{AuthorityChoice, Outcome, RotationError, RotationReport, Trigger},
};
use credlink_local_aws::{FaultyLink, LocalAws};
use credlink_pipeline::timestamp::Clock;
use tempfile::TempDir;

use super::{
    deployment::Deployment,
    fake_ca::{ARN, FakeCa, Trick},
};
use crate::support::{openssl_ok, path, write_certificate};

/// A deployment in which somebody signs already, with the internal authority, and that asks AWS Private CA from now on.
pub(super) async fn deployment() -> Deployment {
    let mut deployment = Deployment::new(AuthorityChoice::Internal).await;
    deployment.rotate(Trigger::WhenDue).await;
    deployment.settings.authority = AuthorityChoice::PrivateCa;
    deployment.settings.private_ca_arn = Some(ARN.to_owned());
    deployment
}

pub(super) fn line(trick: Trick) -> FaultyLink {
    let mut authority = FakeCa::new(trick);
    FaultyLink::to(LocalAws::shared(), move |call| authority.answer(call))
}

pub(super) async fn run(
    deployment: &Deployment,
    line: &FaultyLink,
    trigger: Trigger,
) -> Result<RotationReport, RotationError> {
    deployment.rotation_over(&line.sdk_config()).run(trigger, &|| false).await
}

#[tokio::test]
async fn a_certificate_of_private_ca_meets_the_profile_and_leads_to_its_root() {
    let deployment = deployment().await;
    let line = line(Trick::Slow(1));
    let report = run(&deployment, &line, Trigger::Forced).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
    let active = deployment.active().await;
    let folder = TempDir::new().unwrap();
    let leaf = write_certificate(&folder, "leaf.pem", &active.chain()[0]);
    let between = write_certificate(&folder, "between.pem", &active.chain()[1]);
    let roots = path(&folder, "roots.pem");
    std::fs::write(&roots, active.anchors()).unwrap();
    openssl_ok(&["verify", "-x509_strict", "-CAfile", &roots, "-untrusted", &between, &leaf]);
    assert!(active.certificates()[0].issuer.contains("Private Intermediate"));
    assert!((364..=365).contains(&active.certificates()[0].days_left(crate::support::now())));
    assert_eq!(
        active.anchors().matches("BEGIN").count(),
        2,
        "the root of the signer before it stays trusted"
    );
    deployment.assert_record_matches_its_key().await;
}

#[tokio::test]
async fn an_authority_that_takes_longer_than_a_run_is_waited_for() {
    let deployment = deployment().await;
    let line = line(Trick::Slow(3));
    let hasty = DeployedRotation { patience: Duration::ZERO, ..deployment.settings.clone() };
    let run = async |trigger| {
        let rotation = hasty.rotation(&line.sdk_config(), Arc::clone(&deployment.clock) as Arc<dyn Clock>);
        rotation.run(trigger, &|| false).await.unwrap().outcome
    };
    let Outcome::Waiting { rotation, reason, .. } = run(Trigger::Forced).await else { panic!("it waits") };
    assert!(reason.contains(ARN), "{reason}");
    let mut outcome = run(Trigger::WhenDue).await;
    while let Outcome::Waiting { rotation: again, .. } = outcome {
        assert_eq!(again, rotation);
        outcome = run(Trigger::WhenDue).await;
    }
    assert!(matches!(outcome, Outcome::Rotated { .. }), "{outcome}");
}
