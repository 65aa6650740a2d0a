//! Several people ask for a tempo at once.
//!
//! Half and double time are folded together first. Where all that is asked lies within 2 %, the
//! mean of the logarithms is played; otherwise what plays goes on, and a card shows the candidates.
//! Only the set of requests counts, not their order.

use serde::{Deserialize, Serialize};

use super::{ClientId, MAX_TEMPO_SEGMENTS, Seq, Stamp};
use crate::time::{Tempo, TempoMap};

/// The most requests that one decision weighs; the oldest gives way.
pub const MAX_REQUESTS: usize = 16;
/// How far apart requests may lie and still be one: 2 %.
const NEAR: f64 = 1.02;

/// A tempo that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TempoRequest {
    /// Who.
    pub author: ClientId,
    /// The commit that answered it.
    pub seq: Seq,
    /// What.
    pub tempo: Tempo,
}

/// The last decision about the tempo.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TempoAsked {
    /// Who asked last, and in which commit it was answered.
    pub(super) stamp: Stamp,
    /// Every concurrent request, one a person.
    pub(super) requests: Vec<TempoRequest>,
    /// The map before the first of them.
    pub(super) before: TempoMap,
}

impl TempoAsked {
    /// Who asked last, and in which commit it was answered.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The requests it weighed.
    pub fn requests(&self) -> &[TempoRequest] {
        &self.requests
    }

    pub(super) fn is_sound(&self, last: Seq) -> bool {
        self.stamp.seq <= last
            && requests_are_sound(&self.requests)
            && self.before.segments().len() <= MAX_TEMPO_SEGMENTS
            && super::state::check_tempo_map(&self.before).is_ok()
    }
}

pub(super) fn requests_are_sound(requests: &[TempoRequest]) -> bool {
    let playable = |request: &TempoRequest| Tempo::from_micro_bpm(request.tempo.micro_bpm()).is_ok();
    requests.len() <= MAX_REQUESTS && requests.iter().all(playable)
}

/// The one tempo that requests agree on; `None` where they do not. `now` is what plays: of half
/// and double time, the request nearest to it decides.
pub fn agreed(requests: &[Tempo], now: Tempo) -> Option<Tempo> {
    let octaves = |tempo: Tempo| libm::fabs(libm::log2(tempo.bpm() / now.bpm()));
    let near = |a: &Tempo, b: &Tempo| octaves(*a).total_cmp(&octaves(*b)).then(a.cmp(b));
    let reference = requests.iter().copied().min_by(near)?;
    let folded: Vec<f64> = requests.iter().map(|tempo| fold(tempo.bpm(), reference.bpm())).collect();
    let least = folded.iter().copied().fold(f64::INFINITY, f64::min);
    let most = folded.iter().copied().fold(0.0, f64::max);
    if most > least * NEAR {
        return None;
    }
    if requests.iter().all(|tempo| *tempo == reference) {
        return Some(reference);
    }
    // Summed in one order, whatever the order of the requests.
    let mut logs: Vec<f64> = folded.iter().map(|bpm| libm::log2(*bpm)).collect();
    logs.sort_unstable_by(f64::total_cmp);
    let mean = libm::exp2(logs.iter().sum::<f64>() / logs.len() as f64);
    // Thousandths: nobody asks for more, and the map stays readable.
    Tempo::from_bpm(libm::round(mean * 1e3) / 1e3).ok()
}

/// A tempo brought within half an octave of another.
fn fold(mut bpm: f64, reference: f64) -> f64 {
    while bpm > reference * core::f64::consts::SQRT_2 {
        bpm /= 2.0;
    }
    while bpm * core::f64::consts::SQRT_2 < reference {
        bpm *= 2.0;
    }
    bpm
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tempo(bpm: f64) -> Tempo {
        Tempo::from_bpm(bpm).expect("a tempo")
    }

    fn at(now: f64, asked: &[f64]) -> Option<f64> {
        agreed(&asked.iter().map(|bpm| tempo(*bpm)).collect::<Vec<_>>(), tempo(now)).map(Tempo::bpm)
    }

    #[test]
    fn near_requests_meet_and_far_ones_do_not() {
        assert_eq!(at(120.0, &[124.0]), Some(124.0));
        assert_eq!(at(120.0, &[124.0, 126.0]), Some(124.996));
        assert_eq!(at(120.0, &[124.0, 127.0]), None);
        assert_eq!(at(120.0, &[100.0, 101.0, 102.5]), None);
    }

    #[test]
    fn half_and_double_time_are_one() {
        assert_eq!(at(120.0, &[140.0, 70.0]), Some(140.0));
        assert_eq!(at(60.0, &[140.0, 70.0]), Some(70.0));
        assert_eq!(at(120.0, &[60.0, 61.0]), Some(60.498));
        assert_eq!(at(120.0, &[60.0, 60.0]), Some(60.0), "what all ask for is not folded");
        assert_eq!(at(150.0, &[280.0, 70.0]), None.or(at(150.0, &[70.0, 280.0])));
    }
}
