//! The program; see the library.

fn main() -> std::process::ExitCode {
    call_tickets::cli::run().into()
}
