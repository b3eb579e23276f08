//! Idempotency keys in DynamoDB.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `idempotency#` and the hash of the key; `entry` |
//! | `entry` | S | the entry as JSON |
//! | `holder` | S | who holds it, as the entry says too |
//! | `ttl` | N | when DynamoDB may remove it, in seconds since 1970 |

use std::{collections::HashMap, error::Error};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_item::{PutItemError, builders::PutItemFluentBuilder},
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use credlink_aws::{Fault, has_code};
use credlink_pipeline::timestamp::Timestamp;

use crate::idempotency::{Claim, Entry, IdempotencyError, IdempotencyKey, IdempotencyStore};

const REFUSED: &str = "ConditionalCheckFailedException";

/// How often somebody else may come in between before a caller is told to come again.
const MAX_ATTEMPTS: usize = 4;

type Item = HashMap<String, AttributeValue>;

/// Keeps entries in a table.
#[derive(Clone, Debug)]
pub struct DynamoIdempotency {
    client: Client,
    table: String,
}

impl DynamoIdempotency {
    /// The entries in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Writes `entry` where there is none; what is there otherwise.
    async fn put_first(&self, key: IdempotencyKey, entry: &Entry) -> Result<Option<Item>, IdempotencyError> {
        let put = self
            .put(key, entry)?
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(None),
            Err(error) if has_code(&error, REFUSED) => Ok(Some(item_there(&error))),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Writes `entry` in the place of what `holder` holds; whether that was still so.
    async fn replace(
        &self,
        key: IdempotencyKey,
        entry: &Entry,
        holder: &str,
    ) -> Result<bool, IdempotencyError> {
        let put = self
            .put(key, entry)?
            .condition_expression("holder = :holder")
            .expression_attribute_values(":holder", text(holder))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, REFUSED) => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    fn put(&self, key: IdempotencyKey, entry: &Entry) -> Result<PutItemFluentBuilder, IdempotencyError> {
        let json = serde_json::to_string(entry).map_err(|error| IdempotencyError(error.to_string()))?;
        let ttl = entry.expires_at.unix_seconds().saturating_add(1).max(0);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(self.key(key)));
        Ok(put
            .item("entry", text(json))
            .item("holder", text(entry.holder.to_string()))
            .item("ttl", AttributeValue::N(ttl.to_string())))
    }

    fn key(&self, key: IdempotencyKey) -> Item {
        HashMap::from([
            ("pk".to_owned(), text(format!("idempotency#{key}"))),
            ("sk".to_owned(), text("entry")),
        ])
    }
}

#[async_trait]
impl IdempotencyStore for DynamoIdempotency {
    async fn claim(
        &self,
        key: IdempotencyKey,
        wanted: &Entry,
        now: Timestamp,
    ) -> Result<Claim, IdempotencyError> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(item) = self.put_first(key, wanted).await? else {
                return Ok(Claim::Granted(wanted.clone()));
            };
            // Removed in between, or not handed out.
            let Some((there, holder)) = read(&item) else { continue };
            // An earlier attempt of this very call got through, and its answer did not.
            if there.holder == wanted.holder && there.held_until.is_some() {
                return Ok(Claim::Granted(there));
            }
            match there.answer(wanted, now) {
                Claim::Granted(entry) if self.replace(key, &entry, &holder).await? => {
                    return Ok(Claim::Granted(entry));
                }
                // Somebody else was quicker.
                Claim::Granted(_) => {}
                claim => return Ok(claim),
            }
        }
        Err(IdempotencyError("too many callers claim the same key at once".to_owned()))
    }

    async fn update(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        self.replace(key, entry, &entry.holder.to_string()).await.map(drop)
    }

    async fn release(&self, key: IdempotencyKey, entry: &Entry) -> Result<(), IdempotencyError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(self.key(key)))
            .condition_expression("holder = :holder")
            .expression_attribute_values(":holder", text(entry.holder.to_string()))
            .send()
            .await;
        match delete {
            Ok(_) => Ok(()),
            Err(error) if has_code(&error, REFUSED) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The item that stood in the way.
fn item_there(error: &SdkError<PutItemError, HttpResponse>) -> Item {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(refused)) => {
            refused.item.clone().unwrap_or_default()
        }
        _ => Item::new(),
    }
}

/// The entry in an item, and who holds it.
fn read(item: &Item) -> Option<(Entry, String)> {
    let attribute = |name| item.get(name)?.as_s().ok();
    let holder: &String = attribute("holder")?;
    let entry: Entry = serde_json::from_str(attribute("entry")?).ok()?;
    Some((entry, holder.clone()))
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn failed<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> IdempotencyError {
    IdempotencyError(match Fault::of(error) {
        Fault::Transient(reason) => reason,
        Fault::Permanent(reason) => {
            format!("{reason}; check the table and what the role may do with it")
        }
    })
}
