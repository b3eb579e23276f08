//! The two stores between which proofs move.

use std::{
    env,
    path::{self, Path},
    sync::Arc,
};

use credlink_pipeline::proof::ProofStoreError;
use credlink_proofs::{MemoryProofStore, ProofArchive, StoreLocation, migration::Plan};

use super::{MigrateProofsArgs, MigrateProofsError, aws};

/// Where proofs come from and go to. Never the same store, and never the memory of this process.
pub(super) struct Stores {
    pub(super) from: StoreLocation,
    pub(super) to: StoreLocation,
}

/// Both, opened.
type Opened = (Arc<dyn ProofArchive>, Arc<dyn ProofArchive>);

impl Stores {
    /// Those of the command line.
    ///
    /// # Errors
    /// When one is no store, or both are one.
    pub(super) fn parse(args: &MigrateProofsArgs, data: &Path) -> Result<Self, MigrateProofsError> {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        Self::new(location("from", &text(&args.from), data)?, location("to", &text(&args.to), data)?)
    }

    /// Those of a run. The command line or the environment may name them once more, with a password that a run never keeps.
    ///
    /// # Errors
    /// When the command line names others.
    pub(super) fn of_run(
        plan: &Plan,
        args: &MigrateProofsArgs,
        data: &Path,
    ) -> Result<Self, MigrateProofsError> {
        let find = |option, given: &Option<String>, planned: &String| {
            let found = match (given, from_environment(option, planned, data)) {
                (Some(given), _) => location(option, given, data)?,
                (None, Some(found)) => found,
                (None, None) => location(option, planned, data)?,
            };
            if given.is_some() && found.to_string() != *planned {
                let (run, planned) = (plan.run.clone(), format!("{} and {}", plan.from, plan.to));
                return Err(MigrateProofsError::OtherStore { run, planned, given: found.to_string() });
            }
            Ok(found)
        };
        Self::new(find("from", &args.from, &plan.from)?, find("to", &args.to, &plan.to)?)
    }

    fn new(from: StoreLocation, to: StoreLocation) -> Result<Self, MigrateProofsError> {
        if [&from, &to].iter().any(|location| matches!(location, StoreLocation::Memory)) {
            return Err(MigrateProofsError::Memory);
        }
        if from.identity() == to.identity() {
            return Err(MigrateProofsError::SameStore(from.to_string()));
        }
        Ok(Self { from, to })
    }

    /// Opens the source for reading, and the destination.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) async fn open(&self) -> Result<Opened, MigrateProofsError> {
        Ok((self.open_source().await?, self.open_destination().await?))
    }

    /// Opens both for reading. A destination that is a folder which is not there yet is empty.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) async fn open_for_looking(&self) -> Result<Opened, MigrateProofsError> {
        let source = self.open_source().await?;
        let destination: Arc<dyn ProofArchive> = match &self.to {
            StoreLocation::Local(folder) if !folder.exists() => Arc::new(MemoryProofStore::new()),
            to => to.open_for_reading(aws::config).await.map_err(self.unusable("destination"))?,
        };
        Ok((source, destination))
    }

    /// Opens the destination, and looks whether it works.
    ///
    /// # Errors
    /// When it cannot be used.
    pub(super) async fn open_destination(&self) -> Result<Arc<dyn ProofArchive>, MigrateProofsError> {
        let destination = self.to.open(aws::config).await.map_err(self.unusable("destination"))?;
        destination.check().await.map_err(self.unusable("destination"))?;
        Ok(destination)
    }

    async fn open_source(&self) -> Result<Arc<dyn ProofArchive>, MigrateProofsError> {
        self.from.open_for_reading(aws::config).await.map_err(self.unusable("source"))
    }

    fn unusable(&self, side: &'static str) -> impl FnOnce(ProofStoreError) -> MigrateProofsError {
        let location = if side == "source" { self.from.to_string() } else { self.to.to_string() };
        move |cause| MigrateProofsError::Store { side, location, cause }
    }
}

/// The store of the environment, if it is the planned one: it knows the password too.
fn from_environment(option: &'static str, planned: &str, data: &Path) -> Option<StoreLocation> {
    let (kind, _) = planned.split_once(':')?;
    location(option, kind, data).ok().filter(|found| found.to_string() == planned)
}

/// A folder is named from the root on: a run is resumed from anywhere.
fn location(option: &'static str, text: &str, data: &Path) -> Result<StoreLocation, MigrateProofsError> {
    let location = StoreLocation::parse(text, data, |name| env::var(name).ok())
        .map_err(|cause| MigrateProofsError::Location { option, cause })?;
    Ok(match location {
        StoreLocation::Local(folder) => StoreLocation::Local(path::absolute(&folder).unwrap_or(folder)),
        other => other,
    })
}
