//! How far a run is, on standard error: a bar on a terminal, and a line from time to time elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use credlink_proofs::migration::{Step, Watch};
use indicatif::{ProgressBar, ProgressStyle};

use crate::time_left::{PAUSE, time_left};

const BAR: &str = "{msg} {bar:32} {pos} of {len}, {per_sec}, {eta} left";

/// Where nobody knows yet how many there are.
const COUNTER: &str = "{msg} {pos}, {per_sec}";

/// Shows how far a run is.
pub(super) struct Progress {
    state: Mutex<State>,
}

struct State {
    what: String,
    /// How many there are, and how many of them an earlier process did.
    total: Option<(u64, u64)>,
    done: u64,
    began: Instant,
    last: Instant,
    bar: Option<ProgressBar>,
    is_terminal: bool,
}

impl Progress {
    /// Nothing has begun yet.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let is_terminal = io::stderr().is_terminal();
        let state = State {
            what: String::new(),
            total: None,
            done: 0,
            began: now,
            last: now,
            bar: None,
            is_terminal,
        };
        Self { state: Mutex::new(state) }
    }

    /// Clears the terminal for the result.
    pub(super) fn end(&self) {
        if let Some(bar) = self.state().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A panic cannot leave it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Progress {
    fn begin(&self, step: Step) {
        let (what, total) = match step {
            Step::ListingSource { round } => (format!("Listing the source, round {round}:"), None),
            Step::ListingDestination { round } => (format!("Listing the destination, round {round}:"), None),
            Step::Copying { round, proofs, done } => {
                (format!("Copying, round {round}:"), Some((proofs, done)))
            }
            Step::Measuring { proofs } => ("Reading:".to_owned(), Some((proofs, 0))),
            Step::RollingBack { proofs } => ("Rolling back:".to_owned(), Some((proofs, 0))),
        };
        self.state().begin(what, total);
    }

    fn advance(&self, proofs: u64) {
        self.state().advance(proofs);
    }
}

impl State {
    fn begin(&mut self, what: String, total: Option<(u64, u64)>) {
        let now = Instant::now();
        (self.what, self.total, self.done) = (what, total, 0);
        (self.began, self.last) = (now, now);
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.is_terminal {
            self.bar = Some(self.new_bar());
        } else {
            self.tell();
        }
    }

    fn new_bar(&self) -> ProgressBar {
        let (bar, template) = match self.total {
            Some((total, before)) => (ProgressBar::new(total).with_position(before), BAR),
            None => (ProgressBar::no_length(), COUNTER),
        };
        // A template that cannot be read leaves the usual bar.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(self.what.clone());
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        bar
    }

    fn advance(&mut self, proofs: u64) {
        self.done += proofs;
        match &self.bar {
            Some(bar) => bar.inc(proofs),
            None if self.last.elapsed() >= PAUSE => {
                self.last = Instant::now();
                self.tell();
            }
            None => {}
        }
    }

    fn tell(&self) {
        // When standard error is closed, nobody wants to know.
        writeln!(io::stderr(), "{}", self.line()).ok();
    }

    fn line(&self) -> String {
        let rate = self.done as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let Some((total, before)) = self.total else {
            return format!("{} {}, {rate:.0} a second", self.what, self.done);
        };
        let done = before + self.done;
        if self.done == 0 {
            return format!("{} {done} of {total}", self.what);
        }
        let left = time_left(total.saturating_sub(done), rate);
        format!("{} {done} of {total}, {rate:.0} a second, {left} left", self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_long_it_will_take() {
        let began = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let mut state = State {
            what: "Copying, round 1:".to_owned(),
            total: Some((100_000, 400)),
            done: 200,
            began,
            last: began,
            bar: None,
            is_terminal: false,
        };
        let line = state.line();
        assert!(
            line.starts_with("Copying, round 1: 600 of 100000, ") && line.ends_with(" min left"),
            "{line}"
        );
        state.total = None;
        assert!(state.line().starts_with("Copying, round 1: 200, "), "{}", state.line());
    }
}
