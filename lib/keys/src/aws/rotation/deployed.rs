//! The rotation of one deployment: where its things are, and what its operator chose.
//!
//! The function that rotates finds both in its environment, and writes them down in the table, as the item with
//! `pk=signer` and `sk=rotation-settings`; so the command line needs to be told the table only.

use std::{sync::Arc, time::Duration};

use credlink_aws::SdkConfig;
use credlink_pipeline::timestamp::Clock;
use serde::{Deserialize, Serialize};

use super::{
    Authorities, DropBox, KmsAuthority, KmsKeyKeeper, PATIENCE, PrivateCa, SnsAnnouncer, TableJournal,
    call::Call,
};
use crate::{
    algorithm::KeyKind,
    aws::{
        item::{self, Attributes},
        records::SignerRecords,
    },
    rotation::{
        AuthorityChoice, Rotation, RotationPolicy, RotationPorts,
        local::LogAnnouncer,
        ports::{Announcer, Fault},
    },
};

/// The sort key of what was chosen.
const SETTINGS: &str = "rotation-settings";

/// Where the things of a rotation are, and what was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedRotation {
    /// The name of the stack, which its keys carry as a tag.
    pub stack: String,
    /// The table of signers.
    #[serde(skip)]
    pub table: String,
    /// The bucket where an authority elsewhere finds requests.
    pub bucket: String,
    /// The SNS topic of those who are told; nobody but the log when there is none.
    pub topic_arn: Option<String>,
    /// Which authority issues.
    #[serde(with = "by_name")]
    pub authority: AuthorityChoice,
    /// The ARN of an authority in AWS Private CA.
    pub private_ca_arn: Option<String>,
    /// The kind of new keys; that of the active one when there is none.
    pub key_kind: Option<KeyKind>,
    /// A rotation is due when fewer days than this remain.
    pub before_days: u32,
    /// For how long one call waits for a certificate of AWS Private CA, or for the right to use a new key.
    #[serde(skip, default = "patience")]
    pub patience: Duration,
}

impl Default for DeployedRotation {
    fn default() -> Self {
        Self {
            stack: String::new(),
            table: String::new(),
            bucket: String::new(),
            topic_arn: None,
            authority: AuthorityChoice::Auto,
            private_ca_arn: None,
            key_kind: None,
            before_days: RotationPolicy::default().before_days,
            patience: PATIENCE,
        }
    }
}

impl DeployedRotation {
    /// The rotation, with clients made from `config`.
    pub fn rotation(&self, config: &SdkConfig, clock: Arc<dyn Clock>) -> Rotation {
        Rotation::new(self.ports(config, clock), self.policy())
    }

    /// What the rotation needs from AWS.
    pub fn ports(&self, config: &SdkConfig, clock: Arc<dyn Clock>) -> RotationPorts {
        let (kms, dynamo) = (aws_sdk_kms::Client::new(config), aws_sdk_dynamodb::Client::new(config));
        let records = SignerRecords::new(dynamo.clone(), &self.table);
        let announcer: Arc<dyn Announcer> = match &self.topic_arn {
            Some(topic) => Arc::new(SnsAnnouncer::new(aws_sdk_sns::Client::new(config), topic)),
            None => Arc::new(LogAnnouncer),
        };
        let private_ca = self
            .private_ca_arn
            .as_ref()
            .map(|arn| PrivateCa::new(aws_sdk_acmpca::Client::new(config), arn).with_patience(self.patience));
        let authorities = Authorities {
            choice: self.authority,
            internal: KmsAuthority::new(kms.clone(), dynamo.clone(), &self.stack, &self.table)
                .with_patience(self.patience),
            private_ca,
            external: self.drop_box(config),
            records: records.clone(),
        };
        RotationPorts {
            keys: Arc::new(KmsKeyKeeper::new(kms, &self.stack, records.clone()).with_patience(self.patience)),
            authority: Arc::new(authorities),
            versions: Arc::new(records),
            journal: Arc::new(TableJournal::new(dynamo, &self.table)),
            announcer,
            clock,
        }
    }

    /// What the operator chose.
    pub fn policy(&self) -> RotationPolicy {
        RotationPolicy { before_days: self.before_days, kind: self.key_kind, ..RotationPolicy::default() }
    }

    /// Where an authority elsewhere finds requests and puts certificates.
    pub fn drop_box(&self, config: &SdkConfig) -> DropBox {
        let records = SignerRecords::new(aws_sdk_dynamodb::Client::new(config), &self.table);
        DropBox::new(credlink_aws::s3(config), &self.bucket, records)
    }

    /// What was chosen for the deployment with this table, as its function wrote it down. Takes `dynamodb:GetItem`.
    ///
    /// # Errors
    /// [`Fault`] when there is nothing, or when it cannot be read.
    pub async fn read(client: &aws_sdk_dynamodb::Client, table: &str) -> Result<Self, Fault> {
        let place = place(table);
        let unreadable = |problem: String| {
            let fix = "let the stack's function rotate_certificate run once, which writes it";
            Fault::lasting(place.clone(), problem, fix)
        };
        let call = Call { resource: &place, permission: "dynamodb:GetItem" };
        let request = client.get_item().table_name(table).set_key(Some(item::key(SETTINGS)));
        let answer = request.consistent_read(true).send().await.map_err(|error| call.failed(&error))?;
        let item = answer.item.ok_or_else(|| unreadable("there is no such item".to_owned()))?;
        let text = Attributes(&item).text("settings").map_err(unreadable)?;
        let read: Self = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { table: table.to_owned(), ..read })
    }

    /// Writes it down, unless it stands there already. Takes `dynamodb:GetItem` and `dynamodb:PutItem`.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn write(&self, client: &aws_sdk_dynamodb::Client) -> Result<(), Fault> {
        if Self::read(client, &self.table).await.is_ok_and(|read| read == *self) {
            return Ok(());
        }
        let place = place(&self.table);
        let text = serde_json::to_string(self)
            .map_err(|error| Fault::lasting(place.clone(), error.to_string(), "report this as an error"))?;
        let mut settings = item::key(SETTINGS);
        settings.insert("settings".to_owned(), item::text(&text));
        let call = Call { resource: &place, permission: "dynamodb:PutItem" };
        let answer = client.put_item().table_name(&self.table).set_item(Some(settings)).send().await;
        answer.map(drop).map_err(|error| call.failed(&error))
    }
}

fn patience() -> Duration {
    PATIENCE
}

fn place(table: &str) -> String {
    format!("table {table} (pk=signer, sk={SETTINGS})")
}

/// An authority by its name.
mod by_name {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::rotation::AuthorityChoice;

    pub(super) fn serialize<S: Serializer>(
        choice: &AuthorityChoice,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(choice.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<AuthorityChoice, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
