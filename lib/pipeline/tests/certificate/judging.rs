//! Asks for a judgement and looks at it.

use credlink_pipeline::{
    certificate::{Check, CheckName, CheckResult, Judgement, Question, judge, revocation::RevocationService},
    credential::{ClaimSignature, StatusKind},
    timestamp::Timestamp,
    trust::AnchorList,
};

use crate::authority::now;

/// What is asked, with everything that most tests do not care about left out.
pub(crate) struct Asked<'a> {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) anchors: AnchorList,
    pub(crate) staples: Vec<Vec<u8>>,
    pub(crate) stamped: Option<Timestamp>,
    pub(crate) now: Timestamp,
    pub(crate) revocation: Option<&'a RevocationService>,
}

pub(crate) fn asked(chain: &[&[u8]], anchors: AnchorList) -> Asked<'static> {
    Asked {
        chain: chain.iter().map(|der| der.to_vec()).collect(),
        anchors,
        staples: Vec::new(),
        stamped: None,
        now: now(),
        revocation: None,
    }
}

impl Asked<'_> {
    pub(crate) fn judged(self) -> Judgement {
        let signature = ClaimSignature {
            algorithm: Some("es256"),
            chain: self.chain,
            stamps: Vec::new(),
            stamped_later: Vec::new(),
            staples: self.staples,
        };
        let question = Question {
            signature: &signature,
            anchors: &self.anchors,
            stamped: self.stamped,
            now: self.now,
            revocation: self.revocation,
        };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(judge(question))
    }
}

pub(crate) fn check(judgement: &Judgement, name: CheckName) -> Check {
    let report = judgement.report.as_ref().expect("a report");
    report.checks.iter().find(|check| check.name == name).expect("every check").clone()
}

/// The names of the checks that failed.
pub(crate) fn failed(judgement: &Judgement) -> Vec<CheckName> {
    let report = judgement.report.as_ref().expect("a report");
    let failed = report.checks.iter().filter(|check| check.result == CheckResult::Failed);
    failed.map(|check| check.name).collect()
}

/// The codes of failures, each once.
pub(crate) fn failures(judgement: &Judgement) -> Vec<&str> {
    codes(judgement, StatusKind::Failure)
}

pub(crate) fn codes(judgement: &Judgement, kind: StatusKind) -> Vec<&str> {
    let mut codes: Vec<&str> =
        judgement.status.iter().filter(|s| s.kind == kind).map(|s| s.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}
