//! What is looked after beside the rotation: keys without an owner, keys whose time is over, requests that are answered.

use std::collections::BTreeMap;

use credlink_pipeline::timestamp::Timestamp;

use super::{
    alerts::Alert,
    call::limited,
    notes::Halt,
    ports::{CandidateKey, Fault, KeyName, RotationId},
    report::Upkeep,
    run::Run,
    state::{Forgettable, Retirement},
    step::{RotationError, Step},
};

/// A key is disabled this many days after its certificate expired, so that a clock that is ahead disables none that is
/// needed.
const DISABLE_AFTER_DAYS: u32 = 1;

/// The most requests that wait to be forgotten.
const MAX_TO_FORGET: usize = 100;

impl Run<'_> {
    /// Tidies up. What cannot be done is reported, announced and tried again by the next run; it does not keep the
    /// rotation from going on.
    pub(super) async fn tidy(
        &mut self,
        candidates: Result<Vec<CandidateKey>, Fault>,
    ) -> Result<Upkeep, Halt> {
        let mut upkeep = Upkeep::default();
        let before = self.notes.state.clone();
        self.check_active(&mut upkeep).await;
        match candidates {
            Ok(candidates) => self.discard_orphans(candidates, &mut upkeep).await,
            Err(fault) => upkeep.problems.push(RotationError { step: Step::Orphans, fault }),
        }
        self.retire(&mut upkeep).await;
        let now = self.now();
        for problem in &upkeep.problems {
            tracing::error!(%problem, "earlier signing keys need attention");
            Alert::problem(problem).send_once(&*self.ports.announcer, &mut self.notes, now).await;
        }
        if self.notes.state != before {
            self.notes.save().await?;
        }
        self.forget().await?;
        Ok(upkeep)
    }

    /// Gives the rotation in progress up. First in the state, so that no other run goes on with it; then its key and its
    /// request.
    pub(super) async fn give_up(&mut self, why: &str) -> Result<(), Halt> {
        let Some(attempt) = self.notes.state.attempt.take() else { return Ok(()) };
        if let Some(receipt) = attempt.receipt() {
            let to_forget = &mut self.notes.state.to_forget;
            to_forget.push(Forgettable { id: attempt.id, receipt: receipt.to_owned() });
            if to_forget.len() > MAX_TO_FORGET {
                let forgotten = to_forget.remove(0);
                tracing::error!(rotation = %forgotten.id, "too many requests wait; this one is left at the authority");
            }
        }
        self.notes.save().await?;
        let step = attempt.step();
        tracing::warn!(rotation = %attempt.id, %step, why, "a rotation of the signing key is given up");
        self.discard_keys_of(attempt.id).await;
        self.forget().await
    }

    /// Lets the authority forget requests that are done with. One that it does not forget is tried again by the next run.
    pub(super) async fn forget(&mut self) -> Result<(), Halt> {
        let waiting = std::mem::take(&mut self.notes.state.to_forget);
        if waiting.is_empty() {
            return Ok(());
        }
        for request in waiting {
            let authority = &self.ports.authority;
            let forgotten = authority.forget(request.id, &request.receipt);
            if let Err(fault) = limited(&authority.name(), forgotten).await {
                tracing::error!(rotation = %request.id, %fault, "the request was not removed; the next run tries again");
                self.notes.state.to_forget.push(request);
            }
        }
        self.notes.save().await
    }

    async fn check_active(&self, upkeep: &mut Upkeep) {
        let Some(active) = &self.active else { return };
        if let Err(fault) = limited("the active key", self.ports.keys.check(&active.key)).await {
            upkeep.problems.push(RotationError { step: Step::Check, fault });
        }
    }

    /// Gives up keys that belong neither to a signer nor to the rotation in progress. `candidates` were listed before the
    /// state was read.
    async fn discard_orphans(&mut self, candidates: Vec<CandidateKey>, upkeep: &mut Upkeep) {
        let owner = self.notes.state.attempt.as_ref();
        let is_owned = |candidate: &CandidateKey| {
            owner.is_some_and(|attempt| {
                attempt.id == candidate.rotation && attempt.key().is_none_or(|key| *key == candidate.name)
            })
        };
        let ever_signed =
            |candidate: &CandidateKey| self.versions.iter().any(|version| version.key == candidate.name);
        for candidate in candidates.iter().filter(|candidate| !is_owned(candidate) && !ever_signed(candidate))
        {
            match limited("the keys", self.ports.keys.discard(candidate)).await {
                Ok(()) => {
                    tracing::warn!(key = %candidate.name, rotation = %candidate.rotation, "a key without an owner is gone");
                    upkeep.discarded.push(candidate.name.clone());
                }
                Err(fault) => upkeep.problems.push(RotationError { step: Step::Orphans, fault }),
            }
        }
    }

    /// What is left is found by the next run, as a key without an owner.
    pub(super) async fn discard_keys_of(&self, rotation: RotationId) {
        let discard = async {
            for candidate in limited("the keys", self.ports.keys.candidates()).await? {
                if candidate.rotation == rotation {
                    limited("the keys", self.ports.keys.discard(&candidate)).await?;
                    tracing::info!(key = %candidate.name, %rotation, "the key of a rotation that was given up is gone");
                }
            }
            Ok::<(), Fault>(())
        };
        if let Err(fault) = discard.await {
            tracing::error!(%rotation, %fault, "the key of a rotation that was given up is left; the next run tries again");
        }
    }

    /// Disables keys whose certificates expired, and deletes them when their time is over too.
    async fn retire(&mut self, upkeep: &mut Upkeep) {
        let now = self.now();
        let expiries = self.expiries();
        self.notes.state.retired.retain(|key, _| expiries.contains_key(key));
        for (key, expiry) in expiries {
            let done = self.notes.state.retired.get(&key).copied();
            let keep = self.policy.keep_expired_days.max(DISABLE_AFTER_DAYS);
            if expiry.plus_days(DISABLE_AFTER_DAYS) <= now && done.is_none() {
                match limited("the keys", self.ports.keys.disable(&key)).await {
                    Ok(()) => {
                        tracing::info!(%key, %expiry, "a key whose certificate expired can sign no more");
                        self.notes.state.retired.insert(key.clone(), Retirement::Disabled);
                        upkeep.disabled.push(key.clone());
                    }
                    Err(fault) => {
                        upkeep.problems.push(RotationError { step: Step::Retire, fault });
                        continue;
                    }
                }
            }
            if expiry.plus_days(keep) <= now && done != Some(Retirement::Deleted) {
                match limited("the keys", self.ports.keys.delete(&key)).await {
                    Ok(()) => {
                        tracing::info!(%key, %expiry, "a key whose certificate expired long ago is deleted");
                        self.notes.state.retired.insert(key.clone(), Retirement::Deleted);
                        upkeep.deleted.push(key);
                    }
                    Err(fault) => upkeep.problems.push(RotationError { step: Step::Retire, fault }),
                }
            }
        }
    }

    /// When the last certificate of each earlier key expires. A key may have had several.
    fn expiries(&self) -> BTreeMap<KeyName, Timestamp> {
        let mut expiries = BTreeMap::new();
        for version in &self.versions {
            if self.active.as_ref().is_some_and(|active| active.key != version.key) {
                let expiry = expiries.entry(version.key.clone()).or_insert(version.not_after);
                *expiry = (*expiry).max(version.not_after);
            }
        }
        expiries
    }
}
