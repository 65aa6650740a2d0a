//! The notes that the host has been given, so that every one of them ends.
//!
//! Thread: audio. Realtime-safe: yes.

use super::engine::MidiBuffer;
use super::ports::MidiOut;
use crate::param::{MAX_TRACKS, TrackIndex};

/// MIDI's channels, and the notes of each.
const CHANNELS: usize = 16;
const NOTES: usize = 128;

/// Which notes sound at the host, and which ends it is still owed.
pub(super) struct MidiGate {
    /// Bit n for note n, by track, and the channel each was begun on.
    sounding: [u128; MAX_TRACKS],
    channels: [[u8; NOTES]; MAX_TRACKS],
    /// How many tracks hold a note, by channel.
    holders: [[u8; NOTES]; CHANNELS],
    /// By channel.
    owed: [u128; CHANNELS],
}

impl MidiGate {
    pub(super) fn new() -> MidiGate {
        MidiGate {
            sounding: [0; MAX_TRACKS],
            channels: [[0; NOTES]; MAX_TRACKS],
            holders: [[0; NOTES]; CHANNELS],
            owed: [0; CHANNELS],
        }
    }

    /// Gives the ends that the last block had no room for.
    pub(super) fn pay(&mut self, midi: &mut MidiBuffer) {
        for channel in 0..CHANNELS {
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

    /// Begins a track's note on a channel; one of the same pitch there ends first, whosever it is.
    /// `false` where there is no room.
    pub(super) fn begin(
        &mut self,
        (track, channel): (TrackIndex, u8),
        (note, velocity): (u8, f32),
        frame: u32,
        midi: &mut MidiBuffer,
    ) -> bool {
        let (at, note) = (usize::from(channel).min(CHANNELS - 1), note & 127);
        self.end(track, note, frame, midi);
        if self.owed[at] & bit(note) != 0 || velocity <= 0.0 {
            return velocity <= 0.0;
        }
        let key = usize::from(note);
        let again = self.holders[at][key] > 0;
        let channel = at as u8;
        if again && !midi.push(MidiOut { frame, channel, note, velocity: 0.0 }) {
            return false;
        }
        if !midi.push(MidiOut { frame, channel, note, velocity }) {
            // The others' note has ended: they hold it no longer.
            self.release_all(at, note);
            return false;
        }
        self.sounding[track.get()] |= bit(note);
        self.channels[track.get()][key] = channel;
        self.holders[at][key] += 1;
        true
    }

    /// Ends a note of a track that sounds.
    pub(super) fn end(&mut self, track: TrackIndex, note: u8, frame: u32, midi: &mut MidiBuffer) {
        let (track, note) = (track.get(), note & 127);
        if self.sounding[track] & bit(note) == 0 {
            return;
        }
        self.sounding[track] &= !bit(note);
        let channel = self.channels[track][usize::from(note)];
        let at = usize::from(channel);
        self.holders[at][usize::from(note)] -= 1;
        // The last of those that hold it ends it.
        if self.holders[at][usize::from(note)] == 0
            && !midi.push(MidiOut { frame, channel, note, velocity: 0.0 })
        {
            self.owed[at] |= bit(note);
        }
    }

    /// Ends every note that sounds.
    pub(super) fn end_all(&mut self, frame: u32, midi: &mut MidiBuffer) {
        self.settle(|_| None, frame, midi);
    }

    /// Ends every note of a track that sounds on another channel than the track's now is; `None`
    /// sends nothing.
    pub(super) fn settle(
        &mut self,
        channel_of: impl Fn(TrackIndex) -> Option<u8>,
        frame: u32,
        midi: &mut MidiBuffer,
    ) {
        for track in TrackIndex::all() {
            if self.sounding[track.get()] == 0 {
                continue;
            }
            let channel = channel_of(track);
            let mut left = self.sounding[track.get()];
            while left != 0 {
                let note = left.trailing_zeros() as u8;
                left &= left - 1;
                if channel != Some(self.channels[track.get()][usize::from(note)]) {
                    self.end(track, note, frame, midi);
                }
            }
        }
    }

    /// Every note that sounds ends with the next block.
    pub(super) fn owe_all(&mut self) {
        for (sounding, channels) in self.sounding.iter_mut().zip(&self.channels) {
            while *sounding != 0 {
                let note = sounding.trailing_zeros() as u8;
                *sounding &= *sounding - 1;
                self.owed[usize::from(channels[usize::from(note)])] |= bit(note);
            }
        }
        self.holders = [[0; NOTES]; CHANNELS];
    }

    fn release_all(&mut self, channel: usize, note: u8) {
        for (sounding, channels) in self.sounding.iter_mut().zip(&self.channels) {
            if usize::from(channels[usize::from(note)]) == channel {
                *sounding &= !bit(note);
            }
        }
        self.holders[channel][usize::from(note)] = 0;
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
            let channel = track.get() as u8;
            begun += usize::from(gate.begin((track, channel), (note, 0.5), 3, &mut midi));
        }
        gate.end_all(7, &mut midi);
        assert_eq!((begun, midi.notes().len()), (MAX_MIDI_OUT - 20, MAX_MIDI_OUT));
        let first = TrackIndex::all().next().expect("a track");
        assert!(!gate.begin((first, 0), (101, 0.5), 8, &mut midi));
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

    #[test]
    fn a_note_that_two_tracks_hold_on_one_channel_ends_with_the_last() {
        let (mut gate, mut midi) = (MidiGate::new(), MidiBuffer::new());
        let mut tracks = TrackIndex::all();
        let (one, other) = (tracks.next().expect("a track"), tracks.next().expect("a track"));
        let said =
            |midi: &MidiBuffer| midi.notes().iter().map(|n| (n.channel, n.velocity)).collect::<Vec<_>>();
        assert!(gate.begin((one, 3), (60, 0.5), 0, &mut midi));
        assert!(gate.begin((other, 3), (60, 0.7), 0, &mut midi));
        gate.end(one, 60, 0, &mut midi);
        assert_eq!(said(&midi), [(3, 0.5), (3, 0.0), (3, 0.7)]);
        gate.settle(|_| Some(4), 0, &mut midi);
        assert_eq!(said(&midi)[3..], [(3, 0.0)]);
        gate.end_all(0, &mut midi);
        assert_eq!(midi.notes().len(), 4);
    }
}
