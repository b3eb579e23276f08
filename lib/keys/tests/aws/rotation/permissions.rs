//! A permission that is missing for one step: the message names the step, the resource and the permission.

use std::{sync::Arc, time::Duration};

use credlink_keys::{
    aws::rotation::DeployedRotation,
    rotation::{AuthorityChoice, Outcome, Trigger},
};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};
use credlink_pipeline::timestamp::Clock;

use super::deployment::Deployment;

async fn told(
    deployment: &Deployment,
    denied: impl Fn(&credlink_local_aws::Call) -> bool + Send + 'static,
) -> String {
    let line = FaultyLink::to(LocalAws::shared(), move |call| match denied(call) {
        true if call.operation.is_empty() => Fate::Fail(403, "AccessDenied"),
        true => Fate::Fail(400, "AccessDeniedException"),
        false => Fate::Pass,
    });
    let hasty = DeployedRotation { patience: Duration::ZERO, ..deployment.settings.clone() };
    let clock = Arc::clone(&deployment.clock) as Arc<dyn Clock>;
    match hasty.rotation(&line.sdk_config(), clock).run(Trigger::WhenDue, &|| false).await {
        Ok(report) => panic!("{report}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn the_internal_authority_names_what_is_missing() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    for (operation, step, permission, resource) in [
        ("ListKeys", "make-key", "allow kms:ListKeys", "KMS"),
        ("CreateKey", "make-key", "allow kms:CreateKey with kms:TagResource", "KMS"),
        ("GetPublicKey", "make-key", "allow kms:GetPublicKey", "KMS key arn"),
        ("Sign", "request", "allow kms:Sign", "KMS key arn"),
        ("GetItem", "state", "allow dynamodb:GetItem", "table"),
        ("PutItem", "state", "allow dynamodb:PutItem", "table"),
        ("Query", "check", "dynamodb:Query", "table"),
        ("TransactWriteItems", "swap", "dynamodb:PutItem", "table"),
    ] {
        let told = told(&deployment, move |call| call.operation == operation).await;
        for part in [format!("step {step}").as_str(), permission, resource] {
            assert!(told.contains(part), "{operation}: no {part:?} in {told}");
        }
        assert!(deployment.records().active().await.unwrap().is_none());
    }
    let report = deployment.run(Trigger::WhenDue).await;
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
    deployment.run(Trigger::WhenDue).await;
    assert_eq!(deployment.keeper_candidates().await, 0);
}

#[tokio::test]
async fn the_bucket_is_named_too() {
    let deployment = Deployment::new(AuthorityChoice::External).await;
    let told = told(&deployment, |call| call.method == "PUT" && call.path.contains("/rotation/")).await;
    for part in ["step ask", "allow s3:PutObject", &format!("s3://{}/rotation/", deployment.settings.bucket)]
    {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
}

#[tokio::test]
async fn a_key_of_others_that_shows_no_tags_is_passed_over() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let stranger = deployment.strange_key().await;
    let line = FaultyLink::to(LocalAws::shared(), move |call| {
        let about_it = String::from_utf8_lossy(&call.body).contains(&stranger);
        if call.operation == "ListResourceTags" && about_it {
            return Fate::Fail(400, "AccessDeniedException");
        }
        Fate::Pass
    });
    deployment.rotate(Trigger::WhenDue).await;
    let rotation = deployment.rotation_over(&line.sdk_config());
    let report = rotation.run(Trigger::Forced, &|| false).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
}
