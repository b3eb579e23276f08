//! Of a JPEG, the mean luma of each 8 x 8 block: what its DC coefficient says. All other coefficients are
//! passed over, nothing is transformed, and what is held is two bytes a block, a 32nd of the pixels.

use super::{
    FingerprintError, Size,
    huffman::{PLACES, Tables},
    reduce::{Reduced, Reducer},
    scan::{Pass, Scan, ScanHeader},
    segment::{Coding, DHT, DQT, DRI, Frame, SOS, Segment, Segments},
};

/// The means of the luma blocks of a picture.
pub(super) struct BlockMeans {
    size: Size,
    /// In eighths, row by row.
    means: Vec<i16>,
}

/// Reads the means out of a file. The first component must be the luma, and none of the others may be sampled
/// more finely.
///
/// A sequential file must have all its luma. Of a progressive one what follows the last scan of luma means
/// is not looked at.
pub(super) fn block_means(file: &[u8], frame: &Frame) -> Result<BlockMeans, FingerprintError> {
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

impl BlockMeans {
    /// The picture in 32 x 32 values.
    pub(super) fn reduced(&self) -> Result<Reduced, FingerprintError> {
        let mut reducer = Reducer::of_blocks(self.size.width, self.size.height);
        for row in self.means.chunks_exact(self.size.block_columns()) {
            reducer.push_row(row);
        }
        reducer.finish().ok_or_else(FingerprintError::truncated)
    }

    /// Whether `pixels`, row by row, can be the luma of the same picture: whether, on the average, the means
    /// of the blocks are not far apart. Blocks that the edges cut do not count.
    pub(super) fn agree_with(&self, pixels: &[u8]) -> bool {
        const MOST_APART: u64 = 8 * 8;
        let (mut blocks, mut apart) = (0, 0);
        let width = self.size.columns();
        let rows = pixels.chunks_exact(8 * width);
        for (means, rows) in self.means.chunks_exact(self.size.block_columns()).zip(rows) {
            let mut sums = vec![0_u16; width / 8];
            for row in rows.chunks_exact(width) {
                for (sum, part) in sums.iter_mut().zip(row.as_chunks::<8>().0) {
                    *sum += part.iter().copied().map(u16::from).sum::<u16>();
                }
            }
            for (mean, sum) in means.iter().zip(sums) {
                blocks += 1;
                apart += u64::from(mean.abs_diff((sum / 8).cast_signed()));
            }
        }
        apart <= blocks * MOST_APART
    }
}

struct Decoder<'a> {
    frame: &'a Frame,
    /// The divisor of the DC coefficient in each quantisation table.
    quantisation: [u16; PLACES],
    tables: Tables,
    /// In MCUs; 0 for none.
    restart_interval: u16,
    /// The DC coefficients of the luma, row by row, and their divisor.
    coefficients: Vec<i16>,
    divisor: u16,
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

impl<'a> Decoder<'a> {
    fn new(frame: &'a Frame) -> Self {
        Self {
            frame,
            quantisation: [0; PLACES],
            tables: Tables::default(),
            restart_interval: 0,
            coefficients: Vec::new(),
            divisor: 0,
            progress: Progress::Nothing,
        }
    }

    /// T.81, B.2.4.1.
    fn read_quantisation(&mut self, mut body: &[u8]) -> Result<(), FingerprintError> {
        while let [precision_and_place, high, low, ..] = body {
            let (length, divisor) = match precision_and_place >> 4 {
                0 => (65, u16::from(*high)),
                _ => (129, u16::from_be_bytes([*high, *low])),
            };
            let place = self.quantisation.get_mut(usize::from(precision_and_place & 15));
            *place.ok_or_else(damaged)? = divisor;
            body = body.get(length..).ok_or_else(damaged)?;
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
            self.divisor = place.copied().filter(|divisor| *divisor != 0).ok_or_else(damaged)?;
            self.coefficients = vec![0; self.frame.size.block_columns() * self.frame.size.block_rows()];
        }
        let scan = Scan::new(self.frame, &self.tables, &header, pass)?;
        scan.decode(segment.rest, self.restart_interval, &mut self.coefficients)?;
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

    fn finish(mut self) -> Result<BlockMeans, FingerprintError> {
        if self.progress == Progress::Nothing {
            return Err(FingerprintError::truncated());
        }
        for value in &mut self.coefficients {
            *value = mean(*value, self.divisor);
        }
        Ok(BlockMeans { size: self.frame.size, means: self.coefficients })
    }
}

/// The mean of a block in eighths: the DC coefficient is eight times the mean less 128 (T.81, A.3.3).
fn mean(coefficient: i16, divisor: u16) -> i16 {
    let mean = i32::from(coefficient) * i32::from(divisor) + 8 * 128;
    i16::try_from(mean.clamp(0, 8 * 255)).unwrap_or_default()
}

pub(super) fn damaged() -> FingerprintError {
    FingerprintError::undecodable("the JPEG data is damaged")
}
