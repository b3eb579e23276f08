//! The process that cleans up a folder, and may be killed.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use credlink_proofs::{
    LocalProofStore,
    upkeep::{Sweep, Tally, Upkeep as _},
};

use crate::{Result, proofs::in_two_days};

/// Where the process keeps its place, beside the folder.
pub(crate) fn place_file(folder: &Path) -> PathBuf {
    folder.with_extension("place")
}

/// Cleans up from the place that was kept on. After each page it writes one line; at the end, one that says how much was
/// removed, and its peak of memory.
pub(crate) async fn run(folder: PathBuf) -> Result<()> {
    let store = LocalProofStore::open(&folder)?;
    let sweep = Sweep::new(in_two_days(), false);
    let mut after = fs::read_to_string(place_file(&folder)).ok();
    let mut tally = Tally::default();
    loop {
        let page = store.sweep_page(sweep, after.as_deref()).await?;
        if let Some(fault) = page.faults.first {
            return Err(fault.into());
        }
        tally.add(page.tally);
        let Some(next) = page.next else { break };
        let partial = folder.with_extension("partial");
        fs::write(&partial, &next)?;
        fs::rename(&partial, place_file(&folder))?;
        after = Some(next);
        writeln!(io::stdout().lock(), "page {} kB", peak_memory()?)?;
    }
    println!("done {} kB", peak_memory()?);
    Ok(())
}

/// The most memory that this process ever had, in kilobytes.
pub(crate) fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
