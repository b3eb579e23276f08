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

/// Files of some `length` bytes that make a careless reader slow or fat.
fn hostile_files(length: usize) -> Vec<(&'static str, Vec<u8>)> {
    let filled = |filler: &[u8]| filler.repeat(length / filler.len());
    let segments = |marker: u8, payload: &[u8]| {
        let mut segment = Vec::new();
        write(&mut segment, Format::Jpeg, &Segment(marker, payload.to_vec()));
        let mut file = image(Format::Jpeg, &[], &[]);
        file.splice(2..2, filled(&segment));
        file
    };
    let chunks = |name: &[u8; 4], data: &[u8]| {
        let mut chunk = Vec::new();
        write(&mut chunk, Format::Png, &Chunk(*name, data.to_vec()));
        let mut file = image(Format::Png, &[], &[]);
        file.splice(33..33, filled(&chunk));
        file
    };
    let one_chunk = |name: &[u8; 4], filler: &[u8]| image(Format::Png, &[Chunk(*name, filled(filler))], &[]);
    let store = |filler: &[u8]| {
        let content = [&store()[8..46], &filled(filler)].concat();
        image(Format::Png, &[Chunk(*b"caBX", boxed(b"jumb", &content))], &[])
    };
    let suffix = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71";
    let manifest =
        [b"jumdc2ma", &suffix[..], b"\x03urn:c2pa:aaaaaaaa-0b0a-4908-8706-050403020100\0"].concat();
    let xmp = |content: &str| [b"http://ns.adobe.com/xap/1.0/\0", content.as_bytes()].concat();
    let extended =
        [b"http://ns.adobe.com/xmp/extension/\0", &[b'A'; 32][..], &[0xFF; 4], &[0; 60_000]].concat();
    let mut ifd = b"II\x2a\0\x08\0\0\0\xff\xff".to_vec();
    ifd.extend([0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0].repeat(5000));
    let bomb = fdeflate::compress_to_vec(&vec![0; 64 << 20]);
    let names = b"{\"assertions\":[";
    vec![
        ("descriptions of stores in a chunk", one_chunk(b"abCd", &manifest)),
        ("descriptions of manifests in the store", store(&boxed(b"jumd", &manifest[4..]))),
        ("descriptions in EXIF", one_chunk(b"eXIf", b"jumd")),
        ("small boxes in the store", store(b"\0\0\0\x08free")),
        ("nested boxes in the store", store(b"\0\0\x10\0jumb\0\0\0\x08jumd")),
        ("labels in EXIF", one_chunk(b"eXIf", b"urn:c2pa:")),
        ("labels", one_chunk(b"abCd", &manifest[25..])),
        ("numbered segments", segments(0xEB, b"JP\0\x01\0\0\0\x01\0\0\0\x09jumb\0")),
        (
            "segments behind the end",
            [image(Format::Jpeg, &[], &[]), filled(b"\xff\xeb\0\x12JP\0\x01\0\0\0\x01\0\0\0\x09jumb")]
                .concat(),
        ),
        (
            "headers of segments behind the end",
            [image(Format::Jpeg, &[], &[]), filled(b"\xff\xeb\xff\xebJP")].concat(),
        ),
        ("chunks of a store", chunks(b"caBX", b"\0\0\0\x08jumb")),
        ("small packets", segments(0xE1, &xmp("<x/>"))),
        ("large packets", segments(0xE1, &xmp(&"<a b='c'/>".repeat(6000)))),
        ("packets of properties", segments(0xE1, &xmp(&"<a:b credlink:manifest='{'/>".repeat(2000)))),
        ("extended packets", segments(0xE1, &extended)),
        ("directories in circles", segments(0xE1, &[b"Exif\0\0", &ifd[..]].concat())),
        ("texts", chunks(b"tEXt", b"a\0b")),
        ("texts with JSON", chunks(b"tEXt", &[b"a\0", &names.repeat(60_000)[..]].concat())),
        ("texts that unfold", chunks(b"zTXt", &[b"a\0\0", &bomb[..]].concat())),
        ("packets that unfold", chunks(b"iTXt", &[b"XML:com.adobe.xmp\0\x01\0\0\0", &bomb[..]].concat())),
        ("beginnings of JSON", one_chunk(b"abCd", b"{\"assertions\"")),
        ("deep JSON", one_chunk(b"abCd", names)),
        ("JSON without an end", one_chunk(b"abCd", b"{\"assertions\":1,  ")),
        ("JSON that is something else", one_chunk(b"abCd", b"{\"claim_generator \":\"assertions\"}")),
        ("strings without an end", one_chunk(b"abCd", b"\"assertions\"{\"\\\\")),
    ]
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
    for (name, file) in hostile_files(LENGTH) {
        let start = Instant::now();
        extracted(file);
        assert!(start.elapsed() < Duration::from_secs(10), "{name} took {:?}", start.elapsed());
    }
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}
