//! Of a JPEG, the mean luma of each 8 x 8 block: what its DC coefficient says. All other coefficients are
//! passed over, nothing is transformed, and what is held is two bytes a block, a 32nd of the pixels.

use super::{
    FingerprintError, Size,
    bits::BitReader,
    huffman::{AcCodes, Class, Codes, Table},
    reduce::{Reduced, Reducer},
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
            DHT => decoder.read_huffman(segment.body)?,
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
        for row in self.means.chunks_exact(self.columns()) {
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
        for (means, rows) in self.means.chunks_exact(self.columns()).zip(rows) {
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

    fn columns(&self) -> usize {
        self.size.columns().div_ceil(8)
    }
}

struct Decoder<'a> {
    frame: &'a Frame,
    /// The divisor of the DC coefficient in each quantisation table.
    quantisation: [u16; PLACES],
    dc: [Option<Table>; PLACES],
    ac: [Option<Table>; PLACES],
    /// In MCUs; 0 for none.
    restart_interval: u16,
    columns: usize,
    rows: usize,
    /// The DC coefficients of the luma, row by row, and their divisor.
    coefficients: Vec<i16>,
    divisor: u16,
    progress: Progress,
}

/// Places for tables of each kind.
const PLACES: usize = 4;

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
        let columns = frame.size.columns().div_ceil(8);
        let rows = frame.size.rows().div_ceil(8);
        Self {
            frame,
            quantisation: [0; PLACES],
            dc: [const { None }; PLACES],
            ac: [const { None }; PLACES],
            restart_interval: 0,
            columns,
            rows,
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

    fn read_huffman(&mut self, mut body: &[u8]) -> Result<(), FingerprintError> {
        while !body.is_empty() {
            let (class, place, table, rest) = Table::parse(body)?;
            let tables = match class {
                Class::Dc => &mut self.dc,
                Class::Ac => &mut self.ac,
            };
            *tables.get_mut(place).ok_or_else(damaged)? = Some(table);
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
            self.divisor = place.copied().filter(|divisor| *divisor != 0).ok_or_else(damaged)?;
            self.coefficients = vec![0; self.columns * self.rows];
        }
        let scan = Scan::new(self, &header, pass)?;
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

/// T.81, B.2.3.
struct ScanHeader {
    /// Id, and places of the tables: DC in the high, AC in the low four bits.
    components: Vec<(u8, u8)>,
    first_coefficient: u8,
    /// Successive approximation: the lowest bit known before, and after.
    bit_before: u8,
    bit: u8,
}

impl ScanHeader {
    fn parse(body: &[u8]) -> Option<Self> {
        let (count, rest) = body.split_first()?;
        let (components, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let [first_coefficient, _, bits, ..] = rest else { return None };
        (1..=4).contains(count).then(|| Self {
            components: components.as_chunks().0.iter().map(|[id, places]| (*id, *places)).collect(),
            first_coefficient: *first_coefficient,
            bit_before: bits >> 4,
            bit: bits & 15,
        })
    }
}

/// What a scan does.
#[derive(Clone, Copy)]
enum Pass {
    /// All coefficients of each block.
    Whole,
    /// The DC coefficients without their lowest bits.
    First { bit: u8 },
    /// One more bit of the DC coefficients.
    Refinement { bit: u8 },
}

/// A scan ready to be decoded.
struct Scan {
    pass: Pass,
    components: Vec<ScanComponent>,
    /// The blocks of an MCU in their order.
    blocks: Vec<McuBlock>,
    /// Luma blocks across and down an MCU.
    luma_sampling: (usize, usize),
    /// Size of the picture in luma blocks.
    columns: usize,
    rows: usize,
}

struct ScanComponent {
    dc: Option<Codes>,
    ac: Option<AcCodes>,
}

struct McuBlock {
    component: usize,
    /// Where a luma block lies in its MCU.
    luma: Option<(usize, usize)>,
}

/// T.81, B.2.3: the sum of the sampling factors in a scan.
const MOST_BLOCKS: usize = 10;

impl Scan {
    fn new(decoder: &Decoder<'_>, header: &ScanHeader, pass: Pass) -> Result<Self, FingerprintError> {
        let interleaved = header.components.len() > 1;
        let mut scan = Self {
            pass,
            components: Vec::new(),
            blocks: Vec::new(),
            luma_sampling: (1, 1),
            columns: decoder.columns,
            rows: decoder.rows,
        };
        for (index, (id, places)) in header.components.iter().enumerate() {
            let mut all = decoder.frame.components.iter();
            let position = all.position(|component| component.id == *id).ok_or_else(damaged)?;
            let sampling = decoder.frame.components.get(position).ok_or_else(damaged)?.sampling;
            let (across, down) = if interleaved { sampling } else { (1, 1) };
            let is_luma = position == 0;
            if is_luma {
                scan.luma_sampling = (across.into(), down.into());
            }
            for y in 0..usize::from(down) {
                for x in 0..usize::from(across) {
                    scan.blocks.push(McuBlock { component: index, luma: is_luma.then_some((x, y)) });
                }
            }
            scan.components.push(ScanComponent::new(decoder, pass, *places)?);
        }
        if scan.blocks.len() > MOST_BLOCKS {
            return Err(damaged());
        }
        Ok(scan)
    }

    fn decode(
        &self,
        entropy_coded: &[u8],
        restart_interval: u16,
        coefficients: &mut [i16],
    ) -> Result<(), FingerprintError> {
        let mut bits = BitReader::new(entropy_coded);
        let mut prediction = 0;
        let mut until_restart = restart_interval;
        let (across, down) = self.luma_sampling;
        for top in (0..self.rows).step_by(down) {
            for left in (0..self.columns).step_by(across) {
                if restart_interval != 0 {
                    if until_restart == 0 {
                        if !bits.restart() {
                            return Err(FingerprintError::truncated());
                        }
                        prediction = 0;
                        until_restart = restart_interval;
                    }
                    until_restart -= 1;
                }
                self.decode_mcu(&mut bits, &mut prediction, (left, top), coefficients).ok_or_else(damaged)?;
                if bits.ran_dry() {
                    return Err(FingerprintError::truncated());
                }
            }
        }
        Ok(())
    }

    /// `None` when a code is none.
    #[inline(always)]
    fn decode_mcu(
        &self,
        bits: &mut BitReader<'_>,
        prediction: &mut i32,
        (left, top): (usize, usize),
        coefficients: &mut [i16],
    ) -> Option<()> {
        for block in &self.blocks {
            let component = self.components.get(block.component)?;
            // Blocks beyond the edge fill up the last MCU; they are decoded and dropped.
            let coefficient = block
                .luma
                .map(|(x, y)| (left + x, top + y))
                .filter(|(x, y)| *x < self.columns && *y < self.rows)
                .and_then(|(x, y)| coefficients.get_mut(y * self.columns + x));
            bits.refill();
            match self.pass {
                Pass::Whole => {
                    let difference = component.difference(bits)?;
                    if block.luma.is_some() {
                        *prediction = prediction.wrapping_add(difference);
                    }
                    store(coefficient, *prediction);
                    component.ac.as_ref()?.skip_block(bits)?;
                }
                Pass::First { bit } => {
                    let difference = component.difference(bits)?;
                    if block.luma.is_some() {
                        *prediction = prediction.wrapping_add(difference);
                    }
                    store(coefficient, prediction.wrapping_shl(bit.into()));
                }
                Pass::Refinement { bit } => {
                    let refined = bits.take(1).cast_signed() << bit;
                    if let Some(coefficient) = coefficient {
                        *coefficient |= refined;
                    }
                }
            }
        }
        Some(())
    }
}

fn store(coefficient: Option<&mut i16>, value: i32) {
    if let Some(coefficient) = coefficient {
        *coefficient = i16::try_from(value).unwrap_or_default();
    }
}

impl ScanComponent {
    fn new(decoder: &Decoder<'_>, pass: Pass, places: u8) -> Result<Self, FingerprintError> {
        let dc = decoder.dc.get(usize::from(places >> 4)).and_then(Option::as_ref);
        let ac = decoder.ac.get(usize::from(places & 15)).and_then(Option::as_ref);
        let needed = |table: Option<&Table>| table.cloned().ok_or_else(damaged);
        Ok(match pass {
            Pass::Whole => Self { dc: Some(Codes::of(&needed(dc)?)), ac: Some(AcCodes::of(&needed(ac)?)) },
            Pass::First { .. } => Self { dc: Some(Codes::of(&needed(dc)?)), ac: None },
            Pass::Refinement { .. } => Self { dc: None, ac: None },
        })
    }

    /// The difference to the DC coefficient before (T.81, F.2.2.1); `None` when a code is none.
    #[inline(always)]
    fn difference(&self, bits: &mut BitReader<'_>) -> Option<i32> {
        let length = u32::from(self.dc.as_ref()?.decode(bits)?);
        if length == 0 {
            return Some(0);
        }
        if length > 15 {
            return None;
        }
        let value = i32::from(bits.take(length));
        let negative = value < 1 << (length - 1);
        Some(if negative { value - (1 << length) + 1 } else { value })
    }
}

fn damaged() -> FingerprintError {
    FingerprintError::undecodable("the JPEG data is damaged")
}
