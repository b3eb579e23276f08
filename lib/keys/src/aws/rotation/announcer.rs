//! Telling people by SNS.

use async_trait::async_trait;
use aws_sdk_sns::Client;

use super::call::Call;
use crate::rotation::ports::{Announcer, Fault};

/// The most characters of a subject, and they are printable ASCII.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const MAX_SUBJECT: usize = 100;

/// Publishes to a topic. Takes `sns:Publish`.
#[derive(Clone, Debug)]
pub struct SnsAnnouncer {
    client: Client,
    topic_arn: String,
}

impl SnsAnnouncer {
    /// Those who subscribe to the topic are told.
    pub fn new(client: Client, topic_arn: impl Into<String>) -> Self {
        Self { client, topic_arn: topic_arn.into() }
    }
}

#[async_trait]
impl Announcer for SnsAnnouncer {
    async fn announce(&self, subject: &str, text: &str) -> Result<(), Fault> {
        let resource = format!("SNS topic {}", self.topic_arn);
        let call = Call { resource: &resource, permission: "sns:Publish" };
        let subject: String = subject
            .chars()
            .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
            .take(MAX_SUBJECT)
            .collect();
        let request = self.client.publish().topic_arn(&self.topic_arn).subject(subject).message(text);
        request.send().await.map(drop).map_err(|error| call.failed(&error))
    }
}
