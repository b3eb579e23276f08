//! When a job is due.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use credlink_pipeline::timestamp::Timestamp;
use croner::Cron;
use thiserror::Error;
use time::OffsetDateTime;

use super::job::JobName;

/// Jobs that run more often than this, in seconds, are due when they are seen for the first time.
const OFTEN: u64 = 3600;

/// The times of a job, in UTC.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
}

/// A pattern or a time that the clockwork does not know.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the schedule {pattern:?} cannot be used: {reason}")]
pub struct ScheduleError {
    pattern: String,
    reason: String,
}

/// Whether a job is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Since this time of its schedule.
    Since(Timestamp),
    /// Not before this time.
    At(Timestamp),
    /// The job is seen for the first time. Nothing was missed: it counts as covered up to this time.
    CoveredSince(Timestamp),
}

impl Schedule {
    /// The pattern in the form of crontab(5): minute, hour, day of month, month, day of week.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn new(pattern: &str) -> Result<Self, ScheduleError> {
        let cron = Cron::from_str(pattern);
        let failed = |error: croner::errors::CronError| ScheduleError {
            pattern: pattern.to_owned(),
            reason: error.to_string(),
        };
        Ok(Self { cron: cron.map_err(failed)? })
    }

    /// The times of `job` on one machine. On AWS they stand in the template.
    ///
    /// # Errors
    /// Never for the patterns that stand here; a test looks at them.
    pub fn of(job: JobName) -> Result<Self, ScheduleError> {
        Self::new(match job {
            JobName::ProofCleanup => "0 2 * * *",
            JobName::ProofRestamp => "30 3 * * *",
            JobName::CertificateRotationCheck => "0 5 * * *",
            JobName::HealthMetrics => "*/5 * * * *",
        })
    }

    /// Whether the job is due at `now`, when its schedule needs no run up to and including `covered`.
    ///
    /// A run that was missed is due as soon as somebody looks. A clock that goes back is no reason to run again: the
    /// times that it passes a second time are covered. Only when it stands more than a whole period before what is
    /// covered, it was wrong then, and the job is due now.
    ///
    /// # Errors
    /// [`ScheduleError`] when the clock shows a year that no calendar knows.
    pub fn due(&self, covered: Option<Timestamp>, now: Timestamp) -> Result<Due, ScheduleError> {
        let (last, next) = (self.last(now)?, self.next(now)?);
        let period = next.milliseconds_since(last) / 1000;
        Ok(match covered {
            None if period < OFTEN => Due::Since(last),
            None => Due::CoveredSince(last),
            Some(covered) if covered < last || covered.milliseconds_since(next) > 0 => Due::Since(last),
            // The clock went back: the covered times come again, and are passed over.
            Some(covered) if covered == next => Due::At(self.next(next)?),
            Some(_) => Due::At(next),
        })
    }

    /// The next time after `now`.
    ///
    /// # Errors
    /// [`ScheduleError`] when the clock shows a year that no calendar knows.
    pub fn next(&self, now: Timestamp) -> Result<Timestamp, ScheduleError> {
        self.found(self.cron.find_next_occurrence(&self.calendar(now)?, false))
    }

    /// The last time up to and including `now`.
    fn last(&self, now: Timestamp) -> Result<Timestamp, ScheduleError> {
        self.found(self.cron.find_previous_occurrence(&self.calendar(now)?, true))
    }

    /// Whole seconds: what lies behind a full second has passed it.
    fn calendar(&self, time: Timestamp) -> Result<DateTime<Utc>, ScheduleError> {
        DateTime::from_timestamp(time.unix_seconds(), 0)
            .ok_or_else(|| self.failed(format!("the calendar has no {time}")))
    }

    fn found<E: ToString>(&self, found: Result<DateTime<Utc>, E>) -> Result<Timestamp, ScheduleError> {
        let found = found.map_err(|error| self.failed(error.to_string()))?;
        let time = OffsetDateTime::from_unix_timestamp(found.timestamp());
        time.map(Timestamp::new).map_err(|error| self.failed(error.to_string()))
    }

    fn failed(&self, reason: String) -> ScheduleError {
        ScheduleError { pattern: self.cron.as_str().to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn due(job: JobName, covered: Option<&str>, now: &str) -> Due {
        Schedule::of(job).unwrap().due(covered.map(time), time(now)).unwrap()
    }

    #[test]
    fn every_job_has_its_times() {
        for job in JobName::ALL {
            assert!(Schedule::of(job).is_ok(), "{}", job.name());
        }
        assert!(Schedule::new("every day").unwrap_err().to_string().contains("every day"));
    }

    #[test]
    fn a_daily_job_is_due_once_a_day() {
        let cleanup = JobName::ProofCleanup;
        let covered = Some("2026-01-01T02:00:00Z");
        assert_eq!(due(cleanup, covered, "2026-01-02T01:59:59.999Z"), Due::At(time("2026-01-02T02:00:00Z")));
        assert_eq!(due(cleanup, covered, "2026-01-02T02:00:00Z"), Due::Since(time("2026-01-02T02:00:00Z")));
        let covered = Some("2026-01-02T02:00:00Z");
        assert_eq!(due(cleanup, covered, "2026-01-02T02:00:00Z"), Due::At(time("2026-01-03T02:00:00Z")));
    }

    #[test]
    fn what_was_missed_is_due_once() {
        let cleanup = JobName::ProofCleanup;
        assert_eq!(
            due(cleanup, Some("2026-01-01T02:00:00Z"), "2026-01-20T09:00:00Z"),
            Due::Since(time("2026-01-20T02:00:00Z"))
        );
        assert_eq!(
            due(cleanup, Some("2026-01-20T02:00:00Z"), "2026-01-20T09:00:01Z"),
            Due::At(time("2026-01-21T02:00:00Z"))
        );
    }

    #[test]
    fn at_first_sight_only_what_runs_often_is_due() {
        assert_eq!(
            due(JobName::ProofCleanup, None, "2026-01-20T09:00:00Z"),
            Due::CoveredSince(time("2026-01-20T02:00:00Z"))
        );
        assert_eq!(
            due(JobName::HealthMetrics, None, "2026-01-20T09:03:00Z"),
            Due::Since(time("2026-01-20T09:00:00Z"))
        );
    }

    #[test]
    fn a_clock_that_goes_back_an_hour_runs_nothing_twice() {
        let (cleanup, covered) = (JobName::ProofCleanup, Some("2026-01-02T02:00:00Z"));
        for now in ["2026-01-02T01:10:00Z", "2026-01-02T02:00:00Z", "2026-01-02T02:30:00Z"] {
            assert_eq!(due(cleanup, covered, now), Due::At(time("2026-01-03T02:00:00Z")), "{now}");
        }
    }

    #[test]
    fn a_clock_that_goes_forward_an_hour_skips_nothing() {
        assert_eq!(
            due(JobName::ProofCleanup, Some("2026-01-01T02:00:00Z"), "2026-01-02T02:45:00Z"),
            Due::Since(time("2026-01-02T02:00:00Z"))
        );
    }

    #[test]
    fn a_clock_that_was_wrong_by_years_stops_no_job() {
        assert_eq!(
            due(JobName::ProofCleanup, Some("2036-01-01T02:00:00Z"), "2026-01-02T09:00:00Z"),
            Due::Since(time("2026-01-02T02:00:00Z"))
        );
        assert_eq!(
            due(JobName::HealthMetrics, Some("2026-01-02T10:00:00Z"), "2026-01-02T09:03:00Z"),
            Due::Since(time("2026-01-02T09:00:00Z"))
        );
    }
}
