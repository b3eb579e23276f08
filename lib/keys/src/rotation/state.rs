//! How far a rotation came, as it stands in the journal: JSON with the number of its schema.

use std::collections::BTreeMap;

use credlink_pipeline::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ports::{Fault, KeyName, RotationId},
    step::Step,
};
use crate::algorithm::KeyKind;

/// The schema that this version writes, and the only one that it reads.
const SCHEMA: u64 = 1;

/// Everything that is remembered between two runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    schema: u64,
    /// Counts the changes, so that no two texts are the same.
    changes: u64,
    /// The rotation in progress.
    pub(super) attempt: Option<Attempt>,
    /// Requests of rotations that ended either way, until the authority forgot them.
    pub(super) to_forget: Vec<Forgettable>,
    /// What people were told, and when.
    pub(super) told: Vec<Told>,
    /// Keys of earlier signers that were disabled or deleted.
    pub(super) retired: BTreeMap<KeyName, Retirement>,
    /// The rotation that was finished last.
    pub(super) last: Option<Finished>,
}

/// A rotation in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Attempt {
    pub(super) id: RotationId,
    pub(super) started_at: Timestamp,
    pub(super) kind: KeyKind,
    /// Whether somebody wanted it before it was due.
    pub(super) forced: bool,
    /// The version that it replaces; `None` when nobody was active.
    pub(super) replaces: Option<String>,
    pub(super) stage: Stage,
}

/// What is to be done next, with what it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(super) enum Stage {
    MakeKey,
    Request { key: KeyName },
    Ask { key: KeyName, request: String },
    Collect { key: KeyName, receipt: String, waiting: Option<Waiting> },
    Validate { key: KeyName, receipt: String, chain: String, root: String },
    Trial { key: KeyName, receipt: String, chain: String, root: String },
    Swap { key: KeyName, receipt: String, chain: String, root: String },
    Announce { receipt: String, version: String },
    Finish { receipt: String, version: String },
}

/// That an authority has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) since: Timestamp,
    pub(super) reason: String,
}

/// What the authority is to forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Forgettable {
    pub(super) id: RotationId,
    pub(super) receipt: String,
}

/// Something that people were told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Told {
    /// What it was about.
    pub(super) about: String,
    pub(super) at: Timestamp,
}

/// What became of a key whose certificate expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Retirement {
    Disabled,
    Deleted,
}

/// A rotation that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Finished {
    pub(super) id: RotationId,
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Timestamp,
}

impl Default for State {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            changes: 0,
            attempt: None,
            to_forget: Vec::new(),
            told: Vec::new(),
            retired: BTreeMap::new(),
            last: None,
        }
    }
}

impl State {
    /// Reads what stands at `place`.
    ///
    /// # Errors
    /// [`Fault`] when it was edited by hand, is damaged, or is of another version of the software.
    pub(super) fn parse(place: &str, text: &str) -> Result<Self, Fault> {
        const AFRESH: &str = "put it back as it was, or delete it: then the next run begins afresh, and gives up keys \
                              that belong to no rotation";
        let damaged = |error: serde_json::Error| {
            Fault::lasting(place, format!("the state of the rotation cannot be read ({error})"), AFRESH)
        };
        let value: Value = serde_json::from_str(text).map_err(damaged)?;
        match value.get("schema").and_then(Value::as_u64) {
            Some(SCHEMA) => {}
            Some(other) => {
                let problem = format!(
                    "the state of the rotation has the schema {other}, and this version knows {SCHEMA}"
                );
                let fix = "run the version that wrote it, or delete it when no other version runs any more";
                return Err(Fault::lasting(place, problem, fix));
            }
            None => return Err(Fault::lasting(place, "it has no number of a schema", AFRESH)),
        }
        serde_json::from_value(value).map_err(damaged)
    }

    /// The text for the journal of one more change.
    ///
    /// # Errors
    /// [`Fault`], which cannot happen with what is in a state.
    pub(super) fn next_text(&mut self, place: &str) -> Result<String, Fault> {
        self.changes = self.changes.wrapping_add(1);
        serde_json::to_string_pretty(self).map_err(|error| {
            Fault::lasting(
                place,
                format!("the state of the rotation cannot be written ({error})"),
                "report this as an error",
            )
        })
    }
}

impl Attempt {
    /// The key, once it is known.
    pub(super) fn key(&self) -> Option<&KeyName> {
        match &self.stage {
            Stage::MakeKey | Stage::Announce { .. } | Stage::Finish { .. } => None,
            Stage::Request { key }
            | Stage::Ask { key, .. }
            | Stage::Collect { key, .. }
            | Stage::Validate { key, .. }
            | Stage::Trial { key, .. }
            | Stage::Swap { key, .. } => Some(key),
        }
    }

    /// What the authority knows the request by, once it may have been asked; empty while its answer is not known.
    pub(super) fn receipt(&self) -> Option<&str> {
        match &self.stage {
            Stage::MakeKey | Stage::Request { .. } => None,
            Stage::Ask { .. } => Some(""),
            Stage::Collect { receipt, .. }
            | Stage::Validate { receipt, .. }
            | Stage::Trial { receipt, .. }
            | Stage::Swap { receipt, .. }
            | Stage::Announce { receipt, .. }
            | Stage::Finish { receipt, .. } => Some(receipt),
        }
    }

    /// Why it waits, if it does.
    pub(super) fn waiting(&self) -> Option<&Waiting> {
        match &self.stage {
            Stage::Collect { waiting, .. } => waiting.as_ref(),
            _ => None,
        }
    }

    /// Whether the swap was not begun yet. Afterwards a rotation is brought to its end: another process may be in the
    /// middle of the swap, and would make a key active that was given up.
    pub(super) fn is_before_swap(&self) -> bool {
        !matches!(self.stage, Stage::Swap { .. } | Stage::Announce { .. } | Stage::Finish { .. })
    }

    pub(super) fn step(&self) -> Step {
        match self.stage {
            Stage::MakeKey => Step::MakeKey,
            Stage::Request { .. } => Step::Request,
            Stage::Ask { .. } => Step::Ask,
            Stage::Collect { .. } => Step::Collect,
            Stage::Validate { .. } => Step::Validate,
            Stage::Trial { .. } => Step::Trial,
            Stage::Swap { .. } => Step::Swap,
            Stage::Announce { .. } => Step::Announce,
            Stage::Finish { .. } => Step::Finish,
        }
    }
}
