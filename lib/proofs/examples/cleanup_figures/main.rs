//! Measures the cleanup of expired proofs, and looks whether everything due is gone and nothing else:
//!
//! ```text
//! cargo run --release -p credlink-proofs --example cleanup_figures -- local DIR 200000 20
//! cargo run --release -p credlink-proofs --example cleanup_figures -- aws 10000
//! ```
//!
//! `local` fills the empty folder DIR with proofs, of which every second one is expired, and has them cleaned up by a
//! process of its own that it kills so many times with SIGKILL. `aws` does the same, without a kill, in a local AWS that it
//! starts (`make .tools/aws/installed`), and counts the calls.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod aws;
mod cleaner;
mod local;
mod proofs;

use std::{env, error::Error, path::PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["local", dir, proofs, kills] => {
            local::run(PathBuf::from(dir), proofs.parse()?, kills.parse()?).await
        }
        ["clean", dir] => cleaner::run(PathBuf::from(dir)).await,
        ["aws", proofs] => aws::run(proofs.parse()?).await,
        _ => Err("give `local DIR PROOFS KILLS` or `aws PROOFS`".into()),
    }
}
