//! Luma of a JPEG: of a large one the mean of each 8 x 8 block, of one of middle size four values a block, of any other
//! every pixel.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    FingerprintError, MAX_SIDE,
    dc::{BlockMeans, block_means},
    luma,
    orientation::Orientation,
    quarters::reduced_from_quarters,
    reduce::{Reduced, Reducer},
    segment::{APP0, APP1, APP14, Coding, Frame, SOS, Segments},
};

/// From this side on, in pixels, the means of the blocks stand for the pixels. Below it there are too few
/// blocks to a reduced pixel: at 2048 up to 6 of 256 bits of the fingerprint differ, at 512 up to 22.
const LEAST_SIDE_FOR_BLOCKS: u32 = 2048;

/// From this side on the quarters of the blocks do. Of a progressive file they would take several scans.
const LEAST_SIDE_FOR_QUARTERS: u32 = 1024;

/// As [`super::luma_32x32`].
pub(super) fn luma_32x32(bytes: &[u8]) -> Result<Reduced, FingerprintError> {
    let head = Head::read(bytes)?;
    let reduced = match head.source() {
        Source::Blocks => block_means(bytes, &head.frame)?.reduced()?,
        Source::Quarters => reduced_from_quarters(bytes, &head.frame)?,
        Source::Pixels => {
            let blocks = head.starts_with_luma().then(|| block_means(bytes, &head.frame)).transpose()?;
            luma_of_pixels(bytes, &head, blocks.as_ref())?
        }
    };
    Ok(head.orientation.upright(&reduced))
}

/// What of a picture is read.
enum Source {
    Blocks,
    Quarters,
    Pixels,
}

/// What the segments before the first scan say.
struct Head {
    frame: Frame,
    /// Whether the first scan has all components, so that rows of pixels come out as they are decoded.
    interleaved: bool,
    jfif: bool,
    /// The colour transform of the Adobe segment.
    adobe: Option<u8>,
    orientation: Orientation,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let (mut frame, mut jfif, mut adobe, mut orientation) = (None, false, None, None);
        for segment in Segments::of(bytes)? {
            match segment.marker {
                APP0 => jfif |= segment.body.starts_with(b"JFIF\0"),
                APP1 if segment.body.starts_with(b"Exif\0\0") => {
                    orientation.get_or_insert_with(|| Orientation::of_exif(segment.body));
                }
                APP14 if segment.body.starts_with(b"Adobe") => adobe = segment.body.get(11).copied(),
                SOS => {
                    let frame: Frame =
                        frame.ok_or_else(|| FingerprintError::undecodable("no frame header"))?;
                    let interleaved =
                        segment.body.first().copied().map(usize::from) == Some(frame.components.len());
                    let orientation = orientation.unwrap_or_default();
                    return Ok(Self { frame, interleaved, jfif, adobe, orientation });
                }
                marker if Frame::is_header(marker) => {
                    let before = frame.replace(Frame::parse(marker, segment.body)?);
                    if before.is_some() {
                        return Err(FingerprintError::undecodable("two frame headers"));
                    }
                }
                _ => {}
            }
        }
        Err(FingerprintError::truncated())
    }
}

impl Head {
    /// As little as is enough.
    fn source(&self) -> Source {
        let side = self.frame.size.width.min(self.frame.size.height);
        if !self.starts_with_luma() {
            Source::Pixels
        } else if side >= LEAST_SIDE_FOR_BLOCKS {
            Source::Blocks
        } else if side >= LEAST_SIDE_FOR_QUARTERS && self.frame.coding == Coding::Sequential {
            Source::Quarters
        } else {
            Source::Pixels
        }
    }

    /// Whether the first component is the luma, and the most finely sampled one. The rules are libjpeg's.
    fn starts_with_luma(&self) -> bool {
        match self.frame.components.as_slice() {
            [_] => true,
            [y, cb, cr] => {
                let is_rgb = !self.jfif
                    && match self.adobe {
                        Some(transform) => transform == 0,
                        None => [y.id, cb.id, cr.id] == *b"RGB",
                    };
                let finer = |a: (u8, u8), b: (u8, u8)| a.0 > b.0 || a.1 > b.1;
                !is_rgb && !finer(cb.sampling, y.sampling) && !finer(cr.sampling, y.sampling)
            }
            _ => false,
        }
    }
}

/// Decodes every pixel. What comes out is held against the means of the blocks, where they are known: of
/// scans with one component and of rare sampling factors the library makes noise and calls it a picture.
fn luma_of_pixels(
    bytes: &[u8],
    head: &Head,
    blocks: Option<&BlockMeans>,
) -> Result<Reduced, FingerprintError> {
    let size = head.frame.size;
    let rows_at_once = head.interleaved && head.frame.coding == Coding::Sequential;
    let coefficients = if rows_at_once { 0 } else { 2 * head.frame.components.len() as u64 };
    let limits = DecoderOptions::default().set_max_width(MAX_SIDE as usize).set_max_height(MAX_SIDE as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), limits);
    decoder.decode_headers().map_err(FingerprintError::undecodable)?;
    let colour = match decoder.input_colorspace() {
        Some(ColorSpace::Luma | ColorSpace::YCbCr) => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    size.within_budget(2 * (coefficients + colour.num_components() as u64))?;
    decoder.set_options(limits.jpeg_set_out_colorspace(colour));
    let mut pixels = decoder.decode().map_err(FingerprintError::undecodable)?;
    if colour == ColorSpace::RGB {
        pixels = pixels.as_chunks().0.iter().map(|pixel| luma(*pixel)).collect();
    }
    if let Some(blocks) = blocks
        && !blocks.agree_with(&pixels)
    {
        return blocks.reduced();
    }
    let mut reducer = Reducer::of_pixels(size.width, size.height);
    pixels.chunks_exact(size.columns()).for_each(|row| reducer.push_row(row));
    reducer.finish().ok_or_else(FingerprintError::truncated)
}

#[cfg(test)]
pub(super) mod tests {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::{super::samples::sample, *};

    /// A JPEG of grey or RGB samples.
    pub(in super::super) fn encoded(
        width: u32,
        height: u32,
        samples: &[u8],
        adjust: impl Fn(&mut Encoder<&mut Vec<u8>>),
    ) -> Vec<u8> {
        let grey = samples.len() == (width * height) as usize;
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 85);
        adjust(&mut encoder);
        let colour = if grey { ColorType::Luma } else { ColorType::Rgb };
        encoder.encode(samples, width.try_into().unwrap(), height.try_into().unwrap(), colour).unwrap();
        file
    }

    fn picture(width: u32, height: u32, channels: u32) -> Vec<u8> {
        let value = |x, y, c| (x * (c + 1) / 3 + y / (c + 1) + (x * y / 211) % 60 * c) % 200 + 20;
        (0..height)
            .flat_map(|y| {
                (0..width).flat_map(move |x| (0..channels).map(move |c| value(x, y, c).to_le_bytes()[0]))
            })
            .collect()
    }

    fn by_blocks(file: &[u8]) -> Result<Reduced, FingerprintError> {
        block_means(file, &Head::read(file)?.frame)?.reduced()
    }

    /// The means of the blocks of the luma of grey or RGB samples, reduced. Both sides are multiples of 8.
    fn by_means_of_pixels(width: u32, height: u32, samples: &[u8]) -> Reduced {
        let grey: Vec<u8> = if samples.len() == (width * height) as usize {
            samples.to_vec()
        } else {
            samples.as_chunks().0.iter().map(|pixel| luma(*pixel)).collect()
        };
        let columns = width as usize;
        let mut reducer = Reducer::of_blocks(width, height);
        for rows in grey.chunks_exact(8 * columns) {
            let block = |x: usize| rows.chunks_exact(columns).flat_map(move |row| &row[x..x + 8]);
            let mean = |x| (block(x).map(|v| i16::from(*v)).sum::<i16>() + 4) / 8;
            reducer.push_row(&(0..columns).step_by(8).map(mean).collect::<Vec<_>>());
        }
        reducer.finish().unwrap()
    }

    fn furthest(a: &Reduced, b: &Reduced) -> u8 {
        a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn block_means_are_those_of_the_pixels_in_every_coding() {
        let samples = picture(312, 264, 3);
        let expected = by_means_of_pixels(312, 264, &samples);
        for sampling in [
            SamplingFactor::F_1_1,
            SamplingFactor::F_2_1,
            SamplingFactor::F_1_2,
            SamplingFactor::F_2_2,
            SamplingFactor::F_4_1,
            SamplingFactor::F_4_2,
        ] {
            for progressive in [false, true] {
                for restart_interval in [0, 1, 7] {
                    // The sides are not whole numbers of MCUs; optimised tables come with a scan for each
                    // component.
                    let file = encoded(312, 264, &samples, |encoder| {
                        encoder.set_sampling_factor(sampling);
                        encoder.set_progressive(progressive);
                        encoder.set_restart_interval(restart_interval);
                        encoder.set_optimized_huffman_tables(restart_interval == 7);
                    });
                    let apart = furthest(&by_blocks(&file).unwrap(), &expected);
                    assert!(apart <= 2, "{sampling:?} {progressive} {restart_interval}: {apart}");
                    // And the library's pixels are not believed where they are noise.
                    let apart = furthest(&luma_32x32(&file).unwrap(), &expected);
                    assert!(apart <= 20, "{sampling:?} {progressive} {restart_interval}: {apart}");
                }
            }
        }
    }

    #[test]
    fn quarters_come_to_the_pixels() {
        let samples = picture(632, 531, 3);
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_2_2] {
            for restart_interval in [0, 1, 7] {
                let file = encoded(632, 531, &samples, |encoder| {
                    encoder.set_sampling_factor(sampling);
                    encoder.set_restart_interval(restart_interval);
                });
                let head = Head::read(&file).unwrap();
                let pixels = luma_of_pixels(&file, &head, None).unwrap();
                let quarters = reduced_from_quarters(&file, &head.frame).unwrap();
                let apart = furthest(&quarters, &pixels);
                assert!(apart <= 2, "{sampling:?} {restart_interval}: {apart}");
            }
        }
    }

    #[test]
    fn every_quality_is_passed_over_alike() {
        let noise: Vec<u8> =
            (0..256 * 256_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for samples in [picture(256, 256, 1), noise] {
            let expected = by_means_of_pixels(256, 256, &samples);
            for (quality, tolerance) in [(10, 12), (50, 4), (90, 2), (100, 2)] {
                let file = encoded(256, 256, &samples, |encoder| encoder.set_quality(quality));
                let apart = furthest(&by_blocks(&file).unwrap(), &expected);
                assert!(apart <= tolerance, "quality {quality}: {apart}");
            }
        }
    }

    #[test]
    fn successive_approximation_comes_to_the_pixels() {
        let file = sample("progressive.jpg").file;
        let head = Head::read(file).unwrap();
        let blocks = block_means(file, &head.frame).unwrap();
        let pixels = luma_of_pixels(file, &head, None).unwrap();
        assert_eq!(luma_of_pixels(file, &head, Some(&blocks)).unwrap(), pixels);
        let apart: u32 =
            pixels.iter().zip(blocks.reduced().unwrap()).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
        assert!(apart < 1024 * 16, "{apart}");
    }

    #[test]
    fn fill_bytes_and_bytes_after_the_end_do_not_matter() {
        let file = encoded(312, 264, &picture(312, 264, 3), |encoder| encoder.set_restart_interval(3));
        let mut filled = Vec::new();
        for (index, byte) in file.iter().enumerate() {
            let next = file.get(index + 1).copied().unwrap_or_default();
            if *byte == 0xff && (0xd0..=0xd7).contains(&next) {
                filled.extend([0xff, 0xff]);
            }
            filled.push(*byte);
        }
        filled.extend(b"after the end");
        assert!(filled.len() > file.len() + 100);
        assert_eq!(by_blocks(&filled).unwrap(), by_blocks(&file).unwrap());
    }

    #[test]
    fn a_file_without_all_its_luma_is_an_error() {
        for progressive in [false, true] {
            let file = encoded(312, 264, &picture(312, 264, 3), |encoder| {
                encoder.set_progressive(progressive);
                encoder.set_restart_interval(5);
            });
            let scan = file.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
            for length in 0..scan + 300 {
                assert!(by_blocks(&file[..length]).is_err(), "{length} bytes");
            }
        }
        let file = encoded(312, 264, &picture(312, 264, 1), |_| {});
        for length in (0..file.len() - 4).step_by(37).chain([file.len() - 4]) {
            assert!(by_blocks(&file[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn damage_does_not_panic() {
        let whole = encoded(312, 264, &picture(312, 264, 3), |encoder| encoder.set_restart_interval(5));
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 16).unwrap() % below
        };
        for file in [&whole, sample("progressive.jpg").file] {
            for round in 0..500 {
                let mut damaged = file.to_vec();
                // Half of the damage goes into the headers.
                let reach = if round % 2 == 0 { 700 } else { file.len() };
                for _ in 0..=random(3) {
                    damaged[random(reach)] = random(256).to_le_bytes()[0];
                }
                drop(by_blocks(&damaged));
                if let Ok(head) = Head::read(&damaged) {
                    drop(reduced_from_quarters(&damaged, &head.frame));
                }
            }
        }
    }
}
