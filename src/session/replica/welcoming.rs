//! A connection begins: what became of my frames meanwhile, and the way to the present state.

use std::collections::BTreeMap;

use super::Replica;
use crate::session::{Answer, ApplyError, Change, ClientId, Commit, Cseq, Refusal, Seq, State, Written};

/// How a joiner gets to the present state.
#[derive(Clone, Debug)]
pub enum Catchup {
    /// By the commits it lacks, in order.
    Delta(Vec<Commit>),
    /// By the whole state.
    Full(Box<State>),
}

/// What a welcome did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Welcomed {
    /// What an engine must be told.
    pub changes: Vec<Change>,
    /// Frames of mine that were committed, and as what.
    pub acked: Vec<(Cseq, Seq)>,
    /// Frames of mine that were refused, and why.
    pub refused: Vec<(Cseq, Refusal)>,
    /// Frames of mine that were answered, nobody says how.
    pub settled: Vec<Cseq>,
}

/// What a sequencer has answered while nobody listened.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The last frame of mine that it has answered.
    pub last: Cseq,
    /// Its answers to the frames up to it, as far as they are told.
    pub answers: Vec<(Cseq, Answer)>,
}

impl From<Cseq> for Answered {
    fn from(last: Cseq) -> Answered {
        Answered { last, answers: Vec::new() }
    }
}

impl Answered {
    fn to(&self, cseq: Cseq) -> Option<&Answer> {
        self.answers.iter().find(|(of, _)| *of == cseq).map(|(_, answer)| answer)
    }
}

impl Replica {
    /// Joins, or joins again: `answered` tells of the last frame of mine that the sequencer has
    /// answered (a [`Cseq`] will do), and how it answered. What it has not answered stays in the
    /// outbox, to be sent from the start, numbered from there. Under another client id than before
    /// nothing of the outbox has been answered.
    ///
    /// # Errors
    /// The delta does not follow from the state here. Only a welcome with the full state helps then.
    pub fn welcome(
        &mut self,
        client: ClientId,
        answered: impl Into<Answered>,
        catchup: Catchup,
    ) -> Result<Welcomed, ApplyError> {
        let answered = answered.into();
        let known = self.client.replace(client) == Some(client);
        self.neighbours.clear();
        // My hand holds on over a new connection; others' are told anew.
        self.gestures.retain(|_, (author, _)| known && *author == client);
        if !known {
            // Before anything else: frames numbered by guess must not meet commits of those numbers.
            self.number_from(answered.last);
        }
        let mut welcomed = Welcomed::default();
        let before = (self.tempo_map().clone(), self.timeline());
        match catchup {
            Catchup::Delta(commits) => {
                for commit in &commits {
                    self.catch_up(commit, &mut welcomed)?;
                }
                // What is answered and not among the commits was refused.
                for cseq in self.take_answered(answered.last) {
                    let reason = match answered.to(cseq) {
                        Some(Answer::Refused(reason)) => reason.clone(),
                        _ => Refusal::Forgotten,
                    };
                    welcomed.refused.push((cseq, reason));
                }
            }
            Catchup::Full(state) => self.start_over(*state, known, &answered, &mut welcomed),
        }
        welcomed.refused.iter().for_each(|(cseq, _)| self.undo.refused(*cseq));
        self.number_from(answered.last);
        self.sent = 0;
        self.welcomed = true;
        if *self.tempo_map() != before.0 {
            welcomed.changes.push(Change::TempoMap(self.tempo_map().clone()));
        }
        if self.timeline() != before.1 {
            welcomed.changes.push(Change::Timeline(self.timeline()));
        }
        welcomed.changes.extend(self.rebuild());
        Ok(welcomed)
    }

    /// Takes the frames up to one out of the outbox.
    pub(super) fn take_answered(&mut self, last: Cseq) -> Vec<Cseq> {
        let answered = self.outbox.iter().take_while(|frame| frame.cseq <= last).count();
        self.outbox.drain(..answered).map(|frame| frame.cseq).collect()
    }

    /// Takes a whole state in the place of the one here.
    /// `known`: the one here was of the same session.
    fn start_over(&mut self, state: State, known: bool, answered: &Answered, to: &mut Welcomed) {
        let before = std::mem::replace(&mut self.confirmed, state);
        let frames = self.take_answered(answered.last);
        // Before steps are named anew, as that goes by register.
        let new = self.overlay().new_tracks;
        match known {
            true => self.rehouse(&before, new),
            false => self.follow(new, &mut Vec::new()),
        }
        for cseq in frames {
            match answered.to(cseq) {
                Some(Answer::Committed(seq)) => {
                    let (frame, told) = (Written::Frame(cseq), Written::Unseen(*seq));
                    self.undo.told(cseq, *seq);
                    self.name_writes(|written| (written == frame).then_some(told));
                    to.acked.push((cseq, *seq));
                }
                Some(Answer::Refused(reason)) => to.refused.push((cseq, reason.clone())),
                None => to.settled.push(cseq),
            }
        }
        let me = self.client;
        self.undo.reanchor(|subject| {
            let same = before.holds(subject) == self.confirmed.holds(subject);
            let (old, new) = (before.last_write(subject), self.confirmed.last_write(subject));
            (same && Some(new.author) == me && old.seq != new.seq).then_some((old.seq, new.seq))
        });
    }

    /// Takes one commit of a delta; the view follows when all are in.
    fn catch_up(&mut self, commit: &Commit, welcomed: &mut Welcomed) -> Result<(), ApplyError> {
        if commit.seq <= self.seq() {
            return Ok(());
        }
        let unsaved = self.outbox.len();
        self.absorb(commit, &mut Vec::new())?;
        if self.outbox.len() < unsaved {
            welcomed.acked.push((commit.cseq, commit.seq));
        }
        Ok(())
    }

    fn number_from(&mut self, acked: Cseq) {
        self.next_cseq = Cseq(acked.0 + 1);
        let mut numbers = BTreeMap::new();
        for frame in &mut self.outbox {
            numbers.insert(frame.cseq, self.next_cseq);
            frame.cseq = self.next_cseq;
            self.next_cseq.0 += 1;
        }
        if numbers.iter().all(|(old, new)| old == new) {
            return;
        }
        let new = |written: Written| match written {
            Written::Frame(cseq) => numbers.get(&cseq).copied().map(Written::Frame),
            Written::Commit(_) | Written::Unseen(_) => None,
        };
        for asked in self.new_tracks.values_mut().filter_map(|new| new.asked.as_mut()) {
            *asked = numbers.get(asked).copied().unwrap_or(*asked);
        }
        self.name_writes(new);
        self.undo.renumber(|cseq| numbers.get(&cseq).copied());
    }
}
