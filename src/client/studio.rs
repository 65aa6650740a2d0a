//! The state as this machine follows it: a replica, and without a session the sequencer that
//! decides for it.
//!
//! Alone, the machine runs the same sequencer as a server would, so that edits, tempo and history
//! work alike with and without a session. Pure: no I/O, time is passed in.

use crate::param::{Slot, TrackIndex};
use crate::pattern::{Edit, Song};
use crate::session::{
    Answered, ApplyError, BranchId, Catchup, Change, ClientId, Commit, Cseq, Frame, How, Moved, Replica,
    Role, Seq, Sequencer, StampedOp, State, StepId, Timeline, Welcomed,
};
use crate::time::{Beats, SessionNanos, TempoMap};

/// Who the machine is to its own sequencer.
const SELF: ClientId = ClientId(1);

/// What an edit brought.
#[derive(Debug, Default)]
pub struct Made {
    /// What the engine must be told.
    pub changes: Vec<Change>,
    /// What the machine's own sequencer has committed.
    pub commits: Vec<Commit>,
    /// Why it has refused a frame, and taken it back: the first reason.
    pub refused: Option<String>,
}

/// The state and who decides about it.
pub struct Studio {
    replica: Replica,
    /// Present without a session.
    hub: Option<Sequencer>,
    role: Role,
    alone: bool,
}

impl Studio {
    /// A machine that plays alone, from a song.
    pub fn alone(song: Song, tempo_map: TempoMap) -> Studio {
        Studio::alone_with(State::with_song(song, tempo_map))
    }

    /// A machine that plays alone, where it had come to.
    pub fn alone_with(state: State) -> Studio {
        Studio::alone_as(SELF, state)
    }

    /// The same, under another number: others have written to it before.
    pub fn alone_as(me: ClientId, state: State) -> Studio {
        let mut replica = Replica::new(state.clone());
        // A fresh replica lacks nothing of the state it was made of.
        let _ = replica.welcome(me, Cseq(0), Catchup::Delta(Vec::new()));
        Studio { replica, hub: Some(Sequencer::new(state)), role: Role::Owner, alone: true }
    }

    /// A machine on its way into a session. Until it is welcomed it shows the song it has; edits
    /// made meanwhile wait in the outbox.
    pub fn joining(song: Song, tempo_map: TempoMap) -> Studio {
        let replica = Replica::new(State::with_song(song, tempo_map));
        Studio { replica, hub: None, role: Role::Editor, alone: false }
    }

    /// A branch that somebody else sequences.
    pub fn following(state: State, alone: bool) -> Studio {
        Studio { replica: Replica::new(state), hub: None, role: Role::Editor, alone }
    }

    /// Whether there is no session.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Who writes here: alone, the number that the machine's own sequencer knows it by.
    pub fn me(&self) -> ClientId {
        self.replica.client().unwrap_or(SELF)
    }

    /// Alone: notes how far a branch has come.
    pub fn note_head(&mut self, id: BranchId, head: Seq) -> Option<(Commit, Vec<Change>)> {
        let commit = self.hub.as_mut()?.note_head(id, head)?;
        self.follow(commit)
    }

    /// The song to show and to play.
    pub fn song(&self) -> &Song {
        self.replica.view()
    }

    /// The tempo map.
    pub fn tempo_map(&self) -> &TempoMap {
        self.replica.tempo_map()
    }

    /// The session's transport.
    pub fn timeline(&self) -> Timeline {
        self.replica.timeline()
    }

    /// The state that is decided.
    pub fn confirmed(&self) -> &State {
        self.replica.confirmed()
    }

    /// The last commit applied.
    pub fn seq(&self) -> Seq {
        self.replica.seq()
    }

    /// A digest of the confirmed state: equal on every peer that holds the same commits.
    pub fn digest(&self) -> u64 {
        self.replica.confirmed().digest()
    }

    /// Who this machine is in the session; 0 without one.
    pub fn client(&self) -> ClientId {
        match self.hub {
            Some(_) => ClientId(0),
            None => self.replica.client().unwrap_or_default(),
        }
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// An owner has given this machine another role.
    pub fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// Ops that no commit has confirmed.
    pub fn unsaved(&self) -> usize {
        self.replica.unsaved()
    }

    /// Edits that wait for their beat.
    pub fn waiting(&self) -> Vec<(Beats, Edit)> {
        self.replica.waiting().map(|(at, edit)| (at, *edit)).collect()
    }

    /// Makes ops of ours: shown at once; alone, decided at once.
    ///
    /// # Errors
    /// What the sequencer would refuse, for a person; nothing was changed.
    pub fn edit(&mut self, ops: Vec<StampedOp>, position: Option<Beats>) -> Result<Made, String> {
        self.edit_in(None, ops, position)
    }

    /// As [`Studio::edit`]; what is made under one `step` is undone at once.
    ///
    /// # Errors
    /// As [`Studio::edit`].
    pub fn edit_in(
        &mut self,
        step: Option<StepId>,
        ops: Vec<StampedOp>,
        position: Option<Beats>,
    ) -> Result<Made, String> {
        let (_, changes) = self.replica.edit_in(step, ops).map_err(|refusal| refusal.to_string())?;
        Ok(self.decided(changes, position))
    }

    /// Takes the last step of ours back; `None` where there is none.
    pub fn undo(&mut self, how: How, position: Option<Beats>) -> Option<Made> {
        let (_, changes) = self.replica.undo(how)?;
        Some(self.decided(changes, position))
    }

    /// Takes the last undo of ours back.
    pub fn redo(&mut self, how: How, position: Option<Beats>) -> Option<Made> {
        let (_, changes) = self.replica.redo(how)?;
        Some(self.decided(changes, position))
    }

    /// How many steps can be undone and redone.
    pub fn steps(&self) -> (usize, usize) {
        self.replica.steps().depth()
    }

    /// Tries values here alone; see [`Replica::audition`].
    pub fn audition(&mut self, edits: &[Edit]) -> Vec<Change> {
        self.replica.audition(edits)
    }

    fn decided(&mut self, changes: Vec<Change>, position: Option<Beats>) -> Made {
        let mut made = Made { changes, ..Made::default() };
        self.decide(position, &mut made);
        made
    }

    /// Alone: lets the own sequencer answer all that waits, so that no refused frame stands before
    /// the next edit.
    fn decide(&mut self, position: Option<Beats>, made: &mut Made) {
        let me = self.me();
        let Some(hub) = &mut self.hub else { return };
        while let Some(Frame { cseq, base, ops }) = self.replica.next_to_send().cloned() {
            match hub.submit(me, Role::Owner, cseq, base, ops, position) {
                Ok(crate::session::Outcome::Committed(commit)) => {
                    // The hub's next commit is the replica's: they began with one state.
                    made.changes.extend(self.replica.commit(&commit).expect("the hub's next commit"));
                    made.commits.push(commit);
                }
                // A fresh number is no retry.
                Ok(crate::session::Outcome::Duplicate { .. }) => {}
                Err(refusal) => {
                    made.changes.extend(self.replica.nack(cseq));
                    made.refused.get_or_insert(refusal.to_string());
                }
            }
        }
    }

    /// Alone: starts the transport, so that `tick` sounds at `at`.
    pub fn start(&mut self, tick: Beats, at: SessionNanos) -> Option<(Commit, Vec<Change>)> {
        let commit = self.hub.as_mut()?.start(tick, at);
        self.follow(commit)
    }

    /// Alone: stops the transport.
    pub fn stop(&mut self, at: SessionNanos, tick: Beats) -> Option<(Commit, Vec<Change>)> {
        let commit = self.hub.as_mut()?.stop(at, tick);
        self.follow(commit)
    }

    /// Alone: edits stamped for beats up to `upto` have taken effect.
    pub fn promote(&mut self, upto: Beats) -> Option<(Commit, Vec<Change>)> {
        let commit = self.hub.as_mut()?.promote(upto)?;
        self.follow(commit)
    }

    fn follow(&mut self, commit: Commit) -> Option<(Commit, Vec<Change>)> {
        let changes = self.replica.commit(&commit).ok()?;
        Some((commit, changes))
    }

    /// A parameter in somebody's hand; see [`Replica::gesture`].
    pub fn gesture(&mut self, author: ClientId, slot: Slot, value: f32) -> Vec<Change> {
        self.replica.gesture(author, slot, value)
    }

    /// A parameter in this machine's hand.
    pub fn own_gesture(&mut self, slot: Slot, value: f32) -> Vec<Change> {
        let me = self.replica.client().unwrap_or_default();
        self.replica.gesture(me, slot, value)
    }

    /// Another's gesture ended without a commit. Where this machine's own hand has taken the
    /// parameter meanwhile, it keeps it.
    pub fn end_gesture(&mut self, slot: Slot) -> Vec<Change> {
        let me = self.replica.client().unwrap_or_default();
        let mine = self.replica.gestures().any(|(held, author, _)| held == slot && author == me);
        if mine { Vec::new() } else { self.replica.end_gesture(slot) }
    }

    /// A commit of the session.
    ///
    /// # Errors
    /// Commits are missing before it; a new welcome heals that.
    pub fn commit(&mut self, commit: &Commit) -> Result<Vec<Change>, ApplyError> {
        self.replica.commit(commit)
    }

    /// A frame of ours was refused.
    pub fn nack(&mut self, cseq: Cseq) -> Vec<Change> {
        self.replica.nack(cseq)
    }

    /// The session welcomes us.
    ///
    /// # Errors
    /// The commits do not follow from the state here; only a full welcome helps then.
    pub fn welcome(
        &mut self,
        client: ClientId,
        role: Role,
        answered: impl Into<Answered>,
        catchup: Catchup,
    ) -> Result<Welcomed, ApplyError> {
        self.role = role;
        // The machine's hub numbers this instance's frames, whoever it is to a server by now.
        self.replica.rename(client);
        let catchup = match catchup {
            // The song shown while joining is no state of the session's: its commits count from
            // the empty one.
            Catchup::Delta(commits) if self.replica.seq() == Seq(0) => {
                let mut state = State::new();
                for commit in &commits {
                    state.apply(commit)?;
                }
                Catchup::Full(Box::new(state))
            }
            other => other,
        };
        self.replica.welcome(client, answered, catchup)
    }

    /// Another instance's frame that the session has not answered; see [`Replica::neighbour`].
    pub fn neighbour(&mut self, cseq: Cseq, ops: Vec<StampedOp>) -> Vec<Change> {
        self.replica.neighbour(cseq, ops)
    }

    /// The session has answered it.
    pub fn settled(&mut self, cseq: Cseq) -> Vec<Change> {
        self.replica.settled(cseq)
    }

    /// The connection is lost.
    pub fn disconnect(&mut self) -> Vec<Change> {
        self.replica.disconnect()
    }

    /// The next frame to send, once.
    pub fn next_to_send(&mut self) -> Option<&Frame> {
        self.replica.next_to_send()
    }

    /// Whether a track's place is a guess; see [`Replica::is_unsettled`].
    pub fn is_unsettled(&self, track: TrackIndex) -> bool {
        self.replica.is_unsettled(track)
    }

    /// Where tracks have gone; see [`Replica::moved_tracks`].
    pub fn moved_tracks(&mut self) -> Vec<Vec<Moved>> {
        self.replica.moved_tracks()
    }

    /// The oldest frame that nobody has answered.
    pub fn oldest_unanswered(&self) -> Option<Cseq> {
        self.replica.outbox().next().map(|(cseq, _, _)| cseq)
    }

    /// Hands every unanswered frame out again.
    pub fn resend(&mut self) {
        self.replica.resend_from_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Op;
    use crate::time::Tempo;

    #[test]
    fn alone_the_machine_decides_for_itself() {
        let mut studio = Studio::alone(Song::new(), TempoMap::default());
        let made =
            studio.edit(vec![StampedOp { op: Op::Edit(Edit::Seed(7)), at: None }], None).expect("decided");
        assert_eq!((made.commits.len(), made.changes.len()), (1, 1));
        assert_eq!((studio.song().seed, studio.unsaved()), (7, 0));
        let tempo = Op::RequestTempo(Tempo::from_bpm(90.0).expect("a tempo"));
        let made = studio.edit(vec![StampedOp { op: tempo, at: None }], None).expect("decided");
        assert!(matches!(made.changes[..], [Change::TempoMap(_)]));
        assert_eq!(studio.tempo_map().tempo_at(Beats::ZERO).bpm(), 90.0);
    }

    #[test]
    fn a_welcome_into_an_empty_session_replaces_the_song_but_keeps_later_edits() {
        let mut song = Song::new();
        song.seed = 3;
        let mut studio = Studio::joining(song, TempoMap::default());
        studio.edit(vec![StampedOp { op: Op::Edit(Edit::Seed(9)), at: None }], None).expect("queued");
        assert!(studio.next_to_send().is_none());
        studio.welcome(ClientId(4), Role::Editor, Cseq(0), Catchup::Delta(Vec::new())).expect("welcome");
        assert_eq!((studio.song().seed, studio.unsaved()), (9, 1));
        assert_eq!(studio.next_to_send().map(|frame| frame.cseq), Some(Cseq(1)));
    }

    #[test]
    fn a_refused_frame_takes_back_itself_alone_and_blocks_nothing() {
        let mut studio = Studio::alone(Song::new(), TempoMap::default());
        let stamped = |at| StampedOp { op: Op::Edit(Edit::Seed(1)), at: Some(Beats(at)) };
        let many = (1..=crate::session::MAX_WAITING as i64 + 600).map(stamped).collect();
        let made = studio.edit(many, None).expect("within the bounds of an edit");
        assert!(made.refused.is_some());
        assert_eq!((studio.unsaved(), studio.waiting().len()), (0, crate::session::MAX_WAITING));
        // Told in order: what arrives ends what waits.
        let mut engine = Vec::new();
        for change in made.changes {
            match change {
                Change::Edit { at: Some(at), edit } => engine.push((at, edit)),
                Change::Edit { at: None, .. } => engine.clear(),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(engine, studio.waiting());
        let made = studio.edit(vec![StampedOp { op: Op::Edit(Edit::Seed(5)), at: None }], None);
        assert_eq!(made.expect("an edit").refused, None);
        assert_eq!((studio.song().seed, studio.unsaved()), (5, 0));
    }

    #[test]
    fn a_hand_that_takes_over_anothers_gesture_is_not_let_go_with_it() {
        use crate::param::{Owner, Param};
        let slot = Slot::new(Owner::Master, Param::Level);
        let mut studio = Studio::joining(Song::new(), TempoMap::default());
        studio.welcome(ClientId(4), Role::Editor, Cseq(0), Catchup::Delta(Vec::new())).expect("welcome");
        studio.gesture(ClientId(9), slot, 0.25);
        studio.own_gesture(slot, 0.5);
        assert!(studio.end_gesture(slot).is_empty());
        assert_eq!(studio.song().params[slot.index()], 0.5);
    }

    #[test]
    fn a_hand_holds_on_over_a_new_connection() {
        use crate::param::{Owner, Param};
        let slot = Slot::new(Owner::Master, Param::Level);
        let mut studio = Studio::joining(Song::new(), TempoMap::default());
        let welcome = |studio: &mut Studio| {
            studio.welcome(ClientId(4), Role::Editor, Cseq(0), Catchup::Delta(Vec::new())).expect("welcome")
        };
        welcome(&mut studio);
        studio.own_gesture(slot, 0.5);
        studio.disconnect();
        assert!(welcome(&mut studio).changes.is_empty());
        assert_eq!(studio.song().params[slot.index()], 0.5);
    }
}
