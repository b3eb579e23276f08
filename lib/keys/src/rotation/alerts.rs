//! What people are told, each thing once and not at every retry.

use credlink_pipeline::timestamp::Timestamp;

use super::{
    call::limited, notes::Notes, ports::Announcer, report::SignerFacts, state::Told, step::RotationError,
};

/// A little less than a day: a daily run that is early by some minutes tells again.
const PAUSE_SECONDS: i64 = 20 * 60 * 60;

/// The most that is remembered.
const MAX_TOLD: usize = 32;

/// Something to tell.
pub(super) struct Alert {
    /// What it is about, without what changes from one time to the next.
    about: String,
    subject: String,
    text: String,
}

impl Alert {
    pub(super) fn success(from: Option<&SignerFacts>, to: &SignerFacts) -> Self {
        let from = from.map_or_else(|| "nobody".to_owned(), SignerFacts::to_string);
        let mut text = format!("A new key signs since {}: {to}.\nBefore: {from}.", to.activated_at);
        if let Some(leaf) = &to.leaf {
            text += &format!(
                "\nCertificate: {}, issued by {}, serial number {}, SHA-256 {}.",
                leaf.subject, leaf.issuer, leaf.serial_number, leaf.sha256
            );
        }
        text += "\n\nNothing is to be done. To go back: credlink keys rollback.";
        Self {
            about: "rotated".to_owned(),
            subject: "CredLink: the signing key was replaced".to_owned(),
            text,
        }
    }

    pub(super) fn failure(error: &RotationError, days_left: Option<i64>) -> Self {
        let fault = &error.fault;
        Self {
            about: format!("{} {} {}", error.step, fault.resource, wording(&fault.problem)),
            subject: format!("CredLink: the signing key was not replaced ({})", error.step),
            text: format!("{error}.\n\n{}", standing(days_left)),
        }
    }

    pub(super) fn problem(error: &RotationError) -> Self {
        Self {
            about: format!("{} {} {}", error.step, error.fault.resource, wording(&error.fault.problem)),
            subject: format!("CredLink: earlier signing keys need attention ({})", error.step),
            text: format!("{error}.\n\nThe active signer is not concerned, unless it is named here."),
        }
    }

    pub(super) fn waiting(reason: &str, since: Timestamp, days_left: Option<i64>) -> Self {
        Self {
            about: format!("waiting {}", wording(reason)),
            subject: "CredLink: a new signing certificate is awaited".to_owned(),
            text: format!("Since {since}: {reason}.\n\n{}", standing(days_left)),
        }
    }

    /// Tells it, whatever was told before.
    pub(super) async fn send(&self, announcer: &dyn Announcer) -> bool {
        match limited("the announcement", announcer.announce(&self.subject, &self.text)).await {
            Ok(()) => true,
            Err(fault) => {
                tracing::error!(subject = self.subject, %fault, "nobody could be told");
                false
            }
        }
    }

    /// Tells it, unless it was told today. What is told is in the state afterwards.
    pub(super) async fn send_once(&self, announcer: &dyn Announcer, notes: &mut Notes<'_>, now: Timestamp) {
        let told = &mut notes.state.told;
        // A time in the future is one of a clock that was wrong by as much; an hour is nothing.
        told.retain(|told| (now.unix_seconds() - told.at.unix_seconds()).abs() < PAUSE_SECONDS);
        if told.iter().any(|told| told.about == self.about) {
            return;
        }
        if self.send(announcer).await {
            let told = &mut notes.state.told;
            told.truncate(MAX_TOLD - 1);
            told.insert(0, Told { about: self.about.clone(), at: now });
        }
    }
}

fn standing(days_left: Option<i64>) -> String {
    match days_left {
        Some(days) if days < 0 => {
            "The active certificate has expired: what is signed now is not trusted.".to_owned()
        }
        Some(days) => format!("The active signer is untouched; its certificate is valid for {days} days."),
        None => "No signer is active.".to_owned(),
    }
}

/// A sentence without numbers, times and ids, which differ from one time to the next although it is the same matter.
fn wording(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_matter_is_known_again() {
        let first = wording("waiting for request 4f1c at 2026-01-01T00:00:00Z: put it there");
        let second = wording("waiting for request 9e2d at 2026-01-02T00:00:00Z: put it there");
        assert_eq!(first, second);
        assert_ne!(first, wording("refused for request 9e2d"));
    }
}
