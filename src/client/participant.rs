//! The participant itself: what the session's thread holds and how it answers.
//!
//! Thread: the session's own. All waiting is done by [`super::thread`]; everything here returns at
//! once.

mod alone;
mod clock;
mod controls;
mod decisions;
mod engine;
mod launch;
mod lines;
mod mode;
mod past;
mod people;
mod personal;
mod samples;
mod session;
mod shown;
#[cfg(test)]
mod tests;
mod tracks;

use std::sync::Arc;

use parking_lot::RwLock;
use rtrb::Consumer;
use tokio::sync::mpsc;

use self::controls::ControlSide;
use self::engine::EngineSide;
use self::lines::LinesSide;
use self::mode::ModeSide;
use self::personal::MineSide;
use self::samples::SampleSide;
use self::session::SessionSide;
use self::shown::Shown;
use super::events::Events;
use super::feed::Feed;
use super::hands::{Hands, RemoteHands};
use super::hub::line::{HubSlot, Inbox, Line, Outgoing};
use super::profile::Profile;
use super::samples::SampleStore;
use super::solo::SoloKeeper;
use super::studio::{Made, Studio};
use super::trim::Trim;
use super::{ClientConfig, Command, Event, HostClock, Link, Reach, View, When};
use crate::pattern::{Bars, Edit};
use crate::rt::ports::{FromEngine, SessionPorts, ToEngine};
use crate::session::{Change, Commit, Drag, Op, StampedOp, State};
use crate::time::{Beats, Clock, HostNanos, SessionNanos};
use crate::wire::{MAX_COUNT_IN, Up};

const MS: i64 = 1_000_000;
/// How soon a solo start sounds.
const SOLO_LEAD: i64 = 100 * MS;
/// After this much quiet the thread looks at the rings less often.
const LULL: i64 = 1_000 * MS;

/// The machine's participant.
pub struct Participant {
    clock: HostClock,
    trim: Trim,
    profile: Profile,
    name: String,
    studio: Studio,
    /// The journal while it plays alone.
    solo: SoloKeeper,
    /// Names this instance to the machine's hub.
    instance: u64,
    network: Line,
    reach: Reach,
    session: SessionSide,
    /// A session to join as soon as the thread runs.
    invited: Option<Link>,
    hands: Hands,
    remote: RemoteHands,
    feed: Feed,
    from_engine: Consumer<FromEngine>,
    engine: EngineSide,
    mode: ModeSide,
    mine: MineSide,
    controls: ControlSide,
    shown: Shown,
    samples: SampleSide,
    lines: LinesSide,
    events: Events,
    /// When something last moved.
    stirred: HostNanos,
}

impl Participant {
    /// A participant that plays alone, and where it publishes its view.
    pub fn new(
        config: ClientConfig,
        ports: SessionPorts,
        profile: Profile,
        events: Events,
    ) -> (Participant, Arc<RwLock<Arc<View>>>, Inbox) {
        let (network, inbox) = Line::new(profile.folder());
        let controls = ControlSide::of(profile.folder());
        let samples = SampleSide::new(SampleStore::of(profile.folder()), config.reach);
        let mut participant = Participant {
            clock: HostClock,
            trim: Trim::of(profile.folder()),
            profile,
            name: config.name,
            studio: Studio::alone(config.song, config.tempo_map),
            solo: SoloKeeper::default(),
            instance: rand::random::<u64>().max(1),
            network,
            reach: config.reach,
            session: SessionSide::default(),
            invited: config.link,
            hands: Hands::default(),
            remote: RemoteHands::default(),
            feed: Feed::new(ports.to_engine),
            from_engine: ports.from_engine,
            engine: EngineSide::default(),
            mode: ModeSide::default(),
            mine: MineSide::default(),
            controls,
            shown: Shown::default(),
            samples,
            lines: LinesSide::new(State::new()),
            events,
            stirred: HostNanos(0),
        };
        participant.new_lines();
        let view = participant.publish_to();
        (participant, view, inbox)
    }

    /// Where the machine's hub is kept, if this process runs it.
    pub fn hub(&self) -> HubSlot {
        self.network.hub()
    }

    /// What waits for the thread to run.
    pub fn begin(&mut self) {
        self.tell_controls();
        if let Some(link) = self.invited.take() {
            return self.join(link);
        }
        let (song, tempo_map) = (self.studio.song().clone(), self.studio.tempo_map().clone());
        if self.alone_with(song, tempo_map) {
            self.tell_everything();
        }
    }

    /// How long the thread may sleep: 1 ms while the engine plays or something moved in the last
    /// second, else 5 ms. The audio thread may not wake anybody, so its ring is looked at.
    pub fn patience(&self) -> std::time::Duration {
        let lively = self.engine.plays() || self.clock.now() - self.stirred < LULL;
        std::time::Duration::from_millis(if lively { 1 } else { 5 })
    }

    /// Does what a person or script asks.
    pub fn command(&mut self, command: Command) {
        let now = self.stir();
        match command {
            Command::Edit { edits, when } => self.edit(&edits, when, now),
            Command::Grid(grid) => self.ops(vec![StampedOp { op: Op::Grid(grid), at: None }]),
            Command::AddTrack(name) => self.add_track(name, now),
            Command::Gesture(edit) => self.gesture(edit, now),
            Command::Stroke { step, edits } => {
                let op = |edit| StampedOp { op: Op::Edit(edit), at: None };
                self.stroke(step, edits.into_iter().map(op).collect());
            }
            Command::Decide(decision) => self.decide(decision),
            Command::Tempo(tempo) => self.ops(vec![StampedOp { op: Op::RequestTempo(tempo), at: None }]),
            Command::Ramp { tempo, bars } => {
                self.ops(vec![StampedOp { op: Op::RequestRamp { tempo, bars }, at: None }]);
            }
            Command::Start(tick) => self.on_main(|it| it.start(tick, 0, now)),
            Command::CountIn { tick, bars } => self.on_main(|it| it.start(tick, bars, now)),
            Command::Stop => self.on_main(|it| it.stop(now)),
            Command::Mode(mode) => self.choose_mode(mode),
            Command::Align => self.align(),
            Command::Export(answer) => self.export(answer),
            Command::Line(command) => self.line_command(command),
            Command::Join(link) => {
                self.forget_audition();
                self.join(link);
            }
            Command::Leave => {
                self.forget_audition();
                self.leave();
            }
            Command::Load(song, tempo_map) => {
                self.forget_audition();
                self.load(*song, tempo_map);
            }
            Command::Cursor(cursor) => self.cursor(cursor),
            Command::People(wish) => self.wish(wish),
            Command::Keep(keep) => self.keep(keep, now),
            Command::Record(quantised) => self.record_live(quantised),
            Command::Metronome(level) => {
                self.engine.metronome = level.clamp(0.0, 1.0);
                self.feed.push(ToEngine::Metronome(self.engine.metronome));
            }
            Command::Control(command) => self.control_command(command, now),
            Command::Mine(edit) => self.mine(edit, now),
            Command::MineAll(mix) => self.take_mix(*mix, now),
            Command::MineClear(owner) => self.clear_mine(owner, now),
            Command::Focus(track) => {
                self.engine.focus = Some(track);
                self.feed.push(ToEngine::Focus(track));
            }
            Command::Chat(line) => self.chat(line),
            Command::Sample { track, path } => self.import_sample(track, path),
            Command::Trim(ms) => self.set_trim(ms, now),
            Command::DeviceLatency(ms) => self.set_latency(ms, now),
            Command::Look(answer) => {
                self.look_at_clock();
                drop(answer.try_send(Arc::new(self.view())));
            }
            Command::Digest => {
                let (seq, digest) = (self.studio.seq(), self.studio.digest());
                self.events.tell(Event::Digest { seq, digest }, now);
            }
        }
        self.shown.stale();
    }

    /// Looks at the rings and at everything that comes due.
    pub fn poll(&mut self) {
        let now = self.clock.now();
        self.look_at_clock();
        self.hear_engine(now);
        self.doze(now);
        self.rest_hands(now);
        self.look_at_mine(now);
        self.look_at_controls(now);
        self.on_main(|it| {
            it.promote(now);
            it.speak(now);
        });
        self.speak_branch(now);
        self.mind_samples(now);
        self.schedule();
        if self.feed.flush() {
            self.tell_everything();
            self.tell_all_of_mine();
        }
        self.publish(now);
    }

    /// Says goodbye; the returned end closes when the goodbye has left.
    pub fn close(&mut self) -> Option<mpsc::Sender<Outgoing>> {
        let now = self.clock.now();
        self.settle_hands(HostNanos(i64::MAX));
        self.keep_mine();
        self.speak_branch(now);
        self.on_main(|it| it.speak(now));
        self.events.flush();
        self.end_alone();
        self.network.leave()
    }

    fn stir(&mut self) -> HostNanos {
        self.stirred = self.clock.now();
        self.stirred
    }

    fn edit(&mut self, edits: &[Edit], when: When, now: HostNanos) {
        self.follow_tracks();
        let at = self.due(when, now);
        if let Some(reason) = edits.iter().find_map(|edit| edit.check().err()) {
            return self.complain(reason.to_string());
        }
        for edit in edits {
            if let (Edit::Param { slot, .. }, None) = (edit, at) {
                self.hands.release(*slot);
            }
        }
        self.ops(edits.iter().map(|edit| StampedOp { op: Op::Edit(*edit), at }).collect());
    }

    /// Makes ops of ours.
    fn ops(&mut self, ops: Vec<StampedOp>) {
        let position = self.engine.position_at(self.clock.now());
        match self.studio.edit(ops, position) {
            Ok(made) => self.made(made),
            Err(reason) => self.complain(reason),
        }
    }

    fn made(&mut self, Made { changes, commits, refused }: Made) {
        self.tell_engine(changes);
        commits.iter().for_each(|commit| self.confirmed(commit));
        if let Some(reason) = refused {
            self.complain(reason);
        }
    }

    fn gesture(&mut self, edit: Edit, now: HostNanos) {
        self.follow_tracks();
        match edit.check() {
            Ok(Edit::Param { slot, value }) => {
                self.hands.moved_since(slot, value, now, self.studio.seq());
                let changes = self.studio.own_gesture(slot, value);
                self.tell_engine(changes);
            }
            Ok(other) => self.edit(&[other], When::Now, now),
            Err(reason) => self.complain(reason.to_string()),
        }
    }

    /// Hands that have rested leave one durable op behind, and lost ones let go.
    fn rest_hands(&mut self, now: HostNanos) {
        let lost = self.remote.lost(now);
        self.on_main(|it| {
            for slot in lost {
                let changes = it.studio.end_gesture(slot);
                it.tell_engine(changes);
            }
        });
        self.settle_hands(now);
    }

    /// Hands go along with tracks that are elsewhere now.
    fn follow_tracks(&mut self) {
        for moved in self.studio.moved_tracks() {
            for (slot, value) in self.hands.follow(&moved) {
                let changes = self.studio.own_gesture(slot, value);
                self.tell_engine(changes);
            }
        }
    }

    fn settle_hands(&mut self, now: HostNanos) {
        self.follow_tracks();
        let (rested, step) = self.hands.ended(now);
        if !rested.is_empty() {
            let op = |drag: &Drag| StampedOp { op: Op::Drag(drag.clone()), at: None };
            self.stroke(step, rested.iter().map(op).collect());
            for Drag { slot, value, .. } in rested {
                if self.engine.crossed.remove(&slot) {
                    self.feed.edit(Edit::Param { slot, value }, None);
                }
            }
        }
    }

    fn start(&mut self, tick: Beats, count_in: u8, now: HostNanos) {
        let count_in = count_in.min(MAX_COUNT_IN);
        let bars = Bars::in_song(self.studio.song());
        let lead = SOLO_LEAD + bars.count_in(self.studio.tempo_map(), tick, count_in);
        match self.studio.start(tick, SessionNanos(now.0 + lead)) {
            Some(commit) => self.authored(commit),
            None if count_in > 0 => self.ask(Up::CountIn { tick, bars: count_in }),
            None => self.ask(Up::Start { tick }),
        }
    }

    fn stop(&mut self, now: HostNanos) {
        let tick = self.engine.position_at(now).unwrap_or_default();
        match self.studio.stop(SessionNanos(now.0), tick) {
            Some(commit) => self.authored(commit),
            None => self.ask(Up::Stop),
        }
    }

    /// Solo, the engine's position is the session's: edits whose beat it has passed take effect.
    fn promote(&mut self, now: HostNanos) {
        let Some(position) = self.engine.position_at(now) else { return };
        if let Some(commit) = self.studio.promote(position) {
            self.authored(commit);
        }
    }

    /// A commit of the machine's own hub.
    fn authored(&mut self, (commit, changes): (Commit, Vec<Change>)) {
        self.tell_engine(changes);
        self.confirmed(&commit);
    }

    fn confirmed(&mut self, commit: &Commit) {
        let now = self.clock.now();
        // In a session the hub keeps, and tells what became of this machine's frames.
        if self.studio.is_alone() {
            self.keep_alone(commit);
        }
        self.tell_cards(commit);
        self.events.tell(Event::Applied(commit.seq), now);
        self.note_line(commit);
        self.shown.stale();
    }

    /// Tells the engine what changed.
    fn tell_engine(&mut self, changes: Vec<Change>) {
        let muted = self.lines.muted;
        for change in changes {
            match change {
                // Another line is in front.
                Change::Edit { .. } | Change::Song | Change::TempoMap(_) if muted => {}
                Change::Edit { edit, at } => self.tell_edit(edit, at),
                Change::Song => self.tell_song(),
                Change::TempoMap(map) => self.feed.push(ToEngine::TempoMap(Box::new(map))),
                Change::Timeline(timeline) => self.timeline_changed(timeline),
            }
        }
        self.shown.stale();
    }

    fn tell_everything(&mut self) {
        self.tell_files();
        self.tell_song();
        let waiting: Vec<(Beats, Edit)> = self.studio.waiting();
        waiting.into_iter().for_each(|(at, edit)| self.feed.edit(edit, Some(at)));
        let map = self.studio.tempo_map().clone();
        self.feed.push(ToEngine::TempoMap(Box::new(map)));
        self.engine.focus.into_iter().for_each(|track| self.feed.push(ToEngine::Focus(track)));
    }

    fn tell_song(&mut self) {
        let song = self.studio.song().clone();
        self.feed.push(ToEngine::Song(Box::new(song)));
    }

    fn complain(&mut self, reason: String) {
        self.shown.notice = Some(reason.clone());
        let now = self.clock.now();
        self.events.tell(Event::Error(reason), now);
        self.shown.stale();
    }
}
