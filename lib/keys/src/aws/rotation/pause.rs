//! Pauses between attempts.

use aws_lc_rs::rand;

/// A factor between 0.75 and 1.25, so that several who wait do not come again at once.
pub(super) fn jitter() -> f64 {
    let mut byte = [0x80];
    match rand::fill(&mut byte) {
        Ok(()) => 0.75 + f64::from(byte[0]) / 512.0,
        Err(_) => 1.0,
    }
}
