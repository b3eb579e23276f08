//! API keys in a folder: one JSON file for each, `<id>.json`, readable by its owner only.

use std::{
    fmt::Display,
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use tokio::task;
use uuid::Uuid;

use super::{ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError};

/// The longest file, in bytes.
const MAX_LENGTH: u64 = 16 << 10;

/// The most keys.
const MAX_KEYS: usize = 10_000;

/// Keeps keys in a folder, which several processes may share.
#[derive(Clone, Debug)]
pub struct LocalApiKeys(PathBuf);

impl LocalApiKeys {
    /// The keys in `folder`. It is made when the first key is added.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn path(&self, id: ApiKeyId) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }

    fn write(&self, key: &ApiKey) -> Result<(), ApiKeyStoreError> {
        let cannot = cannot("keep an API key");
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(&cannot)?;
        let json = serde_json::to_vec_pretty(key).map_err(|error| cannot(io::Error::other(error)))?;
        let partial = self.0.join(format!("{}.partial", Uuid::new_v4()));
        let written =
            File::options().write(true).create_new(true).mode(0o600).open(&partial).and_then(|mut file| {
                file.write_all(&json)?;
                file.sync_all()?;
                fs::rename(&partial, self.path(key.id))?;
                File::open(&self.0)?.sync_all()
            });
        written.map_err(|error| {
            // What is left has another ending, so nobody takes it for a key.
            let _left_behind = fs::remove_file(&partial);
            cannot(error)
        })
    }

    fn read(&self, path: &Path) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_LENGTH).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged(path, error)),
            Err(error) => return Err(cannot("read an API key")(error)),
        }
        let key: ApiKey = serde_json::from_str(&text).map_err(|error| damaged(path, error))?;
        if self.path(key.id) != path {
            return Err(damaged(path, "it holds another key than its name says"));
        }
        Ok(Some(key))
    }

    fn read_all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read the folder of API keys")(error)),
        };
        let mut keys = Vec::new();
        for entry in entries.take(MAX_KEYS) {
            let path = entry.map_err(cannot("read the folder of API keys"))?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                keys.extend(self.read(&path)?);
            }
        }
        keys.sort_by_key(|key| (key.created_at, key.id));
        Ok(keys)
    }

    fn revoke_now(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, ApiKeyStoreError> {
        let Some(mut key) = self.read(&self.path(id))? else { return Ok(false) };
        if key.revoked_at.is_none() {
            key.revoked_at = Some(now);
            self.write(&key)?;
        }
        Ok(true)
    }

    /// Files are waited for elsewhere.
    async fn do_apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ApiKeyStoreError> + Send + 'static,
    ) -> Result<T, ApiKeyStoreError> {
        let keys = self.clone();
        let done = task::spawn_blocking(move || work(&keys)).await;
        done.map_err(|error| ApiKeyStoreError::Unavailable(error.to_string())).flatten()
    }
}

#[async_trait]
impl ApiKeyStore for LocalApiKeys {
    async fn add(&self, key: &ApiKey) -> Result<(), ApiKeyStoreError> {
        let key = key.clone();
        self.do_apart(move |keys| keys.write(&key)).await
    }

    async fn find(&self, id: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        self.do_apart(move |keys| keys.read(&keys.path(id))).await
    }

    async fn all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError> {
        self.do_apart(Self::read_all).await
    }

    async fn revoke(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, ApiKeyStoreError> {
        self.do_apart(move |keys| keys.revoke_now(id, now)).await
    }
}

fn cannot(what: &'static str) -> impl Fn(io::Error) -> ApiKeyStoreError {
    move |error| ApiKeyStoreError::Unavailable(format!("cannot {what}: {error}"))
}

fn damaged(path: &Path, reason: impl Display) -> ApiKeyStoreError {
    ApiKeyStoreError::Damaged { place: path.display().to_string(), reason: reason.to_string() }
}
