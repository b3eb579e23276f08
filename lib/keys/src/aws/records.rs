//! Where it is written down who signs.

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, TransactWriteItem, builders::PutBuilder},
};
use credlink_aws::Fault;
use credlink_pipeline::timestamp::Timestamp;

use super::{
    error::RecordsError,
    item::{self, ACTIVE, Item, MAX_VERSION, PARTITION, VERSION_PREFIX},
    new_signer::NewSigner,
    record::{Parts, SignerRecord},
};
use crate::{
    pem_file::{MAX_CERTIFICATES, MAX_FILE_BYTES},
    trust,
};

/// The most bytes that the certificates of a record may have. An item of DynamoDB has at most 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const MAX_RECORD_BYTES: usize = 350 * 1024;

/// What is to become the active signer; checked by whoever says so.
pub(super) struct Successor {
    pub(super) key_arn: String,
    /// DER, leaf first, without the root.
    pub(super) chain: Vec<Vec<u8>>,
    /// DER; the chain leads to one of them.
    pub(super) roots: Vec<Vec<u8>>,
}

/// The signers in a table: the active one, and a copy of every version that ever was.
#[derive(Clone, Debug)]
pub struct SignerRecords {
    client: Client,
    table: String,
}

impl SignerRecords {
    /// The signers in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The active signer; `None` when there is none. Needs `dynamodb:GetItem`.
    ///
    /// # Errors
    /// [`RecordsError::Unavailable`], [`RecordsError::Refused`], and [`RecordsError::Damaged`] when the item is not
    /// what it must be.
    pub async fn active(&self) -> Result<Option<SignerRecord>, RecordsError> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(item::key(ACTIVE)));
        // Who just activated a signer must not be shown the earlier one.
        let answer = request.consistent_read(true).send().await;
        let answer = answer.map_err(|error| self.failed(Fault::of(&error)))?;
        answer.item.map(|item| self.read(&item, ACTIVE)).transpose()
    }

    /// Makes `new` the active signer if the active one still has the version `expected`, or if there is none and
    /// `expected` is `None`. The anchors of the signer before it are kept. Needs `dynamodb:GetItem`, `dynamodb:Query`
    /// and `dynamodb:PutItem`.
    ///
    /// # Errors
    /// [`RecordsError::LostRace`] when another version is active; else why nothing was changed. After
    /// [`RecordsError::Unavailable`] it may be active all the same: [`SignerRecords::active`] says so.
    pub async fn activate(
        &self,
        new: &NewSigner,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<SignerRecord, RecordsError> {
        let (key_arn, chain) = (new.key_arn().to_owned(), new.chain().certificates().to_vec());
        self.replace(Successor { key_arn, chain, roots: new.roots().to_vec() }, expected, now).await
    }

    /// Makes `successor` the active signer, as [`SignerRecords::activate`] says.
    pub(super) async fn replace(
        &self,
        successor: Successor,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<SignerRecord, RecordsError> {
        let active = self.active().await?;
        if active.as_ref().map(SignerRecord::version) != expected {
            return Err(self.lost_race());
        }
        let latest = self.latest_copy().await?;
        // Above all that ever was, because copies are never overwritten: the active one may have been deleted by hand,
        // or put back to an earlier version.
        let used = latest.as_ref().and_then(item::version_of).max(expected).unwrap_or(0);
        let before = match (active, latest) {
            (Some(active), _) => Some(active),
            (None, Some(item)) => Some(self.read(&item, &item::version_key(used))?),
            (None, None) => None,
        };
        let record = self.next(successor, before.as_ref(), used, now)?;
        self.write(&record, expected).await?;
        Ok(record)
    }

    /// The copy with the highest version.
    async fn latest_copy(&self) -> Result<Option<Item>, RecordsError> {
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", item::text(PARTITION))
            .expression_attribute_values(":prefix", item::text(VERSION_PREFIX));
        let answer = request.consistent_read(true).scan_index_forward(false).limit(1).send().await;
        let answer = answer.map_err(|error| self.failed(Fault::of(&error)))?;
        Ok(answer.items.unwrap_or_default().into_iter().next())
    }

    fn next(
        &self,
        successor: Successor,
        before: Option<&SignerRecord>,
        used: u64,
        now: Timestamp,
    ) -> Result<SignerRecord, RecordsError> {
        let Successor { key_arn, chain, roots: mut anchors } = successor;
        if let Some(before) = before {
            trust::merge(&mut anchors, before.anchor_certificates());
        }
        let version = used.checked_add(1).filter(|version| *version <= MAX_VERSION);
        let version = version.ok_or_else(|| self.too_large(format!("no version above {used}")))?;
        let chain_bytes: usize = chain.iter().map(Vec::len).sum();
        if anchors.len() > MAX_CERTIFICATES {
            return Err(self.too_large(format!("more than {MAX_CERTIFICATES} anchors")));
        }
        let anchors = trust::encode(&anchors);
        if u64::try_from(anchors.len()).map_or(true, |length| length > MAX_FILE_BYTES) {
            return Err(self.too_large(format!("anchors of more than {MAX_FILE_BYTES} bytes")));
        }
        if chain_bytes + anchors.len() > MAX_RECORD_BYTES {
            return Err(self.too_large(format!("chain and anchors of more than {MAX_RECORD_BYTES} bytes")));
        }
        let parts = Parts { version, key_arn, chain, anchors, activated_at: now };
        SignerRecord::new("the new signer", parts).map_err(|reason| self.damaged(ACTIVE, reason))
    }

    /// Writes the active signer and its copy, both or none. The SDK sends a token with it, so that an attempt whose
    /// answer was lost is not made twice.
    async fn write(&self, record: &SignerRecord, expected: Option<u64>) -> Result<(), RecordsError> {
        let active = self.put(record, ACTIVE);
        let active = match expected {
            Some(version) => active
                .condition_expression("#version = :expected")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":expected", item::number(version)),
            None => active.condition_expression("attribute_not_exists(pk)"),
        };
        let copy = self.put(record, &item::version_key(record.version()));
        let copy = copy.condition_expression("attribute_not_exists(pk)");
        let mut request = self.client.transact_write_items();
        for put in [active, copy] {
            let put = put.build().map_err(|error| self.failed(Fault::Permanent(error.to_string())))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        request.send().await.map(drop).map_err(|error| self.not_written(&error))
    }

    fn put(&self, record: &SignerRecord, sk: &str) -> PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item::write(record, sk)))
    }

    fn not_written(&self, error: &SdkError<TransactWriteItemsError>) -> RecordsError {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return self.failed(Fault::of(error));
        };
        let codes: Vec<&str> =
            cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        // A conflict is another activation that is on its way.
        if codes.iter().any(|code| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict")) {
            return self.lost_race();
        }
        let throttled = ["ProvisionedThroughputExceeded", "ThrottlingError"];
        let text = format!("the transaction was cancelled ({})", codes.join(", "));
        self.failed(if codes.iter().any(|code| throttled.contains(code)) {
            Fault::Transient(text)
        } else {
            Fault::Permanent(text)
        })
    }

    pub(super) fn read(&self, item: &Item, sk: &str) -> Result<SignerRecord, RecordsError> {
        item::read(item, "the record").map_err(|reason| self.damaged(sk, reason))
    }

    pub(super) fn failed(&self, fault: Fault) -> RecordsError {
        let table = self.table.clone();
        match fault {
            Fault::Transient(reason) => RecordsError::Unavailable { table, reason },
            Fault::Permanent(reason) => RecordsError::Refused { table, reason },
        }
    }

    fn damaged(&self, sk: &str, reason: String) -> RecordsError {
        RecordsError::Damaged { table: self.table.clone(), sk: sk.to_owned(), reason }
    }

    pub(super) fn lost_race(&self) -> RecordsError {
        RecordsError::LostRace { table: self.table.clone() }
    }

    fn too_large(&self, what: String) -> RecordsError {
        RecordsError::TooLarge { table: self.table.clone(), what }
    }
}
