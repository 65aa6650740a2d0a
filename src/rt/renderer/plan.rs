//! What a quantum holds: bar lines, notes and edits, stretch by stretch between a loop's wraps.
//!
//! Thread: audio. Realtime-safe: yes.

use super::{Material, Renderer, SHORTEST_LOOP, TrackNote};
use crate::dsp::QUANTUM;
use crate::param::MAX_TRACKS;
use crate::pattern::Song;
use crate::pattern::score::Span;
use crate::rt::fingerprint::{BarHasher, Input};
use crate::rt::mixer::Mixed;
use crate::rt::player::Stretch;
use crate::rt::scheduler::Ahead;
use crate::rt::timeline::{Anchor, Timing};
use crate::time::{Beats, TempoMap};

/// Bar lines in one quantum.
const MARKS: usize = 8;
/// Something that happens to the bars within a quantum.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Begin { bar: i32, song: i64 },
    End,
    BreakOff,
}

/// The marks of a quantum, in order of offset.
pub(super) struct Marks {
    marks: [(usize, Mark); MARKS],
    length: usize,
}

impl Marks {
    /// None.
    pub(super) fn new() -> Marks {
        Marks { marks: [(0, Mark::End); MARKS], length: 0 }
    }

    pub(super) fn push(&mut self, offset: usize, mark: Mark) {
        if self.length < MARKS {
            self.marks[self.length] = (offset, mark);
            self.length += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Mark)> + '_ {
        self.marks[..self.length].iter().copied()
    }
}

impl Renderer {
    /// Folds into the key how ticks become samples in a stretch of the song.
    pub(super) fn note_tempo(&mut self, anchor: &Anchor, map: &TempoMap, until: Beats) {
        let mut tick = self.next_tick;
        loop {
            let tempo = anchor.timing.segment_at(map, tick);
            if self.tempo != Some(tempo) {
                self.fold_tempo(tempo, anchor.timing.sample_at(map, tick));
            }
            let next = map.segment_after(tick).filter(|_| anchor.timing == Timing::Session);
            let Some(next) = next.filter(|next| next.tick < until) else { return };
            tick = next.tick;
        }
    }

    /// Plans a quantum's notes, edits and bar lines, stretch by stretch between a loop's wraps.
    pub(super) fn plan(&mut self, material: &mut Material, marks: &mut Marks) {
        let mut from = self.origin.unwrap_or(0);
        loop {
            let Some(timeline) = self.timeline else { return };
            let anchor = *timeline.rendered();
            let loops = self.loop_ahead(material, &anchor);
            let wrap = loops.map(|(_, end)| anchor.stream_at(anchor.timing.sample_at(&material.map, end)));
            let wrap =
                wrap.map(|stream| (stream - self.head).max(from as i64)).filter(|at| *at < QUANTUM as i64);
            let to = wrap.map_or(QUANTUM, |at| at as usize);
            let mut until =
                anchor.timing.first_tick_from(&material.map, anchor.song_at(self.head + to as i64));
            if let Some((_, end)) = loops {
                until = if wrap.is_some() { end } else { until.min(end) };
            }
            self.plan_stretch(material, marks, anchor, (from, to), until, loops.map(|(_, end)| end));
            let (Some((start, end)), Some(_)) = (loops, wrap) else { return };
            self.wrap(material, marks, anchor, to, (start, end));
            from = to;
        }
    }

    /// The host's loop, where the position has its end ahead.
    pub(super) fn loop_ahead(&self, material: &Material, anchor: &Anchor) -> Option<(Beats, Beats)> {
        let (start, end) = self.loop_range.filter(|(_, end)| self.next_tick < *end)?;
        let at = |tick| anchor.timing.sample_at(&material.map, tick);
        // A run that begins on the loop's end goes on behind it, though the ticks of that sample begin
        // before.
        let begins = self.origin.map(|offset| anchor.song_at(self.head + offset as i64));
        let passed = begins.is_some_and(|begins| at(end) <= begins);
        (!passed && at(end) - at(start) >= SHORTEST_LOOP).then_some((start, end))
    }

    pub(super) fn plan_stretch(
        &mut self,
        material: &mut Material,
        marks: &mut Marks,
        anchor: Anchor,
        (from, to): (usize, usize),
        until: Beats,
        end: Option<Beats>,
    ) {
        let since = self.next_tick;
        let Material { song, map } = material;
        let stretch = Stretch { head: self.head, from, to, anchor, map };
        self.note_tempo(&anchor, map, until);
        loop {
            let bar = self.metres.bar(self.next_bar).start;
            if bar >= until {
                break;
            }
            let start = anchor.timing.sample_at(map, bar);
            let number = self.next_bar.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
            let mark = Mark::Begin { bar: number, song: start };
            marks.push(usize::from(stretch.offset_of(bar)), mark);
            self.next_bar += 1;
        }
        while let Some(edit) = self.pending.foresee(song, until) {
            self.key = self.key.with(Input::Foreseen(edit), anchor.song_at(self.head));
        }
        // What sounds before `at` is played as it was, but for early steps that belong behind it.
        while let Some((at, edit)) = self.pending.take_before(until) {
            self.plan_notes(song, &stretch, at, end);
            self.land(song, edit, anchor.song_at(self.head));
        }
        self.plan_notes(song, &stretch, until, end);
        self.plan_echoes(song, &stretch, since, until);
    }

    /// What others play live, in its place among the pattern's notes.
    pub(super) fn plan_echoes(&mut self, song: &Song, stretch: &Stretch<'_>, since: Beats, until: Beats) {
        while let Some((at, note)) = self.echoes.take_before(until) {
            // A map exchanged meanwhile may have carried the position past it.
            if at < since && note.velocity > 0.0 {
                continue;
            }
            let offset = stretch.offset_of(at);
            if self.players.echo(song, note, at, (stretch.head, offset)) {
                let TrackNote { track, note, velocity } = note;
                let live = Input::Live { track: track.get() as u8, note, velocity };
                self.key = self.key.with(live, stretch.anchor.song_at(stretch.head) + i64::from(offset));
            }
        }
    }

    pub(super) fn plan_notes(&mut self, song: &Song, stretch: &Stretch<'_>, to: Beats, end: Option<Beats>) {
        let (from, to) = (self.next_tick, to.max(self.next_tick));
        let origin = self.origin.is_some();
        if to > from {
            let ahead = Ahead { pending: &self.pending, switched: &self.switched };
            let span = Span { from, to, end, origin };
            self.players.plan(song, &ahead, &self.metres, stretch, &span);
            (self.next_tick, self.origin) = (to, None);
        }
    }

    /// The loop's end: notes off, tails on, and on from its start.
    pub(super) fn wrap(
        &mut self,
        material: &mut Material,
        marks: &mut Marks,
        anchor: Anchor,
        offset: usize,
        (start, end): (Beats, Beats),
    ) {
        self.players.end_pattern(self.head, offset as u8);
        self.players.forget_strokes();
        self.switched.clear();
        self.echoes.wrap(start, end);
        let at = |tick| anchor.timing.sample_at(&material.map, tick);
        let (first, last) = (at(start), at(end));
        self.key = self.key.with(Input::Wrap, last).with(Input::Wrap, first);
        // What waits for a beat behind the loop would never come.
        while let Some((_, edit)) = self.pending.take_before(Beats(i64::MAX)) {
            self.land(&mut material.song, edit, last);
        }
        let whole = self.metres.line_from(end) == end;
        marks.push(offset, if whole { Mark::End } else { Mark::BreakOff });
        if let Some(timeline) = &mut self.timeline {
            timeline.wrap(Anchor { stream: self.head + offset as i64, song: first, timing: anchor.timing });
        }
        // LFOs are the same in every pass; as they move by quanta, this one counts as the new pass's.
        self.mixer.seek(first - offset as i64);
        (self.next_tick, self.origin) = (start, Some(offset));
        self.next_bar = self.metres.from(start).number;
    }

    pub(super) fn plan_live(&mut self, material: &Material) {
        let end = self.head + QUANTUM as i64;
        while let Some((stream, TrackNote { track, note, velocity })) = self.lives.take_before(end) {
            let offset = (stream - self.head).clamp(0, QUANTUM as i64 - 1);
            if self.players.live(&material.song, track, (note, velocity), self.head, offset as u8) {
                let song = self.song_head() + offset;
                let live = Input::Live { track: track.get() as u8, note, velocity };
                self.key = self.key.with(live, song);
            }
        }
    }
}

/// Feeds a quantum's tracks to the bars that its marks part.
pub(super) fn hash_tracks(bars: &mut BarHasher, head: i64, mixed: &Mixed, marks: &Marks) {
    let feed = |bars: &mut BarHasher, from: usize, to: usize| {
        for track in 0..MAX_TRACKS {
            mixed.sides(track).for_each(|samples| bars.feed_track(track, &samples[from..to]));
        }
    };
    let mut from = 0;
    for (offset, mark) in marks.iter() {
        let offset = offset.max(from);
        feed(bars, from, offset);
        from = offset;
        let stream = head + offset as i64;
        match mark {
            Mark::Begin { bar, song } => bars.begin_bar(bar, song, stream),
            Mark::End => bars.end_bar(stream),
            Mark::BreakOff => bars.break_off(),
        }
    }
    feed(bars, from, QUANTUM);
}
