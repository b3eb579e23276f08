//! Tests of the fingerprint as a whole.

use ::png::{BitDepth, ColorType, Compression, Encoder};

use super::{
    samples::{SAMPLES, Sample, sample},
    *,
};

/// 32 x 32 values of a formula of column and row.
fn luma_of(value: impl Fn(u32, u32) -> u32) -> [u8; 1024] {
    let mut luma = [0; 1024];
    for (index, pixel) in (0_u32..).zip(&mut luma) {
        *pixel = u8::try_from(value(index % 32, index / 32) % 256).unwrap();
    }
    luma
}

fn noise() -> [u8; 1024] {
    let mut state = 1_u32;
    let mut luma = [0; 1024];
    for pixel in &mut luma {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *pixel = state.to_be_bytes()[0];
    }
    luma
}

/// What `iscc_core.gen_image_code_v0(luma, 256)` (iscc-core 1.5.0) gives.
#[test]
fn the_image_code_is_that_of_iscc_core() {
    let disc = |x: u32, y: u32| {
        if x.abs_diff(11).pow(2) + y.abs_diff(20).pow(2) < 70 { 220 } else { 35 }
    };
    for (luma, code) in [
        (
            luma_of(|x, y| x * x + 3 * y * y + x * y),
            "ISCC:EEDY6DQPAYHBPPR6MF5W4IDKN5UGS7HY7BYECC4HH3HERSW2RKNJ4NQ",
        ),
        (noise(), "ISCC:EED4TFCRL3A626FD5R7YHCKMDMY5CPNGJIO5U2QOFPTTANBR5G44I5I"),
        (luma_of(disc), "ISCC:EED4CPR6ZETMOOB2X5EEQN6JZATTPWOGYY5JSOOGHD4UJRB7ZDMEMOY"),
        (luma_of(|x, y| 4 * x + 3 * y), "ISCC:EEDYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        (luma_of(|_, _| 128), "ISCC:EEDYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        assert_eq!(Fingerprint::of_luma(&luma).unwrap().to_string(), code);
    }
}

/// What `iscc_core.encode_seq` gives for the code of the noise.
#[test]
fn the_soft_binding_value_is_an_iscc_seq() {
    let value = Fingerprint::of_luma(&noise()).unwrap().soft_binding_value();
    let expected = "2107c994515ec1ed78a3ec7f83894c1b31d13da64a1dda6a0e2be7303431e9b9c475";
    assert_eq!(value.map(|byte| format!("{byte:02x}")).concat(), expected);
}

#[test]
fn only_the_canonical_text_is_a_fingerprint() {
    let code = "ISCC:EED4TFCRL3A626FD5R7YHCKMDMY5CPNGJIO5U2QOFPTTANBR5G44I5I";
    assert_eq!(code.parse::<Fingerprint>().unwrap().to_string(), code);
    for bad in [
        "",
        "ISCC:",
        &code[5..],
        &code[..code.len() - 1],
        &format!("{code}A"),
        &code.to_lowercase(),
        // A 64-bit Image-Code, and a 256-bit Text-Code.
        "ISCC:EEA4TFCRL3A626FD",
        "ISCC:EADTFCRL3A626FD5R7YHCKMDMY5CPNGJIO5U2QOFPTTANBR5G44I5IA",
        // The same code with a bit set that base32 does not use.
        "ISCC:EED4TFCRL3A626FD5R7YHCKMDMY5CPNGJIO5U2QOFPTTANBR5G44I5J",
    ] {
        assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
    }
}

#[test]
fn distance_counts_bits() {
    let noise = Fingerprint::of_luma(&noise()).unwrap();
    let flat = Fingerprint::of_luma(&[128; 1024]).unwrap();
    assert_eq!(noise.distance(&noise), 0);
    let ones: u32 = noise.0.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(flat.0.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    assert!(noise.distance(&flat).abs_diff(ones) <= 1);
    assert_eq!(noise.distance(&flat), flat.distance(&noise));
}

#[test]
fn every_coding_has_the_code_of_the_reference() {
    for Sample { name, format, file, code } in SAMPLES {
        let ours = Fingerprint::of_image(file, format).unwrap();
        let distance = ours.distance(&code.parse().unwrap());
        assert!(distance <= 8, "{name}: {distance} bits differ");
    }
}

/// Grey of a made picture: gradients, a wave and a disc.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=255 by its terms")]
fn grey_at(x: u32, y: u32, width: u32, height: u32) -> u8 {
    let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
    let wave = 30.0 * (u * 17.0 + v * v * 23.0).sin() + 14.0 * (v * 41.0 - u * u * 31.0).cos();
    let disc = if (u - 0.3).powi(2) + (v - 0.6).powi(2) < 0.03 { 50.0 } else { 0.0 };
    (60.0 + 60.0 * u + 20.0 * v * v + wave + disc) as u8
}

fn grey(width: u32, height: u32) -> Vec<u8> {
    (0..height).flat_map(|y| (0..width).map(move |x| grey_at(x, y, width, height))).collect()
}

fn png(width: u32, height: u32, colour: ColorType, depth: BitDepth, samples: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [name, body].concat();
    let crc = crc32fast::hash(&named).to_be_bytes();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &named, &crc].concat()
}

/// An 8-bit grey PNG header with the given size and interlacing.
fn png_header(width: u32, height: u32, interlace: u8) -> Vec<u8> {
    let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
    let body = [&width[..], &height, &[8, 0, 0, 0, interlace]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &body)].concat()
}

fn interlaced_png(width: u32, height: u32, samples: &[u8]) -> Vec<u8> {
    let mut rows = Vec::new();
    for (left, top, across, down) in
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    {
        for row in samples.chunks_exact(width as usize).skip(top).step_by(down) {
            rows.push(0);
            rows.extend(row.iter().skip(left).step_by(across));
        }
    }
    let data = chunk(b"IDAT", &fdeflate::compress_to_vec(&rows));
    [png_header(width, height, 1), data, chunk(b"IEND", b"")].concat()
}

#[test]
fn the_way_a_png_is_stored_does_not_matter() {
    let (width, height) = (333, 217);
    let samples = grey(width, height);
    let plain = png(width, height, ColorType::Grayscale, BitDepth::Eight, &samples);
    let expected = luma_32x32(&plain, Format::Png).unwrap();
    let each = |make: fn(u8) -> Vec<u8>| samples.iter().copied().flat_map(make).collect::<Vec<_>>();
    for (kind, file) in [
        ("interlaced", interlaced_png(width, height, &samples)),
        ("RGB", png(width, height, ColorType::Rgb, BitDepth::Eight, &each(|v| vec![v; 3]))),
        ("RGBA", png(width, height, ColorType::Rgba, BitDepth::Eight, &each(|v| vec![v, v, v, 255]))),
        (
            "alpha",
            png(width, height, ColorType::GrayscaleAlpha, BitDepth::Eight, &each(|v| vec![0, 255 - v])),
        ),
        ("16 bits", png(width, height, ColorType::Grayscale, BitDepth::Sixteen, &each(|v| vec![v, 255 - v]))),
    ] {
        assert_eq!(luma_32x32(&file, Format::Png).unwrap(), expected, "{kind}");
    }
}

#[test]
fn exif_turns_a_png_wherever_it_stands() {
    let (width, height) = (90, 64);
    let plain = png(width, height, ColorType::Grayscale, BitDepth::Eight, &grey(width, height));
    let exif = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0");
    let mut upside_down = luma_32x32(&plain, Format::Png).unwrap();
    upside_down.reverse();
    for at in [33, plain.len() - 12] {
        let file = [&plain[..at], &exif, &plain[at..]].concat();
        assert_eq!(luma_32x32(&file, Format::Png).unwrap(), upside_down, "at byte {at}");
    }
}

#[test]
fn a_lossless_webp_has_the_code_of_the_png() {
    let (width, height) = (201, 143);
    let samples = grey(width, height);
    let expected =
        luma_32x32(&png(width, height, ColorType::Grayscale, BitDepth::Eight, &samples), Format::Png)
            .unwrap();
    for (colour, pixels) in [
        (image_webp::ColorType::L8, samples.clone()),
        (image_webp::ColorType::Rgb8, samples.iter().flat_map(|v| [*v; 3]).collect()),
        (image_webp::ColorType::Rgba8, samples.iter().flat_map(|v| [0, 0, 0, 255 - v]).collect()),
    ] {
        let mut file = Vec::new();
        image_webp::WebPEncoder::new(&mut file).encode(&pixels, width, height, colour).unwrap();
        assert_eq!(luma_32x32(&file, Format::WebP).unwrap(), expected, "{colour:?}");
    }
}

#[test]
fn a_large_jpeg_has_the_code_of_its_pixels() {
    let (width, height) = (2051, 2049);
    let samples = grey(width, height);
    let expected =
        luma_32x32(&png(width, height, ColorType::Grayscale, BitDepth::Eight, &samples), Format::Png)
            .unwrap();
    let colour: Vec<u8> = samples.iter().flat_map(|v| [*v, v.saturating_add(9), v / 2]).collect();
    let colour_luma: Vec<u8> = colour.as_chunks().0.iter().map(|pixel| luma(*pixel)).collect();
    let expected_colour =
        luma_32x32(&png(width, height, ColorType::Grayscale, BitDepth::Eight, &colour_luma), Format::Png)
            .unwrap();
    for (jpeg, expected) in [
        (jpeg::tests::encoded(width, height, &samples, |_| {}), expected),
        (jpeg::tests::encoded(width, height, &colour, |e| e.set_progressive(true)), expected_colour),
    ] {
        let ours = luma_32x32(&jpeg, Format::Jpeg).unwrap();
        let distance =
            Fingerprint::of_luma(&ours).unwrap().distance(&Fingerprint::of_luma(&expected).unwrap());
        assert!(distance <= 8, "{distance} bits differ");
        let furthest = ours.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
        assert!(furthest <= Some(2), "{furthest:?}");
    }
}

#[test]
fn what_is_cut_off_or_damaged_is_an_error_or_a_code_but_no_panic() {
    for Sample { format, file, .. } in SAMPLES {
        for length in (0..file.len()).step_by(3) {
            drop(Fingerprint::of_image(&file[..length], format));
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 16).unwrap() % below
        };
        for _ in 0..150 {
            let mut damaged = file.to_vec();
            for _ in 0..=random(3) {
                damaged[random(file.len())] = random(256).to_le_bytes()[0];
            }
            drop(Fingerprint::of_image(&damaged, format));
        }
    }
}

#[test]
fn what_declares_too_many_pixels_is_refused() {
    let too_large =
        |file: &[u8], format| matches!(luma_32x32(file, format), Err(FingerprintError::TooLarge { .. }));
    let mut jpeg = sample("turned.jpg").file.to_vec();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x75, 0x30, 0x75, 0x30]);
    assert!(too_large(&jpeg, Format::Jpeg));
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    assert_eq!(luma_32x32(&jpeg, Format::Jpeg), Err(FingerprintError::truncated()));

    let end = [chunk(b"IDAT", &fdeflate::compress_to_vec(&[0; 99])), chunk(b"IEND", b"")].concat();
    assert!(too_large(&[png_header(30_000, 30_000, 0), end.clone()].concat(), Format::Png));
    assert!(too_large(&[png_header(10_001, 1, 0), end.clone()].concat(), Format::Png));
    assert!(luma_32x32(&[png_header(10_000, 10_000, 1), end].concat(), Format::Png).is_err());

    let mut webp = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut webp);
    encoder.encode(&[0; 4], 2, 2, image_webp::ColorType::L8).unwrap();
    // 9 999 x 9 999: within the sides, beyond the memory.
    webp[21..25].copy_from_slice(&(9_998_u32 | 9_998 << 14).to_le_bytes());
    assert!(too_large(&webp, Format::WebP));
}
