//! Collecting the pieces of a signed file.

use std::ops::Range;

use bytes::Bytes;

use crate::asset::{Asset, Part};

/// The pieces before and after the store. Neighbouring parts of the input become one piece.
pub(super) struct Layout<'a> {
    asset: &'a Asset,
    pieces: Vec<Bytes>,
    before: Option<Vec<Bytes>>,
    kept: Range<usize>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(asset: &'a Asset) -> Self {
        Self { asset, pieces: Vec::new(), before: None, kept: 0..0 }
    }

    pub(super) fn asset(&self) -> &'a Asset {
        self.asset
    }

    /// Keeps a part of the input.
    pub(super) fn keep(&mut self, part: &Part) {
        self.keep_range(part.range.clone());
    }

    /// Keeps a range of the input.
    pub(super) fn keep_range(&mut self, range: Range<usize>) {
        if self.kept.end == range.start {
            self.kept.end = range.end;
        } else {
            self.flush();
            self.kept = range;
        }
    }

    /// Adds new bytes.
    pub(super) fn add(&mut self, bytes: impl Into<Bytes>) {
        self.flush();
        self.pieces.push(bytes.into());
    }

    /// The store goes here.
    pub(super) fn store(&mut self) {
        self.flush();
        self.before = Some(std::mem::take(&mut self.pieces));
    }

    /// What stands before the store, and what after it.
    pub(super) fn finish(mut self) -> (Vec<Bytes>, Vec<Bytes>) {
        self.flush();
        (self.before.unwrap_or_default(), self.pieces)
    }

    fn flush(&mut self) {
        let range = std::mem::take(&mut self.kept);
        if !range.is_empty() {
            self.pieces.push(self.asset.slice(&range));
        }
    }
}
