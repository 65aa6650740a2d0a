//! What of a song goes into its digest, byte by byte.
//!
//! Thread: audio. Realtime-safe: yes. Lengths keep words apart; all else has a fixed size.

use xxhash_rust::xxh3::Xxh3;

use super::{Choke, ClipSource, Name, Pattern, Pitch, Song, Step, Track, Trig};

/// A track in use.
pub(super) fn track(track: &Track, hash: &mut Xxh3) {
    for name in [track.name, track.sample, track.groove_template] {
        word(name, hash);
    }
    let (pitch_kind, pitch) = match track.pitch {
        None => (0, 0),
        Some(Pitch::Note(note)) => (1, u32::from(note)),
        Some(Pitch::Hertz(hertz)) => (2, hertz.to_bits()),
    };
    hash.update(&[track.overflow as u8, track.pattern.get() as u8, pitch_kind]);
    hash.update(&pitch.to_le_bytes());
    hash.update(&track.groove_steps.to_le_bytes());
    hash.update(&track.lanes.map(|lane| lane.map_or(u8::MAX, |param| param as u8)));
    let choke = match track.choke {
        Choke::Kit => 0,
        Choke::Alone => u8::MAX,
        Choke::Group(group) => group,
    };
    let channel = track.channel.unwrap_or(u8::MAX);
    hash.update(&[u8::from(track.solo), choke, track.follow as u8, track.midi as u8, channel]);
    hash.update(&[u8::from(track.file.is_some())]);
    hash.update(&track.file.map_or([0; 32], |file| file.0));
    hash.update(&track.order.0.to_le_bytes());
    for (at, held) in track.patterns.iter().enumerate() {
        // The first one to differ ends the comparison, so only untouched patterns are read whole.
        if *held != Pattern::EMPTY {
            hash.update(&[at as u8]);
            pattern(held, hash);
        }
    }
}

fn pattern(pattern: &Pattern, hash: &mut Xxh3) {
    hash.update(&[pattern.length, pattern.rate as u8]);
    for (cell, locks) in pattern.steps.iter().zip(&pattern.locks) {
        step(cell, hash);
        hash.update(&locks.bytes());
    }
}

fn step(cell: &Step, hash: &mut Xxh3) {
    let note = |note: Option<u8>| note.map_or(255, |note| note.min(127));
    let trig = match cell.condition.when {
        Trig::Always => [0, 0, 0],
        Trig::Nth { nth, of } => [1, nth, of],
        Trig::First => [2, 0, 0],
        Trig::Previous => [3, 0, 0],
        Trig::Neighbour => [4, 0, 0],
        Trig::Fill => [5, 0, 0],
    };
    let [gate_low, gate_high] = cell.gate.to_le_bytes();
    let flags = u8::from(cell.on) | u8::from(cell.tie) << 1 | u8::from(cell.condition.not) << 2;
    let [second, third, fourth] = cell.also.map(note);
    hash.update(&[flags, note(cell.note), second, third, fourth, cell.ratchet, cell.micro as u8]);
    hash.update(&[trig[0], trig[1], trig[2], gate_low, gate_high]);
    hash.update(&cell.velocity.to_bits().to_le_bytes());
    hash.update(&cell.probability.to_bits().to_le_bytes());
}

/// Scenes, clips, metres, key and chords in use: what decides which pattern plays where, and where
/// its notes are moved to.
pub(super) fn arrangement(song: &Song, hash: &mut Xxh3) {
    let context = &song.context;
    let switches = [u8::from(context.arranged), u8::from(context.fill)];
    hash.update(&[context.key, context.scale as u8, switches[0], switches[1]]);
    hash.update(&context.groove_steps.to_le_bytes());
    word(context.groove_template, hash);
    for (at, change) in song.chords.iter().enumerate() {
        if let Some(change) = change {
            let chord = change.chord;
            hash.update(&[4, at as u8, chord.root, chord.kind as u8, chord.bass.unwrap_or(u8::MAX)]);
            hash.update(&change.beat.to_le_bytes());
        }
    }
    for (at, scene) in song.scenes.iter().enumerate().filter(|(_, scene)| scene.alive) {
        hash.update(&[1, at as u8]);
        hash.update(&scene.patterns.map(|pattern| pattern.map_or(u8::MAX, |pattern| pattern.get() as u8)));
    }
    for (at, clip) in song.clips.iter().enumerate().filter(|(_, clip)| clip.alive) {
        let source = match clip.source {
            ClipSource::Scene(scene) => [0, scene, 0],
            ClipSource::Pattern(track, pattern) => [1, track.get() as u8, pattern.get() as u8],
        };
        hash.update(&[2, at as u8, source[0], source[1], source[2]]);
        hash.update(&clip.start.to_le_bytes());
        hash.update(&clip.length.to_le_bytes());
    }
    for (at, change) in song.metres.iter().enumerate() {
        if let Some(change) = change {
            hash.update(&[3, at as u8, change.metre.count, change.metre.unit]);
            hash.update(&change.bar.to_le_bytes());
        }
    }
}

fn word(name: Name, hash: &mut Xxh3) {
    hash.update(&[name.as_str().len() as u8]);
    hash.update(name.as_str().as_bytes());
}
