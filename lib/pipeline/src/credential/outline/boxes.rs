//! Reads the boxes of a manifest store strictly (ISO 19566-5): every box fills the place that it says, and says what
//! it is. The C2PA library reads more loosely; what is refused here is never given to it.

use thiserror::Error;

/// How deep superboxes may stand inside each other. C2PA needs four; the library ends at 32.
const MAX_DEPTH: usize = 16;

/// The most boxes in a store.
pub(super) const MAX_BOXES: usize = 20_000;

/// What follows the four letters in the UUID of a type (C2PA 2.4, section 11.1.4).
const TYPE_END: [u8; 12] = [0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];

/// Why boxes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum BoxError {
    /// They are not boxes as they should be.
    #[error("the manifest store is damaged: {0}")]
    Damaged(&'static str),
    /// They are more than anybody needs.
    #[error("the manifest store has more than {MAX_BOXES} boxes")]
    TooMany,
    /// They stand inside each other deeper than anybody needs.
    #[error("boxes stand more than {MAX_DEPTH} deep inside each other")]
    TooDeep,
}

/// A superbox with everything in it.
pub(super) struct Superbox<'a> {
    kind: &'a [u8; 16],
    /// Its label.
    pub(super) label: &'a str,
    /// The superboxes in it, in order.
    pub(super) superboxes: Vec<Superbox<'a>>,
    /// The other boxes in it: type and content.
    pub(super) contents: Vec<(&'a [u8; 4], &'a [u8])>,
}

impl<'a> Superbox<'a> {
    /// Reads the superbox at the beginning of `bytes`; what follows it does not matter. `boxes` counts down.
    pub(super) fn read(bytes: &'a [u8], boxes: &mut usize) -> Result<Self, BoxError> {
        match next_box(bytes, boxes)? {
            (b"jumb", content, _) => Self::of_content(content, boxes, 0),
            _ => Err(BoxError::Damaged("it does not begin with a superbox")),
        }
    }

    /// Whether it is of the type with these four letters.
    pub(super) fn is(&self, letters: &[u8; 4]) -> bool {
        self.kind.starts_with(letters) && self.kind.ends_with(&TYPE_END)
    }

    /// The content of its first box of this type.
    pub(super) fn content(&self, kind: &[u8; 4]) -> Option<&'a [u8]> {
        self.contents.iter().find(|(found, _)| *found == kind).map(|(_, content)| *content)
    }

    fn of_content(content: &'a [u8], boxes: &mut usize, depth: usize) -> Result<Self, BoxError> {
        if depth >= MAX_DEPTH {
            return Err(BoxError::TooDeep);
        }
        let (b"jumd", description, mut rest) = next_box(content, boxes)? else {
            return Err(BoxError::Damaged("a superbox does not begin with its description"));
        };
        let (kind, label) = description_of(description)?;
        let mut read = Self { kind, label, superboxes: Vec::new(), contents: Vec::new() };
        while !rest.is_empty() {
            let (kind, content, next) = next_box(rest, boxes)?;
            match kind {
                b"jumb" => read.superboxes.push(Self::of_content(content, boxes, depth + 1)?),
                _ => read.contents.push((kind, content)),
            }
            rest = next;
        }
        Ok(read)
    }
}

/// A box's type, its content, and what follows it.
type FirstBox<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

fn next_box<'a>(bytes: &'a [u8], boxes: &mut usize) -> Result<FirstBox<'a>, BoxError> {
    const CUT: BoxError = BoxError::Damaged("a box is not as long as it says");
    *boxes = boxes.checked_sub(1).ok_or(BoxError::TooMany)?;
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(CUT)?;
    let (kind, _) = rest.split_first_chunk::<4>().ok_or(CUT)?;
    // 0 and 1 would be an open and a longer length; nobody writes them into a store.
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CUT)?;
    let (whole, next) = bytes.split_at_checked(length).ok_or(CUT)?;
    Ok((kind, whole.get(8..).ok_or(CUT)?, next))
}

/// The type and the label in a description box (ISO 19566-5, section B.3).
fn description_of(description: &[u8]) -> Result<(&[u8; 16], &str), BoxError> {
    const FORM: BoxError = BoxError::Damaged("a description box is not in the form of C2PA");
    let (kind, rest) = description.split_first_chunk::<16>().ok_or(FORM)?;
    let (toggles, rest) = rest.split_first().ok_or(FORM)?;
    if toggles & 0x03 != 0x03 {
        return Err(FORM);
    }
    let end = rest.iter().position(|byte| *byte == 0).ok_or(FORM)?;
    let (label, rest) = rest.split_at_checked(end).ok_or(FORM)?;
    let mut after = rest.len().checked_sub(1).ok_or(FORM)?;
    for (toggle, length) in [(0x04, 4), (0x08, 32)] {
        if toggles & toggle != 0 {
            after = after.checked_sub(length).ok_or(FORM)?;
        }
    }
    // A private box fills the rest; without one there is none.
    let private = rest.get(rest.len() - after..).ok_or(FORM)?;
    if toggles & 0x10 != 0 {
        let (_, _, next) = next_box(private, &mut 1)?;
        after = next.len();
    }
    if after != 0 {
        return Err(FORM);
    }
    Ok((kind, std::str::from_utf8(label).map_err(|_| FORM)?))
}
