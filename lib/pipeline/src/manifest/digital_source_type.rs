//! What kind of picture it is, in the words of the IPTC.

use std::{fmt, str::FromStr};

use super::OptionError;

/// A term of the IPTC digital source type vocabulary, or one of the two that C2PA adds
/// (C2PA 2.4, section 18.16.4). Retired terms are read but not written, so they are not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigitalSourceType(&'static str);

const IPTC: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";
const C2PA: &str = "http://c2pa.org/digitalsourcetype/";

const IPTC_TERMS: [&str; 17] = [
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
    "compositeWithTrainedAlgorithmicMedia",
    "computationalCapture",
    "dataDrivenMedia",
    "digitalCapture",
    "digitalCreation",
    "humanEdits",
    "negativeFilm",
    "positiveFilm",
    "print",
    "screenCapture",
    "trainedAlgorithmicMedia",
    "virtualRecording",
];

const C2PA_TERMS: [&str; 2] = ["empty", "trainedAlgorithmicData"];

impl DigitalSourceType {
    /// Every term.
    pub fn all() -> impl Iterator<Item = Self> {
        IPTC_TERMS.into_iter().chain(C2PA_TERMS).map(Self)
    }

    /// The short name, for example `trainedAlgorithmicMedia`.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The full URI, as it stands in a manifest.
    pub fn uri(self) -> String {
        let vocabulary = if C2PA_TERMS.contains(&self.0) { C2PA } else { IPTC };
        format!("{vocabulary}{}", self.0)
    }
}

impl FromStr for DigitalSourceType {
    type Err = OptionError;

    /// Takes the short name or the URI, `http` or `https`.
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let plain = text.replacen("https://", "http://", 1);
        let (terms, name): (&[&'static str], &str) = if let Some(name) = plain.strip_prefix(IPTC) {
            (&IPTC_TERMS, name)
        } else if let Some(name) = plain.strip_prefix(C2PA) {
            (&C2PA_TERMS, name)
        } else if C2PA_TERMS.contains(&text) {
            (&C2PA_TERMS, text)
        } else {
            (&IPTC_TERMS, text)
        };
        terms.iter().find(|term| **term == name).map(|term| Self(term)).ok_or_else(|| {
            OptionError::UnknownDigitalSourceType {
                known: [&IPTC_TERMS[..], &C2PA_TERMS[..]].concat().join(", "),
            }
        })
    }
}

impl fmt::Display for DigitalSourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_name_and_uri_mean_the_same() {
        let short: DigitalSourceType = "trainedAlgorithmicMedia".parse().unwrap();
        assert_eq!(short.uri(), "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia");
        assert_eq!(short.uri().parse(), Ok(short));
        assert_eq!(short.uri().replace("http:", "https:").parse(), Ok(short));
        let empty: DigitalSourceType = "empty".parse().unwrap();
        assert_eq!(empty.uri(), "http://c2pa.org/digitalsourcetype/empty");
        assert_eq!(empty.uri().parse(), Ok(empty));
    }

    #[test]
    fn an_unknown_term_names_the_known_ones() {
        let error = "photo".parse::<DigitalSourceType>().unwrap_err();
        assert!(error.to_string().contains("digitalCapture"), "{error}");
        assert!("http://cv.iptc.org/newscodes/digitalsourcetype/empty".parse::<DigitalSourceType>().is_err());
    }
}
