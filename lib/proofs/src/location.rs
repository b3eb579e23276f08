//! Which store is meant, as one text says it.

use std::{
    fmt, fs, path,
    path::{Path, PathBuf},
    sync::Arc,
};

use credlink_aws::SdkConfig;
use credlink_pipeline::proof::ProofStoreError;
use thiserror::Error;

use crate::{LocalProofStore, MemoryProofStore, ProofArchive, aws::AwsProofStore};

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
}

/// All that can be written.
const FORMS: &str = "local[:FOLDER], memory or dynamodb[:TABLE/BUCKET]";

const DYNAMODB_FORM: &str = "dynamodb:TABLE/BUCKET";

impl StoreLocation {
    /// Reads `local`, `local:FOLDER`, `memory`, `dynamodb` or `dynamodb:TABLE/BUCKET`. What is left out comes from
    /// elsewhere: the folder is `proofs` in the data folder `data`, and `lookup` gives the values of the variables
    /// `PROOF_TABLE` and `BLOB_BUCKET`.
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
            Self::Memory => self.to_string(),
        }
    }

    /// Opens the store; a folder is created where there is none. `aws` is asked for the way to AWS, by stores that are
    /// there. Nothing is asked of AWS yet: [`check`](credlink_pipeline::proof::ProofStore::check) does.
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
        })
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
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Local(folder) => write!(f, "local:{}", folder.display()),
            Self::DynamoDb { table, bucket } => write!(f, "dynamodb:{table}/{bucket}"),
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
        let missing = StoreLocationError::Missing { what, form, variable };
        (self.0)(variable).map(|value| value.trim().to_owned()).ok_or(missing)
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

fn in_a_region(config: SdkConfig) -> Result<SdkConfig, ProofStoreError> {
    let no_region = "no AWS region: set AWS_REGION, or choose a profile that has one with AWS_PROFILE";
    config.region().is_some().then_some(config).ok_or(ProofStoreError::Unavailable(no_region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: [(&str, &str); 2] = [("PROOF_TABLE", "the-table"), ("BLOB_BUCKET", "the-bucket")];

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
