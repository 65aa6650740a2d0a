//! What leaves the engine, and what happens to it while the ring is full.
//!
//! Thread: audio. Realtime-safe: yes. Lamps, meters, positions and fingerprints are dropped and
//! counted; a moved parameter stays dirty and is told next block; retired boxes wait here.

use rtrb::Producer;

use super::files::Named;
use super::own_mix::Room;
use super::ports::{Fault, FromEngine};
use crate::param::{SLOT_COUNT, Slot};
use crate::pattern::Song;
use crate::time::TempoMap;

/// Boxes of a kind that may wait for room; while they all do, no message is taken in.
const WAITING: usize = 4;
const WORDS: usize = SLOT_COUNT.div_ceil(64);

/// Parameters that the host has moved and nobody has been told.
pub(super) struct Moved {
    slots: [u64; WORDS],
    any: bool,
}

impl Moved {
    pub(super) fn new() -> Moved {
        Moved { slots: [0; WORDS], any: false }
    }

    pub(super) fn mark(&mut self, slot: Slot) {
        self.slots[slot.index() / 64] |= 1 << (slot.index() % 64);
        self.any = true;
    }

    /// Tells what there is room for, with the values of now.
    pub(super) fn flush(&mut self, ring: &mut Producer<FromEngine>, song: &Song) {
        if !self.any {
            return;
        }
        for (at, word) in self.slots.iter_mut().enumerate() {
            while *word != 0 {
                let bit = word.trailing_zeros() as usize;
                let slot = Slot::from_index(at * 64 + bit).expect("only slots are marked");
                let value = song.params[slot.index()];
                if ring.push(FromEngine::ParamMoved { slot, value }).is_err() {
                    return;
                }
                *word &= *word - 1;
            }
        }
        self.any = false;
    }
}

/// What waits for the next block.
pub(super) struct Outbox {
    songs: [Option<Box<Song>>; WAITING],
    maps: [Option<Box<TempoMap>>; WAITING],
    files: [Option<Named>; WAITING],
    rooms: [Option<Room>; WAITING],
    dropped: u32,
    overfull: u32,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        let (songs, maps, files, rooms) = Default::default();
        Outbox { songs, maps, files, rooms, dropped: 0, overfull: 0 }
    }

    /// Sends what may be dropped.
    pub(super) fn send(&mut self, ring: &mut Producer<FromEngine>, message: FromEngine) {
        if ring.push(message).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Counts an edit that found the table full.
    pub(super) fn count_overfull(&mut self) {
        self.overfull = self.overfull.saturating_add(1);
    }

    /// Counts a lamp that found no room.
    pub(super) fn count_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Whether one more of each kind of box can be retired.
    pub(super) fn has_room(&self) -> bool {
        self.songs.iter().any(Option::is_none)
            && self.maps.iter().any(Option::is_none)
            && self.files.iter().any(Option::is_none)
            && self.rooms.iter().any(Option::is_none)
    }

    /// Keeps a song until it can leave; the caller has asked [`Outbox::has_room`].
    pub(super) fn retire_song(&mut self, song: Box<Song>) {
        match self.songs.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(song),
            // To drop it here would break the thread's law; a leak is the lesser evil.
            None => std::mem::forget(song),
        }
    }

    /// As [`Outbox::retire_song`].
    pub(super) fn retire_map(&mut self, map: Box<TempoMap>) {
        match self.maps.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(map),
            None => std::mem::forget(map),
        }
    }

    /// As [`Outbox::retire_song`].
    pub(super) fn retire_file(&mut self, file: Named) {
        match self.files.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(file),
            None => std::mem::forget(file),
        }
    }

    /// As [`Outbox::retire_song`].
    pub(super) fn retire_room(&mut self, room: Room) {
        match self.rooms.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(room),
            None => std::mem::forget(room),
        }
    }

    /// Sends what has waited: boxes, then the counts of what had to be dropped.
    pub(super) fn flush(&mut self, ring: &mut Producer<FromEngine>) {
        for place in &mut self.songs {
            if let Some(song) = place.take_if(|_| !ring.is_full()) {
                let _ = ring.push(FromEngine::RetiredSong(song)).map_err(std::mem::forget);
            }
        }
        for place in &mut self.maps {
            if let Some(map) = place.take_if(|_| !ring.is_full()) {
                let _ = ring.push(FromEngine::RetiredTempoMap(map)).map_err(std::mem::forget);
            }
        }
        for place in &mut self.files {
            if let Some((_, file)) = place.take_if(|_| !ring.is_full()) {
                let _ = ring.push(FromEngine::RetiredFile(file)).map_err(std::mem::forget);
            }
        }
        for place in &mut self.rooms {
            if let Some(room) = place.take_if(|_| !ring.is_full()) {
                let _ = ring.push(FromEngine::RetiredRoom(room)).map_err(std::mem::forget);
            }
        }
        for (count, fault) in [
            (&mut self.overfull, Fault::PendingFull as fn(u32) -> Fault),
            (&mut self.dropped, Fault::OutFull as fn(u32) -> Fault),
        ] {
            if *count > 0 && ring.push(FromEngine::Fault(fault(*count))).is_ok() {
                *count = 0;
            }
        }
    }
}
