//! An item of the table that several may write: each write adds one to its revision, and is made only if nobody else
//! wrote since it was read.

use aws_sdk_dynamodb::Client;

use super::call::{self, Call};
use crate::{
    aws::item::{self, Attributes, Item},
    rotation::ports::Fault,
};

/// The attribute with the revision, counted from one.
const REVISION: &str = "revision";

/// The item with a sort key. Takes `dynamodb:GetItem` and `dynamodb:PutItem`.
#[derive(Clone, Debug)]
pub(super) struct RevisedItem {
    client: Client,
    table: String,
    sort_key: &'static str,
}

impl RevisedItem {
    pub(super) fn new(client: Client, table: String, sort_key: &'static str) -> Self {
        Self { client, table, sort_key }
    }

    /// For people: where it is.
    pub(super) fn place(&self) -> String {
        format!("table {} (pk=signer, sk={})", self.table, self.sort_key)
    }

    /// For people: the command that deletes it.
    pub(super) fn deletion(&self) -> String {
        format!(
            "aws dynamodb delete-item --table-name {} --key \
             '{{\"pk\":{{\"S\":\"signer\"}},\"sk\":{{\"S\":\"{}\"}}}}'",
            self.table, self.sort_key
        )
    }

    /// The item as it is now; `None` before its first write.
    pub(super) async fn read(&self) -> Result<Option<Item>, Fault> {
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:GetItem" };
        let request = self.client.get_item().table_name(&self.table).set_key(Some(item::key(self.sort_key)));
        let answer = request.consistent_read(true).send().await.map_err(|error| call.failed(&error))?;
        Ok(answer.item)
    }

    /// Writes `attributes` if the item's revision is still `expected` (`None`: if there is none yet), and gives the new
    /// revision; `None` when somebody else wrote meanwhile.
    pub(super) async fn write(&self, attributes: Item, expected: Option<u64>) -> Result<Option<u64>, Fault> {
        let revision = expected.unwrap_or(0).saturating_add(1);
        let mut written = item::key(self.sort_key);
        written.insert(REVISION.to_owned(), item::number(revision));
        written.extend(attributes);
        let request = self.client.put_item().table_name(&self.table).set_item(Some(written.clone()));
        let request = match expected {
            Some(revision) => request
                .condition_expression("revision = :expected")
                .expression_attribute_values(":expected", item::number(revision)),
            None => request.condition_expression("attribute_not_exists(pk)"),
        };
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:PutItem" };
        match request.send().await {
            Ok(_) => Ok(Some(revision)),
            // An attempt whose answer was lost has been made again by the client; what is written tells.
            Err(error) if call::has_code(&error, &["ConditionalCheckFailedException"]) => {
                Ok((self.read().await?.as_ref() == Some(&written)).then_some(revision))
            }
            Err(error) => Err(call.failed(&error)),
        }
    }
}

/// The revision of an item that was read.
pub(super) fn revision(attributes: &Attributes<'_>) -> Result<u64, String> {
    attributes.number(REVISION)
}
