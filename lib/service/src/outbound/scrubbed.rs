//! Text that may leave the house: without anything that could be a key, a hash, an id or a piece of an image.

/// The longest text, in characters.
const MAX_LENGTH: usize = 500;

/// The longest run of letters and digits that can only be a word. What is longer may be a key, in whichever encoding.
const MAX_WORD: usize = 24;

/// `text` without long runs of letters and digits, without what is not visible, and cut.
pub(super) fn scrubbed(text: &str) -> String {
    let visible: String =
        text.chars().map(|c| if c.is_control() || !c.is_ascii() { ' ' } else { c }).collect();
    let mut clean = String::new();
    for run in visible.split_inclusive(|c: char| !is_of_a_key(c)) {
        let word = run.trim_end_matches(|c: char| !is_of_a_key(c));
        let rest = run.get(word.len()..).unwrap_or_default();
        clean.push_str(if is_secret(word) { "[removed]" } else { word });
        clean.push_str(rest);
    }
    clean.chars().take(MAX_LENGTH).collect()
}

/// Names in code and in errors of AWS are long, but of letters alone.
fn is_secret(word: &str) -> bool {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    word.len() > MAX_WORD && (has_digit || word.len() > 2 * MAX_WORD)
}

fn is_of_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_stay_and_keys_go() {
        for kept in [
            "cannot add a proof now: ProvisionedThroughputExceededException: slow down",
            "status 503 without an error",
            "",
        ] {
            assert_eq!(scrubbed(kept), kept);
        }
        let key = format!("credlink_{}", "0123456789abcdef".repeat(4));
        for secret in [
            key.as_str(),
            "7d9a8f2e-3b1c-4d5e-9f60-718293a4b5c6",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
            &"A".repeat(80),
        ] {
            assert_eq!(scrubbed(&format!("key {secret}, again")), "key [removed], again");
        }
        assert_eq!(scrubbed("a\u{0}b\u{ff}\n"), "a b  ");
        assert_eq!(scrubbed(&"a b ".repeat(1000)).len(), MAX_LENGTH);
    }
}
