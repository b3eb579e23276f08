//! Of a JPEG, the mean luma of each 8 x 8 block: what its DC coefficient says. What is held is two bytes a block, a 32nd
//! of the pixels.

use super::{
    FingerprintError, Size,
    coefficients::{LowestCoefficients, lowest_coefficients},
    reduce::{Reduced, Reducer},
    segment::Frame,
};

/// The means of the luma blocks of a picture.
pub(super) struct BlockMeans {
    size: Size,
    /// In eighths, row by row.
    means: Vec<i16>,
}

/// Reads the means out of a file, as [`lowest_coefficients`] does.
pub(super) fn block_means(file: &[u8], frame: &Frame) -> Result<BlockMeans, FingerprintError> {
    let LowestCoefficients { blocks, steps: [step] } = lowest_coefficients(file, frame)?;
    let means = blocks.into_iter().map(|[dc]| mean(dc, step)).collect();
    Ok(BlockMeans { size: frame.size, means })
}

/// The mean of a block in eighths: the DC coefficient is eight times the mean less 128 (T.81, A.3.3).
fn mean(dc: i16, step: u16) -> i16 {
    let mean = i32::from(dc) * i32::from(step) + 8 * 128;
    i16::try_from(mean.clamp(0, 8 * 255)).unwrap_or_default()
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
