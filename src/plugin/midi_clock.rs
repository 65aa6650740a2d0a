//! MIDI clock out of the standalone, by a port of the system: the plugin formats' note events hold
//! no system messages, so a plugin in a host sends none.
//!
//! Thread: main.

use std::sync::OnceLock;

use crate::client::{Client, midi_out};

static PORT: OnceLock<String> = OnceLock::new();

/// From now on every session's thread of this process sends MIDI clock to the output port whose name
/// holds this; where it is empty, from a port of our own.
pub fn send_midi_clock(port: String) {
    let _ = PORT.set(port);
}

/// Starts sending what a client plays, if that was asked for.
///
/// # Errors
/// For a person: there is no such port.
pub(super) fn begin(client: &Client) -> Result<(), String> {
    let Some(port) = PORT.get() else { return Ok(()) };
    let opened = midi_out::port::open(port).map_err(|error| format!("No MIDI clock: {error:#}"))?;
    midi_out::send_clock(client.watch(), opened).map(drop).map_err(|error| format!("No MIDI clock: {error}"))
}
