//! How a run ends that does not bring its rotation to an end.

use super::{
    alerts::Alert,
    call::limited,
    notes::{Halt, Notes},
    report::Outcome,
    rotating::Trigger,
    run::Run,
    state::{Attempt, Stage},
    step::{RotationError, Step},
};

impl Run<'_> {
    /// What to make of a run that did not come to its end.
    pub(super) async fn halted(&mut self, halt: Halt) -> Result<Outcome, RotationError> {
        let error = match halt {
            Halt::TakenOver => {
                tracing::info!("another run is at work on the rotation; this one ends");
                self.clean_up_after_another().await;
                return Ok(Outcome::TakenOver);
            }
            Halt::Stopped(next) => {
                tracing::warn!(next = %next, "the time of this run is over; the next one goes on");
                return Ok(Outcome::Stopped { next });
            }
            Halt::Failed(error) => error,
        };
        tracing::error!(%error, passing = error.fault.passing, "the signing key was not replaced");
        if !error.fault.passing && error.step != Step::State && self.may_give_up() {
            // What is still in the way is in the log, and the next run tries again.
            drop(self.give_up("it cannot come to its end").await);
        }
        let now = self.now();
        let alert = Alert::failure(&error, self.days_left());
        alert.send_once(&*self.ports.announcer, &mut self.notes, now).await;
        self.save_what_was_told().await;
        Err(error)
    }

    /// What was told is worth remembering, and no reason to fail.
    pub(super) async fn save_what_was_told(&mut self) {
        if let Err(Halt::Failed(error)) = self.notes.save().await {
            tracing::warn!(%error, "what was announced cannot be written down, and may be announced again");
        }
    }

    /// Another run changed the state while this one made something. When that one goes on with the same rotation, it finds
    /// what was made. When it gave the rotation up, or finished it, nobody would look for what was made since.
    async fn clean_up_after_another(&self) {
        let Some(mine) = &self.notes.state.attempt else { return };
        let Ok(fresh) = Notes::open(&*self.ports.journal).await else { return };
        if fresh.state.attempt.is_some_and(|theirs| theirs.id == mine.id) {
            return;
        }
        self.discard_keys_of(mine.id).await;
        let authority = &self.ports.authority;
        let forgotten = authority.forget(mine.id, mine.receipt().unwrap_or_default());
        if let Err(fault) = limited(&authority.name(), forgotten).await {
            tracing::error!(rotation = %mine.id, %fault, "a request that nobody waits for was not removed");
        }
    }

    /// From the swap on a rotation is brought to its end, unless somebody insists.
    fn may_give_up(&self) -> bool {
        let attempt = self.notes.state.attempt.as_ref();
        let is_swap = |attempt: &Attempt| matches!(attempt.stage, Stage::Swap { .. });
        attempt.is_some_and(|attempt| {
            attempt.is_before_swap() || (is_swap(attempt) && self.trigger == Trigger::Forced)
        })
    }
}
