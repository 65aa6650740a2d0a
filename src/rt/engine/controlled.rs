//! The musician's controllers: from MIDI to moves.
//!
//! Thread: audio. Realtime-safe: yes.

use super::Engine;
use crate::dsp::LIMITER_LATENCY;
use crate::rt::controls::{ControlMap, Said, Target};
use crate::rt::personal::PersonalEdit;
use crate::rt::ports::FromEngine;

impl Engine {
    /// A controller moves, at a frame of the block that comes next; call it before
    /// [`Engine::process`], in order of frame. What nobody has mapped changes nothing. *Thread: audio.
    /// Realtime-safe: yes.*
    pub fn control(&mut self, frame: u32, channel: u8, said: Said) {
        let Some(map) = &mut self.controls else { return };
        if map.learning {
            let told = FromEngine::Controller { channel: channel & 15, said };
            self.outbox.send(&mut self.ports.to_session, told);
            return;
        }
        let at = self.frame + i64::from(frame);
        let ahead = (self.output.look_ahead() + LIMITER_LATENCY) as i64;
        let stream = self.output.stream_at(at) + ahead;
        let mut moves = [None; MOVES];
        let mut moved = 0;
        let (song, renderer) = (&self.material.song, &self.renderer);
        let value_of = |target| match target {
            Target::Shared(slot) => song.params[slot.index()],
            own => renderer.own_value(own),
        };
        map.take(channel, said, at, value_of, |target, value| {
            if moved < MOVES {
                (moves[moved], moved) = (Some((target, value)), moved + 1);
            }
        });
        for (target, value) in moves.into_iter().flatten() {
            let edit = match target {
                Target::Shared(slot) => {
                    self.renderer.take_move(&mut self.material, stream, slot, value);
                    continue;
                }
                Target::Own(slot) => PersonalEdit::Param { slot, value },
                Target::Trim(owner) => PersonalEdit::Trim { owner, db: value },
                Target::Mute(track) => PersonalEdit::Mute { track, on: value >= 0.5 },
                Target::Solo(track) => PersonalEdit::Solo { track, on: value >= 0.5 },
                Target::Pan(track) => PersonalEdit::Pan { track, pan: value },
            };
            self.renderer.write_own(edit);
            self.outbox.send(&mut self.ports.to_session, FromEngine::MineMoved(edit));
        }
    }

    /// Other mappings take the place of these, which come back.
    pub(super) fn exchange_controls(&mut self, map: Box<ControlMap>) -> Option<Box<ControlMap>> {
        self.controls.replace(map)
    }

    /// Whether a key moves something, and so is not played.
    pub(super) fn is_controller(&self, channel: u8, note: u8) -> bool {
        self.controls.as_ref().is_some_and(|map| map.has_note(channel, note))
    }
}

/// What one word of a controller may move.
const MOVES: usize = 16;
