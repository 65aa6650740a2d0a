//! A change of tempo takes effect at its tick, and the input keys change there: not when it came.

use antiphon::rt::Drive;
use antiphon::rt::ports::{HostTransport, Mode, ToEngine};
use antiphon::time::{Beats, ClockMap, HostNanos, SessionNanos, Tempo, TempoMap};

use crate::rig::*;

const RATE: f64 = 48_000.0;

fn tempo(bpm: f64) -> Tempo {
    Tempo::from_bpm(bpm).expect("a tempo")
}

/// One tempo to bar 3's second half, a step there, and a ramp in bar 5.
fn changed() -> TempoMap {
    let steps =
        antiphon::time::ramp(tempo(250.0), tempo(200.0), Beats::quarters(16), Beats::quarters(4), 256);
    let map = TempoMap::constant(tempo(240.0)).with_tempo(Beats::quarters(10), tempo(250.0));
    steps
        .into_iter()
        .fold(map.expect("room"), |map, (tick, tempo)| map.with_tempo(tick, tempo).expect("room"))
}

/// Plays from tick 0 under some drive and hears of the change at a frame.
fn told_at(frame: usize, sizes: &[usize], drive: impl Fn(i64) -> Drive, set_up: impl Fn(&mut Rig)) -> Rig {
    let mut rig = Rig::new(RATE, &groove(), &TempoMap::constant(tempo(240.0)));
    set_up(&mut rig);
    let (mut told, mut sizes) = (false, sizes.iter().cycle());
    while rig.bars.last().is_none_or(|bar| bar.bar < 5) && rig.frame < 480_000 {
        if rig.frame >= frame as i64 && !std::mem::replace(&mut told, true) {
            rig.tell(ToEngine::TempoMap(Box::new(changed())));
        }
        rig.now = Some(HostNanos((rig.frame as f64 * 1e9 / RATE) as i64));
        let drive = drive(rig.frame);
        rig.block(*sizes.next().expect("sizes"), drive);
    }
    rig
}

fn holds(told_at: impl Fn(usize, &[usize]) -> Rig) {
    let early = told_at(0, &[64]);
    assert_eq!(early.bars.last().map(|bar| bar.bar), Some(5));
    for (frame, sizes) in [(47_000, &[17, 512][..]), (113_000, &[333])] {
        let rig = told_at(frame, sizes);
        assert_eq!(rig.bars, early.bars, "told at frame {frame}, in blocks of {sizes:?}");
    }
    let late = told_at(140_000, &[64]);
    for (late, early) in late.bars.iter().zip(&early.bars) {
        assert_eq!(late.bar, early.bar);
        assert_eq!(late == early, late.bar < 2, "who hears of it late has another key from there on");
        assert_eq!(late.input_key == early.input_key, late.bar < 2);
    }
}

#[test]
fn a_change_to_come_unsettles_no_key_before_its_place() {
    holds(|frame, sizes| {
        let start = |rig: &mut Rig| rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        told_at(frame, sizes, |_| Drive::Session, start)
    });
    let keys = |map: TempoMap| {
        let mut rig = Rig::new(RATE, &groove(), &map);
        rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        rig.run_session(frames_of(20.5, RATE, 240.0), &[64]);
        rig.bars.iter().map(|bar| bar.input_key).collect::<Vec<_>>()
    };
    let (changed, constant) = (keys(changed()), keys(TempoMap::constant(tempo(240.0))));
    assert_eq!(changed[..2], constant[..2], "bars before the change have one key with it and without");
    assert_ne!(changed[2], constant[2], "the change lies in bar 3");
}

#[test]
fn under_the_shared_clock_too() {
    holds(|frame, sizes| {
        told_at(
            frame,
            sizes,
            |frame| {
                Drive::Host(HostTransport {
                    playing: true,
                    quarters: Some(5.0 + frame as f64 / RATE * 4.0),
                    bpm: Some(240.0),
                    metre: Some((4, 4)),
                    loop_range: None,
                })
            },
            |rig| {
                rig.tell(ToEngine::Mode { mode: Mode::Follow, offset: Beats::ZERO });
                rig.tell(ToEngine::Clock { map: ClockMap::IDENTITY, latency_ns: 0 });
                rig.tell(ToEngine::Timeline { tick: Beats::ZERO, at: SessionNanos(50_000_000) });
            },
        )
    });
}
