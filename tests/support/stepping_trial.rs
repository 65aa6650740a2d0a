//! A life of clocks that step: small and large, forward and back, the raw one and the one beside it,
//! while that one is slewed as it lawfully may be and the peer's thread is now and then held up.
#![allow(dead_code, reason = "each test binary uses its part")]

use antiphon::time::ClockNews;

use crate::network_model::{Crystal, Dice, Network, Path};
use crate::virtual_peer::{MS, SECOND, VirtualPeer};

/// How often somebody looks at the certificate.
const LOOK: i64 = 20 * MS;
/// How often a client's thread looks at its clocks.
const THREAD: i64 = 5 * MS;
/// The first step.
const FIRST: i64 = 15 * SECOND;

/// What lives showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stepped {
    pub steps: usize,
    /// How often the clocks were seen to part.
    pub seen: usize,
    pub looks: usize,
    pub violations: usize,
    /// The furthest that the truth lay outside the certificate, in ns.
    pub furthest: i64,
}

impl Stepped {
    pub fn and(self, other: Stepped) -> Stepped {
        Stepped {
            steps: self.steps + other.steps,
            seen: self.seen + other.seen,
            looks: self.looks + other.looks,
            violations: self.violations + other.violations,
            furthest: self.furthest.max(other.furthest),
        }
    }
}

/// A step: mostly 0.1 to 20 ms, now and then up to 5 s, either way.
fn size(dice: &mut Dice) -> i64 {
    let (least, most) = if dice.happens(0.8) { (0.1, 20.0) } else { (20.0, 5_000.0) };
    let by = (least * f64::powf(most / least, dice.uniform(0.0, 1.0)) * 1e6) as i64;
    if dice.happens(0.5) { by } else { -by }
}

/// One life of so many seconds; `cross_checks` is whether the peer compares its clocks.
pub fn life(network: Network, seed: u64, seconds: u32, cross_checks: bool) -> Stepped {
    let mut dice = Dice::new(seed ^ 0x57E9);
    let end = i64::from(seconds) * SECOND;
    let mut shown = Stepped::default();
    let mut crystal = Crystal::new(seed, seconds + 20, 1.0);
    let mut at = 0;
    while at < end {
        // By NTP, and at times by adjtime as well.
        let once = if dice.happens(0.3) { dice.uniform(-500.0, 500.0) } else { 0.0 };
        crystal.slew(at, dice.uniform(-500.0, 500.0) + once);
        at += (dice.uniform(5.0, 60.0) * 1e9) as i64;
    }
    let mut at = FIRST;
    while at < end {
        let by = size(&mut dice);
        if dice.happens(0.6) {
            crystal.set(at, by)
        } else {
            crystal.set_beside(at, by)
        }
        shown.steps += 1;
        at += (dice.uniform(3.0, 25.0) * 1e9) as i64;
    }
    let mut peer = VirtualPeer::with(crystal, Path::new(network, seed, 0.0), seed, SECOND);
    (peer.cross_checks, peer.looks) = (cross_checks, THREAD);
    let mut now = SECOND;
    while now < end {
        now += LOOK;
        if dice.happens(0.001) {
            // Nothing of the process runs.
            peer.advance(now, |now| now);
            now += (dice.uniform(30.0, 600.0) * 1e6) as i64;
            peer.held_until = now;
        }
        peer.advance(now, |now| now);
        peer.see(now);
        let (Some(map), Some(error)) = (peer.map(), peer.error(now, now)) else { continue };
        let outside = error.abs() - map.bound_at(peer.host(now));
        shown.looks += 1;
        shown.violations += usize::from(outside > 0);
        shown.furthest = shown.furthest.max(outside);
    }
    shown.seen = peer.news.iter().filter(|news| matches!(news, ClockNews::Parted { .. })).count();
    shown
}
