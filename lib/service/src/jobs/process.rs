//! What this process is called where leases are held.

use std::{env, fs, process};

use uuid::Uuid;

/// The longest name of a machine that is taken over.
const MAX_HOST_CHARS: usize = 64;

/// A name for people, and of this process alone: machine, process id, and some random digits.
pub fn holder() -> String {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    format!("{}, process {}, {:08x}", host(), process::id(), random >> 32)
}

fn host() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = named.or_else(|| env::var("HOSTNAME").ok()).unwrap_or_default();
    let name: String = named.trim().chars().take(MAX_HOST_CHARS).collect();
    if name.is_empty() { "a machine without a name".to_owned() } else { name }
}
