//! The story of one file of a batch: from its name to a signed image in its place.

use std::{fs::Metadata, io, path::Path};

use bytes::Bytes;
use credlink_pipeline::{digest::Sha256Hash, manifest::SignOptions};
use credlink_service::turns::Turns;
use tokio::runtime::Handle;

use super::{
    row::SignRow,
    signatory::{Signatory, Signed, Wish},
};
use crate::{
    batch::{
        drafts::Drafts,
        inputs::{Input, Inputs},
        journal::{Before, Journal, Stamp},
        name,
        outputs::{Outputs, Place},
        pace::Pace,
        place::{self, Taken},
        stop::Stop,
        summary::Ending,
        values::Values,
    },
    files,
};

/// What becomes of files that are where signed images should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// They stay, and that is a failure.
    Refuse,
    /// They stay, and that is well.
    Skip,
    /// They are replaced.
    Replace,
}

/// A batch that is worked on, by several threads.
pub(super) struct Work {
    pub(super) inputs: Inputs,
    pub(super) outputs: Outputs,
    pub(super) existing: Existing,
    pub(super) values: Values,
    /// What is said about every file, where its row in the table of values is silent.
    pub(super) common: SignOptions,
    pub(super) journal: Journal,
    pub(super) drafts: Drafts,
    pub(super) pace: Pace,
    /// For computing. Who reads, flushes or waits for a signer has none meanwhile.
    pub(super) turns: Turns,
    pub(super) signatory: Signatory,
    pub(super) stop: Stop,
    /// The threads that wait for the network and for timers.
    pub(super) waiting: Handle,
    /// The longest image, in bytes.
    pub(super) max_bytes: usize,
}

/// Why a file was not signed.
enum Ended {
    Failed(String),
    Skipped(String),
    /// The run is at its end, and the file was not begun.
    Left,
}

/// An image, and where it came from.
struct Source {
    image: Bytes,
    sha256: Sha256Hash,
    metadata: Metadata,
}

impl Work {
    /// Signs the file of this number; `None` when the run is to end and the file was not begun. Blocks.
    pub(super) fn sign(&self, number: usize) -> Option<SignRow> {
        let input = self.inputs.get(number)?;
        let mut row = SignRow::new(&input.path());
        match self.sign_into_place(input, &mut row) {
            Ok(()) => Some(row),
            Err(Ended::Failed(reason)) => Some(row.ended(Ending::Failed, reason)),
            Err(Ended::Skipped(reason)) => Some(row.ended(Ending::Skipped, reason)),
            Err(Ended::Left) => None,
        }
    }

    /// What is told of a file on which this program broke down.
    pub(super) fn broken(&self, number: usize) -> SignRow {
        let path = self.inputs.get(number).map(|input| input.path()).unwrap_or_default();
        SignRow::new(&path)
            .ended(Ending::Failed, "credlink broke down on this file; please report it".to_owned())
    }

    fn sign_into_place(&self, input: Input<'_>, row: &mut SignRow) -> Result<(), Ended> {
        let place = self.outputs.place(input);
        row.set_output(&place.path);
        let source = match &place.kept {
            None => self.source_for_tree(&input.path(), &place, row)?,
            Some(kept) => self.source_in_place(&place, kept, row)?,
        };
        row.bytes = source.image.len() as u64;
        let signed = self.signed(input, &place, &source)?;
        row.set_pipeline(signed.pipeline);
        row.signed_bytes = signed.image.len() as u64;
        row.note = row.note.take().or(signed.note);
        let taken = if self.existing == Existing::Replace { Taken::Replace } else { Taken::SameOnly };
        self.check_outputs()?;
        place::put(&signed.image, &place, source.metadata.permissions(), taken, &self.drafts)
            .map_err(Ended::Failed)?;
        let stamp = match &place.kept {
            None => Stamp::of(&source.metadata),
            Some(_) => Stamp::of(&regular_file(&place.path)?),
        };
        if let Err(error) = self.journal.note_signed(&place.key, source.sha256, stamp, &signed.proof_uri) {
            row.note = Some(format!("signed, but the journal could not be written: {error}"));
        }
        row.proof_uri = Some(signed.proof_uri);
        Ok(())
    }

    /// The image, unless its signed one is there, or something else is.
    fn source_for_tree(&self, path: &Path, place: &Place, row: &mut SignRow) -> Result<Source, Ended> {
        self.check_outputs()?;
        let metadata = regular_file(path)?;
        let before = self.journal.before(&place.key);
        let is_taken = place.path.symlink_metadata().is_ok();
        match before {
            None if is_taken => self.judge_existing(&place.path)?,
            Some(Before { signed: Some(stamp), .. }) if is_taken && stamp == Stamp::of(&metadata) => {
                return Err(signed_before());
            }
            _ => {}
        }
        let source = self.read(path, metadata)?;
        match before {
            Some(before) if before.sha256 != source.sha256 => {
                row.note = Some(CHANGED.to_owned());
                if is_taken {
                    self.judge_existing(&place.path)?;
                }
            }
            Some(Before { signed: Some(_), .. }) if is_taken => return Err(signed_before()),
            _ => {}
        }
        Ok(source)
    }

    /// The image as it was before a signed one took its place, if that happened.
    fn source_in_place(&self, place: &Place, kept: &Path, row: &mut SignRow) -> Result<Source, Ended> {
        let metadata = regular_file(&place.path)?;
        let before = self.journal.before(&place.key);
        let is_kept = kept.symlink_metadata().is_ok();
        match before {
            None if is_kept => self.judge_existing(kept)?,
            Some(Before { signed: Some(stamp), .. }) if stamp == Stamp::of(&metadata) => {
                return Err(signed_before());
            }
            _ => {}
        }
        let source = self.read(&place.path, metadata)?;
        let Some(before) = before.filter(|before| before.sha256 != source.sha256) else { return Ok(source) };
        if is_kept {
            // A run was killed when the signed image was in its place, and the journal did not know it yet.
            let kept = self.read(kept, regular_file(kept)?)?;
            if kept.sha256 == before.sha256 {
                return Ok(kept);
            }
        }
        row.note = Some(CHANGED.to_owned());
        Ok(source)
    }

    fn judge_existing(&self, path: &Path) -> Result<(), Ended> {
        match self.existing {
            Existing::Replace => Ok(()),
            Existing::Skip => Err(Ended::Skipped(format!("{} exists already", name::text(path)))),
            Existing::Refuse if matches!(self.outputs, Outputs::InPlace(_)) => Err(Ended::Failed(format!(
                "{} exists already; move it away, choose another --backup-suffix, or leave such files out with \
                 --skip-existing",
                name::text(path)
            ))),
            Existing::Refuse => Err(Ended::Failed(place::exists(path))),
        }
    }

    fn check_outputs(&self) -> Result<(), Ended> {
        self.outputs
            .check()
            .map_err(|error| Ended::Failed(format!("the folder of signed images is gone: {error}")))
    }

    fn read(&self, path: &Path, metadata: Metadata) -> Result<Source, Ended> {
        let image = files::read(path, self.max_bytes).map_err(|error| Ended::Failed(error.to_string()))?;
        let turn = self.waiting.block_on(self.turns.take());
        let sha256 = Sha256Hash::of(&image);
        drop(turn);
        Ok(Source { image, sha256, metadata })
    }

    /// Signs, when it is this file's turn.
    fn signed(&self, input: Input<'_>, place: &Place, source: &Source) -> Result<Signed, Ended> {
        let options = self.values.options(input, &self.common);
        self.waiting.block_on(async {
            let turn = self.turns.take().await;
            if self.stop.is_set() || !self.pace.turn(&self.stop).await {
                return Err(Ended::Left);
            }
            self.journal.note_begun(&place.key, source.sha256).map_err(|error| unnoted(&error))?;
            let wish = Wish {
                image: source.image.clone(),
                options: &options,
                proof: self.journal.proof_id(&place.key, source.sha256),
            };
            self.signatory.sign(wish, turn).await.map_err(Ended::Failed)
        })
    }
}

const CHANGED: &str = "the file changed since an earlier run began it, so it is signed as a new one";

fn signed_before() -> Ended {
    Ended::Skipped("signed by an earlier run of this batch".to_owned())
}

fn unnoted(error: &io::Error) -> Ended {
    Ended::Failed(format!("not signed, because the journal cannot be written: {error}"))
}

fn regular_file(path: &Path) -> Result<Metadata, Ended> {
    files::check_regular(path).map_err(Ended::Failed)
}
