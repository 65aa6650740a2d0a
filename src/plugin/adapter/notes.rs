//! The host's notes, block by block.

use nice_plug::midi::{Channel, Key, NoteEvent};

use crate::rt::controls::Said;
use crate::rt::ports::LiveNote;

/// Notes one block may hold; beginnings beyond it are left out, ends find room.
const CAPACITY: usize = 1024;
/// Room kept for ends.
const FOR_ENDS: usize = 256;
const REST: LiveNote = LiveNote { frame: 0, channel: 0, note: 0, velocity: 0.0 };

/// What a controller did, by an event's timing and channel; `None` where it is no controller's.
pub fn said<S>(event: &NoteEvent<S>) -> Option<(u32, u8, Said)> {
    // Hosts give fractions of the greatest value.
    let whole = |value: f32, most: f32| (value.clamp(0.0, 1.0) * most + 0.5) as u16;
    let seven = |value: f32| whole(value, 127.0) as u8;
    match *event {
        NoteEvent::MidiCC { timing, channel, cc, value } => {
            Some((timing, channel, Said::Cc(cc & 127, seven(value))))
        }
        NoteEvent::MidiPitchBend { timing, channel, value } => {
            Some((timing, channel, Said::PitchBend(whole(value, 16_383.0))))
        }
        NoteEvent::MidiChannelPressure { timing, channel, pressure } => {
            Some((timing, channel, Said::Pressure(seven(pressure))))
        }
        _ => None,
    }
}

/// Collects one block's notes in fixed room.
///
/// A note that a host queues just before a parameter change of the same sample arrives with the
/// block before, stamped one frame past its end; it waits here for the block it belongs to.
pub struct NotesIn {
    notes: [LiveNote; CAPACITY],
    length: usize,
    /// How many of `notes` belong to the next block.
    early: usize,
    /// Keys down, by channel: what an end without channel or key ends.
    down: [u128; 16],
}

impl NotesIn {
    /// Nothing played yet.
    pub fn new() -> NotesIn {
        NotesIn { notes: [REST; CAPACITY], length: 0, early: 0, down: [0; 16] }
    }

    /// Takes an event of a block of `frames`; returns how many notes it left out.
    pub fn take<S>(&mut self, event: &NoteEvent<S>, frames: usize) {
        match *event {
            NoteEvent::NoteOn { timing, channel, key, velocity, .. } => {
                if let (Some(channel), Some(note)) = (channel.number(), key.number())
                    && self.length < CAPACITY - FOR_ENDS
                {
                    self.down[usize::from(channel & 15)] |= 1 << (note & 127);
                    // A beginning of velocity 0 would read as an end.
                    self.push(timing, channel, note, velocity.clamp(1.0 / 127.0, 1.0), frames);
                }
            }
            NoteEvent::NoteOff { timing, channel, key, .. }
            | NoteEvent::Choke { timing, channel, key, .. } => {
                self.end(timing, channel, key, frames);
            }
            _ => {}
        }
    }

    fn end(&mut self, timing: u32, channel: Channel, key: Key, frames: usize) {
        let channels = channel.number().map_or(0..16, |one| one & 15..(one & 15) + 1);
        for channel in channels {
            let mut ending = match key.number() {
                Some(note) => self.down[usize::from(channel)] & 1 << (note & 127),
                None => self.down[usize::from(channel)],
            };
            while ending != 0 && self.length < CAPACITY {
                let note = ending.trailing_zeros() as u8;
                ending &= ending - 1;
                self.down[usize::from(channel)] &= !(1 << note);
                self.push(timing, channel, note, 0.0, frames);
            }
        }
    }

    fn push(&mut self, timing: u32, channel: u8, note: u8, velocity: f32, frames: usize) {
        let early = timing as usize >= frames;
        let frame = if early { 0 } else { timing };
        self.notes[self.length] = LiveNote { frame, channel: channel & 15, note: note & 127, velocity };
        self.length += 1;
        self.early += usize::from(early);
    }

    /// This block's notes, in the order they came.
    pub fn block(&self) -> &[LiveNote] {
        &self.notes[..self.length - self.early]
    }

    /// Keeps what belongs to the next block.
    pub fn turn_over(&mut self) {
        let early = self.length - self.early..self.length;
        self.notes.copy_within(early, 0);
        self.length = self.early;
        self.early = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nice_plug::midi::VoiceID;

    fn on(timing: u32, note: u8) -> NoteEvent<()> {
        let (channel, key) = (Channel::Number(0), Key::Number(note));
        NoteEvent::NoteOn { timing, voice_id: VoiceID::Wildcard, channel, key, velocity: 0.8 }
    }

    fn off(timing: u32, channel: Channel, key: Key) -> NoteEvent<()> {
        NoteEvent::NoteOff { timing, voice_id: VoiceID::Wildcard, channel, key, velocity: 0.0 }
    }

    #[test]
    fn a_note_past_the_end_begins_the_next_block() {
        let mut notes = NotesIn::new();
        notes.take(&on(3, 60), 64);
        notes.take(&on(64, 62), 64);
        assert_eq!(notes.block().iter().map(|n| (n.frame, n.note)).collect::<Vec<_>>(), [(3, 60)]);
        notes.turn_over();
        notes.take(&on(5, 64), 64);
        assert_eq!(notes.block().iter().map(|n| (n.frame, n.note)).collect::<Vec<_>>(), [(0, 62), (5, 64)]);
    }

    #[test]
    fn an_end_for_all_ends_what_is_down() {
        let mut notes = NotesIn::new();
        notes.take(&on(0, 60), 64);
        notes.take(&on(0, 67), 64);
        notes.take(&off(9, Channel::Wildcard, Key::Wildcard), 64);
        let ends: Vec<_> = notes.block()[2..].iter().map(|n| (n.frame, n.note, n.velocity)).collect();
        assert_eq!(ends, [(9, 60, 0.0), (9, 67, 0.0)]);
    }

    #[test]
    fn a_flood_of_beginnings_leaves_room_for_ends() {
        let mut notes = NotesIn::new();
        for at in 0..5000u32 {
            notes.take(&on(at % 64, (at % 128) as u8), 64);
        }
        notes.take(&off(63, Channel::Wildcard, Key::Wildcard), 64);
        assert_eq!(notes.block().iter().filter(|n| n.velocity == 0.0).count(), 128);
    }
}
