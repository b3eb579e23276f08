//! Runs a local PostgreSQL for tests that are no Rust programs, until its input ends. For each line of input it makes an
//! empty database and prints its URL.

use std::io::{self, BufRead as _, Write as _};

use credlink_local_postgres::LocalPostgres;

#[tokio::main]
async fn main() -> io::Result<()> {
    let postgres = LocalPostgres::start();
    for line in io::stdin().lock().lines() {
        line?;
        writeln!(io::stdout().lock(), "{}", postgres.make_database().await)?;
    }
    Ok(())
}
