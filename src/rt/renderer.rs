//! The canonical render: quantum by quantum, a function of the run's origin and its inputs.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Renderer::new`]. Invariant: two renderers with the
//! same song, timing, origin and inputs at the same samples give the same bits, however often
//! [`Renderer::quantum`] is called between two blocks.

mod own;
mod plan;
mod renewal;

use self::plan::{Marks, hash_tracks};
use self::renewal::Renewal;
use super::echoes::Echoes;
use super::files::{Files, Named};
use super::fingerprint::{BarHasher, Input, InputKey, tempo_digest};
use super::locked::Sounding;
use super::mixer::{Mixer, Planted};
use super::outbox::Moved;
use super::pending::{Pending, changes};
use super::player::Players;
use super::ports::BarFingerprint;
use super::scheduler::Switched;
use super::stems::Stems;
use super::timed::Timed;
use super::timeline::{Anchor, Timeline, Timing};
use crate::dsp::{LIMITER_LATENCY, QUANTUM, Quantum};
use crate::param::{MAX_TRACKS, Owner, Slot, TrackIndex};
use crate::pattern::{Bars, Edit, Metre, Song, TrackField};
use crate::time::{Beats, TempoMap, TempoSegment};

/// Loops shorter than this (85 ms) are not wrapped ahead; the host's jumps place the head instead.
pub(super) const SHORTEST_LOOP: i64 = 4096;
/// Host parameter moves that may wait for their quantum.
const MOVES: usize = 1024;
/// Live notes that may wait for their sample.
const LIVES: usize = 256;

/// What the engine plays.
pub(super) struct Material {
    pub(super) song: Box<Song>,
    pub(super) map: Box<TempoMap>,
}

/// A live note on its track.
#[derive(Clone, Copy)]
pub(super) struct TrackNote {
    pub(super) track: TrackIndex,
    pub(super) note: u8,
    pub(super) velocity: f32,
}

/// The renderer.
pub(super) struct Renderer {
    mixer: Mixer,
    pub(super) players: Box<Players>,
    bars: BarHasher,
    key: InputKey,
    pub(super) pending: Box<Pending>,
    switched: Switched,
    /// `None` while stopped.
    pub(super) timeline: Option<Timeline>,
    /// The next quantum's first stream sample.
    pub(super) head: i64,
    /// Everything before this tick has been planned.
    next_tick: Beats,
    /// A run begins at `next_tick`, at this offset of the next quantum.
    origin: Option<usize>,
    /// The host's loop.
    pub(super) loop_range: Option<(Beats, Beats)>,
    pub(super) metres: Bars,
    /// Whether the song's own changes of metre make its bars, and not a host's.
    own_metres: bool,
    next_bar: i64,
    /// The stretch of tempo that the key holds: by a map that is to change it holds the change only
    /// from where that takes effect, whenever the map came.
    tempo: Option<TempoSegment>,
    moves: Box<Timed<(Slot, f32), MOVES>>,
    lives: Box<Timed<TrackNote, LIVES>>,
    /// What others play live.
    echoes: Box<Echoes>,
    /// Parameters that the host has moved.
    pub(super) moved: Moved,
    /// Peaks since the last look: each track, then the master.
    pub(super) peaks: ([f32; MAX_TRACKS], [f32; 2]),
    /// The run has ended; its notes end with the next quantum.
    releases_due: bool,
    /// What each track plays, where somebody listens.
    pub(super) stems: Option<Box<Stems>>,
    /// A line at which everything is to begin anew.
    renewal: Option<Renewal>,
    /// Samples of the next quantum that lie before the run's origin.
    stems_from: usize,
    /// Tracks whose sample file is not here: bit n for track n, as the key has it.
    missing: u16,
    /// Planted by a test: track, song sample.
    pub(super) planted: Option<(Planted, i64)>,
}

/// What a quantum gives: what is heard, which lags the head by the limiter's look-ahead, and a bar
/// that the master completes.
pub(super) struct Given {
    pub(super) left: Quantum,
    pub(super) right: Quantum,
    pub(super) bar: Option<BarFingerprint>,
}

impl Renderer {
    /// Allocates.
    pub(super) fn new(material: &Material, files: Files) -> Renderer {
        let mut mixer = Mixer::new();
        mixer.files = files;
        mixer.reset(&Sounding::plain(&material.song));
        let track = TrackIndex::all().next().expect("a song has tracks");
        let slot = Slot::all().next().expect("there are parameters");
        Renderer {
            mixer,
            players: Players::new(),
            bars: BarHasher::new(),
            key: InputKey::default(),
            pending: Box::new(Pending::new()),
            switched: Switched::new(),
            timeline: None,
            head: 0,
            next_tick: Beats::ZERO,
            origin: None,
            loop_range: None,
            metres: Bars::in_song(&material.song),
            own_metres: false,
            next_bar: 0,
            tempo: None,
            moves: Timed::new((slot, 0.0)),
            lives: Timed::new(TrackNote { track, note: 0, velocity: 0.0 }),
            echoes: Echoes::new(),
            moved: Moved::new(),
            peaks: ([0.0; MAX_TRACKS], [0.0; 2]),
            releases_due: false,
            stems: None,
            renewal: None,
            stems_from: 0,
            missing: 0,
            planted: None,
        }
    }

    /// Begins a run with song sample `song`; gives the offset of that
    /// sample in the first quantum, so that quanta lie on multiples of 32 of the song.
    pub(super) fn begin_run(&mut self, material: &mut Material, timing: Timing, song: i64) -> usize {
        self.land_moves(material, i64::MAX);
        let from = timing.first_tick_from(&material.map, song);
        while let Some((_, edit)) = self.pending.take_before(from) {
            self.land(&mut material.song, edit, 0);
        }
        self.pending.forget_foresight();
        self.silence(&material.song);
        let offset = song.rem_euclid(QUANTUM as i64);
        let anchor = Anchor { stream: 0, song: song - offset, timing };
        self.mixer.begin(song - offset);
        self.timeline = Some(Timeline::new(anchor));
        (self.next_tick, self.origin) = (from, Some(offset as usize));
        self.stems_from = offset as usize;
        if let Some(stems) = &mut self.stems {
            stems.clear();
        }
        self.next_bar = self.metres.from(from).number;
        let tempo = timing.segment_at(&material.map, from);
        self.tempo = Some(tempo);
        self.key = InputKey::origin(material.song.digest(), tempo_digest(&tempo), song, self.metres.digest());
        self.missing = 0;
        self.note_missing(&material.song, song);
        offset as usize
    }

    /// Silence, a new stream, no position.
    pub(super) fn silence(&mut self, song: &Song) {
        self.mixer.reset(&Sounding::plain(song));
        self.players.clear();
        self.switched.clear();
        self.renewal = None;
        self.bars.clear();
        self.lives.clear();
        self.echoes.clear();
        (self.timeline, self.origin, self.head, self.releases_due) = (None, None, 0, false);
    }

    /// Ends the run; what rings rings on. `true` where notes had been rendered that nobody has
    /// heard yet: their tracks are silent now, and what was rendered ahead must be dropped.
    pub(super) fn end_run(&mut self) -> bool {
        let unheard = self.players.tracks_to_begin();
        self.players.begin_quantum();
        for track in (0..MAX_TRACKS).filter(|track| unheard & 1 << track != 0) {
            self.mixer.reset_track(track);
            self.players.clear_track(track);
        }
        self.players.clear_news();
        self.echoes.clear();
        self.releases_due = true;
        self.renewal = None;
        self.bars.clear();
        (self.timeline, self.origin) = (None, None);
        unheard != 0
    }

    /// Lets the song position go on from elsewhere, without a new run: nothing is played twice and
    /// nothing skipped. `anchor.stream` has been heard or is the next to be.
    pub(super) fn retime(&mut self, anchor: Anchor, map: &TempoMap) {
        self.timeline = Some(Timeline::new(anchor));
        let tempo = anchor.timing.segment_at(map, self.next_tick);
        self.fold_tempo(tempo, anchor.song_at(self.head));
    }

    fn fold_tempo(&mut self, tempo: TempoSegment, song: i64) {
        self.tempo = Some(tempo);
        self.key = self.key.with(Input::Timing(tempo_digest(&tempo)), song);
    }

    /// The song was exchanged: waiting edits are void.
    pub(super) fn note_song(&mut self, song: &Song) {
        self.pending.clear();
        self.switched.clear();
        self.mixer.note_song();
        if self.own_metres {
            self.set_bars(Bars::in_song(song));
        }
        self.key = self.key.with(Input::Song(song.digest()), self.song_head());
        self.note_missing(song, self.song_head());
    }

    /// Puts a sample file, or none, at a place; gives back what was there.
    pub(super) fn put_file(&mut self, song: &Song, place: u8, file: Option<Named>) -> Option<Named> {
        let old = self.mixer.put_file(place, file);
        self.note_missing(song, self.song_head());
        old
    }

    /// The files, for another renderer.
    pub(super) fn into_files(mut self) -> Files {
        std::mem::take(&mut self.mixer.files)
    }

    /// Folds into the key which tracks miss their file, where those are others now.
    fn note_missing(&mut self, song: &Song, at: i64) {
        let missing = self.mixer.files.missing(song);
        if self.missing != missing {
            self.missing = missing;
            self.key = self.key.with(Input::Missing(missing), at);
        }
    }

    /// Whether something from a tick on has been planned.
    pub(super) fn has_passed(&self, tick: Beats) -> bool {
        tick < self.next_tick
    }

    /// The first bar line at or after a tick.
    pub(super) fn line_from(&self, tick: Beats) -> Beats {
        self.metres.line_from(tick)
    }

    /// A host's bars.
    pub(super) fn follow_host_bars(&mut self, metre: Metre) {
        self.own_metres = false;
        self.set_bars(Bars::of(metre));
    }

    /// The song's bars, from now on.
    pub(super) fn follow_song_bars(&mut self, song: &Song) {
        self.own_metres = true;
        self.set_bars(Bars::in_song(song));
    }

    fn set_bars(&mut self, metres: Bars) {
        if self.metres == metres {
            return;
        }
        let before = self.metres.at(self.next_tick);
        self.metres = metres;
        // A change further on leaves the bar that sounds as it is.
        if self.metres.at(self.next_tick) != before {
            self.bars.clear();
            self.next_bar = self.metres.from(self.next_tick).number;
        }
        self.key = self.key.with(Input::Timing(metres.digest()), self.song_head());
    }

    /// Takes an edit in: lands it, or lets it wait for its beat. `false` where the table was full.
    pub(super) fn take_edit(&mut self, material: &mut Material, edit: Edit, at: Option<Beats>) -> bool {
        let Some(at) = at else {
            self.pending.cancel(&edit);
            self.land(&mut material.song, edit, self.song_head());
            return true;
        };
        let running = self.timeline.is_some();
        let at = if running && at < self.next_tick { self.metres.line_from(self.next_tick) } else { at };
        let waits = self.pending.insert(at, edit);
        if !waits {
            self.land(&mut material.song, edit, self.song_head());
        }
        waits
    }

    /// A host parameter moves on the quantum that begins at a stream sample or holds it.
    pub(super) fn take_move(&mut self, material: &mut Material, stream: i64, slot: Slot, value: f32) {
        let quantum = stream + (-stream).rem_euclid(QUANTUM as i64);
        if !self.moves.push(quantum, (slot, value)) {
            self.land_moves(material, i64::MAX);
            self.land_move(material, slot, value);
        }
    }

    /// A live note sounds at a stream sample.
    pub(super) fn take_live(&mut self, stream: i64, note: TrackNote) {
        // A full table holds 256 notes of 3 ms; what is more is noise.
        let _ = self.lives.push(stream, note);
    }

    /// A note of another's waits for its tick; `false` where there is no room.
    pub(super) fn take_echo(&mut self, at: Beats, note: TrackNote) -> bool {
        let at = if at < self.next_tick && note.velocity <= 0.0 { self.next_tick } else { at };
        at >= self.next_tick && self.timeline.is_some() && self.echoes.insert(at, note)
    }

    /// Lands the host's moves due by a stream sample.
    pub(super) fn land_moves(&mut self, material: &mut Material, stream: i64) {
        while let Some((_, (slot, value))) = self.moves.take_before(stream.saturating_add(1)) {
            self.land_move(material, slot, value);
        }
    }

    fn land_move(&mut self, material: &mut Material, slot: Slot, value: f32) {
        let edit = Edit::Param { slot, value };
        self.pending.cancel(&edit);
        if self.land(&mut material.song, edit, self.song_head()) {
            self.moved.mark(slot);
        }
    }

    /// Writes an edit that lands at a song sample; says whether it changed anything.
    fn land(&mut self, song: &mut Song, edit: Edit, at: i64) -> bool {
        if !changes(song, &edit) {
            return false;
        }
        if self.timeline.is_some()
            && let Some(track) = self.switched.note(song, &edit, self.next_tick)
        {
            self.players.note_switch(track, self.next_tick);
        }
        song.apply(&edit);
        self.key = self.key.with(Input::Edit(edit), at);
        if let Edit::Track { field: TrackField::File(_) | TrackField::Alive(_), .. } = edit {
            self.note_missing(song, at);
        }
        match edit {
            // One track's solo changes what becomes of the others.
            Edit::Track { field: TrackField::Solo(_) | TrackField::Alive(_), .. } => self.mixer.note_song(),
            Edit::Param { slot, .. } => self.mixer.note_change(slot.owner()),
            Edit::Track { track, .. } => self.mixer.note_change(Owner::Track(track)),
            Edit::Metre { .. } if self.own_metres => self.set_bars(Bars::in_song(song)),
            _ => {}
        }
        true
    }

    /// The song sample of the next quantum's first sample; the stream's while stopped.
    fn song_head(&self) -> i64 {
        self.timeline.map_or(self.head, |timeline| timeline.rendered().song_at(self.head))
    }

    /// Renders the next quantum.
    pub(super) fn quantum(&mut self, material: &mut Material) -> Given {
        self.players.begin_quantum();
        self.land_moves(material, self.head);
        let mut marks = Marks::new();
        if std::mem::take(&mut self.releases_due) {
            self.players.end_pattern(self.head, 0);
        }
        let fade = self.renew_in_time(material, &mut marks);
        if self.timeline.is_some() {
            self.plan(material, &mut marks);
        }
        self.plan_live(material);
        self.plant();
        let relocked = self.players.locked.take_changed();
        for track in TrackIndex::all().filter(|track| relocked & 1 << track.get() != 0) {
            self.mixer.note_change(Owner::Track(track));
        }
        if let Some(tempo) = self.tempo {
            self.mixer.follow(tempo.tempo);
        }
        let sounding = Sounding::under(&material.song, &self.players.locked);
        let mixed = self.mixer.render(&sounding, &self.players.cues);
        hash_tracks(&mut self.bars, self.head, mixed, &marks);
        let out = self.head - LIMITER_LATENCY as i64;
        let bar = self.bars.feed_master(out, &mixed.left, &mixed.right, self.key);
        if let Some(stems) = &mut self.stems {
            stems.push(mixed, self.stems_from);
        }
        self.stems_from = 0;
        for (at, peak) in self.peaks.0.iter_mut().enumerate() {
            *peak = mixed.sides(at).fold(*peak, peak_of);
        }
        let [mut left, mut right] = mixed.heard;
        self.peaks.1 = [peak_of(self.peaks.1[0], &left), peak_of(self.peaks.1[1], &right)];
        self.head += QUANTUM as i64;
        // Behind the fingerprint: what a fault has made of the old sound fades unheard by it.
        if let Some(fade) = fade {
            fade.apply(&mut left);
            fade.apply(&mut right);
        }
        Given { left, right, bar }
    }

    fn plant(&mut self) {
        let head = self.song_head();
        if let Some((place, song)) = self.planted
            && (head..head + QUANTUM as i64).contains(&song)
        {
            self.mixer.plant(place, (song - head) as usize);
            self.planted = None;
        }
    }
}

fn peak_of(peak: f32, samples: &Quantum) -> f32 {
    samples.iter().fold(peak, |peak, sample| peak.max(sample.abs()))
}
