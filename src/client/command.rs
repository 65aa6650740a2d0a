//! What a person or script may want of a client.
//!
//! Thread: any; the client's own takes them in the order in which they were sent. Invariant: none
//! waits for its outcome; the view, the events or the command's own channel tell of it.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam::channel::Sender;

#[cfg(doc)]
use super::Event;
use super::decisions::Decision;
use super::live::Keep;
use super::people::Wish;
use super::personal::Personal;
use super::{Link, View};
use crate::param::{Owner, TrackIndex};
use crate::pattern::{Edit, GridEdit, Name, Song};
use crate::rt::controls::{Controller, Mapping, Takeover, Target};
use crate::rt::personal::PersonalEdit;
use crate::rt::ports::Mode;
use crate::session::{BranchId, Detail, Seq};
use crate::time::{Beats, Tempo, TempoMap};

/// What a person or script wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Change the song: one undo step, committed whole.
    Edit {
        /// The writes.
        edits: Vec<Edit>,
        /// When.
        when: When,
    },
    /// Rotate, fill or otherwise change a whole pattern, as it is when the session decides.
    Grid(GridEdit),
    /// A new track of this name at the end, where there is room.
    AddTrack(Name),
    /// A parameter in somebody's hand: shown and sounding at once, made durable when the hand rests.
    Gesture(Edit),
    /// Edits on arrival that are one undo step with others of the same `step`, as a drag over cells
    /// or a fader that pauses.
    Stroke {
        /// Any number that no other drag has.
        step: u64,
        /// The writes.
        edits: Vec<Edit>,
    },
    /// Undo, conflicts, strategies, permissions.
    Decide(Decision),
    /// Ask for a tempo.
    Tempo(Tempo),
    /// Ask for a gradual change of tempo from the next bar on.
    Ramp {
        /// The tempo at its end.
        tempo: Tempo,
        /// Over how many bars, 1 to [`crate::session::MAX_RAMP_BARS`].
        bars: u16,
    },
    /// How loud this machine's metronome is, 0 (off) to 1.
    Metronome(f32),
    /// Change this machine's own mix, which nobody else sees or hears.
    Mine(PersonalEdit),
    /// Put another own mix in its place, as a project does that is loaded.
    MineAll(Box<Personal>),
    /// What the musician's controllers move; kept in the profile folder.
    Control(ControlCommand),
    /// Forget what the own mix says of an owner; `None`: all of it.
    MineClear(Option<Owner>),
    /// Start the session's transport from a tick, on a bar soon enough for everybody.
    Start(Beats),
    /// As [`Command::Start`], where the session stands still: so many bars later, in which every
    /// metronome counts in.
    CountIn {
        /// From where.
        tick: Beats,
        /// 1 to [`crate::wire::MAX_COUNT_IN`].
        bars: u8,
    },
    /// Stop the session's transport.
    Stop,
    /// Who decides over this machine's position; `None`: Follow in a session, Host without one.
    Mode(Option<Mode>),
    /// Move the host's position by whole bars, so that it comes nearest to the session's: what modes
    /// Host and Lead then play by.
    Align,
    /// Join a session; its state replaces ours.
    Join(Link),
    /// Leave; the song stays here.
    Leave,
    /// Replace the song without making edits of it (a project was loaded); ignored while joined.
    Load(Box<Song>, TempoMap),
    /// Where the cursor is.
    Cursor(Option<(u8, u8)>),
    /// The track that live notes play.
    Focus(TrackIndex),
    /// A line of chat.
    Chat(String),
    /// Take a sound file in and let a track play it; [`Event::Sampled`] tells.
    Sample {
        /// The track.
        track: TrackIndex,
        /// The file: WAV, AIFF, FLAC, MP3 or Ogg Vorbis.
        path: PathBuf,
    },
    /// Something about the people.
    People(Wish),
    /// Something about branches, versions or the past.
    Line(LineCommand),
    /// Ask for the whole session as a file's bytes; without a session on a server.
    Export(Sender<Result<Vec<u8>, String>>),
    /// Sound later than the session's clock has it by so many ms, or earlier; kept in the profile
    /// folder. What a path longer one way than the other adds unseen.
    Trim(f64),
    /// A frame of this machine's device sounds so many ms after its turn, 0 to 500; kept in the
    /// profile folder. It is made up for, so that it sounds when the session's clock has it.
    DeviceLatency(f64),
    /// Make steps of what was played live in the last bar; [`Event::KeptNotes`] tells.
    Keep(Keep),
    /// Let what is played live here become steps as it is played, exactly on them (`true`) or with
    /// its timing; `None` ends that. [`Event::KeptNotes`] tells.
    Record(Option<bool>),
    /// Ask for the confirmed state's digest; [`Event::Digest`] answers.
    Digest,
    /// Ask for the view as the commands before this one left it.
    Look(Sender<Arc<View>>),
}

/// What a person or script wants of controllers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlCommand {
    /// The controller that moves next is to move this; `None`: none. [`Event::Mapped`] tells.
    Learn(Option<(Target, Takeover)>),
    /// A controller moves something.
    Map(Mapping),
    /// A controller moves nothing.
    Forget(Controller),
    /// No controller moves anything.
    ForgetAll,
}

/// What a person or script wants of branches, versions and the past. All of it works alone as well
/// as in a session whose server is there.
#[derive(Clone, Debug, PartialEq)]
pub enum LineCommand {
    /// Fork a branch; [`Event::Record`] tells its number.
    Fork {
        /// What it is called.
        name: String,
        /// From which line, after which commit; `None`: from where this machine is.
        at: Option<(BranchId, Seq)>,
    },
    /// Follow a branch here alone, or [`BranchId::MAIN`] again; [`Event::Line`] answers.
    Audition(BranchId),
    /// Bring a branch back into the session's own line; [`Event::Merged`] answers.
    Merge(BranchId),
    /// Drop a branch.
    Drop(BranchId),
    /// Give a point of history a name.
    Name {
        /// The name.
        name: String,
        /// On which line, after which commit; `None`: where this machine is.
        at: Option<(BranchId, Seq)>,
    },
    /// Forget a named version.
    Unname(String),
    /// Make the song what it was, by edits that can be undone; [`Event::Back`] answers.
    Restore {
        /// On which line.
        line: BranchId,
        /// After which commit.
        seq: Seq,
    },
    /// The same, to a named version.
    RestoreVersion(String),
    /// Who did what on the line that this machine follows; [`Event::History`] and the view answer.
    History {
        /// What lies before this commit; `None`: the latest.
        before: Option<Seq>,
        /// How much of it.
        detail: Detail,
        /// The most lines.
        limit: u16,
    },
    /// Begin with a session file's content, without a session on a server.
    Import(Vec<u8>),
}

/// When an edit takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On arrival.
    Now,
    /// At the next bar of this machine's position that everybody can hear of in time (at once when
    /// stopped).
    NextBar,
    /// As [`When::NextBar`], at the next step: a sixteenth.
    NextStep,
    /// As [`When::NextBar`], at the next beat: a quarter note.
    NextBeat,
    /// As [`When::NextBar`], at the next bar line of every so many, counted from the song's beginning.
    NextBars(u16),
    /// At a tick.
    At(Beats),
}
