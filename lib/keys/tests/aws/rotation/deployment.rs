//! A deployment of a test's own in the local AWS, and a clock that the test sets.

use std::sync::{Arc, Mutex};

use aws_sdk_kms::types::{KeyState, KeyUsageType};
use credlink_aws::SdkConfig;
use credlink_keys::{
    KeyKind,
    aws::{
        KmsKey, SignerRecord, SignerRecords,
        rotation::{DeployedRotation, KmsKeyKeeper, PATIENCE, STACK_TAG},
    },
    rotation::{AuthorityChoice, Outcome, Rotation, RotationReport, Trigger, ports::KeyKeeper as _},
};
use credlink_local_aws::LocalAws;
use credlink_pipeline::timestamp::{Clock, Timestamp};
use uuid::Uuid;

use crate::support::now;

/// A clock that stands.
pub(crate) struct SetClock(Mutex<Timestamp>);

impl SetClock {
    pub(crate) fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A stack with a table and a bucket, in which nobody signs.
pub(crate) struct Deployment {
    pub(crate) settings: DeployedRotation,
    pub(crate) clock: Arc<SetClock>,
}

impl Deployment {
    pub(crate) async fn new(authority: AuthorityChoice) -> Self {
        let aws = LocalAws::shared();
        let settings = DeployedRotation {
            stack: format!("stack-{}", Uuid::new_v4()),
            table: aws.make_table().await,
            bucket: aws.make_bucket().await,
            topic_arn: None,
            authority,
            private_ca_arn: None,
            key_kind: Some(KeyKind::P256),
            before_days: 30,
            patience: PATIENCE,
        };
        Self { settings, clock: Arc::new(SetClock(Mutex::new(now()))) }
    }

    pub(crate) fn config() -> SdkConfig {
        LocalAws::shared().sdk_config()
    }

    pub(crate) fn rotation(&self) -> Rotation {
        self.rotation_over(&Self::config())
    }

    pub(crate) fn rotation_over(&self, config: &SdkConfig) -> Rotation {
        self.settings.rotation(config, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    pub(crate) async fn run(&self, trigger: Trigger) -> RotationReport {
        let report = self.rotation().run(trigger, &|| false).await.unwrap();
        assert_eq!(report.upkeep.problems, []);
        report
    }

    /// Rotates, which must come to its end.
    pub(crate) async fn rotate(&self, trigger: Trigger) -> SignerRecord {
        let report = self.run(trigger).await;
        assert!(matches!(report.outcome, Outcome::Rotated { .. }), "{report}");
        self.active().await
    }

    pub(crate) fn dynamo() -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&Self::config())
    }

    pub(crate) fn kms() -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&Self::config())
    }

    pub(crate) fn records(&self) -> SignerRecords {
        SignerRecords::new(Self::dynamo(), &self.settings.table)
    }

    pub(crate) fn keeper(&self) -> KmsKeyKeeper {
        KmsKeyKeeper::new(Self::kms(), &self.settings.stack, self.records())
    }

    /// How many keys there are that were made for rotations and never signed.
    pub(crate) async fn keeper_candidates(&self) -> usize {
        self.keeper().candidates().await.unwrap().len()
    }

    pub(crate) async fn active(&self) -> SignerRecord {
        self.records().active().await.unwrap().expect("somebody signs")
    }

    /// All keys of this stack, with the value of the tag `tag` and their state.
    pub(crate) async fn keys(&self, tag: &str) -> Vec<(String, String, KeyState)> {
        let (kms, mut found) = (Self::kms(), Vec::new());
        for key in kms.list_keys().limit(1000).send().await.unwrap().keys() {
            let arn = key.key_arn().unwrap();
            let answer = kms.list_resource_tags().key_id(arn).send().await.unwrap();
            let value = |name: &str| {
                answer.tags().iter().find(|tag| tag.tag_key() == name).map(|tag| tag.tag_value().to_owned())
            };
            if value(STACK_TAG).as_deref() == Some(self.settings.stack.as_str())
                && let Some(value) = value(tag)
            {
                found.push((arn.to_owned(), value, self.state(arn).await));
            }
        }
        found
    }

    /// The ARNs of the keys of this stack with the tag that can be used.
    pub(crate) async fn enabled(&self, tag: &str) -> Vec<String> {
        let keys = self.keys(tag).await.into_iter();
        keys.filter(|(.., state)| *state == KeyState::Enabled).map(|(arn, ..)| arn).collect()
    }

    pub(crate) async fn state(&self, arn: &str) -> KeyState {
        let answer = Self::kms().describe_key().key_id(arn).send().await.unwrap();
        answer.key_metadata.unwrap().key_state.unwrap()
    }

    /// A key that belongs to nobody.
    pub(crate) async fn strange_key(&self) -> String {
        let request = Self::kms().create_key().key_spec("ECC_NIST_P256".into());
        let made = request.key_usage(KeyUsageType::SignVerify).send().await.unwrap();
        made.key_metadata.unwrap().arn.unwrap()
    }

    /// That the record names a key, and a certificate for this very key.
    pub(crate) async fn assert_record_matches_its_key(&self) {
        let active = self.active().await;
        let key = KmsKey::read(&Self::kms(), active.key_arn()).await.unwrap();
        assert_eq!(key.kind(), active.kind());
        let public = key.public_key_info();
        let leaf = &active.chain()[0];
        assert!(leaf.windows(public.len()).any(|window| window == public), "another key than the leaf's");
        assert_eq!(self.state(active.key_arn()).await, KeyState::Enabled);
    }
}
