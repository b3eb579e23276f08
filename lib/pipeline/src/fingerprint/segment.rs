//! The marker segments of a JPEG (ITU-T T.81, annex B), and its frame header.

use memchr::memchr;

use super::{FingerprintError, Size};

/// Second bytes of markers.
pub(super) const SOF0: u8 = 0xc0;
pub(super) const SOF2: u8 = 0xc2;
pub(super) const SOF15: u8 = 0xcf;
pub(super) const DHT: u8 = 0xc4;
pub(super) const DAC: u8 = 0xcc;
pub(super) const JPG: u8 = 0xc8;
pub(super) const RST0: u8 = 0xd0;
pub(super) const RST7: u8 = 0xd7;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DRI: u8 = 0xdd;
pub(super) const APP0: u8 = 0xe0;
pub(super) const APP1: u8 = 0xe1;
pub(super) const APP14: u8 = 0xee;
const TEM: u8 = 0x01;

/// One marker segment.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    /// The second byte of the marker.
    pub(super) marker: u8,
    /// The parameters, without their length.
    pub(super) body: &'a [u8],
    /// All that follows in the file: after a scan header, the entropy-coded data.
    pub(super) rest: &'a [u8],
}

/// The segments of a file in order, up to the end of the image or the first segment that is cut off.
/// Entropy-coded data between them is passed over.
pub(super) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    pub(super) fn of(file: &'a [u8]) -> Result<Self, FingerprintError> {
        match file.strip_prefix(&[0xff, SOI]) {
            Some(rest) => Ok(Self { rest }),
            None => Err(FingerprintError::undecodable("not a JPEG file")),
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            let (marker, rest) = next_marker(self.rest)?;
            self.rest = rest;
            match marker {
                RST0..=RST7 | TEM | SOI => {}
                EOI => return None,
                _ => break self.parameters(marker),
            }
        }
    }
}

impl<'a> Segments<'a> {
    fn parameters(&mut self, marker: u8) -> Option<Segment<'a>> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).checked_sub(2)?;
        let (body, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Segment { marker, body, rest })
    }
}

/// The first marker in `bytes` and what follows it. A stuffed `FF 00` is none; any number of `FF` may stand
/// before one.
pub(super) fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let position = memchr(0xff, bytes)?;
        bytes = bytes.get(position + 1..)?;
        match bytes {
            [0xff, ..] => {}
            [0x00, rest @ ..] => bytes = rest,
            [marker, rest @ ..] => return Some((*marker, rest)),
            [] => return None,
        }
    }
}

/// A frame header (T.81, B.2.2).
pub(super) struct Frame {
    pub(super) coding: Coding,
    pub(super) size: Size,
    pub(super) components: Vec<Component>,
}

/// How the coefficients of a frame are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// SOF0 and SOF1 with 8 bits a sample.
    Sequential,
    /// SOF2 with 8 bits a sample.
    Progressive,
}

/// A colour component of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Horizontal and vertical sampling factors, 1 to 4 each.
    pub(super) sampling: (u8, u8),
    /// Which quantisation table, 0 to 3.
    pub(super) quantisation: u8,
}

impl Frame {
    /// # Errors
    /// When the header is damaged, the coding is not one of [`Coding`], or the size is beyond the limits.
    pub(super) fn parse(marker: u8, body: &[u8]) -> Result<Self, FingerprintError> {
        let damaged = || FingerprintError::undecodable("the frame header is damaged");
        let coding = match marker {
            SOF0 | 0xc1 => Coding::Sequential,
            SOF2 => Coding::Progressive,
            0xc3 | 0xc7 | 0xcb | SOF15 => return Err(FingerprintError::Unsupported("lossless JPEG")),
            0xc5 | 0xc6 => return Err(FingerprintError::Unsupported("hierarchical JPEG")),
            _ => return Err(FingerprintError::Unsupported("JPEG with arithmetic coding")),
        };
        let ([precision, y1, y0, x1, x0, count], components) =
            body.split_first_chunk().ok_or_else(damaged)?;
        if *precision != 8 {
            return Err(FingerprintError::Unsupported("JPEG with other than 8 bits a sample"));
        }
        let side = |bytes| u32::from(u16::from_be_bytes(bytes));
        if side([*y1, *y0]) == 0 {
            return Err(FingerprintError::Unsupported("JPEG that tells its height after the picture"));
        }
        let size = Size::new(side([*x1, *x0]), side([*y1, *y0]))?;
        let components: Vec<_> = components.as_chunks().0.iter().map(Component::parse).collect();
        if components.len() != usize::from(*count)
            || !(1..=4).contains(count)
            || !components.iter().all(Component::is_valid)
        {
            return Err(damaged());
        }
        Ok(Self { coding, size, components })
    }

    /// Whether a marker begins a frame header.
    pub(super) fn is_header(marker: u8) -> bool {
        (SOF0..=SOF15).contains(&marker) && ![DHT, JPG, DAC].contains(&marker)
    }
}

impl Component {
    fn parse([id, sampling, quantisation]: &[u8; 3]) -> Self {
        Self { id: *id, sampling: (sampling >> 4, sampling & 15), quantisation: *quantisation }
    }

    fn is_valid(&self) -> bool {
        let (horizontal, vertical) = self.sampling;
        (1..=4).contains(&horizontal) && (1..=4).contains(&vertical) && self.quantisation < 4
    }
}
