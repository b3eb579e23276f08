//! The state of one walk through a file: the parts so far, and what is wrong.

use std::ops::Range;

use super::{Damage, Dimensions, MAX_DAMAGE, Part, PartKind};

/// Collects parts without gaps, and damage within bounds.
pub(super) struct Walk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) dimensions: Option<Dimensions>,
    pub(super) parts: Vec<Part>,
    /// At most [`MAX_DAMAGE`].
    pub(super) damage: Vec<Damage>,
    /// The first damage for which a file is refused.
    pub(super) fault: Option<Damage>,
    max_parts: usize,
}

/// The walk cannot go on.
pub(super) struct Stop;

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], max_parts: usize) -> Self {
        let (parts, damage) = (Vec::new(), Vec::new());
        Self { bytes, dimensions: None, parts, damage, fault: None, max_parts }
    }

    /// Where the next part starts.
    pub(super) fn position(&self) -> usize {
        self.parts.last().map_or(0, |part| part.range.end)
    }

    /// Adds the part from the current position to `end`.
    pub(super) fn part(&mut self, kind: PartKind, end: usize, payload: Range<usize>) -> Result<(), Stop> {
        let start = self.position();
        if self.parts.len() >= self.max_parts {
            return Err(self.stop(start, format!("it has more than {} parts", self.max_parts)));
        }
        self.parts.push(Part { kind, range: start..end, payload });
        Ok(())
    }

    /// Makes everything from the current position on one part of `kind`.
    pub(super) fn rest(&mut self, kind: PartKind) {
        let (start, end) = (self.position(), self.bytes.len());
        if start < end {
            let payload = if kind == PartKind::Unparsed { start..start } else { start..end };
            self.parts.push(Part { kind, range: start..end, payload });
        }
    }

    /// Ends the walk: what is left was not understood.
    pub(super) fn close(&mut self) {
        self.rest(PartKind::Unparsed);
    }

    /// Notes damage for which a file is refused.
    pub(super) fn refuse(&mut self, offset: usize, reason: impl Into<String>) {
        let damage = Damage { offset, reason: reason.into(), refused: true };
        if self.fault.is_none() {
            self.fault = Some(damage.clone());
        }
        self.keep(damage);
    }

    /// The same, and the walk ends here.
    pub(super) fn stop(&mut self, offset: usize, reason: impl Into<String>) -> Stop {
        self.refuse(offset, reason);
        Stop
    }

    /// Notes damage that readers overlook.
    pub(super) fn note(&mut self, offset: usize, reason: &str) {
        if self.damage.len() < MAX_DAMAGE {
            self.keep(Damage { offset, reason: reason.to_owned(), refused: false });
        }
    }

    /// Takes the dimensions that the file declares, if they are of a picture.
    pub(super) fn size(&mut self, offset: usize, width: u32, height: u32) {
        if width == 0 || height == 0 {
            self.refuse(offset, format!("a picture of {width} × {height} pixels has no pixels"));
        } else {
            self.dimensions = Some(Dimensions { width, height });
        }
    }

    fn keep(&mut self, damage: Damage) {
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }
}

/// `N` bytes of `bytes` from `at`, if they are there.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
