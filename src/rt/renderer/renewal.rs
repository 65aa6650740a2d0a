//! Beginning anew at a bar line: how a difference that should not be is healed.
//!
//! A fault leaves its trace in what voices and effects remember. So all of it is forgotten at one
//! line, and the line is a new run origin: from there on the samples, and the input key, are those of
//! an engine that starts there. The old sound fades out before the line, behind the fingerprint.
//!
//! Thread: audio. Realtime-safe: yes, and no dearer than a start.

use super::plan::Marks;
use super::{Material, Renderer};
use crate::dsp::{LIMITER_LATENCY, QUANTUM, Quantum};
use crate::rt::fingerprint::{Input, InputKey, tempo_digest};
use crate::rt::locked::Sounding;
use crate::time::Beats;

/// Samples in which the old sound fades: 10 ms, whole quanta.
const FADE: i64 = 15 * QUANTUM as i64;
/// The nearest line that can still be faded for.
const NEAREST: i64 = FADE + (LIMITER_LATENCY + QUANTUM) as i64;

/// A line that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Renewal {
    /// The bar that begins there.
    bar: i64,
    /// Whether the old sound fades already.
    fades: bool,
}

/// What is left of the old sound in a quantum of the master's output.
#[derive(Clone, Copy)]
pub(super) struct Fade {
    /// Samples from the quantum's first to silence.
    left: i64,
}

impl Fade {
    pub(super) fn apply(self, samples: &mut Quantum) {
        for (n, sample) in samples.iter_mut().enumerate() {
            let left = (self.left - n as i64) as f32 * (1.0 / FADE as f32);
            // Without corners at either end.
            *sample *= left * left * (3.0 - 2.0 * left);
        }
    }
}

/// Where everything is to begin anew.
#[derive(Clone, Copy)]
struct Line {
    /// Samples from the head.
    away: i64,
    tick: Beats,
    /// It is there that the host's loop begins its next round.
    round: Option<(Beats, Beats)>,
}

impl Renderer {
    /// Everything is to begin anew with a bar, or with the first after it that can be faded for.
    pub(in crate::rt) fn take_renewal(&mut self, material: &Material, bar: i64) {
        let Some(timeline) = self.timeline else { return };
        let anchor = *timeline.rendered();
        let nearest = anchor.timing.first_tick_from(&material.map, anchor.song_at(self.head + NEAREST));
        let nearest = self.metres.from(nearest.max(self.next_tick)).number;
        self.renewal = Some(Renewal { bar: bar.max(nearest), fades: false });
    }

    /// Begins anew where the line lies in this quantum; gives the fade where it is near.
    pub(super) fn renew_in_time(&mut self, material: &mut Material, marks: &mut Marks) -> Option<Fade> {
        let (renewal, line) = (self.renewal?, self.line_ahead(material)?);
        // The limiter gives out its look-ahead of what is faded, and then nothing.
        let left = line.away - line.away.rem_euclid(QUANTUM as i64);
        let fades = renewal.fades || left == FADE;
        if left > FADE {
            return None;
        }
        if !fades {
            // The position has jumped, and the line is too near or passed.
            if line.round.is_none() {
                self.take_renewal(material, renewal.bar + 1);
            }
            return None;
        }
        if left > 0 {
            self.renewal = Some(Renewal { fades, ..renewal });
            return Some(Fade { left });
        }
        self.renewal = None;
        self.renew(material, marks, line);
        None
    }

    fn line_ahead(&self, material: &Material) -> Option<Line> {
        let anchor = *self.timeline?.rendered();
        let tick = self.metres.bar(self.renewal?.bar).start;
        let round = self.loop_ahead(material, &anchor).filter(|(_, end)| *end <= tick);
        let at = round.map_or(tick, |(_, end)| end);
        let away = anchor.stream_at(anchor.timing.sample_at(&material.map, at)) - self.head;
        Some(Line { away, tick, round })
    }

    /// A run origin in the midst of the stream.
    fn renew(&mut self, material: &mut Material, marks: &mut Marks, line: Line) {
        let Some(timeline) = self.timeline else { return };
        let offset = line.away.clamp(0, QUANTUM as i64 - 1);
        self.players.begin_anew(self.head, offset as u8);
        self.pending.forget_foresight();
        let tick = match line.round {
            Some(round) => {
                self.wrap(material, marks, *timeline.rendered(), offset as usize, round);
                round.0
            }
            None => {
                while let Some((_, edit)) = self.pending.take_before(line.tick) {
                    self.land(&mut material.song, edit, self.song_head());
                }
                line.tick
            }
        };
        self.switched.clear();
        self.bars.clear();
        let anchor = self.timeline.as_ref().map_or(*timeline.rendered(), |timeline| *timeline.rendered());
        let song = anchor.song_at(self.head + offset);
        self.mixer.reset(&Sounding::plain(&material.song));
        self.mixer.begin(song - offset);
        (self.next_tick, self.origin) = (tick, Some(offset as usize));
        self.next_bar = self.metres.from(tick).number;
        let tempo = anchor.timing.segment_at(&material.map, tick);
        self.tempo = Some(tempo);
        self.key = InputKey::origin(material.song.digest(), tempo_digest(&tempo), song, self.metres.digest());
        self.missing = 0;
        self.note_missing(&material.song, song);
        // Quanta that lie otherwise on the song than a start's sound otherwise.
        if (song - offset).rem_euclid(QUANTUM as i64) != 0 {
            self.key = self.key.with(Input::Wrap, offset);
        }
    }
}
