//! One proof from the source to the destination, and read back.

use std::sync::Arc;

use credlink_pipeline::proof::{ProofCatalogue, ProofId, ProofRecord, ProofStoreError};
use tokio::time::sleep;

use super::{
    keeping::Kept,
    mark::Mark,
    patience::Patience,
    plan::OnConflict,
    trace::Trace,
    whole::{ReadFault, Whole, before_all},
    work::{Task, Why},
};

/// Copies proofs.
#[derive(Clone)]
pub(super) struct Copier {
    pub(super) source: Arc<dyn ProofCatalogue>,
    pub(super) destination: Arc<dyn ProofCatalogue>,
    /// Where overwritten proofs are kept; `None` when none may be overwritten.
    pub(super) kept: Option<Kept>,
    pub(super) on_conflict: OnConflict,
    pub(super) patience: Patience,
}

/// What became of a task.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The proof was written and read back.
    Written { bytes: u64, replaced: bool },
    /// Nothing was written: it is there already, or changed meanwhile. The next round sees how it is then.
    Nothing,
    /// It cannot be copied. If lasting, not until it changes.
    Failed { is_lasting: bool, reason: String },
    /// A store answers, and not about this proof.
    Unavailable { side: Side, reason: String },
    /// The destination's proof was left as it is.
    Left { destination: Mark, reason: String },
    /// A store does not answer any more.
    Unreachable { side: Side, reason: String },
}

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
}

/// A step, or what the task comes to because of it.
type Step<T> = Result<T, Outcome>;

/// How often it is tried to put a proof under an id that others free and take.
const PLACES: u32 = 3;

/// What became of the wish to put a proof.
enum Put {
    Done,
    /// The id is taken. It may be by an earlier attempt whose answer was lost.
    Taken {
        is_doubtful: bool,
    },
}

/// What is known of who wrote what stands in the destination.
struct Claim<'a> {
    /// What this run did under the id since the round began, when it was resumed.
    since: Option<&'a Trace>,
    /// What the run wrote before.
    marks: Vec<Mark>,
}

impl Claim<'_> {
    /// `kept` is the mark of what the run overwrote.
    fn is_ours(&self, there: Mark, kept: Option<Mark>) -> bool {
        let is_since = || self.since.is_some_and(|trace| trace.is_ours(there, kept));
        self.marks.iter().any(|mark| mark.covers(there)) || is_since()
    }
}

impl Copier {
    /// Does a task. `since` is what the journal tells of an attempt that was broken off.
    pub(super) async fn copy(&self, task: &Task, since: Option<&Trace>) -> Outcome {
        match self.try_copy(task, since).await {
            Ok((bytes, replaced)) => Outcome::Written { bytes, replaced },
            Err(outcome) => outcome,
        }
    }

    async fn try_copy(&self, task: &Task, since: Option<&Trace>) -> Step<(u64, bool)> {
        let whole = self.read(task.id).await?;
        if whole.mark() != task.mark {
            return Err(Outcome::Nothing);
        }
        let mut claim = Claim { since, marks: task.ours.into_iter().collect() };
        if matches!(task.why, Why::New | Why::Again) {
            match self.put(&whole).await? {
                Put::Done => return self.complete(&whole).await,
                Put::Taken { is_doubtful } => claim.marks.extend(is_doubtful.then_some(task.mark)),
            }
        }
        for _ in 0..PLACES {
            let Some(there) = self.record_there(task.id).await? else {
                match self.put(&whole).await? {
                    Put::Done => return self.complete(&whole).await,
                    Put::Taken { is_doubtful } => claim.marks.extend(is_doubtful.then_some(task.mark)),
                }
                continue;
            };
            return self.settle(&whole, &there, &claim).await;
        }
        Err(Outcome::Nothing)
    }

    /// What [`Copier::copy`] would come to. Nothing is written.
    pub(super) async fn look(&self, task: &Task) -> Outcome {
        match self.try_look(task).await {
            Ok((bytes, replaced)) => Outcome::Written { bytes, replaced },
            Err(outcome) => outcome,
        }
    }

    async fn try_look(&self, task: &Task) -> Step<(u64, bool)> {
        let whole = self.read(task.id).await?;
        if task.why != Why::Conflict {
            return Ok((whole.bytes(), false));
        }
        let Some(there) = self.record_there(task.id).await? else { return Ok((whole.bytes(), false)) };
        self.may_overwrite(&whole, &there)?;
        Ok((whole.bytes(), true))
    }

    async fn read(&self, id: ProofId) -> Step<Whole> {
        match Whole::read(&*self.source, id, self.patience).await {
            Ok(whole) => Ok(whole),
            Err(ReadFault::Gone) => Err(Outcome::Nothing),
            Err(ReadFault::Damaged(reason)) => Err(Outcome::Failed { is_lasting: true, reason }),
            Err(ReadFault::Unavailable(reason)) => Err(self.not_available(Side::Source, reason).await),
        }
    }

    async fn put(&self, whole: &Whole) -> Step<Put> {
        let mut is_doubtful = false;
        for attempt in 1.. {
            match self.destination.put(&whole.proof).await {
                Ok(()) => return Ok(Put::Done),
                Err(ProofStoreError::AlreadyExists(_)) => return Ok(Put::Taken { is_doubtful }),
                Err(ProofStoreError::Damaged { reason, .. }) => return Err(refused(&reason)),
                Err(ProofStoreError::Unavailable(reason)) if attempt >= self.patience.attempts => {
                    return Err(self.not_available(Side::Destination, reason).await);
                }
                Err(ProofStoreError::Unavailable(_)) => is_doubtful = true,
            }
            sleep(self.patience.pause_after(attempt)).await;
        }
        Err(Outcome::Nothing)
    }

    /// The destination has `there` under the id.
    async fn settle(&self, whole: &Whole, there: &ProofRecord, claim: &Claim<'_>) -> Step<(u64, bool)> {
        let (mark, of_there) = (whole.mark(), Mark::of(there));
        let is_ours = claim.is_ours(of_there, self.mark_of_kept(there.id).await?);
        if mark == of_there {
            return if is_ours { self.complete(whole).await } else { Err(Outcome::Nothing) };
        }
        if !is_ours {
            self.may_overwrite(whole, there)?;
            self.keep(there).await?;
        }
        self.replace(whole, there).await?;
        self.complete(whole).await
    }

    /// The mark of what this run overwrote under the id.
    async fn mark_of_kept(&self, id: ProofId) -> Step<Option<Mark>> {
        let Some(kept) = &self.kept else { return Ok(None) };
        let found = kept.find(id).await;
        let found = found.map_err(|reason| Outcome::Failed { is_lasting: false, reason })?;
        Ok(found.map(|whole| whole.mark()))
    }

    /// Whether the policy lets `whole` take the place of `there`.
    fn may_overwrite(&self, whole: &Whole, there: &ProofRecord) -> Step<()> {
        let age = |record: &ProofRecord| (record.created_at, record.stamped.map(|copy| copy.stamped_at));
        let reason = if self.on_conflict != OnConflict::OverwriteIfNewer {
            "the destination has another proof of this id"
        } else if age(&whole.record()) <= age(there) {
            "the destination has another proof of this id, and it is not older"
        } else {
            return Ok(());
        };
        Err(Outcome::Left { destination: Mark::of(there), reason: reason.to_owned() })
    }

    /// Keeps what is about to be overwritten.
    async fn keep(&self, there: &ProofRecord) -> Step<()> {
        let cannot = |reason: String| Outcome::Failed {
            is_lasting: false,
            reason: format!("the destination's proof cannot be kept, so it is not overwritten: {reason}"),
        };
        let kept = self.kept.as_ref().ok_or(Outcome::Nothing)?;
        let whole = match Whole::read(&*self.destination, there.id, self.patience).await {
            Ok(whole) => whole,
            Err(ReadFault::Gone) => return Err(Outcome::Nothing),
            Err(ReadFault::Damaged(reason)) => return Err(cannot(reason)),
            Err(ReadFault::Unavailable(reason)) => {
                return Err(self.not_available(Side::Destination, reason).await);
            }
        };
        if whole.record() != *there {
            return Err(Outcome::Nothing);
        }
        kept.keep(&whole).await.map_err(|error| cannot(error.to_string()))
    }

    /// Puts `whole` in the place of `there`. A stamped copy is added without a gap; else nobody finds the proof for a moment.
    async fn replace(&self, whole: &Whole, there: &ProofRecord) -> Step<()> {
        let is_same_proof = Mark::of(there).is_same_proof(whole.mark());
        if is_same_proof && whole.stamped.is_some() {
            return self.stamp(whole, there).await;
        }
        let id = there.id;
        // The last look before it goes.
        if self.record_there(id).await?.as_ref() != Some(there) {
            return Err(Outcome::Nothing);
        }
        self.ask(|| self.destination.delete(id)).await?;
        match self.put(whole).await? {
            Put::Done | Put::Taken { is_doubtful: true } => Ok(()),
            Put::Taken { is_doubtful: false } => Err(Outcome::Nothing),
        }
    }

    /// Adds the stamped copy to the proof `there`.
    async fn stamp(&self, whole: &Whole, there: &ProofRecord) -> Step<()> {
        let Some((copy, store)) = &whole.stamped else { return Ok(()) };
        let is_kept = self.ask(|| self.destination.keep_stamped(there, *copy, store.clone())).await?;
        // An earlier attempt may have got through; what is there is looked at next.
        if is_kept || self.record_there(there.id).await?.as_ref() == Some(&whole.record()) {
            Ok(())
        } else {
            Err(Outcome::Failed { is_lasting: false, reason: CHANGED.to_owned() })
        }
    }

    /// Adds the stamped copy that is still lacking, and reads everything back.
    async fn complete(&self, whole: &Whole) -> Step<(u64, bool)> {
        let id = whole.proof.record.id;
        let there = self.record_there(id).await?;
        if whole.stamped.is_some() && there.as_ref() == Some(&whole.proof.record) {
            self.stamp(whole, &whole.proof.record).await?;
        }
        let reason = match Whole::read(&*self.destination, id, self.patience).await {
            Ok(read) if read.record() == whole.record() => {
                return Ok((whole.bytes(), self.mark_of_kept(id).await?.is_some()));
            }
            Ok(_) | Err(ReadFault::Gone) => {
                return Err(Outcome::Failed { is_lasting: false, reason: CHANGED.to_owned() });
            }
            Err(ReadFault::Unavailable(reason)) => {
                return Err(self.not_available(Side::Destination, reason).await);
            }
            Err(ReadFault::Damaged(reason)) => reason,
        };
        // Nothing half written stays.
        self.ask(|| self.destination.delete(id)).await?;
        let reason =
            format!("it could not be read back from the destination, and was removed there: {reason}");
        Err(Outcome::Failed { is_lasting: false, reason })
    }

    async fn record_there(&self, id: ProofId) -> Step<Option<ProofRecord>> {
        self.ask(|| self.destination.record(id, before_all())).await
    }

    /// Makes a call of the destination.
    async fn ask<'a, T>(&self, call: impl FnMut() -> super::patience::Call<'a, T>) -> Step<T> {
        match self.patience.ask(call).await {
            Ok(answer) => Ok(answer),
            Err(ProofStoreError::Unavailable(reason)) => {
                Err(self.not_available(Side::Destination, reason).await)
            }
            Err(ProofStoreError::Damaged { reason, .. }) => Err(refused(&reason)),
            Err(error) => Err(refused(&error.to_string())),
        }
    }

    /// Whether it is this proof alone, or the store.
    async fn not_available(&self, side: Side, reason: String) -> Outcome {
        let answers = match side {
            Side::Source => self.source.page(None, 1).await.map(drop),
            Side::Destination => self.destination.check().await,
        };
        match answers {
            Ok(()) => Outcome::Unavailable { side, reason },
            Err(_) => Outcome::Unreachable { side, reason },
        }
    }
}

const CHANGED: &str = "somebody else changed it at the destination while it was copied";

/// The destination cannot hold, or cannot read, what is under this id.
fn refused(reason: &str) -> Outcome {
    Outcome::Failed { is_lasting: true, reason: format!("the destination does not take it: {reason}") }
}
