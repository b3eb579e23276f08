//! What the catalogues of stores share that go by ids.

use credlink_pipeline::proof::{ProofId, ProofStoreError};

/// The longest page.
const MAX_PAGE: usize = 1000;

/// How many proofs a page has when `limit` are asked for.
pub(crate) fn at_most(limit: usize) -> usize {
    limit.clamp(1, MAX_PAGE)
}

/// The proof behind which a page begins, where a place is the id of a proof.
pub(crate) fn id_of_place(place: &str) -> Result<ProofId, ProofStoreError> {
    place.parse().map_err(|_| unknown_place(place))
}

/// The error for a place that this store never gave.
pub(crate) fn unknown_place(place: &str) -> ProofStoreError {
    ProofStoreError::Unavailable(format!("{place:?} is no place in the catalogue of this store; begin anew"))
}
