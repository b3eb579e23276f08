//! The state of a rotation while a run holds it.

use super::{
    call::limited,
    ports::{Fault, RotationJournal, SwapError},
    state::State,
    step::{RotationError, Step},
};

/// Why a run does not come to its end.
pub(super) enum Halt {
    /// Another run changed the state. It goes on, this one does not.
    TakenOver,
    /// The time of the run is over; the step comes next.
    Stopped(Step),
    /// A step cannot be done.
    Failed(RotationError),
}

impl Halt {
    pub(super) fn of(step: Step) -> impl Fn(Fault) -> Self {
        move |fault| Self::Failed(RotationError { step, fault })
    }
}

/// What the journal says, and what it is to say.
pub(super) struct Notes<'a> {
    journal: &'a dyn RotationJournal,
    revision: Option<u64>,
    pub(super) state: State,
}

impl<'a> Notes<'a> {
    /// Reads the journal.
    pub(super) async fn open(journal: &'a dyn RotationJournal) -> Result<Self, Fault> {
        let (revision, state) = match limited(&journal.place(), journal.read()).await? {
            Some((revision, text)) => (Some(revision), State::parse(&journal.place(), &text)?),
            None => (None, State::default()),
        };
        Ok(Self { journal, revision, state })
    }

    /// Writes the state down, if nobody else wrote meanwhile.
    pub(super) async fn save(&mut self) -> Result<(), Halt> {
        let place = self.journal.place();
        let text = self.state.next_text(&place).map_err(Halt::of(Step::State))?;
        match limited(&place, self.journal.write(&text, self.revision)).await {
            Ok(revision) => {
                self.revision = Some(revision);
                Ok(())
            }
            Err(SwapError::LostRace) => Err(Halt::TakenOver),
            Err(SwapError::Fault(fault)) => Err(Halt::of(Step::State)(fault)),
        }
    }
}
