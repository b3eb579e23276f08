//! What `batch-sign` tells of one file.

use std::{path::Path, time::Duration};

use serde::Serialize;

use crate::{
    batch::{
        inputs::Oddity,
        name,
        report::Row,
        summary::{Ending, milliseconds},
        telling::Counted,
    },
    printable::printable,
};

/// One file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignRow {
    /// Its name; what is no UTF-8 in it is replaced.
    file: String,
    /// The bytes of a name that is no text, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    /// Where the signed image is.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    status: Ending,
    /// Why it failed or was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What else is to be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proof_uri: Option<String>,
    /// The length of the image as it came in, in bytes.
    pub(super) bytes: u64,
    /// That of the signed image.
    pub(super) signed_bytes: u64,
    /// How long signing took by itself, in milliseconds.
    pipeline_time: f64,
    #[serde(skip)]
    pipeline: Duration,
}

impl SignRow {
    /// The file at `path`, with which nothing was done yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            file: name::text(path),
            file_hex: name::hex_unless_text(path),
            output: None,
            status: Ending::Success,
            reason: None,
            note: None,
            proof_uri: None,
            bytes: 0,
            signed_bytes: 0,
            pipeline_time: 0.0,
            pipeline: Duration::ZERO,
        }
    }

    /// Where the signed image is.
    pub(super) fn set_output(&mut self, path: &Path) {
        self.output = Some(name::text(path));
    }

    /// How long signing took by itself.
    pub(super) fn set_pipeline(&mut self, time: Duration) {
        (self.pipeline, self.pipeline_time) = (time, milliseconds(time));
    }

    /// The file ended otherwise than with a signed image.
    #[must_use]
    pub(super) fn ended(self, status: Ending, reason: String) -> Self {
        Self { status, reason: Some(reason), ..self }
    }
}

impl Counted for SignRow {
    fn of_oddity(oddity: &Oddity) -> Self {
        let status = if oddity.is_failure { Ending::Failed } else { Ending::Skipped };
        Self::new(&oddity.path).ended(status, oddity.reason.clone())
    }

    fn ending(&self) -> Ending {
        self.status
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pipeline(&self) -> Duration {
        self.pipeline
    }

    fn state(&self) -> Option<&str> {
        None
    }
}

impl Row for SignRow {
    const COLUMNS: &'static [&'static str] = &[
        "file",
        "fileHex",
        "output",
        "status",
        "reason",
        "note",
        "proofUri",
        "bytes",
        "signedBytes",
        "pipelineTime",
    ];

    fn cells(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let status = match self.status {
            Ending::Success => "success",
            Ending::Failed => "failed",
            Ending::Skipped => "skipped",
        };
        vec![
            self.file.clone(),
            text(&self.file_hex),
            text(&self.output),
            status.to_owned(),
            text(&self.reason),
            text(&self.note),
            text(&self.proof_uri),
            self.bytes.to_string(),
            self.signed_bytes.to_string(),
            self.pipeline_time.to_string(),
        ]
    }

    fn line(&self) -> Option<String> {
        let file = printable(&self.file);
        let reason = printable(self.reason.as_deref().unwrap_or_default());
        match (self.status, &self.note) {
            (Ending::Failed, _) => Some(format!("Failed     {file}: {reason}")),
            (Ending::Skipped, _) => Some(format!("Skipped    {file}: {reason}")),
            (Ending::Success, Some(note)) => Some(format!("Note       {file}: {}", printable(note))),
            (Ending::Success, None) => None,
        }
    }
}
