//! What peers tell of their clocks, a series a peer, for as long as it is connected.
//!
//! A peer's label is a hash of its session and its number there: it tells peers apart and names
//! nobody.

use std::collections::BTreeMap;
use std::fmt::Write;

use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

use crate::session::ClientId;
use crate::wire::PresenceState;

/// Of each figure: its name, what it is, and how it is told.
type Figure = (&'static str, &'static str, fn(&PresenceState) -> f64);

const FIGURES: [Figure; 5] = [
    ("antiphon_peer_clock_certified_seconds", "certified bound of a peer's clock", |told| {
        f64::from(told.clock_bound_us) / 1e6
    }),
    ("antiphon_peer_clock_estimated_seconds", "estimated bound of a peer's clock", |told| {
        f64::from(told.clock_estimated_us) / 1e6
    }),
    ("antiphon_peer_clock_trim_seconds", "how much later a peer sounds than its clock has it", |told| {
        f64::from(told.trim_us) / 1e6
    }),
    ("antiphon_peer_device_latency_seconds", "latency of a peer's device, which it makes up for", |told| {
        f64::from(told.device_latency_us) / 1e6
    }),
    ("antiphon_peer_rtt_seconds", "median round trip of a peer's clock probes", |told| {
        f64::from(told.rtt_us) / 1e6
    }),
];

static PEERS: Mutex<BTreeMap<(u32, u32), PresenceState>> = Mutex::new(BTreeMap::new());

fn label(session: &str, client: ClientId) -> (u32, u32) {
    (xxh3_64(session.as_bytes()) as u32, client.0)
}

/// A peer told of itself.
pub fn told(session: &str, client: ClientId, state: PresenceState) {
    PEERS.lock().insert(label(session, client), state);
}

/// A peer has gone.
pub fn gone(session: &str, client: ClientId) {
    PEERS.lock().remove(&label(session, client));
}

/// The series in Prometheus's text form.
pub fn render() -> String {
    let peers = PEERS.lock();
    let mut text = String::new();
    for (name, help, of) in FIGURES.iter().filter(|_| !peers.is_empty()) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for ((session, client), told) in peers.iter() {
            let _ = writeln!(text, "{name}{{peer=\"{session:08x}-{client}\"}} {}", of(told));
        }
    }
    text
}
