//! The shared clock over models of networks, a hundred seeded half hours each; beside it, in the same
//! run, Ableton Link's median of pings, NTP's filter of eight, and one way's last probe.

use crate::clock_trial::{MARKS, METHODS, Shown, percentile, run};
use crate::network_model::Network;
use crate::report::{Curve, Report, Row};
use crate::stepping_trial::{Stepped, life};

const TRIALS: u64 = 100;
/// A network, its name, and at each mark the percentile that has a bar and the bar in ms.
type Judged = (Network, &'static str, [(f64, f64); MARKS.len()]);

const NETWORKS: [Judged; 4] = [
    (Network::Lan, "LAN", [(99.0, 0.1), (99.0, 0.15)]),
    (Network::WiFi, "Wi-Fi", [(99.0, 0.4), (99.0, 0.3)]),
    (Network::Wan, "WAN", [(99.0, 0.4), (99.0, 0.3)]),
    (Network::Mobile, "4G", [(50.0, 1.0), (99.0, 2.0)]),
];
/// How long a life with clocks that step is, in s.
const LIFE: u32 = 600;
/// Points of a curve.
const POINTS: u32 = 200;

pub fn measure(report: &mut Report) {
    let (mut checks, mut violations) = (0, 0);
    for (network, name, bars) in NETWORKS {
        let mut shown = run(network, 0..TRIALS, 1.0, MARKS.len(), true);
        for (mark, bar) in bars.into_iter().enumerate() {
            rows(report, &mut shown, name, mark, bar);
        }
        checks += shown.checks;
        violations += shown.violations;
    }
    report.add(Row {
        case: format!("certificates violated, of {checks} looks"),
        value: violations as f64,
        unit: "",
        beside: None,
        bar: Some(1.0),
    });
}

/// Lives in which the machine's clocks step; the first few again by a peer that does not compare them.
pub fn step(report: &mut Report) {
    let lives = |seeds: u64, cross_checks: bool| {
        let all = NETWORKS.into_iter().flat_map(|(network, ..)| (0..seeds).map(move |seed| (network, seed)));
        all.fold(Stepped::default(), |sum, (network, seed)| {
            sum.and(life(network, 20_000 + seed, LIFE, cross_checks))
        })
    };
    let (shown, alone) = (lives(TRIALS, true), lives(TRIALS / 10, false));
    let mut add = |case: String, value: usize, bar: Option<f64>| {
        report.add(Row { case, value: value as f64, unit: "", beside: None, bar });
    };
    let of = format!("in {} steps of a clock, of {} looks", shown.steps, shown.looks);
    add(format!("certificates violated {of}"), shown.violations, Some(1.0));
    let of = format!("in {} steps, of {} looks", alone.steps, alone.looks);
    add(format!("the same without a second clock, {of}"), alone.violations, None);
}

fn rows(report: &mut Report, shown: &mut Shown, name: &str, mark: usize, (percent, bar): (f64, f64)) {
    let when = MARKS[mark].0;
    let mut add = |case: String, value: f64, bar: Option<f64>| {
        report.add(Row { case, value: value / 1e6, unit: "ms", beside: None, bar });
    };
    for (method, whose) in METHODS.iter().enumerate() {
        for of in [50.0, 99.0] {
            let bar = (method == 0 && of == percent).then_some(bar);
            let error = percentile(&mut shown.errors[method][mark], of);
            add(format!("{name} at {when}, {whose}: p{of:.0} error"), error, bar);
        }
    }
    let (certified, estimated) = (&mut shown.certified[mark], &mut shown.estimated[mark]);
    add(format!("{name} at {when}, certified ±, median"), percentile(certified, 50.0), None);
    add(format!("{name} at {when}, estimated ±, median"), percentile(estimated, 50.0), None);
    let within = 100.0 * shown.within[mark] as f64 / shown.estimated[mark].len() as f64;
    report.add(Row {
        case: format!("{name} at {when}, the truth within the estimated ±"),
        value: within,
        unit: "%",
        beside: None,
        bar: None,
    });
    for (method, whose) in METHODS.iter().enumerate() {
        let errors = &mut shown.errors[method][mark];
        let points = (1..=POINTS).map(|n| {
            let percent = 100.0 * f64::from(n) / f64::from(POINTS);
            (percentile(errors, percent) / 1e6, percent)
        });
        let panel = format!("{name} at {when}");
        report.draw(Curve { panel, name: (*whose).to_owned(), points: points.collect() });
    }
}
