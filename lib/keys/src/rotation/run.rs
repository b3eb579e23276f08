//! One run: the steps of a rotation from top to bottom.

use credlink_pipeline::timestamp::Timestamp;

use super::{
    alerts::Alert,
    call::limited,
    notes::{Halt, Notes},
    ports::{CandidateKey, Fault, Issuance, KeyName, RotationId, SignerVersion, SwapError},
    report::{Outcome, SignerFacts},
    request,
    rotating::{RotationPolicy, RotationPorts, Trigger},
    state::{Attempt, Finished, Forgettable, Stage, Waiting},
    step::{RotationError, Step},
    trial,
    validation::{self, Measure},
};
use crate::pem_file::{self, PemFile};

/// The most bytes of a chain and its root: they stand in the state, and an item of DynamoDB has at most 400 KB.
const MAX_CHAIN_BYTES: usize = 64 * 1024;

/// The longest receipt, in bytes.
const MAX_RECEIPT_BYTES: usize = 2048;

/// A run, with what it knows.
pub(super) struct Run<'a> {
    pub(super) ports: &'a RotationPorts,
    pub(super) policy: &'a RotationPolicy,
    pub(super) trigger: Trigger,
    must_end: &'a (dyn Fn() -> bool + Send + Sync),
    pub(super) notes: Notes<'a>,
    /// Who signs.
    pub(super) active: Option<SignerVersion>,
    /// All that ever did, newest first.
    pub(super) versions: Vec<SignerVersion>,
}

/// What follows a step.
enum Next {
    Stage(Stage),
    Wait(Waiting),
    Done(Outcome),
}

impl<'a> Run<'a> {
    pub(super) async fn open(
        ports: &'a RotationPorts,
        policy: &'a RotationPolicy,
        trigger: Trigger,
        must_end: &'a (dyn Fn() -> bool + Send + Sync),
    ) -> Result<Self, RotationError> {
        let failed = |step| move |fault| RotationError { step, fault };
        let notes = Notes::open(&*ports.journal).await.map_err(failed(Step::State))?;
        let place = ports.versions.place();
        let active = limited(&place, ports.versions.active()).await.map_err(failed(Step::Check))?;
        let versions = limited(&place, ports.versions.all()).await.map_err(failed(Step::Check))?;
        Ok(Self { ports, policy, trigger, must_end, notes, active, versions })
    }

    /// Goes on with the rotation in progress, or begins one when it is due or wanted.
    pub(super) async fn rotate(&mut self) -> Result<Outcome, Halt> {
        self.drop_what_is_moot().await?;
        if self.notes.state.attempt.is_none() {
            if let Some(days_left) = self.days_left()
                && !self.is_due()
                && self.trigger == Trigger::WhenDue
            {
                return Ok(Outcome::NotDue { days_left });
            }
            self.begin().await?;
        }
        while let Some(attempt) = self.notes.state.attempt.clone() {
            if (self.must_end)() {
                return Err(Halt::Stopped(attempt.step()));
            }
            tracing::debug!(rotation = %attempt.id, step = %attempt.step(), "a step of the rotation begins");
            match self.advance(&attempt).await? {
                Next::Stage(stage) => {
                    self.notes.state.attempt = Some(Attempt { stage, ..attempt });
                    self.notes.save().await?;
                }
                Next::Wait(waiting) => return self.wait(&attempt, waiting).await,
                Next::Done(outcome) => return Ok(outcome),
            }
        }
        // Only a finished rotation leaves no attempt, and it has returned above.
        Err(Halt::TakenOver)
    }

    /// Gives up a rotation whose swap was not begun; false when there is none.
    pub(super) async fn cancel(&mut self) -> Result<bool, Halt> {
        if !self.notes.state.attempt.as_ref().is_some_and(Attempt::is_before_swap) {
            return Ok(false);
        }
        self.give_up("somebody gave it up").await?;
        Ok(true)
    }

    /// Whole days until the chain of the active signer expires.
    pub(super) fn days_left(&self) -> Option<i64> {
        self.active.as_ref().map(|active| active.days_left(self.now()))
    }

    /// Whether the active signer has to be replaced, or there is none.
    pub(super) fn is_due(&self) -> bool {
        self.days_left().is_none_or(|days| days < i64::from(self.policy.before_days))
    }

    /// The key that was made for a rotation, as long as it signs for nobody.
    pub(super) async fn candidate(
        &self,
        rotation: RotationId,
        key: &KeyName,
    ) -> Result<Option<CandidateKey>, Fault> {
        let candidates = limited("the keys", self.ports.keys.candidates()).await?;
        Ok(candidates.into_iter().find(|candidate| candidate.rotation == rotation && candidate.name == *key))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// A rotation for a signer that is no longer the active one, or that somebody wants anew, is given up.
    async fn drop_what_is_moot(&mut self) -> Result<(), Halt> {
        let Some(attempt) = self.notes.state.attempt.as_ref().filter(|attempt| attempt.is_before_swap())
        else {
            return Ok(());
        };
        if attempt.replaces.as_deref() != self.active.as_ref().map(|active| active.version.as_str()) {
            return self.give_up("another signer became active meanwhile").await;
        }
        if self.trigger == Trigger::Forced {
            return self.give_up("somebody wants another one").await;
        }
        Ok(())
    }

    /// The rotation is written down before anything is made for it.
    async fn begin(&mut self) -> Result<(), Halt> {
        let id = RotationId::random();
        let active = self.active.as_ref();
        let kind = self.policy.kind.or(active.map(|active| active.kind)).unwrap_or_default();
        self.notes.state.attempt = Some(Attempt {
            id,
            started_at: self.now(),
            kind,
            forced: self.trigger == Trigger::Forced,
            replaces: active.map(|active| active.version.clone()),
            stage: Stage::MakeKey,
        });
        self.notes.save().await?;
        tracing::info!(rotation = %id, %kind, days_left = self.days_left(), "a rotation of the signing key begins");
        Ok(())
    }

    async fn advance(&mut self, attempt: &Attempt) -> Result<Next, Halt> {
        match attempt.stage.clone() {
            Stage::MakeKey => self.make_key(attempt).await,
            Stage::Request { key } => self.request(attempt, key).await,
            Stage::Ask { key, request } => self.ask(attempt, key, &request).await,
            Stage::Collect { key, receipt, waiting } => self.collect(attempt, key, receipt, waiting).await,
            Stage::Validate { key, receipt, chain, root } => {
                self.validate(attempt, &key, &chain, &root).await?;
                Ok(Next::Stage(Stage::Trial { key, receipt, chain, root }))
            }
            Stage::Trial { key, receipt, chain, root } => {
                self.try_out(attempt, &key, &chain, &root).await?;
                Ok(Next::Stage(Stage::Swap { key, receipt, chain, root }))
            }
            Stage::Swap { key, receipt, chain, root } => {
                self.swap(attempt, &key, receipt, &chain, &root).await
            }
            Stage::Announce { receipt, version } => self.announce(attempt, receipt, version).await,
            Stage::Finish { receipt, version } => self.finish(attempt, receipt, version).await,
        }
    }

    async fn make_key(&self, attempt: &Attempt) -> Result<Next, Halt> {
        let made = limited("the keys", self.ports.keys.make(attempt.id, attempt.kind)).await;
        Ok(Next::Stage(Stage::Request { key: made.map_err(Halt::of(Step::MakeKey))?.name }))
    }

    async fn request(&self, attempt: &Attempt, key: KeyName) -> Result<Next, Halt> {
        let candidate = self.owned(attempt, &key, Step::Request).await?;
        let leaf = self.active.as_ref().and_then(|active| active.chain.first());
        let subject = self.policy.subject.clone();
        let subject = subject.or_else(|| request::Subject::of_certificate(leaf?)).unwrap_or_default();
        let made = limited("the key", request::make(&*self.ports.keys, &candidate, &subject)).await;
        let request = pem_file::encode("CERTIFICATE REQUEST", &made.map_err(Halt::of(Step::Request))?);
        Ok(Next::Stage(Stage::Ask { key, request }))
    }

    async fn ask(&self, attempt: &Attempt, key: KeyName, request: &str) -> Result<Next, Halt> {
        let failed = Halt::of(Step::Ask);
        let damaged = |_| Fault::lasting(self.ports.journal.place(), "the request in it is damaged", ANEW);
        let request = pem::parse(request).map_err(damaged).map_err(&failed)?;
        let authority = &self.ports.authority;
        let asked = authority.request(attempt.id, request.contents(), self.now());
        let receipt = limited(&authority.name(), asked).await.map_err(&failed)?;
        if receipt.len() > MAX_RECEIPT_BYTES {
            let problem = format!("its receipt has more than {MAX_RECEIPT_BYTES} bytes");
            return Err(failed(Fault::lasting(authority.name(), problem, "use another authority")));
        }
        Ok(Next::Stage(Stage::Collect { key, receipt, waiting: None }))
    }

    async fn collect(
        &self,
        attempt: &Attempt,
        key: KeyName,
        receipt: String,
        waiting: Option<Waiting>,
    ) -> Result<Next, Halt> {
        let failed = Halt::of(Step::Collect);
        let authority = &self.ports.authority;
        let collected = limited(&authority.name(), authority.collect(attempt.id, &receipt, self.now())).await;
        let (chain, root) = match collected.map_err(&failed)? {
            Issuance::Waiting { reason } => {
                let since = waiting.map_or_else(|| self.now(), |waiting| waiting.since);
                return Ok(Next::Wait(Waiting { since, reason }));
            }
            Issuance::Issued { chain, root } => (chain, root),
        };
        if chain.bytes().len() + root.bytes().len() > MAX_CHAIN_BYTES {
            let problem = format!("it sent a chain and a root of more than {MAX_CHAIN_BYTES} bytes");
            return Err(failed(Fault::lasting(authority.name(), problem, ANEW)));
        }
        let text = |file: &PemFile| String::from_utf8_lossy(file.bytes()).into_owned();
        Ok(Next::Stage(Stage::Validate { key, receipt, chain: text(&chain), root: text(&root) }))
    }

    async fn wait(&mut self, attempt: &Attempt, waiting: Waiting) -> Result<Outcome, Halt> {
        let Waiting { since, reason } = waiting.clone();
        tracing::warn!(rotation = %attempt.id, %since, reason, days_left = self.days_left(), "the rotation waits");
        if let Some(Attempt { stage: Stage::Collect { waiting: kept, .. }, .. }) =
            &mut self.notes.state.attempt
        {
            *kept = Some(waiting);
        }
        let (now, alert) = (self.now(), Alert::waiting(&reason, since, self.days_left()));
        alert.send_once(&*self.ports.announcer, &mut self.notes, now).await;
        self.notes.save().await?;
        Ok(Outcome::Waiting { rotation: attempt.id, reason, since, days_left: self.days_left() })
    }

    async fn validate(&self, attempt: &Attempt, key: &KeyName, chain: &str, root: &str) -> Result<(), Halt> {
        let candidate = self.owned(attempt, key, Step::Validate).await?;
        let (chain, root) = files(chain, root).map_err(Halt::of(Step::Validate))?;
        let measure = Measure {
            key: &candidate,
            versions: &self.versions,
            // Who wants a new key now may want one with a shorter certificate.
            outlasts: self.active.as_ref().filter(|_| !attempt.forced),
            least_days: self.policy.before_days,
            now: self.now(),
        };
        measure.check(&chain, &root).map_err(Halt::of(Step::Validate))
    }

    async fn try_out(&self, attempt: &Attempt, key: &KeyName, chain: &str, root: &str) -> Result<(), Halt> {
        let failed = Halt::of(Step::Trial);
        // Once more: the clock may have gone back, or days may have passed.
        self.validate(attempt, key, chain, root).await?;
        let candidate = self.owned(attempt, key, Step::Trial).await?;
        let (chain, root) = files(chain, root).map_err(&failed)?;
        let signer = limited("the key", self.ports.keys.signer(&candidate, &chain)).await.map_err(&failed)?;
        let trial = trial::run(signer, &root, self.ports.clock.clone());
        limited("the trial signature", trial).await.map_err(&failed)
    }

    async fn swap(
        &mut self,
        attempt: &Attempt,
        key: &KeyName,
        receipt: String,
        chain: &str,
        root: &str,
    ) -> Result<Next, Halt> {
        let failed = Halt::of(Step::Swap);
        if let Some(done) = self.versions.iter().find(|version| version.key == *key) {
            // An earlier run was killed after the swap.
            return Ok(Next::Stage(Stage::Announce { receipt, version: done.version.clone() }));
        }
        let Some(candidate) = self.candidate(attempt.id, key).await.map_err(&failed)? else {
            self.give_up("its key is gone").await?;
            return Err(failed(key_gone(key)));
        };
        let (chain, root) = files(chain, root).map_err(&failed)?;
        if let Err(fault) = validation::check_dates(&chain, self.now()) {
            if !fault.passing {
                self.give_up("its certificate cannot be used any more").await?;
            }
            return Err(failed(fault));
        }
        let versions = &self.ports.versions;
        let swapped = versions.swap(&candidate, &chain, &root, attempt.replaces.as_deref(), self.now());
        match limited(&versions.place(), swapped).await {
            Ok(version) => {
                let (from, to) = (attempt.replaces.as_deref(), version.version.as_str());
                tracing::info!(rotation = %attempt.id, from, to, not_after = %version.not_after, "a new key signs");
                Ok(Next::Stage(Stage::Announce { receipt, version: version.version }))
            }
            Err(SwapError::LostRace) => {
                self.give_up("another signer became active meanwhile").await?;
                Err(Halt::TakenOver)
            }
            Err(SwapError::Fault(fault)) => Err(failed(fault)),
        }
    }

    async fn announce(&mut self, attempt: &Attempt, receipt: String, version: String) -> Result<Next, Halt> {
        self.reread().await?;
        let to = self.facts(&version, Step::Announce)?;
        let from = attempt.replaces.as_deref().and_then(|from| self.facts(from, Step::Announce).ok());
        Alert::success(from.as_ref(), &to).send(&*self.ports.announcer).await;
        Ok(Next::Stage(Stage::Finish { receipt, version }))
    }

    async fn finish(&mut self, attempt: &Attempt, receipt: String, version: String) -> Result<Next, Halt> {
        self.reread().await?;
        let to = self.facts(&version, Step::Finish)?;
        let from = attempt.replaces.as_deref().and_then(|from| self.facts(from, Step::Finish).ok());
        let state = &mut self.notes.state;
        state.attempt = None;
        state.told.clear();
        state.to_forget.push(Forgettable { id: attempt.id, receipt });
        state.last = Some(Finished {
            id: attempt.id,
            from: attempt.replaces.clone(),
            to: version,
            started_at: attempt.started_at,
            finished_at: self.ports.clock.now(),
        });
        self.notes.save().await?;
        self.forget().await?;
        let (from, to) = (from.map(Box::new), Box::new(to));
        Ok(Next::Done(Outcome::Rotated { rotation: attempt.id, from, to }))
    }

    /// Who signs is another one after a swap.
    async fn reread(&mut self) -> Result<(), Halt> {
        let (versions, place) = (&self.ports.versions, self.ports.versions.place());
        self.active = limited(&place, versions.active()).await.map_err(Halt::of(Step::Check))?;
        self.versions = limited(&place, versions.all()).await.map_err(Halt::of(Step::Check))?;
        Ok(())
    }

    fn facts(&self, version: &str, step: Step) -> Result<SignerFacts, Halt> {
        let found = self.versions.iter().find(|known| known.version == version);
        found.map(SignerFacts::of).ok_or_else(|| {
            let problem = format!("the signer {version} became active, and is not there any more");
            let fix = "put it back, or delete the state of the rotation (docs/rotation.md)";
            Halt::of(step)(Fault::lasting(self.ports.versions.place(), problem, fix))
        })
    }

    async fn owned(&self, attempt: &Attempt, key: &KeyName, step: Step) -> Result<CandidateKey, Halt> {
        let candidate = self.candidate(attempt.id, key).await.map_err(Halt::of(step))?;
        candidate.ok_or_else(|| Halt::of(step)(key_gone(key)))
    }
}

const ANEW: &str = "the rotation is given up, and the next run begins a new one";

pub(super) fn key_gone(key: &KeyName) -> Fault {
    Fault::lasting(format!("key {key}"), "the new key is not there any more", ANEW)
}

fn files(chain: &str, root: &str) -> Result<(PemFile, PemFile), Fault> {
    let file = |name: &str, text: &str| {
        PemFile::new(name, text.as_bytes().to_vec())
            .map_err(|error| Fault::lasting(name, error.to_string(), ANEW))
    };
    Ok((file("the new chain", chain)?, file("the new root", root)?))
}
