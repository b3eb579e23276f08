//! Small pictures of the project's own making in codings that no encoder at hand writes, each with the code
//! that Pillow 13.0 and iscc-core 1.5.0 give it.

use crate::asset::Format;

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) format: Format,
    pub(super) file: &'static [u8],
    pub(super) code: &'static str,
}

macro_rules! sample {
    ($name:literal, $format:ident, $code:literal) => {
        Sample {
            name: $name,
            format: Format::$format,
            file: include_bytes!(concat!("samples/", $name)),
            code: $code,
        }
    };
}

/// 72 x 56 pixels: shapes on a gradient.
pub(super) const SAMPLES: [Sample; 9] = [
    // With successive approximation.
    sample!("progressive.jpg", Jpeg, "ISCC:EED4FJB5HPJHZMCNVJ2VKEGVV4E5VIDYQ7B2YW7HDF3O3EPA6KHBCZQ"),
    // 4:2:2; EXIF orientation 6.
    sample!("turned.jpg", Jpeg, "ISCC:EEDZ7WBDNNRDRTLE54BZ6EAUP5RWFWB4SEWNEO6QH4UYZDH7CGI5QPY"),
    sample!("cmyk.jpg", Jpeg, "ISCC:EED4FJB5HPJHZMCNVJ2VKEGRV4G5VIDYU7B2QU7HDN3O3EPA6GHAD2Q"),
    sample!("lossy.webp", WebP, "ISCC:EED4FJB5HPJHZMCNVJ2VKEGVV4E5VIDYQ7B2QX7HDF3O3EPA6GHAD2Q"),
    // EXIF orientation 6.
    sample!("turned.webp", WebP, "ISCC:EEDZ7WBDNNRDRTLE54BZ6EA4O5RWFWB4SMWNEOOQH4UYZDH5DGI5QPY"),
    // Lossy, with an alpha channel that runs from left to right.
    sample!("transparent.webp", WebP, "ISCC:EED5VJB5NOJFZNKIVJKVKUUVVRU5VJCIW5DK4U5HKN3OKELDVMHBW2Q"),
    // 16 colours of different alpha.
    sample!("lossless.webp", WebP, "ISCC:EED45BYNHZDEKPOGAJXFOR4NWQX6QDBRY7QDTY546H2P227QDNBQHEA"),
    // Two lossy frames, the second mirrored.
    sample!("animation.webp", WebP, "ISCC:EED4FJB5HPJHZMCLVJ2VKEGRV4G5VIDYQ7D2YU7HDF3P3ELA6OHADYQ"),
    // As lossless.webp, 4 bits a pixel and tRNS.
    sample!("palette.png", Png, "ISCC:EED45BYNHZDEKPOGAJXFOR4NWQX6QDBRY7QDTY546H2P227QDNBQHEA"),
];

pub(super) fn sample(name: &str) -> &'static Sample {
    SAMPLES.iter().find(|sample| sample.name == name).unwrap()
}
