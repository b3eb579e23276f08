//! `Content-Type`, `Content-Disposition` and `Accept`: values with parameters.

use axum::http::{HeaderMap, header};

use crate::error::{ApiError, ErrorCode};

/// A header value of the form `value; name=text; name="text"` (RFC 9110, section 5.6.6). The value and the
/// names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameterised {
    pub(crate) value: String,
    parameters: Vec<(String, String)>,
}

impl Parameterised {
    /// `None` when the text does not have this form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let mut parameters = Vec::new();
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (text, after) = parameter_text(after.trim_start())?;
            parameters.push((name.trim().to_ascii_lowercase(), text));
            rest = match after.trim_start().strip_prefix(';') {
                Some(next) => next,
                None if after.trim().is_empty() => "",
                None => return None,
            };
        }
        Some(Self { value: value.trim().to_ascii_lowercase(), parameters })
    }

    /// Whether text of this type is UTF-8. ASCII is, too; what no charset is named for must be.
    pub(crate) fn is_utf8(&self) -> bool {
        let charset = self.parameter("charset").unwrap_or("utf-8");
        ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
    }

    /// The first parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

/// The request's content type, of a body that has text in it or may have; `None` when there is none or it is malformed.
///
/// # Errors
/// When the text is said to be in another charset than UTF-8, which would be read as something else than was meant.
pub(crate) fn readable_content_type(headers: &HeaderMap) -> Result<Option<Parameterised>, ApiError> {
    let kind = content_type(headers);
    if kind.as_ref().is_some_and(|kind| !kind.is_utf8()) {
        return Err(ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "The charset in Content-Type is not UTF-8. Send text as UTF-8, and leave the charset out.",
        )
        .with_detail("header", "Content-Type"));
    }
    Ok(kind)
}

/// The request's content type; `None` when there is none or it is malformed.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<Parameterised> {
    Parameterised::parse(headers.get(header::CONTENT_TYPE)?.to_str().ok()?)
}

/// The one of `offers` that the caller likes best (RFC 9110, section 12.5.1); the first of equals, and the
/// first when the caller likes none, because an answer in another form is of more use than none.
pub(crate) fn negotiate<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let ranges: Vec<Range> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    let mut best = (offers.first().copied()?, 0);
    for offer in offers {
        let quality = quality(&ranges, offer);
        if quality > best.1 {
            best = (offer, quality);
        }
    }
    Some(best.0)
}

/// One media range of `Accept`, its weight in thousandths.
struct Range {
    kind: String,
    subkind: String,
    weight: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let range = Parameterised::parse(text)?;
        let (kind, subkind) = range.value.split_once('/')?;
        let weight = range.parameter("q").map_or(Some(1000), thousandths)?;
        Some(Self { kind: kind.to_owned(), subkind: subkind.to_owned(), weight })
    }

    /// How precisely the range names `kind/subkind`; `None` when it does not match.
    fn precision(&self, kind: &str, subkind: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subkind.as_str()) {
            ("*", "*") => Some(0),
            (k, "*") if k == kind => Some(1),
            (k, s) if k == kind && s == subkind => Some(2),
            _ => None,
        }
    }
}

fn quality(ranges: &[Range], offer: &str) -> u16 {
    let Some((kind, subkind)) = offer.split_once('/') else { return 0 };
    ranges
        .iter()
        .filter_map(|range| Some((range.precision(kind, subkind)?, range.weight)))
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// A weight of 0 to 1 with at most three decimals (RFC 9110, section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 {
        return None;
    }
    let weight =
        whole.parse::<u16>().ok()?.checked_mul(1000)? + format!("{decimals:0<3}").parse::<u16>().ok()?;
    (weight <= 1000).then_some(weight)
}

/// The text of a parameter at the start of `rest`, and what follows it.
fn parameter_text(rest: &str) -> Option<(String, &str)> {
    let Some(quoted) = rest.strip_prefix('"') else {
        let (text, _) = rest.split_once(';').unwrap_or((rest, ""));
        return Some((text.trim_end().to_owned(), rest.get(text.len()..)?));
    };
    let mut text = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((text, quoted.get(at + 1..)?)),
            // Some callers write the path of a file with single backslashes; only these two are escapes.
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn preferred(accept: &'static str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        negotiate(&headers, &["application/json", "application/c2pa", "text/html"]).unwrap()
    }

    #[test]
    fn the_best_liked_offer_wins_and_the_first_of_equals() {
        assert_eq!(preferred("*/*"), "application/json");
        assert_eq!(preferred("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "text/html");
        assert_eq!(preferred("application/c2pa, application/json;q=0.5"), "application/c2pa");
        assert_eq!(preferred("text/*;q=0.3, application/*;q=0.2"), "text/html");
        assert_eq!(preferred("*/*, application/json;q=0"), "application/c2pa");
        assert_eq!(preferred("text/html;q=0.999, application/json;q=1.000"), "application/json");
    }

    #[test]
    fn nonsense_falls_back_to_the_first_offer() {
        for accept in
            ["", "audio/ogg", ";;;", "text/html;q=2", "text/html;q=0.1234", "text/html;q=-1", "*/*;q=0"]
        {
            assert_eq!(preferred(accept), "application/json", "{accept}");
        }
    }

    #[test]
    fn quoted_parameters_may_hold_separators() {
        let value = Parameterised::parse(r#"Form-Data; NAME="a;b=\"c\""; filename="C:\x.jpg""#).unwrap();
        assert_eq!(value.value, "form-data");
        assert_eq!(value.parameter("name"), Some(r#"a;b="c""#));
        assert_eq!(value.parameter("filename"), Some(r"C:\x.jpg"));
        assert_eq!(Parameterised::parse("a; b"), None);
        assert_eq!(Parameterised::parse("a; b=\"c"), None);
        assert_eq!(Parameterised::parse("a; b=\"c\" d"), None);
    }
}
