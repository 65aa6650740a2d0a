//! The notes that the host has been given, so that every one of them ends.
//!
//! Thread: audio. Realtime-safe: yes.

use super::engine::MidiBuffer;
use super::ports::MidiOut;
use crate::param::{MAX_TRACKS, TrackIndex};

/// Which notes sound at the host, and which ends it is still owed.
pub(super) struct MidiGate {
    /// Bit n for note n, by channel.
    sounding: [u128; MAX_TRACKS],
    owed: [u128; MAX_TRACKS],
}

impl MidiGate {
    pub(super) fn new() -> MidiGate {
        MidiGate { sounding: [0; MAX_TRACKS], owed: [0; MAX_TRACKS] }
    }

    /// Gives the ends that the last block had no room for.
    pub(super) fn pay(&mut self, midi: &mut MidiBuffer) {
        for channel in 0..MAX_TRACKS {
            let mut left = self.owed[channel];
            while left != 0 {
                let note = left.trailing_zeros() as u8;
                if !midi.push(MidiOut { frame: 0, channel: channel as u8, note, velocity: 0.0 }) {
                    break;
                }
                left &= left - 1;
            }
            self.owed[channel] = left;
        }
    }

    /// Begins a note; one of the same pitch ends first. `false` where there is no room.
    pub(super) fn begin(
        &mut self,
        track: TrackIndex,
        note: u8,
        velocity: f32,
        frame: u32,
        midi: &mut MidiBuffer,
    ) -> bool {
        self.end(track, note, frame, midi);
        let channel = track.get();
        if self.owed[channel] & bit(note) != 0 || velocity <= 0.0 {
            return velocity <= 0.0;
        }
        let begun = midi.push(MidiOut { frame, channel: channel as u8, note, velocity });
        if begun {
            self.sounding[channel] |= bit(note);
        }
        begun
    }

    /// Ends a note that sounds.
    pub(super) fn end(&mut self, track: TrackIndex, note: u8, frame: u32, midi: &mut MidiBuffer) {
        self.end_on(track.get(), note, frame, midi);
    }

    /// Ends every note that sounds.
    pub(super) fn end_all(&mut self, frame: u32, midi: &mut MidiBuffer) {
        for channel in 0..MAX_TRACKS {
            while self.sounding[channel] != 0 {
                self.end_on(channel, self.sounding[channel].trailing_zeros() as u8, frame, midi);
            }
        }
    }

    /// Every note that sounds ends with the next block.
    pub(super) fn owe_all(&mut self) {
        for (owed, sounding) in self.owed.iter_mut().zip(&mut self.sounding) {
            *owed |= std::mem::take(sounding);
        }
    }

    fn end_on(&mut self, channel: usize, note: u8, frame: u32, midi: &mut MidiBuffer) {
        if self.sounding[channel] & bit(note) == 0 {
            return;
        }
        self.sounding[channel] &= !bit(note);
        if !midi.push(MidiOut { frame, channel: channel as u8, note, velocity: 0.0 }) {
            self.owed[channel] |= bit(note);
        }
    }
}

fn bit(note: u8) -> u128 {
    1 << (note & 127)
}

#[cfg(test)]
mod tests {
    use super::super::engine::MAX_MIDI_OUT;
    use super::*;

    #[test]
    fn ends_without_room_come_with_the_next_blocks() {
        let (mut gate, mut midi) = (MidiGate::new(), MidiBuffer::new());
        let places = || TrackIndex::all().flat_map(|track| (0..100).map(move |note| (track, note)));
        let mut begun = 0;
        for (track, note) in places().take(MAX_MIDI_OUT - 20) {
            begun += usize::from(gate.begin(track, note, 0.5, 3, &mut midi));
        }
        gate.end_all(7, &mut midi);
        assert_eq!((begun, midi.notes().len()), (MAX_MIDI_OUT - 20, MAX_MIDI_OUT));
        assert!(!gate.begin(TrackIndex::all().next().expect("a track"), 101, 0.5, 8, &mut midi));
        let mut ends = midi.notes().iter().filter(|note| note.velocity == 0.0).count();
        while ends < begun {
            midi.clear();
            gate.pay(&mut midi);
            assert!(!midi.notes().is_empty(), "{ends} of {begun} ended");
            ends += midi.notes().len();
        }
        midi.clear();
        gate.pay(&mut midi);
        gate.end_all(0, &mut midi);
        assert!(midi.notes().is_empty());
    }
}
