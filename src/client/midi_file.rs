//! Standard MIDI files: a song's notes written, and a file's notes read as patterns.
//!
//! Thread: any but audio. Invariant: what is written holds each note once, with its end, on the
//! channel of its track, under the song's tempo map and metres; read back it is the same notes, to a
//! hundredth of a step in place and length.

mod import;

pub use import::{ImportError, Imported, import};

use midly::num::{u4, u7, u15, u24, u28};
use midly::{
    Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track as Chunk, TrackEvent, TrackEventKind,
};

use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::score::{AsWritten, LATEST, Score, Span, Stroke};
use crate::pattern::{Bars, MAX_STEPS, Song};
use crate::rt::notes_of;
use crate::time::{Beats, TICKS_PER_BEAT, TempoMap};

/// Ticks of the file in a quarter note.
const PPQN: u16 = 960;
/// Ours in one of the file's: a whole number, so that places are exact.
const TICKS: i64 = TICKS_PER_BEAT / PPQN as i64;
/// The most bars a file is written of.
pub const MAX_BARS: u32 = 10_000;

/// A note of a track, in the file's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Note {
    start: i64,
    end: i64,
    note: u8,
    velocity: u8,
}

/// The bars that a song lasts by itself: its arrangement to the last clip's end, else its longest
/// pattern, in whole bars.
pub fn length_in_bars(song: &Song) -> u32 {
    if song.context.arranged {
        let ends = song.clips.iter().filter(|clip| clip.alive).map(|clip| clip.start + clip.length);
        return ends.max().unwrap_or(1).clamp(1, MAX_BARS);
    }
    let longest = song.alive().map(|(_, track)| {
        let pattern = track.playing();
        pattern.rate.step().0 * i64::from(pattern.length).clamp(1, MAX_STEPS as i64)
    });
    let end = Beats(longest.max().unwrap_or(1));
    Bars::in_song(song).from(end).number.clamp(1, i64::from(MAX_BARS)) as u32
}

/// A song's first bars as a MIDI file of format 1: tempo and metres in its first chunk, then a chunk
/// for each track that is heard, on the track's channel.
pub fn export(song: &Song, map: &TempoMap, bars: u32) -> Vec<u8> {
    let of = Bars::in_song(song);
    let end = of.bar(i64::from(bars.clamp(1, MAX_BARS))).start;
    let mut chunks = vec![conductor(map, &of, end)];
    let names: Vec<(TrackIndex, String)> =
        song.alive().map(|(at, track)| (at, track.name.to_string())).collect();
    for (track, name) in &names {
        let silent = song.param(Owner::Track(*track), Param::Mute) >= 0.5 || song.is_soloed_out(*track);
        let notes = if silent { Vec::new() } else { notes(song, &of, *track, end) };
        let channel = song.track(*track).channel.unwrap_or(track.get() as u8);
        chunks.push(chunk(name, channel, &notes, end));
    }
    let header = Header::new(Format::Parallel, Timing::Metrical(u15::new(PPQN)));
    let mut bytes = Vec::new();
    // Writing to memory fails for nothing but memory.
    Smf { header, tracks: chunks }.write_std(&mut bytes).expect("a file in memory");
    bytes
}

/// Tempi and metres.
fn conductor(map: &TempoMap, bars: &Bars, end: Beats) -> Chunk<'static> {
    let mut events: Vec<(i64, MetaMessage<'static>)> = Vec::new();
    for segment in map.segments().iter().filter(|segment| segment.tick < end) {
        let micros = (60_000_000_000_000 + segment.tempo.micro_bpm() / 2) / segment.tempo.micro_bpm();
        let micros = u24::new((micros as u32).min(0xFF_FFFF));
        events.push((segment.tick.0.max(0) / TICKS, MetaMessage::Tempo(micros)));
    }
    let (mut bar, mut held) = (bars.bar(0), None);
    while bar.start < end {
        if held != Some(bar.metre) {
            let power = bar.metre.unit.max(1).trailing_zeros() as u8;
            events.push((bar.start.0 / TICKS, MetaMessage::TimeSignature(bar.metre.count, power, 24, 8)));
            held = Some(bar.metre);
        }
        bar = bars.bar(bar.number + 1);
    }
    events.sort_by_key(|(tick, _)| *tick);
    let events = events.into_iter().map(|(tick, message)| (tick, TrackEventKind::Meta(message)));
    deltas(events.collect(), end)
}

/// The notes of a track up to a tick, in order: what is tied is one note, and of two that would
/// sound at once at one pitch the first ends where the second begins.
fn notes(song: &Song, bars: &Bars, track: TrackIndex, end: Beats) -> Vec<Note> {
    let span = Span { from: Beats::ZERO, to: end, end: Some(end), origin: true };
    let mut strokes: Vec<Stroke> = Vec::new();
    Score::new(song, bars, &AsWritten, (span.from - LATEST, span.to))
        .strokes(track, &span, |s| strokes.push(s));
    strokes.sort_by_key(|stroke| (stroke.sounds, stroke.place, stroke.stroke));
    let at = |tick: Beats| (tick.0 + TICKS / 2).div_euclid(TICKS);
    let mut notes: Vec<Note> = Vec::new();
    let mut tied: Vec<usize> = Vec::new();
    for stroke in strokes {
        let (start, until) = (at(stroke.sounds).max(0), at(stroke.ends.min(end)));
        let until = until.max(start + 1);
        let held = if stroke.joined { std::mem::take(&mut tied) } else { Vec::new() };
        let mut sounding = Vec::new();
        for note in notes_of(song, track, &stroke).into_iter().flatten() {
            let joined = held.iter().find(|place| notes[**place].note == note);
            let place = *joined.unwrap_or(&notes.len());
            match joined {
                Some(place) => notes[*place].end = until,
                None => {
                    let velocity = (stroke.step.velocity * 127.0).round().clamp(1.0, 127.0) as u8;
                    notes.push(Note { start, end: until, note, velocity });
                }
            }
            sounding.push(place);
        }
        for place in held.into_iter().filter(|place| !sounding.contains(place)) {
            notes[place].end = start.max(notes[place].start + 1);
        }
        tied = if stroke.tied { sounding } else { Vec::new() };
    }
    notes.sort_unstable();
    for place in 0..notes.len() {
        let Note { start, note, .. } = notes[place];
        for earlier in notes[..place].iter_mut().filter(|earlier| earlier.note == note) {
            earlier.end = earlier.end.min(start);
        }
    }
    notes.retain(|note| note.end > note.start);
    notes
}

fn chunk<'a>(name: &'a str, channel: u8, notes: &[Note], end: Beats) -> Chunk<'a> {
    let channel = u4::new(channel & 15);
    let mut events = vec![(0, 0, TrackEventKind::Meta(MetaMessage::TrackName(name.as_bytes())))];
    for note in notes {
        let (key, vel) = (u7::new(note.note & 127), u7::new(note.velocity & 127));
        let on = MidiMessage::NoteOn { key, vel };
        let off = MidiMessage::NoteOff { key, vel: u7::new(64) };
        events.push((note.start, 2, TrackEventKind::Midi { channel, message: on }));
        events.push((note.end, 1, TrackEventKind::Midi { channel, message: off }));
    }
    // Ends before beginnings.
    events.sort_by_key(|(tick, rank, _)| (*tick, *rank));
    deltas(events.into_iter().map(|(tick, _, kind)| (tick, kind)).collect(), end)
}

/// Events in order, each as far from the one before as the file says it; the end behind them.
fn deltas<'a>(events: Vec<(i64, TrackEventKind<'a>)>, end: Beats) -> Chunk<'a> {
    let mut before = 0;
    let end = (end.0 / TICKS, TrackEventKind::Meta(MetaMessage::EndOfTrack));
    let timed = events.into_iter().chain([end]).map(|(tick, kind)| {
        let delta = u28::new((tick - before).clamp(0, 0xFFF_FFFF) as u32);
        before = before.max(tick);
        TrackEvent { delta, kind }
    });
    timed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::text;
    use crate::time::Tempo;

    const GROOVE: &str = "\
TEMPO 124
seq kick:  X...x...X...x...
seq hat:   x.o.x.o.x.o.
step hat.2: micro=-20 probability=.5
rate hat: 8t
seq bass: x..x..x.x.......
note bass: 36
step bass.0: tie=on
step bass.3: also=43,48 gate=50
midi bass: midi channel=10
seq lead: x.......x...............x.......
step lead.0: note=60 gate=400
metre 1: 3/4 bar=3
groove kick: amount=.5 steps=all type=drag
mute lead: off
";

    fn notes_in(bytes: &[u8]) -> Vec<(String, u8, Vec<Note>)> {
        import::chunks(bytes)
            .expect("a MIDI file")
            .into_iter()
            .map(|c| (c.name, c.channel, c.notes))
            .collect()
    }

    #[test]
    fn a_song_goes_into_a_file_and_comes_back_as_the_same_notes() {
        let reading = text::read(GROOVE).expect("a groove");
        let map = TempoMap::constant(reading.tempo);
        let bytes = export(&reading.song, &map, 6);
        let before = notes_in(&bytes);
        let names: Vec<_> = before.iter().map(|(name, channel, _)| (name.as_str(), *channel)).collect();
        assert_eq!(names, [("kick", 0), ("hat", 1), ("bass", 9), ("lead", 3)]);
        assert!(before.iter().all(|(_, _, notes)| notes.len() > 3), "{before:?}");
        // The tie makes one note of two, the second half a step long.
        let first = before[2].2[0];
        assert_eq!((first.start, first.end, first.note), (0, 840, 36));
        let imported = import(&bytes).expect("our own file");
        assert_eq!((imported.left_out, imported.tempo), (0, Tempo::from_bpm(124.0).expect("a tempo")));
        let song = &imported.song;
        assert_eq!(song.metre_at(2), crate::pattern::Metre { count: 3, unit: 4 });
        let again = notes_in(&export(song, &TempoMap::constant(imported.tempo), 6));
        for ((name, channel, notes), (other, others_channel, others)) in before.iter().zip(&again) {
            assert_eq!((name, channel, notes.len()), (other, others_channel, others.len()), "{name}");
            for (note, other) in notes.iter().zip(others) {
                // A hundredth of the longest step is ten ticks of the file.
                let near = |a: i64, b: i64| (a - b).abs() <= 5;
                assert!(
                    near(note.start, other.start) && near(note.end, other.end),
                    "{name}: {note:?} {other:?}"
                );
                assert_eq!((note.note, note.velocity.abs_diff(other.velocity)), (other.note, 0), "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_midi_file_is_an_error_and_nothing_more() {
        let bytes = export(&text::read(GROOVE).expect("a groove").song, &TempoMap::default(), 2);
        assert!(import(b"").is_err() && import(b"RIFF....").is_err());
        for cut in 0..bytes.len() {
            let _ = import(&bytes[..cut]);
        }
        let mut state = 7u64;
        for _ in 0..2000 {
            let mut broken = bytes.clone();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % broken.len();
                broken[at] = (state >> 20) as u8;
            }
            let _ = import(&broken);
        }
    }
}
