//! A sample file in its canonical form: what its name is the hash of, what is stored and travels.
//!
//! A WAV file of one spelling: mono, 48 kHz, 24 bits, a head of 44 bytes, the sound, and a byte of 0
//! where it would end on an odd place. So equal sound is an equal file on every machine, whatever it
//! was decoded from, and any player opens it.

use thiserror::Error;

use crate::rt::ports::SampleFile;

/// The most bytes of a file: 30 s.
pub const MAX_SAMPLE_FILE: usize = HEAD + 3 * SampleFile::MAX_FRAMES;

const HEAD: usize = 44;

/// Bytes that are no sample file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SampleFileError {
    /// Too many.
    #[error("a sample file of {0} bytes is too large: at most {MAX_SAMPLE_FILE}, which is 30 s")]
    TooLarge(usize),
    /// Of another form.
    #[error(
        "this is no sample file of Antiphon's: a WAV of one channel, 48 kHz and 24 bits, written as Antiphon does"
    )]
    Form,
}

/// A file's head: for so many samples.
fn head(frames: usize) -> [u8; HEAD] {
    let bytes = 3 * frames as u32;
    let mut head = [0; HEAD];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        head[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(b"RIFF");
    put(&(36 + bytes + bytes % 2).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16u32.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&48_000u32.to_le_bytes());
    put(&144_000u32.to_le_bytes());
    put(&3u16.to_le_bytes());
    put(&24u16.to_le_bytes());
    put(b"data");
    put(&bytes.to_le_bytes());
    head
}

/// Words of 24 bits as a file; at most [`SampleFile::MAX_FRAMES`] of them.
pub fn encode_sample_file(words: &[i32]) -> Vec<u8> {
    let words = &words[..words.len().min(SampleFile::MAX_FRAMES)];
    let mut bytes = Vec::with_capacity(HEAD + 3 * words.len() + 1);
    bytes.extend_from_slice(&head(words.len()));
    words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()[..3]));
    if words.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

/// A file's words.
///
/// # Errors
/// Says why these bytes are none.
pub fn decode_sample_file(bytes: &[u8]) -> Result<Vec<i32>, SampleFileError> {
    let sound = check_sample_file(bytes)?;
    // The sign lies in the uppermost of three bytes.
    let word = |three: &[u8]| i32::from_le_bytes([0, three[0], three[1], three[2]]) >> 8;
    Ok(sound.chunks_exact(3).map(word).collect())
}

/// A file's sound, as bytes, where it is one, down to the last byte.
///
/// # Errors
/// Says why these bytes are none.
pub fn check_sample_file(bytes: &[u8]) -> Result<&[u8], SampleFileError> {
    if bytes.len() > MAX_SAMPLE_FILE {
        return Err(SampleFileError::TooLarge(bytes.len()));
    }
    let Some((found, sound)) = bytes.split_at_checked(HEAD) else { return Err(SampleFileError::Form) };
    let length = u32::from_le_bytes([found[40], found[41], found[42], found[43]]) as usize;
    let padded = length + length % 2;
    let whole = length.is_multiple_of(3)
        && length > 0
        && sound.len() == padded
        && sound[length..] == [0; 1][..length % 2];
    match whole && found == head(length / 3) {
        true => Ok(&sound[..length]),
        false => Err(SampleFileError::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_nothing_else_is_a_file() {
        for words in [vec![0], vec![-8_388_608, 8_388_607], vec![1, -1, 77_777]] {
            let bytes = encode_sample_file(&words);
            assert_eq!(decode_sample_file(&bytes), Ok(words));
            for at in (0..HEAD).chain([bytes.len() - 1]) {
                let mut other = bytes.clone();
                other[at] ^= 0x40;
                let same = decode_sample_file(&other) == decode_sample_file(&bytes);
                assert!(!same, "byte {at}");
            }
            assert_eq!(decode_sample_file(&bytes[..bytes.len() - 1]), Err(SampleFileError::Form));
            assert_eq!(decode_sample_file(&[&bytes[..], &[0]].concat()), Err(SampleFileError::Form));
        }
        assert_eq!(decode_sample_file(b""), Err(SampleFileError::Form));
        assert_eq!(decode_sample_file(&encode_sample_file(&[])), Err(SampleFileError::Form));
        let most = encode_sample_file(&vec![5; SampleFile::MAX_FRAMES]);
        assert_eq!((most.len(), check_sample_file(&most).is_ok()), (MAX_SAMPLE_FILE, true));
        let more = [&most[..], &[0; 3]].concat();
        assert_eq!(check_sample_file(&more), Err(SampleFileError::TooLarge(more.len())));
    }
}
