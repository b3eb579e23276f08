//! Text of strangers in logs and messages.

/// The most characters that are shown.
const MAX_CHARACTERS: usize = 200;

/// The beginning of `text`, without characters that break a line or turn the text around.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_CHARACTERS {
            shown.push('…');
            break;
        }
        if character.is_ascii_graphic() || character == ' ' {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_cannot_be_forged_and_do_not_get_long() {
        assert_eq!(shown("http://a/\r\nlevel=ERROR\u{202e}"), "http://a/\\r\\nlevel=ERROR\\u{202e}");
        assert_eq!(shown(&"a".repeat(10_000)).chars().count(), MAX_CHARACTERS + 1);
    }
}
