//! The players: from the song's strokes and live notes to cues for voices, and to the news of them.
//!
//! Thread: audio. Realtime-safe: yes.

use super::cues::{Cue, CueList};
use super::echoes::LONGEST;
use super::instrument::{pitch_of, polyphony, voice_of};
use super::locked::{Locked, Sounding};
use super::notes::{Held, Notes, Until, VOICES};
use super::renderer::TrackNote;
use super::scheduler::Ahead;
use super::timeline::Anchor;
use crate::dsp::QUANTUM;
use crate::param::{MAX_TRACKS, Owner, Param, TrackIndex};
use crate::pattern::score::{Score, Span, Stroke};
use crate::pattern::{Bars, Choke, Follow, Pitch, Song, Voice, hash};
use crate::time::{Beats, TempoMap};

/// News that may wait to be heard: what is rendered ahead, and one span of output.
const NEWS: usize = 2048;
/// Beginnings find no room behind so many, so that the ends of all that began do.
const BEGINNINGS: usize = NEWS / 4;
/// Notes of a step: its own and three further ones.
pub(super) const CHORD: usize = 4;

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
    /// It ended; `at_once` on the sample on which it began.
    End { at_once: bool },
    /// A step of the pattern sounds; `tick` is where it belongs, `channel` where MIDI is told, `lamp`
    /// says that it is the first of the step's notes.
    Step { cell: u8, tick: Beats, velocity: f32, channel: Option<u8>, lamp: bool },
    /// The musician struck it; MIDI is told where the track's notes go there alone.
    Live { velocity: f32, channel: Option<u8> },
    /// A musician elsewhere struck it, a bar before this place.
    Echo { tick: Beats, velocity: f32, channel: Option<u8> },
}

/// The MIDI channel on which a track is heard now; `None` where it is not.
pub(super) fn channel_of(song: &Sounding<'_>, track: TrackIndex) -> Option<u8> {
    let held = song.track(track);
    let silent = song.param(Owner::Track(track), Param::Mute) >= 0.5 || song.is_soloed_out(track);
    let heard = held.alive && held.midi.is_sent() && !silent;
    heard.then(|| held.channel.unwrap_or(track.get() as u8))
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
    /// What the steps have locked.
    pub(super) locked: Locked,
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
            locked: Locked::new(),
            news: [News { stream: 0, track, note: 0, what: What::End { at_once: false } }; NEWS],
            first: 0,
            waiting: 0,
            lost: 0,
        })
    }

    /// Forgets all notes, locks and news.
    pub(super) fn clear(&mut self) {
        self.notes.iter_mut().for_each(Notes::clear);
        self.locked.clear();
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
    pub(super) fn plan(
        &mut self,
        song: &Song,
        ahead: &Ahead<'_>,
        bars: &Bars,
        stretch: &Stretch<'_>,
        span: &Span,
    ) {
        self.end_due(stretch, span.to);
        self.end_of_removed(song, stretch);
        let score = Score::new(song, bars, ahead, (span.from, span.to));
        for (track, held) in song.alive() {
            let locks = held.lanes.iter().any(Option::is_some);
            // A run that begins within a step's locks begins with them.
            if let Some(step) = (span.origin && locks).then(|| score.last_before(track, span.from)).flatten()
            {
                self.locked.take_step(song, track, step);
            }
            score.strokes(track, span, |stroke| self.begin_stroke(song, track, stretch, &stroke));
        }
    }

    fn end_due(&mut self, stretch: &Stretch<'_>, to: Beats) {
        let due = |held: &Held| matches!(held.until, Until::Tick(tick) | Until::Echo(tick) if tick < to);
        for track in TrackIndex::all() {
            while let Some((voice, held)) = self.notes[track.get()].end_where(due) {
                let (Until::Tick(tick) | Until::Echo(tick)) = held.until else { continue };
                self.end_note(track, voice, &held, stretch.head, stretch.offset_of(tick));
            }
        }
    }

    /// A track that is no more holds no note.
    fn end_of_removed(&mut self, song: &Song, stretch: &Stretch<'_>) {
        for track in TrackIndex::all().filter(|track| !song.track(*track).alive) {
            while let Some((voice, held)) = self.notes[track.get()].end_where(|_| true) {
                self.end_note(track, voice, &held, stretch.head, stretch.from as u8);
            }
        }
    }

    /// Ends the pattern's notes at an offset: a loop's wrap, a stop.
    pub(super) fn end_pattern(&mut self, head: i64, offset: u8) {
        for track in TrackIndex::all() {
            self.end_steps(track, head, offset, |_| true);
        }
    }

    /// Ends those notes of a track's pattern that a rule names.
    fn end_steps(&mut self, track: TrackIndex, head: i64, offset: u8, rule: impl Fn(&Held) -> bool) {
        let ends = |held: &Held| held.until != Until::Live && rule(held);
        while let Some((voice, held)) = self.notes[track.get()].end_where(ends) {
            self.end_note(track, voice, &held, head, offset);
        }
    }

    /// Ends every note at an offset, as its voice begins anew, and forgets what the steps did. What
    /// is still to be heard of before is told yet.
    pub(super) fn begin_anew(&mut self, head: i64, offset: u8) {
        for track in TrackIndex::all() {
            while let Some((_, held)) = self.notes[track.get()].end_where(|_| true) {
                self.tell_end(track, &held, head + i64::from(offset));
            }
            self.notes[track.get()].clear();
        }
        self.locked.clear();
        self.begin_quantum();
    }

    /// A track's pattern is another from a tick on.
    pub(super) fn note_switch(&mut self, track: TrackIndex, at: Beats) {
        self.notes[track.get()].cut_ties(at);
    }

    /// The song position went back: its strokes are new again.
    pub(super) fn forget_strokes(&mut self) {
        self.notes.iter_mut().for_each(Notes::forget_strokes);
    }

    fn end_note(&mut self, track: TrackIndex, voice: u8, held: &Held, head: i64, offset: u8) {
        let release = Cue::Release { voice };
        if held.began >= head + i64::from(offset) {
            self.cues[track.get()].insert_after(offset, release);
        } else {
            self.cues[track.get()].insert(offset, release);
        }
        self.tell_end(track, held, head + i64::from(offset));
    }

    fn tell_end(&mut self, track: TrackIndex, held: &Held, stream: i64) {
        if held.told {
            let (at_once, stream) = (held.began >= stream, stream.max(held.began));
            self.tell(News { stream, track, note: held.note, what: What::End { at_once } });
        }
    }

    fn begin_stroke(&mut self, song: &Song, track: TrackIndex, stretch: &Stretch<'_>, stroke: &Stroke) {
        let at = track.get();
        if !self.cues[at].has_room() || !self.notes[at].is_new(stroke.place, stroke.stroke) {
            return;
        }
        self.locked.take_step(song, track, (stroke.pattern, stroke.cell));
        let sounding = Sounding::under(song, &self.locked);
        let (notes, channel) = (chord(&sounding, track, stroke), channel_of(&sounding, track));
        let (head, offset) = (stretch.head, stretch.offset_of(stroke.sounds));
        let until = Until::Tick(stroke.ends);
        let joins = stroke.joined && self.notes[at].has_tied();
        if joins {
            let goes_on = |held: &Held| notes.iter().flatten().any(|(_, note)| *note == held.note);
            self.end_steps(track, head, offset, |held| held.tied && !goes_on(held));
        }
        let place = hash(hash(u64::from(song.seed), at as u64), stroke.place.0 as u64);
        let seed = hash(place, u64::from(stroke.stroke));
        for (voice, (pitch_hz, note)) in (0..).zip(notes.into_iter().flatten()) {
            if joins && self.notes[at].extend(note, until, stroke.tied) {
                continue;
            }
            let seed = if voice == 0 { seed } else { hash(seed, voice) };
            let began = head + i64::from(offset);
            let held = Held { note, until, tied: stroke.tied, told: true, began };
            let velocity = stroke.step.velocity;
            let strike = Cue::Strike { voice: 0, pitch_hz, velocity, seed, legato: joins };
            self.strike(song, track, held, (head, offset), strike);
            let (cell, tick, lamp) = (stroke.cell, stroke.tick, voice == 0);
            let what = What::Step { cell, tick, velocity, channel, lamp };
            self.tell(News { stream: began, track, note, what });
        }
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
            return self.end_live(note, head, offset);
        }
        if !self.cues[track.get()].has_room() {
            return false;
        }
        let channel = self.begin_played(song, track, (note, velocity), Until::Live, (head, offset));
        let what = What::Live { velocity, channel };
        self.tell(News { stream: head + i64::from(offset), track, note, what });
        true
    }

    /// Ends a live note wherever it sounds: the focus may have moved since it began.
    fn end_live(&mut self, note: u8, head: i64, offset: u8) -> bool {
        let mut any = false;
        for track in TrackIndex::all() {
            let is_it = |held: &Held| held.until == Until::Live && held.note == note;
            while let Some((voice, held)) = self.notes[track.get()].end_where(is_it) {
                self.end_note(track, voice, &held, head, offset);
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
            if let Some((voice, held)) = ended {
                self.end_note(track, voice, &held, head, offset);
            }
            return ended.is_some();
        }
        if !song.track(track).alive || !self.cues[track.get()].has_room() {
            return false;
        }
        let until = Until::Echo(at + LONGEST);
        let channel = self.begin_played(song, track, (note, velocity), until, (head, offset));
        let what = What::Echo { tick: at, velocity, channel };
        self.tell(News { stream: head + i64::from(offset), track, note, what });
        true
    }

    /// Begins a note that somebody plays, at the pitch it is played; gives the MIDI channel that is
    /// told of it, where MIDI is the track's only voice.
    fn begin_played(
        &mut self,
        song: &Song,
        track: TrackIndex,
        (note, velocity): (u8, f32),
        until: Until,
        (head, offset): (i64, u8),
    ) -> Option<u8> {
        let sounding = Sounding::under(song, &self.locked);
        let (pitch_hz, _) = pitch_of(&sounding, track, Some(note));
        let told = !song.track(track).midi.sounds();
        let channel = channel_of(&sounding, track).filter(|_| told);
        let seed = hash(u64::from(song.seed), u64::from(note) << 32 | u64::from(velocity.to_bits()));
        let held = Held { note, until, tied: false, told, began: head + i64::from(offset) };
        let strike = Cue::Strike { voice: 0, pitch_hz, velocity, seed, legato: false };
        self.strike(song, track, held, (head, offset), strike);
        channel
    }

    /// Strikes the voice that a note takes; what the voice held ends.
    fn strike(&mut self, song: &Song, track: TrackIndex, held: Held, (head, offset): (i64, u8), strike: Cue) {
        let (kind, sounds) = (voice_of(song.track(track)), song.track(track).midi.sounds());
        // What MIDI alone plays has as many voices as there are.
        let voices = if sounds { polyphony(kind) } else { VOICES };
        let (voice, before) = self.notes[track.get()].begin(held, voices);
        if let Some(before) = before {
            // The voice itself goes over to the new note.
            self.tell_end(track, &before, head + i64::from(offset));
        }
        if !sounds {
            return;
        }
        if let Cue::Strike { pitch_hz, velocity, seed, legato, .. } = strike {
            self.cues[track.get()].insert(offset, Cue::Strike { voice, pitch_hz, velocity, seed, legato });
        }
        self.choke(song, track, kind, (head, offset));
    }

    /// Silences the other tracks of a struck one's choke group, but for what begins with it.
    fn choke(&mut self, song: &Song, track: TrackIndex, kind: Voice, (head, offset): (i64, u8)) {
        let choke = song.track(track).choke;
        if choke == Choke::Alone || (choke == Choke::Kit && kind != Voice::ClosedHat) {
            return;
        }
        for (other, held) in song.alive().filter(|(other, held)| *other != track && held.choke == choke) {
            if matches!(choke, Choke::Group(_)) || voice_of(held) == Voice::OpenHat {
                let stream = head + i64::from(offset);
                self.end_steps(other, head, offset, |held| held.began < stream);
                self.cues[other.get()].insert(offset, Cue::Choke);
            }
        }
    }

    fn tell(&mut self, news: News) {
        let ends = matches!(news.what, What::End { .. });
        // Ends find room after beginnings have none.
        if self.waiting >= if ends { NEWS } else { BEGINNINGS } {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        // In order of stream sample, ends first; news of one quantum come track by track.
        let rank = |news: &News| match news.what {
            What::End { at_once: false } => (news.stream, 0),
            What::End { at_once: true } => (news.stream, 2),
            _ => (news.stream, 1),
        };
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

/// The notes of a stroke, each pitch once: what the step says, moved to what the track follows.
fn chord(song: &Sounding<'_>, track: TrackIndex, stroke: &Stroke) -> [Option<(f32, u8)>; CHORD] {
    let (held, step) = (song.track(track), &stroke.step);
    let moved = |written: Option<u8>| {
        let own = matches!(held.pitch, Some(Pitch::Hertz(_))) && written.is_none();
        if held.follow == Follow::Off || own {
            return pitch_of(song, track, written);
        }
        let (_, note) = pitch_of(song, track, written);
        pitch_of(song, track, Some(song.followed(held.follow, note, stroke.place)))
    };
    let mut notes = [None; CHORD];
    notes[0] = Some(moved(step.note));
    for at in 1..CHORD {
        let note = step.also[at - 1].map(|note| moved(Some(note)));
        let is_new = |(_, note): &(f32, u8)| notes.iter().flatten().all(|(_, other)| other != note);
        notes[at] = note.filter(is_new);
    }
    notes
}

/// The MIDI notes of a stroke, each once: the step's, moved to what its track follows.
pub fn notes_of(song: &Song, track: TrackIndex, stroke: &Stroke) -> [Option<u8>; CHORD] {
    chord(&Sounding::plain(song), track, stroke).map(|note| Some(note?.1))
}

const _: () = assert!(QUANTUM <= u8::MAX as usize);
