//! Where failures rest until a person looks at them.

use aws_sdk_sqs::types::QueueAttributeName;
use credlink_aws::Fault;
use credlink_pipeline::timestamp::Timestamp;
use serde::Serialize;
use thiserror::Error;

/// The queue for failures that do not go away by trying again. AWS puts there what it gave up on, too.
#[derive(Clone, Debug)]
pub struct FailureQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Which function failed.
    pub function: &'static str,
    /// The failure in one word, for filters.
    pub code: String,
    /// What is wrong and what to do.
    pub reason: String,
    /// The bucket, where an object is the matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The object's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it failed.
    pub time: Timestamp,
}

/// The queue cannot be used now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the failure queue is not available: {0}")]
pub struct QueueUnavailable(String);

impl FailureQueue {
    /// The queue at `url`.
    pub fn new(client: aws_sdk_sqs::Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Puts a failure down.
    ///
    /// # Errors
    /// When the queue does not take it, after retries.
    pub async fn send(&self, failure: &Failure) -> Result<(), QueueUnavailable> {
        let body = serde_json::to_string(failure).map_err(|error| QueueUnavailable(error.to_string()))?;
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| unavailable(Fault::of(&error)))
    }

    /// About how many failures wait.
    ///
    /// # Errors
    /// When the queue does not answer, after retries.
    pub async fn depth(&self) -> Result<u64, QueueUnavailable> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = request.send().await.map_err(|error| unavailable(Fault::of(&error)))?;
        let depth = answer.attributes().and_then(|attributes| attributes.get(&name)?.parse().ok());
        depth.ok_or_else(|| QueueUnavailable("it does not say how many messages it holds".to_owned()))
    }
}

fn unavailable(fault: Fault) -> QueueUnavailable {
    match fault {
        Fault::Transient(text) | Fault::Permanent(text) => QueueUnavailable(text),
    }
}
