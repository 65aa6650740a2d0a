//! Things that wait for a stream sample.
//!
//! Thread: audio. Realtime-safe: yes, but for [`Timed::new`].

/// A queue of fixed capacity, in order of stream sample; equal samples keep their order of arrival.
pub(super) struct Timed<T, const CAPACITY: usize> {
    things: [(i64, T); CAPACITY],
    length: usize,
}

impl<T: Copy, const CAPACITY: usize> Timed<T, CAPACITY> {
    /// An empty queue, filled with `rest`. Allocates.
    pub(super) fn new(rest: T) -> Box<Timed<T, CAPACITY>> {
        Box::new(Timed { things: [(0, rest); CAPACITY], length: 0 })
    }

    /// `false` where the queue is full.
    pub(super) fn push(&mut self, stream: i64, thing: T) -> bool {
        if self.length == CAPACITY {
            return false;
        }
        let place = self.things[..self.length].partition_point(|(at, _)| *at <= stream);
        self.things.copy_within(place..self.length, place + 1);
        self.things[place] = (stream, thing);
        self.length += 1;
        true
    }

    /// Takes the first thing due before a stream sample.
    pub(super) fn take_before(&mut self, stream: i64) -> Option<(i64, T)> {
        let first = self.things[..self.length].first().copied().filter(|(at, _)| *at < stream)?;
        self.things.copy_within(1..self.length, 0);
        self.length -= 1;
        Some(first)
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }
}
