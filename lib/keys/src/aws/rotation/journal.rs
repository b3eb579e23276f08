//! The state of the rotation in progress, as an item of the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `signer` and `rotation` |
//! | `revision` | N | counted from one; each write adds one |
//! | `state` | S | the text |

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

use super::revised_item::{self, RevisedItem};
use crate::{
    aws::item::{self, Attributes, Item},
    rotation::ports::{Fault, RotationJournal, SwapError},
};

/// The sort key of the state.
const ROTATION: &str = "rotation";

/// The attribute with the text.
const STATE: &str = "state";

/// The journal in a table. Takes `dynamodb:GetItem` and `dynamodb:PutItem`.
#[derive(Clone, Debug)]
pub struct TableJournal(RevisedItem);

impl TableJournal {
    /// The journal in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self(RevisedItem::new(client, table.into(), ROTATION))
    }

    fn parse(&self, item: &Item) -> Result<(u64, String), Fault> {
        let attributes = Attributes(item);
        let parsed = revised_item::revision(&attributes).and_then(|revision| {
            let text = attributes.text(STATE)?.to_owned();
            Ok((revision, text))
        });
        parsed.map_err(|problem| {
            let fix = format!("delete it, and the next rotation begins anew: {}", self.0.deletion());
            Fault::lasting(self.place(), problem, fix)
        })
    }
}

#[async_trait]
impl RotationJournal for TableJournal {
    fn place(&self) -> String {
        self.0.place()
    }

    async fn read(&self) -> Result<Option<(u64, String)>, Fault> {
        self.0.read().await?.map(|item| self.parse(&item)).transpose()
    }

    async fn write(&self, text: &str, expected: Option<u64>) -> Result<u64, SwapError> {
        let state = Item::from([(STATE.to_owned(), item::text(text))]);
        self.0.write(state, expected).await?.ok_or(SwapError::LostRace)
    }
}
