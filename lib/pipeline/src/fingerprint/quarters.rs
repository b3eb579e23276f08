//! Of a JPEG, the luma of each quarter of an 8 x 8 block, 4 x 4 pixels, as four of the block's 64 coefficients say it.

use super::{
    FingerprintError,
    coefficients::{LowestCoefficients, lowest_coefficients},
    reduce::{Reduced, Reducer},
    segment::Frame,
};

/// Coefficients that are read: the DC coefficient, the lowest one across, the lowest one down, the second one down, which
/// is not used, and the one that is the lowest in both directions (T.81, figure A.6).
const READ: usize = 5;

/// The picture in 32 x 32 values. The file is sequential; as for [`lowest_coefficients`].
///
/// A reduced pixel weighs the pixels of a block by weights that are nearly linear across it. So the two halves of a block
/// are given the values that have the same weighted sum as the lowest cosine, which is 1.26 times its means. Of the third
/// cosine a tenth of that would arrive in the sum, of the second nothing.
pub(super) fn reduced_from_quarters(file: &[u8], frame: &Frame) -> Result<Reduced, FingerprintError> {
    let LowestCoefficients::<READ> { blocks, steps } = lowest_coefficients(file, frame)?;
    let mut reducer = Reducer::of_quarters(frame.size.width, frame.size.height);
    let columns = 2 * frame.size.block_columns();
    let (mut upper, mut lower) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
    for row in blocks.chunks_exact(frame.size.block_columns()) {
        for block in row {
            let [[upper_left, upper_right], [lower_left, lower_right]] = quarters(block, &steps);
            upper.extend([upper_left, upper_right]);
            lower.extend([lower_left, lower_right]);
        }
        reducer.push_row(&upper);
        reducer.push_row(&lower);
        upper.clear();
        lower.clear();
    }
    reducer.finish().ok_or_else(FingerprintError::truncated)
}

/// The values of the quarters in eighths.
fn quarters(block: &[i16; READ], steps: &[u16; READ]) -> [[i16; 2]; 2] {
    // The weighted sum of cos((2x + 1) pi / 16) over the half of a block in which it is positive, with weights that
    // fall linearly to 0 at its middle, is 0.80529 of that of ones; the factors of T.81, A.3.3, and eighths come on top:
    // 8 / 4 / sqrt(2) for one direction, 8 / 4 for both. In 1024ths.
    const ONE_DIRECTION: i64 = 1166;
    const BOTH: i64 = 1328;
    let mut values = block.iter().zip(steps).map(|(value, step)| i64::from(*value) * i64::from(*step));
    let [dc, across, down, _, both]: [i64; READ] = std::array::from_fn(|_| values.next().unwrap_or_default());
    let mean = (dc + 8 * 128) * 1024;
    let (across, down, both) = (across * ONE_DIRECTION, down * ONE_DIRECTION, both * BOTH);
    let value = |sum: i64| i16::try_from(((sum + 512) >> 10).clamp(0, 8 * 255)).unwrap_or_default();
    [
        [value(mean + across + down + both), value(mean - across + down - both)],
        [value(mean + across - down - both), value(mean - across - down + both)],
    ]
}
