//! Time-stamps that were made after the manifest that they are about, and stand in the assertions of another one: as a
//! rule in those of an update manifest (C2PA 2.4, sections 11.2.3 and 18.18).
//!
//! A stamp proves itself: its imprint says of which signature it is, and its own signature who made it. So it does not
//! matter here whose manifest it stands in, nor whether that manifest holds.

use ciborium::Value;

use crate::jumbf;

/// Label of the time-stamp assertion.
pub(super) const TIME_STAMP_LABEL: &str = "c2pa.time-stamp";

/// The most stamps of one manifest that are looked at.
const MAX_STAMPS: usize = 8;

/// The most assertions that are looked at.
const MAX_ASSERTIONS: usize = 64;

/// The time-stamps of the manifest `label` in the assertions of `store`: what should be `TimeStampToken`s in DER
/// (RFC 3161, section 2.4.2).
pub(crate) fn later_stamps(store: &[u8], label: &str) -> Vec<Vec<u8>> {
    let assertions = jumbf::assertions(store, TIME_STAMP_LABEL).take(MAX_ASSERTIONS);
    let maps =
        assertions.filter_map(|content| ciborium::from_reader::<Value, _>(content).ok()?.into_map().ok());
    let entries = maps.flatten().filter(|(manifest, _)| manifest.as_text() == Some(label));
    entries.filter_map(|(_, token)| token.into_bytes().ok()).take(MAX_STAMPS).collect()
}
