//! A MIDI file's notes as patterns.
//!
//! Each chunk and channel becomes a track, on the drum channel each pitch. Its rate is that of the
//! few which the notes fit best; notes lie at their step and keep what is left as micro-timing. What
//! is longer than a pattern is cut at bars into up to eight different ones, and clips place them.

use std::collections::BTreeMap;

use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};
use thiserror::Error;

use super::Note;
use crate::param::{MAX_TRACKS, TrackIndex};
use crate::pattern::{
    Bars, Clip, ClipSource, MAX_CLIPS, MAX_GATE, MAX_METRES, MAX_PATTERNS, MAX_STEPS, Metre, MetreChange,
    Name, Pattern, PatternIndex, Rate, Song, Step,
};
use crate::time::{Beats, TICKS_PER_BEAT, Tempo};

/// The most notes that are read.
const MAX_NOTES: usize = 200_000;
/// The furthest tick of a file that counts.
const FURTHEST: i64 = 1 << 44;
/// Notes of a step.
const CHORD: usize = 4;
/// MIDI's drum channel, 10 as people count.
const DRUMS: u8 = 9;
/// The rates that are tried, the plainest first.
const RATES: [Rate; 5] = [
    Rate::Sixteenth,
    Rate::EighthTriplet,
    Rate::SixteenthTriplet,
    Rate::ThirtySecond,
    Rate::ThirtySecondTriplet,
];

/// What a MIDI file became.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The song.
    pub song: Song,
    /// The first tempo; later ones are left out.
    pub tempo: Tempo,
    /// Notes that found no place: more than four in a step, tracks behind the sixteenth, patterns
    /// behind the eighth.
    pub left_out: usize,
    /// Changes of tempo behind the first, which a groove's text cannot say.
    pub tempi_left_out: usize,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// No MIDI file.
    #[error("this is no MIDI file: {0}")]
    NotMidi(String),
    /// Counted in frames of a film.
    #[error("the file counts in SMPTE frames, not in beats; write it anew with beats")]
    Smpte,
    /// Too much.
    #[error("the file holds more than {MAX_NOTES} notes")]
    TooMany,
    /// Nothing to play.
    #[error("the file holds no note")]
    Empty,
}

/// The notes of a chunk on a channel.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) name: String,
    pub(super) channel: u8,
    pub(super) notes: Vec<Note>,
}

/// What a file says beside its notes, in the file's ticks as we count them.
#[derive(Default)]
struct Frame {
    tempi: Vec<(i64, Tempo)>,
    metres: Vec<(i64, Metre)>,
}

/// Reads a MIDI file.
///
/// # Errors
/// No MIDI file, one without notes, or one with too many.
pub fn import(bytes: &[u8]) -> Result<Imported, ImportError> {
    let (frame, chunks) = parse(bytes)?;
    let mut song = Song::new();
    place_metres(&mut song, &frame);
    let bars = Bars::in_song(&song);
    let (mut left_out, mut clips, mut tracks) = (0, Vec::new(), 0);
    for chunk in split_drums(chunks) {
        if tracks == MAX_TRACKS {
            left_out += chunk.notes.len();
            continue;
        }
        left_out += place_track(&mut song, &bars, tracks, &chunk, &mut clips);
        tracks += 1;
    }
    if tracks == 0 {
        return Err(ImportError::Empty);
    }
    left_out += place_clips(&mut song, clips);
    let tempo = frame.tempi.first().map_or(Tempo::DEFAULT, |(_, tempo)| *tempo);
    Ok(Imported { song, tempo, left_out, tempi_left_out: frame.tempi.len().saturating_sub(1) })
}

/// The notes of a file, chunk by chunk.
#[cfg(test)]
pub(super) fn chunks(bytes: &[u8]) -> Result<Vec<Chunk>, ImportError> {
    parse(bytes).map(|(_, chunks)| chunks)
}

fn parse(bytes: &[u8]) -> Result<(Frame, Vec<Chunk>), ImportError> {
    // Frames a second of −128: the reader negates them in a byte.
    let head = bytes.windows(4).position(|four| four == b"MThd");
    if head.is_some_and(|head| bytes.get(head + 12) == Some(&0x80)) {
        return Err(ImportError::Smpte);
    }
    let smf = Smf::parse(bytes).map_err(|error| ImportError::NotMidi(error.to_string()))?;
    let Timing::Metrical(ppqn) = smf.header.timing else { return Err(ImportError::Smpte) };
    let ppqn = i64::from(ppqn.as_int()).max(1);
    // Into the ticks that we write, to the nearest; nothing that is played lies further.
    let scale = |tick: i64| ((tick * i64::from(super::PPQN) + ppqn / 2) / ppqn).min(FURTHEST);
    let (mut frame, mut chunks, mut count) = (Frame::default(), Vec::new(), 0);
    for track in &smf.tracks {
        let mut name = String::new();
        let mut at = 0i64;
        let mut held: BTreeMap<(u8, u8), (i64, u8)> = BTreeMap::new();
        let mut notes: BTreeMap<u8, Vec<Note>> = BTreeMap::new();
        for event in track {
            at += i64::from(event.delta.as_int());
            let tick = scale(at);
            match event.kind {
                TrackEventKind::Meta(MetaMessage::TrackName(bytes)) if name.is_empty() => {
                    name = String::from_utf8_lossy(bytes).into_owned();
                }
                TrackEventKind::Meta(MetaMessage::Tempo(micros)) => {
                    // To a thousandth: a file says the length of a beat in whole µs.
                    let milli = (60e9 / f64::from(micros.as_int().max(1))).round();
                    let tempo = Tempo::from_bpm((milli / 1e3).clamp(Tempo::MIN.bpm(), Tempo::MAX.bpm()));
                    frame.tempi.extend(tempo.ok().map(|tempo| (tick, tempo)));
                }
                TrackEventKind::Meta(MetaMessage::TimeSignature(count, power, ..)) if power < 6 => {
                    let metre = Metre { count, unit: 1 << power };
                    frame.metres.extend(metre.is_sound().then_some((tick, metre)));
                }
                TrackEventKind::Midi { channel, message } => {
                    let (key, velocity) = match message {
                        MidiMessage::NoteOn { key, vel } => (key.as_int(), vel.as_int()),
                        MidiMessage::NoteOff { key, .. } => (key.as_int(), 0),
                        _ => continue,
                    };
                    let channel = channel.as_int();
                    if let Some((start, velocity)) = held.remove(&(channel, key)) {
                        let note = Note { start, end: tick.max(start + 1), note: key, velocity };
                        notes.entry(channel).or_default().push(note);
                    }
                    if velocity > 0 {
                        held.insert((channel, key), (tick, velocity));
                        count += 1;
                    }
                    if count > MAX_NOTES {
                        return Err(ImportError::TooMany);
                    }
                }
                _ => {}
            }
        }
        // What never ends, ends with its chunk.
        let end = scale(at);
        for ((channel, note), (start, velocity)) in held {
            let note = Note { start, end: end.max(start + 1), note, velocity };
            notes.entry(channel).or_default().push(note);
        }
        chunks.extend(notes.into_iter().map(|(channel, mut notes)| {
            notes.sort_unstable();
            Chunk { name: name.clone(), channel, notes }
        }));
    }
    frame.tempi.sort_by_key(|(tick, _)| *tick);
    frame.metres.sort_by_key(|(tick, _)| *tick);
    Ok((frame, chunks))
}

/// Changes of metre, each from the bar that holds it.
fn place_metres(song: &mut Song, frame: &Frame) {
    for (tick, metre) in frame.metres.iter().take(MAX_METRES) {
        let bars = Bars::in_song(song);
        let bar = bars.from(Beats(tick * super::TICKS)).number;
        let held = u32::try_from(bar).ok().filter(|bar| *bar <= crate::pattern::MAX_BARS);
        let Some(bar) = held.filter(|bar| song.metre_at(*bar) != *metre) else { continue };
        let free = song.metres.iter_mut().find(|place| place.is_none_or(|change| change.bar == bar));
        if let Some(place) = free {
            *place = Some(MetreChange { bar, metre: *metre });
        }
    }
}

/// General MIDI's drums by the ids that play them.
fn drum(note: u8) -> &'static str {
    match note {
        35 | 36 => "kick",
        38 | 40 => "snare",
        37 => "rim",
        39 => "clap",
        42 | 44 => "hat",
        46 => "hat-open",
        41 | 43 | 45 | 47 | 48 | 50 => "tom",
        49 | 52 | 55 | 57 => "crash",
        51 | 53 | 59 => "ride",
        70 | 82 => "shaker",
        _ => "perc",
    }
}

/// A chunk of the drum channel that nobody gave a track's name becomes a track for each drum.
fn split_drums(chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut split = Vec::new();
    for chunk in chunks {
        if chunk.channel != DRUMS || Name::new(&chunk.name).is_ok_and(|name| !name.is_empty()) {
            split.push(chunk);
            continue;
        }
        let mut drums: BTreeMap<&str, Vec<Note>> = BTreeMap::new();
        for note in &chunk.notes {
            drums.entry(drum(note.note)).or_default().push(*note);
        }
        let channel = chunk.channel;
        split.extend(drums.into_iter().map(|(name, notes)| Chunk { name: name.to_owned(), channel, notes }));
    }
    split
}

/// A free name for a track.
fn name_for(song: &Song, said: &str, place: usize) -> Name {
    let letters = said.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    let word: String = letters.collect::<String>().trim_matches('-').chars().take(20).collect();
    let free = |name: &Name| {
        !name.is_empty() && name.as_str() != "master" && song.track_named(name.as_str()).is_none()
    };
    let named = |word: &str| Name::new(word).ok().filter(free);
    // There are more numbers than tracks.
    let numbered = |word: &str| (2..=MAX_TRACKS + 1).find_map(|n| named(&format!("{word}-{n}")));
    let plain = || (place + 1..=place + MAX_TRACKS).find_map(|n| named(&format!("track{n}")));
    named(&word).or_else(|| numbered(&word)).or_else(plain).unwrap_or_default()
}

/// Makes a track of a chunk; its clips wait in `clips` where it has more than one pattern. Gives the
/// notes that found no place.
fn place_track(
    song: &mut Song,
    bars: &Bars,
    place: usize,
    chunk: &Chunk,
    clips: &mut Vec<(Clip, usize)>,
) -> usize {
    let name = name_for(song, &chunk.name, place);
    let rate = RATES.into_iter().min_by_key(|rate| misfit(&chunk.notes, *rate)).unwrap_or_default();
    let track = &mut song.tracks[place];
    (track.alive, track.name) = (true, name);
    track.channel = Some(chunk.channel).filter(|channel| usize::from(*channel) != place);
    let mut held: Vec<Pattern> = Vec::new();
    // Bars without a note rest.
    let left_out = blocks(bars, &chunk.notes, rate, |Block { first, bars, pattern, notes }| {
        let known = held.iter().position(|held| *held == pattern);
        let index = known.or_else(|| (held.len() < MAX_PATTERNS).then_some(held.len()));
        let source = index.and_then(PatternIndex::new).zip(TrackIndex::new(place));
        let Some((pattern_index, track)) = source else { return notes };
        if known.is_none() {
            held.push(pattern);
        }
        let source = ClipSource::Pattern(track, pattern_index);
        clips.push((Clip { alive: true, source, start: first, length: bars }, notes));
        0
    });
    for (index, pattern) in held.into_iter().enumerate() {
        song.tracks[place].patterns[index] = pattern;
    }
    left_out
}

/// How badly notes fit a rate: notes that share a step without sounding together weigh most, then
/// how far they lie from their steps.
fn misfit(notes: &[Note], rate: Rate) -> (usize, i64) {
    let step = rate.step().0;
    let mut crowded = 0;
    let mut far = 0;
    let mut before: Option<(i64, i64)> = None;
    for note in notes {
        let tick = note.start * super::TICKS;
        let nearest = (tick + step / 2).div_euclid(step);
        far += (tick - nearest * step).abs();
        crowded += usize::from(before.is_some_and(|(at, start)| at == nearest && start != note.start));
        before = Some((nearest, note.start));
    }
    // Within a thirtieth of a beat on the average, the plainer rate is taken.
    (crowded, far / (notes.len().max(1) as i64 * TICKS_PER_BEAT / 30))
}

/// Bars of a track that make a pattern.
struct Block {
    first: u32,
    bars: u32,
    pattern: Pattern,
    notes: usize,
}

/// Cuts notes at bars into patterns of at most 64 steps, and gives out those that hold a note; `take`
/// says how many found no place, and so does this for all.
fn blocks(bars: &Bars, notes: &[Note], rate: Rate, mut take: impl FnMut(Block) -> usize) -> usize {
    let step = rate.step().0;
    let tick = |note: &Note| note.start * super::TICKS;
    // What lies within half a step before a bar belongs to it.
    let last = notes.last().map_or(0, |note| tick(note) + step / 2);
    let (mut left_out, mut taken, mut bar) = (0, 0, bars.bar(0));
    while bar.start.0 <= last && bar.number < i64::from(crate::pattern::MAX_BARS) {
        let first = bar;
        let mut after = bars.bar(bar.number + 1);
        let fits = |end: Beats| (end - first.start).0 <= step * MAX_STEPS as i64;
        // Whole bars of one metre, as long as they fill whole steps.
        while bars.bar(after.number).metre == first.metre
            && after.start.0 <= last
            && fits(bars.bar(after.number + 1).start)
        {
            after = bars.bar(after.number + 1);
        }
        let length = ((after.start - first.start).0 / step).clamp(1, MAX_STEPS as i64);
        let mut block = Block {
            first: first.number as u32,
            bars: (after.number - first.number) as u32,
            pattern: Pattern { length: length as u8, rate, ..Pattern::EMPTY },
            notes: 0,
        };
        while let Some(note) = notes.get(taken).filter(|note| tick(note) + step / 2 < after.start.0) {
            let at = (tick(note) + step / 2 - first.start.0).div_euclid(step).max(0);
            let place = first.start.0 + at * step;
            let placed = at < length && take_note(&mut block.pattern, at as usize, note, place, step);
            block.notes += usize::from(placed);
            left_out += usize::from(!placed);
            taken += 1;
        }
        if block.notes > 0 {
            left_out += take(block);
        }
        bar = after;
    }
    left_out + notes.len() - taken
}

/// Puts a note into its cell; `false` where four are there.
fn take_note(pattern: &mut Pattern, at: usize, note: &Note, place: i64, step: i64) -> bool {
    let cell = &mut pattern.steps[at];
    if cell.on {
        let free = cell.also.iter_mut().take(CHORD - 1).find(|place| place.is_none());
        return free.map(|place| *place = Some(note.note)).is_some();
    }
    let hundredths = |ticks: i64| (ticks * 100 + step / 2).div_euclid(step);
    let micro = hundredths(note.start * super::TICKS - place).clamp(-50, 50) as i8;
    let gate = hundredths((note.end - note.start) * super::TICKS).clamp(1, i64::from(MAX_GATE)) as u16;
    let velocity = f32::from(note.velocity) / 127.0;
    *cell = Step { on: true, note: Some(note.note), velocity, micro, gate, ..Step::REST };
    true
}

/// Places the clips where a track has more than one; those that follow each other with one pattern
/// become one. Gives the notes of those that found no place.
fn place_clips(song: &mut Song, clips: Vec<(Clip, usize)>) -> usize {
    let whole = clips.iter().all(|(clip, _)| clip.start == 0);
    if whole {
        return 0;
    }
    song.context.arranged = true;
    let mut joined: Vec<(Clip, usize)> = Vec::new();
    for (clip, notes) in clips {
        let follows = |held: &Clip| held.source == clip.source && held.start + held.length == clip.start;
        let rounds = |held: &Clip| held.length.is_multiple_of(clip.length);
        match joined.last_mut().filter(|(held, _)| follows(held) && rounds(held)) {
            Some((held, count)) => (held.length, *count) = (held.length + clip.length, *count + notes),
            None => joined.push((clip, notes)),
        }
    }
    for (place, (clip, _)) in joined.iter().take(MAX_CLIPS).enumerate() {
        song.clips[place] = *clip;
    }
    joined.iter().skip(MAX_CLIPS).map(|(_, notes)| notes).sum()
}
