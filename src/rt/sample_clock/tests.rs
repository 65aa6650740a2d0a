use super::*;
use crate::pattern::hash;

const ZERO: i64 = 7_000_000_000_000;

/// A device whose crystal is off by so many ppm, and how late its callbacks come.
struct Device {
    clock: SampleClock,
    rate: f64,
    ppm: f64,
    frame: i64,
    noise: u64,
    /// Time that the device has lost, in ns.
    lost: i64,
    called: i64,
}

impl Device {
    fn new(rate: f64, ppm: f64) -> Device {
        Device { clock: SampleClock::new(rate), rate, ppm, frame: 0, noise: 1, lost: 0, called: 0 }
    }

    /// When a frame is due in truth.
    fn truth(&self, frame: i64) -> i64 {
        ZERO + self.lost + (frame as f64 * 1e9 / self.rate * (1.0 + self.ppm * 1e-6)) as i64
    }

    fn chance(&mut self) -> f64 {
        self.noise = hash(self.noise, 1);
        ((self.noise >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Callbacks of these block sizes for so many seconds, late by an exponential law of 0.3 ms.
    fn run(&mut self, seconds: f64, pieces: &[i64]) {
        let end = self.frame + (seconds * self.rate) as i64;
        while self.frame < end {
            let late = -300_000.0 * libm::log(self.chance());
            let mut due = self.truth(self.frame) + late as i64;
            for piece in pieces {
                // One call at a time.
                self.called = due.max(self.called + 20_000);
                self.clock.stamp(self.frame, HostNanos(self.called));
                self.frame += piece;
                due = self.called;
            }
        }
    }

    /// How far the clock errs about the frame to come.
    fn error(&self) -> i64 {
        self.clock.due(self.frame).expect("settled").0 - self.truth(self.frame)
    }
}

#[test]
fn a_strayed_crystal_is_followed_to_tens_of_microseconds() {
    for (rate, ppm, block) in [(48_000.0, 100.0, 512), (44_100.0, -100.0, 64), (96_000.0, 37.0, 1024)] {
        let mut device = Device::new(rate, ppm);
        let mut worst = 0;
        device.run(10.0, &[block]);
        for _ in 0..300 {
            device.run(1.0, &[block]);
            worst = worst.max(device.error().abs());
        }
        assert!(worst < 60_000, "{worst} ns off at {rate} Hz, {ppm} ppm");
        assert!(
            (device.clock.rate() - ppm * 1e-6).abs() < 3e-6,
            "{} of {ppm} ppm",
            device.clock.rate() * 1e6
        );
        let frame = device.clock.frame_at(device.clock.due(device.frame).expect("settled")).expect("settled");
        assert!((frame - device.frame).abs() <= 1);
        assert_eq!(device.clock.prefetch_ns(), None);
    }
}

#[test]
fn a_block_in_pieces_counts_once() {
    let mut device = Device::new(48_000.0, 20.0);
    device.run(60.0, &[100, 1, 200, 64, 147]);
    assert!(device.error().abs() < 60_000, "{} ns", device.error());
    assert_eq!(device.clock.prefetch_ns(), None);
}

#[test]
fn a_dropout_is_noticed_within_seconds() {
    let mut device = Device::new(48_000.0, -30.0);
    device.run(60.0, &[256]);
    device.lost = 80_000_000;
    device.run(3.0, &[256]);
    assert!(device.error().abs() < 200_000, "{} ns", device.error());
}

#[test]
fn a_host_that_prefetches_is_found_out() {
    let mut device = Device::new(48_000.0, 0.0);
    // Renders ahead by anything up to 200 ms: how full its buffer is wanders.
    let (mut ahead, mut wanted) = (0, 0);
    for block in 0..2000 {
        if block % 64 == 0 {
            wanted = (200e6 * device.chance()) as i64;
        }
        ahead += (wanted - ahead).clamp(-3_000_000, 3_000_000);
        let now = device.truth(device.frame) - ahead;
        device.clock.stamp(device.frame, HostNanos(now));
        device.frame += 512;
    }
    assert!(device.clock.prefetch_ns().is_some());
}

#[test]
fn nothing_is_told_before_it_is_known() {
    let mut clock = SampleClock::new(48_000.0);
    assert_eq!((clock.due(0), clock.frame_at(HostNanos(0)), clock.prefetch_ns()), (None, None, None));
    clock.stamp(0, HostNanos(5));
    assert!(!clock.is_settled());
    clock.stamp(-9, HostNanos(3));
    assert!(!clock.is_settled());
}
