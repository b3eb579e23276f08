//! Moves proofs between every two stores with the command itself, kills it on the way, takes the move back, and looks whether
//! all is as it should be each time:
//!
//! ```text
//! cargo build --workspace --bin credlink --example migration_figures
//! migration_figures CREDLINK DIR 10000 5000 20
//! ```
//!
//! CREDLINK is the built command, DIR an empty folder. 10000 proofs move between stores of this machine, 5000 where one of
//! both is in a local AWS; each migration is done once without a disturbance, rolled back, and done again by processes
//! that are killed with SIGKILL 20 times. Further arguments name the stores: local, postgres, dynamodb, s3.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod command;
mod contents;
mod migration;
mod places;

use std::{env, error::Error, path::PathBuf};

use places::Kind;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("give CREDLINK DIR PROOFS PROOFS_ON_AWS KILLS [STORE…]");
    let (credlink, dir) = (PathBuf::from(next()?), PathBuf::from(next()?));
    let (here, on_aws, kills): (usize, usize, u32) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let named: Vec<Kind> = arguments.map(|name| name.parse()).collect::<Result<_>>()?;
    let kinds = if named.is_empty() { Kind::ALL.to_vec() } else { named };
    println!(
        "| from | to | proofs | fill | move | a second | roll back | killed {kills} times | peak memory |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for from in &kinds {
        for to in kinds.iter().filter(|to| *to != from) {
            let proofs = if from.is_on_aws() || to.is_on_aws() { on_aws } else { here };
            migration::measure(&credlink, &dir, (*from, *to), proofs, kills).await?;
        }
    }
    Ok(())
}
