//! What a caller may say about an image, as arguments of `sign` and `batch-sign`.

use std::path::{Path, PathBuf};

use clap::Args;
use credlink_pipeline::manifest::{
    Creator, CustomAssertion, CustomAssertionError, DigitalSourceType, SignOptions, Title, TrainingUse,
};
use thiserror::Error;

use crate::files::{self, FileError};

/// What the caller says.
#[derive(Debug, Args)]
pub(crate) struct SignValues {
    /// Who made the picture
    #[arg(long, value_name = "NAME")]
    creator: Option<Creator>,
    /// What the picture is called
    #[arg(long, value_name = "TEXT")]
    title: Option<Title>,
    /// What kind of picture it is, an IPTC term or its URI, such as digitalCapture
    #[arg(long, value_name = "TERM")]
    digital_source_type: Option<DigitalSourceType>,
    /// Whether models may be trained on it: allowed, notAllowed or constrained
    #[arg(long, value_name = "USE")]
    training: Option<TrainingUse>,
    /// JSON file with assertions of your own
    #[arg(long, value_name = "FILE")]
    assertions: Option<PathBuf>,
}

/// Why it cannot be said.
#[derive(Debug, Error)]
pub(crate) enum ValuesError {
    /// The file of assertions cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of assertions holds something else.
    #[error("{path}: {cause}")]
    Assertions {
        /// Which file.
        path: String,
        /// What is wrong with it.
        cause: CustomAssertionError,
    },
    /// The file of assertions is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
}

/// The longest file of assertions, in bytes; the pipeline has a lower limit, and says so.
const MAX_ASSERTIONS_LENGTH: usize = 16 << 20;

impl SignValues {
    /// The same as the pipeline takes it.
    ///
    /// # Errors
    /// When the file of assertions cannot be used.
    pub(crate) fn into_options(self) -> Result<SignOptions, ValuesError> {
        Ok(SignOptions {
            creator: self.creator,
            title: self.title,
            digital_source_type: self.digital_source_type,
            custom_assertions: self
                .assertions
                .as_deref()
                .map(read_assertions)
                .transpose()?
                .unwrap_or_default(),
            training: self.training,
        })
    }
}

fn read_assertions(path: &Path) -> Result<Vec<CustomAssertion>, ValuesError> {
    let name = files::name(path);
    let bytes = files::read(path, MAX_ASSERTIONS_LENGTH)?;
    let text = str::from_utf8(&bytes).map_err(|_| ValuesError::NotText(name.clone()))?;
    CustomAssertion::parse_list(text).map_err(|cause| ValuesError::Assertions { path: name, cause })
}
