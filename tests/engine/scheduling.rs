//! Dense schedules under a host that rounds its positions: none missed, none doubled; and one start
//! under the shared clock gives the same bars whatever the block.

use antiphon::param::{Owner, Param};
use antiphon::pattern::Song;
use antiphon::rt::Drive;
use antiphon::rt::ports::{Mode, ToEngine};
use antiphon::time::{Beats, ClockMap, HostNanos, SessionNanos, Tempo, TempoMap};

use crate::rig::*;

/// Strokes of a step.
const RATCHET: u8 = 8;
/// Between two strokes of a track: an eighth of a step.
const STROKE: i64 = 705_600 / 4 / RATCHET as i64;
const TRACKS: usize = 16;
/// Notes of all four ways of rounding together.
const NOTES: usize = if cfg!(debug_assertions) { 20_000 } else { 1_800_000 };

/// Sixteen tracks of 32 short notes a beat each.
fn dense() -> Song {
    let mut song = Song::new();
    for at in 0..TRACKS {
        add(&mut song, at, "hat", "ooooooooooooooo");
        for (n, cell) in song.tracks[at].playing_mut().steps.iter_mut().enumerate() {
            cell.ratchet = RATCHET;
            cell.micro = ((n * 7 + at * 13) % 101) as i8 - 50;
        }
        set(&mut song, Owner::Track(track(at)), Param::Decay, 0.1);
    }
    song
}

type Rounding = (&'static str, fn(f64) -> f64, f64);

/// Plays so many beats under a host that rounds; how many notes began, each once.
fn played((name, round, bpm): Rounding, song: &Song, beats: i64) -> usize {
    let mut rig = Rig::new(48_000.0, song, &TempoMap::default());
    let first = 1024;
    let host = Host { round, quarters: first as f64, ..Host::from_start(48_000.0, bpm) };
    let from = Beats::quarters(first).0 / STROKE;
    let mut counts = vec![[0u8; TRACKS]; (beats * 705_600 / STROKE) as usize];
    let end = frames_of(beats as f64, 48_000.0, bpm) as i64;
    let mut sizes = [64, 300, 1, 511, 480].iter().cycle();
    while rig.frame < end {
        let size = *sizes.next().expect("sizes");
        rig.block(size, Drive::Host(host.transport(rig.frame)));
        rig.left.clear();
        rig.right.clear();
        rig.midi.clear();
        for onset in rig.onsets.drain(..) {
            assert_eq!(onset.tick % STROKE, 0, "{name}: {onset:?}");
            if let Some(strokes) = counts.get_mut((onset.tick / STROKE - from) as usize) {
                strokes[onset.track] += 1;
            }
        }
    }
    // Up to micro-timing's reach from the end.
    let last = counts.len() - 2 * usize::from(RATCHET);
    for (at, strokes) in counts.iter().enumerate() {
        let least = u8::from(at < last);
        let right = strokes.iter().all(|count| (least..=1).contains(count));
        assert!(right, "{name}: stroke {at} of {last} came {strokes:?} times");
    }
    counts.iter().flatten().map(|count| usize::from(*count)).sum()
}

#[test]
fn no_rounding_of_a_host_s_positions_misses_or_doubles_a_note() {
    let roundings: [Rounding; 4] = [
        ("exact", |quarters| quarters, 297.3),
        ("2^-31 beats", |quarters| (quarters * 2f64.powi(31)).round() / 2f64.powi(31), 240.0),
        ("f32", |quarters| f64::from(quarters as f32), 299.7),
        ("1/1920 beat", |quarters| (quarters * 1920.0).round() / 1920.0, 266.666),
    ];
    let song = &dense();
    let per_beat = TRACKS as i64 * 705_600 / STROKE;
    let beats = (NOTES / roundings.len()) as i64 / per_beat + 2;
    let notes: usize = std::thread::scope(|scope| {
        let players = roundings.map(|rounding| scope.spawn(move || played(rounding, song, beats)));
        players.into_iter().map(|player| player.join().expect("no rounding fails")).sum()
    });
    println!("{notes} notes, each once");
    assert!(notes >= NOTES, "{notes}");
}

/// Plays from one start under the shared clock on a punctual device.
fn followed(rate: f64, sizes: &[usize]) -> Rig {
    let map = TempoMap::constant(Tempo::from_bpm(240.0).expect("a tempo"));
    let mut rig = Rig::new(rate, &groove(), &map);
    rig.tell(ToEngine::Mode { mode: Mode::Follow, offset: Beats::ZERO });
    rig.tell(ToEngine::Clock { map: ClockMap::IDENTITY, latency_ns: 0 });
    let at = SessionNanos(1_000_000_000);
    rig.tell(ToEngine::Timeline { tick: Beats::quarters(8), at });
    let mut sizes = sizes.iter().cycle();
    while rig.frame < (4.2 * rate) as i64 {
        rig.now = Some(HostNanos((rig.frame as f64 * 1e9 / rate) as i64));
        rig.block(*sizes.next().expect("sizes"), Drive::Session);
    }
    rig
}

#[test]
fn one_start_under_the_shared_clock_sounds_the_same_for_every_block() {
    let whole = followed(48_000.0, &[64]);
    assert_eq!(whole.bars.iter().map(|bar| bar.bar).take(3).collect::<Vec<_>>(), [2, 3, 4]);
    for (rate, sizes) in
        [(48_000.0, &[1024][..]), (48_000.0, &[333, 17, 900]), (44_100.0, &[512]), (96_000.0, &[64, 2048])]
    {
        let other = followed(rate, sizes);
        assert_eq!(whole.bars[..3], other.bars[..3], "at {rate} Hz in {sizes:?}");
        let ticks = |rig: &Rig| rig.onsets.iter().map(|o| (o.tick, o.track)).take(80).collect::<Vec<_>>();
        assert_eq!(ticks(&whole), ticks(&other), "at {rate} Hz in {sizes:?}");
        for (one, other) in whole.onsets.iter().zip(&other.onsets) {
            let apart = one.frame as f64 / 48_000.0 - other.frame as f64 / rate;
            assert!(apart.abs() < 50e-6, "{apart} s at {rate} Hz in {sizes:?}");
        }
    }
}
