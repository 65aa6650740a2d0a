//! What the host's transport asks of the render head.
//!
//! The host places it at a start, a locate and a loop; in between, samples are counted, because
//! hosts round their positions (to 1/1920 beat, to `f32`). Thread: audio. Realtime-safe: yes.

use super::ports::HostTransport;
use super::timeline::{Anchor, Timing};
use crate::pattern::Metre;
use crate::time::{Beats, TICKS_PER_BEAT, Tempo, TempoMap};

/// Beyond this difference (4 ms) the host has located.
const JUMP: i64 = 192;
/// Beyond this difference (1 ms; more than hosts round by) the anchor is nudged.
const DRIFT: i64 = 48;
/// Tempi closer than this are one, in µBPM.
const SAME_TEMPO: u64 = 1000;
/// Around a change of tempo, either tempo matches: hosts round positions.
const AROUND: Beats = Beats(TICKS_PER_BEAT / 480);

/// What to do at a block's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Placement {
    /// Count on.
    Keep,
    /// Begin a run at a song sample.
    Begin { timing: Timing, song: i64 },
    /// Go on from elsewhere without a new run.
    Retime(Anchor),
}

/// How ticks become samples under a host's tempo: the session's map where it says the same.
pub(super) fn timing_for(map: &TempoMap, tick: Beats, bpm: Option<f64>) -> Option<Timing> {
    let tempo = Tempo::from_host_bpm(bpm?)?;
    let same = |at| map.tempo_at(at).micro_bpm().abs_diff(tempo.micro_bpm()) < SAME_TEMPO;
    let matches = same(tick) || same(tick - AROUND) || same(tick + AROUND);
    Some(if matches { Timing::Session } else { Timing::host(tempo) })
}

fn is_same(one: &Timing, other: &Timing) -> bool {
    match (one, other) {
        (Timing::Session, Timing::Session) => true,
        (Timing::Host(a), Timing::Host(b)) => {
            a.tempo.micro_bpm().abs_diff(b.tempo.micro_bpm()) < SAME_TEMPO / 2
        }
        _ => false,
    }
}

/// The song sample at which a run begins that a host places at `tick`. A position within half a
/// device frame of a step is that step: the host can say no better.
pub(super) fn origin_sample(map: &TempoMap, timing: &Timing, tick: Beats, rate: f64) -> i64 {
    let sample = timing.sample_at(map, tick);
    let sample_ticks = timing.first_tick_from(map, sample + 1) - timing.first_tick_from(map, sample);
    let half_frame = (sample_ticks.0 as f64 * 24_000.0 / rate) as i64 + 1;
    let step = Beats(tick.0 + Beats::SIXTEENTH.0 / 2).floor_to(Beats::SIXTEENTH);
    if (tick - step).0.abs() <= half_frame { timing.sample_at(map, step) } else { sample }
}

/// Where a stopped engine begins.
pub(super) fn begin(map: &TempoMap, tick: Beats, bpm: Option<f64>, rate: f64) -> Placement {
    let timing = timing_for(map, tick, bpm).unwrap_or(Timing::Session);
    Placement::Begin { timing, song: origin_sample(map, &timing, tick, rate) }
}

/// What a running engine does, whose heard position at the block's start is `stream` on `anchor`.
pub(super) fn follow(
    map: &TempoMap,
    host: &HostTransport,
    loop_range: Option<(Beats, Beats)>,
    anchor: &Anchor,
    stream: i64,
    rate: f64,
) -> Placement {
    let own = anchor.song_at(stream);
    let own_tick = anchor.timing.tick_at(map, own);
    let tick = host.quarters.and_then(Beats::from_quarters_f64);
    let mut off = 0;
    if let Some(tick) = tick {
        off = difference(map, &anchor.timing, tick, own, loop_range);
        if off.abs() > JUMP {
            return begin(map, tick, host.bpm, rate);
        }
    }
    let wanted = timing_for(map, own_tick, host.bpm).unwrap_or(anchor.timing);
    if !is_same(&wanted, &anchor.timing) {
        let timing = match wanted {
            Timing::Session => wanted,
            Timing::Host(segment) => anchor.timing.continued(map, own_tick, segment.tempo),
        };
        return Placement::Retime(Anchor { stream, song: timing.sample_at(map, own_tick), timing });
    }
    if off.abs() > DRIFT {
        return Placement::Retime(Anchor { stream, song: own + off, ..*anchor });
    }
    Placement::Keep
}

/// How far the host's position is ahead of ours, in samples. At a loop's end one of the two may
/// have wrapped a moment before the other.
fn difference(
    map: &TempoMap,
    timing: &Timing,
    tick: Beats,
    own: i64,
    loop_range: Option<(Beats, Beats)>,
) -> i64 {
    let off = timing.sample_at(map, tick) - own;
    let Some((start, end)) = loop_range.filter(|_| off.abs() > JUMP) else { return off };
    let (start, end) = (timing.sample_at(map, start), timing.sample_at(map, end));
    let length = end - start;
    if (own - start).abs() <= JUMP && (off - length).abs() <= JUMP {
        off - length
    } else if (own - end).abs() <= JUMP && (off + length).abs() <= JUMP {
        off + length
    } else {
        off
    }
}

/// A host whose song position and loop lie so many ticks further on.
pub(super) fn offset_by(host: &HostTransport, offset: Beats) -> HostTransport {
    if offset == Beats::ZERO {
        return *host;
    }
    let quarters = offset.as_quarters_f64();
    HostTransport {
        quarters: host.quarters.map(|at| at + quarters),
        loop_range: host.loop_range.map(|(start, end)| (start + quarters, end + quarters)),
        ..*host
    }
}

/// A host's loop in ticks.
pub(super) fn loop_of(host: &HostTransport) -> Option<(Beats, Beats)> {
    let (start, end) = host.loop_range?;
    let (start, end) = (Beats::from_quarters_f64(start)?, Beats::from_quarters_f64(end)?);
    (start < end).then_some((start, end))
}

/// A host's metre, where it is one.
pub(super) fn metre_of(host: &HostTransport) -> Option<Metre> {
    let (count, unit) = host.metre?;
    Some(Metre { count, unit }).filter(|metre| metre.is_sound())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::param::TrackIndex;
    use crate::pattern::score::{AsWritten, Score, Span};
    use crate::pattern::{Bars, Song};

    fn dense() -> Song {
        let mut song = Song::new();
        for (at, track) in song.tracks.iter_mut().enumerate() {
            track.alive = true;
            track.playing_mut().length = 15;
            for (n, cell) in track.playing_mut().steps.iter_mut().enumerate() {
                cell.on = true;
                cell.ratchet = 1 + ((n + 3 * at) % 8) as u8;
                cell.micro = ((n * 7 + at * 13) % 101) as i8 - 50;
            }
        }
        song
    }

    /// Follows a host whose positions are rounded, as the renderer's cursor does, block by block;
    /// gives how often each stroke came.
    fn follow_for(
        blocks: i64,
        bpm: f64,
        round: fn(f64) -> f64,
        song: &Song,
    ) -> HashMap<(usize, i64, u8), u32> {
        let (map, bars) = (TempoMap::default(), Bars::default());
        let mut counts = HashMap::new();
        let (mut stream, mut anchor, mut next) = (0, None::<Anchor>, Beats::ZERO);
        for block in 0..blocks {
            let frames = 64 + (block * 37) % 400;
            let quarters = round(1000.0 + stream as f64 / 48_000.0 * bpm / 60.0);
            let host = HostTransport {
                playing: true,
                quarters: Some(quarters),
                bpm: Some(bpm),
                ..HostTransport::default()
            };
            let placement = match &anchor {
                Some(anchor) => follow(&map, &host, None, anchor, stream, 48_000.0),
                None => begin(&map, Beats::quarters(1000), host.bpm, 48_000.0),
            };
            match placement {
                Placement::Keep => {}
                Placement::Retime(to) => anchor = Some(to),
                Placement::Begin { timing, song } => {
                    assert!(anchor.is_none(), "a rounded position was taken for a locate");
                    anchor = Some(Anchor { stream, song, timing });
                    next = timing.first_tick_from(&map, song);
                }
            }
            stream += frames;
            let Some(anchor) = &anchor else { continue };
            let to = anchor.timing.first_tick_from(&map, anchor.song_at(stream)).max(next);
            let span = Span { from: next, to, end: None, origin: block == 0 };
            let score = Score::new(song, &bars, &AsWritten, (next, to));
            for track in TrackIndex::all().filter(|_| to > next) {
                score.strokes(track, &span, |stroke| {
                    let step = stroke.place.0 / Beats::SIXTEENTH.0;
                    *counts.entry((track.get(), step, stroke.stroke)).or_default() += 1;
                });
            }
            next = to;
        }
        counts
    }

    #[test]
    fn a_hundred_thousand_notes_survive_rounded_positions() {
        let song = dense();
        let roundings: [fn(f64) -> f64; 4] = [
            |quarters| quarters,
            |quarters| (quarters * 2f64.powi(31)).round() / 2f64.powi(31),
            |quarters| f64::from(quarters as f32),
            |quarters| (quarters * 1920.0).round() / 1920.0,
        ];
        let mut notes = 0;
        for (round, bpm) in roundings.into_iter().zip([120.0, 299.7, 133.333, 40.1]) {
            let counts = follow_for(7000, bpm, round, &song);
            assert!(counts.values().all(|count| *count == 1), "a note came twice at {bpm} BPM");
            let step = |key: &(usize, i64, u8)| key.1;
            let (first, last) = (counts.keys().map(step).min(), counts.keys().map(step).max());
            let (first, last) = (first.expect("notes") + 1, last.expect("notes") - 1);
            for absolute in first..last {
                for (at, track) in song.tracks.iter().enumerate() {
                    for stroke in 0..track.playing().steps[absolute.rem_euclid(15) as usize].ratchet {
                        assert!(counts.contains_key(&(at, absolute, stroke)), "lost at {bpm} BPM");
                    }
                }
            }
            notes += counts.len();
        }
        assert!(notes > 100_000, "{notes}");
    }
}
