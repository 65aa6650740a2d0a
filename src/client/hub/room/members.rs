//! The instances in a room: who comes and goes, and what each is told.
//!
//! Thread: the room's. Invariant: nobody is waited for; an instance whose queue is full is let go,
//! comes back and is told everything.

use tokio::sync::mpsc;

use super::{Room, reach_of};
use crate::client::Link;
use crate::client::hub::speech::{FromHub, Greeting};
use crate::client::journal::Instance;
use crate::session::{ClientId, Commit, Cseq};
use crate::wire::{Down, LineAsk, Snapshot, Up, Welcome};

/// The numbers under which other instances' hands are told: no session gives such.
const NEIGHBOURS: u32 = u32::MAX - 0xFFFF;

/// An instance that is in the room.
pub(super) struct Member {
    pub(super) instance: u64,
    outbound: mpsc::Sender<FromHub>,
    /// What others are told that its hands are.
    pub(super) hand: ClientId,
    /// The queue was full: it is let go, and comes back.
    late: bool,
    /// Welcomes that it has not heard yet: until then it may call tracks by places of another state.
    pub(super) unheard: u32,
}

impl Room {
    /// An instance comes: it is told everything, and what nobody was there to hear.
    pub(super) fn enter(&mut self, seat: u64, greeting: Greeting, outbound: mpsc::Sender<FromHub>) {
        let instance = greeting.instance;
        // An instance has one line: an older one is dead.
        self.members.retain(|_, member| member.instance != instance);
        self.hands = (self.hands + 1) % 0xFFFF;
        let hand = ClientId(NEIGHBOURS + self.hands);
        self.members.insert(seat, Member { instance, outbound, hand, late: false, unheard: 0 });
        // A new instance counts on where the machine's own count is.
        let last = Cseq(self.replica.next_cseq().0 - 1);
        self.instances.entry(instance).or_insert(Instance { taken: last, answered: last });
        let allows = greeting.insecure_plaintext;
        if allows {
            self.network.set_reach(reach_of(&greeting));
        }
        if let Ok(link) = greeting.link.parse::<Link>() {
            self.another_way_in(link, allows);
        }
        self.welcome_member(seat);
        for news in std::mem::take(&mut self.news) {
            self.tell(seat, news);
        }
    }

    /// An instance goes; what it alone followed ends.
    pub(super) fn leave(&mut self, seat: u64) {
        let Some(gone) = self.members.remove(&seat) else { return };
        if self.auditor == Some(gone.instance) {
            self.auditor = None;
            self.send(&Up::Line(LineAsk::Leave));
        }
        if self.bars_of.is_some_and(|(instance, _)| instance == gone.instance) {
            self.bars_of = None;
        }
    }

    /// Lets those go that do not keep up.
    pub(super) fn leave_late(&mut self) {
        let late: Vec<u64> = self.members.iter().filter(|(_, m)| m.late).map(|(seat, _)| *seat).collect();
        late.into_iter().for_each(|seat| self.leave(seat));
    }

    /// An instance has taken a welcome in.
    pub(super) fn heard(&mut self, seat: u64) {
        if let Some(member) = self.members.get_mut(&seat) {
            member.unheard = member.unheard.saturating_sub(1);
        }
    }

    /// Tells an instance everything.
    fn welcome_member(&mut self, seat: u64) {
        let Some(member) = self.members.get_mut(&seat) else { return };
        member.unheard += 1;
        let instance = member.instance;
        let state = match &self.branch {
            Some(branch) => branch.state(),
            None => self.replica.confirmed(),
        };
        let answered = self.instances.get(&instance).map_or(Cseq(0), |known| known.answered);
        let welcome = Welcome {
            client: self.me(),
            role: self.role,
            clock_epoch: self.clock_epoch(),
            acked: answered,
            answers: self.names.answers(instance, self.branch.is_some()),
            state: Snapshot::Full { seq: state.seq(), bytes: state.encode() },
        };
        self.tell(seat, FromHub::Down(Box::new(Down::Welcome(welcome))));
        if self.branch.is_none() {
            let frames = self.waiting.iter().zip(self.replica.outbox());
            let others = frames.filter(|(meta, _)| meta.kept || meta.instance != instance);
            let others: Vec<_> = others.map(|(meta, (_, _, ops))| (meta.cseq, ops.to_vec())).collect();
            for (cseq, ops) in others {
                self.tell(seat, FromHub::Neighbour { cseq, ops });
            }
        }
        self.tell(seat, FromHub::Connection(self.connection.clone()));
        self.tell(seat, FromHub::Unsaved(self.unsaved));
        if !self.people.is_empty() {
            self.tell(seat, FromHub::Down(Box::new(Down::Participants(self.people.clone()))));
        }
        if let Some(told) = self.clock_told {
            self.tell(seat, FromHub::Clock(told));
        }
        // A step since the last look would make them untrue.
        self.look_at_clock();
        for probe in self.probes.clone() {
            self.tell(seat, FromHub::Probe(probe.into()));
        }
    }

    pub(super) fn welcome_all(&mut self) {
        for seat in self.members.keys().copied().collect::<Vec<_>>() {
            self.welcome_member(seat);
        }
    }

    pub(super) fn tell(&mut self, seat: u64, speech: FromHub) {
        if self.deposed {
            return;
        }
        if let Some(member) = self.members.get_mut(&seat)
            && member.outbound.try_send(speech).is_err()
        {
            member.late = true;
        }
    }

    pub(super) fn tell_all(&mut self, speech: &FromHub) {
        for seat in self.members.keys().copied().collect::<Vec<_>>() {
            self.tell(seat, speech.clone());
        }
    }

    pub(super) fn tell_instance(&mut self, instance: u64, speech: FromHub) {
        let seat = self.members.iter().find(|(_, member)| member.instance == instance).map(|(seat, _)| *seat);
        if let Some(seat) = seat {
            self.tell(seat, speech);
        }
    }

    pub(super) fn tell_others(&mut self, instance: u64, speech: &FromHub) {
        let others = self.members.iter().filter(|(_, member)| member.instance != instance);
        for seat in others.map(|(seat, _)| *seat).collect::<Vec<_>>() {
            self.tell(seat, speech.clone());
        }
    }

    /// A commit for everybody: whose it is knows it by its own count.
    pub(super) fn tell_commit(&mut self, commit: &Commit, instance: u64, ticket: Cseq) {
        self.note_line(commit);
        let as_seen = |cseq| {
            let commit = Commit { cseq, ..commit.clone() };
            FromHub::Down(Box::new(Down::Commits(vec![commit])))
        };
        let mine = as_seen(ticket);
        let others = match commit.author == self.me() {
            true => as_seen(Cseq(0)),
            false => FromHub::Down(Box::new(Down::Commits(vec![commit.clone()]))),
        };
        for (seat, of) in self.members.iter().map(|(s, m)| (*s, m.instance)).collect::<Vec<_>>() {
            let told = if instance != 0 && of == instance { mine.clone() } else { others.clone() };
            self.tell(seat, told);
        }
    }

    /// Tells all how much of theirs the session has not, where that has changed.
    pub(super) fn tell_unsaved(&mut self) {
        let on_branch = self.branch.as_ref().filter(|_| !self.link.is_local());
        let unsaved = match on_branch {
            Some(branch) => branch.ops.max(self.replica.unsaved() as u64),
            None if self.link.is_local() => 0,
            None => self.replica.unsaved() as u64,
        };
        if unsaved != self.unsaved {
            self.unsaved = unsaved;
            self.tell_all(&FromHub::Unsaved(unsaved));
        }
    }

    pub(super) fn notice(&mut self, notice: String) {
        tracing::warn!(notice);
        self.tell_all(&FromHub::Notice(notice));
    }
}
