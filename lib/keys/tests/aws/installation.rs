//! A table of its own in the local AWS, and keys for it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use credlink_keys::aws::{KmsKey, NewSigner, SignerRecord, SignerRecords};
use credlink_local_aws::LocalAws;
use tempfile::TempDir;

use crate::support::now;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A table without a signer, and a folder without an authority.
pub(crate) struct Installation {
    pub(crate) dynamo: aws_sdk_dynamodb::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) table: String,
    pub(crate) folder: TempDir,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let aws = LocalAws::shared();
        let (config, table) = (aws.sdk_config(), aws.make_table().await);
        let dynamo = aws_sdk_dynamodb::Client::new(&config);
        let folder = TempDir::new().unwrap();
        Self { dynamo, kms: aws_sdk_kms::Client::new(&config), table, folder }
    }

    pub(crate) fn records(&self) -> SignerRecords {
        SignerRecords::new(self.dynamo.clone(), &self.table)
    }

    /// A new key in KMS; its ARN.
    pub(crate) async fn create_key(&self, spec: KeySpec, usage: KeyUsageType) -> String {
        let made = self.kms.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }

    pub(crate) async fn key(&self, spec: KeySpec) -> KmsKey {
        let arn = self.create_key(spec, KeyUsageType::SignVerify).await;
        KmsKey::read(&self.kms, &arn).await.unwrap()
    }

    /// A new key with a certificate of the authority in the folder.
    pub(crate) async fn signer(&self, spec: KeySpec) -> NewSigner {
        NewSigner::issue(&self.key(spec).await, self.folder.path(), now()).unwrap()
    }

    /// Makes a new key the active signer.
    pub(crate) async fn activate(&self) -> SignerRecord {
        let expected = self.records().active().await.unwrap().map(|record| record.version());
        let new = self.signer(KeySpec::EccNistP256).await;
        self.records().activate(&new, expected, now()).await.unwrap()
    }

    pub(crate) async fn item(&self, sk: &str) -> Option<Item> {
        let request = self.dynamo.get_item().table_name(&self.table).set_key(Some(key(sk)));
        request.send().await.unwrap().item
    }

    pub(crate) async fn put(&self, item: Item) {
        self.dynamo.put_item().table_name(&self.table).set_item(Some(item)).send().await.unwrap();
    }

    pub(crate) async fn delete(&self, sk: &str) {
        let request = self.dynamo.delete_item().table_name(&self.table).set_key(Some(key(sk)));
        request.send().await.unwrap();
    }
}

fn key(sk: &str) -> Item {
    [("pk", "signer"), ("sk", sk)].map(|(name, value)| (name.to_owned(), text(value))).into()
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
