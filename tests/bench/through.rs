//! The shared clock over real WebSockets through delaying networks, and what it makes of sound: two
//! real peers on strayed devices, heard in their recordings.
//!
//! Each pair plays for three minutes; `ANTIPHON_BENCH_SECONDS` names another length.

use std::time::Duration;

use crate::duo::{Duo, Heard};
use crate::far;
use crate::network_model::Network;
use crate::report::{Report, Row, percentile};

/// How long clocks are watched, in s.
const WATCHED: u64 = 20;
/// How long each pair of studios plays, in s.
const PLAYED: u64 = 180;

pub fn measure(report: &mut Report) {
    watch(report);
    let word = std::env::var("ANTIPHON_BENCH_SECONDS").ok();
    let seconds = word.and_then(|word| word.parse().ok()).unwrap_or(PLAYED);
    for (name, longer_up, bar) in [("19 ms each way", 0.0, Some(0.5)), ("23 and 15 ms", 8e6, None)] {
        let heard = Duo { network: Network::Wan, seed: 11, longer_up, seconds }.play();
        tell(report, name, &heard, bar);
    }
}

fn watch(report: &mut Report) {
    let watched = far::watch(Duration::from_secs(WATCHED));
    let (mut looked, mut violated) = (0, 0);
    for (network, looks) in watched.looks {
        let name = match network {
            Network::Lan => "LAN",
            Network::WiFi => "Wi-Fi",
            Network::Wan => "WAN",
            Network::Mobile => "4G",
        };
        let ms = |ns: i64| ns as f64 / 1e6;
        let errors: Vec<f64> = looks.iter().map(|(error, _)| ms(*error)).collect();
        let bounds: Vec<f64> = looks.iter().map(|(_, bound)| ms(*bound)).collect();
        let mut add = |what: &str, value: f64| {
            let case = format!("{name} through a proxy, {what}");
            report.add(Row { case, value, unit: "ms", beside: None, bar: None });
        };
        add("p50 error", percentile(&errors, 0.5));
        add("p99 error", percentile(&errors, 0.99));
        add("certified ±, median", percentile(&bounds, 0.5));
        looked += looks.len();
        violated += looks.iter().filter(|(error, bound)| *error > bound + watched.unknown).count();
    }
    let case = format!("certificates violated through proxies, of {looked} looks");
    report.add(Row { case, value: violated as f64, unit: "", beside: None, bar: Some(1.0) });
}

fn tell(report: &mut Report, name: &str, heard: &Heard, bar: Option<f64>) {
    let ms: Vec<f64> = heard.apart.iter().map(|ns| ns / 1e6).collect();
    let mut add = |what: &str, value: f64, unit: &'static str, bar: Option<f64>| {
        report.add(Row { case: format!("two recordings, {name}: {what}"), value, unit, beside: None, bar });
    };
    add("onsets apart, p50", percentile(&ms, 0.5), "ms", None);
    add("onsets apart, p99", percentile(&ms, 0.99), "ms", bar);
    add("onsets apart, most", percentile(&ms, 1.0), "ms", None);
    for (n, studio) in ["the first", "the second"].into_iter().enumerate() {
        let certified = (heard.certified[n] + heard.unknown) as f64 / 1e6;
        let alone = heard.clock_furthest(n) / 1e6;
        add(&format!("{studio}'s clock alone off at most"), alone, "ms", None);
        let off = heard.furthest(n) / 1e6;
        add(
            &format!("{studio} off the session at most, under what it certifies"),
            off,
            "ms",
            Some(certified),
        );
    }
    add("onsets in each", heard.kicks as f64, "", None);
    add("onsets missed", heard.missed as f64, "", Some(1.0));
    add("onsets doubled", heard.doubled as f64, "", Some(1.0));
    add("bars of one input", heard.bars as f64, "", None);
    add("bars of one input that sound unlike", heard.unlike as f64, "", Some(1.0));
    add("bars of unlike input", heard.unlike_input as f64, "", Some(1.0));
}
