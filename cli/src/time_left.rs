//! How long the rest of a run takes, in words.

use std::time::Duration;

/// The pause between two lines that say how far a run is.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);

/// How long `left` things take at `rate` a second, such as `3 min`.
pub(crate) fn time_left(left: u64, rate: f64) -> String {
    let time = Duration::try_from_secs_f64(left as f64 / rate.max(0.001)).unwrap_or(Duration::MAX);
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", time.as_secs_f64() / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_as_people_tell_it() {
        assert_eq!(time_left(119, 1.0), "119 s");
        assert_eq!(time_left(90_000, 100.0), "15 min");
        assert_eq!(time_left(90_000, 10.0), "2.5 h");
    }

    #[test]
    fn a_run_that_stands_still_takes_long_and_nothing_breaks() {
        assert!(time_left(u64::MAX, 0.0).ends_with(" h"));
    }
}
