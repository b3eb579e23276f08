//! What an authority does wrong leaves the active signer untouched, and is told once.

use credlink_keys::{
    aws::rotation::ROTATION_TAG,
    rotation::{AuthorityChoice, Outcome, Step, Trigger},
};

use super::{
    deployment::Deployment,
    fake_ca::Trick,
    private_ca::{deployment, line, run},
};

#[tokio::test]
async fn each_failure_is_named_and_the_next_rotation_is_not_in_its_way() {
    let deployment = deployment().await;
    let before = deployment.active().await;
    for (trick, step, told) in [
        (
            Trick::Fails("IssueCertificate", 400, "AccessDeniedException"),
            Step::Ask,
            "allow acm-pca:IssueCertificate",
        ),
        (Trick::Fails("IssueCertificate", 400, "InvalidStateException"), Step::Ask, "InvalidStateException"),
        (
            Trick::Fails("DescribeCertificateAuthority", 400, "ResourceNotFoundException"),
            Step::Ask,
            "check that it is",
        ),
        (
            Trick::Fails("GetCertificate", 400, "RequestFailedException"),
            Step::Collect,
            "RequestFailedException",
        ),
        (Trick::ShortLived, Step::Ask, "at most seven days"),
        (Trick::Disabled, Step::Ask, "DISABLED"),
        (Trick::AboutToExpire, Step::Ask, "too soon"),
        (Trick::AnotherKey, Step::Validate, "does not belong"),
        (Trick::AnotherPurpose, Step::Validate, "extended key usage"),
        (Trick::NoPurpose, Step::Validate, "extended key usage"),
        (Trick::Expired, Step::Validate, "expired"),
        (Trick::Lasts(500), Step::Validate, "90 to 366 days"),
        (Trick::IsAuthority, Step::Validate, "CA=true"),
        (Trick::WithoutChain, Step::Collect, "does not end with a root"),
        (Trick::Garbage, Step::Validate, "damaged"),
    ] {
        let error = run(&deployment, &line(trick), Trigger::Forced).await.unwrap_err();
        assert_eq!(error.step, step, "{trick:?}: {error}");
        assert!(error.to_string().contains(told), "{trick:?}: {error}");
        assert!(!error.fault.passing, "{trick:?}: {error}");
        assert_eq!(deployment.enabled(ROTATION_TAG).await, [before.key_arn()], "{trick:?}");
    }
    let after = deployment.active().await;
    assert_eq!((after.version(), after.chain()), (before.version(), before.chain()));
    let report = run(&deployment, &line(Trick::None), Trigger::Forced).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
}

#[tokio::test]
async fn what_passes_keeps_the_rotation_and_the_next_run_goes_on() {
    let deployment = deployment().await;
    let throttled = line(Trick::Fails("GetCertificate", 400, "ThrottlingException"));
    let error = run(&deployment, &throttled, Trigger::Forced).await.unwrap_err();
    assert!(error.fault.passing, "{error}");
    let keys = deployment.enabled(ROTATION_TAG).await;
    assert_eq!(keys.len(), 2, "the new key waits");
    let error = run(&deployment, &throttled, Trigger::WhenDue).await.unwrap_err();
    assert!(error.fault.passing, "{error}");
    assert_eq!(deployment.enabled(ROTATION_TAG).await, keys, "the same one");
}

#[tokio::test]
async fn a_private_ca_that_nobody_named_is_missed() {
    let deployment = Deployment::new(AuthorityChoice::PrivateCa).await;
    let error = deployment.rotation().run(Trigger::WhenDue, &|| false).await.unwrap_err();
    assert!(error.to_string().contains("PRIVATE_CA_ARN"), "{error}");
    assert_eq!(deployment.keeper_candidates().await, 0);
}
