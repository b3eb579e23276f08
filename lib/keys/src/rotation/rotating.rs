//! A rotation as the outside sees it: run it, look at it, undo it.

use std::sync::Arc;

use credlink_pipeline::timestamp::Clock;

use super::{
    alerts::Alert,
    call::limited,
    notes::Halt,
    ports::{
        Announcer, Authority, Fault, KeyKeeper, RotationId, RotationJournal, SignerVersion, SignerVersions,
        SwapError,
    },
    report::{HistoryEntry, Outcome, Outlook, RolledBack, RotationReport, SignerFacts},
    request::Subject,
    run::Run,
    state::{Attempt, Stage},
    step::{RotationError, Step},
    validation::Measure,
};
use crate::{algorithm::KeyKind, pem_file::PemFile};

/// What a rotation needs from outside.
#[derive(Clone)]
pub struct RotationPorts {
    /// Where keys are kept.
    pub keys: Arc<dyn KeyKeeper>,
    /// Who issues the certificate.
    pub authority: Arc<dyn Authority>,
    /// Who signs.
    pub versions: Arc<dyn SignerVersions>,
    /// How far the rotation came.
    pub journal: Arc<dyn RotationJournal>,
    /// Who is told.
    pub announcer: Arc<dyn Announcer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What the operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// A rotation is due when fewer days than this remain; at most 90, the shortest validity of a leaf.
    pub before_days: u32,
    /// The kind of the new key; `None` means that of the active one.
    pub kind: Option<KeyKind>,
    /// For how many days after its certificate expired a key is kept, disabled.
    pub keep_expired_days: u32,
    /// Whom new certificates are to name; `None` means whom the active one names.
    pub subject: Option<Subject>,
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self { before_days: 30, kind: None, keep_expired_days: 30, subject: None }
    }
}

/// Why a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// To see whether it is due.
    WhenDue,
    /// Somebody wants a new key now. A rotation that waits for its authority is given up for it.
    Forced,
}

/// Replaces the signing key before its certificate expires. A run may be killed anywhere, and the next one goes on.
#[derive(Clone)]
pub struct Rotation {
    ports: RotationPorts,
    policy: RotationPolicy,
}

impl Rotation {
    /// A rotation over these ports.
    pub fn new(ports: RotationPorts, policy: RotationPolicy) -> Self {
        Self { ports, policy }
    }

    /// Does what is to be done, until it is done, an authority has to be waited for, or `must_end` says so; it is asked
    /// between the steps, which take some seconds each, two minutes at most.
    ///
    /// # Errors
    /// The step that could not be done; the active signer is untouched. What cannot pass by itself gives the rotation
    /// up, and the next run begins a new one.
    pub async fn run(
        &self,
        trigger: Trigger,
        must_end: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<RotationReport, RotationError> {
        // Before the state is read: a rotation is written down before its key is made, so the owner of every key in this
        // list is in the state by then.
        let candidates = limited("the keys", self.ports.keys.candidates()).await;
        let mut run = match Run::open(&self.ports, &self.policy, trigger, must_end).await {
            Ok(run) => run,
            Err(error) => return Err(self.unreadable(error).await),
        };
        let upkeep = match run.tidy(candidates).await {
            Ok(upkeep) => upkeep,
            Err(halt) => return run.halted(halt).await.map(RotationReport::bare),
        };
        let outcome = match run.rotate().await {
            Ok(outcome) => outcome,
            Err(halt) => run.halted(halt).await?,
        };
        Ok(RotationReport { outcome, upkeep })
    }

    /// Gives up a rotation in progress; false when there is none. One whose swap was begun is not given up: it is done.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn cancel(&self) -> Result<bool, RotationError> {
        let mut run = Run::open(&self.ports, &self.policy, Trigger::WhenDue, &|| false).await?;
        match run.cancel().await {
            Ok(cancelled) => Ok(cancelled),
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::TakenOver | Halt::Stopped(_)) => Err(busy(Step::State)),
        }
    }

    /// How the rotation stands. Nothing is changed.
    ///
    /// # Errors
    /// When the state or the active signer cannot be read.
    pub async fn look(&self) -> Result<Outlook, RotationError> {
        let run = Run::open(&self.ports, &self.policy, Trigger::WhenDue, &|| false).await?;
        let attempt = run.notes.state.attempt.as_ref();
        Ok(Outlook {
            active: run.active.as_ref().map(SignerFacts::of),
            days_left: run.days_left(),
            due: run.is_due() || attempt.is_some(),
            next: attempt.map(Attempt::step),
            waiting: attempt.and_then(|attempt| attempt.waiting()).map(|waiting| waiting.reason.clone()),
        })
    }

    /// All signers that ever were and can still be read, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn history(&self) -> Result<Vec<HistoryEntry>, RotationError> {
        let (active, versions) = self.versions(Step::Check).await?;
        let is_active =
            |version: &SignerVersion| active.as_ref().is_some_and(|active| active.version == version.version);
        let entry = |version: &SignerVersion| HistoryEntry {
            active: is_active(version),
            signer: SignerFacts::of(version),
        };
        Ok(versions.iter().map(entry).collect())
    }

    /// Makes the signer `version` the active one again; `None` means the latest before the active one whose certificates
    /// are valid. A version may be shortened to its first 8 characters or more.
    ///
    /// # Errors
    /// When there is none, or its key or certificates cannot be used. Nothing is changed then.
    pub async fn roll_back(&self, version: Option<&str>) -> Result<RolledBack, RotationError> {
        let now = self.ports.clock.now();
        let failed = |fault| RotationError { step: Step::Restore, fault };
        let (active, versions) = self.versions(Step::Restore).await?;
        let current = active.as_ref().map(|active| active.version.as_str());
        let earlier = versions.iter().filter(|version| Some(version.version.as_str()) != current);
        let target = match version {
            Some(wanted) => find(earlier, wanted).ok_or_else(|| failed(self.no_version(wanted)))?,
            None => {
                let usable = |version: &&SignerVersion| {
                    version.days_left(now) >= 0
                        && active.as_ref().is_none_or(|active| active.key != version.key)
                };
                earlier.into_iter().find(usable).ok_or_else(|| failed(self.no_earlier()))?
            }
        };
        limited("the key", self.ports.keys.check(&target.key)).await.map_err(failed)?;
        let restored = self.ports.versions.restore(&target.version, current, now);
        let restored =
            limited(&self.ports.versions.place(), restored).await.map_err(|error| match error {
                SwapError::LostRace => busy(Step::Restore),
                SwapError::Fault(fault) => failed(fault),
            })?;
        tracing::warn!(version = restored.version, from = current, "an earlier signer is active again");
        Ok(RolledBack { from: active.as_ref().map(SignerFacts::of), to: SignerFacts::of(&restored) })
    }

    /// Checks a certificate that came from an authority elsewhere against the rotation that waits for it; its name. For
    /// whoever brings the certificate, who is told at once what is wrong with it.
    ///
    /// # Errors
    /// When no rotation waits, or when the certificate cannot be used. Nothing is changed either way.
    pub async fn check_certificate(
        &self,
        chain: &PemFile,
        root: &PemFile,
    ) -> Result<RotationId, RotationError> {
        let run = Run::open(&self.ports, &self.policy, Trigger::WhenDue, &|| false).await?;
        let failed = |fault| RotationError { step: Step::Validate, fault };
        let nothing = || {
            let fix = "give its key with --key, or begin a rotation with `credlink keys rotate --force`";
            failed(Fault::lasting(self.ports.journal.place(), "no rotation waits for a certificate", fix))
        };
        let attempt = run.notes.state.attempt.as_ref().ok_or_else(nothing)?;
        let Stage::Collect { key, .. } = &attempt.stage else { return Err(nothing()) };
        let candidate = run.candidate(attempt.id, key).await.map_err(failed)?;
        let candidate = candidate.ok_or_else(|| failed(super::run::key_gone(key)))?;
        let measure = Measure {
            key: &candidate,
            versions: &run.versions,
            outlasts: run.active.as_ref().filter(|_| !attempt.forced),
            least_days: self.policy.before_days,
            now: self.ports.clock.now(),
        };
        measure.check(chain, root).map_err(|fault| {
            let fix =
                "nothing was changed: bring the certificate that the request asks for (docs/rotation.md)";
            failed(Fault { fix: fix.to_owned(), ..fault })
        })?;
        Ok(attempt.id)
    }

    async fn versions(
        &self,
        step: Step,
    ) -> Result<(Option<SignerVersion>, Vec<SignerVersion>), RotationError> {
        let failed = |fault| RotationError { step, fault };
        let (versions, place) = (&self.ports.versions, self.ports.versions.place());
        let active = limited(&place, versions.active()).await.map_err(failed)?;
        Ok((active, limited(&place, versions.all()).await.map_err(failed)?))
    }

    /// Without a state nobody knows what was told already; what may pass by itself is not told then.
    async fn unreadable(&self, error: RotationError) -> RotationError {
        tracing::error!(%error, "the signing key was not looked after");
        if !error.fault.passing {
            Alert::failure(&error, None).send(&*self.ports.announcer).await;
        }
        error
    }

    fn no_version(&self, wanted: &str) -> Fault {
        let problem = format!(
            "there is no earlier signer {:?} to go back to",
            wanted.chars().take(80).collect::<String>()
        );
        Fault::lasting(self.ports.versions.place(), problem, "`credlink keys history` lists them")
    }

    fn no_earlier(&self) -> Fault {
        let problem = "there is no earlier signer whose certificates are valid";
        let fix = "make a new key with `credlink keys rotate --force`";
        Fault::lasting(self.ports.versions.place(), problem, fix)
    }
}

impl RotationReport {
    fn bare(outcome: Outcome) -> Self {
        Self { outcome, upkeep: super::report::Upkeep::default() }
    }
}

fn busy(step: Step) -> RotationError {
    let problem = "another run changed who signs meanwhile";
    RotationError { step, fault: Fault::passing("the active signer", problem, "look, and try again") }
}

/// The version `wanted`, or the only one that begins so.
fn find<'a>(versions: impl Iterator<Item = &'a SignerVersion>, wanted: &str) -> Option<&'a SignerVersion> {
    let versions: Vec<_> = versions.collect();
    let exact = versions.iter().find(|version| version.version == wanted);
    if exact.is_some() || wanted.len() < 8 {
        return exact.copied();
    }
    let mut similar = versions.into_iter().filter(|version| version.version.starts_with(wanted));
    similar.next().filter(|_| similar.next().is_none())
}
