//! Asks those who publish which certificates were revoked, and remembers what they say.

use aws_lc_rs::rand;
use bytes::Bytes;

use super::{
    addresses,
    answer::{Answer, Standing, Subject},
    list,
    memory::{Key, MAX_KEPT_RESPONSE, Memory},
    ocsp,
};
use crate::{
    certificate::chain::read,
    revocation_source::{FetchError, RevocationSource},
    timestamp::Timestamp,
};

/// Asks about revocation, and remembers the answers: at most 1,024, each until its next update or for an hour.
/// Failures are remembered for a minute.
pub struct RevocationService {
    source: Box<dyn RevocationSource>,
    memory: Memory,
}

/// In which way it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A responder.
    Ocsp,
    /// A revocation list.
    List,
}

impl Way {
    /// What is asked, in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ocsp => "OCSP response",
            Self::List => "revocation list",
        }
    }

    /// The addresses that the certificate names for it.
    pub(super) fn addresses<'a>(self, subject: Subject<'a>) -> Vec<&'a str> {
        match self {
            Self::Ocsp => addresses::responders(subject.certificate),
            Self::List => addresses::lists(subject.certificate),
        }
    }
}

impl RevocationService {
    /// Asks through `source`.
    pub fn new(source: Box<dyn RevocationSource>) -> Self {
        Self { source, memory: Memory::new() }
    }

    /// An OCSP response in DER to staple to a signature: fresh at `now`, verified, and saying that the first certificate
    /// of `chain` (DER, each followed by its issuer) is not revoked. `None` when there is none; the log says why.
    pub async fn staple(&self, chain: &[Vec<u8>], now: Timestamp) -> Option<Bytes> {
        let [certificate, issuer, ..] = chain else { return None };
        let (Some(certificate), Some(issuer)) = (read(certificate), read(issuer)) else {
            tracing::warn!(
                "no OCSP response is stapled: the signing certificate or its issuer's cannot be read"
            );
            return None;
        };
        let subject = Subject { certificate: &certificate, issuer: &issuer };
        if Way::Ocsp.addresses(subject).is_empty() {
            tracing::debug!("no OCSP response is stapled: the signing certificate names no responder");
            return None;
        }
        let not_good = |_, answer: &Answer| match (&answer.standing, &answer.response) {
            (Standing::Good, Some(response)) if response.len() <= MAX_KEPT_RESPONSE => None,
            (Standing::Good, _) => Some(format!("the response has more than {MAX_KEPT_RESPONSE} bytes")),
            (standing, _) => Some(format!("the signing certificate is not in order: {standing:?}")),
        };
        match self.ask(&[Way::Ocsp], subject, now, not_good).await {
            Ok((_, answer)) => answer.response,
            Err(reasons) => {
                tracing::warn!(reason = reasons.join("; "), "no OCSP response is stapled");
                None
            }
        }
    }

    /// Asks in several ways, one after the other, until there is an answer to which there is no objection; in the time
    /// that the source sets for all of them together.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn ask(
        &self,
        ways: &[Way],
        subject: Subject<'_>,
        now: Timestamp,
        objection: impl Fn(Way, &Answer) -> Option<String> + Send + Sync,
    ) -> Result<(Way, Answer), Vec<String>> {
        let mut found = None;
        let mut reasons = Vec::new();
        let mut silent = None;
        let asking = async {
            for way in ways {
                let answer = self.answer(*way, subject, now, &mut silent).await;
                match answer.and_then(|answer| objection(*way, &answer).map_or(Ok(answer), Err)) {
                    Ok(answer) => {
                        found = Some((*way, answer));
                        return;
                    }
                    Err(reason) => reasons.push(reason),
                }
            }
        };
        if !self.source.within_limit(Box::pin(asking)).await {
            let reason = "the time for asking was up before there was an answer";
            reasons.push(reason.into());
            if let Some(address) = silent {
                self.memory.keep(address, &Err(reason.into()), now);
            }
        }
        found.ok_or(reasons)
    }

    /// Asks the addresses that the certificate names, one after the other, until there is an answer that counts. The
    /// address that has not answered yet is noted in `silent`.
    async fn answer(
        &self,
        way: Way,
        subject: Subject<'_>,
        now: Timestamp,
        silent: &mut Option<Key>,
    ) -> Result<Answer, String> {
        let (certificate, issuer) = (subject.certificate.as_raw(), subject.issuer.as_raw());
        let key = Key::of(&[way.name().as_bytes(), certificate, issuer]);
        if let Some(outcome) = self.memory.recall(key, now) {
            return outcome;
        }
        let mut reasons = Vec::new();
        let mut answer = None;
        for address in way.addresses(subject) {
            match self.answer_of(address, way, subject, now, silent).await {
                Ok(found) => {
                    answer = Some(found);
                    break;
                }
                Err(reason) => reasons.push(reason),
            }
        }
        let outcome = answer.ok_or_else(|| reasons.join("; "));
        self.memory.keep(key, &outcome, now);
        outcome
    }

    async fn answer_of(
        &self,
        address: &str,
        way: Way,
        subject: Subject<'_>,
        now: Timestamp,
        silent: &mut Option<Key>,
    ) -> Result<Answer, String> {
        // An address that lately did not answer is not asked again, whatever the certificate.
        let key = Key::of(&[b"address", address.as_bytes()]);
        if let Some(Err(reason)) = self.memory.recall(key, now) {
            return Err(reason);
        }
        *silent = Some(key);
        let failed = |error: FetchError| {
            let reason = error.to_string();
            self.memory.keep(key, &Err(reason.clone()), now);
            reason
        };
        let answer = match way {
            Way::Ocsp => {
                let mut nonce = [0_u8; 16];
                rand::fill(&mut nonce).map_err(|_| "there is no random number for the OCSP request")?;
                let request = ocsp::request(subject, &nonce).ok_or("the OCSP request cannot be written")?;
                let response = self.source.ocsp(address, request).await.map_err(failed)?;
                ocsp::answer(&response, subject, Some(&nonce))
            }
            Way::List => {
                let list = self.source.revocation_list(address).await.map_err(failed)?;
                list::answer(&list, subject)
            }
        };
        *silent = None;
        answer
            .and_then(|answer| answer.current(now))
            .map_err(|reason| format!("the {} of {address} does not count: {reason}", way.name()))
    }
}
