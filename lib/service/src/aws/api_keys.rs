//! API keys in DynamoDB. They share one partition, so that all of them can be listed without reading the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `apikey`, and the key's id |
//! | `record` | S | the record as JSON, without the key itself |
//! | `revokedAt` | S | RFC 3339; there once the key is revoked |

use std::{collections::HashMap, error::Error};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use credlink_aws::{Fault, has_code};
use credlink_pipeline::timestamp::Timestamp;

use crate::api_keys::{ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError};

const PARTITION: &str = "apikey";

/// The most pages of keys that are listed, of 1 MB each: some thousands of keys.
const MAX_PAGES: usize = 20;

type Item = HashMap<String, AttributeValue>;

/// Keeps keys in a table.
#[derive(Clone, Debug)]
pub struct DynamoApiKeys {
    client: Client,
    table: String,
}

impl DynamoApiKeys {
    /// The keys in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

#[async_trait]
impl ApiKeyStore for DynamoApiKeys {
    async fn add(&self, key: &ApiKey) -> Result<(), ApiKeyStoreError> {
        let json = serde_json::to_string(key).map_err(|error| damaged(key.id, error.to_string()))?;
        let put = self.client.put_item().table_name(&self.table).item("record", text(json));
        put.item("pk", text(PARTITION))
            .item("sk", text(key.id.to_string()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map_err(unavailable("keep an API key"))?;
        Ok(())
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = get
            .key("pk", text(PARTITION))
            .key("sk", text(id.to_string()))
            .send()
            .await
            .map_err(unavailable("read an API key"))?;
        answer.item.map(|item| read(id, &item)).transpose()
    }

    async fn all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError> {
        let (mut keys, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let query = self.client.query().table_name(&self.table).consistent_read(true);
            let page = query
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text(PARTITION))
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(unavailable("list API keys"))?;
            for item in page.items() {
                let id = item.get("sk").and_then(|id| id.as_s().ok()?.parse().ok());
                let place = || format!("{PARTITION} {:?}", item.get("sk"));
                let id = id.ok_or_else(|| ApiKeyStoreError::Damaged {
                    place: place(),
                    reason: "its sort key is no id of a key".to_owned(),
                })?;
                keys.push(read(id, item)?);
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                keys.sort_by_key(|key| (key.created_at, key.id));
                return Ok(keys);
            }
        }
        Err(ApiKeyStoreError::Unavailable("there are too many API keys to list".to_owned()))
    }

    async fn revoke(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, ApiKeyStoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let answer = update
            .key("pk", text(PARTITION))
            .key("sk", text(id.to_string()))
            .update_expression("SET revokedAt = if_not_exists(revokedAt, :now)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", text(now.to_string()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(unavailable("revoke an API key")(error)),
        }
    }
}

fn read(id: ApiKeyId, item: &Item) -> Result<ApiKey, ApiKeyStoreError> {
    let json = item.get("record").and_then(|record| record.as_s().ok());
    let json = json.ok_or_else(|| damaged(id, "it has no text `record`".to_owned()))?;
    let mut key: ApiKey = serde_json::from_str(json).map_err(|error| damaged(id, error.to_string()))?;
    if key.id != id {
        return Err(damaged(id, "it holds another key".to_owned()));
    }
    if let Some(revoked) = item.get("revokedAt") {
        // Whatever stands there, somebody wanted it revoked.
        let at = revoked.as_s().ok().and_then(|text| Timestamp::parse(text).ok());
        key.revoked_at = at.or(Some(key.created_at));
    }
    Ok(key)
}

fn damaged(id: ApiKeyId, reason: String) -> ApiKeyStoreError {
    ApiKeyStoreError::Damaged { place: format!("the item {PARTITION} {id}"), reason }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn unavailable<E>(what: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> ApiKeyStoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| {
        ApiKeyStoreError::Unavailable(match Fault::of(&error) {
            Fault::Transient(reason) => format!("cannot {what} now: {reason}"),
            Fault::Permanent(reason) => {
                format!("cannot {what}: {reason}; check the table and what the role may do with it")
            }
        })
    }
}
