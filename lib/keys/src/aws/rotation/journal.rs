//! The state of the rotation in progress, as an item of the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `signer` and `rotation` |
//! | `revision` | N | counted from one; each write adds one |
//! | `state` | S | the text |

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

use super::call::{self, Call};
use crate::{
    aws::item::{self, Attributes, Item},
    rotation::ports::{Fault, RotationJournal, SwapError},
};

/// The sort key of the state.
const ROTATION: &str = "rotation";

/// The journal in a table. Takes `dynamodb:GetItem` and `dynamodb:PutItem`.
#[derive(Clone, Debug)]
pub struct TableJournal {
    client: Client,
    table: String,
}

impl TableJournal {
    /// The journal in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    fn parse(&self, item: &Item) -> Result<(u64, String), Fault> {
        let attributes = Attributes(item);
        let parsed = attributes.number("revision").and_then(|revision| {
            let text = attributes.text("state")?.to_owned();
            Ok((revision, text))
        });
        parsed.map_err(|problem| Fault {
            resource: self.place(),
            problem,
            fix: format!(
                "delete it, and the next rotation begins anew: aws dynamodb delete-item --table-name {} --key \
                 '{{\"pk\":{{\"S\":\"signer\"}},\"sk\":{{\"S\":\"{ROTATION}\"}}}}'",
                self.table
            ),
            passing: false,
        })
    }
}

#[async_trait]
impl RotationJournal for TableJournal {
    fn place(&self) -> String {
        format!("table {} (pk=signer, sk={ROTATION})", self.table)
    }

    async fn read(&self) -> Result<Option<(u64, String)>, Fault> {
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:GetItem" };
        let request = self.client.get_item().table_name(&self.table).set_key(Some(item::key(ROTATION)));
        let answer = request.consistent_read(true).send().await.map_err(|error| call.failed(&error))?;
        answer.item.map(|item| self.parse(&item)).transpose()
    }

    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError> {
        let revision = expected.unwrap_or(0).saturating_add(1);
        let mut state = item::key(ROTATION);
        state.insert("revision".to_owned(), item::number(revision));
        state.insert("state".to_owned(), item::text(text));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(state));
        let request = match expected {
            Some(revision) => request
                .condition_expression("revision = :expected")
                .expression_attribute_values(":expected", item::number(revision)),
            None => request.condition_expression("attribute_not_exists(pk)"),
        };
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:PutItem" };
        match request.send().await {
            Ok(_) => Ok(revision),
            // An attempt whose answer was lost has been made again by the client; the text tells.
            Err(error) if call::has_code(&error, &["ConditionalCheckFailedException"]) => {
                match self.read().await? {
                    Some(found) if found == (revision, text.to_owned()) => Ok(revision),
                    _ => Err(SwapError::LostRace),
                }
            }
            Err(error) => Err(call.failed(&error).into()),
        }
    }
}
