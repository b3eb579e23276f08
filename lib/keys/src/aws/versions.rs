//! The versions that ever were, and how one of them becomes active again.

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::Fault;
use credlink_pipeline::timestamp::Timestamp;

use super::{
    error::RecordsError,
    item::{self, Item, PARTITION, VERSION_PREFIX},
    record::SignerRecord,
    records::{SignerRecords, Successor},
};

/// The most versions that are read. One a year is the rule.
pub const MAX_VERSIONS: usize = 1_000;

impl SignerRecords {
    /// All versions that can be read, newest first, the active one among them; at most [`MAX_VERSIONS`]. One that is
    /// damaged is passed over, and logged. Needs `dynamodb:Query`.
    ///
    /// # Errors
    /// [`RecordsError::Unavailable`] and [`RecordsError::Refused`].
    pub async fn versions(&self) -> Result<Vec<SignerRecord>, RecordsError> {
        let copies = self.copies().await?;
        Ok(copies.iter().filter_map(|item| self.readable(item)).collect())
    }

    /// The ARNs of the keys that sign or signed, in damaged records too: such a key must not pass for one that never
    /// signed. Needs `dynamodb:GetItem` and `dynamodb:Query`.
    ///
    /// # Errors
    /// As [`SignerRecords::active`]; an active record that is damaged is one.
    pub async fn key_arns(&self) -> Result<Vec<String>, RecordsError> {
        let active = self.active().await?.map(|active| active.key_arn().to_owned());
        let copies = self.copies().await?;
        let arns = copies.iter().filter_map(|item| item.get("keyArn")?.as_s().ok().cloned());
        Ok(arns.chain(active).collect())
    }

    /// Makes the earlier `version` the active one again, as a new version with the same key, chain and anchors, if the
    /// active one still has the version `expected`. When an earlier attempt did so, it is left as it is. Needs
    /// `dynamodb:GetItem`, `dynamodb:Query` and `dynamodb:PutItem`.
    ///
    /// # Errors
    /// [`RecordsError::NoVersion`], [`RecordsError::NotValid`] when a certificate is not valid at `now`, and those of
    /// [`SignerRecords::activate`].
    pub async fn restore(
        &self,
        version: u64,
        expected: Option<u64>,
        now: Timestamp,
    ) -> Result<SignerRecord, RecordsError> {
        let earlier = self.version(version).await?;
        earlier.check_dates(now).map_err(|error| RecordsError::NotValid {
            table: self.table().to_owned(),
            version,
            reason: error.to_string(),
        })?;
        let successor = Successor {
            key_arn: earlier.key_arn().to_owned(),
            chain: earlier.chain().to_vec(),
            roots: earlier.anchor_certificates().to_vec(),
        };
        match self.replace(successor, expected, now).await {
            Err(RecordsError::LostRace { .. }) => match self.active().await? {
                Some(active) if active.is(earlier.key_arn(), earlier.checked_chain()) => Ok(active),
                _ => Err(self.lost_race()),
            },
            outcome => outcome,
        }
    }

    /// The copies of all versions, newest first; at most [`MAX_VERSIONS`].
    async fn copies(&self) -> Result<Vec<Item>, RecordsError> {
        let (mut copies, mut after) = (Vec::new(), None);
        loop {
            let request = self
                .client()
                .query()
                .table_name(self.table())
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", item::text(PARTITION))
                .expression_attribute_values(":prefix", item::text(VERSION_PREFIX))
                .set_exclusive_start_key(after);
            let answer = request.consistent_read(true).scan_index_forward(false).send().await;
            let answer = answer.map_err(|error| self.failed(Fault::of(&error)))?;
            copies.extend(answer.items.unwrap_or_default());
            copies.truncate(MAX_VERSIONS);
            after = answer.last_evaluated_key;
            if after.is_none() || copies.len() == MAX_VERSIONS {
                return Ok(copies);
            }
        }
    }

    /// The copy of a version.
    async fn version(&self, version: u64) -> Result<SignerRecord, RecordsError> {
        let sk = item::version_key(version);
        let request = self.client().get_item().table_name(self.table()).set_key(Some(item::key(&sk)));
        let answer = request.consistent_read(true).send().await;
        let answer = answer.map_err(|error| self.failed(Fault::of(&error)))?;
        let missing = || RecordsError::NoVersion { table: self.table().to_owned(), version };
        self.read(&answer.item.ok_or_else(missing)?, &sk)
    }

    fn readable(&self, item: &Item) -> Option<SignerRecord> {
        let sk =
            item.get("sk").and_then(|sk: &AttributeValue| sk.as_s().ok()).map_or("version#", String::as_str);
        self.read(item, sk)
            .inspect_err(
                |error| tracing::warn!(%error, "an earlier version cannot be read, and is passed over"),
            )
            .ok()
    }
}
