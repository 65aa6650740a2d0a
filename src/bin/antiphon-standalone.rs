//! The plugin as a program of its own, on JACK, the system's audio or a dummy backend.
//!
//! Arguments are the audio wrapper's (`--help` lists them); `ANTIPHON_LINK` joins a session.

use std::process::ExitCode;

use antiphon::plugin::{Antiphon, say_goodbye};

fn main() -> ExitCode {
    let ran = nice_plug::nice_export_standalone::<Antiphon>();
    // The wrapper ends without dropping its plugin.
    say_goodbye();
    if ran { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
