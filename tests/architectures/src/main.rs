//! `architectures CASE…`: renders each case and prints it with its hashes, a line each.

use std::io::Write;
use std::process::ExitCode;

use architectures::{Case, render};

fn main() -> ExitCode {
    for text in std::env::args().skip(1) {
        match text.parse::<Case>() {
            Ok(case) => {
                let outcome = render(case);
                let (sound, notes, count) = (outcome.sound, outcome.notes, outcome.count);
                if writeln!(std::io::stdout(), "{text} {sound:016x} {notes:016x} {count}").is_err() {
                    return ExitCode::FAILURE;
                }
            }
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
