//! The musician's own mix, as far as the renderer is asked about it.
//!
//! Thread: audio. Realtime-safe: yes. Invariant: it is no input of the sound that others hear, and no
//! key knows of it.

use super::Renderer;
use crate::pattern::Song;
use crate::rt::controls::Target;
use crate::rt::locked::Sounding;
use crate::rt::own_mix::Room;
use crate::rt::personal::PersonalEdit;

impl Renderer {
    /// Takes room for an own mix in; gives back what is not needed.
    pub(in crate::rt) fn take_room(&mut self, song: &Song, room: Room) -> Option<Room> {
        self.mixer.take_room(room, &Sounding::plain(song), self.song_head())
    }

    /// Writes an edit of the own mix.
    pub(in crate::rt) fn write_own(&mut self, edit: PersonalEdit) {
        self.mixer.write_own(edit);
    }

    /// Where a value of the own mix stands.
    pub(in crate::rt) fn own_value(&self, target: Target) -> f32 {
        self.mixer.own_value(target)
    }

    /// Whether the host bounces.
    pub(in crate::rt) fn bounce(&mut self, bouncing: bool) {
        self.mixer.bounce(bouncing);
    }
}
