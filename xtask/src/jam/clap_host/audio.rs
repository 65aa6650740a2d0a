//! The audio thread: one block at each deadline of a clock that never slips.

use std::sync::mpsc::Receiver;

use anyhow::{Context, Result, anyhow};
use clack_host::events::event_types::{
    NoteOffEvent, NoteOnEvent, ParamValueEvent, TransportEvent, TransportFlags,
};
use clack_host::events::{EventFlags, EventHeader};
use clack_host::prelude::*;
use clack_host::process::StoppedPluginAudioProcessor;
use clack_host::utils::{BeatTime, ClapId, SecondsTime};
use serde_json::json;

use super::record::Recording;
use super::{Arguments, Host, Order, Stamped, tell};
use crate::jam::clock;

/// Below this a channel is silent; the engine's own silence is exactly zero.
const SILENT: f32 = 1e-7;
/// How long a channel must have been silent before its sound is worth a word, in seconds.
const QUIET_S: f64 = 0.1;
/// Frames between two points of an automation: the engine's own grain.
const GRAIN: u32 = 32;
/// A block that begins this much after its deadline counts as late.
const LATE_NANOS: i64 = 1_000_000;

/// What the audio thread holds.
pub struct Audio {
    rate: u32,
    block: u32,
    listen: bool,
    orders: Receiver<Stamped>,
    recording: Recording,
    transport: Transport,
    ramp: Option<Ramp>,
    /// Frames for which each channel has been silent.
    silent: [u64; 2],
    late: u64,
    worst_late: i64,
}

/// The host's own song position.
struct Transport {
    playing: bool,
    frames: u64,
    bpm: f64,
}

/// An automation under way.
struct Ramp {
    param: ClapId,
    from: f64,
    to: f64,
    frames: u64,
    done: u64,
}

impl Audio {
    /// A stopped host at bar 1, 120 BPM.
    pub fn new(arguments: &Arguments, orders: Receiver<Stamped>, recording: Recording) -> Audio {
        Audio {
            rate: arguments.rate,
            block: arguments.block,
            listen: arguments.listen,
            orders,
            recording,
            transport: Transport { playing: false, frames: 0, bpm: 120.0 },
            ramp: None,
            silent: [0; 2],
            late: 0,
            worst_late: 0,
        }
    }

    /// Processes blocks until told to quit, and gives the plugin back.
    pub fn run(
        mut self,
        stopped: StoppedPluginAudioProcessor<Host>,
    ) -> Result<StoppedPluginAudioProcessor<Host>> {
        tell(&json!({"event": "audio", "realtime_priority": clock::ask_for_realtime()}));
        let mut processor = stopped.start_processing().map_err(|_| anyhow!("the plugin would not start"))?;
        let frames = self.block as usize;
        let mut audio = [vec![0f32; frames], vec![0f32; frames]];
        let (mut inputs, mut outputs) = (AudioPorts::with_capacity(0, 0), AudioPorts::with_capacity(2, 1));
        let mut events_out = EventBuffer::with_capacity(4096);
        let mut events_in = EventBuffer::with_capacity(256);
        let pace = clock::Pace::from_now(self.rate, self.block);
        for count in 0u64.. {
            let late = pace.wait(count);
            self.late += u64::from(late > LATE_NANOS);
            self.worst_late = self.worst_late.max(late);
            events_in.clear();
            events_out.clear();
            let nanos = clock::raw_nanos();
            if !self.obey(&mut events_in, nanos) {
                break;
            }
            self.automate(&mut events_in);
            let no_inputs = inputs.with_input_buffers(std::iter::empty::<
                AudioPortBuffer<std::iter::Empty<InputChannel<f32>>, std::iter::Empty<InputChannel<f64>>>,
            >());
            let mut out = outputs.with_output_buffers([AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_output_only(audio.iter_mut().map(Vec::as_mut_slice)),
            }]);
            processor
                .process(
                    &no_inputs,
                    &mut out,
                    &events_in.as_input(),
                    &mut OutputEvents::from_buffer(&mut events_out),
                    Some(count * u64::from(self.block)),
                    Some(&self.transport.event(self.rate)),
                )
                .context("the plugin failed a block")?;
            if self.listen {
                self.hear(&audio, nanos);
            }
            self.recording.add(&audio[0], &audio[1]);
            if self.transport.playing {
                self.transport.frames += u64::from(self.block);
            }
        }
        tell(&json!({"event": "late", "blocks": self.late, "worst_us": self.worst_late / 1_000}));
        Ok(processor.stop_processing())
    }

    /// Takes the orders that have come; false at the end.
    fn obey(&mut self, events: &mut EventBuffer, nanos: i64) -> bool {
        while let Ok(Stamped { order, nanos: asked, param }) = self.orders.try_recv() {
            match order {
                Order::Play => {
                    (self.transport.playing, self.transport.frames) = (true, 0);
                    tell(&json!({"event": "rolling", "host_ns": nanos, "frame": self.recording.frames()}));
                }
                Order::Stop => {
                    self.transport.playing = false;
                    tell(&json!({"event": "stopped", "host_ns": nanos, "frame": self.recording.frames()}));
                }
                Order::Tempo { bpm } => self.transport.bpm = bpm,
                Order::Note { key, velocity } => {
                    let place = Pckn::new(0u16, 0u16, key, 1u32);
                    if velocity > 0.0 {
                        events.push(&NoteOnEvent::new(0, place, velocity));
                    } else {
                        events.push(&NoteOffEvent::new(0, place, 0.0));
                    }
                }
                Order::Set { value, .. } => {
                    if let Some(param) = param {
                        events.push(&value_event(0, param, value));
                    }
                    tell(&json!({"event": "moved", "host_ns": asked, "block_ns": nanos, "value": value}));
                }
                Order::Ramp { from, to, seconds, .. } => {
                    let frames = (seconds * f64::from(self.rate)) as u64;
                    self.ramp = param.map(|param| Ramp { param, from, to, frames: frames.max(1), done: 0 });
                    tell(&json!({"event": "ramp", "host_ns": nanos, "frame": self.recording.frames()}));
                }
                Order::Quit => return false,
            }
        }
        true
    }

    /// The automation's points within this block.
    fn automate(&mut self, events: &mut EventBuffer) {
        let Some(ramp) = &mut self.ramp else { return };
        for frame in (0..self.block).step_by(GRAIN as usize) {
            let part = (ramp.done + u64::from(frame)) as f64 / ramp.frames as f64;
            let value = ramp.from + (ramp.to - ramp.from) * part.min(1.0);
            events.push(&value_event(frame, ramp.param, value));
        }
        ramp.done += u64::from(self.block);
        if ramp.done >= ramp.frames + u64::from(self.block) {
            self.ramp = None;
        }
    }

    /// Tells of a channel that begins to sound.
    fn hear(&mut self, audio: &[Vec<f32>; 2], nanos: i64) {
        let quiet = (QUIET_S * f64::from(self.rate)) as u64;
        for (channel, (samples, silent)) in audio.iter().zip(&mut self.silent).enumerate() {
            for (frame, sample) in samples.iter().enumerate() {
                if sample.abs() <= SILENT {
                    *silent += 1;
                    continue;
                }
                if *silent >= quiet {
                    let at = nanos + (frame as f64 * 1e9 / f64::from(self.rate)) as i64;
                    tell(&json!({"event": "heard", "channel": channel, "host_ns": at, "block_ns": nanos}));
                }
                *silent = 0;
            }
        }
    }
}

fn value_event(frame: u32, param: ClapId, value: f64) -> ParamValueEvent {
    ParamValueEvent::new(frame, param, Pckn::match_all(), value)
}

impl Transport {
    fn event(&self, rate: u32) -> TransportEvent {
        let seconds = self.frames as f64 / f64::from(rate);
        let beats = seconds * self.bpm / 60.0;
        let bar = (beats / 4.0) as i32;
        let mut flags = TransportFlags::HAS_TEMPO
            | TransportFlags::HAS_BEATS_TIMELINE
            | TransportFlags::HAS_SECONDS_TIMELINE
            | TransportFlags::HAS_TIME_SIGNATURE;
        flags.set(TransportFlags::IS_PLAYING, self.playing);
        TransportEvent {
            header: EventHeader::new_core(0, EventFlags::empty()),
            flags,
            song_pos_beats: BeatTime::from_float(beats),
            song_pos_seconds: SecondsTime::from_float(seconds),
            tempo: self.bpm,
            tempo_inc: 0.0,
            loop_start_beats: BeatTime::from_int(0),
            loop_end_beats: BeatTime::from_int(0),
            loop_start_seconds: SecondsTime::from_int(0),
            loop_end_seconds: SecondsTime::from_int(0),
            bar_start: BeatTime::from_int(i64::from(bar) * 4),
            bar_number: bar,
            time_signature_numerator: 4,
            time_signature_denominator: 4,
        }
    }
}
