//! Writing several items at once, or none of them.

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, TransactWriteItem},
};
use credlink_aws::MAX_CALL_TIME;
use credlink_pipeline::proof::ProofStoreError;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{fault::unavailable, item::Item};
use crate::pause::pause_before;

/// How often a transaction is begun that others stand in the way of. The SDK does not begin these again itself.
const ATTEMPTS: u32 = 8;

/// How a transaction ended that DynamoDB decided on.
pub(super) enum Outcome {
    /// All of it is written.
    Written,
    /// Nothing is written, because the condition of the first item does not hold. The item as it is, when the
    /// condition asked for it.
    Refused(Option<Item>),
}

/// Writes all `items` or none. After an error nobody knows which, until somebody reads.
///
/// All attempts, the SDK's own as well, carry the same token: DynamoDB answers for ten minutes that a transaction it
/// has done already is done, so that a lost answer does no harm.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub(super) async fn write_all(
    client: &Client,
    items: Vec<TransactWriteItem>,
    what: &'static str,
) -> Result<Outcome, ProofStoreError> {
    let request = client
        .transact_write_items()
        .set_transact_items(Some(items))
        .client_request_token(Uuid::new_v4().to_string());
    let attempts = async {
        let mut hindrance = String::new();
        for attempt in 0..ATTEMPTS {
            sleep(pause_before(attempt)).await;
            let Err(error) = request.clone().send().await else { return Ok(Outcome::Written) };
            match Verdict::of(&error) {
                Verdict::Refused(item) => return Ok(Outcome::Refused(item)),
                Verdict::Hindered(by) => hindrance = by,
                Verdict::Failed => return Err(unavailable(what)(error)),
            }
        }
        Err(ProofStoreError::Unavailable(format!("cannot {what} now: {hindrance}")))
    };
    timeout(MAX_CALL_TIME, attempts).await.unwrap_or_else(|_| {
        let seconds = MAX_CALL_TIME.as_secs();
        Err(ProofStoreError::Unavailable(format!("cannot {what} within {seconds} s")))
    })
}

/// What an error of a transaction says.
enum Verdict {
    Refused(Option<Item>),
    /// By others who write the same items, or by throttling: it passes.
    Hindered(String),
    Failed,
}

impl Verdict {
    fn of<R>(error: &SdkError<TransactWriteItemsError, R>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Self::Failed;
        };
        // One reason for each item, in the order of the request.
        let reasons = cancelled.cancellation_reasons();
        if let Some(first) = reasons.first().filter(|reason| reason.code() == Some("ConditionalCheckFailed"))
        {
            return Self::Refused(first.item().cloned());
        }
        match reasons.iter().find(|reason| passes(reason)) {
            Some(reason) => Self::Hindered(reason.code().unwrap_or_default().to_owned()),
            None => Self::Failed,
        }
    }
}

fn passes(reason: &CancellationReason) -> bool {
    matches!(reason.code(), Some("TransactionConflict" | "ProvisionedThroughputExceeded" | "ThrottlingError"))
}
