//! Who did what, and when: a log of commits as a list that a person reads.
//!
//! The log itself is never thinned. The view of it is compressed by this rule, one author at a time:
//! 1. A commit tells of what it writes: one parameter, the cells of one track, one track, or, where
//!    it writes to several of these, the song.
//! 2. Commits of one author about the same thing that follow each other within [`RUN_MS`] become one
//!    entry, whatever others did between: a drag, twelve painted steps, a file that was loaded.
//! 3. The transport, promotions and how far branches have come are left out, as is an entry whose
//!    every write matters less than [`SIGNIFICANT`]; [`Detail::All`] shows them.

use serde::{Deserialize, Serialize};

use super::{ClientId, Commit, Op, Record, Seq, Timeline, importance};
use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, Song};
use crate::time::{Beats, Tempo};

/// The longest pause within one entry, in ms.
pub const RUN_MS: i64 = 10_000;
/// Entries below this importance (0 to 1) are left out of the compressed view.
pub const SIGNIFICANT: f32 = 0.25;
/// The most entries on a page.
pub const MAX_ENTRIES: usize = 200;
/// The most commits that one page looks at.
pub const PAGE_COMMITS: u32 = 2000;

/// A commit, and when its sequencer stored it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// In ms since 1970, by the wall clock of whoever stored it; not part of any state.
    pub at_ms: i64,
    /// The commit.
    pub commit: Commit,
}

/// How much of the log to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// Significant changes, compressed.
    #[default]
    Significant,
    /// Every commit, each by itself.
    All,
}

/// What an entry of the history is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A parameter, and its last value.
    Param {
        /// Which.
        slot: Slot,
        /// What it was left at.
        value: f32,
    },
    /// Cells of a track: how many different ones.
    Cells {
        /// The track.
        track: TrackIndex,
        /// Which cells, bit n for step n.
        steps: u64,
    },
    /// Fields of a track.
    Track(TrackIndex),
    /// The song, in this many writes.
    Song {
        /// Writes.
        writes: u32,
    },
    /// The tempo, as it is in the end.
    Tempo(Tempo),
    /// The session's transport.
    Transport(Timeline),
    /// Stamped edits took effect up to here.
    Promoted(Beats),
    /// A branch or a named version.
    Record(Record),
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Its first commit.
    pub first: Seq,
    /// Its last commit.
    pub last: Seq,
    /// Who.
    pub author: ClientId,
    /// When it began, in ms since 1970.
    pub at_ms: i64,
    /// When it ended.
    pub until_ms: i64,
    /// What.
    pub what: What,
    /// How much it matters, 0 to 1.
    pub importance: f32,
}

/// A stretch of history, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The lines, the latest first, by their last commit.
    pub entries: Vec<HistoryEntry>,
    /// Where the page before goes on: ask for what lies before this commit. `None`: the log begins
    /// here.
    pub before: Option<Seq>,
}

/// The page that ends with the last of `rows`, which are gapless and in order: at most `limit`
/// lines. Where that is reached before the rows are, the page before goes on from there.
pub fn page(rows: &[Row], detail: Detail, limit: usize) -> Page {
    let shown = |entry: &HistoryEntry| detail == Detail::All || entry.importance >= SIGNIFICANT;
    // From the latest back, so that what the limit leaves out is whole lines.
    let mut entries: Vec<HistoryEntry> = Vec::new();
    let mut before = rows.first().map(|row| row.commit.seq).filter(|first| *first > Seq(1));
    for row in rows.iter().rev() {
        let Some(mut line) = entry(row) else { continue };
        let full = entries.iter().filter(|entry| shown(entry)).count() >= limit;
        let same = entries.iter_mut().rev().find(|later| later.author == line.author);
        match same {
            Some(later) if detail == Detail::Significant && follows(&line, later) => {
                line.importance = line.importance.max(later.importance);
                (line.last, line.until_ms) = (later.last, later.until_ms);
                line.what = joined(line.what, later.what.clone());
                *later = line;
            }
            _ if full && shown(&line) => {
                before = Some(Seq(row.commit.seq.0 + 1));
                break;
            }
            _ => entries.push(line),
        }
    }
    entries.retain(shown);
    Page { entries, before }
}

/// Whether a later line goes on with what this one is about.
fn follows(line: &HistoryEntry, later: &HistoryEntry) -> bool {
    let soon = later.at_ms - line.until_ms <= RUN_MS;
    soon && match (&line.what, &later.what) {
        (What::Param { slot: a, .. }, What::Param { slot: b, .. }) => a == b,
        (What::Cells { track: a, .. }, What::Cells { track: b, .. }) => a == b,
        (What::Track(a), What::Track(b)) => a == b,
        (What::Song { .. }, What::Song { .. }) | (What::Tempo(_), What::Tempo(_)) => true,
        _ => false,
    }
}

fn joined(what: What, later: What) -> What {
    match (what, later) {
        (What::Cells { track, steps: a }, What::Cells { steps: b, .. }) => {
            What::Cells { track, steps: a | b }
        }
        (What::Song { writes: a }, What::Song { writes: b }) => What::Song { writes: a.saturating_add(b) },
        (_, later) => later,
    }
}

/// A commit as a line of its own.
fn entry(row: &Row) -> Option<HistoryEntry> {
    let commit = &row.commit;
    let mut found: Option<(What, f32)> = None;
    for stamped in &commit.ops {
        let (what, weight) = match &stamped.op {
            Op::TempoMap(map) => {
                let end = map.segments().last().map_or(Beats::ZERO, |segment| segment.tick);
                (What::Tempo(map.tempo_at(end)), 1.0)
            }
            Op::Record(record @ Record::Head { .. }) => (What::Record(record.clone()), 0.0),
            Op::Record(record) => (What::Record(record.clone()), 1.0),
            Op::Timeline(timeline) => (What::Transport(*timeline), 0.1),
            Op::Promote(upto) => (What::Promoted(*upto), 0.0),
            Op::Grid(grid) => (What::Track(grid.track), 0.8),
            Op::AddTrack(_) => (What::Song { writes: 1 }, 1.0),
            other => match other.edit() {
                Some(edit) => (of_edit(&edit), importance(edit.register())),
                None => continue,
            },
        };
        found = Some(match found {
            None => (what, weight),
            Some((before, most)) => (with(before, what), most.max(weight)),
        });
    }
    let (what, importance) = found?;
    Some(HistoryEntry {
        first: commit.seq,
        last: commit.seq,
        author: commit.author,
        at_ms: row.at_ms,
        until_ms: row.at_ms,
        what,
        importance,
    })
}

fn of_edit(edit: &Edit) -> What {
    match (edit, edit.register()) {
        (Edit::Param { slot, value }, _) => What::Param { slot: *slot, value: *value },
        (Edit::Step { track, step, .. }, _) => {
            What::Cells { track: *track, steps: 1 << u32::from(*step).min(63) }
        }
        (_, register) => register.track().map_or(What::Song { writes: 1 }, What::Track),
    }
}

/// Two writes of one commit as one thing.
fn with(before: What, next: What) -> What {
    match (before, next) {
        (What::Param { slot: a, .. }, What::Param { slot, value }) if a == slot => {
            What::Param { slot, value }
        }
        (What::Cells { track, steps: a }, What::Cells { track: other, steps: b }) if track == other => {
            What::Cells { track, steps: a | b }
        }
        (What::Track(a), What::Track(b)) if a == b => What::Track(a),
        // A merge's record says what its writes were for.
        (What::Record(record), _) | (_, What::Record(record)) => What::Record(record),
        (a, b) => What::Song { writes: writes(&a).saturating_add(writes(&b)) },
    }
}

fn writes(what: &What) -> u32 {
    match what {
        What::Song { writes } => *writes,
        What::Cells { steps, .. } => steps.count_ones(),
        _ => 1,
    }
}

impl What {
    /// As a person reads it, behind a name: "painted 12 steps of kick".
    pub fn words(&self, song: &Song) -> String {
        let name = |track: &TrackIndex| match song.track(*track).name.as_str() {
            "" => format!("track {}", track.get() + 1),
            name => name.to_owned(),
        };
        match self {
            What::Param { slot, value } => {
                let spec = slot.spec();
                let owner = match slot.owner() {
                    crate::param::Owner::Track(track) => name(&track),
                    crate::param::Owner::Master => "master".to_owned(),
                };
                format!("set {owner} {} to {}", spec.name.to_lowercase(), spec.display(*value))
            }
            What::Cells { track, steps } => match steps.count_ones() {
                1 => format!("changed step {} of {}", steps.trailing_zeros() + 1, name(track)),
                count => format!("painted {count} steps of {}", name(track)),
            },
            What::Track(track) => format!("changed the track {}", name(track)),
            What::Song { writes } => format!("changed the song in {writes} places"),
            What::Tempo(tempo) => format!("set the tempo to {:.2} BPM", tempo.bpm()),
            What::Transport(timeline) if timeline.playing => "started the session".to_owned(),
            What::Transport(_) => "stopped the session".to_owned(),
            What::Promoted(_) => "stamped edits took effect".to_owned(),
            What::Record(record) => record.words(),
        }
    }
}

impl Record {
    /// As a person reads it, behind a name.
    pub fn words(&self) -> String {
        match self {
            Record::Fork { name, at, .. } => format!("forked the branch \"{name}\" at {}", at.0),
            Record::Drop(id) => format!("dropped branch {}", id.0),
            Record::Merged { id, .. } => format!("merged branch {}", id.0),
            Record::Head { id, head } => format!("branch {} came to {}", id.0, head.0),
            Record::Name { name, seq, .. } => format!("named {} \"{name}\"", seq.0),
            Record::Unname(name) => format!("forgot the version \"{name}\""),
        }
    }
}
