//! What happened: a channel for scripts and tests, and a log file for measuring and support.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use serde_json::{Value, json};

use super::people::Given;
use super::{ClockStatus, Connection, Event};
use crate::pattern::Song;
use crate::rt::ports::BarFingerprint;
use crate::session::{BranchId, ClientId, Page, Record, Seq};
use crate::time::HostNanos;

/// Events the channel holds; when it is full the oldest is dropped.
const CAPACITY: usize = 4096;

/// Where events go.
pub struct Events {
    sender: Sender<Event>,
    /// The same channel's end, to drop the oldest from.
    oldest: Receiver<Event>,
    log: Option<BufWriter<File>>,
}

impl Events {
    /// A channel, and its reader's end. Where the environment variable `ANTIPHON_EVENTS` is set,
    /// each event is also appended to `events-PID.jsonl` in the profile folder, with its host time.
    pub fn new(profile: &Path) -> (Events, Receiver<Event>) {
        let (sender, receiver) = bounded(CAPACITY);
        let log = std::env::var_os("ANTIPHON_EVENTS").and_then(|_| {
            let path = profile.join(format!("events-{}.jsonl", std::process::id()));
            let file = File::options().create(true).append(true).open(&path);
            file.inspect_err(|error| tracing::warn!(%error, path = %path.display(), "no event log")).ok()
        });
        (Events { sender, oldest: receiver.clone(), log: log.map(BufWriter::new) }, receiver)
    }

    /// Tells an event.
    pub fn tell(&mut self, event: Event, now: HostNanos) {
        if self.log.is_some() {
            let mut line = to_json(&event);
            line["host_ns"] = json!(now.0);
            self.note(&line);
        }
        if let Err(TrySendError::Full(event)) = self.sender.try_send(event) {
            let _ = self.oldest.try_recv();
            let _ = self.sender.try_send(event);
        }
    }

    /// Writes a line to the log alone, where there is one.
    pub fn note(&mut self, line: &Value) {
        if let Some(log) = &mut self.log
            && let Err(error) = writeln!(log, "{line}")
        {
            tracing::warn!(%error, "the event log ends here");
            self.log = None;
        }
    }

    /// Whether there is a log.
    pub fn is_logged(&self) -> bool {
        self.log.is_some()
    }

    /// Writes out what the log has gathered.
    pub fn flush(&mut self) {
        if let Some(log) = &mut self.log {
            let _ = log.flush();
        }
    }
}

/// An event as one JSON object; `event` names its kind.
pub fn to_json(event: &Event) -> Value {
    match event {
        Event::Connection(connection) => connection_json(connection),
        Event::Acked { cseq, seq } => json!({"event": "acked", "cseq": cseq.0, "seq": seq.0}),
        Event::Kept { ticket } => json!({"event": "kept", "ticket": ticket.0}),
        Event::Merged(report) => json!({
            "event": "merged", "mine": report.mine, "theirs": report.theirs, "mean": report.mean,
            "over": report.over, "conflicts": report.conflicts, "far_apart": report.far_apart,
            "branch": report.branch, "line": report.line,
        }),
        Event::Mapped { controller, target } => {
            json!({"event": "mapped", "controller": controller, "target": target})
        }
        Event::TookOver => json!({"event": "took-over"}),
        Event::SetAside(message) => json!({"event": "set-aside", "message": message}),
        Event::Restored { commits } => json!({"event": "restored", "commits": commits}),
        Event::Refused { cseq, reason } => json!({"event": "refused", "cseq": cseq.0, "reason": reason}),
        Event::Conflict { card, about, names } => json!({
            "event": "conflict", "id": card.id, "seq": card.seq.0, "kind": card.kind.word(),
            "waits": card.kind.waits(), "about": about,
            "candidates": card.candidates.iter().zip(names).map(|(candidate, name)| json!({
                "from": name, "client": candidate.author.0, "value": super::decisions::wanted_words(&candidate.value),
            })).collect::<Vec<_>>(),
            "result": super::decisions::wanted_words(&card.result),
        }),
        Event::Applied(seq) => json!({"event": "applied", "seq": seq.0}),
        Event::Fingerprint(bar) => fingerprint_json(bar),
        Event::Differs { difference, parts } => json!({
            "event": "differs", "bar": difference.bar, "parts": parts, "renews": difference.renews,
        }),
        Event::Healed { difference, bar } => json!({
            "event": "healed", "differed": difference.bar, "renewed": difference.renews, "bar": bar,
        }),
        Event::Onset { track, tick, frame, session } => json!({
            "event": "onset", "track": track.get(), "tick": tick.0, "frame": frame,
            "session_ns": session.map(|at| at.0),
        }),
        Event::Digest { seq, digest } => {
            json!({"event": "hash", "seq": seq.0, "digest": format!("{digest:016x}")})
        }
        Event::Timeline(timeline) => json!({
            "event": "timeline", "playing": timeline.playing, "tick": timeline.tick.0, "at": timeline.at.0,
        }),
        Event::Record { seq, author, record } => record_json(*seq, *author, record),
        Event::Line { branch, seq } => {
            json!({"event": "line", "branch": branch.map_or(0, |branch| branch.0), "seq": seq.0})
        }
        Event::Back { seq, registers } => json!({"event": "restored", "seq": seq.0, "registers": registers}),
        Event::History { line, page, names } => history_json(*line, page, names),
        Event::Chat { from, text } => json!({"event": "chat", "from": from, "text": text}),
        Event::Clock { what, status, jump_ns } => {
            let mut line = clock_json(status);
            (line["event"], line["what"]) = ("clock-news".into(), (*what).into());
            line["jump_ns"] = json!(jump_ns);
            line
        }
        Event::Error(message) => json!({"event": "error", "message": message}),
        Event::Role(role) => json!({"event": "role", "role": role}),
        Event::Given(Given::Link { url, role, id }) => {
            json!({"event": "invite", "link": url, "role": role, "id": format!("{id:08x}")})
        }
        Event::Given(Given::Code { url, seconds }) => {
            json!({"event": "code", "link": url, "seconds": seconds})
        }
        Event::CodeRefused(reason) => json!({"event": "refused-for-good", "message": reason}),
        Event::Invites(invites) => {
            let invites = invites.iter().map(|invite| {
                json!({"id": format!("{:08x}", invite.id), "role": invite.role,
                    "expires_in": invite.expires_in, "uses_left": invite.uses_left,
                    "people": invite.people, "revoked": invite.revoked})
            });
            json!({"event": "invites", "invites": invites.collect::<Vec<_>>()})
        }
        Event::Revoked(id) => json!({"event": "revoked", "id": format!("{id:08x}")}),
        Event::Held { from, what, held } => {
            json!({"event": "lock", "from": from, "part": what, "held": held})
        }
        Event::Touched { what, holder, by } => {
            json!({"event": "touched", "part": what, "holder": holder, "by": by})
        }
        Event::Played { from, track, note, velocity, tick } => json!({
            "event": "played", "from": from, "track": track.get(), "note": note, "velocity": velocity,
            "tick": tick.map(|tick| tick.0),
        }),
        Event::PlayedHere { track, note, velocity, tick } => json!({
            "event": "played-here", "track": track.get(), "note": note, "velocity": velocity, "tick": tick.0,
        }),
        Event::Sampled { track, id, name } => {
            json!({"event": "sampled", "track": track.get(), "hash": id.to_string(), "name": name.as_str()})
        }
        Event::Sample { id, name, standing } => {
            json!({"event": "sample", "hash": id.to_string(), "name": name.as_str(), "standing": standing})
        }
        Event::KeptNotes { notes, left_out } => {
            json!({"event": "kept-notes", "notes": notes, "left_out": left_out})
        }
        Event::Away { from, away } => json!({"event": "away", "from": from, "away": away}),
    }
}

fn record_json(seq: Seq, author: ClientId, record: &Record) -> Value {
    let (event, what) = match record {
        Record::Fork { id, parent, at, name } => {
            ("forked", json!({"branch": id.0, "parent": parent.0, "at": at.0, "name": name}))
        }
        Record::Drop(id) => ("dropped", json!({"branch": id.0})),
        Record::Merged { id, head } => ("branch-merged", json!({"branch": id.0, "head": head.0})),
        Record::Head { id, head } => ("branch-head", json!({"branch": id.0, "head": head.0})),
        Record::Name { name, branch, seq } => {
            ("named", json!({"name": name, "branch": branch.0, "at": seq.0}))
        }
        Record::Unname(name) => ("unnamed", json!({"name": name})),
    };
    let mut line = json!({"event": event, "seq": seq.0, "author": author.0});
    if let (Value::Object(line), Value::Object(what)) = (&mut line, what) {
        line.extend(what);
    }
    line
}

fn history_json(line: BranchId, page: &Page, names: &BTreeMap<ClientId, String>) -> Value {
    // Names of tracks are the reader's; a script gets their places.
    let song = Song::new();
    let entries = page.entries.iter().map(|entry| {
        json!({
            "first": entry.first.0, "last": entry.last.0, "author": entry.author.0,
            "name": names.get(&entry.author), "at_ms": entry.at_ms, "until_ms": entry.until_ms,
            "what": entry.what.words(&song), "importance": entry.importance,
        })
    });
    json!({
        "event": "history", "branch": line.0, "entries": entries.collect::<Vec<_>>(),
        "before": page.before.map(|before| before.0),
    })
}

fn connection_json(connection: &Connection) -> Value {
    match connection {
        Connection::Solo => json!({"event": "solo"}),
        Connection::Connecting => json!({"event": "connecting"}),
        Connection::Online => json!({"event": "connected"}),
        Connection::Offline { retry_ms, reason } => {
            json!({"event": "offline", "retry_ms": retry_ms, "reason": reason})
        }
        Connection::Refused(message) => json!({"event": "refused-for-good", "message": message}),
    }
}

/// The shared clock's figures as JSON, all in ns.
pub fn clock_json(status: &ClockStatus) -> Value {
    json!({"event": "clock", "offset_ns": status.offset_ns, "bound_ns": status.bound_ns,
        "estimated_ns": status.estimated_ns, "trim_ns": status.trim_ns,
        "device_latency_ns": status.latency_ns,
        "held_over_ns": status.held_over_ns, "rtt_ns": status.rtt_ns, "probes": status.probes})
}

/// A fingerprint as JSON: hashes in hexadecimal, since JSON's numbers do not hold 64 bits; tracks
/// in order.
pub fn fingerprint_json(bar: &BarFingerprint) -> Value {
    let hex = |hash: u64| format!("{hash:016x}");
    json!({
        "event": "fingerprint",
        "bar": bar.bar,
        "input_key": hex(bar.input_key),
        "master": hex(bar.master),
        "tracks": bar.tracks.map(hex),
        "start": bar.start.0,
    })
}
