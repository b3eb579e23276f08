//! Pictures that cost a codec what a photograph costs: smooth areas, edges, and grain.

use image::{ImageBuffer, RgbImage, codecs::png::PngEncoder};

/// A picture of the given size, the same at every run.
pub fn photograph(width: u32, height: u32, grain: u32) -> RgbImage {
    let mut state = 0x9e37_79b9_u32;
    ImageBuffer::from_fn(width, height, |x, y| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let noise = (state % (2 * grain + 1)) as i32 - grain as i32;
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let wave = ((u * 19.0).sin() + (v * 13.0 + u * 5.0).cos()) * 40.0;
        let edge = if ((u * 9.0) as i32 + (v * 7.0) as i32) % 2 == 0 { 24 } else { -24 };
        let level = |base: f32| (base + wave) as i32 + edge + noise;
        image::Rgb(
            [level(130.0), level(120.0 + 40.0 * u), level(100.0 + 60.0 * v)].map(|c| c.clamp(0, 255) as u8),
        )
    })
}

/// Baseline JPEG, 4:2:0, as cameras write it.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    encoder.encode(picture, width, height, jpeg_encoder::ColorType::Rgb).expect("the picture fits a JPEG");
    bytes
}

/// PNG, quickly compressed.
pub fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(PngEncoder::new(&mut bytes)).expect("the picture fits a PNG");
    bytes
}

/// Lossy WebP, by libwebp.
pub fn webp(picture: &RgbImage, quality: f32) -> Vec<u8> {
    webp::Encoder::from_rgb(picture, picture.width(), picture.height()).encode(quality).to_vec()
}
