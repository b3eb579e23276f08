//! `multipart/form-data` (RFC 7578) in memory: the parts are slices of the body, never copies.
//!
//! The stream parsers at hand copy every part. An image of 50 MB would then stand in memory twice.

use bytes::Bytes;
use memchr::memmem::Finder;
use thiserror::Error;

use crate::media_type::Parameterised;

/// The most parts that a form may have.
pub(crate) const MAX_PARTS: usize = 16;

const MAX_PART_HEADERS: usize = 8;
const MAX_PART_HEAD_LENGTH: usize = 4096;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field's name.
    pub(crate) name: String,
    /// The name that the file had at the caller's.
    pub(crate) file_name: Option<String>,
    /// Whether it is UTF-8, if it is text.
    pub(crate) is_utf8: bool,
    /// What the field holds.
    pub(crate) content: Bytes,
}

/// Why a body is not a form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum MultipartError {
    #[error("the Content-Type has no usable boundary (1 to 70 characters)")]
    BadBoundary,
    #[error("the boundary that the Content-Type names does not occur in the body")]
    NoBoundary,
    #[error("the body ends before the final boundary")]
    Unfinished,
    #[error("there are more than {MAX_PARTS} parts")]
    TooManyParts,
    #[error("part {0} has malformed headers, or more than 8 of them, or more than 4096 bytes")]
    BadPartHead(usize),
    #[error("part {0} has no Content-Disposition of form-data with a name")]
    NoName(usize),
    #[error("part {0} is a multipart itself; send every field as a part of its own")]
    Nested(usize),
    #[error("part {0} has a Content-Transfer-Encoding; send it as it is")]
    Encoded(usize),
}

/// The boundary that a content type of `multipart/form-data` names.
pub(crate) fn boundary(content_type: &Parameterised) -> Result<&str, MultipartError> {
    content_type
        .parameter("boundary")
        .filter(|text| {
            (1..=70).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        })
        .ok_or(MultipartError::BadBoundary)
}

/// The parts of `body`, in order.
pub(crate) fn parse(body: &Bytes, boundary: &str) -> Result<Vec<Part>, MultipartError> {
    let delimiters = Delimiters::new(body, boundary);
    let mut current = delimiters.first().ok_or(MultipartError::NoBoundary)?;
    let mut parts = Vec::new();
    while !current.last {
        let number = parts.len() + 1;
        if number > MAX_PARTS {
            return Err(MultipartError::TooManyParts);
        }
        let head = Head::parse(body.get(current.end..).unwrap_or_default(), number)?;
        let start = current.end + head.length;
        let next = delimiters.next(start).ok_or(MultipartError::Unfinished)?;
        // A part may be empty: then its head's blank line is the line break before the delimiter.
        let content = body.slice(start.min(next.start)..next.start);
        parts.push(Part { name: head.name, file_name: head.file_name, is_utf8: head.is_utf8, content });
        current = next;
    }
    Ok(parts)
}

/// A boundary in its place: the bytes before `start` and from `end` on are not part of it.
struct Delimiter {
    start: usize,
    end: usize,
    last: bool,
}

struct Delimiters<'a> {
    body: &'a [u8],
    finder: Finder<'a>,
}

impl<'a> Delimiters<'a> {
    fn new(body: &'a [u8], boundary: &str) -> Self {
        let finder = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        Self { body, finder }
    }

    /// The first delimiter; it needs no line break before it when it stands at the very start.
    fn first(&self) -> Option<Delimiter> {
        let bare = self.finder.needle().get(2..)?;
        if self.body.starts_with(bare)
            && let Some(delimiter) = self.at(0, bare.len())
        {
            return Some(delimiter);
        }
        self.next(0)
    }

    /// The next delimiter whose line begins at `from` or later. The line break before it may be the last
    /// two bytes before `from`.
    fn next(&self, from: usize) -> Option<Delimiter> {
        let from = from.saturating_sub(2);
        self.finder
            .find_iter(self.body.get(from..)?)
            .find_map(|at| self.at(from + at, from + at + self.finder.needle().len()))
    }

    /// The delimiter from `start`, when its line ends as one does; else these bytes are content.
    fn at(&self, start: usize, end: usize) -> Option<Delimiter> {
        let rest = self.body.get(end..)?;
        if rest.starts_with(b"--") {
            return Some(Delimiter { start, end: end + 2, last: true });
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest.get(padding..)?.starts_with(b"\r\n").then_some(Delimiter {
            start,
            end: end + padding + 2,
            last: false,
        })
    }
}

/// The headers of one part.
struct Head {
    length: usize,
    name: String,
    file_name: Option<String>,
    is_utf8: bool,
}

impl Head {
    fn parse(rest: &[u8], number: usize) -> Result<Self, MultipartError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_PART_HEADERS];
        let bounded = rest.get(..MAX_PART_HEAD_LENGTH).unwrap_or(rest);
        let (length, headers) = match httparse::parse_headers(bounded, &mut headers) {
            Ok(httparse::Status::Complete(complete)) => complete,
            Ok(httparse::Status::Partial) if bounded.len() == rest.len() => {
                return Err(MultipartError::Unfinished);
            }
            _ => return Err(MultipartError::BadPartHead(number)),
        };
        let value = |name: &str| {
            let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            Parameterised::parse(&String::from_utf8_lossy(header.value))
        };
        let kind = value("content-type");
        if kind.as_ref().is_some_and(|kind| kind.value.starts_with("multipart/")) {
            return Err(MultipartError::Nested(number));
        }
        if value("content-transfer-encoding")
            .is_some_and(|encoding| !matches!(encoding.value.as_str(), "7bit" | "8bit" | "binary"))
        {
            return Err(MultipartError::Encoded(number));
        }
        let disposition = value("content-disposition")
            .filter(|disposition| disposition.value == "form-data")
            .ok_or(MultipartError::NoName(number))?;
        Ok(Self {
            length,
            name: disposition.parameter("name").ok_or(MultipartError::NoName(number))?.to_owned(),
            file_name: disposition.parameter("filename").map(str::to_owned),
            is_utf8: kind.is_none_or(|kind| kind.is_utf8()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "preamble\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xy\r\n2\
        \r\n--x  \r\ncontent-disposition: FORM-DATA; NAME=b; filename=\"ü \\\"1\\\".jpg\"\r\n\
        Content-Type: image/jpeg\r\n\r\n\r\n--x--\r\nepilogue";

    fn parsed(text: &str) -> Result<Vec<Part>, MultipartError> {
        parse(&Bytes::copy_from_slice(text.as_bytes()), "x")
    }

    #[test]
    fn parts_are_slices_of_the_body() {
        let body = Bytes::from_static(FORM.as_bytes());
        let parts = parse(&body, "x").unwrap();
        let [a, b] = parts.as_slice() else { panic!("two parts") };
        assert_eq!(
            (a.name.as_str(), a.file_name.as_deref(), &a.content[..]),
            ("a", None, &b"1\r\n--xy\r\n2"[..])
        );
        assert_eq!((b.name.as_str(), b.file_name.as_deref()), ("b", Some("ü \"1\".jpg")));
        assert!(b.content.is_empty());
        assert!(body.as_ptr_range().contains(&a.content.as_ptr()), "no copy");
    }

    #[test]
    fn a_body_cut_anywhere_is_an_error() {
        let end = FORM.find("--x--").unwrap() + 5;
        for length in 0..end {
            let Some(cut) = FORM.get(..length) else { continue };
            assert!(parsed(cut).is_err(), "{length} bytes");
        }
        assert!(parsed(&FORM[..end]).is_ok());
    }

    #[test]
    fn each_fault_has_its_name() {
        let head = "--x\r\nContent-Disposition: form-data; name=a\r\n";
        assert_eq!(parsed("no boundary here"), Err(MultipartError::NoBoundary));
        assert_eq!(parsed("--x--"), Ok(vec![]));
        assert_eq!(parsed(&format!("{head}\r\n")), Err(MultipartError::Unfinished));
        assert_eq!(
            parsed(&format!("{head}Content-Type: multipart/mixed; boundary=y\r\n\r\n\r\n--x--")),
            Err(MultipartError::Nested(1))
        );
        assert_eq!(
            parsed(&format!("{head}Content-Transfer-Encoding: base64\r\n\r\n\r\n--x--")),
            Err(MultipartError::Encoded(1))
        );
        assert_eq!(parsed("--x\r\n\r\n1\r\n--x--"), Err(MultipartError::NoName(1)));
        assert_eq!(
            parsed("--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"),
            Err(MultipartError::NoName(1))
        );
        assert_eq!(
            parsed("--x\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--x--"),
            Err(MultipartError::NoName(1))
        );
        let long = format!("--x\r\nA: {}\r\n\r\n\r\n--x--", "b".repeat(MAX_PART_HEAD_LENGTH));
        assert_eq!(parsed(&long), Err(MultipartError::BadPartHead(1)));
        let many = format!("{}--x--", format!("{head}\r\n1\r\n").repeat(MAX_PARTS + 1));
        assert_eq!(parsed(&many), Err(MultipartError::TooManyParts));
        let most = format!("{}--x--", format!("{head}\r\n1\r\n").repeat(MAX_PARTS));
        assert_eq!(parsed(&most).map(|parts| parts.len()), Ok(MAX_PARTS));
    }

    #[test]
    fn a_boundary_has_1_to_70_visible_characters() {
        let of = |text: &str| boundary(&Parameterised::parse(text).unwrap()).map(str::to_owned);
        assert_eq!(of("multipart/form-data; boundary=\"a b\""), Ok("a b".to_owned()));
        assert_eq!(of("multipart/form-data"), Err(MultipartError::BadBoundary));
        assert_eq!(of("multipart/form-data; boundary="), Err(MultipartError::BadBoundary));
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(of(&long), Err(MultipartError::BadBoundary));
    }
}
