//! Which store is meant, as one text says it.

use std::{
    fmt, fs, path,
    path::{Path, PathBuf},
    sync::Arc,
};

use credlink_aws::SdkConfig;
use credlink_pipeline::proof::ProofStoreError;
use thiserror::Error;

use crate::{
    LocalProofStore, MemoryProofStore, ProofArchive,
    aws::AwsProofStore,
    postgres::{PostgresProofStore, PostgresSettings, PostgresSettingsError},
    s3::S3ProofStore,
};

/// Where proofs live. As text it never shows a password.
#[derive(Clone, Debug)]
pub enum StoreLocation {
    /// In the memory of this process, until it ends.
    Memory,
    /// In this folder.
    Local(PathBuf),
    /// In a DynamoDB table, with the manifest stores in an S3 bucket.
    DynamoDb {
        /// The table.
        table: String,
        /// The bucket.
        bucket: String,
    },
    /// In an S3 bucket alone.
    S3 {
        /// The bucket.
        bucket: String,
        /// What the names of all objects begin with, before a slash.
        prefix: String,
    },
    /// In a PostgreSQL database.
    Postgres(Box<PostgresSettings>),
}

/// Why a text names no store. Never shows what stands behind the kind, where a password may be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreLocationError {
    /// There is no such kind of store.
    #[error("{0:?} is no kind of store; write {FORMS}")]
    UnknownKind(String),
    /// A part is neither in the text nor in the environment.
    #[error("it names no {what}; write {form}, or set {variable}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// How it is written.
        form: &'static str,
        /// The variable that may say it.
        variable: &'static str,
    },
    /// A part cannot be what it should be.
    #[error("{name:?} can be no {what}; {rule}")]
    Name {
        /// What it should be.
        what: &'static str,
        /// The text.
        name: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// The URL names no database.
    #[error("the URL of the database {0}")]
    Postgres(#[from] PostgresSettingsError),
}

/// All that can be written.
const FORMS: &str = "local[:FOLDER], memory, dynamodb[:TABLE/BUCKET], s3[:BUCKET[/PREFIX]] or postgres[://USER:PASSWORD@HOST/DATABASE]";

const DYNAMODB_FORM: &str = "dynamodb:TABLE/BUCKET";
const S3_FORM: &str = "s3:BUCKET";
const POSTGRES_FORM: &str = "postgres://USER:PASSWORD@HOST/DATABASE";

/// The prefix where none is chosen.
const PREFIX: &str = "proofs";

/// The longest prefix. The name of an object has at most 1024 bytes, of which a store needs some 320.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const MAX_PREFIX: usize = 256;

impl StoreLocation {
    /// Reads one of these, and takes what it leaves out from elsewhere; `lookup` gives the values of variables:
    ///
    /// | text | left out |
    /// |---|---|
    /// | `memory` | |
    /// | `local`, `local:FOLDER` | the folder is `proofs` in the data folder `data` |
    /// | `dynamodb`, `dynamodb:TABLE`, `dynamodb:TABLE/BUCKET` | `PROOF_TABLE`, `BLOB_BUCKET` |
    /// | `s3`, `s3:BUCKET`, `s3:BUCKET/PREFIX` | `PROOF_BUCKET`; `PROOF_PREFIX`, or else `proofs` |
    /// | `postgres`, `postgres://…`, `postgresql://…` | `PROOF_DATABASE_URL` |
    ///
    /// # Errors
    /// [`StoreLocationError`].
    pub fn parse(
        text: &str,
        data: &Path,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StoreLocationError> {
        let text = text.trim();
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let variables = Variables(|name: &str| lookup(name).filter(|value| !value.trim().is_empty()));
        match kind {
            "memory" if rest.is_empty() => Ok(Self::Memory),
            "local" if rest.is_empty() => Ok(Self::local(data)),
            "local" => Ok(Self::Local(PathBuf::from(rest))),
            "dynamodb" => Self::dynamodb(rest, &variables),
            "s3" => Self::s3(rest, &variables),
            "postgres" | "postgresql" if rest.is_empty() => Self::postgres("", &variables),
            "postgres" | "postgresql" => Self::postgres(text, &variables),
            _ => Err(StoreLocationError::UnknownKind(kind.to_owned())),
        }
    }

    /// Where proofs live in the data folder `data`.
    pub fn local(data: &Path) -> Self {
        Self::Local(data.join("proofs"))
    }

    /// The kind of store, in the word that a text begins with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Local(_) => "local",
            Self::DynamoDb { .. } => "dynamodb",
            Self::S3 { .. } => "s3",
            Self::Postgres(_) => "postgres",
        }
    }

    /// A text that is the same for two locations exactly when they are one store, as far as their names tell. Two stores
    /// in memory are never the same one, although their text is.
    pub fn identity(&self) -> String {
        match self {
            Self::Local(folder) => {
                let there = fs::canonicalize(folder).or_else(|_| path::absolute(folder));
                format!("local:{}", there.unwrap_or_else(|_| folder.clone()).display())
            }
            // A proof is there when its record is, whatever bucket has its manifest store.
            Self::DynamoDb { table, .. } => format!("dynamodb:{table}"),
            // Whoever the user is.
            Self::Postgres(settings) => {
                let text = settings.to_string();
                format!("postgres:{}", text.rsplit_once('@').map_or(text.as_str(), |(_, place)| place))
            }
            Self::Memory | Self::S3 { .. } => self.to_string(),
        }
    }

    /// Opens the store; a folder is created where there is none. `aws` is asked for the way to AWS, by stores that are
    /// there. Nothing is asked of AWS yet: [`check`](credlink_pipeline::proof::ProofStore::check) does. A database is asked,
    /// and gets its tables.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when the store cannot be opened.
    pub async fn open(
        &self,
        aws: impl AsyncFnOnce() -> SdkConfig,
    ) -> Result<Arc<dyn ProofArchive>, ProofStoreError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryProofStore::new()),
            Self::Local(folder) => Arc::new(LocalProofStore::open(folder)?),
            Self::DynamoDb { table, bucket } => {
                Arc::new(AwsProofStore::at(&in_a_region(aws().await)?, table, bucket))
            }
            Self::S3 { bucket, prefix } => {
                Arc::new(S3ProofStore::at(&in_a_region(aws().await)?, bucket, prefix))
            }
            Self::Postgres(settings) => Arc::new(PostgresProofStore::open(settings).await?),
        })
    }

    /// Like [`StoreLocation::open`], but a database is asked at its first use only, so that a process starts without it.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when the store cannot be opened.
    pub async fn open_later(
        &self,
        aws: impl AsyncFnOnce() -> SdkConfig,
    ) -> Result<Arc<dyn ProofArchive>, ProofStoreError> {
        match self {
            Self::Postgres(settings) => Ok(Arc::new(PostgresProofStore::open_later(settings)?)),
            Self::Memory | Self::Local(_) | Self::DynamoDb { .. } | Self::S3 { .. } => self.open(aws).await,
        }
    }

    /// Like [`StoreLocation::open`], for who only reads. A folder, or the tables of a database, must be there, may be
    /// read-only, and stay as they are.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when the store cannot be opened.
    pub async fn open_for_reading(
        &self,
        aws: impl AsyncFnOnce() -> SdkConfig,
    ) -> Result<Arc<dyn ProofArchive>, ProofStoreError> {
        match self {
            Self::Local(folder) => Ok(Arc::new(LocalProofStore::open_for_reading(folder)?)),
            Self::Postgres(settings) => Ok(Arc::new(PostgresProofStore::open_for_reading(settings).await?)),
            Self::Memory | Self::DynamoDb { .. } | Self::S3 { .. } => self.open(aws).await,
        }
    }

    fn dynamodb<L>(rest: &str, variables: &Variables<L>) -> Result<Self, StoreLocationError>
    where
        L: Fn(&str) -> Option<String>,
    {
        let (table, bucket) = rest.split_once('/').unwrap_or((rest, ""));
        let table = variables.part(table, ("table", "PROOF_TABLE", DYNAMODB_FORM))?;
        let bucket = variables.part(bucket, ("bucket", "BLOB_BUCKET", DYNAMODB_FORM))?;
        Ok(Self::DynamoDb { table: table_name(table)?, bucket: bucket_name(bucket)? })
    }

    fn s3<L>(rest: &str, variables: &Variables<L>) -> Result<Self, StoreLocationError>
    where
        L: Fn(&str) -> Option<String>,
    {
        // As other tools write it.
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = variables.part(bucket, ("bucket", "PROOF_BUCKET", S3_FORM))?;
        let prefix = match prefix {
            "" => variables.text("PROOF_PREFIX").unwrap_or_else(|| PREFIX.to_owned()),
            chosen => chosen.to_owned(),
        };
        Ok(Self::S3 { bucket: bucket_name(bucket)?, prefix: object_prefix(prefix)? })
    }

    fn postgres<L>(url: &str, variables: &Variables<L>) -> Result<Self, StoreLocationError>
    where
        L: Fn(&str) -> Option<String>,
    {
        let url = variables.part(url, ("database", "PROOF_DATABASE_URL", POSTGRES_FORM))?;
        Ok(Self::Postgres(Box::new(PostgresSettings::parse(&url)?)))
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Local(folder) => write!(f, "local:{}", folder.display()),
            Self::DynamoDb { table, bucket } => write!(f, "dynamodb:{table}/{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3:{bucket}/{prefix}"),
            Self::Postgres(settings) => settings.fmt(f),
        }
    }
}

/// The environment.
struct Variables<L>(L);

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    /// What stands in the text, else in the variable.
    fn part(
        &self,
        written: &str,
        (what, variable, form): (&'static str, &'static str, &'static str),
    ) -> Result<String, StoreLocationError> {
        if !written.is_empty() {
            return Ok(written.to_owned());
        }
        self.text(variable).ok_or(StoreLocationError::Missing { what, form, variable })
    }

    fn text(&self, variable: &str) -> Option<String> {
        (self.0)(variable).map(|value| value.trim().to_owned())
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn table_name(name: String) -> Result<String, StoreLocationError> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if (3..=255).contains(&name.len()) && name.chars().all(is_known) {
        return Ok(name);
    }
    let rule = "a table has 3 to 255 letters, digits, underscores, dots and hyphens";
    Err(StoreLocationError::Name { what: "DynamoDB table", name, rule })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn bucket_name(name: String) -> Result<String, StoreLocationError> {
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if (3..=63).contains(&name.len()) && name.chars().all(is_known) {
        return Ok(name);
    }
    let rule = "a bucket has 3 to 63 small letters, digits, dots and hyphens";
    Err(StoreLocationError::Name { what: "S3 bucket", name, rule })
}

/// One that other programs show and take without quoting.
fn object_prefix(prefix: String) -> Result<String, StoreLocationError> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_known) && part != "." && part != "..";
    if prefix.len() <= MAX_PREFIX && prefix.split('/').all(is_part) {
        return Ok(prefix);
    }
    let rule =
        "a prefix has at most 256 letters, digits, underscores, dots and hyphens, and single slashes inside";
    Err(StoreLocationError::Name { what: "prefix of objects", name: prefix, rule })
}

fn in_a_region(config: SdkConfig) -> Result<SdkConfig, ProofStoreError> {
    let no_region = "no AWS region: set AWS_REGION, or choose a profile that has one with AWS_PROFILE";
    config.region().is_some().then_some(config).ok_or(ProofStoreError::Unavailable(no_region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: [(&str, &str); 4] = [
        ("PROOF_TABLE", "the-table"),
        ("BLOB_BUCKET", "the-bucket"),
        ("PROOF_BUCKET", "a-bucket"),
        ("PROOF_DATABASE_URL", "postgres://me:secret@localhost/credlink"),
    ];

    fn parse(text: &str) -> Result<StoreLocation, StoreLocationError> {
        let of = |name: &str| ENVIRONMENT.iter().find(|(known, _)| *known == name);
        StoreLocation::parse(text, Path::new("/data"), |name| of(name).map(|(_, value)| (*value).to_owned()))
    }

    fn parse_alone(text: &str) -> String {
        StoreLocation::parse(text, Path::new("/data"), |_| Some(" ".to_owned())).unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_comes_from_elsewhere() {
        for (text, full) in [
            ("memory", "memory"),
            ("local", "local:/data/proofs"),
            ("local:/elsewhere", "local:/elsewhere"),
            ("dynamodb", "dynamodb:the-table/the-bucket"),
            ("dynamodb:another", "dynamodb:another/the-bucket"),
            (" dynamodb:another/one ", "dynamodb:another/one"),
            ("s3", "s3:a-bucket/proofs"),
            ("s3:another", "s3:another/proofs"),
            ("s3:another/of/us", "s3:another/of/us"),
            ("s3://another/of", "s3:another/of"),
            ("postgres", "postgres://me@localhost:5432/credlink"),
            ("postgresql://you:secret@127.0.0.1:99/proofs", "postgres://you@127.0.0.1:99/proofs"),
        ] {
            let location = parse(text).unwrap();
            assert_eq!(location.to_string(), full);
            assert_eq!(parse(full).unwrap().to_string(), full, "the canonical text is read again");
            assert!(full.starts_with(location.kind()));
        }
    }

    #[test]
    fn what_names_no_store_says_what_does() {
        for text in ["", "disk", "Local", "memory:all", "postgress://user:secret@host"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("local[:FOLDER]") && !error.contains("secret"), "{text}: {error}");
        }
        assert!(parse_alone("dynamodb").contains("set PROOF_TABLE"));
        assert!(parse_alone("dynamodb:table").contains("set BLOB_BUCKET"));
        assert!(parse_alone("s3").contains("set PROOF_BUCKET"));
        assert!(parse_alone("postgres").contains("set PROOF_DATABASE_URL"));
        for text in ["s3:bucket//", "s3:bucket/a/", "s3:bucket/a//b", "s3:bucket/../b", "s3:bucket/a b"] {
            assert!(parse(text).unwrap_err().to_string().contains("single slashes"), "{text}");
        }
        let error = parse("postgres://me:secret@localhost").unwrap_err().to_string();
        assert!(
            error.starts_with("the URL of the database names no") && !error.contains("secret"),
            "{error}"
        );
        assert!(parse("dynamodb:a b/bucket").unwrap_err().to_string().contains("letters"));
        assert!(parse("dynamodb:table/Bucket").unwrap_err().to_string().contains("small letters"));
    }

    #[test]
    fn one_store_has_one_identity() {
        let identity = |text: &str| parse(text).unwrap().identity();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proofs");
        let (plain, winding) = (
            format!("local:{}", path.display()),
            format!("local:{}/proofs/../proofs", folder.path().display()),
        );
        assert_ne!(identity(&plain), identity("local:/elsewhere"));
        fs::create_dir(&path).unwrap();
        assert_eq!(identity(&plain), identity(&winding));
        assert_eq!(identity("dynamodb:table/one"), identity("dynamodb:table/two"));
        assert_ne!(identity("dynamodb:table/one"), identity("dynamodb:another/one"));
        assert_ne!(identity("s3:bucket/one"), identity("s3:bucket/two"));
        assert_eq!(identity("postgres://a:b@localhost/c"), identity("postgres://d@localhost:5432/c"));
        assert_ne!(identity("postgres://a:b@localhost/c"), identity("postgres://a:b@localhost/d"));
    }

    #[tokio::test]
    async fn a_location_is_opened_without_asking_for_more_than_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["memory".to_owned(), format!("local:{}/new", folder.path().display())] {
            let store = parse(&text).unwrap().open(async || panic!("AWS is not needed")).await.unwrap();
            store.check().await.unwrap();
        }
        let nowhere = async || SdkConfig::builder().build();
        let Err(error) = parse("dynamodb").unwrap().open(nowhere).await else { panic!() };
        assert!(error.to_string().contains("AWS_REGION"), "{error}");
    }
}
