//! The way a hand moved a parameter, thinned: what a gesture leaves in the log.

use serde::{Deserialize, Serialize};

/// The most points a curve keeps.
pub const MAX_CURVE: usize = 16;
/// How far, in travel, the hand may lie beside the thinned curve before a point is kept.
const TOLERANCE: f32 = 0.005;

/// A point of a [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Milliseconds since the hand took hold.
    pub ms: u16,
    /// Travel of the knob: 0 to 65535 for 0 to 1.
    pub travel: u16,
}

impl CurvePoint {
    /// A point at so many milliseconds (at most 65535) and a travel of 0 to 1.
    pub fn new(ms: i64, travel: f32) -> CurvePoint {
        let ms = ms.clamp(0, i64::from(u16::MAX)) as u16;
        CurvePoint { ms, travel: (travel.clamp(0.0, 1.0) * 65535.0 + 0.5) as u16 }
    }

    /// The travel, 0 to 1.
    pub fn at(&self) -> f32 {
        f32::from(self.travel) / 65535.0
    }
}

/// At most [`MAX_CURVE`] points in order of time; between them the hand went straight, to within
/// half a hundredth of the travel or as near as the points allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve(Vec<CurvePoint>);

impl Curve {
    /// Thins what a hand did (points in order of time): the point furthest from the curve so far
    /// is kept, again and again (Douglas and Peucker 1973, by need rather than by halves).
    pub fn thinned(points: &[CurvePoint]) -> Curve {
        let Some(last) = points.len().checked_sub(1) else { return Curve::default() };
        let mut kept = vec![0];
        if last > 0 {
            kept.push(last);
        }
        while kept.len() < MAX_CURVE {
            let spans = kept.windows(2).filter_map(|span| furthest(points, span[0], span[1]));
            let worst = spans.max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((at, _)) = worst.filter(|(_, off)| *off > TOLERANCE) else { break };
            kept.insert(kept.partition_point(|other| *other < at), at);
        }
        Curve(kept.into_iter().map(|at| points[at]).collect())
    }

    /// Its points, in order of time.
    pub fn points(&self) -> &[CurvePoint] {
        &self.0
    }

    /// Whether a curve from a frame keeps its bounds.
    pub fn is_sound(&self) -> bool {
        self.0.len() <= MAX_CURVE && self.0.is_sorted_by_key(|point| point.ms)
    }
}

/// The point between two that lies furthest beside their line, and how far.
fn furthest(points: &[CurvePoint], from: usize, to: usize) -> Option<(usize, f32)> {
    let (a, b) = (points[from], points[to]);
    let span = f32::from(b.ms.saturating_sub(a.ms)).max(1.0);
    let off = |at: usize| {
        let part = f32::from(points[at].ms.saturating_sub(a.ms)) / span;
        (points[at].at() - (a.at() + (b.at() - a.at()) * part)).abs()
    };
    (from + 1..to).map(|at| (at, off(at))).max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_move_keeps_its_ends_and_a_bend_its_corner() {
        let line: Vec<_> = (0..100).map(|n| CurvePoint::new(n * 16, n as f32 / 99.0)).collect();
        assert_eq!(Curve::thinned(&line).points().len(), 2);
        let bend: Vec<_> =
            (0..=100).map(|n| CurvePoint::new(n * 10, if n < 50 { n as f32 / 50.0 } else { 1.0 })).collect();
        let points: Vec<u16> = Curve::thinned(&bend).points().iter().map(|point| point.ms).collect();
        assert_eq!(points, [0, 500, 1000]);
        assert_eq!(Curve::thinned(&[]).points(), []);
        assert_eq!(Curve::thinned(&bend[..1]).points().len(), 1);
    }

    #[test]
    fn a_wild_hand_is_bounded() {
        let wild: Vec<_> = (0..500).map(|n| CurvePoint::new(n, (n % 7) as f32 / 6.0)).collect();
        let curve = Curve::thinned(&wild);
        assert!(curve.points().len() == MAX_CURVE && curve.is_sound());
    }
}
