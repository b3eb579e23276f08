//! What `batch-verify` tells of one file.

use std::{path::Path, time::Duration};

use credlink_pipeline::{credential::ValidationState, proof::ProofId, verdict::VerificationReport};
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
    verify::verdict,
};

/// One file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerifyRow {
    /// Its name; what is no UTF-8 in it is replaced.
    file: String,
    /// The bytes of a name that is no text, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    valid: bool,
    /// none, invalid, valid or trusted, as C2PA defines them; unreadable when there is no image to judge.
    state: &'static str,
    /// The score, from 0 to 100.
    confidence: u8,
    /// What is to be said to it.
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_id: Option<ProofId>,
    /// The length of the file, in bytes.
    bytes: u64,
    /// How long judging took by itself, in milliseconds.
    pipeline_time: f64,
    #[serde(skip)]
    status: Option<Ending>,
    #[serde(skip)]
    pipeline: Duration,
}

impl VerifyRow {
    /// The file at `path`, which cannot be judged.
    pub(super) fn unreadable(path: &Path, reason: String) -> Self {
        Self {
            file: name::text(path),
            file_hex: name::hex_unless_text(path),
            valid: false,
            state: "unreadable",
            confidence: 0,
            reason,
            proof_id: None,
            bytes: 0,
            pipeline_time: 0.0,
            status: None,
            pipeline: Duration::ZERO,
        }
    }

    /// The file at `path`, judged within `pipeline`.
    pub(super) fn judged(path: &Path, bytes: u64, report: &VerificationReport, pipeline: Duration) -> Self {
        Self {
            valid: report.valid,
            state: state(report.state),
            confidence: report.confidence,
            reason: reason(report),
            proof_id: report.proof.as_ref().map(|proof| proof.id),
            bytes,
            pipeline_time: milliseconds(pipeline),
            pipeline,
            ..Self::unreadable(path, String::new())
        }
    }
}

/// The answer, and the first check that speaks against it.
fn reason(report: &VerificationReport) -> String {
    let objection = report.score.iter().take(3).find(|row| row.points < row.of);
    match objection {
        Some(row) if !report.valid => format!("{}: {}", verdict(report), row.reason),
        _ => verdict(report).to_owned(),
    }
}

fn state(state: ValidationState) -> &'static str {
    match state {
        ValidationState::None => "none",
        ValidationState::Invalid => "invalid",
        ValidationState::Valid => "valid",
        ValidationState::Trusted => "trusted",
    }
}

impl Counted for VerifyRow {
    /// A folder that was gone through already is told, and speaks against nothing.
    fn of_oddity(oddity: &Oddity) -> Self {
        let row = Self::unreadable(&oddity.path, oddity.reason.clone());
        if oddity.is_failure { row } else { Self { state: "skipped", status: Some(Ending::Skipped), ..row } }
    }

    fn ending(&self) -> Ending {
        self.status.unwrap_or(if self.valid { Ending::Success } else { Ending::Failed })
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pipeline(&self) -> Duration {
        self.pipeline
    }

    fn state(&self) -> Option<&str> {
        Some(self.state)
    }
}

impl Row for VerifyRow {
    const COLUMNS: &'static [&'static str] =
        &["file", "fileHex", "valid", "state", "confidence", "reason", "proofId", "bytes", "pipelineTime"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.file.clone(),
            self.file_hex.clone().unwrap_or_default(),
            self.valid.to_string(),
            self.state.to_owned(),
            self.confidence.to_string(),
            self.reason.clone(),
            self.proof_id.map(|id| id.to_string()).unwrap_or_default(),
            self.bytes.to_string(),
            self.pipeline_time.to_string(),
        ]
    }

    fn line(&self) -> Option<String> {
        let (file, reason) = (printable(&self.file), printable(&self.reason));
        (!self.valid).then(|| format!("{:<11}{file}: {reason}", self.state))
    }
}
