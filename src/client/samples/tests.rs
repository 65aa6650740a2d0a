//! Sound files in, canonical files out.

use std::f64::consts::PI;
use std::path::PathBuf;

use super::*;
use crate::wire::decode_sample_file;

fn wav(rate: u32, channels: u16, bits: u16, frames: usize, sample: impl Fn(usize, u16) -> f64) -> Vec<u8> {
    let float = bits == 32;
    let sample_format = if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
    let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("memory");
    for (at, channel) in (0..frames).flat_map(|at| (0..channels).map(move |channel| (at, channel))) {
        let value = sample(at, channel);
        match float {
            true => writer.write_sample(value as f32).expect("memory"),
            false => writer.write_sample((value * f64::from(1 << (bits - 1))) as i32).expect("memory"),
        }
    }
    writer.finalize().expect("memory");
    bytes.into_inner()
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sounds").join(name)
}

#[test]
fn whole_numbers_at_48_khz_come_through_as_they_are() {
    let ramp = |at: usize, _| (at as f64 - 400.0) / 512.0;
    for bits in [16, 24] {
        let words = decode(wav(48_000, 1, bits, 800, ramp)).expect("a sound");
        let expected: Vec<i32> = (0..800).map(|at| (at - 400) << 14).collect();
        assert_eq!(words, expected, "{bits} bits");
    }
    let sides = |at: usize, channel: u16| if channel == 0 { at as f64 / 1024.0 } else { 0.0 };
    let words = decode(wav(48_000, 2, 24, 500, sides)).expect("a sound");
    assert_eq!(words, (0..500).map(|at| at << 12).collect::<Vec<i32>>());
}

#[test]
fn what_is_louder_than_full_scale_is_brought_down_whole() {
    let words = decode(wav(48_000, 1, 32, 100, |at, _| if at == 50 { 4.0 } else { 1.0 })).expect("a sound");
    assert_eq!((words[50], words[0]), (8_388_607, 2_097_152));
}

#[test]
fn every_format_gives_its_tone() {
    for (name, at_least) in
        [("tone.flac", 4_799), ("tone.aiff", 1_088), ("tone.mp3", 4_799), ("tone.ogg", 4_700)]
    {
        let bytes = std::fs::read(golden(name)).expect("a fixture");
        let words = decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((at_least..at_least + 2_400).contains(&words.len()), "{name} has {} frames", words.len());
        // 441 Hz, away from the ends; how early or late a lossy one begins is its own.
        let middle = &words[words.len() / 4..words.len() * 3 / 4];
        let part = |turn: fn(f64) -> f64| -> f64 {
            let tone = (0..).map(|n| turn(2.0 * PI * 441.0 * f64::from(n) / 48_000.0));
            middle.iter().zip(tone).map(|(word, tone)| f64::from(*word) * tone).sum()
        };
        let power: f64 = middle.iter().map(|word| f64::from(*word).powi(2)).sum();
        let tone = (part(f64::sin).powi(2) + part(f64::cos).powi(2)) * 2.0 / middle.len() as f64;
        assert!(tone / power > 0.97, "{name}: {:.3} of it is the tone", tone / power);
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    let short = wav(48_000, 1, 16, 1_000, |_, _| 0.1);
    let cut = short[..short.len() - 600].to_vec();
    assert!(matches!(decode(cut), Err(DecodeError::CutOff { .. })));
    assert!(matches!(decode(Vec::new()), Err(DecodeError::Format(_))));
    assert!(matches!(decode(b"seq kick: X...\n".repeat(50)), Err(DecodeError::Format(_))));
    assert!(decode(wav(48_000, 1, 16, 0, |_, _| 0.0)).is_err());
    assert_eq!(decode(wav(8_000, 1, 16, 30 * 8_000 + 1, |_, _| 0.0)), Err(DecodeError::TooLong));
    assert!(matches!(decode(wav(4_000, 1, 16, 100, |_, _| 0.0)), Err(DecodeError::Shape { .. })));
    let holed = wav(48_000, 1, 32, 100, |at, _| if at == 7 { f64::NAN } else { 0.0 });
    assert_eq!(decode(holed), Err(DecodeError::NotANumber(7)));
    assert_eq!(decode(vec![0; MAX_INPUT + 1]), Err(DecodeError::TooLarge(MAX_INPUT + 1)));
    assert_eq!(decode(wav(8_000, 1, 16, 30 * 8_000, |_, _| 0.0)).map(|words| words.len()), Ok(1_440_000));
}

#[test]
fn a_file_is_kept_under_the_hash_of_its_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SampleStore::of(folder.path());
    let tone = |at: usize, _| (at as f64 * 0.05).sin() * 0.5;
    let path = folder.path().join("Vox  Chop (take 2).WAV");
    std::fs::write(&path, wav(48_000, 1, 24, 3_000, tone)).expect("written");
    let stored = store.import(&path).expect("a sample");
    assert_eq!(stored.name.as_str(), "vox-chop-take-2");
    // The same sound in another file is the same file.
    std::fs::write(&path, wav(48_000, 2, 24, 3_000, tone)).expect("written");
    assert_eq!(store.import(&path).expect("a sample").id, stored.id);
    assert_eq!(store.list(), std::slice::from_ref(&stored));
    let file = store.load(stored.id).expect("readable").expect("here");
    assert_eq!(file.frames(), 3_000);
    let bytes = store.bytes(stored.id).expect("readable").expect("here");
    assert_eq!(decode_sample_file(&bytes).expect("a file"), file.words());
    assert_eq!(decode(bytes).expect("any player opens it"), file.words());

    assert!(store.load(FileId([1; 32])).expect("readable").is_none());
    let own = store.path(stored.id);
    let mut damaged = std::fs::read(&own).expect("the file");
    damaged[1_000] ^= 1;
    std::fs::write(&own, damaged).expect("written");
    assert!(matches!(store.load(stored.id), Err(SampleError::Damaged { .. })));
    assert!(store.load(stored.id).expect("readable").is_none(), "it was set aside");
    assert!(store.list().is_empty());
    let gone = store.import(&folder.path().join("none.wav")).expect_err("there is none");
    assert!(gone.to_string().contains("none.wav"));
}
