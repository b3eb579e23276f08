//! Laying out a signed file: slices of the input around the manifest store, in one pass.
//!
//! All parts of the input stay, byte for byte and in order, except an older manifest store. Added are the
//! store and the recovery record. Only the store is excluded from the hash.

mod jpeg;
mod layout;
mod png;
mod rope;
#[cfg(test)]
pub(crate) mod tests;
mod webp;

use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

use self::layout::Layout;
pub use self::rope::Rope;
use crate::asset::{Asset, Carrier, Format, PartKind, free_box_instance};

/// The recovery record, ready to be wrapped for the format. What is `None` is not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordPayloads {
    /// An XMP packet. JPEG: APP1, right after the store. PNG: iTXt. WebP: `XMP `.
    pub xmp: Option<Bytes>,
    /// EXIF as TIFF data, without `Exif\0\0` in front. JPEG: APP1, right before the store. PNG: `eXIf`. WebP:
    /// `EXIF`.
    pub exif: Option<Bytes>,
    /// What has a place of its own in every file. JPEG: a comment (COM). PNG and WebP: a `crLk` chunk. Where a
    /// file has several, the newest is the first.
    pub private: Option<Bytes>,
}

/// Which kinds of metadata an image has not got yet. Only these may be added: what an image has is never
/// rewritten, and a second block of a kind would be overlooked or would hide the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carriers {
    /// [`RecordPayloads::xmp`] may be given.
    pub xmp: bool,
    /// [`RecordPayloads::exif`] may be given.
    pub exif: bool,
}

/// What `asset` has room for. A WebP with a VP8X chunk has room for neither, because the flags in that chunk
/// would change.
pub fn carriers(asset: &Asset) -> Carriers {
    match asset.format() {
        Format::Jpeg => jpeg::carriers(asset),
        Format::Png => png::carriers(asset),
        Format::WebP => webp::carriers(asset),
    }
}

/// A signed file that lacks nothing but its manifest store.
#[derive(Clone, Debug)]
pub struct Embedding {
    before: Vec<Bytes>,
    carrier: Carrier,
    after: Vec<Bytes>,
}

impl Embedding {
    /// Lays the signed file out, with room for a store of exactly `store_length` bytes.
    ///
    /// JPEG: the store goes behind the leading APP0 and EXIF segments. An older store behind an MPF segment is
    /// overwritten with an APP15 segment of zeros of the same length instead of being taken out, because MPF
    /// counts the bytes from its segment to the further images, and that segment may not change. PNG: behind
    /// IHDR. WebP: last within RIFF; when XMP or EXIF come to a file without VP8X, it gets that chunk.
    ///
    /// # Errors
    /// [`EmbedError`]. An asset from [`Asset::parse`], with only what [`carriers`] allows and a store and a
    /// record of a few kilobytes, can be laid out always.
    pub fn plan(asset: &Asset, record: &RecordPayloads, store_length: usize) -> Result<Self, EmbedError> {
        if asset.parts().iter().any(|part| part.kind == PartKind::Unparsed) || has_webp_trailer(asset) {
            return Err(EmbedError::Damaged);
        }
        let free = carriers(asset);
        for (given, free, kind) in [(&record.xmp, free.xmp, "XMP"), (&record.exif, free.exif, "EXIF")] {
            if given.is_some() && !free {
                return Err(EmbedError::CarrierTaken(kind));
            }
        }
        let old = old_store_parts(asset);
        let is_old = |index: usize| old.get(index).copied().unwrap_or(false);
        let carrier = Carrier::new(asset.format(), store_length, free_box_instance(asset, is_old))
            .ok_or(EmbedError::StoreLength(store_length))?;
        let mut layout = Layout::new(asset);
        match asset.format() {
            Format::Jpeg => jpeg::lay_out(&mut layout, &old, record)?,
            Format::Png => png::lay_out(&mut layout, &old, record)?,
            Format::WebP => webp::lay_out(&mut layout, &old, record, &carrier)?,
        }
        let (before, after) = layout.finish();
        Ok(Self { before, carrier, after })
    }

    /// Everything but the store and its container, in order: what the hard binding hashes.
    pub fn hashed(&self) -> Vec<&[u8]> {
        self.before.iter().chain(&self.after).map(AsRef::as_ref).collect()
    }

    /// The range of the store and its container in the signed file: what the hard binding excludes.
    pub fn exclusion(&self) -> Range<usize> {
        let start = self.before.iter().map(Bytes::len).sum();
        start..start + self.carrier.length()
    }

    /// Length of the signed file, in bytes.
    pub fn signed_length(&self) -> usize {
        self.exclusion().end + self.after.iter().map(Bytes::len).sum::<usize>()
    }

    /// The signed file.
    ///
    /// # Errors
    /// [`EmbedError::OtherLength`] or [`EmbedError::NotAStore`]: it is not the store that was planned for.
    pub fn finish(self, store: &Bytes) -> Result<Rope, EmbedError> {
        let planned = self.carrier.store_length();
        if store.len() != planned {
            return Err(EmbedError::OtherLength { planned, actual: store.len() });
        }
        let length = u32::try_from(planned).map_err(|_| EmbedError::StoreLength(planned))?;
        if !store.starts_with(&[length.to_be_bytes(), *b"jumb"].concat()) {
            return Err(EmbedError::NotAStore);
        }
        let store = self.carrier.wrap(store);
        Ok(Rope::new(self.before.into_iter().chain(store).chain(self.after)))
    }
}

/// Why a signed file cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmbedError {
    /// The asset was read leniently, and part of it was not understood.
    #[error("a damaged file cannot be signed; export the picture again")]
    Damaged,
    /// The image has metadata of this kind already.
    #[error("the image has {0} of its own, which is never rewritten; leave it out of the record")]
    CarrierTaken(&'static str),
    /// A part of the record does not fit its container.
    #[error("the {kind} of the record has {length} bytes; at most {limit} fit")]
    RecordTooLong {
        /// Which part.
        kind: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The longest that fits, in bytes.
        limit: usize,
    },
    /// No manifest store has this length, or the container cannot hold it.
    #[error("a manifest store of {0} bytes cannot be embedded")]
    StoreLength(usize),
    /// The store has another length than the one that was planned.
    #[error("the manifest store has {actual} bytes; room was made for {planned}")]
    OtherLength {
        /// The length given to [`Embedding::plan`].
        planned: usize,
        /// The length of the store.
        actual: usize,
    },
    /// The store does not start with a JUMBF superbox of its own length.
    #[error("the manifest store is not one JUMBF superbox")]
    NotAStore,
    /// The signed file would be longer than the format allows.
    #[error("the signed file would be too long for its format")]
    FileTooLong,
}

/// Bytes behind the RIFF container, which [`Asset::parse`] refuses.
fn has_webp_trailer(asset: &Asset) -> bool {
    asset.format() == Format::WebP && asset.parts().iter().any(|part| part.kind == PartKind::Trailer)
}

/// For every part, whether it carries a manifest store.
fn old_store_parts(asset: &Asset) -> Vec<bool> {
    let mut old = vec![false; asset.parts().len()];
    for index in asset.manifest_stores().into_iter().flat_map(|store| store.parts) {
        if let Some(is_old) = old.get_mut(index) {
            *is_old = true;
        }
    }
    old
}
