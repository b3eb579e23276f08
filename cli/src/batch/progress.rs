//! How far a run is, on standard error: a bar on a terminal, and a line from time to time elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::time_left::{PAUSE, time_left};

const BAR: &str = "{bar:32} {pos} of {len}{msg}, {per_sec}, {eta} left";

/// How far a run is.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    failed: u64,
    began: Instant,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    /// A run through so many files begins.
    pub(crate) fn begin(files: usize) -> Self {
        let (total, began) = (files as u64, Instant::now());
        let shown = if io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            // A template that cannot be read leaves the usual bar.
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            Shown::Bar(bar)
        } else {
            Shown::Lines { last: began }
        };
        Self { total, done: 0, failed: 0, began, shown }
    }

    /// One more file is done; `write` tells of it where the bar is not in the way.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn advance(&mut self, failed: bool, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.done += 1;
        self.failed += u64::from(failed);
        match &mut self.shown {
            Shown::Bar(bar) => {
                bar.inc(1);
                if failed {
                    bar.set_message(format!(", {} failed", self.failed));
                }
                bar.suspend(write)
            }
            Shown::Lines { last } => {
                if last.elapsed() >= PAUSE {
                    *last = Instant::now();
                    // When standard error is closed, nobody wants to know.
                    writeln!(io::stderr(), "{}", self.line()).ok();
                }
                write()
            }
        }
    }

    /// The run is at its end.
    pub(crate) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn line(&self) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = self.done as f64 / seconds.max(0.001);
        let left = time_left(self.total.saturating_sub(self.done), rate);
        format!(
            "{} of {} done, {} failed, {rate:.1} a second, {left} left",
            self.done, self.total, self.failed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_long_it_will_take() {
        let began = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let shown = Shown::Lines { last: began };
        let line = Progress { total: 100_000, done: 200, failed: 3, began, shown }.line();
        assert!(line.starts_with("200 of 100000 done, 3 failed, ") && line.ends_with(" min left"), "{line}");
    }
}
