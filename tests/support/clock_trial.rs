//! One seeded trial of the shared clock over a network, and what others would have made of it.
//!
//! - **Ableton Link's** way: back-to-back pings to 100 points, their median, slope one, every 30 s.
//! - **NTP's** filter: of the last eight probes the one with the shortest round trip, aged by our own
//!   fitted rate, as if its frequency were disciplined as well.
//! - **Naive**: one way, the last probe: session time on arrival less host time on leaving.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::VecDeque;

use antiphon::time::{ClockNews, HostNanos, Probe};

use crate::network_model::{Crystal, Dice, Network, Path, Way};
use crate::virtual_peer::{MS, SECOND, VirtualPeer};

/// When errors are compared, in seconds: the last tenth of a minute, and the last of half an hour.
pub const MARKS: [(&str, i64, i64); 2] = [("1 min", 54, 60), ("30 min", 1_740, 1_800)];
/// How often, at a mark.
const LOOK: i64 = 250 * MS;
/// How often the certificate is checked else.
const CHECK: i64 = SECOND;
/// Probes of NTP's filter.
const FILTER: usize = 8;
/// Points of Link's median, and how often it measures.
const LINK_POINTS: usize = 100;
const LINK_EVERY: i64 = 30 * SECOND;

/// Whose estimate.
pub const METHODS: [&str; 4] = ["Antiphon", "Link's median", "NTP's filter of 8", "one way, last"];

/// The errors of a method at a mark, in ns.
pub type Errors = [[Vec<f64>; MARKS.len()]; METHODS.len()];

/// What trials showed together.
#[derive(Default)]
pub struct Shown {
    pub trials: usize,
    pub errors: Errors,
    /// Certified and estimated bounds at the marks, in ns.
    pub certified: [Vec<f64>; MARKS.len()],
    pub estimated: [Vec<f64>; MARKS.len()],
    /// How often the truth lay within the estimated bound, at the marks.
    pub within: [usize; MARKS.len()],
    /// How often the certificate was checked, and was wrong.
    pub checks: usize,
    pub violations: usize,
    /// Steps noticed where no clock was set.
    pub false_steps: usize,
}

/// Runs seeded trials of half an hour, or of a minute.
///
/// The comparison with others takes as long as the trial itself, and may be left out.
pub fn run(
    network: Network,
    seeds: std::ops::Range<u64>,
    thermal_ppm: f64,
    marks: usize,
    compare: bool,
) -> Shown {
    let mut shown = Shown::default();
    for seed in seeds {
        trial(network, seed, thermal_ppm, marks, compare, &mut shown);
    }
    shown
}

fn trial(network: Network, seed: u64, thermal_ppm: f64, marks: usize, compare: bool, shown: &mut Shown) {
    let end = MARKS[marks - 1].2;
    let mut peer = VirtualPeer::join(network, seed, end as u32 + 10, thermal_ppm, SECOND);
    let mut others = compare.then(|| Others::new(network, seed, end));
    let mut now = SECOND;
    while now < end * SECOND {
        let mark =
            MARKS[..marks].iter().position(|(_, from, to)| (from * SECOND..to * SECOND).contains(&now));
        now += if mark.is_some() { LOOK } else { CHECK };
        peer.advance(now, |now| now);
        others.iter_mut().for_each(|others| others.advance(now, &peer.crystal));
        let Some(map) = peer.map() else { continue };
        let host = peer.host(now);
        let truth = now - host.0;
        let error = (map.offset_at(host) - truth).abs();
        shown.checks += 1;
        shown.violations += usize::from(error > map.bound_at(host));
        let Some(mark) = mark else { continue };
        shown.certified[mark].push(map.bound_at(host) as f64);
        let estimated = map.estimated_at(host);
        shown.estimated[mark].push(estimated as f64);
        shown.within[mark] += usize::from(error <= estimated);
        let told = others.iter().flat_map(|others| others.offsets(host, map.rate));
        let told = told.map(|offset| (offset - truth as f64).abs());
        for (method, error) in std::iter::once(error as f64).chain(told).enumerate() {
            shown.errors[method][mark].push(error);
        }
    }
    shown.false_steps += peer.news.iter().filter(|news| matches!(news, ClockNews::Stepped)).count();
    shown.trials += 1;
}

/// The same network and crystal for the others' probes and pings.
struct Others {
    path: Path,
    dice: Dice,
    next_probe: i64,
    probes: VecDeque<(i64, Probe)>,
    /// The last probes that came back.
    filter: VecDeque<Filtered>,
    link_path: Path,
    link_next: i64,
    link_end: i64,
    /// When a measurement of Link's was done, and its offset.
    link: VecDeque<(i64, f64)>,
    link_now: f64,
}

/// A probe in NTP's filter.
struct Filtered {
    round_trip: i64,
    came: HostNanos,
    two_way: f64,
    one_way: f64,
}

impl Others {
    fn new(network: Network, seed: u64, end: i64) -> Others {
        Others {
            path: Path::new(network, seed, 0.0),
            dice: Dice::new(seed ^ 0x0714),
            next_probe: SECOND,
            probes: VecDeque::new(),
            filter: VecDeque::new(),
            link_path: Path::new(network, seed, 0.0),
            link_next: SECOND,
            link_end: end * SECOND,
            link: VecDeque::new(),
            link_now: f64::NAN,
        }
    }

    fn advance(&mut self, to: i64, crystal: &Crystal) {
        while self.next_probe <= to {
            let now = self.next_probe;
            let (back, probe) = ping(&mut self.path, &mut self.dice, now, crystal);
            self.probes.push_back((back, probe));
            self.next_probe += (2e9 * self.dice.uniform(0.9, 1.1)) as i64;
        }
        while let Some((_, probe)) = self.probes.pop_front_if(|(back, _)| *back <= to) {
            let one_way = (probe.t2.0 - probe.t1.0) as f64;
            let two_way = 0.5 * (one_way + (probe.t3.0 - probe.t4.0) as f64);
            let (round_trip, came) = (probe.round_trip(), probe.t4);
            self.filter.push_back(Filtered { round_trip, came, two_way, one_way });
            if self.filter.len() > FILTER {
                self.filter.pop_front();
            }
        }
        while self.link_next <= to.min(self.link_end) {
            let done = self.measure_link(crystal);
            self.link_next = (self.link_next + LINK_EVERY).max(done);
        }
        while let Some((_, offset)) = self.link.pop_front_if(|(done, _)| *done <= to) {
            self.link_now = offset;
        }
    }

    /// Pings until there are enough points: each pong gives one with its own ping and one with the
    /// pong before it. Returns when that is done.
    fn measure_link(&mut self, crystal: &Crystal) -> i64 {
        let (mut points, mut now) = (Vec::new(), self.link_next);
        let mut before: Option<f64> = None;
        while points.len() < LINK_POINTS {
            let (back, probe) = ping(&mut self.link_path, &mut self.dice, now, crystal);
            let (left, peer, came) = (probe.t1.0 as f64, probe.t2.0 as f64, probe.t4.0 as f64);
            points.push(peer - 0.5 * (left + came));
            // The pong before came as this ping left.
            points.extend(before.map(|before| 0.5 * (peer + before) - left));
            before = Some(peer);
            now = back;
        }
        points.sort_by(f64::total_cmp);
        self.link.push_back((now, points[points.len() / 2]));
        now
    }

    /// Session − host time as each of them has it.
    fn offsets(&self, host: HostNanos, rate: f64) -> [f64; METHODS.len() - 1] {
        let shortest = self.filter.iter().min_by_key(|one| one.round_trip);
        let ntp = shortest.map_or(f64::NAN, |one| one.two_way + (host - one.came) as f64 * rate);
        let last = self.filter.back().map_or(f64::NAN, |one| one.one_way);
        [self.link_now, ntp, last]
    }
}

fn ping(path: &mut Path, dice: &mut Dice, now: i64, crystal: &Crystal) -> (i64, Probe) {
    let arrived = path.arrival(Way::Up, now);
    let answered = arrived + dice.exponential(30_000.0) as i64;
    let back = path.arrival(Way::Down, answered);
    let probe = Probe {
        t1: HostNanos(crystal.host(now)),
        t2: antiphon::time::SessionNanos(arrived),
        t3: antiphon::time::SessionNanos(answered),
        t4: HostNanos(crystal.host(back)),
    };
    (back, probe)
}

/// The value that so many percent do not exceed. Sorts.
pub fn percentile(figures: &mut [f64], percent: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() as f64 * percent / 100.0).ceil() as usize).clamp(1, figures.len()) - 1]
}
