//! Notes played live: what is told of ours, where others' go, and what can be kept as steps.
//!
//! Pure: time and positions are passed in.

use std::collections::{BTreeMap, VecDeque};

use crate::param::TrackIndex;
use crate::pattern::score::{AsWritten, Score};
use crate::pattern::{Bars, Edit, MAX_STEPS, PatternIndex, Song, StepField};
use crate::session::ClientId;
use crate::time::{Beats, HostNanos};
use crate::wire::{MAX_NOTES, PlayedNote, gesture_interval};

/// Notes that are remembered, to be kept.
const REMEMBERED: usize = 512;
/// Notes of others that sound or wait here.
const SOUNDING: usize = 1024;
/// The velocity of MIDI's loudest note.
const LOUDEST: f32 = 127.0;

/// A note as somebody played it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Taken {
    author: ClientId,
    track: TrackIndex,
    note: u8,
    velocity: f32,
    begin: Beats,
    end: Option<Beats>,
    /// It has become a step while it was recorded.
    recorded: bool,
}

/// Where a played note belongs: track, pattern, cell.
type Place = (TrackIndex, PatternIndex, u8);

/// What is played live in one session.
#[derive(Debug, Default)]
pub struct Live {
    outgoing: Vec<PlayedNote>,
    /// Since when the first of them waits.
    since: Option<HostNanos>,
    taken: VecDeque<Taken>,
    /// By how much each note of others that has begun was moved: its end is moved alike.
    moved: BTreeMap<(ClientId, TrackIndex, u8), Beats>,
    /// Whether what is played here becomes steps as it is played, and exactly on them.
    armed: Option<bool>,
}

/// How the last bar is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Exactly on the steps; else with the timing it was played with.
    pub quantised: bool,
    /// What everybody played; else what I played.
    pub everybody: bool,
}

/// What was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The edits that make steps of it.
    pub edits: Vec<Edit>,
    /// Notes that became steps.
    pub notes: usize,
    /// Notes for which their step had no place: a step holds four.
    pub left_out: usize,
}

impl Live {
    /// A note was played here and heard at a tick.
    pub fn played(
        &mut self,
        me: ClientId,
        track: TrackIndex,
        note: u8,
        velocity: f32,
        tick: Beats,
        now: HostNanos,
    ) {
        self.remember(me, track, note, velocity, tick);
        let loud = (velocity * LOUDEST).round().clamp(0.0, LOUDEST) as u8;
        // What sounds at all is no end.
        let velocity = if velocity > 0.0 { loud.max(1) } else { 0 };
        let note = PlayedNote { track, note, velocity, tick };
        if note.is_valid() && self.outgoing.len() < MAX_NOTES {
            self.since.get_or_insert(now);
            self.outgoing.push(note);
        }
    }

    /// The notes that should travel now, in a session of so many people: there is a bar's time, so
    /// they gather as long as gestures do.
    pub fn frame(&mut self, now: HostNanos, people: usize) -> Vec<PlayedNote> {
        let interval = gesture_interval(people).as_nanos() as i64;
        if self.since.is_none_or(|since| now - since < interval) {
            return Vec::new();
        }
        self.since = None;
        std::mem::take(&mut self.outgoing)
    }

    /// Where a note of another's sounds here: one of the song's bars after its player heard it. Where
    /// this position is not near theirs (a host of its own), at the same place of the next bar here.
    /// `None` where it comes too late.
    pub fn place(
        &mut self,
        author: ClientId,
        note: &PlayedNote,
        position: Beats,
        bars: &Bars,
    ) -> Option<Beats> {
        let velocity = f32::from(note.velocity) / LOUDEST;
        self.remember(author, note.track, note.note, velocity, note.tick);
        let name = (author, note.track, note.note);
        if note.velocity == 0 {
            return Some(note.tick + self.moved.remove(&name)?);
        }
        let (theirs, here) = (bars.at(note.tick), bars.at(position).length());
        let due = note.tick + theirs.length();
        let near = due > position - here && due <= position + here + here;
        let sounds = if near { due } else { bars.line_after(position) + (note.tick - theirs.start) };
        if sounds <= position || self.moved.len() >= SOUNDING {
            return None;
        }
        self.moved.insert(name, sounds - note.tick);
        Some(sounds)
    }

    fn remember(&mut self, author: ClientId, track: TrackIndex, note: u8, velocity: f32, tick: Beats) {
        if velocity > 0.0 {
            if self.taken.len() == REMEMBERED {
                self.taken.pop_front();
            }
            self.taken.push_back(Taken {
                author,
                track,
                note,
                velocity,
                begin: tick,
                end: None,
                recorded: false,
            });
            return;
        }
        let same = |taken: &&mut Taken| {
            taken.end.is_none() && (taken.author, taken.track, taken.note) == (author, track, note)
        };
        if let Some(taken) = self.taken.iter_mut().rev().find(same) {
            taken.end = Some(tick);
        }
    }

    /// The last bar in which something was played, as steps of the patterns that its tracks play.
    /// A step takes up to four notes, the first the loudest.
    pub fn keep(&self, me: ClientId, song: &Song, keep: Keep) -> Kept {
        let mine = |taken: &&Taken| keep.everybody || taken.author == me;
        let Some(last) = self.taken.iter().filter(mine).map(|taken| taken.begin).max() else {
            return Kept::default();
        };
        // What was played a little before the bar belongs to its first step.
        let lead = Beats(Beats::SIXTEENTH.0 / 2);
        let bar = Bars::in_song(song).at(last + lead);
        let inside = |taken: &&Taken| (bar.start..bar.end()).contains(&(taken.begin + lead));
        let cells = cells_of(song, self.taken.iter().filter(mine).filter(inside));
        let mut kept = Kept::default();
        for (place, notes) in cells {
            keep_cell(&mut kept, song, place, &notes, keep.quantised);
        }
        kept
    }

    /// From now on what is played here becomes steps, exactly on them or with its timing; or no longer.
    pub fn arm(&mut self, quantised: Option<bool>) {
        self.armed = quantised;
        // What was played before is not recorded.
        self.taken.iter_mut().for_each(|taken| taken.recorded = true);
    }

    /// Whether it is armed, and whether exactly on the steps.
    pub fn armed(&self) -> Option<bool> {
        self.armed
    }

    /// The steps of what was played here and let go since the last call: laid over what the patterns
    /// hold, a step's notes beside its own.
    pub fn recorded(&mut self, me: ClientId, song: &Song) -> Kept {
        let Some(quantised) = self.armed else { return Kept::default() };
        let due = |taken: &&mut Taken| taken.author == me && taken.end.is_some() && !taken.recorded;
        let fresh: Vec<Taken> = (self.taken.iter_mut().filter(due))
            .map(|taken| {
                taken.recorded = true;
                *taken
            })
            .collect();
        let mut kept = Kept::default();
        for (place, notes) in cells_of(song, fresh.iter()) {
            let (track, pattern, step) = place;
            let cell = &song.pattern(track, pattern).steps[usize::from(step)];
            if !cell.on {
                keep_cell(&mut kept, song, place, &notes, quantised);
                continue;
            }
            let held = |note| cell.note == Some(note) || cell.also.contains(&Some(note));
            let mut also = cell.also;
            for (taken, _) in notes.iter().filter(|(taken, _)| !held(taken.note)) {
                match also.iter_mut().find(|place| place.is_none()) {
                    Some(place) => (*place, kept.notes) = (Some(taken.note), kept.notes + 1),
                    None => kept.left_out += 1,
                }
            }
            if also != cell.also {
                kept.edits.push(Edit::Step { track, pattern, step, field: StepField::Also(also) });
            }
        }
        kept
    }
}

/// The cells that played notes belong to, in the patterns that play where they were played, with how
/// far each lies from its step; of a cell's notes the loudest first, each pitch once.
fn cells_of<'a>(song: &Song, taken: impl Iterator<Item = &'a Taken>) -> BTreeMap<Place, Vec<(Taken, i8)>> {
    let bars = Bars::in_song(song);
    let mut cells: BTreeMap<Place, Vec<(Taken, i8)>> = BTreeMap::new();
    for taken in taken.filter(|taken| song.track(taken.track).alive) {
        let score = Score::new(song, &bars, &AsWritten, (taken.begin, taken.begin));
        let lay = score.lay(taken.track, taken.begin);
        let Some(index) = lay.pattern else { continue };
        let pattern = song.pattern(taken.track, index);
        let (step, since) = (pattern.rate.step().0, (taken.begin - lay.origin).0);
        let nearest = (since + step / 2).div_euclid(step);
        let micro = ((since - nearest * step) * 100 / step).clamp(-50, 50) as i8;
        let cell = nearest.rem_euclid(i64::from(pattern.length.max(1)));
        let cell = (cell as usize).min(MAX_STEPS - 1) as u8;
        cells.entry((taken.track, index, cell)).or_default().push((*taken, micro));
    }
    for notes in cells.values_mut() {
        notes.sort_by(|a, b| b.0.velocity.total_cmp(&a.0.velocity).then(a.0.note.cmp(&b.0.note)));
        notes.dedup_by_key(|(taken, _)| taken.note);
    }
    cells
}

fn keep_cell(
    kept: &mut Kept,
    song: &Song,
    (track, pattern, step): Place,
    notes: &[(Taken, i8)],
    quantised: bool,
) {
    let Some((first, micro)) = notes.first() else { return };
    let length = song.pattern(track, pattern).rate.step().0;
    let mut also = [None; 3];
    for (place, (taken, _)) in also.iter_mut().zip(&notes[1..]) {
        *place = Some(taken.note);
    }
    let mut write = |field| kept.edits.push(Edit::Step { track, pattern, step, field });
    write(StepField::On(true));
    write(StepField::Velocity(first.velocity.clamp(0.0, 1.0)));
    write(StepField::Note(Some(first.note)));
    write(StepField::Also(also));
    write(StepField::Micro(if quantised { 0 } else { *micro }));
    if let Some(end) = first.end {
        let gate =
            ((end.0 - first.begin.0).max(0) * 100 / length).clamp(1, i64::from(crate::pattern::MAX_GATE));
        write(StepField::Gate(gate as u16));
    }
    kept.notes += notes.len().min(4);
    kept.left_out += notes.len().saturating_sub(4);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: ClientId = ClientId(1);
    const BEN: ClientId = ClientId(2);
    const BAR: Beats = Beats::quarters(4);
    const STEP: i64 = Beats::SIXTEENTH.0;

    fn track() -> TrackIndex {
        TrackIndex::new(2).expect("a track")
    }

    fn song() -> Song {
        let mut song = Song::new();
        song.tracks[2].alive = true;
        song
    }

    fn note(velocity: u8, tick: Beats) -> PlayedNote {
        PlayedNote { track: track(), note: 60, velocity, tick }
    }

    #[test]
    fn others_hear_a_note_one_bar_later_at_the_same_place() {
        let mut live = Live::default();
        let tick = Beats::quarters(9) + Beats(123);
        let here = Beats::quarters(9) + Beats(50_000);
        assert_eq!(live.place(BEN, &note(90, tick), here, &Bars::default()), Some(tick + BAR));
        let end = tick + Beats(STEP);
        assert_eq!(live.place(BEN, &note(0, end), here, &Bars::default()), Some(end + BAR));
        assert_eq!(live.place(BEN, &note(0, end), here, &Bars::default()), None, "it has ended");
        assert_eq!(live.place(BEN, &note(90, tick), tick + BAR, &Bars::default()), None, "too late");
    }

    #[test]
    fn elsewhere_in_the_song_a_note_keeps_its_place_in_the_bar_and_its_length() {
        let mut live = Live::default();
        let tick = Beats::quarters(101);
        let here = Beats::quarters(6);
        assert_eq!(live.place(BEN, &note(90, tick), here, &Bars::default()), Some(Beats::quarters(9)));
        let end = tick + Beats::quarters(2);
        assert_eq!(
            live.place(BEN, &note(0, end), Beats::quarters(7), &Bars::default()),
            Some(Beats::quarters(11))
        );
    }

    #[test]
    fn a_bar_is_one_of_the_songs_metre() {
        let mut seven = song();
        let metre = crate::pattern::Metre { count: 7, unit: 8 };
        seven.metres[0] = Some(crate::pattern::MetreChange { bar: 0, metre });
        let (bars, bar) = (Bars::in_song(&seven), metre.bar());
        let mut live = Live::default();
        let tick = bar + bar + Beats(123);
        assert_eq!(live.place(BEN, &note(90, tick), tick, &bars), Some(tick + bar));
        assert_eq!(
            live.place(BEN, &note(0, tick + Beats(STEP)), tick, &bars),
            Some(tick + bar + Beats(STEP))
        );
        // Far from its player: at the same place of the next bar.
        let far = Beats(40 * bar.0 + 5);
        assert_eq!(live.place(BEN, &note(90, tick), far, &bars), Some(Beats(41 * bar.0 + 123)));
        // What is kept is the last bar of seven eighths: sixteenths 14 to 27.
        for step in [13, 14, 27] {
            live.played(ME, track(), 40 + step as u8, 0.5, Beats(step * STEP), HostNanos(0));
        }
        let kept = live.keep(ME, &seven, Keep { quantised: true, everybody: false });
        assert_eq!(kept.notes, 2);
    }

    #[test]
    fn notes_gather_before_they_travel() {
        let mut live = Live::default();
        let ms = |ms: i64| HostNanos(ms * 1_000_000);
        live.played(ME, track(), 60, 0.001, Beats(0), ms(0));
        live.played(ME, track(), 60, 0.0, Beats(10), ms(60));
        assert!(live.frame(ms(100), 2).is_empty());
        let frame = live.frame(ms(125), 2);
        assert_eq!(frame.iter().map(|note| note.velocity).collect::<Vec<_>>(), [1, 0]);
        assert!(live.frame(ms(900), 2).is_empty());
    }

    #[test]
    fn the_last_bar_is_kept_as_steps() {
        let mut live = Live::default();
        let at = |steps: i64, hundredths: i64| Beats(steps * STEP + hundredths * STEP / 100);
        let now = HostNanos(0);
        live.played(ME, track(), 40, 0.5, at(3, 0), now);
        // The second bar: a little early on the one, a late chord on the fifth step.
        for (steps, late, pitch, velocity) in [(16, -10, 36, 0.9), (20, 20, 60, 0.6), (20, 21, 64, 0.8)] {
            live.played(ME, track(), pitch, velocity, at(steps, late), now);
            live.played(ME, track(), pitch, 0.0, at(steps + 2, late), now);
        }
        live.place(BEN, &note(127, at(22, 0)), at(21, 0), &Bars::default());
        let mine = Keep { quantised: false, everybody: false };
        let kept = live.keep(ME, &song(), mine);
        assert_eq!((kept.notes, kept.left_out), (3, 0));
        let mut after = song();
        kept.edits.iter().for_each(|edit| after.apply(&edit.check().expect("within its bounds")));
        let steps = &after.tracks[2].playing().steps;
        assert_eq!((steps[0].on, steps[0].note, steps[0].micro, steps[0].gate), (true, Some(36), -10, 200));
        assert_eq!((steps[4].note, steps[4].also[0], steps[4].micro), (Some(64), Some(60), 21));
        assert!(!steps[3].on && !steps[6].on);
        let all = live.keep(ME, &song(), Keep { quantised: true, everybody: true });
        assert_eq!(all.notes, 4);
        let on_the_grid = |edit: &Edit| !matches!(edit, Edit::Step { field: StepField::Micro(1..), .. });
        assert!(all.edits.iter().all(on_the_grid));
        assert_eq!(Live::default().keep(ME, &song(), mine), Kept::default());
    }

    #[test]
    fn while_armed_what_is_played_becomes_steps_beside_what_is_there() {
        let mut live = Live::default();
        let mut song = song();
        let at = |steps: i64, hundredths: i64| Beats(steps * STEP + hundredths * STEP / 100);
        let play = |live: &mut Live, step: i64, late: i64, pitch: u8| {
            live.played(ME, track(), pitch, 0.8, at(step, late), HostNanos(0));
            live.played(ME, track(), pitch, 0.0, at(step + 1, late), HostNanos(0));
        };
        play(&mut live, 1, 0, 40);
        assert_eq!(live.recorded(ME, &song), Kept::default(), "not armed");
        live.arm(Some(false));
        assert_eq!(live.recorded(ME, &song), Kept::default(), "played before");
        play(&mut live, 3, 15, 50);
        live.played(ME, track(), 60, 0.8, at(4, 0), HostNanos(0));
        let take = |live: &mut Live, song: &mut Song| {
            let kept = live.recorded(ME, song);
            kept.edits.iter().for_each(|edit| song.apply(&edit.check().expect("within its bounds")));
            (kept.notes, kept.left_out)
        };
        assert_eq!(take(&mut live, &mut song), (1, 0), "what is held waits for its end");
        let steps = song.tracks[2].playing().steps;
        assert_eq!((steps[3].on, steps[3].note, steps[3].micro, steps[4].on), (true, Some(50), 15, false));
        // A round later, another note on the same step.
        play(&mut live, 19, -10, 55);
        play(&mut live, 19, 0, 50);
        assert_eq!(take(&mut live, &mut song), (1, 0));
        let step = song.tracks[2].playing().steps[3];
        assert_eq!((step.note, step.also, step.micro), (Some(50), [Some(55), None, None], 15));
        live.arm(None);
        live.played(ME, track(), 60, 0.0, at(20, 0), HostNanos(0));
        assert_eq!(live.recorded(ME, &song), Kept::default());
    }
}
