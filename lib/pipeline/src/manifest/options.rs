//! What the caller may say about an image, parsed once at the edge.

use std::str::FromStr;

use thiserror::Error;

use super::{CustomAssertion, CustomAssertionError, DigitalSourceType};

/// What the caller says about the image. Everything is optional.
#[derive(Clone, Debug, Default)]
pub struct SignOptions {
    /// Who made it; becomes `dc:creator`.
    pub creator: Option<Creator>,
    /// What it is called; becomes `dc:title`.
    pub title: Option<Title>,
    /// What kind of picture it is.
    pub digital_source_type: Option<DigitalSourceType>,
    /// Assertions of the caller's own.
    pub custom_assertions: Vec<CustomAssertion>,
    /// Whether models may be trained on it.
    pub training: Option<TrainingUse>,
}

/// Why an option was refused. The message names the field and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// A text field is empty or only white space.
    #[error("{field} is empty; leave it out or give 1 to {} characters", MAX_TEXT)]
    EmptyText {
        /// The field.
        field: &'static str,
    },
    /// A text field is too long.
    #[error("{field} has {length} characters; at most {} are allowed", MAX_TEXT)]
    TextTooLong {
        /// The field.
        field: &'static str,
        /// How many characters came.
        length: usize,
    },
    /// A text field has a character that does not show, or that turns the text around.
    #[error(
        "{field} contains the character U+{code:04X} at position {position}; control and direction characters are not allowed"
    )]
    ForbiddenCharacter {
        /// The field.
        field: &'static str,
        /// The character's code point.
        code: u32,
        /// Counted from 1, in characters.
        position: usize,
    },
    /// The digital source type is not in the vocabulary.
    #[error("digitalSourceType is not a known term; use an IPTC or C2PA URI or one of: {known}")]
    UnknownDigitalSourceType {
        /// The short names that are known.
        known: String,
    },
    /// The training preference is none of the three.
    #[error("training must be allowed, notAllowed or constrained")]
    UnknownTrainingUse,
    /// The custom assertions were refused.
    #[error(transparent)]
    CustomAssertion(#[from] CustomAssertionError),
}

/// The most characters a creator or title may have.
pub const MAX_TEXT: usize = 1_000;

/// Who made the picture: 1 to 1 000 characters, none of which is invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator(String);

/// What the picture is called: 1 to 1 000 characters, none of which is invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

impl Creator {
    /// The text, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Title {
    /// The text, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Creator {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        visible_text("creator", text).map(Self)
    }
}

impl FromStr for Title {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        visible_text("title", text).map(Self)
    }
}

/// Whether models may be trained on the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingUse {
    /// They may.
    Allowed,
    /// They may not.
    NotAllowed,
    /// Ask first.
    Constrained,
}

impl TrainingUse {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::NotAllowed, Self::Constrained];

    /// The word that the API and the CAWG assertion use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::NotAllowed => "notAllowed",
            Self::Constrained => "constrained",
        }
    }
}

impl FromStr for TrainingUse {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "allowed" => Ok(Self::Allowed),
            "notAllowed" => Ok(Self::NotAllowed),
            "constrained" => Ok(Self::Constrained),
            _ => Err(OptionError::UnknownTrainingUse),
        }
    }
}

fn visible_text(field: &'static str, text: &str) -> Result<String, OptionError> {
    // With the spaces around it, so that a length can be told before anything is trimmed.
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(OptionError::TextTooLong { field, length });
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(OptionError::EmptyText { field });
    }
    match text.chars().enumerate().find(|(_, c)| is_forbidden(*c)) {
        Some((index, c)) => {
            Err(OptionError::ForbiddenCharacter { field, code: u32::from(c), position: index + 1 })
        }
        None => Ok(text.to_owned()),
    }
}

/// Control characters, and the direction marks of UAX 9 with which one name can be made to look like another.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}' | '\u{FEFF}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creator_is_visible_text() {
        assert_eq!("  Zoë Ağaoğlu 山田 ".parse::<Creator>().unwrap().as_str(), "Zoë Ağaoğlu 山田");
        for bad in ["", " \t", "a\u{0}b", "a\nb", "abc\u{202E}cba", "\u{200F}abc", "a\u{7f}"] {
            assert!(bad.parse::<Creator>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!("é".repeat(1_000).parse::<Title>().is_ok());
        assert_eq!(
            "é".repeat(10_000).parse::<Title>(),
            Err(OptionError::TextTooLong { field: "title", length: 10_000 })
        );
    }

    #[test]
    fn spaces_around_a_text_count_as_well() {
        assert!(format!(" {}", "a".repeat(999)).parse::<Creator>().is_ok());
        assert_eq!(
            format!(" {}", "a".repeat(1_000)).parse::<Creator>(),
            Err(OptionError::TextTooLong { field: "creator", length: 1_001 })
        );
    }

    #[test]
    fn an_error_says_where() {
        let error = "ab\u{202E}".parse::<Creator>().unwrap_err().to_string();
        assert!(
            error.contains("creator") && error.contains("U+202E") && error.contains("position 3"),
            "{error}"
        );
    }
}
