//! Fills a store and measures it, look-ups in a process of their own:
//!
//! ```text
//! cargo run --release -p credlink-proofs --example store_figures -- local DIR 1000000
//! cargo run --release -p credlink-proofs --example store_figures -- postgres 1000000
//! ```
//!
//! `local` puts the proofs into the empty folder DIR; `postgres` into a database that it starts (`make postgres`) with its
//! data in the folder for temporary files, and that flushes as in production: the first 10,000 one by one as a service does,
//! the others a thousand at once.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod fill;
mod look_ups;
mod place;
mod proofs;

use std::{
    env,
    error::Error,
    process::{Command, Stdio},
};

use credlink_local_postgres::{LocalPostgres, connect};

use place::Place;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["local", dir, proofs] => {
            let place = format!("local:{dir}");
            measure(&place, proofs)?;
            println!("on disk                {:>9} MB", place::megabytes_of_folder(dir)?);
            Ok(())
        }
        ["postgres", proofs] => {
            let postgres = LocalPostgres::start_durable();
            let url = postgres.make_database().await;
            measure(&url, proofs)?;
            place::print_sizes_of_database(&connect(&url).await).await
        }
        ["fill", place, proofs] => {
            let (store, proofs) = (Place::open(place).await?, proofs.parse()?);
            match place.starts_with("local:") {
                true => fill::run(store, proofs).await,
                false => fill::run_in_bulk(store, place, proofs).await,
            }
        }
        ["look-up", place, proofs] => look_ups::run(&*Place::open(place).await?, proofs.parse()?).await,
        _ => Err("give `local DIR PROOFS` or `postgres PROOFS`".into()),
    }
}

/// Fills the place and looks up there, each in a process of its own.
fn measure(place: &str, proofs: &str) -> Result<()> {
    for task in ["fill", "look-up"] {
        let mut process = Command::new(env::current_exe()?);
        let status = process.args([task, place, proofs]).stdin(Stdio::null()).status()?;
        if !status.success() {
            return Err(format!("{task} failed").into());
        }
    }
    Ok(())
}
