//! Luma of any size to 32 x 32, row by row: no plane is ever held.
//!
//! The arithmetic is that of Pillow's `resize((32, 32), BICUBIC)` on an 8-bit grey image: an antialiased
//! bicubic (a = -0.5), columns first, rounded to 8 bits between the two passes.

/// The side of the reduced picture in pixels; ISO 24138 asks for 32 x 32.
pub(super) const SIDE: usize = 32;

/// A picture of 32 x 32 luma values, row by row.
pub(super) type Reduced = [u8; SIDE * SIDE];

/// Takes the rows of a picture, top to bottom, and gives the picture of 32 x 32.
pub(super) struct Reducer {
    columns: Vec<Kernel<i16>>,
    rows: Vec<Kernel<i32>>,
    precision: Precision,
    sums: [[i32; SIDE]; SIDE],
    next_row: usize,
    height: usize,
}

impl Reducer {
    /// For the rows of a picture of `width` x `height` pixels.
    pub(super) fn of_pixels(width: u32, height: u32) -> Self {
        Self::new(width, height, 1, |columns| Precision { input: 0, columns, between: 0, rows: 22 })
    }

    /// For a picture of `width` x `height` pixels that comes as the means of its 8 x 8 blocks: rows of
    /// `width.div_ceil(8)` values, in eighths. Counts as the picture in which each block has its mean
    /// everywhere, so a block that the right or lower edge cuts has only the weight of its visible part.
    ///
    /// There are too few blocks for rounding errors to level out, so nothing is rounded on the way.
    pub(super) fn of_blocks(width: u32, height: u32) -> Self {
        Self::of_cells(width, height, 8)
    }

    /// The same for the quarters of the blocks, 4 x 4 pixels each.
    pub(super) fn of_quarters(width: u32, height: u32) -> Self {
        Self::of_cells(width, height, 4)
    }

    fn of_cells(width: u32, height: u32, side: usize) -> Self {
        Self::new(width, height, side, |columns| Precision {
            input: 3,
            columns: columns.min(19),
            between: 7,
            rows: 15,
        })
    }

    fn new(width: u32, height: u32, group: usize, precision: impl Fn(u32) -> Precision) -> Self {
        let across = bicubic(width, group);
        let largest = across.iter().flat_map(|kernel| &kernel.weights).fold(0.0, |a: f64, w| a.max(w.abs()));
        // 16-bit weights multiply twice as fast as 32-bit ones; Pillow's 22 bits fit from about 4100 pixels on.
        let fits = |bits: &u32| largest * f64::from(1_u32 << bits) < f64::from(i16::MAX);
        let precision = precision((8..=22).rev().find(fits).unwrap_or(8));
        let fixed = |kernel: &Kernel<f64>| kernel.to_fixed(precision.columns);
        Self {
            columns: across.iter().map(fixed).collect(),
            rows: bicubic(height, group).iter().map(|kernel| kernel.to_fixed(precision.rows)).collect(),
            precision,
            sums: [[0; SIDE]; SIDE],
            next_row: 0,
            height: (height as usize).div_ceil(group),
        }
    }

    /// Adds the next row. Values beyond the width are ignored; so are rows beyond the height.
    pub(super) fn push_row<Value: Copy + Into<i32>>(&mut self, luma: &[Value]) {
        let Precision { input, columns, between, .. } = self.precision;
        let mut reduced = [0; SIDE];
        for (value, kernel) in reduced.iter_mut().zip(&self.columns) {
            let luma = luma.get(kernel.first..).unwrap_or_default();
            let sum = luma.iter().zip(&kernel.weights).map(|(v, w)| (*v).into() * i32::from(*w)).sum();
            *value = round(sum, input + columns - between).clamp(0, 255 << between);
        }
        for (sums, kernel) in self.sums.iter_mut().zip(&self.rows) {
            let position = self.next_row.checked_sub(kernel.first);
            if let Some(weight) = position.and_then(|position| kernel.weights.get(position)) {
                for (sum, value) in sums.iter_mut().zip(reduced) {
                    *sum += weight * value;
                }
            }
        }
        self.next_row += 1;
    }

    /// The picture of 32 x 32; `None` when rows are missing.
    pub(super) fn finish(self) -> Option<Reduced> {
        if self.next_row < self.height {
            return None;
        }
        let mut picture = [0; SIDE * SIDE];
        for (pixel, sum) in picture.iter_mut().zip(self.sums.as_flattened()) {
            let value = round(*sum, self.precision.between + self.precision.rows);
            *pixel = u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX);
        }
        Some(picture)
    }
}

/// Fraction bits. Eight bits of luma, the input's or those between, the weights' and two for the overshoot
/// make 32 at most.
#[derive(Clone, Copy)]
struct Precision {
    /// Of the values of a row.
    input: u32,
    /// Of the column weights.
    columns: u32,
    /// Of the values between the two passes.
    between: u32,
    /// Of the row weights.
    rows: u32,
}

/// Takes the last `bits` bits away, rounding half up.
fn round(sum: i32, bits: u32) -> i32 {
    (sum + (1 << (bits - 1))) >> bits
}

/// Which input values make one output value, and how much each counts.
struct Kernel<Weight> {
    first: usize,
    weights: Vec<Weight>,
}

impl Kernel<f64> {
    fn to_fixed<Weight: TryFrom<i32> + Default>(&self, bits: u32) -> Kernel<Weight> {
        let one = f64::from(1_u32 << bits);
        #[expect(clippy::cast_possible_truncation, reason = "weights are within -1..=1, bits at most 22")]
        let fixed = |weight: &f64| Weight::try_from((weight * one).round() as i32).unwrap_or_default();
        Kernel { first: self.first, weights: self.weights.iter().map(fixed).collect() }
    }
}

/// The 32 kernels along an axis of `length` pixels that come in groups of `group` equal ones. Weights of one
/// kernel sum up to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "positions are within 0..=length, which is at most 65 535"
)]
fn bicubic(length: u32, group: usize) -> Vec<Kernel<f64>> {
    let scale = f64::from(length) / SIDE as f64;
    let filter_scale = scale.max(1.0);
    let support = 2.0 * filter_scale;
    (0..SIDE)
        .map(|out| {
            let centre = (out as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(length as usize);
            let first_group = first / group;
            let mut weights = vec![0.0; (end.max(first + 1) - 1) / group - first_group + 1];
            let mut total = 0.0;
            for position in first..end {
                let weight = bicubic_at((position as f64 - centre + 0.5) / filter_scale);
                total += weight;
                if let Some(sum) = weights.get_mut(position / group - first_group) {
                    *sum += weight;
                }
            }
            for weight in &mut weights {
                *weight /= total;
            }
            Kernel { first: first_group, weights }
        })
        .collect()
}

/// Keys' cubic convolution kernel with a = -0.5.
fn bicubic_at(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}
