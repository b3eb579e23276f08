//! Points in time, as the API writes them, and the port that tells the time.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{
    Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description,
};

/// A point in time, UTC, to the millisecond; written as RFC 3339, `2026-01-31T08:15:30.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The given time, cut to whole milliseconds.
    pub fn new(time: OffsetDateTime) -> Self {
        let utc = time.to_offset(UtcOffset::UTC);
        let millis = utc.millisecond();
        Self(utc.replace_millisecond(millis).unwrap_or(utc))
    }

    /// Parses RFC 3339 with any offset.
    ///
    /// # Errors
    /// When `text` is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, time::error::Parse> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self::new)
    }

    /// The time as the `time` crate knows it.
    pub fn as_offset_date_time(self) -> OffsetDateTime {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_milliseconds(self) -> i64 {
        self.0.unix_timestamp() * 1000 + i64::from(self.0.millisecond())
    }

    /// The time so many milliseconds after 1970-01-01T00:00:00Z; `None` when it is not in the years -9999 to 9999.
    pub fn from_unix_milliseconds(milliseconds: i64) -> Option<Self> {
        let nanoseconds = i128::from(milliseconds) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok().map(Self::new)
    }

    /// Whole milliseconds from `earlier` to this time; 0 when the clock went back in between.
    pub fn milliseconds_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0).whole_milliseconds()).unwrap_or(0)
    }

    /// This time plus `days` days; the largest representable time where that overflows.
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(Duration::days(i64::from(days))))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        f.write_str(&self.0.format(format).map_err(|_| std::fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// Tells the time. The pipeline has no clock of its own, so that a test can set it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_utc_with_milliseconds() {
        let time = Timestamp::parse("2026-01-31T10:15:30.2509+02:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-31T08:15:30.250Z");
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-01-31T08:15:30.250Z\"");
    }

    #[test]
    fn counts_milliseconds_before_1970_too() {
        for (text, milliseconds) in [
            ("1969-12-31T23:59:59.999Z", -1),
            ("1970-01-01T00:00:01.250Z", 1250),
            ("1969-12-31T23:59:58Z", -2000),
        ] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(time.unix_milliseconds(), milliseconds, "{text}");
            assert_eq!(Timestamp::from_unix_milliseconds(milliseconds), Some(time));
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        assert_eq!(Timestamp::from_unix_milliseconds(i64::MAX), None);
    }

    #[test]
    fn adds_days_across_a_leap_year() {
        let time = Timestamp::parse("2027-12-31T00:00:00Z").unwrap();
        assert_eq!(time.plus_days(366).to_string(), "2028-12-31T00:00:00.000Z");
    }
}
