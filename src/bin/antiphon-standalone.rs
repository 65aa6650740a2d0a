//! The plugin as a program of its own, on JACK, the system's audio or a dummy backend.
//!
//! Arguments are the audio wrapper's (`--help` lists them); `ANTIPHON_LINK` joins a session,
//! `ANTIPHON_MIDI_CLOCK` sends MIDI clock to the output port whose name holds it (`1`: from a port of
//! its own; `jack` or `jack:NAME`: from one in JACK).

use std::process::ExitCode;

use antiphon::plugin::{Antiphon, say_goodbye, send_midi_clock};

fn main() -> ExitCode {
    match std::env::var("ANTIPHON_MIDI_CLOCK").as_deref() {
        Err(_) | Ok("" | "0") => {}
        Ok("1") => send_midi_clock(String::new()),
        Ok(port) => send_midi_clock(port.to_owned()),
    }
    let ran = nice_plug::nice_export_standalone::<Antiphon>();
    // The wrapper ends without dropping its plugin.
    say_goodbye();
    if ran { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
