//! A real client, its engine's end of the rings drained, and what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use antiphon::client::{Client, ClientConfig, Command, Event, Reach, When};
use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, Song};
use antiphon::rt::ports::{EnginePorts, ports};
use antiphon::session::{Commit, Op, Seq};
use antiphon::time::TempoMap;
use crossbeam::channel::{Receiver, Sender, unbounded};
use tempfile::TempDir;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// When a commit was held here.
#[derive(Clone, Copy)]
pub struct Heard {
    pub at: Instant,
    pub own: bool,
}

/// A participant.
pub struct Studio {
    pub client: Client,
    number: usize,
    heard: Receiver<(Instant, Event)>,
    commits: BTreeMap<u64, Heard>,
    /// When each discrete edit was made, in order.
    pub made: Vec<Instant>,
    /// When anything was done.
    pub acts: Vec<Instant>,
    digest: Option<(Seq, u64)>,
    engine: EnginePorts,
    _profile: TempDir,
}

impl Studio {
    pub fn join(number: usize, link: &str) -> Studio {
        let (session, engine) = ports();
        let profile = tempfile::tempdir().expect("a folder");
        let config = ClientConfig {
            profile: profile.path().to_owned(),
            name: format!("Studio {number}"),
            link: Some(link.parse().expect("a link")),
            song: Song::new(),
            tempo_map: TempoMap::default(),
            reach: Reach::default(),
        };
        let client = Client::spawn(config, session).expect("a client");
        let (told, heard) = unbounded();
        stamp(client.events().clone(), told);
        Studio {
            client,
            number,
            heard,
            commits: BTreeMap::new(),
            made: Vec::new(),
            acts: Vec::new(),
            digest: None,
            engine,
            _profile: profile,
        }
    }

    /// Sets a parameter of its own to a value it has not had.
    pub fn edit(&mut self) {
        self.listen();
        let slot = self.slot(Param::DelayTime);
        let value = slot.spec().value_at((self.made.len() % 997) as f32 / 997.0);
        self.made.push(Instant::now());
        self.acts.push(Instant::now());
        self.client.send(Command::Edit { edits: vec![Edit::Param { slot, value }], when: When::Now });
    }

    /// Moves a fader, a second each way.
    pub fn drag(&mut self, seconds: f64) {
        let slot = self.slot(Param::Level);
        let travel = (seconds % 2.0 - 1.0).abs();
        self.acts.push(Instant::now());
        self.client.send(Command::Gesture(Edit::Param { slot, value: slot.spec().value_at(travel as f32) }));
    }

    fn slot(&self, param: Param) -> Slot {
        Slot::new(Owner::Track(TrackIndex::new(self.number % 16).expect("a track")), param)
    }

    /// Takes in what has been heard, and frees the engine's ring.
    pub fn listen(&mut self) {
        while self.engine.from_session.pop().is_ok() {}
        while let Ok((at, event)) = self.heard.try_recv() {
            match event {
                Event::Applied(seq) => {
                    self.commits.entry(seq.0).or_insert(Heard { at, own: false });
                }
                Event::Acked { seq, .. } => {
                    self.commits.insert(seq.0, Heard { at, own: true });
                }
                Event::Digest { seq, digest } => self.digest = Some((seq, digest)),
                _ => {}
            }
        }
    }

    /// The places of its discrete edits in the log: drags end with an edit of another parameter.
    pub fn places(&self, log: &[Commit]) -> Vec<u64> {
        let (me, slot) = (self.client.view().client, self.slot(Param::DelayTime));
        let edits = |commit: &Commit| {
            commit.ops.iter().any(|op| matches!(op.op, Op::Edit(Edit::Param { slot: of, .. }) if of == slot))
        };
        let mine = log.iter().filter(|commit| commit.author == me && edits(commit));
        mine.map(|commit| commit.seq.0).collect()
    }

    /// Whether the session has answered everything, and it has come this far.
    pub fn has_come_to(&self, seq: u64) -> bool {
        let view = self.client.view();
        view.unsaved == 0 && view.seq.0 >= seq
    }

    pub fn heard(&self, seq: u64) -> Option<Heard> {
        self.commits.get(&seq).copied()
    }
}

/// Events with the time at which they were told: the loop that plays must not be waited for.
fn stamp(events: Receiver<Event>, told: Sender<(Instant, Event)>) {
    std::thread::spawn(move || {
        for event in events {
            if told.send((Instant::now(), event)).is_err() {
                return;
            }
        }
    });
}

/// Whether all hold the same state.
pub fn agree(studios: &mut [Studio]) -> bool {
    studios.iter().for_each(|studio| studio.client.send(Command::Digest));
    let deadline = Instant::now() + ANSWER;
    while studios.iter().any(|studio| studio.digest.is_none()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        studios.iter_mut().for_each(Studio::listen);
    }
    let digests: BTreeSet<_> = studios.iter().map(|studio| studio.digest).collect();
    digests.len() == 1 && !digests.contains(&None)
}
