//! Both stores against each other, and against what the run did: what is to do, and how things stand.

use std::collections::{HashMap, HashSet};

use credlink_pipeline::{digest::Sha256Hash, proof::ProofId};
use uuid::Uuid;

use super::{
    buckets::{self, LAST_PART},
    error::MigrationError,
    findings::{Finding, FindingKind, Findings},
    journal,
    listing::{self, Listed},
    mark::Mark,
    plan::{OnConflict, Options},
    report::{Counts, Reconciliation, SideCounts},
    run_folder::RunFolder,
    trace::{Standing, Trace, Traces, traces_of},
    work::{Task, Why, WorkWriter},
};

/// The lists of a round: the source's, the destination's as it was before the run, and as it is.
pub(super) const SOURCE: &str = "source";
pub(super) const BEFORE: &str = "before";
pub(super) const DESTINATION: &str = "destination";

/// The journal, by proofs.
pub(super) const JOURNAL: &str = "journal";

/// What a comparison found.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) counts: Counts,
    pub(super) reconciliation: Reconciliation,
    pub(super) failures: Vec<Finding>,
    pub(super) conflicts: Vec<Finding>,
    /// How many tasks there are now.
    pub(super) tasks: u64,
}

/// Compares the lists of `round` and writes down what there is to do; in the last round, who remains.
pub(super) fn compare(run: &RunFolder, round: u32, is_last: bool) -> Result<Comparison, MigrationError> {
    journal::spread(&run.journal(), &run.listed(JOURNAL))?;
    let destination = if round == 1 { BEFORE } else { DESTINATION };
    let mut comparing = Comparing {
        options: run.plan().options,
        is_last,
        counts: Counts::default(),
        sides: [Side::default(), Side::default()],
        only_in_source: 0,
        different: 0,
        only_in_destination_before: 0,
        only_in_destination_since: 0,
        findings: Findings::create(&run.findings())?,
        work: WorkWriter::create(&run.work())?,
    };
    for part in 0..=LAST_PART {
        let source = listing::read(&run.listed(SOURCE), part)?;
        let destination = listing::read(&run.listed(destination), part)?;
        let before = listing::read(&run.listed(BEFORE), part)?;
        let traces = traces_in(run, part)?;
        comparing.part(&source, &destination, &before, &traces)?;
    }
    comparing.finish()
}

/// What the journal tells of the proofs of one part.
pub(super) fn traces_in(run: &RunFolder, part: u8) -> Result<Traces, MigrationError> {
    let lines = buckets::read(&run.listed(JOURNAL), part)?;
    Ok(traces_of(journal::lines_in(&lines)))
}

struct Comparing {
    options: Options,
    is_last: bool,
    counts: Counts,
    /// The source, and the destination.
    sides: [Side; 2],
    only_in_source: u64,
    different: u64,
    only_in_destination_before: u64,
    only_in_destination_since: u64,
    findings: Findings,
    work: WorkWriter,
}

/// One side while it is counted.
#[derive(Default)]
struct Side {
    proofs: u64,
    /// The entries of the part that is at hand.
    part: Vec<u8>,
    /// The digests of the parts before.
    parts: Vec<u8>,
}

impl Side {
    fn add(&mut self, listed: &Listed) {
        self.proofs += 1;
        self.part.extend_from_slice(Uuid::from(listed.id).as_bytes());
        self.part.extend_from_slice(&listed.mark.to_bytes());
    }

    fn end_part(&mut self) {
        self.parts.extend_from_slice(Sha256Hash::of(&self.part).as_bytes());
        self.part.clear();
    }

    fn counts(&self) -> SideCounts {
        SideCounts { proofs: self.proofs, digest: Sha256Hash::of(&self.parts) }
    }
}

impl Comparing {
    fn part(
        &mut self,
        source: &[Listed],
        destination: &[Listed],
        before: &[Listed],
        traces: &Traces,
    ) -> Result<(), MigrationError> {
        let there: HashMap<ProofId, &Listed> = destination.iter().map(|listed| (listed.id, listed)).collect();
        let untouched = Trace::default();
        for listed in source {
            if listed.is_expired && !self.options.include_expired {
                self.counts.expired += 1;
                continue;
            }
            let trace = traces.get(&listed.id).unwrap_or(&untouched);
            self.sides[0].add(listed);
            match there.get(&listed.id) {
                None => {
                    self.only_in_source += 1;
                    self.missing(listed, trace)?;
                }
                Some(there) => {
                    self.sides[1].add(there);
                    self.different += u64::from(there.mark != listed.mark || there.is_damaged);
                    self.in_both(listed, there, trace)?;
                }
            }
        }
        self.only_in_destination(source, destination, before, traces);
        self.sides.iter_mut().for_each(Side::end_part);
        Ok(())
    }

    /// The destination lacks the proof.
    fn missing(&mut self, listed: &Listed, trace: &Trace) -> Result<(), MigrationError> {
        if listed.is_newer {
            return self.fail(listed.id, NEWER);
        }
        match &trace.standing {
            Standing::Failed { is_lasting: true, mark, reason } if *mark == listed.mark => {
                self.fail(listed.id, reason)
            }
            Standing::Failed { reason, .. } if self.is_last => self.fail(listed.id, reason),
            Standing::Untouched | Standing::Left { .. } => self.add_task(listed, Why::New, None),
            _ => self.add_task(listed, Why::Again, None),
        }
    }

    /// The destination has the proof, or another one of its id.
    fn in_both(&mut self, listed: &Listed, there: &Listed, trace: &Trace) -> Result<(), MigrationError> {
        if there.is_damaged {
            return self.fail(listed.id, "the destination has a proof of this id that cannot be read; look at it, and remove it there if it is worth nothing");
        }
        if listed.is_newer {
            return self.fail(listed.id, NEWER);
        }
        if there.mark == listed.mark && !listed.is_damaged {
            return self.same(listed, there, trace);
        }
        if trace.is_ours(there.mark, None) && !listed.is_damaged {
            return match &trace.standing {
                Standing::Failed { is_lasting: true, mark, reason } if *mark == listed.mark => {
                    self.fail(listed.id, reason)
                }
                _ => self.add_task(listed, Why::Changed, Some(there.mark)),
            };
        }
        self.conflict(listed, there.mark, trace)
    }

    /// Both sides say the same.
    fn same(&mut self, listed: &Listed, there: &Listed, trace: &Trace) -> Result<(), MigrationError> {
        match &trace.standing {
            Standing::Written => self.count_copied(trace),
            Standing::Open if trace.is_ours(there.mark, None) => {
                return self.add_task(listed, Why::Check, Some(there.mark));
            }
            Standing::Failed { reason, .. } if trace.is_ours(there.mark, None) => {
                return match self.is_last {
                    true => self.fail(listed.id, reason),
                    false => self.add_task(listed, Why::Check, Some(there.mark)),
                };
            }
            _ => self.counts.already_there += 1,
        }
        Ok(())
    }

    /// The destination has another proof of this id, and not from this run.
    fn conflict(&mut self, listed: &Listed, there: Mark, trace: &Trace) -> Result<(), MigrationError> {
        match (&trace.standing, self.options.on_conflict) {
            (Standing::Failed { is_lasting: true, mark, reason }, _) if *mark == listed.mark => {
                self.fail(listed.id, reason)
            }
            (Standing::Failed { reason, .. }, _) if self.is_last => self.fail(listed.id, reason),
            (Standing::Left { source, destination, reason }, OnConflict::OverwriteIfNewer)
                if *source == listed.mark && *destination == there =>
            {
                self.leave(listed.id, reason)
            }
            (_, OnConflict::OverwriteIfNewer) => self.add_task(listed, Why::Conflict, None),
            _ if listed.is_damaged => self.add_task(listed, Why::Conflict, None),
            _ if listed.mark.is_same_proof(there) => self.leave(
                listed.id,
                "the destination has the same proof with another stamped copy, or one has none",
            ),
            _ => self.leave(listed.id, "the destination has another proof of this id"),
        }
    }

    fn only_in_destination(
        &mut self,
        source: &[Listed],
        destination: &[Listed],
        before: &[Listed],
        traces: &Traces,
    ) {
        let of_source: HashSet<ProofId> = source.iter().map(|listed| listed.id).collect();
        let of_before: HashSet<ProofId> = before.iter().map(|listed| listed.id).collect();
        for there in destination.iter().filter(|there| !of_source.contains(&there.id)) {
            match traces.get(&there.id).filter(|trace| trace.is_ours(there.mark, None)) {
                Some(trace) => {
                    self.count_copied(trace);
                    self.counts.gone_meanwhile += 1;
                }
                None if of_before.contains(&there.id) => self.only_in_destination_before += 1,
                None => self.only_in_destination_since += 1,
            }
        }
    }

    fn count_copied(&mut self, trace: &Trace) {
        self.counts.copied += 1;
        self.counts.bytes += trace.bytes;
        self.counts.overwritten += u64::from(trace.replaced);
        self.counts.came_meanwhile += u64::from(trace.came_meanwhile());
        self.counts.changed_meanwhile += u64::from(trace.changed_meanwhile());
    }

    fn add_task(&mut self, listed: &Listed, why: Why, ours: Option<Mark>) -> Result<(), MigrationError> {
        if self.is_last {
            self.counts.remaining += 1;
            let reason = "it came or changed until the run ended; begin another run";
            return self.findings.add(listed.id, FindingKind::Remaining, reason);
        }
        self.work.add(Task { id: listed.id, why, mark: listed.mark, ours })
    }

    fn fail(&mut self, id: ProofId, reason: &str) -> Result<(), MigrationError> {
        self.counts.failed += 1;
        self.findings.add(id, FindingKind::Failed, reason)
    }

    fn leave(&mut self, id: ProofId, reason: &str) -> Result<(), MigrationError> {
        self.counts.conflicts += 1;
        self.findings.add(id, FindingKind::Conflict, reason)
    }

    fn finish(mut self) -> Result<Comparison, MigrationError> {
        self.findings.finish()?;
        let tasks = self.work.finish()?;
        let [source, destination] = self.sides.each_ref().map(Side::counts);
        Ok(Comparison {
            counts: self.counts,
            reconciliation: Reconciliation {
                source,
                destination,
                equal: source == destination,
                only_in_source: self.only_in_source,
                different: self.different,
                only_in_destination_before: self.only_in_destination_before,
                only_in_destination_since: self.only_in_destination_since,
            },
            failures: self.findings.failures,
            conflicts: self.findings.conflicts,
            tasks,
        })
    }
}

/// Why a proof is not copied that a newer version wrote.
const NEWER: &str = "its record says more than this version of CredLink understands, and a copy would lose it; migrate with \
                     the newest version that writes into this store";
