//! Where proofs live.
//!
//! Every store implements the port [`ProofStore`](credlink_pipeline::proof::ProofStore) and passes the same
//! `contract` suite. [`MemoryProofStore`] is for tests and for a process that need not remember;
//! [`LocalProofStore`] keeps proofs in a folder, which several processes may use at once;
//! [`AwsProofStore`](aws::AwsProofStore) keeps them in DynamoDB and S3; [`S3ProofStore`](s3::S3ProofStore) in S3 alone;
//! [`PostgresProofStore`](postgres::PostgresProofStore) in a PostgreSQL database. [`StoreLocation`] names one of them.

mod archive;
pub mod aws;
mod catalogue;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod local;
mod location;
mod memory;
pub mod migration;
mod newer;
mod pause;
pub mod postgres;
pub mod s3;
mod statistics;
pub mod upkeep;

pub use archive::ProofArchive;
pub use local::LocalProofStore;
pub use location::{StoreLocation, StoreLocationError};
pub use memory::MemoryProofStore;
pub use statistics::{Census, ProofCounts, ProofStatistics};
