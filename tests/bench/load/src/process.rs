//! What processes take, from /proc (proc(5)).

use std::{
    fs,
    time::{Duration, Instant},
};

/// Linux counts processor time for programs in hundredths of a second, on every architecture it has now.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process, alone or with its children. Who ended meanwhile counts as nothing.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    id: u32,
    with_children: bool,
}

/// What it takes now.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Instant,
    /// Processor time so far.
    busy: Duration,
    /// Bytes in memory.
    pub resident: u64,
    pub open_files: usize,
}

impl Process {
    /// A server, and the processes that it works with.
    pub fn server(id: u32) -> Self {
        Self { id, with_children: true }
    }

    /// This program, without the servers that it started.
    pub fn this() -> Self {
        Self { id: std::process::id(), with_children: false }
    }

    pub fn usage(self) -> Usage {
        let mut usage = Usage { at: Instant::now(), busy: Duration::ZERO, resident: 0, open_files: 0 };
        self.add_to(&mut usage);
        usage
    }

    fn add_to(self, usage: &mut Usage) {
        let id = self.id;
        usage.busy += busy(id).unwrap_or_default();
        usage.resident += resident(id).unwrap_or_default();
        usage.open_files += fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
        if self.with_children {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                Self::server(child).add_to(usage);
            }
        }
    }
}

impl Usage {
    /// Cores that were busy between `earlier` and this.
    pub fn cores_since(&self, earlier: &Self) -> f64 {
        self.busy.saturating_sub(earlier.busy).as_secs_f64() / (self.at - earlier.at).as_secs_f64()
    }
}

fn busy(id: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

fn resident(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}
