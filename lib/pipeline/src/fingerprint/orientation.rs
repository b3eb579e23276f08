//! EXIF orientation: how a picture lies in its file, and how it is to be seen.

use super::reduce::{Reduced, SIDE};

/// The EXIF orientation (EXIF 3.0, tag 0x0112).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Orientation {
    /// 1: as it is to be seen.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    Mirrored,
    /// 3: upside down.
    Rotated180,
    /// 4: mirrored top to bottom.
    Flipped,
    /// 5: mirrored along the diagonal from top left.
    Transposed,
    /// 6: to be turned clockwise by 90 degrees.
    Rotated90,
    /// 7: mirrored along the diagonal from top right.
    Transversed,
    /// 8: to be turned counterclockwise by 90 degrees.
    Rotated270,
}

impl Orientation {
    /// Reads the first directory of EXIF data, which is a TIFF file (with or without `Exif\0\0` before it).
    /// Upright when the data is damaged or does not say.
    pub(super) fn of_exif(exif: &[u8]) -> Self {
        let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        match orientation_tag(tiff) {
            Some(2) => Self::Mirrored,
            Some(3) => Self::Rotated180,
            Some(4) => Self::Flipped,
            Some(5) => Self::Transposed,
            Some(6) => Self::Rotated90,
            Some(7) => Self::Transversed,
            Some(8) => Self::Rotated270,
            _ => Self::Upright,
        }
    }

    /// The picture as it is to be seen. To turn the reduced picture is to turn the whole one and then to
    /// reduce it, apart from the rounding between the two passes.
    pub(super) fn upright(self, picture: &Reduced) -> Reduced {
        const LAST: usize = SIDE - 1;
        let mut turned = [0; SIDE * SIDE];
        for (index, pixel) in turned.iter_mut().enumerate() {
            let (y, x) = (index / SIDE, index % SIDE);
            let (from_y, from_x) = match self {
                Self::Upright => (y, x),
                Self::Mirrored => (y, LAST - x),
                Self::Rotated180 => (LAST - y, LAST - x),
                Self::Flipped => (LAST - y, x),
                Self::Transposed => (x, y),
                Self::Rotated90 => (LAST - x, y),
                Self::Transversed => (LAST - x, LAST - y),
                Self::Rotated270 => (x, LAST - y),
            };
            *pixel = picture.get(from_y * SIDE + from_x).copied().unwrap_or_default();
        }
        turned
    }
}

/// The value of tag 0x0112 in IFD0 (TIFF 6.0, section 2). At most 65 535 entries are looked at, as the
/// format's count has it.
fn orientation_tag(tiff: &[u8]) -> Option<u16> {
    const SHORT: u16 = 3;
    let big_endian = match tiff.first_chunk()? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let read_u16 = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let offset = *tiff.get(4..)?.first_chunk()?;
    let offset = if big_endian { u32::from_be_bytes(offset) } else { u32::from_le_bytes(offset) };
    let directory = usize::try_from(offset).ok().filter(|offset| *offset < tiff.len())?;
    for entry in 0..usize::from(read_u16(directory)?) {
        let at = directory + 2 + entry * 12;
        if read_u16(at)? == 0x0112 {
            return (read_u16(at + 2)? == SHORT).then(|| read_u16(at + 8)).flatten();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(big_endian: bool, orientation: u16) -> Vec<u8> {
        let short = |v: u16| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
        let long = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
        let mut tiff = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        tiff.extend(long(8));
        tiff.extend(short(2));
        for (tag, value) in [(0x0100, 40), (0x0112, orientation)] {
            tiff.extend(short(tag));
            tiff.extend(short(3));
            tiff.extend(long(1));
            tiff.extend(short(value));
            tiff.extend([0, 0]);
        }
        tiff
    }

    #[test]
    fn both_byte_orders_are_read() {
        for big_endian in [true, false] {
            assert_eq!(Orientation::of_exif(&exif(big_endian, 1)), Orientation::Upright);
            assert_eq!(Orientation::of_exif(&exif(big_endian, 6)), Orientation::Rotated90);
            assert_eq!(Orientation::of_exif(&exif(big_endian, 9)), Orientation::Upright);
            let with_prefix = [b"Exif\0\0".as_slice(), &exif(big_endian, 8)].concat();
            assert_eq!(Orientation::of_exif(&with_prefix), Orientation::Rotated270);
        }
    }

    #[test]
    fn truncated_exif_is_upright_and_does_not_panic() {
        let whole = exif(true, 3);
        for length in 0..whole.len() - 3 {
            assert_eq!(Orientation::of_exif(&whole[..length]), Orientation::Upright, "{length} bytes");
        }
    }

    #[test]
    fn four_quarter_turns_and_two_mirrorings_change_nothing() {
        let mut picture = [0; SIDE * SIDE];
        for (index, pixel) in picture.iter_mut().enumerate() {
            *pixel = (index * 7 % 251).to_le_bytes()[0];
        }
        let quarter = Orientation::Rotated90.upright(&picture);
        assert_eq!(quarter[SIDE - 1], picture[0], "top left goes to top right");
        assert_eq!(Orientation::Rotated270.upright(&quarter), picture);
        assert_eq!(
            Orientation::Rotated90.upright(&quarter),
            Orientation::Rotated180.upright(&picture),
            "two quarter turns are a half turn"
        );
        for mirror in
            [Orientation::Mirrored, Orientation::Flipped, Orientation::Transposed, Orientation::Transversed]
        {
            assert_eq!(mirror.upright(&mirror.upright(&picture)), picture);
        }
        assert_eq!(
            Orientation::Transversed.upright(&picture),
            Orientation::Rotated180.upright(&Orientation::Transposed.upright(&picture))
        );
    }
}
