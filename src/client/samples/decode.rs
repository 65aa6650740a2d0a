//! From any sound file to canonical words: decoded, mixed to one channel, brought to 48 kHz.
//!
//! Thread: any but audio. What comes out is hashed and travels as it is, so no two machines ever
//! decode the same file for the same song.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::audio::SampleBuffer;
use symphonia::core::codecs::{
    CODEC_TYPE_MP1, CODEC_TYPE_MP2, CODEC_TYPE_MP3, CODEC_TYPE_NULL, CODEC_TYPE_VORBIS, CodecParameters,
    DecoderOptions,
};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::probe::Hint;
use thiserror::Error as ThisError;

use super::resample;
use crate::rt::ports::SampleFile;

/// The most bytes of a file that is read.
pub const MAX_INPUT: usize = 64 << 20;
/// Seconds of sound that a sample has at most.
const MAX_SECONDS: usize = 30;
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=8;
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// Frames that may lack: the length of an AIFF is told with the eight bytes before its sound.
const TOLD_TOO_MANY: u64 = 8;
/// A word's full scale.
const FULL: f64 = 8_388_608.0;

/// Why bytes were not made a sample.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum DecodeError {
    /// Too many bytes.
    #[error("it has {} MB; at most {} are read: cut it to what you need", .0 >> 20, MAX_INPUT >> 20)]
    TooLarge(usize),
    /// No format that is known.
    #[error("it is none of WAV, AIFF, FLAC, MP3 and Ogg Vorbis ({0}); export it as WAV")]
    Format(String),
    /// More sound than a sample has.
    #[error("it lasts longer than {MAX_SECONDS} s; cut it to what you need")]
    TooLong,
    /// No sound.
    #[error("it holds no sound; export it again")]
    Empty,
    /// The end is missing.
    #[error("it ends after {found} of {said} frames; it is cut off: copy or export it again")]
    CutOff {
        /// Frames that there are.
        found: u64,
        /// Frames that its head tells of.
        said: u64,
    },
    /// Not so many channels or not this rate.
    #[error("it has {channels} channels at {rate} Hz; 1 to 8 at 8000 to 384000 Hz are read: export it so")]
    Shape {
        /// Channels.
        channels: usize,
        /// Frames a second.
        rate: u32,
    },
    /// Infinite, or not a number.
    #[error("its frame {0} is no number; export it again")]
    NotANumber(usize),
    /// Damaged inside.
    #[error("it is damaged after frame {at} ({reason}); copy or export it again")]
    Damaged {
        /// Frames before that.
        at: usize,
        /// What the decoder says.
        reason: String,
    },
}

/// The canonical words of a sound file's bytes. Several channels become their mean; what lies above
/// full scale brings the whole file down to it.
///
/// # Errors
/// Says what is wrong with the bytes.
pub fn decode(bytes: Vec<u8>) -> Result<Vec<i32>, DecodeError> {
    if bytes.len() > MAX_INPUT {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    // A decoder that breaks its own invariants on somebody's file must not end a thread.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_mono(bytes)));
    let unwound = |_| DecodeError::Damaged { at: 0, reason: "its decoder gave up".to_owned() };
    let (rate, sound) = decoded.map_err(unwound)??;
    if let Some(at) = sound.iter().position(|sample| !sample.is_finite()) {
        return Err(DecodeError::NotANumber(at));
    }
    let sound = resample::to_canonical(&sound, rate);
    let peak = sound.iter().fold(1.0, |peak: f64, sample| peak.max(sample.abs()));
    let word = |sample: &f64| (libm::round(sample / peak * FULL)).clamp(-FULL, FULL - 1.0) as i32;
    let words: Vec<i32> = sound.iter().take(SampleFile::MAX_FRAMES).map(word).collect();
    if words.is_empty() { Err(DecodeError::Empty) } else { Ok(words) }
}

/// Rate and samples of one channel.
fn decode_mono(bytes: Vec<u8>) -> Result<(u32, Vec<f64>), DecodeError> {
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let options = FormatOptions { enable_gapless: true, ..FormatOptions::default() };
    let format = |error: Error| DecodeError::Format(error.to_string());
    let probed =
        symphonia::default::get_probe().format(&Hint::new(), stream, &options, &MetadataOptions::default());
    let mut reader = probed.map_err(format)?.format;
    let track = reader.tracks().iter().find(|track| track.codec_params.codec != CODEC_TYPE_NULL);
    let track = track.ok_or(DecodeError::Empty)?;
    let (id, said) = (track.id, track.codec_params.clone());
    if let Some(rate) = said.sample_rate {
        let channels = said.channels.map_or(1, |channels| channels.count());
        check_shape(channels, rate)?;
        if !is_lossy(&said) && said.n_frames.is_some_and(|frames| frames > longest(rate) as u64) {
            return Err(DecodeError::TooLong);
        }
    }
    let (rate, mono) = decode_track(reader.as_mut(), id, &said)?;
    let lacks = |frames: &u64| !is_lossy(&said) && *frames > mono.len() as u64 + TOLD_TOO_MANY;
    match said.n_frames.filter(lacks) {
        Some(frames) => Err(DecodeError::CutOff { found: mono.len() as u64, said: frames }),
        None if mono.is_empty() => Err(DecodeError::Empty),
        None => Ok((rate, mono)),
    }
}

fn decode_track(
    reader: &mut dyn FormatReader,
    id: u32,
    said: &CodecParameters,
) -> Result<(u32, Vec<f64>), DecodeError> {
    let format = |error: Error| DecodeError::Format(error.to_string());
    let codecs = symphonia::default::get_codecs();
    let mut decoder = codecs.make(said, &DecoderOptions::default()).map_err(format)?;
    let (mut mono, mut rate): (Vec<f64>, u32) = (Vec::new(), said.sample_rate.unwrap_or(0));
    loop {
        let packet = match reader.next_packet() {
            Ok(packet) if packet.track_id() == id => packet,
            Ok(_) => continue,
            // The end is told so, and cut-off files, too.
            Err(Error::IoError(_) | Error::ResetRequired) => return Ok((rate, mono)),
            Err(error) => return Err(DecodeError::Damaged { at: mono.len(), reason: error.to_string() }),
        };
        let sound = match decoder.decode(&packet) {
            Ok(sound) => sound,
            // Lossy streams may begin in the middle.
            Err(Error::DecodeError(_)) if is_lossy(said) && mono.is_empty() => continue,
            Err(error) => return Err(DecodeError::Damaged { at: mono.len(), reason: error.to_string() }),
        };
        let spec = *sound.spec();
        let channels = spec.channels.count();
        check_shape(channels, spec.rate)?;
        if !mono.is_empty() && rate != spec.rate {
            let reason = "its rate changes".to_owned();
            return Err(DecodeError::Damaged { at: mono.len(), reason });
        }
        rate = spec.rate;
        let mut samples = SampleBuffer::<f64>::new(sound.capacity() as u64, spec);
        samples.copy_interleaved_ref(sound);
        let mean = |frame: &[f64]| frame.iter().sum::<f64>() / channels as f64;
        mono.extend(samples.samples().chunks_exact(channels).map(mean));
        if mono.len() > longest(rate) {
            return Err(DecodeError::TooLong);
        }
    }
}

fn longest(rate: u32) -> usize {
    MAX_SECONDS * rate as usize
}

fn check_shape(channels: usize, rate: u32) -> Result<(), DecodeError> {
    let fits = CHANNELS.contains(&channels) && RATES.contains(&rate);
    if fits { Ok(()) } else { Err(DecodeError::Shape { channels, rate }) }
}

fn is_lossy(said: &CodecParameters) -> bool {
    [CODEC_TYPE_MP1, CODEC_TYPE_MP2, CODEC_TYPE_MP3, CODEC_TYPE_VORBIS].contains(&said.codec)
}
