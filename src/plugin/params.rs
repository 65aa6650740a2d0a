//! The host's parameters, made from the one table in [`crate::param`].
//!
//! Thread: values are atomics; the host writes them from any thread, the adapter reads what moved
//! on the audio thread. Invariant: a parameter's id never changes; the host sees knob travel (0 to
//! 1) with the table's taper, name, unit and text.
//!
//! The host's parameter is an input: what sounds is the song. Each parameter therefore has an
//! *expected* travel, the one the session already knows of; a host value equal to it is an echo.

#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use atomic_float::AtomicF32;
use nice_plug::params::InternalParamMut;
use nice_plug::prelude::*;

use super::desk::Desk;
use super::state;
use crate::client::HostClock;
use crate::param::{Owner, Param as Row, ParamSpec, Slot, TrackIndex, Unit};
use crate::pattern::Song;
use crate::rt::ports::ParamMove;
use crate::time::{Clock, HostNanos};

/// What each track shows the host, in the order of its two remote-control pages; the last four are the
/// knobs on the voice itself.
const OF_TRACK: [Row; 16] = [
    Row::Level,
    Row::Pan,
    Row::FilterFreq,
    Row::FilterQ,
    Row::DelayMix,
    Row::DistortMix,
    Row::Tune,
    Row::Decay,
    Row::Mute,
    Row::DistortAmount,
    Row::SendReverb,
    Row::SendDelay,
    Row::VoiceTone,
    Row::VoicePunch,
    Row::VoiceNoise,
    Row::VoiceDrive,
];
/// What the master shows the host.
const OF_MASTER: [Row; 8] = [
    Row::Level,
    Row::FilterFreq,
    Row::FilterQ,
    Row::DelayTime,
    Row::DelayFeedback,
    Row::DelayMix,
    Row::DistortMix,
    Row::Ceiling,
];
/// Knobs on one page of a controller.
const PAGE: usize = 8;
/// Parameters the host sees.
pub const HOST_PARAM_COUNT: usize = crate::param::MAX_TRACKS * OF_TRACK.len() + OF_MASTER.len();
const WORDS: usize = HOST_PARAM_COUNT.div_ceil(64);
/// Travels closer than this are one value: what is left of it after a host's own arithmetic.
const SAME_TRAVEL: f32 = 1e-6;
/// For this long the host's value of a parameter is younger than what the session's thread shows.
const FRESH_NANOS: i64 = 1_000_000_000;

/// The slots the host sees, in the order of its list.
pub fn host_slots() -> impl Iterator<Item = Slot> {
    let of_tracks = TrackIndex::all()
        .flat_map(|track| OF_TRACK.into_iter().map(move |row| Slot::new(Owner::Track(track), row)));
    of_tracks.chain(OF_MASTER.into_iter().map(|row| Slot::new(Owner::Master, row)))
}

/// A slot's stable id, as in `t01_filter_freq` and `master_level`.
pub fn host_id(slot: Slot) -> String {
    let row = slot.spec().id.replace('.', "_");
    match slot.owner() {
        Owner::Track(track) => format!("t{:02}_{row}", track.get() + 1),
        Owner::Master => format!("master_{row}"),
    }
}

/// The group a slot's parameter stands in.
fn group(owner: Owner) -> String {
    match owner {
        Owner::Track(track) => format!("Track {}", track.get() + 1),
        Owner::Master => "Master".to_owned(),
    }
}

enum Cell {
    Knob(FloatParam),
    Switch(BoolParam),
}

/// Which parameters the host has moved since the last look.
#[derive(Default)]
struct Moved {
    bits: [AtomicU64; WORDS],
    /// While a project is restored: its values are the baseline, no edit.
    restoring: AtomicBool,
}

impl Moved {
    fn mark(&self, at: usize) {
        if !self.restoring.load(Ordering::Acquire) {
            self.bits[at / 64].fetch_or(1 << (at % 64), Ordering::Release);
        }
    }
}

/// All parameters of one instance, and the project's state that travels with them.
pub struct HostParams {
    cells: Vec<Cell>,
    slots: [Slot; HOST_PARAM_COUNT],
    moved: Arc<Moved>,
    expected: [AtomicF32; HOST_PARAM_COUNT],
    /// When the host last moved each, in ns of host time; `i64::MIN` before.
    moved_at: [AtomicI64; HOST_PARAM_COUNT],
    desk: Arc<Desk>,
}

impl HostParams {
    /// Parameters that show a desk's song.
    pub fn new(desk: Arc<Desk>) -> HostParams {
        let moved = Arc::new(Moved::default());
        let mut slots = [Slot::new(Owner::Master, Row::Level); HOST_PARAM_COUNT];
        for (to, slot) in slots.iter_mut().zip(host_slots()) {
            *to = slot;
        }
        let cells = slots.iter().enumerate().map(|(at, &slot)| Cell::new(slot, at, &moved)).collect();
        let params = HostParams {
            cells,
            slots,
            moved,
            expected: std::array::from_fn(|_| AtomicF32::new(-1.0)),
            moved_at: std::array::from_fn(|_| AtomicI64::new(i64::MIN)),
            desk,
        };
        params.show(&params.desk.project().song);
        params
    }

    /// Sets every parameter to a song's value, as a baseline: nothing of it is an edit.
    /// *Thread: any but audio.*
    pub fn show(&self, song: &Song) {
        self.moved.restoring.store(true, Ordering::Release);
        for (at, cell) in self.cells.iter().enumerate() {
            let slot = self.slots[at];
            let travel = slot.spec().travel_of(song.params[slot.index()]);
            self.expected[at].store(travel, Ordering::Relaxed);
            self.moved_at[at].store(i64::MIN, Ordering::Relaxed);
            self.moved.bits[at / 64].fetch_and(!(1 << (at % 64)), Ordering::AcqRel);
            cell.set(travel);
        }
        self.moved.restoring.store(false, Ordering::Release);
    }

    /// Hands over every parameter that the host has moved and the session does not know of yet.
    /// *Thread: audio. Realtime-safe: yes.*
    pub fn take_moves(&self, now: HostNanos, mut each: impl FnMut(ParamMove)) {
        for (word, bits) in self.moved.bits.iter().enumerate() {
            if bits.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let mut bits = bits.swap(0, Ordering::AcqRel);
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let travel = self.cells[at].travel();
                let known = self.expected[at].swap(travel, Ordering::AcqRel);
                if (travel - known).abs() > SAME_TRAVEL {
                    self.moved_at[at].store(now.0, Ordering::Relaxed);
                    let slot = self.slots[at];
                    each(ParamMove { frame: 0, slot, value: slot.spec().value_at(travel) });
                }
            }
        }
    }

    /// Writes into a song what the host has moved so lately that the session's thread may not have
    /// told of it yet. *Thread: any but audio.*
    pub fn freshen(&self, song: &mut Song, now: HostNanos) {
        for (at, &slot) in self.slots.iter().enumerate() {
            let unread = self.moved.bits[at / 64].load(Ordering::Acquire) >> (at % 64) & 1 == 1;
            let moved_at = self.moved_at[at].load(Ordering::Relaxed);
            let fresh = moved_at != i64::MIN && (now.0 - moved_at < FRESH_NANOS || !self.desk.has_client());
            if unread || fresh {
                song.params[slot.index()] = slot.spec().value_at(self.cells[at].travel());
            }
        }
    }

    /// Pushes what the session has changed to the host's knobs, inside a gesture each; parameters
    /// the host itself is moving are left alone. *Thread: the editor's.*
    pub fn push_knobs(&self, song: &Song, setter: &ParamSetter<'_>, now: HostNanos) {
        for (at, cell) in self.cells.iter().enumerate() {
            let slot = self.slots[at];
            let travel = slot.spec().travel_of(song.params[slot.index()]);
            let moved_at = self.moved_at[at].load(Ordering::Relaxed);
            let held = moved_at != i64::MIN && now.0 - moved_at < FRESH_NANOS;
            let unread = self.moved.bits[at / 64].load(Ordering::Acquire) >> (at % 64) & 1 == 1;
            let known = self.expected[at].load(Ordering::Acquire);
            if !held && !unread && (known - travel).abs() > SAME_TRAVEL {
                // First the expectation, so that what comes back is known for an echo.
                self.expected[at].store(travel, Ordering::Release);
                cell.push(setter, travel);
            }
        }
    }

    /// The pages a controller with eight knobs shows.
    pub fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        let mut at = 0;
        let owners = TrackIndex::all().map(Owner::Track).chain([Owner::Master]);
        for owner in owners {
            let count = if owner == Owner::Master { OF_MASTER.len() } else { OF_TRACK.len() };
            let cells = &self.cells[at..at + count];
            at += count;
            context.add_section(group(owner), |section| {
                for (number, page) in cells.chunks(PAGE).enumerate() {
                    let name = if number == 0 { group(owner) } else { format!("{} more", group(owner)) };
                    section.add_page(name, |knobs| {
                        for cell in page {
                            match cell {
                                Cell::Knob(param) => knobs.add_param(param),
                                Cell::Switch(param) => knobs.add_param(param),
                            }
                        }
                    });
                }
            });
        }
    }
}

impl Cell {
    fn new(slot: Slot, at: usize, moved: &Arc<Moved>) -> Cell {
        let spec = slot.spec();
        let name = match slot.owner() {
            Owner::Track(track) => format!("{} {}", track.get() + 1, spec.name),
            Owner::Master => format!("Master {}", spec.name),
        };
        let moved = moved.clone();
        if spec.unit == Unit::Switch {
            let param = BoolParam::new(name, spec.default >= 0.5)
                .with_value_to_string(Arc::new(|on| spec_text(on).to_owned()))
                .with_string_to_value(Arc::new(text::read_switch))
                .with_callback(Arc::new(move |_| moved.mark(at)));
            return Cell::Switch(param);
        }
        let default = spec.travel_of(spec.default);
        let param = FloatParam::new(name, default, FloatRange::Linear { min: 0.0, max: 1.0 })
            .with_value_to_string(Arc::new(move |travel| spec.display(spec.value_at(travel)).to_string()))
            .with_string_to_value(Arc::new(move |entry| travel_of_text(spec, entry)))
            .with_callback(Arc::new(move |_| moved.mark(at)));
        Cell::Knob(param)
    }

    /// Where the host's knob stands, modulation apart: that is the host's own affair.
    fn travel(&self) -> f32 {
        match self {
            Cell::Knob(param) => param.unmodulated_normalized_value(),
            Cell::Switch(param) => param.unmodulated_normalized_value(),
        }
    }

    fn set(&self, travel: f32) {
        // SAFETY: nice-plug keeps these setters to its wrappers so that a plugin does not change a
        // parameter behind its host's back. This is called before the host has seen the parameters
        // and while it restores a state, after which it reads all of them again.
        unsafe {
            match self {
                Cell::Knob(param) => param._internal_set_normalized_value(travel),
                Cell::Switch(param) => param._internal_set_normalized_value(travel),
            };
        }
    }

    fn push(&self, setter: &ParamSetter<'_>, travel: f32) {
        match self {
            Cell::Knob(param) => push(setter, param, travel),
            Cell::Switch(param) => push(setter, param, travel),
        }
    }

    fn pointer(&self) -> ParamPtr {
        match self {
            Cell::Knob(param) => param.as_ptr(),
            Cell::Switch(param) => param.as_ptr(),
        }
    }
}

fn push<P: Param>(setter: &ParamSetter<'_>, param: &P, travel: f32) {
    setter.begin_set_parameter(param);
    setter.set_parameter_normalized(param, travel);
    setter.end_set_parameter(param);
}

fn spec_text(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn travel_of_text(spec: &ParamSpec, entry: &str) -> Option<f32> {
    Some(spec.travel_of(text::read(spec, entry)?))
}

// SAFETY: the pointers lead into `cells`, a vector that is never changed after `new` and lives as
// long as `self`, which the wrappers hold in an `Arc`.
unsafe impl Params for HostParams {
    fn param_map(&self) -> Vec<(String, ParamPtr, String)> {
        let cells = self.cells.iter().zip(self.slots);
        cells.map(|(cell, slot)| (host_id(slot), cell.pointer(), group(slot.owner()))).collect()
    }

    fn serialize_fields(&self) -> BTreeMap<String, String> {
        let mut project = self.desk.project();
        self.freshen(&mut project.song, HostClock.now());
        BTreeMap::from([(state::FIELD.to_owned(), state::write(&project))])
    }

    fn deserialize_fields(&self, fields: &BTreeMap<String, String>) {
        let Some(saved) = fields.get(state::FIELD) else {
            return self.desk.set_aside("", "it holds no groove of Antiphon's");
        };
        match state::read(saved) {
            Ok(project) => {
                self.show(&project.song);
                self.desk.restore(project);
            }
            Err(error) => {
                self.show(&self.desk.project().song);
                self.desk.set_aside(saved, &error.to_string());
            }
        }
    }
}
