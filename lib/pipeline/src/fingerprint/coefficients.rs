//! The lowest coefficients of the luma of a JPEG. All others are passed over, and nothing is transformed.

use super::{
    FingerprintError,
    huffman::{PLACES, Tables},
    scan::{Pass, Scan, ScanHeader},
    segment::{Coding, DHT, DQT, DRI, Frame, SOS, Segment, Segments},
};

/// Of each luma block the first `COUNT` coefficients in zigzag order (T.81, figure A.6), the DC coefficient first.
pub(super) struct LowestCoefficients<const COUNT: usize> {
    /// As they are coded, row by row.
    pub(super) blocks: Vec<[i16; COUNT]>,
    /// What each is to be multiplied by.
    pub(super) steps: [u16; COUNT],
}

/// Reads them out of a file. The first component must be the luma, and none of the others may be sampled more finely.
///
/// A sequential file must have all its luma. Of a progressive one only the DC coefficients are read, and what follows their
/// last scan is not looked at.
pub(super) fn lowest_coefficients<const COUNT: usize>(
    file: &[u8],
    frame: &Frame,
) -> Result<LowestCoefficients<COUNT>, FingerprintError> {
    let mut decoder = Decoder::new(frame);
    for segment in Segments::of(file)? {
        match segment.marker {
            DQT => decoder.read_quantisation(segment.body)?,
            DHT => decoder.tables.read(segment.body)?,
            DRI => decoder.read_restart_interval(segment.body)?,
            SOS => decoder.read_scan(&segment)?,
            _ => {}
        }
        if decoder.progress == Progress::Complete {
            break;
        }
    }
    decoder.finish()
}

struct Decoder<'a, const COUNT: usize> {
    frame: &'a Frame,
    /// The beginning of each quantisation table.
    quantisation: [[u16; COUNT]; PLACES],
    tables: Tables,
    /// In MCUs; 0 for none.
    restart_interval: u16,
    luma: LowestCoefficients<COUNT>,
    progress: Progress,
}

/// How much of the DC coefficients is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// All but so many of the lowest bits.
    UpToBit(u8),
    Complete,
}

impl<'a, const COUNT: usize> Decoder<'a, COUNT> {
    fn new(frame: &'a Frame) -> Self {
        Self {
            frame,
            quantisation: [[0; COUNT]; PLACES],
            tables: Tables::default(),
            restart_interval: 0,
            luma: LowestCoefficients { blocks: Vec::new(), steps: [0; COUNT] },
            progress: Progress::Nothing,
        }
    }

    /// T.81, B.2.4.1.
    fn read_quantisation(&mut self, mut body: &[u8]) -> Result<(), FingerprintError> {
        while let Some((precision_and_place, steps)) = body.split_first() {
            let step_length = if precision_and_place >> 4 == 0 { 1 } else { 2 };
            let (table, rest) = steps.split_at_checked(64 * step_length).ok_or_else(damaged)?;
            let place =
                self.quantisation.get_mut(usize::from(precision_and_place & 15)).ok_or_else(damaged)?;
            for (kept, step) in place.iter_mut().zip(table.chunks_exact(step_length)) {
                *kept = step.iter().fold(0, |high, low| high << 8 | u16::from(*low));
            }
            body = rest;
        }
        Ok(())
    }

    fn read_restart_interval(&mut self, body: &[u8]) -> Result<(), FingerprintError> {
        self.restart_interval = u16::from_be_bytes(*body.first_chunk().ok_or_else(damaged)?);
        Ok(())
    }

    /// Decodes a scan when it tells something about the means of the luma.
    fn read_scan(&mut self, segment: &Segment<'_>) -> Result<(), FingerprintError> {
        let header = ScanHeader::parse(segment.body).ok_or_else(damaged)?;
        let luma = self.frame.components.first().ok_or_else(damaged)?;
        let has_luma = header.components.iter().any(|(id, _)| *id == luma.id);
        if !has_luma || (self.frame.coding == Coding::Progressive && header.first_coefficient != 0) {
            return Ok(());
        }
        let (pass, progress) = self.pass(&header)?;
        if self.progress == Progress::Nothing {
            let place = self.quantisation.get(usize::from(luma.quantisation));
            let steps = place.copied().filter(|steps| !steps.contains(&0)).ok_or_else(damaged)?;
            let count = self.frame.size.block_columns() * self.frame.size.block_rows();
            self.luma = LowestCoefficients { blocks: vec![[0; COUNT]; count], steps };
        }
        let scan = Scan::new(self.frame, &self.tables, &header, pass)?;
        scan.decode(segment.rest, self.restart_interval, &mut self.luma.blocks)?;
        self.progress = progress;
        Ok(())
    }

    /// What a scan does to the coefficients, and what is known of them afterwards.
    fn pass(&self, header: &ScanHeader) -> Result<(Pass, Progress), FingerprintError> {
        let after = |bit| if bit == 0 { Progress::Complete } else { Progress::UpToBit(bit) };
        match (self.frame.coding, self.progress) {
            (Coding::Sequential, _) => Ok((Pass::Whole, Progress::Complete)),
            (Coding::Progressive, Progress::Nothing) if header.bit_before == 0 && header.bit <= 13 => {
                Ok((Pass::First { bit: header.bit }, after(header.bit)))
            }
            (Coding::Progressive, Progress::UpToBit(known))
                if header.bit_before == known && header.bit + 1 == known =>
            {
                Ok((Pass::Refinement { bit: header.bit }, after(header.bit)))
            }
            _ => Err(FingerprintError::undecodable("the scans are out of order")),
        }
    }

    fn finish(self) -> Result<LowestCoefficients<COUNT>, FingerprintError> {
        if self.progress == Progress::Nothing { Err(FingerprintError::truncated()) } else { Ok(self.luma) }
    }
}

pub(super) fn damaged() -> FingerprintError {
    FingerprintError::undecodable("the JPEG data is damaged")
}
