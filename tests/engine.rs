//! The engine from outside: the same input gives the same samples, and every note its place.

#[path = "engine/controls.rs"]
mod controls;
#[path = "engine/echoes.rs"]
mod echoes;
#[path = "engine/effects.rs"]
mod effects;
#[path = "engine/hanging.rs"]
mod hanging;
#[path = "engine/metronome.rs"]
mod metronome;
#[path = "engine/personal.rs"]
mod personal;
#[path = "engine/random_songs.rs"]
mod random_songs;
#[path = "support/registers.rs"]
mod registers;
#[path = "engine/renewal.rs"]
mod renewal;
#[path = "engine/rig.rs"]
mod rig;
#[path = "engine/sequencing.rs"]
mod sequencing;
#[path = "engine/smooth.rs"]
mod smooth;

use antiphon::pattern::Song;
use antiphon::rt::ports::ToEngine;
use antiphon::time::{Beats, Tempo, TempoMap};
use rig::*;

fn map(bpm: f64) -> TempoMap {
    TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"))
}

#[test]
fn host_and_session_play_the_same_song_for_every_block_and_rate() {
    let (song, map) = (groove(), map(300.0));
    let mut whole: Option<Rig> = None;
    for (rate, sizes) in [
        (48_000.0, &[64][..]),
        (48_000.0, &[1, 0, 333, 17, 4096]),
        (44_100.0, &[512]),
        (96_000.0, &[4096, 3]),
    ] {
        let frames = frames_of(8.5, rate, 300.0);
        let mut hosted = Rig::new(rate, &song, &map);
        hosted.run_host(frames, sizes, &Host::from_start(rate, 300.0));
        let mut alone = Rig::new(rate, &song, &map);
        alone.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        alone.run_session(frames, sizes);
        assert_eq!(hosted.bars.len(), 2, "at {rate} Hz in {sizes:?}");
        assert_eq!(hosted.bars, alone.bars, "at {rate} Hz in {sizes:?}");
        assert!(hosted.left == alone.left && hosted.right == alone.right);
        assert_eq!(hosted.onsets, alone.onsets);
        match &whole {
            None => {
                assert!(hosted.left.iter().any(|sample| sample.abs() > 0.1));
                whole = Some(hosted);
            }
            Some(whole) => {
                assert_eq!(whole.bars, hosted.bars, "at {rate} Hz in {sizes:?}");
                if rate == 48_000.0 {
                    assert!(whole.left == hosted.left && whole.right == hosted.right);
                }
            }
        }
    }
}

#[test]
fn an_onset_sounds_on_the_frame_nearest_to_its_position() {
    let mut song = Song::new();
    add(&mut song, 0, "kick", "X.......");
    let map = map(124.0);
    let mut rig = Rig::new(48_000.0, &song, &map);
    rig.run_host(100_000, &[77], &Host::from_start(48_000.0, 124.0));
    for onset in &rig.onsets {
        assert_eq!(onset.frame, map.sample_at(Beats(onset.tick)).0);
        let first = (onset.frame as usize..).find(|at| rig.left[*at] != 0.0).expect("sound");
        assert!(first as i64 - onset.frame <= 1, "sound at {first}, onset {}", onset.frame);
    }
    assert_eq!(rig.onsets.len(), 3);
    assert!(rig.left[..rig.onsets[0].frame as usize].iter().all(|sample| *sample == 0.0));
}

#[path = "engine/determinism.rs"]
mod determinism;
#[path = "engine/edits.rs"]
mod edits;
#[path = "engine/locked.rs"]
mod locked;
#[path = "engine/sampler.rs"]
mod sampler;
#[path = "engine/scheduling.rs"]
mod scheduling;
#[path = "engine/tempo.rs"]
mod tempo;
#[path = "engine/transport.rs"]
mod transport;
