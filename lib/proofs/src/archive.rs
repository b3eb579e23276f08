//! A store with all that an installation asks of one.

use credlink_pipeline::proof::ProofCatalogue;

use crate::{statistics::ProofStatistics, upkeep::Upkeep};

/// A store that keeps proofs, can be gone through, counted and cleaned up. Every store of this crate is one.
pub trait ProofArchive: ProofCatalogue + ProofStatistics + Upkeep {}

impl<Store: ProofCatalogue + ProofStatistics + Upkeep> ProofArchive for Store {}
