//! The journal, and earlier versions.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_keys::{
    aws::{
        RecordsError,
        rotation::{DeployedRotation, TableJournal},
    },
    rotation::{
        AuthorityChoice, Outcome, Trigger,
        ports::{RotationJournal as _, SwapError},
    },
};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};

use super::deployment::Deployment;
use crate::{installation::text, support::now};

async fn put(deployment: &Deployment, sk: &str, attributes: &[(&str, AttributeValue)]) {
    let request = Deployment::dynamo().put_item().table_name(&deployment.settings.table);
    let mut request = request.item("pk", text("signer")).item("sk", text(sk));
    for (name, value) in attributes {
        request = request.item(*name, value.clone());
    }
    request.send().await.unwrap();
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_counts_once_and_another_writer_is_noticed() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let table = &deployment.settings.table;
    let mut answers = vec![Fate::LoseAnswer].into_iter();
    let line = FaultyLink::to(LocalAws::shared(), move |call| match call.operation.as_str() {
        "PutItem" => answers.next().unwrap_or(Fate::Pass),
        _ => Fate::Pass,
    });
    let journal = TableJournal::new(aws_sdk_dynamodb::Client::new(&line.sdk_config()), table);
    assert_eq!(journal.read().await.unwrap(), None);
    assert_eq!(journal.write("one", None).await, Ok(1));
    assert_eq!(journal.read().await.unwrap(), Some((1, "one".to_owned())));
    assert_eq!(journal.write("two", None).await, Err(SwapError::LostRace));
    assert_eq!(journal.write("two", Some(1)).await, Ok(2));
    assert_eq!(journal.write("three", Some(1)).await, Err(SwapError::LostRace));
    assert!(journal.place().contains(table));
}

#[tokio::test]
async fn state_that_was_edited_by_hand_is_named_and_nothing_is_touched() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let revision = ("revision", AttributeValue::N("1".to_owned()));
    for attributes in [
        vec![("state", text("{}"))],
        vec![revision.clone()],
        vec![revision.clone(), ("state", text("no json"))],
        vec![revision.clone(), ("state", text(r#"{"schema": 99}"#))],
    ] {
        put(&deployment, "rotation", &attributes).await;
        let error = deployment.rotation().run(Trigger::Forced, &|| false).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&deployment.settings.table), "{message}");
        assert!(message.contains("delete it") || message.contains("put it back"), "{message}");
        assert!(deployment.records().active().await.unwrap().is_none());
    }
    put(&deployment, "authority", &[revision, ("rootKey", text("gone"))]).await;
    let request = Deployment::dynamo().delete_item().table_name(&deployment.settings.table);
    request.key("pk", text("signer")).key("sk", text("rotation")).send().await.unwrap();
    let error = deployment.rotation().run(Trigger::WhenDue, &|| false).await.unwrap_err();
    assert!(error.to_string().contains("sk=authority") && error.to_string().contains("`roots`"), "{error}");
}

#[tokio::test]
async fn an_earlier_version_becomes_active_again() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    let first = deployment.rotate(Trigger::WhenDue).await;
    let second = deployment.rotate(Trigger::Forced).await;
    assert_eq!((first.version(), second.version()), (1, 2));
    let back = deployment.rotation().roll_back(None).await.unwrap();
    assert_eq!((back.to.version.as_str(), back.to.key.0.as_str()), ("3", first.key_arn()));
    let active = deployment.active().await;
    assert_eq!((active.chain(), active.version()), (first.chain(), 3));
    let history = deployment.rotation().history().await.unwrap();
    let versions: Vec<_> =
        history.iter().map(|entry| (entry.signer.version.as_str(), entry.active)).collect();
    assert_eq!(versions, [("3", true), ("2", false), ("1", false)]);

    let records = deployment.records();
    let again = records.restore(1, Some(2), now()).await.unwrap();
    assert_eq!(again.version(), 3, "an attempt whose answer was lost");
    let error = records.restore(2, Some(2), now()).await.unwrap_err();
    assert!(matches!(error, RecordsError::LostRace { .. }), "{error}");
    let error = records.restore(9, Some(3), now()).await.unwrap_err();
    assert!(error.to_string().contains("credlink keys history"), "{error}");
    let late = second.not_after().plus_days(1);
    let error = records.restore(2, Some(3), late).await.unwrap_err();
    assert!(matches!(&error, RecordsError::NotValid { reason, .. } if reason.contains("expired")), "{error}");
    assert_eq!(deployment.active().await.version(), 3);

    Deployment::kms().disable_key().key_id(second.key_arn()).send().await.unwrap();
    let error = deployment.rotation().roll_back(Some("2")).await.unwrap_err();
    assert!(error.to_string().contains("aws kms enable-key"), "{error}");
}

#[tokio::test]
async fn of_two_rotations_at_once_one_wins_and_the_other_leaves_nothing() {
    let deployment = Deployment::new(AuthorityChoice::Internal).await;
    deployment.rotate(Trigger::WhenDue).await;
    let run = async || deployment.rotation().run(Trigger::Forced, &|| false).await;
    let (one, other) = tokio::join!(run(), run());
    let rotated = [&one, &other]
        .iter()
        .filter(|outcome| matches!(outcome, Ok(report) if matches!(report.outcome, Outcome::Rotated { .. })))
        .count();
    assert!(rotated >= 1, "{one:?} {other:?}");
    deployment.run(Trigger::WhenDue).await;
    assert_eq!(deployment.keeper_candidates().await, 0);
    deployment.assert_record_matches_its_key().await;
}

#[tokio::test]
async fn what_was_chosen_is_written_for_the_command_line() {
    let deployment = Deployment::new(AuthorityChoice::Auto).await;
    let (dynamo, settings) = (Deployment::dynamo(), &deployment.settings);
    let missing = DeployedRotation::read(&dynamo, &settings.table).await.unwrap_err();
    assert!(missing.fix.contains("rotate_certificate"), "{missing}");
    for _ in 0..2 {
        settings.write(&dynamo).await.unwrap();
    }
    assert_eq!(DeployedRotation::read(&dynamo, &settings.table).await.unwrap(), *settings);
    put(&deployment, "rotation-settings", &[("settings", text("{}"))]).await;
    assert!(DeployedRotation::read(&dynamo, &settings.table).await.is_err());
}
