//! Landfall's figures, measured: `cargo run --release -p landfall-benches -- local`, `blueprint` or `call-tickets`.
//!
//! Each figure stands beside what it is to hold and, where another program does the same work, beside that program's
//! in the same run. Figures are medians. In reading order:
//!
//! - [`local`]: local Azure's figures, one function each.
//! - [`ingress`]: those of its ingress, with nginx beside it.
//! - [`blueprint`]: from a manifest to its resources.
//! - [`call_tickets`]: those of the application call-tickets, with the same webhook in FastAPI beside it.
//! - [`azure`]: a local Azure of the binary that is measured, and requests to it.
//! - [`load`]: requests one after the other over kept connections, each timed.
//! - [`report`]: the table.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod azure;
mod blueprint;
mod call_tickets;
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
    deliveries: usize,
}

const FULL: Scale =
    Scale { rounds: 3, load: Duration::from_secs(3), resources: 500, blob: 256 << 20, deliveries: 10_000 };
/// Shows that everything runs; its figures say nothing.
const SMOKE: Scale =
    Scale { rounds: 1, load: Duration::from_millis(200), resources: 10, blob: 4 << 20, deliveries: 300 };

const USAGE: &str = "usage: landfall-benches local|blueprint|call-tickets [--smoke]

local         the release binary target/release/landfall, or the one that LANDFALL_BIN names
blueprint     the manifest, the blueprint and its drawing, in this process
call-tickets  the release binary target/release/call-tickets, or the one that CALL_TICKETS_BIN names, beside the same
              webhook in FastAPI, which is installed from PyPI into LANDFALL_FASTAPI_VENV (/tmp/landfall-fastapi)";

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo bench` adds --bench
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (subject, scale) = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => ("local", FULL),
        [subject @ ("local" | "blueprint" | "call-tickets")] => (*subject, FULL),
        [subject @ ("local" | "blueprint" | "call-tickets"), "--smoke"] => (*subject, SMOKE),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let measured = match subject {
        "local" => local::run(scale).await,
        "blueprint" => blueprint::run(scale),
        _ => call_tickets::run(scale).await,
    };
    match measured {
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
