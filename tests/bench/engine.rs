//! What `Engine::process` costs, in percent of the time a block lasts.
//!
//! Beside it, in the same run: a plain loop of one `libm` sine and two biquads a track, which is
//! about the least that a track with an oscillator, a filter and an equaliser could do.

use std::hint::black_box;
use std::time::Duration;

use antiphon::pattern::{Song, text};
use antiphon::rt::ports::{SessionPorts, ToEngine, ports};
use antiphon::rt::{Block, Drive, Engine, EngineConfig, MidiBuffer};
use antiphon::time::{Beats, CANONICAL_RATE, HostNanos, Tempo, TempoMap};

use crate::report::{Report, Row, median, thread_time};

const RATE: usize = CANONICAL_RATE as usize;
const SECONDS: usize = 2;
const ROUNDS: usize = 5;
/// SPEC's target, for 16 busy tracks with effects in blocks of 64.
const BAR: f64 = 5.0;

pub fn measure(report: &mut Report) {
    let cases = [
        (8, 64, "busy tracks", None),
        (8, 512, "busy tracks", None),
        (16, 64, "busy tracks", Some(BAR)),
        (16, 512, "busy tracks", None),
        (16, 64, "tracks without effects", None),
    ];
    for (tracks, block, kind, bar) in cases {
        let song = song_of(tracks, kind == "busy tracks");
        let mut rig = Rig::new(&song, block);
        rig.percent(block); // warm
        assert!(rig.peak > 0.01, "the engine is silent: there is nothing to measure");
        let mut engine = Vec::new();
        let mut plain = Vec::new();
        for _ in 0..ROUNDS {
            engine.push(rig.percent(block));
            plain.push(plain_percent(tracks));
        }
        let case = format!("{tracks} {kind}, blocks of {block}");
        let beside = Some(("a sine and two biquads a track", median(plain)));
        report.add(Row { case, value: median(engine), unit: "% of real time", beside, bar });
    }
    measure_parts(report);
}

/// What one track of each voice costs, and each module on a track of noisy eighths, beyond the same
/// song without it: four tracks at a time, divided by four.
fn measure_parts(report: &mut Report) {
    const VOICES: [&str; 13] = [
        "kick", "snare", "hat", "open", "clap", "tom", "perc", "shaker", "cymbal", "lead", "bass", "pad",
        "fm",
    ];
    const MODULES: [&str; 12] = [
        "filter ID: freq=3000 Q=2",
        "distort ID: amount=.4 mix=.3",
        "eq ID: low=1 mid=-1 high=1",
        "comp ID: threshold=-30",
        "phaser ID: mix=.4",
        "delay ID: time=.2 mix=.2",
        "chorus ID: mix=.4",
        "reverb ID: mix=.3",
        "lfo ID.amp: rate=3",
        "lfo ID.filter.freq: rate=3",
        "send ID: reverb=.3",
        "send ID: delay=.3",
    ];
    let song = |voice: &str, module: &str| {
        let line = |n: usize| {
            let id = format!("{voice}-{n}");
            format!("seq {id}: x.x.x.x.x.x.x.x.\n{}\n", module.replace("ID", &id))
        };
        let source: String = (0..4).map(line).collect();
        text::read(&source).expect("the song reads").song
    };
    let cost = |song: &Song| {
        let mut rig = Rig::new(song, 64);
        rig.percent(64);
        median((0..ROUNDS).map(|_| rig.percent(64)).collect())
    };
    let mut row = |case: String, value: f64| {
        report.add(Row { case, value, unit: "% of real time", beside: None, bar: None });
    };
    let empty = cost(&Song::new());
    row("no track, blocks of 64".to_owned(), empty);
    for voice in VOICES {
        row(format!("a track of {voice}, eighths"), (cost(&song(voice, "")) - empty) / 4.0);
    }
    let plain = cost(&song("hat", ""));
    for module in MODULES {
        let name = module.replace("ID", "track");
        row(format!("{name} on it"), (cost(&song("hat", module)) - plain) / 4.0);
    }
}

/// A song in which every track plays; with effects, its filter, drive and delay are in use.
fn song_of(tracks: usize, effects: bool) -> Song {
    const KINDS: [(&str, &str); 4] = [
        ("kick", "X.x.x.x.X.x.x.x."),
        ("snare", "..o.X..o..o.X.oo"),
        ("hat", "xoxoxoxoxoxoxoxo"),
        ("bass", "x.xxx.x.x.xxx.x."),
    ];
    let mut source = String::from("TEMPO 124\n");
    for n in 0..tracks {
        let (kind, cells) = KINDS[n % KINDS.len()];
        let id = format!("{kind}{n}");
        source += &format!("seq {id}: {cells}\n");
        if effects {
            source += &format!("filter {id}: type=lowpass freq=3000 Q=2\ndistort {id}: amount=.4 mix=.3\n");
            source += &format!("delay {id}: time=.2 feedback=.4 mix=.2\n");
        }
    }
    text::read(&source).expect("the busy song reads").song
}

/// An engine under way.
struct Rig {
    engine: Engine,
    session: SessionPorts,
    midi: MidiBuffer,
    left: Vec<f32>,
    right: Vec<f32>,
    /// The loudest sample so far, so that silence is not taken for speed.
    peak: f32,
}

impl Rig {
    fn new(song: &Song, block: usize) -> Rig {
        let (mut session, engine) = ports();
        let start = ToEngine::Start { tick: Beats::ZERO, frame: 0 };
        session.to_engine.push(start).expect("a new ring has room");
        let tempo = Box::new(TempoMap::constant(Tempo::from_bpm(124.0).expect("a tempo")));
        let config = EngineConfig { rate: RATE as f64, max_block: block };
        Rig {
            engine: Engine::new(config, Box::new(song.clone()), tempo, engine),
            session,
            midi: MidiBuffer::new(),
            left: vec![0.0; block],
            right: vec![0.0; block],
            peak: 0.0,
        }
    }

    /// Renders some seconds; the time it took, in percent of the time they last.
    fn percent(&mut self, block: usize) -> f64 {
        let blocks = RATE * SECONDS / block;
        let begun = thread_time();
        for _ in 0..blocks {
            self.engine.process(Block {
                left: &mut self.left,
                right: &mut self.right,
                now: HostNanos(0),
                drive: Drive::Session,
                params: &[],
                notes: &[],
                midi_out: &mut self.midi,
            });
            self.peak = self.peak.max(black_box(&self.left)[0].abs());
            while self.session.from_engine.pop().is_ok() {}
        }
        percent_of(begun, blocks * block)
    }
}

fn percent_of(begun: Duration, frames: usize) -> f64 {
    100.0 * (thread_time() - begun).as_secs_f64() / (frames as f64 / RATE as f64)
}

/// The plain loop's cost for as much sound.
fn plain_percent(tracks: usize) -> f64 {
    let mut phases = vec![0.0f32; tracks];
    let mut filters = vec![[[0.0f32; 2]; 2]; tracks];
    let begun = thread_time();
    for _ in 0..RATE * SECONDS {
        let mut sum = 0.0;
        for (phase, filters) in phases.iter_mut().zip(&mut filters) {
            *phase = (*phase + 0.01) % std::f32::consts::TAU;
            let sine = libm::sinf(*phase);
            sum += filters.iter_mut().fold(sine, biquad);
        }
        black_box(sum);
    }
    percent_of(begun, RATE * SECONDS)
}

/// A resonant low pass, transposed direct form II.
fn biquad(input: f32, state: &mut [f32; 2]) -> f32 {
    let output = 0.02 * input + state[0];
    state[0] = 0.04 * input + 1.6 * output + state[1];
    state[1] = 0.02 * input - 0.68 * output;
    output
}
