//! Keys of KMS that say in their tags whose they are and what for.
//!
//! `CreateKey` cannot be repeated: each call makes a key. So the tags are set in the call itself, and a key whose
//! maker never heard the answer is found again by them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_kms::{
    Client, Config,
    config::retry::RetryConfig,
    operation::list_keys::ListKeysOutput,
    types::{KeyMetadata, KeySpec, KeyState, KeyUsageType, Tag},
};
use tokio::task::JoinSet;

use super::{
    call::{self, Call},
    private_ca::PATIENCE,
};
use crate::{
    algorithm::KeyKind,
    aws::{error::KmsKeyError, key::KmsKey},
    rotation::ports::Fault,
};

/// The tag with the name of the stack that a key belongs to. Roles may use no keys without it.
pub const STACK_TAG: &str = "credlink:stack";
/// The tag with the rotation that a key was made for.
pub const ROTATION_TAG: &str = "credlink:rotation";
/// The tag with what an authority's key was made for, such as `root-1`.
pub const AUTHORITY_TAG: &str = "credlink:authority";

/// The most keys of an account's region that are looked through.
const MAX_KEYS: usize = 5_000;
/// Keys whose tags are asked for at once.
const KEYS_AT_ONCE: usize = 8;
/// The most keys in an answer of `ListKeys`.
const KEYS_IN_PAGE: i32 = 1_000;

/// The keys of one stack.
#[derive(Clone, Debug)]
pub(super) struct TaggedKeys {
    client: Client,
    stack: String,
    /// The tags of keys that were asked for before; empty for those of others. A key has its tags from its first day,
    /// and nobody but its stack has a reason to change them.
    known: Arc<Mutex<HashMap<String, Vec<Tag>>>>,
    patience: Duration,
}

/// A key and the value of the tag that it was found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TaggedKey {
    pub(super) arn: String,
    pub(super) value: String,
}

impl TaggedKeys {
    pub(super) fn new(client: Client, stack: String) -> Self {
        Self { client, stack, known: Arc::default(), patience: PATIENCE }
    }

    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// For how long the right to use a new key is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Makes a key. Its policy is the default one: the policies of the account decide.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>
    pub(super) async fn make(&self, kind: KeyKind, tag: &str, value: &str) -> Result<KmsKey, Fault> {
        let stack = &self.stack;
        let place = format!("KMS, for a new key of {stack}");
        let call = Call { resource: &place, permission: "kms:CreateKey with kms:TagResource" };
        let spec = spec_of(kind).ok_or_else(|| Fault {
            resource: place.clone(),
            problem: format!("KMS signs no digests with keys of the kind {kind}"),
            fix: "choose rsa-2048, rsa-3072, rsa-4096, p-256 or p-384".to_owned(),
            passing: false,
        })?;
        let request = self.client.create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
        let request = request.description(format!("CredLink, {stack}: {tag} {value}"));
        let request = request.tags(self.tag(STACK_TAG, stack, call)?).tags(self.tag(tag, value, call)?);
        // Not repeated by the client: the next attempt looks first whether this one made a key all the same.
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let made =
            request.customize().config_override(once).send().await.map_err(|error| call.failed(&error))?;
        let arn = made.key_metadata.and_then(|metadata| metadata.arn);
        self.read(&arn.ok_or_else(|| call.answered_without("key"))?).await
    }

    /// All keys of this stack that have the tag `tag`, whatever their state.
    ///
    /// A key that does not show its tags is somebody else's, as long as another one does.
    pub(super) async fn with_tag(&self, tag: &'static str) -> Result<Vec<TaggedKey>, Fault> {
        let (mut found, mut readable, mut denied) = (Vec::new(), false, None);
        for some in self.all().await?.chunks(KEYS_AT_ONCE) {
            let mut asked = JoinSet::new();
            for arn in some.iter().cloned() {
                let keys = self.clone();
                asked.spawn(async move { keys.value(arn, tag).await });
            }
            for outcome in asked.join_all().await {
                match outcome? {
                    Look::Denied(fault) => denied = Some(fault),
                    Look::Untagged => readable = true,
                    Look::Tagged(key) => {
                        readable = true;
                        found.push(key);
                    }
                }
            }
        }
        match denied {
            Some(fault) if !readable => Err(fault),
            _ => {
                found.sort_by(|one, other| one.arn.cmp(&other.arn));
                Ok(found)
            }
        }
    }

    /// The public half of a key.
    pub(super) async fn read(&self, arn: &str) -> Result<KmsKey, Fault> {
        KmsKey::read(&self.client, arn).await.map_err(|error| unreadable(arn, &error))
    }

    /// What KMS says of a key; `None` when there is none.
    pub(super) async fn describe(&self, arn: &str) -> Result<Option<KeyMetadata>, Fault> {
        let resource = resource(arn);
        let call = Call { resource: &resource, permission: "kms:DescribeKey" };
        match self.client.describe_key().key_id(arn).send().await {
            Ok(answer) => answer.key_metadata.map(Some).ok_or_else(|| call.answered_without("description")),
            Err(error) if call::has_code(&error, &["NotFoundException"]) => Ok(None),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Whether a key is there and not about to be deleted.
    pub(super) async fn is_kept(&self, arn: &str) -> Result<bool, Fault> {
        let state = self.describe(arn).await?.and_then(|metadata| metadata.key_state);
        Ok(state.is_some_and(|state| !is_leaving(&state)))
    }

    /// Whether a key can be used now.
    pub(super) async fn is_usable(&self, arn: &str) -> Result<bool, Fault> {
        let state = self.describe(arn).await?.and_then(|metadata| metadata.key_state);
        Ok(state == Some(KeyState::Enabled))
    }

    /// Has a key deleted in `days`, 7 to 30. One that is gone, or that will be, is left as it is.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
    pub(super) async fn schedule_deletion(&self, arn: &str, days: i32) -> Result<(), Fault> {
        if !self.is_kept(arn).await? {
            return Ok(());
        }
        let resource = resource(arn);
        let call = Call { resource: &resource, permission: "kms:ScheduleKeyDeletion" };
        let request = self.client.schedule_key_deletion().key_id(arn).pending_window_in_days(days);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if call::has_code(&error, &["NotFoundException"]) => Ok(()),
            Err(error) if call::has_code(&error, INVALID_STATE) && !self.is_kept(arn).await? => Ok(()),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Makes a key unable to sign. One that cannot sign any more is left as it is: somebody else's key, which this may
    /// not disable, is done with as soon as its owner disabled it.
    pub(super) async fn disable(&self, arn: &str) -> Result<(), Fault> {
        let state = self.describe(arn).await?.and_then(|metadata| metadata.key_state);
        if state.is_none_or(|state| state == KeyState::Disabled || is_leaving(&state)) {
            return Ok(());
        }
        let resource = resource(arn);
        let call = Call { resource: &resource, permission: "kms:DisableKey" };
        match self.client.disable_key().key_id(arn).send().await {
            Ok(_) => Ok(()),
            Err(error) if call::has_code(&error, INVALID_STATE) && !self.is_kept(arn).await? => Ok(()),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// The ARNs of all keys of the account's region.
    async fn all(&self) -> Result<Vec<String>, Fault> {
        let call = Call { resource: "KMS, the keys of this region", permission: "kms:ListKeys" };
        let (mut arns, mut marker) = (Vec::new(), None);
        loop {
            let request = self.client.list_keys().limit(KEYS_IN_PAGE).set_marker(marker);
            let page: ListKeysOutput = request.send().await.map_err(|error| call.failed(&error))?;
            arns.extend(page.keys.unwrap_or_default().into_iter().filter_map(|key| key.key_arn));
            if arns.len() > MAX_KEYS {
                return Err(Fault {
                    resource: call.resource.to_owned(),
                    problem: format!("there are more than {MAX_KEYS}, too many to look for the stack's own"),
                    fix: "delete keys that nobody needs, or run the service in a region of its own"
                        .to_owned(),
                    passing: false,
                });
            }
            marker = page.next_marker.filter(|_| page.truncated);
            if marker.is_none() {
                return Ok(arns);
            }
        }
    }

    /// Whether the key belongs to this stack and has the tag.
    async fn value(&self, arn: String, tag: &str) -> Result<Look, Fault> {
        let known = self.known().get(&arn).cloned();
        let tags = match known {
            Some(tags) => tags,
            None => match self.tags(&arn).await? {
                Ok(tags) => tags,
                Err(denied) => return Ok(Look::Denied(denied)),
            },
        };
        let value = tags.into_iter().find(|known| known.tag_key() == tag);
        Ok(value.map_or(Look::Untagged, |known| Look::Tagged(TaggedKey { arn, value: known.tag_value })))
    }

    /// The tags of a key of this stack; none when it is somebody else's. A key has at most 50 tags, which is one answer.
    async fn tags(&self, arn: &str) -> Result<Result<Vec<Tag>, Fault>, Fault> {
        let resource = resource(arn);
        let call = Call { resource: &resource, permission: "kms:ListResourceTags" };
        let tags = match self.client.list_resource_tags().key_id(arn).send().await {
            Ok(answer) => answer.tags.unwrap_or_default(),
            Err(error) if call::is_denied(&error) => return Ok(Err(call.failed(&error))),
            Err(error) if call::has_code(&error, &["NotFoundException"]) => return Ok(Ok(Vec::new())),
            Err(error) => return Err(call.failed(&error)),
        };
        let is_own = tags.iter().any(|tag| tag.tag_key() == STACK_TAG && tag.tag_value() == self.stack);
        let tags = if is_own { tags } else { Vec::new() };
        self.known().insert(arn.to_owned(), tags.clone());
        Ok(Ok(tags))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Vec<Tag>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag(&self, name: &str, value: &str, call: Call<'_>) -> Result<Tag, Fault> {
        let tag = Tag::builder().tag_key(name).tag_value(value).build();
        tag.map_err(|_| call.answered_without("tag"))
    }
}

/// What the tags of a key say.
enum Look {
    Tagged(TaggedKey),
    Untagged,
    Denied(Fault),
}

/// What KMS answers when a key is in no state for the call, such as one that is about to be deleted.
const INVALID_STATE: &[&str] = &["KMSInvalidStateException"];

/// What messages call the key with this ARN.
pub(super) fn resource(arn: &str) -> String {
    format!("KMS key {arn}")
}

/// Whether a key in this state will be gone.
pub(super) fn is_leaving(state: &KeyState) -> bool {
    matches!(state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
}

fn spec_of(kind: KeyKind) -> Option<KeySpec> {
    match kind {
        KeyKind::Rsa2048 => Some(KeySpec::Rsa2048),
        KeyKind::Rsa3072 => Some(KeySpec::Rsa3072),
        KeyKind::Rsa4096 => Some(KeySpec::Rsa4096),
        KeyKind::P256 => Some(KeySpec::EccNistP256),
        KeyKind::P384 => Some(KeySpec::EccNistP384),
        KeyKind::Ed25519 => None,
    }
}

fn unreadable(arn: &str, error: &KmsKeyError) -> Fault {
    let passing = matches!(error, KmsKeyError::Unavailable(_));
    let fix = if passing {
        "nothing needs to be done if it passes by itself"
    } else {
        "allow kms:GetPublicKey on it, or delete this key so that another is made"
    };
    Fault { resource: resource(arn), problem: error.to_string(), fix: fix.to_owned(), passing }
}
