//! One scan of a JPEG (ITU-T T.81, B.2.3 and F.2), as far as the lowest coefficients of the luma go.

use super::{
    FingerprintError,
    bits::BitReader,
    coefficients::damaged,
    huffman::{AcCodes, Codes, Tables},
    segment::Frame,
};

/// T.81, B.2.3.
pub(super) struct ScanHeader {
    /// Id, and places of the tables: DC in the high, AC in the low four bits.
    pub(super) components: Vec<(u8, u8)>,
    pub(super) first_coefficient: u8,
    /// Successive approximation: the lowest bit known before, and after.
    pub(super) bit_before: u8,
    pub(super) bit: u8,
}

impl ScanHeader {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
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
pub(super) enum Pass {
    /// All coefficients of each block, from the DC coefficient to the last.
    Whole,
    /// The DC coefficients without their lowest bits.
    First { bit: u8 },
    /// One more bit of the DC coefficients.
    Refinement { bit: u8 },
}

/// A scan ready to be decoded.
pub(super) struct Scan {
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
    /// # Errors
    /// When the scan names components or tables that are not there, or too many blocks.
    pub(super) fn new(
        frame: &Frame,
        tables: &Tables,
        header: &ScanHeader,
        pass: Pass,
    ) -> Result<Self, FingerprintError> {
        let interleaved = header.components.len() > 1;
        let mut scan = Self {
            pass,
            components: Vec::new(),
            blocks: Vec::new(),
            luma_sampling: (1, 1),
            columns: frame.size.block_columns(),
            rows: frame.size.block_rows(),
        };
        for (index, (id, places)) in header.components.iter().enumerate() {
            let mut all = frame.components.iter();
            let position = all.position(|component| component.id == *id).ok_or_else(damaged)?;
            let sampling = frame.components.get(position).ok_or_else(damaged)?.sampling;
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
            scan.components.push(ScanComponent::new(tables, pass, *places)?);
        }
        if scan.blocks.len() > MOST_BLOCKS {
            return Err(damaged());
        }
        Ok(scan)
    }

    /// Fills in the lowest coefficients of the luma's blocks, row by row: `COUNT` of them in zigzag order, of which more
    /// than the first are only in a scan of whole blocks.
    ///
    /// # Errors
    /// When a code is none, or the data ends before the picture.
    pub(super) fn decode<const COUNT: usize>(
        &self,
        entropy_coded: &[u8],
        restart_interval: u16,
        coefficients: &mut [[i16; COUNT]],
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
    fn decode_mcu<const COUNT: usize>(
        &self,
        bits: &mut BitReader<'_>,
        prediction: &mut i32,
        (left, top): (usize, usize),
        coefficients: &mut [[i16; COUNT]],
    ) -> Option<()> {
        for block in &self.blocks {
            let component = self.components.get(block.component)?;
            // Blocks beyond the edge fill up the last MCU; they are decoded and dropped.
            let lowest = block
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
                    let ac = component.ac.as_ref()?;
                    match lowest {
                        Some(lowest) => {
                            set_dc(lowest, *prediction);
                            ac.read_lowest(bits, lowest)?;
                        }
                        None => ac.pass_over(bits, 1)?,
                    }
                }
                Pass::First { bit } => {
                    let difference = component.difference(bits)?;
                    if block.luma.is_some() {
                        *prediction = prediction.wrapping_add(difference);
                    }
                    if let Some(lowest) = lowest {
                        set_dc(lowest, prediction.wrapping_shl(bit.into()));
                    }
                }
                Pass::Refinement { bit } => {
                    let refined = bits.take(1).cast_signed() << bit;
                    if let Some([dc, ..]) = lowest.map(|lowest| &mut lowest[..]) {
                        *dc |= refined;
                    }
                }
            }
        }
        Some(())
    }
}

fn set_dc(lowest: &mut [i16], value: i32) {
    if let [dc, ..] = lowest {
        *dc = i16::try_from(value).unwrap_or_default();
    }
}

impl ScanComponent {
    fn new(tables: &Tables, pass: Pass, places: u8) -> Result<Self, FingerprintError> {
        let dc = || tables.dc(places >> 4).ok_or_else(damaged);
        let ac = || tables.ac(places & 15).ok_or_else(damaged);
        Ok(match pass {
            Pass::Whole => Self { dc: Some(Codes::of(dc()?)), ac: Some(AcCodes::of(ac()?)) },
            Pass::First { .. } => Self { dc: Some(Codes::of(dc()?)), ac: None },
            Pass::Refinement { .. } => Self { dc: None, ac: None },
        })
    }

    /// The difference to the DC coefficient before (T.81, F.2.2.1); `None` when a code is none.
    #[inline(always)]
    fn difference(&self, bits: &mut BitReader<'_>) -> Option<i32> {
        let length = u32::from(self.dc.as_ref()?.decode(bits)?);
        (length <= 15).then(|| bits.take_number(length))
    }
}
