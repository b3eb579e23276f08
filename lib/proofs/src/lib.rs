//! Where proofs live.
//!
//! Every store implements the port [`ProofStore`](credlink_pipeline::proof::ProofStore) and passes the same
//! `contract` suite. [`MemoryProofStore`] is for tests and for a process that need not remember;
//! [`LocalProofStore`] keeps proofs in a folder, which several processes may use at once;
//! [`AwsProofStore`](aws::AwsProofStore) keeps them in DynamoDB and S3; [`PostgresProofStore`](postgres::PostgresProofStore)
//! in a PostgreSQL database.

mod archive;
pub mod aws;
mod catalogue;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod local;
mod location;
mod memory;
mod pause;
pub mod postgres;
mod statistics;
pub mod upkeep;

pub use archive::ProofArchive;
pub use local::LocalProofStore;
pub use location::{StoreLocation, StoreLocationError};
pub use memory::MemoryProofStore;
pub use statistics::{Census, ProofCounts, ProofStatistics};
