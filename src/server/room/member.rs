//! Those in the room: coming, going, and what is known of each.

use std::collections::BTreeMap;
use std::sync::Weak;

use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::{Class, Entry, Outbound, Room, Seat, reject};
use crate::server::app::Rejection;
use crate::server::limits::{MAX_PARTICIPANTS, NAME_CHARACTERS};
use crate::server::metrics;
use crate::server::outgoing::{encoded, error_frame};
use crate::server::traffic::{Bytes as Traffic, TrafficMeter};
use crate::session::{Answer, ClientId, Cseq, Refusal, Role, Seq};
use crate::wire::{
    Down, ErrorCode, Gesture, MAX_ANSWERS, Participant, PlayedNote, PresenceState, Snapshot, Welcome,
};

/// The most commits a joiner gets as a delta.
const DELTA: usize = 512;

/// A participant, connected or lately so.
pub(super) struct Member {
    pub name: String,
    pub role: Role,
    pub engine_version: u32,
    pub state: PresenceState,
    /// What others were told last.
    pub told: PresenceState,
    pub presence_changed: bool,
    /// Moves that have not gone out yet, the latest of each parameter.
    pub gestures: Vec<Gesture>,
    /// Notes played live that have not gone out yet.
    pub notes: Vec<PlayedNote>,
    /// When it last did something.
    pub active: Instant,
    /// Whether it has done nothing for a while.
    pub away: bool,
    pub seat: Option<u64>,
    pub outbound: Outbound,
    pub left: Option<Instant>,
    pub since: Instant,
    pub traffic: Traffics,
    client: ClientId,
}

impl Member {
    pub fn sits(&self, seat: Seat) -> bool {
        self.seat == Some(seat.socket)
    }

    /// Queues frames that must arrive, if a socket is open.
    pub fn send(&self, frames: Vec<Bytes>) {
        self.send_as(Class::Durable, frames);
    }

    /// Queues frames of a class, if a socket is open.
    pub fn send_as(&self, class: Class, frames: Vec<Bytes>) {
        if self.seat.is_some() {
            self.outbound.send_as(class, frames);
        }
    }

    /// Whether its hands have moved since the last round.
    pub fn has_moves(&self) -> bool {
        !self.gestures.is_empty() || !self.notes.is_empty()
    }

    /// Closes its socket after what was queued.
    pub fn dismiss(&self) {
        if self.seat.is_some() {
            self.outbound.finish();
        }
    }

    fn participant(&self) -> Participant {
        Participant {
            client: self.client,
            name: self.name.clone(),
            role: self.role,
            online: self.seat.is_some(),
            away: self.away,
            state: self.state,
        }
    }
}

/// The bytes of all of a participant's sockets, past and open.
#[derive(Default)]
pub(super) struct Traffics {
    past: Traffic,
    open: Vec<(Weak<TrafficMeter>, Traffic)>,
}

impl Traffics {
    pub fn add(&mut self, meter: Weak<TrafficMeter>) {
        self.open.push((meter, Traffic::default()));
    }

    /// What has travelled so far. A socket that ended counts as it was last read.
    pub fn read(&mut self) -> Traffic {
        for (meter, read) in &mut self.open {
            if let Some(meter) = meter.upgrade() {
                *read = meter.read();
            }
        }
        let ended = self.open.extract_if(.., |(meter, _)| meter.strong_count() == 0);
        self.past = ended.fold(self.past, |sum, (_, read)| sum + read);
        self.open.iter().fold(self.past, |sum, (_, read)| sum + *read)
    }
}

/// A name as others see it: one line, of bounded length, never empty.
pub fn shown_name(name: &str) -> String {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(NAME_CHARACTERS).collect();
    let shown = shown.trim();
    if shown.is_empty() { "somebody".to_owned() } else { shown.to_owned() }
}

impl Room {
    pub(super) async fn enter(&mut self, entry: Entry) -> Result<Seat, Rejection> {
        let client = entry.admission.client;
        let returns = self.members.get(&client).is_some_and(|member| member.seat.is_some());
        if !returns && self.people() >= MAX_PARTICIPANTS {
            let message = format!("the session is full: {MAX_PARTICIPANTS} participants are connected");
            return Err(reject(ErrorCode::Full, message));
        }
        let state = self.welcome_state(entry.hello.last_seq).await?;
        let answers = self.answers(client, entry.hello.unanswered, &state).await?;
        // What has not gone out is part of the welcome; the others get it now.
        let rest = self.take_outgoing();
        self.members.values().for_each(|member| member.send(rest.clone()));

        let seat = Seat { client, socket: self.next_socket };
        self.next_socket += 1;
        let welcome = Down::Welcome(Welcome {
            client,
            role: entry.admission.role,
            clock_epoch: self.clock.epoch(),
            acked: self.sequencer.acked(client),
            answers,
            state,
        });
        entry.outbound.send(encoded(welcome));
        self.seat(seat, entry, returns);
        self.tell_participants();
        Ok(seat)
    }

    fn seat(&mut self, seat: Seat, entry: Entry, returns: bool) {
        // A new socket follows no branch yet.
        self.leave_lines(seat.client);
        let Entry { admission, hello, outbound, meter } = entry;
        let before = self.members.remove(&seat.client);
        if returns && let Some(before) = &before {
            let message = "another socket of this participant took this one's place";
            before.send(error_frame(ErrorCode::Unexpected, message, true));
            before.dismiss();
        } else {
            metrics::participants(1);
        }
        let (since, mut traffic, state) = match before {
            Some(before) => (before.since, before.traffic, before.state),
            None => (Instant::now(), Traffics::default(), PresenceState::default()),
        };
        traffic.add(meter);
        self.early_clocks.retain(|(_, meter)| meter.strong_count() > 0);
        for (_, clock) in self.early_clocks.extract_if(.., |(client, _)| *client == seat.client) {
            traffic.add(clock);
        }
        let member = Member {
            name: shown_name(&hello.name),
            role: admission.role,
            engine_version: hello.engine_version,
            state,
            told: state,
            presence_changed: false,
            gestures: Vec::new(),
            notes: Vec::new(),
            active: Instant::now(),
            away: false,
            seat: Some(seat.socket),
            outbound,
            left: None,
            since,
            traffic,
            client: seat.client,
        };
        tracing::info!(session = self.session, client = seat.client.0, name = member.name, "joined");
        self.members.insert(seat.client, member);
        self.empty_since = None;
        self.tell_engine_versions(seat);
    }

    pub(super) fn leave(&mut self, seat: Seat) {
        let Some(member) = self.members.get_mut(&seat.client).filter(|member| member.sits(seat)) else {
            return;
        };
        member.traffic.read();
        member.seat = None;
        member.left = Some(Instant::now());
        member.gestures.clear();
        member.notes.clear();
        member.away = false;
        self.locks.release_all(seat.client);
        metrics::participants(-1);
        self.leave_lines(seat.client);
        metrics::peers::gone(&self.session, seat.client);
        tracing::info!(session = self.session, client = seat.client.0, "left");
        if self.people() == 0 {
            self.empty_since = Some(Instant::now());
        }
        self.tell_participants();
    }

    /// The commits a returning client lacks, where they are few; else everything.
    async fn welcome_state(&mut self, last: Seq) -> Result<Snapshot, Rejection> {
        let state = self.sequencer.state();
        let head = state.seq();
        if last > Seq(0) && last <= head && (head.0 - last.0) as usize <= DELTA {
            let missing = (head.0 - last.0) as usize;
            let delta = match self.recent.last(missing) {
                Some(delta) => delta,
                None => {
                    let read = self.store.commits_after(&self.session, last, missing as u32).await;
                    read.map_err(|error| Rejection::unavailable(&error))?
                }
            };
            if let Some(delta) = Snapshot::delta(delta) {
                return Ok(delta);
            }
        }
        Ok(Snapshot::Full { seq: head, bytes: state.encode() })
    }

    /// What became of a client's frames from one on; beside a delta, of those refused.
    async fn answers(
        &self,
        client: ClientId,
        from: Cseq,
        state: &Snapshot,
    ) -> Result<Vec<(Cseq, Answer)>, Rejection> {
        let Some(record) = self.sequencer.client(client) else { return Ok(Vec::new()) };
        let last = record.last_cseq.0;
        let first = from.0.max(last.saturating_sub(MAX_ANSWERS as u64 - 1)).max(1);
        let kept = last + 1 - record.recent.len() as u64;
        let mut old = BTreeMap::new();
        if first < kept {
            let read = self.store.commits_of(&self.session, client, Cseq(first), Cseq(kept - 1)).await;
            old = read.map_err(|error| Rejection::unavailable(&error))?;
        }
        let answer = |cseq| match (record.answer(cseq), old.get(&cseq)) {
            (Some(answer), _) => answer.clone(),
            (None, Some(seq)) => Answer::Committed(*seq),
            (None, None) => Answer::Refused(Refusal::Forgotten),
        };
        let told =
            |answer: &Answer| matches!(answer, Answer::Refused(_)) || !matches!(state, Snapshot::Delta(_));
        let answers = (first..=last).map(Cseq).map(|cseq| (cseq, answer(cseq)));
        Ok(answers.filter(|(_, answer)| told(answer)).collect())
    }

    pub(super) fn tell_participants(&self) {
        self.broadcast(Down::Participants(self.participants()));
    }

    fn participants(&self) -> Vec<Participant> {
        // The connected first; of the others as many as a frame holds beside them.
        let mut list: Vec<_> = self.members.values().map(Member::participant).collect();
        list.sort_by_key(|participant| !participant.online);
        list.truncate(MAX_PARTICIPANTS);
        list
    }

    /// Tells the whole list to those who were too far behind for the changes in it.
    pub(super) fn make_up(&self) {
        let behind: Vec<_> = self.members.values().filter(|member| member.outbound.caught_up()).collect();
        if !behind.is_empty() {
            let frames = encoded(Down::Participants(self.participants()));
            behind.iter().for_each(|member| member.send(frames.clone()));
        }
    }

    /// Peers on different engines may hear different things, and are told so.
    fn tell_engine_versions(&self, seat: Seat) {
        let Some(new) = self.members.get(&seat.client) else { return };
        let others = self.members.values().filter(|member| member.seat.is_some());
        for other in others.filter(|member| member.engine_version != new.engine_version) {
            let message = format!(
                "{} plays engine version {}, {} plays {}: they may sound different; update the older one",
                new.name, new.engine_version, other.name, other.engine_version
            );
            self.complain(other.client, ErrorCode::Version, message.clone());
            self.complain(seat.client, ErrorCode::Version, message);
        }
    }

    pub(super) fn participants_report(&mut self) -> Value {
        let report = self.members.iter_mut().map(|(client, member)| {
            let bytes = member.traffic.read();
            json!({
                "client": client.0,
                "name": member.name,
                "role": member.role,
                "online": member.seat.is_some(),
                "engine_version": member.engine_version,
                "rtt_us": member.state.rtt_us,
                "clock_bound_us": member.state.clock_bound_us,
                "clock_estimated_us": member.state.clock_estimated_us,
                "trim_us": member.state.trim_us,
                "device_latency_us": member.state.device_latency_us,
                "bytes_up": bytes.up,
                "bytes_down": bytes.down,
                "seconds": member.since.elapsed().as_secs_f64(),
            })
        });
        Value::Array(report.collect())
    }
}
