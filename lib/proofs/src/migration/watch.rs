//! The port to whoever watches a run.

/// Is told how far a run is. Calls come often: they must cost little, and wait for nothing.
pub trait Watch: Send + Sync {
    /// A step begins.
    fn begin(&self, step: Step);

    /// So many proofs more were listed, or dealt with.
    fn advance(&self, proofs: u64);
}

/// A step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The source is listed. Nobody knows yet how many proofs it has.
    ListingSource {
        /// The round, counted from one.
        round: u32,
    },
    /// The destination is listed.
    ListingDestination {
        /// The round, counted from one.
        round: u32,
    },
    /// Proofs are copied.
    Copying {
        /// The round, counted from one.
        round: u32,
        /// How many proofs the round deals with.
        proofs: u64,
        /// How many of them were dealt with before the run was resumed.
        done: u64,
    },
    /// Proofs are read, to know how much there is.
    Measuring {
        /// How many.
        proofs: u64,
    },
    /// What the run wrote is removed.
    RollingBack {
        /// How many proofs the run wrote, or began to write.
        proofs: u64,
    },
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn begin(&self, _: Step) {}

    fn advance(&self, _: u64) {}
}
