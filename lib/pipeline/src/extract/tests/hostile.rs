//! Files that are damaged, or made to cost time or memory.

use std::time::{Duration, Instant};

use super::*;

/// The same numbers for the same seed, so that a failure can be repeated.
fn pseudo_random(seed: u32) -> impl FnMut() -> usize {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::from(u16::from_le_bytes([state.to_le_bytes()[3], state.to_le_bytes()[4]]))
    }
}

#[test]
fn damaged_files_never_panic_and_are_never_reported_whole() {
    for format in FORMATS {
        let pieces = [
            exif_piece(format, &record(A).exif_tiff()),
            store_piece(format, &store()),
            xmp_piece(format, &record(A).xmp_packet()),
            private_piece(format, &record(A).private_payload()),
        ];
        let whole = image(format, &pieces, &[]);
        for end in 16..whole.len() {
            let extraction = extracted(whole[..end].to_vec());
            assert!(extraction.corrupted, "{format} cut at {end} of {}", whole.len());
        }
        for seed in 1..1000 {
            let mut next = pseudo_random(seed);
            let mut file = whole.clone();
            for _ in 0..1 + next() % 12 {
                let at = 16 + next() % (file.len() - 16);
                file[at] = next().to_le_bytes()[0];
            }
            extracted(file);
        }
    }
}

#[test]
fn hostile_files_are_read_in_linear_time() {
    const LENGTH: usize = 4 << 20;
    let start = Instant::now();
    let needle = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";
    let uri = "https://a/aaaaaaaa-0b0a-4908-8706-05040302010x ";
    for filler in [&needle[..], b"http", b"https://", b"\xff\xd8", b"\xff\xeb\0\x02", uri.as_bytes(), b"<a "]
    {
        for format in FORMATS {
            let junk = filler.repeat(LENGTH / filler.len());
            extracted([image(format, &[], &[]), junk].concat());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(30), "took {:?}", start.elapsed());
}
