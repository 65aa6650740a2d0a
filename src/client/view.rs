//! What an editor or a script sees of the session.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::client::people::People;
use crate::client::personal::Personal;
use crate::pattern::{Bars, Edit, FileId, Metre, Song};
use crate::rt::controls::{Mapping, Takeover, Target};
use crate::rt::ports::{Meter, Mode, Sync, TempoMatch};
use crate::session::{
    Branch, BranchId, ClientId, HistoryEntry, MergeOutcome, MergeSummary, Role, Seq, Timeline, Version,
};
use crate::time::{Beats, ClockMap, TempoMap};
use crate::wire::PresenceState;

/// The session as one machine sees it now: confirmed state under its own pending edits. A new one
/// is published at each change; readers hold an `Arc` of it.
#[derive(Clone, Debug)]
pub struct View {
    /// Tracks, steps, parameters, with gestures in flight.
    pub song: Song,
    /// The tempo map.
    pub tempo_map: TempoMap,
    /// The session's transport.
    pub timeline: Timeline,
    /// The last commit applied.
    pub seq: Seq,
    /// What has been decided and agreed: conflicts, strategies, permissions.
    pub rulings: std::sync::Arc<crate::session::Rulings>,
    /// How many steps can be undone and redone here.
    pub steps: (usize, usize),
    /// Who this machine is in the session; 0 without one.
    pub client: ClientId,
    /// What it may do.
    pub role: Role,
    /// The connection.
    pub connection: Connection,
    /// The session's link without its secret; `None` without a session.
    pub session: Option<String>,
    /// Ops made here that no commit has confirmed.
    pub unsaved: usize,
    /// The others.
    pub peers: Vec<Peer>,
    /// What is known of the people beside that: hands, invites, chat.
    pub people: People,
    /// The shared clock.
    pub clock: ClockStatus,
    /// The last refusal or error, for a person.
    pub notice: Option<String>,
    /// Whether what sounds here equals what sounds elsewhere.
    pub audio: AudioMatch,
    /// Song position of the engine; `None` when stopped.
    pub position: Option<Beats>,
    /// Tempo the engine uses, in µBPM.
    pub engine_micro_bpm: u64,
    /// Levels.
    pub meter: Option<Meter>,
    /// How loud this machine's metronome is, 0 for off.
    pub metronome: f32,
    /// This machine's own mix.
    pub personal: Arc<Personal>,
    /// What controllers move.
    pub controls: ControlsView,
    /// Whether what is played live here becomes steps, and whether exactly on them.
    pub recording: Option<bool>,
    /// The sample files that the song names and that are not on this machine: their tracks are silent
    /// here.
    pub missing_files: Vec<FileId>,
    /// The step each track last sounded.
    pub lamps: [Option<u8>; crate::param::MAX_TRACKS],
    /// Branches, versions, history.
    pub lines: LinesView,
    /// Mode, lock, phase.
    pub transport: TransportView,
}

impl View {
    /// The edit that lets a metre hold from a bar on; while the session plays, from the next bar line
    /// at the earliest, as bars that have sounded stay. `None` where a song's changes are used up.
    pub fn metre_change(&self, bar: u32, metre: Metre) -> Option<Edit> {
        let next = |at: Beats| Bars::in_song(&self.song).from(at.max(Beats::ZERO) + Beats(1)).number;
        let soonest = self.transport.session_position.map_or(0, next);
        Bars::change(&self.song, bar.max(u32::try_from(soonest).unwrap_or(u32::MAX)), metre)
    }
}

/// What the musician's controllers move.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlsView {
    /// Controllers and what they move.
    pub mappings: Arc<Vec<Mapping>>,
    /// What the next controller that moves is to move.
    pub learning: Option<(Target, Takeover)>,
}

/// Who decides over the position here, and how host and session stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportView {
    /// The mode in use.
    pub mode: Mode,
    /// The mode chosen; `None`: Follow in a session, Host without one.
    pub chosen: Option<Mode>,
    /// The lock on the shared clock, the phase φ, the host's tempo.
    pub sync: Sync,
    /// The session's song position when this view was made; `None` while it stands or its clock is
    /// not known.
    pub session_position: Option<Beats>,
}

impl TransportView {
    /// How the host's tempo stands to the session's; `None` without a host's.
    pub fn tempo_match(&self, map: &TempoMap) -> Option<TempoMatch> {
        let session = map.tempo_at(self.session_position.unwrap_or(Beats::ZERO));
        self.sync.host_micro_bpm.map(|host| TempoMatch::of(host, session.micro_bpm()))
    }

    /// φ as how far the host's bars lie after the session's: within half a bar of the song's.
    pub fn phase_in_bar(&self, song: &Song) -> Option<Beats> {
        let bars = Bars::in_song(song);
        let bar = bars.at(self.session_position.unwrap_or(Beats::ZERO));
        let length = (bars.line_after(bar.start) - bar.start).0.max(1);
        self.sync.phase.map(|phase| Beats((phase.0 + length / 2).rem_euclid(length) - length / 2))
    }
}

/// What there is to see of branches and the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinesView {
    /// The session's branches.
    pub branches: Vec<Branch>,
    /// Its named versions.
    pub versions: Vec<Version>,
    /// The branch that this machine follows; `None`: the session's own line.
    pub audition: Option<BranchId>,
    /// The last commit of the session's own line.
    pub main_seq: Seq,
    /// The history as far as it was asked for.
    pub history: Arc<HistoryView>,
}

/// A line's history, the latest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryView {
    /// Of which line.
    pub line: BranchId,
    /// Its lines.
    pub entries: Vec<HistoryEntry>,
    /// Where it goes on; `None`: here it ends.
    pub before: Option<Seq>,
    /// What its authors are called.
    pub names: BTreeMap<ClientId, String>,
}

/// How it stands with the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connection {
    /// No session, or one of this machine's own: nobody else is needed.
    Solo,
    /// On the way.
    Connecting,
    /// Joined.
    Online,
    /// Lost; the next try comes in this many ms. Edits go on and wait.
    Offline {
        /// Milliseconds to the next try.
        retry_ms: u64,
        /// Why it was lost.
        reason: String,
    },
    /// The server refused us for good; the person has to act.
    Refused(String),
}

/// Another participant.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Who.
    pub client: ClientId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it is connected.
    pub online: bool,
    /// Whether it has done nothing for a while.
    pub away: bool,
    /// What it last told.
    pub state: PresenceState,
}

/// The shared clock's state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClockStatus {
    /// Session time − host time, in ns, if known.
    pub offset_ns: Option<i64>,
    /// Certified bound in ns: the truth lies no further away.
    pub bound_ns: i64,
    /// Estimated bound in ns: the truth usually lies within it, on a path as long one way as the other.
    pub estimated_ns: i64,
    /// By how many ns this machine sounds later than the clock has it: the musician's trim.
    pub trim_ns: i64,
    /// From a frame's turn at this machine's device to its sound, in ns, as the musician has set it.
    pub latency_ns: i64,
    /// For how many ns the server has not answered, where the clock goes on by itself.
    pub held_over_ns: Option<i64>,
    /// Median round trip of the window in ns.
    pub rtt_ns: i64,
    /// Probes in the window.
    pub probes: u32,
    /// Session time as a function of host time, if known, as this machine plays by it: trimmed.
    pub map: Option<ClockMap>,
}

/// Whether equal input gave equal samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AudioMatch {
    /// Nothing to compare with yet.
    #[default]
    Settling,
    /// Equal up to this bar.
    Equal {
        /// The last bar compared.
        bar: i32,
        /// What was healed not long ago.
        healed: Option<Difference>,
    },
    /// Different.
    Different(Difference),
}

/// Equal input that gave different samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first bar that differs.
    pub bar: i32,
    /// On which tracks: bit n for track n, bit 16 for the master.
    pub parts: u32,
    /// The bar with which everybody concerned begins anew.
    pub renews: Option<i32>,
}

/// Bars for which it is shown that a difference was healed.
const HEALED_SHOWN: i32 = 32;

impl AudioMatch {
    /// What another comparison says: a bar, and where it differs, by bits as in [`Difference`].
    pub fn with(self, bar: i32, parts: u32) -> AudioMatch {
        let renewed = |held: &Difference| held.renews.is_some_and(|at| bar >= at);
        match self {
            AudioMatch::Different(held) if held.renews.is_some() && !renewed(&held) => {
                AudioMatch::Different(Difference { parts: held.parts | parts, ..held })
            }
            AudioMatch::Different(held) if parts == 0 => {
                AudioMatch::Equal { bar, healed: Some(held).filter(renewed) }
            }
            AudioMatch::Different(held) if held.renews.is_none() => {
                AudioMatch::Different(Difference { parts: held.parts | parts, ..held })
            }
            AudioMatch::Equal { healed, .. } if parts == 0 => {
                let shown = |held: &Difference| renewed(held) && bar < held.bar.saturating_add(HEALED_SHOWN);
                AudioMatch::Equal { bar, healed: healed.filter(shown) }
            }
            _ if parts == 0 => AudioMatch::Equal { bar, healed: None },
            _ => AudioMatch::Different(Difference { bar, parts, renews: None }),
        }
    }

    /// Everybody concerned begins anew with a bar.
    pub fn renewing(self, bar: i32) -> AudioMatch {
        match self {
            AudioMatch::Different(held) => AudioMatch::Different(Difference { renews: Some(bar), ..held }),
            other => other,
        }
    }
}

impl Difference {
    /// The tracks' names; the master where it is none of theirs.
    pub fn names(&self, song: &Song) -> Vec<String> {
        let tracks = song.tracks.iter().enumerate().filter(|(at, _)| self.parts & 1 << at != 0);
        let tracks: Vec<_> = tracks
            .map(|(at, track)| match track.name.as_str() {
                "" => format!("track {}", at + 1),
                name => name.to_owned(),
            })
            .collect();
        if tracks.is_empty() { vec!["master".to_owned()] } else { tracks }
    }

    /// For a person: "bar 17 on bass", bars counted from 1.
    pub fn words(&self, song: &Song) -> String {
        format!("bar {} on {}", i64::from(self.bar) + 1, self.names(song).join(", "))
    }
}

/// What became of what was edited apart from a session, on coming back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeReport {
    /// Registers that this machine alone had changed: all kept.
    pub mine: u32,
    /// Registers that the others alone had changed: all kept.
    pub theirs: u32,
    /// Registers that both had changed: a mean was written.
    pub mean: u32,
    /// Registers that both had changed: this machine's value was written.
    pub over: u32,
    /// Registers that both had changed: the others' value stays until a person chooses.
    pub conflicts: u32,
    /// Whether the two had grown so far apart that a branch would have kept more.
    pub far_apart: bool,
    /// The branch that keeps this machine's side, where there is one.
    pub branch: Option<u32>,
    /// One line for a person.
    pub line: String,
}

impl MergeReport {
    /// The report of a merge.
    pub fn of(summary: &MergeSummary) -> MergeReport {
        let count = |outcome| summary.count(outcome) as u32;
        MergeReport {
            mine: count(MergeOutcome::Mine),
            theirs: count(MergeOutcome::Theirs),
            mean: count(MergeOutcome::Mean),
            over: count(MergeOutcome::Over),
            conflicts: count(MergeOutcome::Conflict) + count(MergeOutcome::Removed),
            far_apart: summary.is_far_apart(),
            branch: summary.branch.map(|branch| branch.0),
            line: summary.line(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_until_it_is_healed_and_its_healing_shown_for_a_while() {
        let different = |bar, parts, renews| AudioMatch::Different(Difference { bar, parts, renews });
        let mut audio = AudioMatch::default().with(16, 0).with(17, 1 << 4);
        assert_eq!(audio, different(17, 1 << 4, None));
        audio = audio.renewing(19).with(18, 0);
        assert_eq!(audio, different(17, 1 << 4, Some(19)), "the line is still to come");
        let held = Difference { bar: 17, parts: 1 << 4, renews: Some(19) };
        audio = audio.with(19, 0);
        assert_eq!(audio, AudioMatch::Equal { bar: 19, healed: Some(held) });
        assert_eq!(audio.with(20, 1), different(20, 1, None), "another");
        assert_eq!(audio.with(60, 0), AudioMatch::Equal { bar: 60, healed: None });
        let mut song = Song::new();
        song.tracks[4].name = crate::pattern::Name::new("bass").expect("a name");
        assert_eq!(held.words(&song), "bar 18 on bass");
        assert_eq!(Difference { parts: 1 << 16, ..held }.words(&song), "bar 18 on master");
    }
}
