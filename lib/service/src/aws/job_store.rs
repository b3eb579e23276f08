//! The state of jobs in the table of the installation.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `job#` with the name of the job, and `state` |
//! | `revision` | N | counted from one; every change adds one |
//! | `state` | S | the document, as JSON |

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use credlink_aws::{Fault, has_code};

use crate::jobs::{JobName, JobStore, JobStoreError, Kept};

/// What partition keys of jobs begin with.
pub const PARTITION_PREFIX: &str = "job#";

const SORT_KEY: &str = "state";

/// The state of jobs in a DynamoDB table.
#[derive(Clone, Debug)]
pub struct AwsJobStore {
    client: Client,
    table: String,
}

impl AwsJobStore {
    /// The states in `table`. Needs `dynamodb:GetItem` and `dynamodb:PutItem`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    fn unavailable(&self, job: JobName, action: &str, fault: Fault) -> JobStoreError {
        let reason = match fault {
            Fault::Transient(text) => text,
            Fault::Permanent(text) if text.starts_with("AccessDenied") => format!(
                "{text}; allow dynamodb:{action} on items whose partition key begins with {PARTITION_PREFIX}"
            ),
            Fault::Permanent(text) if text.starts_with("ResourceNotFound") => {
                format!("{text}; name the table of the installation")
            }
            Fault::Permanent(text) => text,
        };
        JobStoreError::Unavailable { place: self.place(job), reason }
    }
}

#[async_trait]
impl JobStore for AwsJobStore {
    fn place(&self, job: JobName) -> String {
        format!("table {} (pk={PARTITION_PREFIX}{}, sk={SORT_KEY})", self.table, job.name())
    }

    async fn read(&self, job: JobName) -> Result<Option<Kept>, JobStoreError> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key(job)));
        // Whoever takes a lease must not be shown the state before it.
        let answer = request.consistent_read(true).send().await;
        let answer = answer.map_err(|error| self.unavailable(job, "GetItem", Fault::of(&error)))?;
        let Some(item) = answer.item else { return Ok(None) };
        let text = item.get("state").and_then(|value| value.as_s().ok());
        let revision = item.get("revision").and_then(|value| value.as_n().ok());
        match (text, revision) {
            (Some(text), Some(revision)) => Ok(Some(Kept { revision: revision.clone(), text: text.clone() })),
            _ => Err(JobStoreError::Damaged {
                place: self.place(job),
                reason: "its attribute `state` or `revision` is missing or of another type".to_owned(),
            }),
        }
    }

    async fn replace(&self, job: JobName, text: &str, expected: Option<&str>) -> Result<bool, JobStoreError> {
        let next = match expected {
            None => 1,
            // Who never read it cannot know its revision.
            Some(expected) => match expected.parse::<u64>().ok().and_then(|last| last.checked_add(1)) {
                Some(next) => next,
                None => return Ok(false),
            },
        };
        let mut item = key(job);
        item.insert("revision".to_owned(), AttributeValue::N(next.to_string()));
        item.insert("state".to_owned(), AttributeValue::S(text.to_owned()));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let request = match expected {
            None => request.condition_expression("attribute_not_exists(pk)"),
            Some(expected) => request
                .condition_expression("revision = :expected")
                .expression_attribute_values(":expected", AttributeValue::N(expected.to_owned())),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.unavailable(job, "PutItem", Fault::of(&error))),
        }
    }
}

fn key(job: JobName) -> HashMap<String, AttributeValue> {
    let partition = format!("{PARTITION_PREFIX}{}", job.name());
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition)),
        ("sk".to_owned(), AttributeValue::S(SORT_KEY.to_owned())),
    ])
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use credlink_local_aws::{Fate, FaultyLink, LocalAws};

    use super::*;
    use crate::jobs::{JobBook, contract};

    async fn fresh() -> AwsJobStore {
        let aws = LocalAws::shared();
        AwsJobStore::new(Client::new(&aws.sdk_config()), aws.make_table().await)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_contract() {
        contract::verify(async || Arc::new(fresh().await) as Arc<dyn JobStore>).await;
    }

    #[tokio::test]
    async fn an_item_by_hand_is_damage() {
        let store = fresh().await;
        let mut item = key(JobName::ProofCleanup);
        item.insert("state".to_owned(), AttributeValue::N("1".to_owned()));
        store.client.put_item().table_name(&store.table).set_item(Some(item)).send().await.unwrap();
        let error = store.read(JobName::ProofCleanup).await.unwrap_err();
        assert!(matches!(error, JobStoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("pk=job#proof-cleanup"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_table_and_a_missing_right_are_named() {
        let missing = AwsJobStore::new(Client::new(&LocalAws::shared().sdk_config()), "no-such-table");
        let error = missing.read(JobName::ProofCleanup).await.unwrap_err().to_string();
        assert!(error.contains("no-such-table") && error.contains("name the table"), "{error}");

        let link = FaultyLink::to(LocalAws::shared(), |_| Fate::Fail(400, "AccessDeniedException"));
        let denied = AwsJobStore::new(Client::new(&link.sdk_config()), "any");
        let error = denied.replace(JobName::ProofCleanup, "{}", None).await.unwrap_err().to_string();
        assert!(error.contains("dynamodb:PutItem") && error.contains("job#"), "{error}");
    }

    #[tokio::test]
    async fn a_change_whose_answer_was_lost_is_made_once() {
        let inner = fresh().await;
        let lose = Arc::new(Mutex::new(true));
        let link = FaultyLink::to(LocalAws::shared(), move |call| {
            let first = call.operation == "PutItem" && std::mem::take(&mut *lose.lock().unwrap());
            if first { Fate::LoseAnswer } else { Fate::Pass }
        });
        let store = AwsJobStore::new(Client::new(&link.sdk_config()), &inner.table);
        let book = JobBook::new(Arc::new(store));
        let changed = book.change(JobName::ProofCleanup, |state| {
            state.token += 1;
            Ok::<(), ()>(())
        });
        changed.await.unwrap().unwrap();
        assert_eq!(book.state(JobName::ProofCleanup).await.unwrap().token, 1);
    }
}
