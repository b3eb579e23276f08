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

const USAGE: &str = "usage: credlink-bench-load [PART]

  compare [TEXT]               what servers stand; only rows whose name holds TEXT
  overload (sign|verify) [RATE]
                               twice RATE in a second, or twice what it stands
  soak MINUTES [RATE]          80 % of RATE in a second, or of what it stands

Without a part all of them, with 10 minutes. CREDLINK_BIN is a release build of credlink; CREDLINK_PYTHON a Python with
what tests/requirements.txt names.";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread: what is measured needs the rest of the machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if tokio::task::LocalSet::new().block_on(&runtime, measure(&arguments)).is_none() {
        eprintln!("{USAGE}");
        std::process::exit(2);
    }
}

/// `None` when it is not clear what is to be measured.
async fn measure(arguments: &[&str]) -> Option<()> {
    match arguments {
        [] => {
            compare::table("").await;
            overload::table(false, None).await;
            overload::table(true, None).await;
            soak::table(10, None).await;
        }
        ["compare"] => compare::table("").await,
        ["compare", text] => compare::table(text).await,
        ["overload", operation, rate @ ..] => {
            let verifies = match *operation {
                "sign" => false,
                "verify" => true,
                _ => return None,
            };
            overload::table(verifies, optional_rate(rate)?).await;
        }
        ["soak", minutes, rate @ ..] => soak::table(minutes.parse().ok()?, optional_rate(rate)?).await,
        _ => return None,
    }
    Some(())
}

/// A rate in a second, if there is one; outside `None` when it is none.
fn optional_rate(arguments: &[&str]) -> Option<Option<f64>> {
    match arguments {
        [] => Some(None),
        [rate] => rate.parse().ok().filter(|rate| (0.1..=100_000.0).contains(rate)).map(Some),
        _ => None,
    }
}
