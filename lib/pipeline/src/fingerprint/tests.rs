//! Tests of the fingerprint as a whole.

use super::*;

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
