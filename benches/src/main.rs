//! Landfall's figures, measured: `cargo run --release -p landfall-benches -- local`.
//!
//! Each figure stands beside what it is to hold and, where another program does the same work, beside that program's
//! in the same run. Figures are medians. In reading order:
//!
//! - [`local`]: local Azure's figures, one function each.
//! - [`ingress`]: those of its ingress, with nginx beside it.
//! - [`azure`]: a local Azure of the binary that is measured, and requests to it.
//! - [`load`]: requests one after the other over kept connections, each timed.
//! - [`report`]: the table.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod azure;
mod ingress;
mod load;
mod local;
mod report;

use std::process::ExitCode;
use std::time::Duration;

/// Why a figure could not be had.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long and how large.
#[derive(Clone, Copy, Debug)]
struct Scale {
    rounds: usize,
    load: Duration,
    resources: usize,
    blob: usize,
}

const FULL: Scale = Scale { rounds: 3, load: Duration::from_secs(3), resources: 500, blob: 256 << 20 };
/// Shows that everything runs; its figures say nothing.
const SMOKE: Scale = Scale { rounds: 1, load: Duration::from_millis(200), resources: 10, blob: 4 << 20 };

const USAGE: &str = "usage: landfall-benches local [--smoke]

Measures the release binary target/release/landfall, or the one that LANDFALL_BIN names.";

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo bench` adds --bench
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let scale = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["local"] | [] => FULL,
        ["local", "--smoke"] => SMOKE,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match local::run(scale).await {
        Ok(report) => {
            print!("{report}");
            // on a scale that says nothing, nothing is missed
            if report.holds() || scale.resources < FULL.resources {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
