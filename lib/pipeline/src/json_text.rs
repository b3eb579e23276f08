//! JSON as text. A signature over JSON is over its text, so members are cut out of it and not written anew; and of an
//! object that is cut short the members in front are as good as ever.
//!
//! Only the outlines are looked at here: strings, brackets, commas. Whether a value is JSON is for `serde_json`.

use std::ops::Range;

/// Brackets may stand this deep, as in `serde_json`.
const MAX_DEPTH: usize = 128;

/// The longest value that is looked at, in bytes.
const MAX_LENGTH: usize = 1 << 20;

/// The most members of one object that are looked at.
const MAX_MEMBERS: usize = 4096;

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// The name between its quotation marks, as it is written.
    pub(crate) name: &'a str,
    /// The value as it is written.
    pub(crate) value: &'a str,
    /// Where name and value stand in the text.
    range: Range<usize>,
}

/// The members of the object that `text` begins with, in their order, up to the first that is not whole.
pub(crate) fn members(text: &str) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    let bytes = text.as_bytes();
    let mut at = match bytes.first() {
        Some(b'{') => 1,
        _ => return members,
    };
    while let Some(member) = member(text, skip_space(bytes, at)) {
        at = skip_space(bytes, member.range.end);
        members.push(member);
        if bytes.get(at) != Some(&b',') || members.len() == MAX_MEMBERS {
            break;
        }
        at += 1;
    }
    members
}

/// The object `text` without its members called `name` and without white space between its tokens: what
/// `JSON.stringify` makes of the object without them. The members keep their order and their spelling.
pub(crate) fn compact_without(text: &str, name: &str) -> String {
    let kept = members(text).into_iter().filter(|member| member.name != name);
    let kept: Vec<String> =
        kept.map(|member| format!("\"{}\":{}", member.name, compact(member.value))).collect();
    format!("{{{}}}", kept.join(","))
}

/// Where the value ends that begins at `start`.
///
/// # Errors
/// The place where it stops being JSON, or is too long or too deep; always behind `start`.
pub(crate) fn end_of_value(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while at - start <= MAX_LENGTH {
        match bytes.get(at) {
            Some(b'"') => {
                at = end_of_string(bytes, at)?;
                if depth == 0 {
                    return Ok(at);
                }
                continue;
            }
            Some(b'{' | b'[') if depth < MAX_DEPTH => depth += 1,
            Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') if depth == 0 => {
                return if at > start { Ok(at) } else { Err(at + 1) };
            }
            Some(b'}' | b']') => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            Some(byte) if byte.is_ascii_alphanumeric() || b"+-.:, \t\r\n".contains(byte) => {}
            _ => return Err((at + 1).min(bytes.len())),
        }
        at += 1;
    }
    Err(at)
}

fn member(text: &str, start: usize) -> Option<Member<'_>> {
    let bytes = text.as_bytes();
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let name_end = end_of_string(bytes, start).ok()?;
    let colon = skip_space(bytes, name_end);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    let value_start = skip_space(bytes, colon + 1);
    let end = end_of_value(bytes, value_start).ok()?;
    // A number that ends with the text may be cut short.
    bytes.get(end)?;
    Some(Member {
        name: text.get(start + 1..name_end - 1)?,
        value: text.get(value_start..end)?,
        range: start..end,
    })
}

/// Behind the closing quotation mark of the string that opens at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start + 1;
    while at - start <= MAX_LENGTH {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(0x20..) => at += 1,
            _ => break,
        }
    }
    Err((at + 1).min(bytes.len()).max(start + 1))
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// A value without the white space between its tokens.
fn compact(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in value.chars() {
        if !in_string && matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_and_spelling() {
        let text = "{ \"z\" : 1.50 ,\n\"a\":{\"b\":[ \"x y\\\" ,}\" , null ]},\"signature\":\"s\", \"ä\":\"\\u00e4\" }";
        let names: Vec<_> = members(text).into_iter().map(|member| member.name).collect();
        assert_eq!(names, ["z", "a", "signature", "ä"]);
        assert_eq!(
            compact_without(text, "signature"),
            "{\"z\":1.50,\"a\":{\"b\":[\"x y\\\" ,}\",null]},\"ä\":\"\\u00e4\"}"
        );
        assert_eq!(compact_without("{}", "a"), "{}");
    }

    #[test]
    fn an_object_that_is_cut_short_gives_what_is_whole() {
        let text = "{\"a\":\"one\",\"b\":[1,2],\"c\":{\"d\":1},\"e\":12345}";
        let names = |text| members(text).into_iter().map(|member| member.name).collect::<Vec<_>>();
        for (end, expected) in
            [(11, 1), (16, 1), (21, 2), (34, 3), (40, 3), (text.len() - 1, 3), (text.len(), 4)]
        {
            assert_eq!(names(&text[..end]).len(), expected, "{}", &text[..end]);
        }
        assert!(names("[1]").is_empty() && names("").is_empty() && names("{a:1}").is_empty());
    }

    #[test]
    fn the_end_of_a_value_is_found_or_where_it_breaks() {
        assert_eq!(end_of_value(b"{\"a\":1} tail", 0), Ok(7));
        assert_eq!(end_of_value(b"12,", 0), Ok(2));
        assert_eq!(end_of_value(b"{\"a\":\x01}", 0), Err(6));
        assert_eq!(end_of_value(b"{\"a", 0), Err(3));
        assert_eq!(end_of_value(b"\"\\", 0), Err(2));
        for bytes in [&b"{"[..], b"}", b"\"", b"", b"{\"\\\"", b",", b"{]", b"\xff"] {
            let end = end_of_value(bytes, 0);
            assert!(end.is_err_and(|at| at <= bytes.len()) || end == Ok(2), "{bytes:?}");
        }
        let deep = "[".repeat(MAX_DEPTH + 9);
        assert_eq!(end_of_value(deep.as_bytes(), 0), Err(MAX_DEPTH + 1));
    }
}
