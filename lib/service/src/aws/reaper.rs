//! What is left of a proof whose record is gone: DynamoDB's stream says so, and what the proof owned is removed.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use credlink_pipeline::proof::ProofStoreError;
use credlink_proofs::aws::{AwsProofStore, RemovedProof};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Which records must come again; the others are done.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOutcome {
    /// The records that failed.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One record that must come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}

/// The event is none of a stream of DynamoDB.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the event is not of a DynamoDB stream: {0}")]
pub struct NotAStreamEvent(String);

/// Removes what the proofs owned whose removal `event` reports, whoever removed them: when a user did, most is gone
/// already. Other records are left alone.
///
/// # Errors
/// [`NotAStreamEvent`].
pub async fn reap(event: Value, proofs: &AwsProofStore) -> Result<BatchOutcome, NotAStreamEvent> {
    let event: Event = serde_json::from_value(event).map_err(|error| NotAStreamEvent(error.to_string()))?;
    let mut outcome = BatchOutcome::default();
    for record in &event.records {
        let Some(removed) = removed_proof(record) else { continue };
        match proofs.reap(&removed).await {
            Ok(()) => {
                let by_expiry = is_expiry(record);
                tracing::info!(proof = %removed.id(), by_expiry, "removed what the proof owned");
            }
            Err(error) => outcome.batch_item_failures.push(failure(record, &removed, &error)),
        }
    }
    Ok(outcome)
}

fn removed_proof(record: &EventRecord) -> Option<RemovedProof> {
    if record.event_name != "REMOVE" {
        return None;
    }
    let text = |name: &str| match record.change.old_image.inner().get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    RemovedProof::from_attributes(text("pk")?, text("record")?, text("blob")?)
}

/// Expired items are removed by DynamoDB itself.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html>
fn is_expiry(record: &EventRecord) -> bool {
    record.user_identity.as_ref().is_some_and(|user| user.principal_id == "dynamodb.amazonaws.com")
}

fn failure(record: &EventRecord, removed: &RemovedProof, error: &ProofStoreError) -> BatchItemFailure {
    tracing::warn!(proof = %removed.id(), %error, "what the proof owned is still there");
    BatchItemFailure { item_identifier: record.change.sequence_number.clone().unwrap_or_default() }
}
