//! What the clips of an arrangement let a track play.
//!
//! Of the clips that cover a bar and speak of a track, one of its own pattern goes before a scene,
//! then the one that began last, then the one further down the list. Its pattern begins anew where
//! the clip begins. A track of which no clip speaks rests.
//!
//! Thread: any. Realtime-safe: yes.

use super::Lay;
use crate::param::TrackIndex;
use crate::pattern::{Bars, Clip, ClipSource, MAX_CLIPS, PatternIndex, Song};
use crate::time::Beats;

/// The clips that a span may meet.
pub(super) struct Near {
    clips: [u8; MAX_CLIPS],
    length: usize,
}

impl Near {
    pub(super) fn none() -> Near {
        Near { clips: [0; MAX_CLIPS], length: 0 }
    }

    /// Those that touch the bars of `from..=to`, or begin or end there.
    pub(super) fn of(song: &Song, bars: &Bars, from: Beats, to: Beats) -> Near {
        let (first, last) = (bars.at(from).number - 1, bars.at(to).number + 1);
        let mut near = Near::none();
        for (place, clip) in song.clips.iter().enumerate() {
            if clip.alive && i64::from(clip.start) <= last && end_of(clip) >= first {
                near.clips[near.length] = place as u8;
                near.length += 1;
            }
        }
        near
    }

    /// What a track plays at a tick near the span.
    pub(super) fn lay(&self, song: &Song, bars: &Bars, track: TrackIndex, tick: Beats) -> Lay {
        let bar = bars.at(tick).number;
        let (mut best, mut until) = (None, i64::MAX);
        for place in &self.clips[..self.length] {
            let clip = &song.clips[usize::from(*place)];
            let Some((own, pattern)) = says(song, clip, track) else { continue };
            let (start, end) = (i64::from(clip.start), end_of(clip));
            if start > bar {
                until = until.min(start);
            } else if end > bar {
                until = until.min(end);
                let rank = (own, start, *place);
                best = best.max(Some((rank, pattern)));
            }
        }
        let (pattern, origin) = match best {
            Some(((_, start, _), pattern)) => (PatternIndex::new(pattern), bars.bar(start).start),
            None => (None, Beats::ZERO),
        };
        let until = if until == i64::MAX { Beats(i64::MAX) } else { bars.bar(until).start };
        Lay { pattern, origin, until }
    }
}

/// The bar behind a clip's last.
fn end_of(clip: &Clip) -> i64 {
    i64::from(clip.start) + i64::from(clip.length.max(1))
}

/// The pattern that a clip lets a track play, and whether the clip is that track's own.
fn says(song: &Song, clip: &Clip, track: TrackIndex) -> Option<(bool, usize)> {
    match clip.source {
        ClipSource::Pattern(of, pattern) => (of.get() == track.get()).then(|| (true, pattern.get())),
        ClipSource::Scene(scene) => {
            let scene = song.scenes.get(usize::from(scene)).filter(|scene| scene.alive)?;
            Some((false, scene.patterns[track.get()]?.get()))
        }
    }
}
