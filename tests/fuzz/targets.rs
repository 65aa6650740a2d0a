//! What reads bytes from outside. A target may refuse its bytes; it may not panic, and it may not
//! hold much more memory than it was given.

use antiphon::client::{Link, journal, midi_file as midi, samples};
use antiphon::pattern::text;
use antiphon::session::{ClientId, Commit, Cseq, Role, Seq, Sequencer, SessionFile, State};
use antiphon::wire::{self, Assembly, Down, Snapshot, Up};
use xxhash_rust::xxh3::xxh3_64;

/// A reader of bytes by its name.
pub struct Target {
    pub name: &'static str,
    pub read: fn(&[u8]),
    /// The most it may hold at once, in bytes, for so many bytes of input.
    pub memory: fn(usize) -> usize,
}

/// A state takes some hundreds of KB whatever it holds; lists grow with what was read.
const fn a_state_and(factor: usize) -> fn(usize) -> usize {
    match factor {
        64 => |bytes| 4_000_000 + 64 * bytes,
        _ => |bytes| 16_000_000 + 256 * bytes,
    }
}

/// Every target.
pub const TARGETS: [Target; 10] = [
    Target { name: "up", read: up, memory: |bytes| 10_000 + 64 * bytes },
    Target { name: "down", read: down, memory: a_state_and(64) },
    Target { name: "ops", read: ops, memory: a_state_and(256) },
    Target { name: "snapshot", read: snapshot, memory: a_state_and(64) },
    Target { name: "session-file", read: session_file, memory: a_state_and(256) },
    Target { name: "journal", read: journal, memory: |bytes| 100_000 + 64 * bytes },
    Target { name: "notation", read: notation, memory: a_state_and(256) },
    Target { name: "midi-file", read: midi_file, memory: a_state_and(256) },
    // Sound that is packed unpacks to 30 s at most, in the file's rate and in ours.
    Target { name: "sound-file", read: sound_file, memory: |bytes| 200_000_000 + 64 * bytes },
    Target { name: "link", read: link, memory: |bytes| 100_000 + 64 * bytes },
];

/// A client's frame.
fn up(bytes: &[u8]) {
    if let Ok(frame) = wire::decode_up(bytes) {
        let again = wire::encode_up(&frame).expect("what was read can be written");
        wire::decode_up(&again).expect("and read again");
    }
}

/// A server's frame, as a client takes it.
fn down(bytes: &[u8]) {
    let Ok(frame) = wire::decode_down(bytes) else { return };
    if let Down::Welcome(welcome) = &frame
        && let Snapshot::Full { bytes, .. } = &welcome.state
    {
        let _ = State::decode(bytes);
    }
    let mut assembly = Assembly::default();
    let _ = assembly.push(frame.clone());
    let _ = assembly.push(frame);
}

/// Frames of ops one after another, each behind its length, as a sequencer takes them.
fn ops(bytes: &[u8]) {
    let mut sequencer = Sequencer::new(State::new());
    let mut rest = bytes;
    for cseq in 1..=16u64 {
        let Some((length, after)) = rest.split_first() else { break };
        let (frame, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let Ok(Up::Ops { base, ops, .. }) = wire::decode_up(frame) else { break };
        let timeline = sequencer.state().timeline();
        let position = timeline.playing.then_some(timeline.tick);
        let _ = sequencer.submit(
            ClientId(1 + (cseq % 2) as u32),
            Role::Owner,
            Cseq(cseq.div_ceil(2)),
            base,
            ops,
            position,
        );
    }
    let state = sequencer.state();
    let read = State::decode(&state.encode()).expect("what was written can be read");
    assert_eq!(read.digest(), state.digest());
}

/// An encoded state: as it is, and with a checksum that fits.
fn snapshot(bytes: &[u8]) {
    let _ = State::decode(bytes);
    let sealed = [bytes, &xxh3_64(bytes).to_le_bytes()].concat();
    if let Ok(state) = State::decode(&sealed) {
        let again = State::decode(&state.encode()).expect("what was read can be written");
        assert_eq!(again.digest(), state.digest());
        // And a commit may follow.
        let _ = state.clone().apply(&Commit {
            seq: Seq(state.seq().0.wrapping_add(1)),
            author: ClientId(1),
            cseq: Cseq(1),
            ops: Vec::new(),
        });
    }
}

/// A session's file: as it is, and with checksums that fit. Its sections are a kind (1 byte), a
/// length (8), a checksum (8) and a body, behind 5 bytes of head.
fn session_file(bytes: &[u8]) {
    let _ = SessionFile::decode(bytes);
    let mut sealed = bytes.to_vec();
    let mut at = 5;
    while let Some(length) = number(&sealed, at + 1, 8) {
        let Some(body) = at.checked_add(17 + length).and_then(|end| sealed.get(at + 17..end)) else { break };
        let sum = xxh3_64(body);
        sealed[at + 9..at + 17].copy_from_slice(&sum.to_le_bytes());
        at += 17 + length;
    }
    if let Ok(file) = SessionFile::decode(&sealed) {
        let written = file.encode();
        let again = SessionFile::decode(&written).expect("what was read can be written");
        assert_eq!(again.encode(), written);
    }
}

/// A journal: as it is, and with checksums that fit. Its records are a mark (4 bytes), a length (4),
/// the head's checksum (4), the body's (8) and the body, behind a head.
fn journal(bytes: &[u8]) {
    let _ = journal::decode(bytes);
    let mut sealed = journal::head();
    let first = sealed.len();
    sealed.extend(bytes.get(first..).unwrap_or_default());
    let mut at = first;
    while let Some(length) = number(&sealed, at + 4, 4) {
        let Some(body) = sealed.get(at + 20..at + 20 + length) else { break };
        let sum = xxh3_64(body);
        let head_sum = xxh3_64(&sealed[at..at + 8]) as u32;
        sealed[at + 8..at + 12].copy_from_slice(&head_sum.to_le_bytes());
        sealed[at + 12..at + 20].copy_from_slice(&sum.to_le_bytes());
        at += 20 + length;
    }
    let _ = journal::decode(&sealed);
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let digits = bytes.get(at..at.checked_add(width)?)?;
    let value = digits.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    usize::try_from(value).ok().filter(|value| *value < 1 << 30)
}

fn notation(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    if let Ok(reading) = text::read(source) {
        let written = text::write(&reading.song, reading.tempo);
        let again = text::read(&written).unwrap_or_else(|errors| panic!("{errors:?}\n{written}"));
        assert!(again.song == reading.song, "written and read again it is another song:\n{written}");
    }
}

/// A MIDI file: what is read is a song that can be said and written again.
fn midi_file(bytes: &[u8]) {
    if let Ok(imported) = midi::import(bytes) {
        let written = text::write(&imported.song, imported.tempo);
        let again = text::read(&written).unwrap_or_else(|errors| panic!("{errors:?}\n{written}"));
        assert!(again.song == imported.song, "written and read again it is another song:\n{written}");
    }
}

/// A sound file: what is read is a sample file.
fn sound_file(bytes: &[u8]) {
    if let Ok(words) = samples::decode(bytes.to_vec()) {
        let kept = wire::encode_sample_file(&words);
        assert_eq!(wire::decode_sample_file(&kept).as_ref(), Ok(&words));
    }
    let _ = wire::decode_sample_file(bytes);
}

fn link(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    if let Ok(link) = source.parse::<Link>() {
        let again: Link = link.to_url().parse().expect("what was read can be written");
        assert_eq!(again, link);
    }
}
