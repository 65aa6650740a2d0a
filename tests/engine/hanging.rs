//! No order of events leaves a note hanging: every note that MIDI was told of ends, and silence
//! comes.

use antiphon::param::{Owner, Param, Slot};
use antiphon::pattern::{Edit, Register, Song, StepRegister, TrackRegister, text};
use antiphon::rt::Drive;
use antiphon::rt::ports::{HostTransport, LiveNote, ToEngine};
use antiphon::time::{Beats, Tempo, TempoMap};
use proptest::prelude::*;

use crate::registers;
use crate::rig::*;

const GROOVE: &str = "\
TEMPO 300
seq kick: X.x.X.xx
seq lead: xxxxxxxx
step lead.0: tie=on also=64,67
step lead.2: ratchet=8 gate=30
step lead.4: gate=6400
seq lead.2: x
step lead.2.0: tie=on note=70
rate lead.2: 4n
seq bass: x.x.x
midi bass: midi channel=2
step bass.0: tie=on gate=400
choke bass: 3
choke lead: 3
seq hat: xxxxxxxxxxxxx
rate hat: 32t
seq open: x...
scene 1: a lead=2
clip 1: scene=1 bars=2
clip 2: pattern=bass.1 bar=2 bars=4
";

/// One thing that happens, of many by its number.
#[derive(Clone, Copy, Debug)]
struct Event {
    kind: u8,
    n: u32,
    frames: u16,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0u8..24, any::<u32>(), 0u16..1500).prop_map(|(kind, n, frames)| Event { kind, n, frames });
    proptest::collection::vec(event, 4..40)
}

fn edit(song: &Song, n: u32) -> Edit {
    use antiphon::pattern::{ClipRegister, ContextRegister, PatternIndex, PatternRegister};
    let at = track((n >> 8) as usize % 6);
    let pattern = PatternIndex::new((n >> 12) as usize % 2).expect("a pattern");
    let cell = (n >> 16) as u8 % 8;
    let registers = [
        Register::Track(at, TrackRegister::Pattern),
        Register::Track(at, TrackRegister::Alive),
        Register::Track(at, TrackRegister::Midi),
        Register::Track(at, TrackRegister::Channel),
        Register::Track(at, TrackRegister::Solo),
        Register::Track(at, TrackRegister::Choke),
        Register::Track(at, TrackRegister::Follow),
        Register::Track(at, TrackRegister::Sample),
        Register::Pattern(at, pattern, PatternRegister::Rate),
        Register::Pattern(at, pattern, PatternRegister::Length),
        Register::Step(at, pattern, cell, StepRegister::On),
        Register::Step(at, pattern, cell, StepRegister::Tie),
        Register::Step(at, pattern, cell, StepRegister::Gate),
        Register::Step(at, pattern, cell, StepRegister::Note),
        Register::Step(at, pattern, cell, StepRegister::Micro),
        Register::Step(at, pattern, cell, StepRegister::Ratchet),
        Register::Param(Slot::new(Owner::Track(at), Param::Mute)),
        Register::Context(ContextRegister::Arranged),
        Register::Context(ContextRegister::Fill),
        Register::Clip(0, ClipRegister::Alive),
    ];
    registers::write(song, registers[n as usize % registers.len()], n >> 5)
}

struct Player {
    rig: Rig,
    song: Song,
    /// Where the host is, if one drives.
    host: Option<f64>,
    looped: bool,
    pressed: Vec<u8>,
}

impl Player {
    fn block(&mut self, frames: usize, notes: &[LiveNote]) {
        let drive = match self.host {
            None => Drive::Session,
            Some(quarters) => Drive::Host(HostTransport {
                playing: quarters >= 0.0,
                quarters: Some(quarters),
                bpm: Some(300.0),
                metre: Some((4, 4)),
                loop_range: self.looped.then_some((1.0, 2.5)),
            }),
        };
        self.rig.block_with(frames, drive, &[], notes);
        if let Some(quarters) = self.host.as_mut().filter(|quarters| **quarters >= 0.0) {
            *quarters += frames as f64 / 9_600.0;
            if self.looped && *quarters >= 2.5 && *quarters < 3.0 {
                *quarters -= 1.5;
            }
        }
    }

    fn happen(&mut self, Event { kind, n, frames }: Event) {
        let mut notes = Vec::new();
        let near = Beats(i64::from(n % 2_000_000));
        match kind {
            0..=9 => {
                let edit = edit(&self.song, n);
                let at = (kind % 2 == 0).then(|| near + self.rig_tick());
                if at.is_none() {
                    self.song.apply(&edit);
                }
                self.rig.tell(ToEngine::Edit { edit, at });
            }
            10 => self.rig.tell(ToEngine::Start { tick: near, frame: self.rig.frame + i64::from(n % 900) }),
            11 => self.rig.tell(ToEngine::Stop),
            12 => self.host = if n % 3 == 0 { None } else { Some(f64::from(n % 64) / 7.0) },
            13 => self.host = self.host.map(|at| if n % 2 == 0 { -1.0 } else { at.max(0.0) }),
            14 => self.looped = n % 2 == 0,
            15 => {
                let mut song = text::read(GROOVE).expect("a groove").song;
                song.seed = n;
                self.song = song.clone();
                self.rig.tell(ToEngine::Song(Box::new(song)));
            }
            16 if n % 2 == 0 => self.rig.engine.reset(),
            16 => self.rig.tell(ToEngine::Renew { bar: (n >> 3) as i32 % 4 }),
            17 => {
                let bpm = 60.0 + f64::from(n % 240);
                let map = TempoMap::constant(Tempo::from_bpm(bpm).expect("a tempo"));
                self.rig.tell(ToEngine::TempoMap(Box::new(map)));
            }
            18 => self.rig.tell(ToEngine::Focus(track(n as usize % 6))),
            19 => {
                let (track, note) = (track(n as usize % 6), 50 + (n % 5) as u8);
                let at = self.rig_tick() + Beats(i64::from(n % 700_000));
                let velocity = if n % 4 == 0 { 0.0 } else { 0.8 };
                self.rig.tell(ToEngine::Echo { track, note, velocity, at });
            }
            _ => {
                let note = 50 + (n % 5) as u8;
                let on = LiveNote { frame: 0, channel: 0, note, velocity: 0.7 };
                notes.push(on);
                self.pressed.push(note);
                if n % 3 == 0 {
                    notes.push(LiveNote { velocity: 0.0, ..on });
                }
            }
        }
        self.block(usize::from(frames), &notes);
    }

    /// Somewhere near the position: what is stamped lies around it.
    fn rig_tick(&self) -> Beats {
        Beats((self.rig.frame as f64 * 73.5) as i64 - 300_000)
    }

    /// Everything stops, and every key is let go.
    fn end(&mut self) {
        self.host = None;
        self.rig.tell(ToEngine::Stop);
        let up = |note: &u8| LiveNote { frame: 0, channel: 0, note: *note, velocity: 0.0 };
        let ups: Vec<_> = self.pressed.iter().map(up).collect();
        self.block(512, &ups);
        (0..8).for_each(|_| self.block(512, &[]));
    }
}

#[test]
fn a_key_let_go_on_its_very_frame_is_let_go() {
    let song = text::read("TEMPO 300\nseq lead: .\nseq out: .\nmidi out: midi\n").expect("a groove").song;
    let mut rig = Rig::new(48_000.0, &song, &TempoMap::default());
    let on = LiveNote { frame: 7, channel: 0, note: 60, velocity: 0.8 };
    for focus in 0..2 {
        rig.tell(ToEngine::Focus(track(focus)));
        rig.block_with(512, Drive::Session, &[], &[on, LiveNote { velocity: 0.0, ..on }]);
        (0..100).for_each(|_| rig.block(512, Drive::Session));
    }
    assert_eq!(rig.onsets.len(), 2, "it began");
    assert!(rig.left[rig.left.len() - 512..].iter().all(|sample| sample.abs() < 1e-3));
    let told: Vec<_> = rig.midi.iter().map(|(_, midi)| (midi.channel, midi.velocity)).collect();
    assert_eq!(told, [(1, 0.8), (1, 0.0)], "where MIDI is the only voice, it is told of both");
}

#[test]
fn a_chord_on_a_voice_of_one_note_leaves_its_last_note_sounding() {
    let song = text::read("TEMPO 300\nseq bass: x.......\nstep bass.0: note=40 also=45,52 gate=600\n");
    let mut rig = Rig::new(48_000.0, &song.expect("a groove").song, &TempoMap::default());
    rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
    rig.run_session(24_000, &[64]);
    assert!(rig.left[18_000..24_000].iter().any(|sample| sample.abs() > 0.02), "it is held");
    let told: Vec<_> =
        rig.midi.iter().map(|(frame, midi)| (*frame, midi.note, midi.velocity > 0.0)).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told.iter().filter(|(_, _, on)| *on).count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_leaves_a_note_hanging(events in events()) {
        let song = text::read(GROOVE).expect("a groove").song;
        let map = TempoMap::constant(Tempo::from_bpm(300.0).expect("a tempo"));
        let rig = Rig::new(48_000.0, &song, &map);
        let mut player = Player { rig, song, host: None, looped: false, pressed: Vec::new() };
        player.rig.tell(ToEngine::Focus(track(1)));
        player.rig.tell(ToEngine::Start { tick: Beats::ZERO, frame: 0 });
        events.into_iter().for_each(|event| player.happen(event));
        player.end();
        let mut sounding = [[false; 128]; 16];
        let mut begun = 0;
        for (frame, midi) in &player.rig.midi {
            let held = &mut sounding[usize::from(midi.channel)][usize::from(midi.note)];
            prop_assert_eq!(*held, midi.velocity == 0.0, "at {}: {:?}", frame, midi);
            *held = midi.velocity > 0.0;
            begun += usize::from(*held);
        }
        let hanging = sounding.iter().flatten().filter(|held| **held).count();
        prop_assert_eq!(hanging, 0, "of {} notes", begun);
        // The longest tails of the voices as they come.
        player.block(4_096, &[]);
        for _ in 0..60 {
            player.rig.left.clear();
            player.block(4_096, &[]);
        }
        let loudest = player.rig.left.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        prop_assert!(loudest < 1e-3, "{} after five seconds", loudest);
    }
}
