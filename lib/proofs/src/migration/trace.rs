//! What the journal tells of one proof.

use std::collections::HashMap;

use credlink_pipeline::proof::ProofId;

use super::{journal::Line, mark::Mark, work::Why};

/// What the run did under one id.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// How the proof was on every attempt to write it, and whether another one was there then.
    marks: Vec<(Mark, bool)>,
    /// Whether one of them was read back and is right.
    was_written: bool,
    /// Why it was written first, and in which round.
    first: Option<(Why, u32)>,
    /// How it stands.
    pub(super) standing: Standing,
    /// What was written last, in bytes.
    pub(super) bytes: u64,
    /// Whether it took the place of another one.
    pub(super) replaced: bool,
}

/// How things stand under one id.
#[derive(Clone, Debug, Default)]
pub(super) enum Standing {
    /// Nothing was written.
    #[default]
    Untouched,
    /// It may have been written, and was not read back.
    Open,
    /// It was written, and is right.
    Written,
    /// It could not be done.
    Failed { is_lasting: bool, mark: Mark, reason: String },
    /// The destination's was left as it is.
    Left { source: Mark, destination: Mark, reason: String },
    /// A rollback is done with it.
    RolledBack,
}

/// The traces of some proofs.
pub(super) type Traces = HashMap<ProofId, Trace>;

impl Trace {
    /// Takes up the next line.
    pub(super) fn take(&mut self, line: Line) {
        match line {
            Line::Intent { round, why, mark, .. } => {
                match (&self.first, why) {
                    (Some(_), Why::Again | Why::Check) => {}
                    _ => self.first = Some((why, round)),
                }
                self.marks.push((mark, why == Why::Conflict));
                self.standing = Standing::Open;
            }
            Line::Written { bytes, replaced, .. } => {
                self.bytes = bytes;
                self.replaced |= replaced;
                self.was_written = true;
                self.standing = Standing::Written;
            }
            Line::Withdrawn { .. } => {
                // An earlier attempt, which was broken off, may have written it all the same.
                self.marks.pop();
                self.standing = match (self.was_written, self.marks.is_empty()) {
                    (true, _) => Standing::Written,
                    (false, true) => Standing::Untouched,
                    (false, false) => Standing::Open,
                };
            }
            Line::Failed { is_lasting, mark, reason, .. } => {
                self.standing = Standing::Failed { is_lasting, mark, reason };
            }
            Line::Left { source, destination, reason, .. } => {
                self.marks.pop();
                self.standing = Standing::Left { source, destination, reason };
            }
            Line::RolledBack { .. } => self.standing = Standing::RolledBack,
        }
    }

    /// Whether a proof with this mark in the destination is there because this run wrote it, or a part of it. Where it was
    /// to take the place of another one, that one may be the same without the stamped copy; `kept` tells, the mark of what
    /// the run overwrote.
    pub(super) fn is_ours(&self, there: Mark, kept: Option<Mark>) -> bool {
        self.marks.iter().any(|(mark, is_over_another)| {
            let is_begun = !is_over_another || kept.is_some_and(|kept| !kept.is_same_proof(*mark));
            *mark == there || (is_begun && mark.covers(there))
        })
    }

    /// Whether the run wrote under this id, or may have.
    pub(super) fn may_have_written(&self) -> bool {
        self.marks.iter().any(|(mark, _)| *mark != Mark::UNKNOWN)
    }

    /// Whether the run wrote under this id for certain.
    pub(super) fn has_written(&self) -> bool {
        self.was_written
    }

    /// Whether the proof was not in the source yet when the run began.
    pub(super) fn came_meanwhile(&self) -> bool {
        self.first.is_some_and(|(why, round)| round > 1 && why == Why::New)
    }

    /// Whether the proof changed in the source after the run had copied it.
    pub(super) fn changed_meanwhile(&self) -> bool {
        self.first.is_some_and(|(why, _)| why == Why::Changed)
    }
}

/// The traces that these lines leave.
pub(super) fn traces_of(lines: impl Iterator<Item = Line>) -> Traces {
    let mut traces = Traces::new();
    for line in lines {
        traces.entry(line.id()).or_default().take(line);
    }
    traces
}
