//! The players: from the song's strokes and live notes to cues for voices, and to the news of them.
//!
//! Thread: audio. Realtime-safe: yes.

use super::cues::{Cue, CueList};
use super::echoes::LONGEST;
use super::instrument::{pitch_of, polyphony, voice_of};
use super::notes::{Held, Notes, Until};
use super::pending::Pending;
use super::renderer::TrackNote;
use super::scheduler::{self, Span, Stroke};
use super::timeline::Anchor;
use crate::dsp::QUANTUM;
use crate::param::{MAX_TRACKS, Owner, Param, TrackIndex};
use crate::pattern::{Song, Voice, hash};
use crate::time::{Beats, TempoMap};

/// News that may wait to be heard: what is rendered ahead, and one span of output.
const NEWS: usize = 1024;

/// A note's beginning or end, on its way to be heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct News {
    /// The stream sample at which it sounds.
    pub(super) stream: i64,
    pub(super) track: TrackIndex,
    pub(super) note: u8,
    pub(super) what: What,
}

/// What happened to the note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// It ended.
    End,
    /// A step of the pattern sounds; `tick` is where it belongs.
    Step { cell: u8, tick: Beats, velocity: f32, muted: bool },
    /// The musician struck it.
    Live,
    /// A musician elsewhere struck it, a bar before this place.
    Echo { tick: Beats },
}

/// A part of the quantum being planned: its offsets, and how the song lies on it.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    /// The quantum's first stream sample.
    pub(super) head: i64,
    /// Offsets, half-open.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) anchor: Anchor,
    pub(super) map: &'a TempoMap,
}

impl Stretch<'_> {
    /// The offset at which a tick sounds, held inside the stretch.
    pub(super) fn offset_of(&self, tick: Beats) -> u8 {
        let stream = self.anchor.stream_at(self.anchor.timing.sample_at(self.map, tick));
        (stream - self.head).clamp(self.from as i64, (self.to as i64 - 1).max(self.from as i64)) as u8
    }
}

/// The players of all tracks.
pub(super) struct Players {
    notes: [Notes; MAX_TRACKS],
    pub(super) cues: [CueList; MAX_TRACKS],
    news: [News; NEWS],
    first: usize,
    waiting: usize,
    /// News that found no room.
    pub(super) lost: u32,
}

impl Players {
    /// Allocates.
    pub(super) fn new() -> Box<Players> {
        let track = TrackIndex::all().next().expect("a song has tracks");
        Box::new(Players {
            notes: [Notes::new(); MAX_TRACKS],
            cues: [CueList::new(); MAX_TRACKS],
            news: [News { stream: 0, track, note: 0, what: What::End }; NEWS],
            first: 0,
            waiting: 0,
            lost: 0,
        })
    }

    /// Forgets all notes and all news.
    pub(super) fn clear(&mut self) {
        self.notes.iter_mut().for_each(Notes::clear);
        self.begin_quantum();
        self.clear_news();
    }

    /// Forgets what has not been heard.
    pub(super) fn clear_news(&mut self) {
        (self.first, self.waiting) = (0, 0);
    }

    pub(super) fn begin_quantum(&mut self) {
        self.cues.iter_mut().for_each(CueList::clear);
    }

    /// Plans the notes that begin and end in a span of ticks.
    pub(super) fn plan(&mut self, song: &Song, pending: &Pending, stretch: &Stretch<'_>, span: &Span) {
        self.end_due(stretch, span.to);
        let cycle = scheduler::cycle(song);
        for (track, _) in song.alive() {
            scheduler::strokes(song, pending, track, cycle, span, |stroke| {
                self.begin_stroke(song, track, stretch, &stroke);
            });
        }
    }

    fn end_due(&mut self, stretch: &Stretch<'_>, to: Beats) {
        let due = |held: &Held| matches!(held.until, Until::Tick(tick) | Until::Echo(tick) if tick < to);
        for track in TrackIndex::all() {
            while let Some((voice, held)) = self.notes[track.get()].end_where(due) {
                match held.until {
                    Until::Tick(tick) => {
                        self.end_note(track, voice, held.note, stretch.head, stretch.offset_of(tick));
                    }
                    Until::Echo(tick) => {
                        self.cues[track.get()].insert(stretch.offset_of(tick), Cue::Release { voice });
                    }
                    Until::Live => {}
                }
            }
        }
    }

    /// Ends the pattern's notes at an offset: a loop's wrap, a stop.
    pub(super) fn end_pattern(&mut self, head: i64, offset: u8) {
        let of_pattern = |held: &Held| held.until != Until::Live;
        for track in TrackIndex::all() {
            while let Some((voice, held)) = self.notes[track.get()].end_where(of_pattern) {
                self.end_note(track, voice, held.note, head, offset);
            }
        }
    }

    /// The song position went back: its strokes are new again.
    pub(super) fn forget_strokes(&mut self) {
        self.notes.iter_mut().for_each(Notes::forget_strokes);
    }

    fn end_note(&mut self, track: TrackIndex, voice: u8, note: u8, head: i64, offset: u8) {
        self.cues[track.get()].insert(offset, Cue::Release { voice });
        self.tell(News { stream: head + i64::from(offset), track, note, what: What::End });
    }

    fn begin_stroke(&mut self, song: &Song, track: TrackIndex, stretch: &Stretch<'_>, stroke: &Stroke) {
        let at = track.get();
        if !self.cues[at].has_room() || !self.notes[at].is_new(stroke.absolute, stroke.stroke) {
            return;
        }
        let cell = &stroke.step;
        let (pitch_hz, note) = pitch_of(song, track, cell.note);
        let place = hash(hash(u64::from(song.seed), at as u64), stroke.absolute as u64);
        let seed = hash(place, u64::from(stroke.stroke));
        let offset = stretch.offset_of(stroke.sounds);
        let held = Held { note, until: Until::Tick(stroke.sounds + stroke.length) };
        self.strike(song, track, held, stretch.head, offset, (pitch_hz, cell.velocity, seed));
        let muted = song.param(Owner::Track(track), Param::Mute) >= 0.5;
        let what = What::Step { cell: stroke.cell, tick: stroke.tick, velocity: cell.velocity, muted };
        self.tell(News { stream: stretch.head + i64::from(offset), track, note, what });
    }

    /// Begins (velocity above 0) or ends a live note; says whether anything changed.
    pub(super) fn live(
        &mut self,
        song: &Song,
        track: TrackIndex,
        (note, velocity): (u8, f32),
        head: i64,
        offset: u8,
    ) -> bool {
        if velocity <= 0.0 {
            return self.end_live(note, offset);
        }
        let (pitch_hz, _) = pitch_of(song, track, Some(note));
        let seed = hash(u64::from(song.seed), u64::from(note) << 32 | u64::from(velocity.to_bits()));
        let held = Held { note, until: Until::Live };
        self.strike(song, track, held, head, offset, (pitch_hz, velocity, seed));
        self.tell(News { stream: head + i64::from(offset), track, note, what: What::Live });
        true
    }

    /// Ends a live note wherever it sounds: the focus may have moved since it began.
    fn end_live(&mut self, note: u8, offset: u8) -> bool {
        let mut any = false;
        for track in TrackIndex::all() {
            let is_it = |held: &Held| held.until == Until::Live && held.note == note;
            while let Some((voice, _)) = self.notes[track.get()].end_where(is_it) {
                self.cues[track.get()].insert(offset, Cue::Release { voice });
                any = true;
            }
        }
        any
    }

    /// Begins (velocity above 0) or ends a note that somebody else plays live; says whether anything
    /// changed.
    pub(super) fn echo(
        &mut self,
        song: &Song,
        TrackNote { track, note, velocity }: TrackNote,
        at: Beats,
        (head, offset): (i64, u8),
    ) -> bool {
        if velocity <= 0.0 {
            let is_it = |held: &Held| matches!(held.until, Until::Echo(_)) && held.note == note;
            let ended = self.notes[track.get()].end_where(is_it);
            if let Some((voice, _)) = ended {
                self.cues[track.get()].insert(offset, Cue::Release { voice });
            }
            return ended.is_some();
        }
        if !song.track(track).alive || !self.cues[track.get()].has_room() {
            return false;
        }
        let (pitch_hz, _) = pitch_of(song, track, Some(note));
        let seed = hash(u64::from(song.seed), u64::from(note) << 32 | u64::from(velocity.to_bits()));
        let held = Held { note, until: Until::Echo(at + LONGEST) };
        self.strike(song, track, held, head, offset, (pitch_hz, velocity, seed));
        self.tell(News { stream: head + i64::from(offset), track, note, what: What::Echo { tick: at } });
        true
    }

    fn strike(
        &mut self,
        song: &Song,
        track: TrackIndex,
        held: Held,
        head: i64,
        offset: u8,
        (pitch_hz, velocity, seed): (f32, f32, u64),
    ) {
        let kind = voice_of(song.track(track));
        let (voice, before) = self.notes[track.get()].begin(held, polyphony(kind));
        if let Some(before) = before
            && matches!(before.until, Until::Tick(_))
        {
            self.end_note(track, voice, before.note, head, offset);
        }
        self.cues[track.get()].insert(offset, Cue::Strike { voice, pitch_hz, velocity, seed });
        if kind == Voice::ClosedHat {
            let open = song.alive().filter(|(_, other)| voice_of(other) == Voice::OpenHat);
            open.for_each(|(other, _)| self.cues[other.get()].insert(offset, Cue::Choke));
        }
    }

    fn tell(&mut self, news: News) {
        // Ends find room after beginnings have none.
        let room = if news.what == What::End { NEWS } else { NEWS - NEWS / 4 };
        if self.waiting >= room {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        // In order of stream sample, ends first; news of one quantum come track by track.
        let rank = |news: &News| (news.stream, news.what != What::End);
        let mut place = self.waiting;
        while place > 0 && rank(&self.news[(self.first + place - 1) % NEWS]) > rank(&news) {
            self.news[(self.first + place) % NEWS] = self.news[(self.first + place - 1) % NEWS];
            place -= 1;
        }
        self.news[(self.first + place) % NEWS] = news;
        self.waiting += 1;
    }

    /// Takes the first news due before a stream sample.
    pub(super) fn take_news_before(&mut self, stream: i64) -> Option<News> {
        let first = self.news[self.first];
        if self.waiting == 0 || first.stream >= stream {
            return None;
        }
        self.first = (self.first + 1) % NEWS;
        self.waiting -= 1;
        Some(first)
    }

    /// The tracks (bit n for track n) with a beginning that has not been heard.
    pub(super) fn tracks_to_begin(&self) -> u32 {
        let news = (0..self.waiting).map(|at| &self.news[(self.first + at) % NEWS]);
        news.filter(|news| matches!(news.what, What::Step { .. }))
            .fold(0, |bits, news| bits | 1 << news.track.get())
    }

    /// Silences a track's notes: its voices have been reset.
    pub(super) fn clear_track(&mut self, track: usize) {
        self.notes[track].clear();
    }
}

const _: () = assert!(QUANTUM <= u8::MAX as usize);
