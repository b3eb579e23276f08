//! Counting in DynamoDB, so that all instances of all functions count together.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk` | S | `rate#`, the client's address, `#`, and when the window began, in milliseconds since 1970 |
//! | `sk` | S | `counts` |
//! | `requests`, `signs` | N | what the client asked for |
//! | `ttl` | N | when DynamoDB may remove it, in seconds since 1970 |

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue},
};
use credlink_aws::Fault;

use crate::{
    middleware::ClientAddress,
    rate_limits::{Asked, Counts, RateLimiter, RateLimiterError, Window},
};

/// Seconds for which a counter is kept after its window, because clocks differ.
const KEPT_SECONDS: i64 = 60;

/// Counts in a table.
#[derive(Clone, Debug)]
pub struct DynamoRateLimiter {
    client: Client,
    table: String,
}

impl DynamoRateLimiter {
    /// Counts in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

#[async_trait]
impl RateLimiter for DynamoRateLimiter {
    /// One call: DynamoDB adds and answers with the sums, so nobody can be missed. A call that is tried again may count
    /// twice, which is the safe side.
    async fn count(
        &self,
        client: ClientAddress,
        asked: Asked,
        window: Window,
    ) -> Result<Counts, RateLimiterError> {
        let one = Counts::default().and(asked);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(format!("rate#{client}#{}", window.start())))
            .key("sk", AttributeValue::S("counts".to_owned()))
            .update_expression("ADD requests :requests, signs :signs SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":requests", number(one.requests.into()))
            .expression_attribute_values(":signs", number(one.signs.into()))
            .expression_attribute_values(":ttl", number(window.end_seconds().saturating_add(KEPT_SECONDS)))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(|error| RateLimiterError(reason(Fault::of(&error))))?;
        let counts = answer.attributes.unwrap_or_default();
        Ok(Counts { requests: count(&counts, "requests")?, signs: count(&counts, "signs")? })
    }
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn reason(fault: Fault) -> String {
    match fault {
        Fault::Transient(reason) => reason,
        Fault::Permanent(reason) => format!("{reason}; check the table and what the role may do with it"),
    }
}

fn count(counts: &HashMap<String, AttributeValue>, name: &str) -> Result<u32, RateLimiterError> {
    let count = counts.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    count.ok_or_else(|| RateLimiterError(format!("DynamoDB's answer has no number `{name}`")))
}
