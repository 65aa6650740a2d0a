//! A line of past samples, written and read in quanta.

use super::{QUANTUM, Quantum};

/// Samples over which a tap crosses from an old place to a new one: 21 ms.
const CROSSING: u32 = 1024;

/// Samples that a place moving by less than one a quantum may read.
const SLOW: usize = QUANTUM + 4;

/// What is quieter than this (−160 dB) counts as silence in a line that only rings.
pub(super) const HUSHED: f32 = 1e-8;

/// A ring of samples of a fixed length.
///
/// *Thread: audio, but for [`Line::new`]. Realtime-safe: yes.*
#[derive(Debug)]
pub(super) struct Line {
    cells: Box<[f32]>,
    write: usize,
    /// Samples written since the last reset; older cells are not read.
    written: usize,
    /// Zeros written in a row.
    quiet: usize,
    longest: usize,
}

impl Line {
    /// For reads up to `longest` samples ago. Allocates.
    pub fn new(longest: usize) -> Line {
        let length = (longest + QUANTUM).next_multiple_of(QUANTUM);
        Line { cells: vec![0.0; length].into_boxed_slice(), write: 0, written: 0, quiet: length, longest }
    }

    /// The longest read.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Forgets all, in constant time.
    #[inline]
    pub fn reset(&mut self) {
        (self.write, self.written, self.quiet) = (0, 0, self.cells.len());
    }

    /// Whether it holds zeros alone.
    #[inline]
    pub fn is_silent(&self) -> bool {
        self.written == 0 || self.quiet >= self.cells.len()
    }

    /// The quantum that was written so many samples ago, at least 32; zeros from before the last
    /// reset.
    #[inline]
    pub fn ago(&self, samples: usize) -> Quantum {
        let length = self.cells.len();
        let at = self.write + length - samples;
        let at = if at >= length { at - length } else { at };
        let mut out = [0.0; QUANTUM];
        let straight = (length - at).min(QUANTUM);
        if straight == QUANTUM {
            out.copy_from_slice(&self.cells[at..at + QUANTUM]);
        } else {
            out[..straight].copy_from_slice(&self.cells[at..]);
            out[straight..].copy_from_slice(&self.cells[..QUANTUM - straight]);
        }
        let before = samples.saturating_sub(self.written).min(QUANTUM);
        out[..before].fill(0.0);
        out
    }

    /// The quantum a moving number of samples ago, in straight lines between samples: `from` before
    /// its first sample, `to` with its last, both above 33.
    #[inline]
    pub fn between(&self, from: f32, to: f32) -> Quantum {
        let length = self.cells.len();
        let step = (to - from) * (1.0 / QUANTUM as f32);
        let ago = |n: usize| to - step * (QUANTUM - 1 - n) as f32;
        let mut out = [0.0; QUANTUM];
        // Where it moves slowly, all that is read lies in one stretch that seldom wraps.
        let base = from.max(to) as usize + 1;
        let first = (self.write + length - base - 1) % length;
        let stretch = self.cells.get(first..first + SLOW).filter(|_| self.written > base);
        if let Some(stretch) = stretch.filter(|_| (to - from).abs() < 1.0) {
            for (n, out) in out.iter_mut().enumerate() {
                let ago = ago(n);
                let whole = ago as usize;
                let at = n + base + 1 - whole;
                let (here, older) = (stretch[at], stretch[at - 1]);
                *out = here + (ago - whole as f32) * (older - here);
            }
            return out;
        }
        for (n, out) in out.iter_mut().enumerate() {
            let ago = ago(n);
            let whole = ago as usize;
            let at = |back: usize| {
                let at = self.write + length - back;
                let cell = self.cells[if at >= length { at - length } else { at }];
                if back > self.written { 0.0 } else { cell }
            };
            let (here, older) = (at(whole - n), at(whole - n + 1));
            *out = here + (ago - whole as f32) * (older - here);
        }
        out
    }

    /// The quantum a moving number of samples ago, between samples by a cubic through four
    /// (Hermite): `from` before its first sample, `to` with its last, both above 34.
    #[inline]
    pub fn bent(&self, from: f32, to: f32) -> Quantum {
        let step = (to - from) * (1.0 / QUANTUM as f32);
        let mut out = [0.0; QUANTUM];
        for (n, out) in out.iter_mut().enumerate() {
            let ago = to - step * (QUANTUM - 1 - n) as f32;
            let whole = ago as usize;
            let share = ago - whole as f32;
            let [newer, here, older, oldest] = self.four(whole - 1 - n);
            let slope_here = 0.5 * (older - newer);
            let slope_older = 0.5 * (oldest - here);
            let rise = older - here;
            let cubic = slope_here + slope_older - 2.0 * rise;
            let square = 3.0 * rise - 2.0 * slope_here - slope_older;
            *out = here + share * (slope_here + share * (square + share * cubic));
        }
        out
    }

    /// The sample written `back` samples before the next to be written (at least 1), and the three
    /// before it.
    #[inline]
    fn four(&self, back: usize) -> [f32; 4] {
        let length = self.cells.len();
        std::array::from_fn(|n| {
            let back = back + n;
            let at = self.write + length - back;
            let at = if at >= length { at - length } else { at };
            if back > self.written { 0.0 } else { self.cells[at] }
        })
    }

    /// Writes a quantum.
    #[inline]
    pub fn put(&mut self, values: &Quantum) {
        let length = self.cells.len();
        self.cells[self.write..self.write + QUANTUM].copy_from_slice(values);
        self.write = if self.write + QUANTUM == length { 0 } else { self.write + QUANTUM };
        self.written = (self.written + QUANTUM).min(length);
        let zeros = values.iter().rev().take_while(|value| **value == 0.0).count();
        self.quiet = if zeros == QUANTUM { (self.quiet + QUANTUM).min(length) } else { zeros };
    }
}

/// A place on a line that moves by crossing over, so that the pitch never bends; while it crosses,
/// later places wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    at: usize,
    next: usize,
    crossing_left: u32,
}

impl Tap {
    /// So many samples ago, at least 32.
    pub fn new(samples: usize) -> Tap {
        Tap { at: samples, next: samples, crossing_left: 0 }
    }

    /// Heads for a place; at once while the line is silent.
    #[inline]
    pub fn head_for(&mut self, samples: usize, line: &Line) {
        if line.is_silent() {
            *self = Tap::new(samples);
        } else if self.crossing_left == 0 && samples != self.at {
            (self.next, self.crossing_left) = (samples, CROSSING);
        }
    }

    /// The next quantum it hears.
    #[inline]
    pub fn read(&mut self, line: &Line) -> Quantum {
        let mut heard = line.ago(self.at);
        if self.crossing_left > 0 {
            let next = line.ago(self.next);
            for n in 0..QUANTUM {
                let left = self.crossing_left.saturating_sub(n as u32 + 1);
                heard[n] = next[n] + (heard[n] - next[n]) * (left as f32 * (1.0 / CROSSING as f32));
            }
            self.crossing_left = self.crossing_left.saturating_sub(QUANTUM as u32);
            if self.crossing_left == 0 {
                self.at = self.next;
            }
        }
        heard
    }
}

/// Quanta over which a line that joins a sounding signal takes it in: 5 ms.
const ENTRY: u32 = 8;

/// What a line is fed: all, but for the first moments after it was switched on in the midst of a
/// sound, or else its echo would begin with a click.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    left: u32,
}

impl Feed {
    /// Open.
    pub const OPEN: Feed = Feed { left: 0 };

    /// The line is switched on.
    pub fn enter(&mut self) {
        self.left = ENTRY;
    }

    /// A quantum of what the line gets.
    #[inline]
    pub fn of(&mut self, io: &Quantum) -> Quantum {
        let mut fed = *io;
        if self.left > 0 {
            let from = ENTRY - self.left;
            for (n, sample) in fed.iter_mut().enumerate() {
                *sample *=
                    (from as usize * QUANTUM + n + 1) as f32 * (1.0 / (ENTRY as usize * QUANTUM) as f32);
            }
            self.left -= 1;
        }
        fed
    }
}
