//! A CLAP host in this process: the plugin's own entry, processed on a thread of its own under an
//! allocation guard.

use std::io::Cursor;

use assert_no_alloc::assert_no_alloc;
use clack_extensions::params::{ParamInfoBuffer, PluginParams};
use clack_extensions::state::PluginState;
use clack_host::events::event_types::{
    MidiEvent, NoteOffEvent, NoteOnEvent, ParamValueEvent, TransportEvent, TransportFlags,
};
use clack_host::events::spaces::CoreEventSpace;
use clack_host::events::{EventFlags, EventHeader};
use clack_host::prelude::*;
use clack_host::process::StartedPluginAudioProcessor;
use clack_host::utils::{BeatTime, ClapId, SecondsTime};

pub const RATE: f64 = 48_000.0;

pub struct Shared;
impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {}
}

pub struct Handlers;
impl HostHandlers for Handlers {
    type Shared<'a> = Shared;
    type MainThread<'a> = ();
    type AudioProcessor<'a> = ();
}

/// What the host does to the plugin at a frame of a [`Plan`].
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    NoteOn { key: u16, channel: u16 },
    NoteOff { key: u16, channel: u16 },
    Param { id: ClapId, value: f64 },
    Midi([u8; 3]),
}

/// A stretch to render.
#[derive(Clone, Default)]
pub struct Plan {
    pub frames: usize,
    /// Block sizes, taken in turn.
    pub blocks: Vec<usize>,
    /// Tempo and first position in quarter notes while the transport rolls.
    pub rolling: Option<(f64, f64)>,
    /// In order of frame.
    pub happenings: Vec<(usize, Happening)>,
}

impl Plan {
    pub fn rolling(frames: usize, bpm: f64) -> Plan {
        Plan { frames, blocks: vec![512], rolling: Some((bpm, 0.0)), happenings: Vec::new() }
    }

    pub fn stopped(frames: usize) -> Plan {
        Plan { frames, blocks: vec![512], ..Plan::default() }
    }
}

/// Where a host's transport stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    pub playing: bool,
    pub bpm: f64,
    pub quarters: f64,
    /// Start and end in quarter notes.
    pub looped: Option<(f64, f64)>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Take {
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    /// Frame, channel, key and whether it begins, of each note out.
    pub notes: Vec<(usize, u16, u16, bool)>,
}

impl Take {
    pub fn peak(&self) -> f32 {
        self.left.iter().chain(&self.right).fold(0.0, |peak, sample| peak.max(sample.abs()))
    }

    /// The frames at which notes of a channel begin.
    pub fn onsets(&self, channel: u16) -> Vec<usize> {
        let begins = self.notes.iter().filter(|note| note.3 && note.1 == channel);
        begins.map(|note| note.0).collect()
    }
}

/// A parameter as the host lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: ClapId,
    pub name: String,
    pub module: String,
    pub default: f64,
    pub max: f64,
}

/// One instance of the plugin.
pub struct Host {
    // Fields drop in order: the processor goes before its instance.
    processor: Option<StoppedPluginAudioProcessor<Handlers>>,
    instance: PluginInstance<Handlers>,
}

impl Host {
    pub fn new() -> Host {
        // SAFETY: `clap_entry` is a static of this process.
        let entry = unsafe { PluginEntry::load_from_raw(&antiphon::clap_entry, c"/in/process") }.unwrap();
        let factory = entry.get_plugin_factory().unwrap();
        let id = factory.plugin_descriptors().next().unwrap().id().unwrap().to_owned();
        let info = HostInfo::new("test", "antiphon", "https://example.invalid", "0").unwrap();
        let instance = PluginInstance::new(|_| Shared, |_| (), &entry, &id, &info).unwrap();
        Host { processor: None, instance }
    }

    pub fn active(rate: f64, max_block: u32) -> Host {
        let mut host = Host::new();
        host.activate(rate, max_block);
        host
    }

    pub fn activate(&mut self, sample_rate: f64, max_frames_count: u32) {
        let config = PluginAudioConfiguration { sample_rate, min_frames_count: 1, max_frames_count };
        self.processor = Some(self.instance.activate(|_, _| (), config).unwrap());
    }

    pub fn deactivate(&mut self) {
        self.instance.deactivate(self.processor.take().expect("an active instance"));
    }

    /// Renders a plan on a thread of its own, as hosts do.
    pub fn play(&mut self, plan: &Plan) -> Take {
        self.play_while(plan, |_| ())
    }

    /// Renders a plan while `main` runs on the main thread.
    pub fn play_while(&mut self, plan: &Plan, main: impl FnOnce(&mut PluginInstance<Handlers>)) -> Take {
        let stopped = self.processor.take().expect("an active instance");
        let (stopped, take) = std::thread::scope(|scope| {
            let audio = scope.spawn(move || {
                let mut processor = stopped.start_processing().ok().unwrap();
                let take = render(&mut processor, plan);
                (processor.stop_processing(), take)
            });
            main(&mut self.instance);
            audio.join().unwrap()
        });
        self.processor = Some(stopped);
        take
    }

    /// Renders blocks for as long as `next`, asked on the audio thread, says where the transport stands
    /// at a frame; `main` runs meanwhile on this one.
    pub fn perform_while<T>(
        &mut self,
        block: usize,
        next: impl FnMut(usize) -> Option<Position> + Send,
        main: impl FnOnce() -> T,
    ) -> (Take, T) {
        let stopped = self.processor.take().expect("an active instance");
        let (stopped, take, made) = std::thread::scope(|scope| {
            let audio = scope.spawn(move || {
                let mut processor = stopped.start_processing().ok().unwrap();
                let take = perform(&mut processor, block, next);
                (processor.stop_processing(), take)
            });
            let made = main();
            let (stopped, take) = audio.join().unwrap();
            (stopped, take, made)
        });
        self.processor = Some(stopped);
        (take, made)
    }

    pub fn save(&mut self) -> Vec<u8> {
        save(&mut self.instance)
    }

    pub fn load(&mut self, state: &[u8]) -> bool {
        load(&mut self.instance, state)
    }

    pub fn params(&mut self) -> Vec<Listed> {
        let handle = self.instance.plugin_handle();
        let params: PluginParams = handle.get_extension().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut buffer = ParamInfoBuffer::new();
        (0..params.count(&handle))
            .map(|at| {
                let info = params.get_info(&handle, at, &mut buffer).unwrap();
                Listed {
                    id: info.id,
                    name: text(info.name),
                    module: text(info.module),
                    default: info.default_value,
                    max: info.max_value,
                }
            })
            .collect()
    }

    pub fn param(&mut self, name: &str) -> ClapId {
        let found = self.params().into_iter().find(|param| param.name == name);
        found.unwrap_or_else(|| panic!("no parameter {name}")).id
    }

    pub fn value(&mut self, id: ClapId) -> f64 {
        let handle = self.instance.plugin_handle();
        let params: PluginParams = handle.get_extension().unwrap();
        params.get_value(&handle, id).unwrap()
    }

    /// A value as the host's field shows it.
    pub fn text(&mut self, id: ClapId, value: f64) -> String {
        let handle = self.instance.plugin_handle();
        let params: PluginParams = handle.get_extension().unwrap();
        let mut buffer = [0; 128];
        let text = params.value_to_text(&handle, id, value, &mut buffer).unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    }

    /// What the host's field makes of a text.
    pub fn typed(&mut self, id: ClapId, text: &str) -> Option<f64> {
        let handle = self.instance.plugin_handle();
        let params: PluginParams = handle.get_extension().unwrap();
        params.text_to_value(&handle, id, &std::ffi::CString::new(text).unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(processor) = self.processor.take() {
            self.instance.deactivate(processor);
        }
    }
}

pub fn save(instance: &mut PluginInstance<Handlers>) -> Vec<u8> {
    let handle = instance.plugin_handle();
    let state: PluginState = handle.get_extension().unwrap();
    let mut bytes = Vec::new();
    state.save(&handle, &mut bytes).unwrap();
    bytes
}

pub fn load(instance: &mut PluginInstance<Handlers>, bytes: &[u8]) -> bool {
    let handle = instance.plugin_handle();
    let state: PluginState = handle.get_extension().unwrap();
    state.load(&handle, &mut Cursor::new(bytes)).is_ok()
}

/// What blocks are processed with.
struct Ports {
    inputs: AudioPorts,
    outputs: AudioPorts,
    events_in: EventBuffer,
    events_out: EventBuffer,
}

impl Ports {
    fn new() -> Ports {
        let (inputs, outputs) = (AudioPorts::with_capacity(0, 0), AudioPorts::with_capacity(2, 1));
        let [events_in, events_out] = [0, 1].map(|_| EventBuffer::with_capacity(4096));
        Ports { inputs, outputs, events_in, events_out }
    }

    /// Fills a block that begins at a frame, with the events that came in, and notes what came out.
    fn process(
        &mut self,
        processor: &mut StartedPluginAudioProcessor<Handlers>,
        mut channels: [&mut [f32]; 2],
        start: usize,
        transport: Option<&TransportEvent>,
        notes: &mut Vec<(usize, u16, u16, bool)>,
    ) {
        self.events_out.clear();
        let no_inputs = self.inputs.with_input_buffers(std::iter::empty::<
            AudioPortBuffer<std::iter::Empty<InputChannel<f32>>, std::iter::Empty<InputChannel<f64>>>,
        >());
        let mut out = self.outputs.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(channels.iter_mut().map(|channel| &mut **channel)),
        }]);
        let (input, mut output) =
            (self.events_in.as_input(), OutputEvents::from_buffer(&mut self.events_out));
        assert_no_alloc(|| {
            processor.process(&no_inputs, &mut out, &input, &mut output, Some(start as u64), transport)
        })
        .unwrap();
        for event in self.events_out.iter() {
            let note = match event.as_core_event() {
                Some(CoreEventSpace::NoteOn(note)) => Some((note.header().time(), note.pckn(), true)),
                Some(CoreEventSpace::NoteOff(note)) => Some((note.header().time(), note.pckn(), false)),
                _ => None,
            };
            if let Some((time, pckn, begins)) = note {
                let channel = pckn.channel.into_specific().unwrap();
                let key = pckn.key.into_specific().unwrap();
                notes.push((start + time as usize, channel, key, begins));
            }
        }
        self.events_in.clear();
    }
}

fn render(processor: &mut StartedPluginAudioProcessor<Handlers>, plan: &Plan) -> Take {
    let mut take = Take { left: vec![0.0; plan.frames], right: vec![0.0; plan.frames], notes: Vec::new() };
    let mut ports = Ports::new();
    let mut sizes = plan.blocks.iter().cycle();
    let mut happenings = plan.happenings.iter().peekable();
    let mut start = 0;
    while start < plan.frames {
        let end = plan.frames.min(start + sizes.next().expect("a block size"));
        while let Some((frame, happening)) = happenings.next_if(|(frame, _)| *frame < end) {
            push(&mut ports.events_in, (frame - start) as u32, *happening);
        }
        let transport = plan.rolling.map(|(bpm, quarters)| {
            let quarters = quarters + start as f64 / RATE * bpm / 60.0;
            transport(&Position { playing: true, bpm, quarters, looped: None }, start)
        });
        let channels = [&mut take.left[start..end], &mut take.right[start..end]];
        ports.process(processor, channels, start, transport.as_ref(), &mut take.notes);
        start = end;
    }
    take
}

/// Processes blocks for as long as `next` says where the transport stands at a frame.
fn perform(
    processor: &mut StartedPluginAudioProcessor<Handlers>,
    block: usize,
    mut next: impl FnMut(usize) -> Option<Position>,
) -> Take {
    let (mut take, mut ports) = (Take::default(), Ports::new());
    let (mut left, mut right) = (vec![0.0; block], vec![0.0; block]);
    for start in (0..).step_by(block) {
        let Some(position) = next(start) else { break };
        let transport = transport(&position, start);
        ports.process(processor, [&mut left, &mut right], start, Some(&transport), &mut take.notes);
        take.left.extend_from_slice(&left);
        take.right.extend_from_slice(&right);
    }
    take
}

fn push(events: &mut EventBuffer, time: u32, happening: Happening) {
    match happening {
        Happening::NoteOn { key, channel } => {
            events.push(&NoteOnEvent::new(time, Pckn::new(0u16, channel, key, 1u32), 0.8));
        }
        Happening::NoteOff { key, channel } => {
            events.push(&NoteOffEvent::new(time, Pckn::new(0u16, channel, key, 1u32), 0.0));
        }
        Happening::Midi(bytes) => {
            events.push(&MidiEvent::new(time, 0, bytes));
        }
        Happening::Param { id, value } => {
            events.push(&ParamValueEvent::new(time, id, Pckn::match_all(), value));
        }
    }
}

fn transport(position: &Position, frame: usize) -> TransportEvent {
    let (seconds, looped) = (frame as f64 / RATE, position.looped.unwrap_or_default());
    let mut flags =
        TransportFlags::HAS_TEMPO | TransportFlags::HAS_BEATS_TIMELINE | TransportFlags::HAS_TIME_SIGNATURE;
    flags.set(TransportFlags::IS_PLAYING, position.playing);
    flags.set(TransportFlags::IS_LOOP_ACTIVE, position.looped.is_some());
    TransportEvent {
        header: EventHeader::new_core(0, EventFlags::empty()),
        flags,
        song_pos_beats: BeatTime::from_float(position.quarters),
        song_pos_seconds: SecondsTime::from_float(seconds),
        tempo: position.bpm,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::from_float(looped.0),
        loop_end_beats: BeatTime::from_float(looped.1),
        loop_start_seconds: SecondsTime::from_int(0),
        loop_end_seconds: SecondsTime::from_int(0),
        bar_start: BeatTime::from_int(0),
        bar_number: 0,
        time_signature_numerator: 4,
        time_signature_denominator: 4,
    }
}
