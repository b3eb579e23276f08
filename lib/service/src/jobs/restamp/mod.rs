//! Gives proofs a time-stamp before their signing certificate expires, so that old images stay provable
//! ([`credlink_pipeline::restamp`]).
//!
//! It goes through all proofs. Their records tell how long the signature lasts, so that the manifest store is read only of
//! those that are due, and of those that were signed by a CredLink version that did not keep it. A proof that expires
//! before its certificate needs no stamp: the stamped copy would go with it.

mod pace;
mod tally;

use std::sync::Arc;

use async_trait::async_trait;
use credlink_pipeline::{
    certificate::revocation::RevocationService,
    proof::{Proof, ProofCatalogue, ProofRecord, ProofStoreError, SignatureLife},
    restamp::{RestampContext, RestampError, restamp, signature_life},
    signer::{Signer, SignerError},
    time_stamp_authority::TimeStampAuthority,
    timestamp::Clock,
    trust::TrustAnchors,
};
use serde::{Deserialize, Serialize};

use super::{Counts, Job, JobError, JobName, JobRun};
use crate::identity::Identity;
use pace::Pace;
use tally::{Tally, Unstamped};

/// What the job needs from outside.
#[derive(Clone)]
pub struct RestampPorts {
    /// The proofs to go through.
    pub proofs: Arc<dyn ProofCatalogue>,
    /// Who signs update manifests, and whom to trust.
    pub identity: Arc<dyn Identity>,
    /// Stamps; `None` when the operator chose nobody. Then the job only tells what will expire.
    pub authority: Option<Arc<dyn TimeStampAuthority>>,
    /// Asks for what is stapled to update manifests; `None` when nobody is to be asked.
    pub revocation: Option<Arc<RevocationService>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// What the operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestampSettings {
    /// So many days before its certificate expires, a signature is due.
    pub before_days: u32,
    /// How many proofs are stamped in a minute, at most; each takes two stamps.
    pub per_minute: u32,
}

impl Default for RestampSettings {
    fn default() -> Self {
        Self { before_days: 60, per_minute: 60 }
    }
}

/// The job. A forced run looks at every manifest store, due or not, and replaces stamps that do not count any more.
pub struct RestampJob {
    ports: RestampPorts,
    settings: RestampSettings,
}

/// Proofs in a page.
const PAGE: usize = 100;

/// After so many failures of the authority one after the other, the run ends.
const MAX_FAILURES_IN_A_ROW: u32 = 3;

/// How far a run came.
#[derive(Serialize, Deserialize)]
struct Place {
    /// The page to go on with.
    page: Option<String>,
}

impl RestampJob {
    /// The job over these ports.
    pub fn new(ports: RestampPorts, settings: RestampSettings) -> Self {
        Self { ports, settings }
    }
}

#[async_trait]
impl Job for RestampJob {
    fn name(&self) -> JobName {
        JobName::ProofRestamp
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        let mut walk = Walk {
            ports: &self.ports,
            settings: self.settings,
            run,
            pace: Pace::new(self.settings.per_minute),
            tally: Tally::default(),
            failures_in_a_row: 0,
        };
        let outcome = walk.all().await;
        walk.tally.log();
        let counts = walk.tally.into_counts();
        if let Err(error) = outcome {
            // The history keeps the error; what was done until then stays done.
            tracing::warn!(?counts, "re-stamping ended early");
            return Err(error);
        }
        Ok(counts)
    }
}

/// One run through the proofs.
struct Walk<'a> {
    ports: &'a RestampPorts,
    settings: RestampSettings,
    run: &'a JobRun<'a>,
    pace: Pace,
    tally: Tally,
    failures_in_a_row: u32,
}

/// Whether a page was gone through.
#[derive(PartialEq, Eq)]
enum Page {
    Done,
    /// The run must end; the page is to be gone through again.
    Begun,
}

/// What is to be done about a proof.
enum Need {
    /// Nothing.
    Nothing,
    /// It has no stamp, and needs one now.
    Due(SignatureLife),
    /// It has no stamp, and there is time.
    Later(SignatureLife),
    /// It has no stamp, and one would come too late.
    TooLate,
}

impl Walk<'_> {
    async fn all(&mut self) -> Result<(), JobError> {
        let (mut page, mut is_first) = (self.begin(), true);
        loop {
            if self.run.must_end() {
                self.tally.unfinished = true;
                return Ok(());
            }
            let next = match self.ports.proofs.page(page.as_deref(), PAGE).await {
                Ok(next) => next,
                // Proofs may have moved to a store that does not know the places of the last one.
                Err(error) if is_first && page.is_some() => {
                    tracing::warn!(%error, "re-stamping begins anew");
                    (page, is_first) = (None, false);
                    continue;
                }
                Err(error) => return Err(failed(&error)),
            };
            is_first = false;
            let signer = self.ports.identity.signer().await.map_err(|error| no_signer(&error))?;
            let trust = self.ports.identity.trust().await.map_err(|error| no_signer(&error))?;
            self.tally.damaged += next.damaged.len() as u64;
            for record in &next.records {
                if self.one(record, &*signer, &trust, page.as_deref()).await? == Page::Begun {
                    self.tally.unfinished = true;
                    return Ok(());
                }
            }
            let Some(following) = next.next else { break };
            page = Some(following);
            self.keep(page.as_deref()).await?;
        }
        if self.run.dry_run { Ok(()) } else { self.run.progress.keep(None).await }
    }

    /// Where the last run ended. A dry run sees everything.
    fn begin(&self) -> Option<String> {
        let last = self.run.progress.last().filter(|_| !self.run.dry_run)?;
        serde_json::from_value::<Place>(last).ok()?.page
    }

    /// Keeps how far the run came, and proves that it is still this one that runs.
    async fn keep(&self, page: Option<&str>) -> Result<(), JobError> {
        if self.run.dry_run {
            return Ok(());
        }
        let place = Place { page: page.map(str::to_owned) };
        let place = serde_json::to_value(place).map_err(|error| JobError::Lasting(error.to_string()))?;
        self.run.progress.keep(Some(place)).await
    }

    async fn one(
        &mut self,
        record: &ProofRecord,
        signer: &dyn Signer,
        trust: &TrustAnchors,
        page: Option<&str>,
    ) -> Result<Page, JobError> {
        if record.expires_at <= self.run.now {
            return Ok(Page::Done);
        }
        self.tally.proofs_seen += 1;
        let life = match self.need(record, trust).await? {
            Need::Nothing => return Ok(Page::Done),
            Need::TooLate => {
                self.tally.expired_unstamped += 1;
                return Ok(Page::Done);
            }
            Need::Later(life) => {
                match self.ports.authority {
                    Some(_) => self.tally.not_due += 1,
                    None => self.tally.will_expire(Unstamped::new(record.id, life.valid_until)),
                }
                return Ok(Page::Done);
            }
            Need::Due(life) => life,
        };
        let unstamped = Unstamped::new(record.id, life.valid_until);
        let Some(authority) = self.ports.authority.clone() else {
            self.tally.will_expire(unstamped);
            return Ok(Page::Done);
        };
        self.tally.due += 1;
        if self.run.dry_run {
            return Ok(Page::Done);
        }
        if !self.pace.wait(self.run).await {
            return Ok(Page::Begun);
        }
        let context = RestampContext {
            signer,
            authority: &*authority,
            clock: &*self.ports.clock,
            trust,
            revocation: self.ports.revocation.as_deref(),
        };
        self.stamp(record, unstamped, &context).await?;
        self.keep(page).await?;
        Ok(Page::Done)
    }

    async fn need(&mut self, record: &ProofRecord, trust: &TrustAnchors) -> Result<Need, JobError> {
        let told = if record.stamped.is_some() {
            record.signature.map(|life| SignatureLife { stamped: true, ..life })
        } else {
            record.signature
        };
        let life = match told.filter(|_| !self.run.forced) {
            Some(life) => life,
            None => match self.read(record, trust).await? {
                Some(life) => life,
                None => return Ok(Need::Nothing),
            },
        };
        let now = self.run.now;
        let due_from = now.plus_days(self.settings.before_days);
        Ok(if life.stamped {
            self.tally.already_stamped += 1;
            Need::Nothing
        } else if life.valid_until <= now {
            Need::TooLate
        } else if record.expires_at <= life.valid_until {
            self.tally.not_needed += 1;
            Need::Nothing
        } else if life.valid_until <= due_from || self.run.forced {
            Need::Due(life)
        } else {
            Need::Later(life)
        })
    }

    /// How long a signature lasts, from its manifest store; `None` when that is of no use, or gone.
    async fn read(
        &mut self,
        record: &ProofRecord,
        trust: &TrustAnchors,
    ) -> Result<Option<SignatureLife>, JobError> {
        let Some(proof) = self.proof(record).await? else { return Ok(None) };
        let stamped = match self.ports.proofs.stamped_store(record.id, self.run.now).await {
            Ok(stamped) => stamped,
            // It is replaced by a new one.
            Err(ProofStoreError::Damaged { .. }) => None,
            Err(error) => return Err(failed(&error)),
        };
        let life = signature_life(&proof, stamped.as_deref(), trust, self.run.now);
        if life.is_none() {
            self.tally.fail("the manifest store cannot be read");
        }
        Ok(life)
    }

    async fn proof(&mut self, record: &ProofRecord) -> Result<Option<Proof>, JobError> {
        match self.ports.proofs.proof(record.id, self.run.now).await {
            Ok(proof) => Ok(proof.filter(|proof| proof.record == *record)),
            Err(ProofStoreError::Damaged { .. }) => {
                self.tally.damaged += 1;
                Ok(None)
            }
            Err(error) => Err(failed(&error)),
        }
    }

    async fn stamp(
        &mut self,
        record: &ProofRecord,
        unstamped: Unstamped,
        context: &RestampContext<'_>,
    ) -> Result<(), JobError> {
        let Some(proof) = self.proof(record).await? else { return Ok(()) };
        let stamped = match restamp(&proof, context).await {
            Ok(stamped) => stamped,
            Err(error) => return self.failed(unstamped, error),
        };
        self.failures_in_a_row = 0;
        match self.ports.proofs.keep_stamped(record, stamped.copy, stamped.store).await {
            Ok(true) => self.tally.stamped += 1,
            // Somebody deleted the proof, or stamped it.
            Ok(false) => self.tally.changed_meanwhile += 1,
            Err(error @ ProofStoreError::Damaged { .. }) => self.tally.fail(&error.to_string()),
            Err(error) => return Err(failed(&error)),
        }
        Ok(())
    }

    /// One proof that fails is counted; an authority or a signer that fails ends the run.
    fn failed(&mut self, unstamped: Unstamped, error: RestampError) -> Result<(), JobError> {
        tracing::warn!(proof = %unstamped.id, %error, "a proof got no time-stamp");
        if let RestampError::TooLate(_) = error {
            self.tally.expired_unstamped += 1;
            return Ok(());
        }
        self.tally.will_expire(unstamped);
        match error {
            RestampError::Signer(error) => return Err(no_signer(&error)),
            RestampError::Authority(error) => {
                self.tally.fail("the time-stamp authority failed");
                self.failures_in_a_row += 1;
                if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW {
                    return Err(JobError::Passing(error.to_string()));
                }
            }
            RestampError::Worthless(_) => {
                self.tally.fail("the time-stamp would not count");
                self.failures_in_a_row += 1;
                if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW {
                    return Err(JobError::Lasting(error.to_string()));
                }
            }
            RestampError::Unsuitable(_) => self.tally.fail("the manifest store cannot be stamped"),
            RestampError::Credential(_) | RestampError::TooLate(_) => {
                self.tally.fail("the update manifest could not be made");
            }
        }
        Ok(())
    }
}

fn failed(error: &ProofStoreError) -> JobError {
    JobError::Passing(error.to_string())
}

fn no_signer(error: &SignerError) -> JobError {
    match error {
        SignerError::Unusable(_) => JobError::Lasting(error.to_string()),
        _ => JobError::Passing(error.to_string()),
    }
}
