//! Time in every form the product knows, each its own type.
//!
//! Thread: any. Invariant: integer arithmetic throughout; positions are computed from an exact
//! base, never by repeated addition; spans are half-open.

mod beats;
mod clock;
mod clock_map;
mod cross_check;
mod envelope;
mod golden_section;
mod ramp;
#[cfg(any(feature = "client", feature = "server"))]
mod raw_clock;
mod reference;
mod shared_clock;
mod tempo;
mod tempo_map;

pub use beats::{Beats, TICKS_PER_BEAT};
pub use clock::{Clock, HostNanos, Look, SessionNanos};
pub use clock_map::ClockMap;
pub use cross_check::{CrossCheck, Parting, TOLERANCE};
pub use envelope::{Envelope, Probe, Verdict};
pub(crate) use golden_section::golden_section;
pub use ramp::{RampStep, ramp};
#[cfg(any(feature = "client", feature = "server"))]
pub use raw_clock::RawClock;
pub use reference::{ClockEpoch, Recollection, Reference};
pub use shared_clock::{BURST, ClockNews, HELD_OVER, SharedClock, WARNED};
pub use tempo::{Tempo, TempoError};
pub use tempo_map::{TempoMap, TempoMapError, TempoSegment};

/// The one rate, in Hz, at which every peer renders. Device rates are met by the resampler after
/// the fingerprint.
pub const CANONICAL_RATE: u32 = 48_000;

/// A position in canonical samples (48 kHz); what it counts from is said where it is used.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct SamplePos(pub i64);
