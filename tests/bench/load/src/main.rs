//! How many images a server signs and verifies in a second, what it does when more come than it can bear, and whether
//! it leaks; `credlink serve` beside a server around c2pa-python.
//!
//! The load is open: requests are sent when their time has come, whether or not earlier ones were answered, and what
//! one waits counts from then. A caller who waits for an answer before it asks again would be slowed down by a slow
//! server, and would not see what others see (coordinated omission).
//!
//! Servers and this program share the machine, so its own share of it is printed.

mod client;
mod compare;
mod figures;
mod open_loop;
mod overload;
mod process;
mod request;
mod server;
mod soak;
mod sustained;

const USAGE: &str = "usage: credlink-bench-load [compare | overload | soak MINUTES]
Without arguments all three, with 10 minutes. CREDLINK_BIN is a release build of credlink; CREDLINK_PYTHON a Python with
what tests/requirements.txt names.";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let minutes = |text: &str| text.parse().ok().filter(|minutes| (1..=600).contains(minutes));
    let work = async {
        match arguments.as_slice() {
            [] => {
                compare::table().await;
                overload::tables().await;
                soak::table(10).await;
            }
            ["compare"] => compare::table().await,
            ["overload"] => overload::tables().await,
            ["soak", number] if minutes(number).is_some() => soak::table(minutes(number).unwrap_or(1)).await,
            _ => {
                eprintln!("{USAGE}");
                std::process::exit(2);
            }
        }
    };
    // One thread: what is measured needs the rest of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work);
}
