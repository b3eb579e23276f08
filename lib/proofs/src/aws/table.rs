//! Records and look-ups as items of a table.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeValue, Delete, KeysAndAttributes, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use credlink_aws::has_code;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, ProofId, ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};
use tokio::time::sleep;

use super::{
    fault::unavailable,
    item::{BLOB, Entry, Item, Key, Kind, PK, PROOF_PREFIX, RECORD, SK, TTL, image_pk, proof_of_blob, text},
    transaction::{Outcome, write_all},
};
use crate::{newer::is_newer, pause::pause_before};

/// The most look-ups of one image that are read, a hundred with each page. Expired ones count, until DynamoDB
/// removes them.
const MAX_LOOK_UP_PAGES: usize = 20;

/// Items that a query reads at once.
const PAGE: i32 = 100;

/// The most items that can be asked for by their keys at once.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
pub(super) const KEYS_AT_ONCE: usize = 100;

/// How often keys are asked for again that DynamoDB left out of its answer.
const BATCH_ATTEMPTS: u32 = 8;

/// Where records and look-ups live.
#[derive(Clone, Debug)]
pub(super) struct Table {
    client: Client,
    name: String,
}

/// What became of the wish to add a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Done,
    IdIsTaken,
}

/// Some items of the table, and after which one there may be more.
pub(super) struct Page {
    pub(super) items: Vec<Kind>,
    pub(super) last: Option<Key>,
    /// The proofs among `items` whose records a newer version of CredLink wrote; where that was asked for.
    pub(super) newer: Vec<ProofId>,
}

impl Table {
    pub(super) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Adds a proof, record and look-up at once.
    pub(super) async fn add(&self, entry: &Entry) -> Result<Added, ProofStoreError> {
        let [record, look_up] = entry.to_items()?;
        let record = Put::builder()
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .table_name(&self.name)
            .set_item(Some(record))
            .build();
        let look_up = Put::builder().table_name(&self.name).set_item(Some(look_up)).build();
        let items = [record, look_up].map(|put| put.map(|put| TransactWriteItem::builder().put(put).build()));
        let what = "add a proof";
        match write_all(&self.client, collect(items, what)?, what).await? {
            Outcome::Written => Ok(Added::Done),
            // An earlier attempt got through, and nobody remembers its token.
            Outcome::Refused(Some(there)) if text(&there, BLOB) == Some(&entry.blob) => Ok(Added::Done),
            Outcome::Refused(_) => Ok(Added::IdIsTaken),
        }
    }

    /// Puts `now` in the place of `before`, two states of one proof, record and look-up at once; false when the proof is
    /// not as `before` any more.
    pub(super) async fn replace(&self, before: &Entry, now: &Entry) -> Result<bool, ProofStoreError> {
        let what = "change a proof";
        let id = before.record.id;
        let Some(there) = self.item(Key::of_record(id)).await? else { return Ok(false) };
        let is_before =
            Entry::parse(id, &there)?.record == before.record && text(&there, BLOB) == Some(&before.blob);
        let (true, Some(json)) = (is_before, text(&there, RECORD)) else { return Ok(false) };
        let [record, look_up] = now.to_items()?;
        let written = record.get(RECORD).cloned();
        let record = Put::builder()
            .condition_expression("#blob = :blob AND #record = :record")
            .set_expression_attribute_names(Some(names([BLOB, RECORD])))
            .expression_attribute_values(":blob", AttributeValue::S(before.blob.clone()))
            // As it is written there: another version of CredLink may have written it.
            .expression_attribute_values(":record", AttributeValue::S(json.to_owned()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .table_name(&self.name)
            .set_item(Some(record))
            .build();
        // It was written at once with the record, and so was every later one: it belongs to this very record.
        let look_up = Put::builder().table_name(&self.name).set_item(Some(look_up)).build();
        let items = [record, look_up].map(|put| put.map(|put| TransactWriteItem::builder().put(put).build()));
        match write_all(&self.client, collect(items, what)?, what).await? {
            Outcome::Written => Ok(true),
            // An earlier attempt got through, and nobody remembers its token.
            Outcome::Refused(there) => Ok(there.is_some_and(|there| there.get(RECORD) == written.as_ref())),
        }
    }

    /// Removes the proof that `entry` speaks of, record and look-up at once, unless that was done before; false then.
    pub(super) async fn remove(&self, entry: &Entry) -> Result<bool, ProofStoreError> {
        let id = entry.record.id;
        let record = Delete::builder()
            .condition_expression("#blob = :blob")
            .expression_attribute_names("#blob", BLOB)
            .expression_attribute_values(":blob", AttributeValue::S(entry.blob.clone()))
            .table_name(&self.name)
            .set_key(Some(Key::of_record(id).to_attributes()))
            .build();
        // It was written at once with the record, and so was every later one: it belongs to this very record.
        let look_up = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(Key::of_look_up(&entry.record).to_attributes()))
            .build();
        let items = [record, look_up]
            .map(|delete| delete.map(|delete| TransactWriteItem::builder().delete(delete).build()));
        let what = "remove a proof";
        let outcome = write_all(&self.client, collect(items, what)?, what).await?;
        Ok(matches!(outcome, Outcome::Written))
    }

    /// Removes whatever stands in the place of a proof's record and cannot be read; the object it names, if any.
    pub(super) async fn remove_damaged(&self, id: ProofId) -> Result<Option<Item>, ProofStoreError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(Key::of_record(id).to_attributes()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(unavailable("remove a proof"))?;
        Ok(answer.attributes.filter(|item| !item.is_empty()))
    }

    /// Removes the look-up with this key, if it belongs to the proof with this manifest store; whether it did.
    pub(super) async fn remove_look_up(&self, key: &Key, blob: &str) -> Result<bool, ProofStoreError> {
        self.remove_if(key, (BLOB, AttributeValue::S(blob.to_owned())), "remove a look-up").await
    }

    /// Removes the idempotency key with this key, if its time to live is still `ttl`; whether it was.
    pub(super) async fn remove_idempotency_key(&self, key: &Key, ttl: i64) -> Result<bool, ProofStoreError> {
        let condition = (TTL, AttributeValue::N(ttl.to_string()));
        self.remove_if(key, condition, "remove an idempotency key").await
    }

    /// Removes an item, if it has an attribute with this value; whether it had.
    async fn remove_if(
        &self,
        key: &Key,
        (name, value): (&str, AttributeValue),
        what: &'static str,
    ) -> Result<bool, ProofStoreError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.to_attributes()))
            .condition_expression("#name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) if has_code(&error, "ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(unavailable(what)(error)),
        }
    }

    /// The record of a proof as the last write left it, expired or not.
    pub(super) async fn read(&self, id: ProofId) -> Result<Option<Entry>, ProofStoreError> {
        match self.item(Key::of_record(id)).await? {
            Some(item) => Entry::parse(id, &item).map(Some),
            None => Ok(None),
        }
    }

    /// Asks for one item that does not exist.
    pub(super) async fn check(&self) -> Result<(), ProofStoreError> {
        self.item(Key::of_nothing()).await.map(drop)
    }

    /// The records of an image that are valid at `now`, newest first.
    pub(super) async fn find(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let mut found = Vec::new();
        let mut after = None;
        for _ in 0..MAX_LOOK_UP_PAGES {
            let page = self.look_ups(hash, after).await?;
            found.extend(page.items.into_iter().filter_map(|item| valid_record(item, now)));
            if found.len() >= MAX_PROOFS_PER_IMAGE || page.last.is_none() {
                found.truncate(MAX_PROOFS_PER_IMAGE);
                return Ok(found);
            }
            after = page.last;
        }
        tracing::warn!(%hash, "an image has so many expired proofs that not all of its proofs were looked at");
        Ok(found)
    }

    /// The manifest stores that the records of `ids`, at most [`KEYS_AT_ONCE`], name at the moment. A record that names
    /// none of its own is in the answer all the same.
    pub(super) async fn blobs_of(
        &self,
        ids: impl IntoIterator<Item = ProofId>,
    ) -> Result<HashMap<ProofId, Option<String>>, ProofStoreError> {
        let what = "read which manifest stores belong to proofs";
        let keys = ids.into_iter().map(|id| (id, Key::of_record(id).to_attributes()));
        let mut asked: Vec<Item> = HashMap::<_, _>::from_iter(keys).into_values().collect();
        let mut blobs = HashMap::new();
        for attempt in 0..BATCH_ATTEMPTS {
            if asked.is_empty() {
                return Ok(blobs);
            }
            sleep(pause_before(attempt)).await;
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(asked))
                .consistent_read(true)
                .projection_expression("#pk, #sk, #blob")
                .set_expression_attribute_names(Some(names([PK, SK, BLOB])))
                .build()
                .map_err(|error| ProofStoreError::Unavailable(format!("cannot {what}: {error}")))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, keys)
                .send()
                .await
                .map_err(unavailable(what))?;
            for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                if let Kind::Record(id, _) = Kind::of(&item) {
                    let blob = text(&item, BLOB).filter(|blob| proof_of_blob(blob) == Some(id));
                    blobs.insert(id, blob.map(str::to_owned));
                }
            }
            asked = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, left)| left.keys).collect();
        }
        if asked.is_empty() {
            return Ok(blobs);
        }
        Err(ProofStoreError::Unavailable(format!("cannot {what} now: DynamoDB leaves keys out")))
    }

    /// The next `limit` items of the whole table, in no order; fewer where they are long. For the sweep only.
    pub(super) async fn scan(&self, after: Option<Key>, limit: i32) -> Result<Page, ProofStoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.name)
            .limit(limit)
            .set_exclusive_start_key(after.map(|key| key.to_attributes()))
            .send()
            .await
            .map_err(unavailable("read the table"))?;
        Ok(Page::of(answer.items(), answer.last_evaluated_key()))
    }

    /// The records among the next `limit` items of the whole table, in no order, as the last writes left them.
    pub(super) async fn records(&self, after: Option<Key>, limit: i32) -> Result<Page, ProofStoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.name)
            .filter_expression("begins_with(#pk, :proof)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":proof", AttributeValue::S(PROOF_PREFIX.to_owned()))
            .consistent_read(true)
            .limit(limit)
            .set_exclusive_start_key(after.map(|key| key.to_attributes()))
            .send()
            .await
            .map_err(unavailable("read the table"))?;
        let newer = answer.items().iter().filter_map(newer_record).collect();
        Ok(Page { newer, ..Page::of(answer.items(), answer.last_evaluated_key()) })
    }

    async fn look_ups(&self, hash: Sha256Hash, after: Option<Key>) -> Result<Page, ProofStoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", AttributeValue::S(image_pk(hash)))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(PAGE)
            .set_exclusive_start_key(after.map(|key| key.to_attributes()))
            .send()
            .await
            .map_err(unavailable("look up an image"))?;
        Ok(Page::of(answer.items(), answer.last_evaluated_key()))
    }

    async fn item(&self, key: Key) -> Result<Option<Item>, ProofStoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.to_attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable("read a proof"))?;
        Ok(answer.item)
    }
}

impl Page {
    fn of(items: &[Item], last: Option<&Item>) -> Self {
        let (items, last) = (items.iter().map(Kind::of).collect(), last.and_then(Key::of_item));
        Self { items, last, newer: Vec::new() }
    }
}

/// The proof whose record the item is, if a newer version of CredLink wrote it.
fn newer_record(item: &Item) -> Option<ProofId> {
    let Kind::Record(id, Ok(entry)) = Kind::of(item) else { return None };
    is_newer(text(item, RECORD)?.as_bytes(), &entry.record).then_some(id)
}

/// One look-up that cannot be read must not hide the others.
fn valid_record(item: Kind, now: Timestamp) -> Option<ProofRecord> {
    match item {
        Kind::LookUp(_, _, Ok(entry)) => Some(entry.record).filter(|record| now < record.expires_at),
        Kind::LookUp(_, _, Err(error)) => {
            tracing::warn!(%error, "left out of a look-up by image hash");
            None
        }
        Kind::Record(..) | Kind::IdempotencyKey(..) | Kind::Other => None,
    }
}

/// Names of attributes go by placeholders, because some are reserved words.
fn names<const N: usize>(names: [&str; N]) -> HashMap<String, String> {
    names.into_iter().map(|name| (format!("#{name}"), name.to_owned())).collect()
}

fn collect<E: std::fmt::Display>(
    items: [Result<TransactWriteItem, E>; 2],
    what: &str,
) -> Result<Vec<TransactWriteItem>, ProofStoreError> {
    let items: Result<Vec<_>, E> = items.into_iter().collect();
    items.map_err(|error| ProofStoreError::Unavailable(format!("cannot {what}: {error}")))
}
