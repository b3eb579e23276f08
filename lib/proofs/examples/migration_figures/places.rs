//! Empty stores, each under the text that the command takes.

use std::{path::Path, str::FromStr, sync::Arc};

use credlink_local_aws::LocalAws;
use credlink_local_postgres::LocalPostgres;
use credlink_pipeline::proof::ProofId;
use credlink_proofs::{ProofArchive, StoreLocation};

use crate::Result;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Local,
    Postgres,
    DynamoDb,
    S3,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Local, Self::Postgres, Self::DynamoDb, Self::S3];

    pub(crate) fn is_on_aws(self) -> bool {
        matches!(self, Self::DynamoDb | Self::S3)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Postgres => "postgres",
            Self::DynamoDb => "dynamodb",
            Self::S3 => "s3",
        }
    }

    /// The text that names a new store of this kind.
    pub(crate) async fn fresh(self, dir: &Path) -> String {
        match self {
            Self::Local => format!("local:{}", dir.join(ProofId::random().to_string()).display()),
            Self::Postgres => LocalPostgres::shared().make_database().await,
            Self::DynamoDb => {
                let aws = LocalAws::shared();
                format!("dynamodb:{}/{}", aws.make_table().await, aws.make_bucket().await)
            }
            Self::S3 => format!("s3:{}", LocalAws::shared().make_bucket().await),
        }
    }
}

impl FromStr for Kind {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("{text} is no kind of store").into())
    }
}

/// Opens the store of this text.
pub(crate) async fn open(text: &str) -> Result<Arc<dyn ProofArchive>> {
    let location = StoreLocation::parse(text, Path::new("."), |_| None)?;
    Ok(location.open(async || LocalAws::shared().sdk_config()).await?)
}
