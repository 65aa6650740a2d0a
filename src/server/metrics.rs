//! What the server counts, as Prometheus reads it. No label names a session or a person.

pub mod peers;

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

const ACK_SECONDS: &str = "antiphon_ack_seconds";
const ACK_BUCKETS: [f64; 12] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Which way a frame went, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client.
    Up,
    /// To a client.
    Down,
}

/// The process's recorder, installed at first use.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(ACK_SECONDS.to_owned()), &ACK_BUCKETS)
            .expect("the list of buckets is not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder in the same process would mean an embedding program; it keeps its own.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

fn describe() {
    describe_gauge!("antiphon_sessions", "sessions open on this server");
    describe_gauge!("antiphon_participants", "participants connected");
    describe_counter!("antiphon_commits_total", "commits written to the store");
    describe_counter!("antiphon_ops_total", "ops in those commits");
    describe_histogram!(ACK_SECONDS, "from an edit's arrival to its commit in the store, in seconds");
    describe_counter!("antiphon_frames_total", "frames by direction");
    describe_counter!("antiphon_frame_bytes_total", "payload bytes of frames by direction");
    describe_counter!("antiphon_conflicts_total", "concurrent writes decided, by kind");
    describe_counter!("antiphon_conflicts_resolved_total", "conflict cards resolved by somebody");
    describe_counter!("antiphon_refusals_total", "frames of ops refused");
    describe_counter!("antiphon_errors_total", "errors told to clients, by code");
    describe_counter!("antiphon_slow_receivers_total", "connections closed because they did not keep up");
    describe_counter!("antiphon_packets_dropped_total", "packets dropped for slow receivers, by class");
    describe_counter!("antiphon_bars_compared_total", "pairs of bars with equal input compared");
    describe_counter!("antiphon_bars_mismatched_total", "pairs of bars with equal input that differ");
    describe_counter!("antiphon_renewals_total", "bar lines at which differing engines were to begin anew");
    describe_counter!("antiphon_store_failures_total", "transactions that the store refused");
    describe_counter!("antiphon_snapshots_corrupt_total", "snapshots passed over because they are corrupt");
    // Present from the start, so that an alert on their growth sees the first one.
    for name in ["antiphon_store_failures_total", "antiphon_snapshots_corrupt_total"] {
        counter!(name).increment(0);
    }
    for name in [
        "antiphon_bars_compared_total",
        "antiphon_bars_mismatched_total",
        "antiphon_renewals_total",
        "antiphon_commits_total",
    ] {
        counter!(name).increment(0);
    }
    ["gesture", "presence"].iter().for_each(|class| dropped(class, 0));
    gauge!("antiphon_sessions").set(0.0);
    gauge!("antiphon_participants").set(0.0);
}

/// A session opened (+1) or closed (−1).
pub fn sessions(change: i32) {
    gauge!("antiphon_sessions").increment(f64::from(change));
}

/// A participant came (+1) or went (−1).
pub fn participants(change: i32) {
    gauge!("antiphon_participants").increment(f64::from(change));
}

/// A frame came or went.
pub fn frame(direction: Direction, payload: usize) {
    let direction = match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    };
    counter!("antiphon_frames_total", "direction" => direction).increment(1);
    counter!("antiphon_frame_bytes_total", "direction" => direction).increment(payload as u64);
}

/// Commits were written.
pub fn committed(commits: usize, ops: usize) {
    counter!("antiphon_commits_total").increment(commits as u64);
    counter!("antiphon_ops_total").increment(ops as u64);
}

/// An edit was committed this long after it came.
pub fn acked(after: Duration) {
    histogram!(ACK_SECONDS).record(after.as_secs_f64());
}

/// A frame of ops was refused.
pub fn refused() {
    counter!("antiphon_refusals_total").increment(1);
}

/// Concurrent writes were decided, so many of a kind.
pub fn conflicts(kind: crate::session::ConflictKind, count: u64) {
    counter!("antiphon_conflicts_total", "kind" => kind.word()).increment(count);
}

/// Somebody picked a candidate, or put a card away.
pub fn resolved() {
    counter!("antiphon_conflicts_resolved_total").increment(1);
}

/// A client was told of an error.
pub fn error(code: crate::wire::ErrorCode) {
    counter!("antiphon_errors_total", "code" => format!("{code:?}")).increment(1);
}

/// A receiver did not keep up.
pub fn slow_receiver() {
    counter!("antiphon_slow_receivers_total").increment(1);
}

/// Packets of a class were dropped for a receiver that fell behind.
pub fn dropped(class: &'static str, packets: usize) {
    counter!("antiphon_packets_dropped_total", "class" => class).increment(packets as u64);
}

/// Two bars of equal input were compared.
pub fn compared(equal: bool) {
    counter!("antiphon_bars_compared_total").increment(1);
    counter!("antiphon_bars_mismatched_total").increment(u64::from(!equal));
}

/// Differing engines were told to begin anew.
pub fn renewed() {
    counter!("antiphon_renewals_total").increment(1);
}

/// The store refused a transaction.
pub fn store_failed() {
    counter!("antiphon_store_failures_total").increment(1);
}

/// A corrupt snapshot was passed over.
pub fn snapshot_corrupt() {
    counter!("antiphon_snapshots_corrupt_total").increment(1);
}
