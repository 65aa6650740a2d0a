//! `antiphon`: the notation's commands and the headless peer.
//!
//! Exit codes: 0 all is well, 1 the text has errors (or is not canonical), 2 anything else.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use antiphon::client::default_profile;
use antiphon::client::midi_file;
use antiphon::client::peer::{self, PeerArgs};
use antiphon::client::recording::Replay;
use antiphon::client::render::{RenderConfig, render_stems};
use antiphon::client::samples::{SampleStore, Stored};
use antiphon::param::TrackIndex;
use antiphon::pattern::text::{self, Diagnostic, Reading, Severity};
use antiphon::pattern::{Name, Song};
use antiphon::rt::Stems;
use antiphon::rt::ports::BarFingerprint;
use antiphon::time::TempoMap;
use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};

/// The most bytes a notation file may have.
const MAX_FILE: u64 = 8 << 20;

/// One groove, many studios: patterns as text, offline rendering, and a headless peer.
#[derive(Parser)]
#[command(name = "antiphon", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print a notation file's errors and warnings; exit 1 if there are errors.
    Check {
        /// The file, or - for standard input.
        file: PathBuf,
    },
    /// Write a notation file in its canonical form.
    Fmt {
        /// The file, or - to read standard input and write standard output.
        file: PathBuf,
        /// Change nothing; exit 1 if the file is not canonical.
        #[arg(long)]
        check: bool,
    },
    /// Render a notation file to a WAV file, faster than realtime.
    Render {
        /// The notation file, or - for standard input.
        file: PathBuf,
        /// The WAV file to write.
        out: PathBuf,
        /// Bars of 4/4 to render.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        bars: u32,
        /// Rate in Hz.
        #[arg(long, default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
        rate: u32,
        /// Frames a block; the sound is the same for every size.
        #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
        block: u32,
        /// The samples' form.
        #[arg(long, value_enum, default_value_t = Samples::Float)]
        samples: Samples,
        /// Print one line of JSON a bar, with the hash of what was heard.
        #[arg(long)]
        fingerprints: bool,
        /// Also write each track by itself into this folder, as `kick.wav`: 48 kHz, after the track's
        /// inserts, before fader, pan, mute and sends.
        #[arg(long, value_name = "FOLDER")]
        stems: Option<PathBuf>,
        /// Also write the bars' notes as a MIDI file.
        #[arg(long, value_name = "OUT.mid")]
        midi: Option<PathBuf>,
        /// The profile folder with the sample files; without it, the musician's own.
        #[arg(long, value_name = "FOLDER")]
        profile: Option<PathBuf>,
        /// Also draw what was rendered: waveforms, spectrogram, octaves and levels.
        #[cfg(feature = "picture")]
        #[arg(long, value_name = "OUT.png")]
        picture: Option<PathBuf>,
        /// Print a line of JSON with levels, balance and width.
        #[cfg(feature = "picture")]
        #[arg(long)]
        figures: bool,
    },
    /// Write a groove as a MIDI file, or make a groove of one.
    #[command(subcommand)]
    Midi(Midi),
    /// Take a sound file (WAV, AIFF, FLAC, MP3, Ogg Vorbis; at most 30 s) into the profile folder and
    /// print the statement that lets a track play it.
    Sample {
        /// The sound file.
        file: PathBuf,
        /// The track's id.
        #[arg(long, default_value = "sample", value_parser = |word: &str| Name::new(word).map_err(|error| error.to_string()))]
        track: Name,
        /// The profile folder; without it, the musician's own.
        #[arg(long, value_name = "FOLDER")]
        profile: Option<PathBuf>,
    },
    /// Play a recording of a session (peer --record-session) again into a WAV file.
    Replay {
        /// The recording.
        file: PathBuf,
        /// The WAV file to write.
        out: PathBuf,
    },
    /// Join a session as a headless peer: commands on standard input, events as JSON lines.
    Peer(PeerArgs),
}

#[derive(Subcommand)]
enum Midi {
    /// Write a notation file's notes as a MIDI file: a chunk a track, on its channel.
    Export {
        /// The notation file, or - for standard input.
        file: PathBuf,
        /// The MIDI file to write.
        out: PathBuf,
        /// Bars to write; without it, the arrangement or the longest pattern.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(midi_file::MAX_BARS)))]
        bars: Option<u32>,
    },
    /// Make a notation file of a MIDI file.
    Import {
        /// The MIDI file.
        file: PathBuf,
        /// The notation file to write, or - for standard output.
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Samples {
    /// 32-bit float.
    Float,
    /// 24-bit whole numbers.
    Pcm24,
}

impl Samples {
    fn bits(self) -> u16 {
        match self {
            Samples::Float => 32,
            Samples::Pcm24 => 24,
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("antiphon: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether whoever read our output has gone, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file } => check(&file),
        Command::Fmt { file, check } => format(&file, check),
        Command::Render {
            file,
            out,
            bars,
            rate,
            block,
            samples,
            fingerprints,
            stems,
            midi,
            profile,
            #[cfg(feature = "picture")]
            picture,
            #[cfg(feature = "picture")]
            figures,
        } => {
            let config = RenderConfig { bars, rate, block: block as usize };
            let also = Also {
                fingerprints,
                stems,
                midi,
                profile,
                #[cfg(feature = "picture")]
                picture,
                #[cfg(feature = "picture")]
                figures,
            };
            render_file(&file, &out, config, samples, &also)
        }
        Command::Midi(Midi::Export { file, out, bars }) => export_midi(&file, &out, bars),
        Command::Midi(Midi::Import { file, out }) => import_midi(&file, &out),
        Command::Sample { file, track, profile } => import_sample(&file, track, profile.as_deref()),
        Command::Replay { file, out } => replay(&file, &out),
        Command::Peer(args) => {
            let filter = tracing_subscriber::EnvFilter::try_from_env("ANTIPHON_LOG");
            let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
            peer::run(args)
        }
    }
}

fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    let (found, sound) = match source.read() {
        Ok(reading) => (reading.warnings.clone(), Some(reading)),
        Err(found) => (found, None),
    };
    let mut report = source.show(&found);
    let count = |severity| found.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let _ = write!(report, "{}: {}, {}", source.name, counted(errors, "error"), counted(warnings, "warning"));
    if let Some(reading) = &sound {
        let tracks = counted(reading.song.alive().count(), "track");
        let _ = write!(report, "; {tracks} at {} BPM", reading.tempo.bpm());
    }
    writeln!(std::io::stdout(), "{report}")?;
    Ok(if sound.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn format(file: &Path, check: bool) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    let reading = match source.read_or_show()? {
        Ok(reading) => reading,
        Err(code) => return Ok(code),
    };
    let canonical = reading.document.canonical();
    let same = canonical.as_bytes() == source.bytes;
    if check {
        if !same {
            eprintln!("antiphon: {} is not canonical; antiphon fmt writes it so", source.name);
        }
        return Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if is_standard(file) {
        std::io::stdout().write_all(canonical.as_bytes())?;
    } else if !same {
        std::fs::write(file, canonical).with_context(|| format!("cannot write {}", source.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a render gives beside the mix.
struct Also {
    fingerprints: bool,
    stems: Option<PathBuf>,
    midi: Option<PathBuf>,
    profile: Option<PathBuf>,
    #[cfg(feature = "picture")]
    picture: Option<PathBuf>,
    #[cfg(feature = "picture")]
    figures: bool,
}

fn store(profile: Option<&Path>) -> SampleStore {
    SampleStore::of(&profile.map_or_else(default_profile, Path::to_owned))
}

/// Takes a sound file in and prints the statement that lets a track play it.
fn import_sample(file: &Path, track: Name, profile: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Stored { id, name } = store(profile).import(file)?;
    writeln!(std::io::stdout(), "sample {track}: {name} hash={id}")?;
    Ok(ExitCode::SUCCESS)
}

fn render_file(
    file: &Path,
    out: &Path,
    config: RenderConfig,
    samples: Samples,
    also: &Also,
) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    let reading = match source.read_or_show()? {
        Ok(reading) => reading,
        Err(code) => return Ok(code),
    };
    let (files, missing) = store(also.profile.as_deref()).files_of(&reading.song);
    missing.iter().for_each(|missing| eprintln!("antiphon: {missing}"));
    // A WAV file counts its bytes in 32 bits.
    let bytes = config.frames(reading.tempo) * 2 * u64::from(samples.bits() / 8);
    if bytes > u64::from(u32::MAX) - 1024 {
        bail!("{} bars are {} MiB, more than a WAV file holds: ask for fewer", config.bars, bytes >> 20);
    }
    let mut wav = Wav::create(out, config.rate, samples)?;
    let mut stems = match &also.stems {
        Some(folder) => Some(StemFiles::create(folder, &reading, config, samples)?),
        None => None,
    };
    let stem = stems.as_mut().map(|files| |track, stems: &mut Stems| files.write(track, stems));
    let mix = |left: &[f32], right: &[f32]| wav.write(left, right);
    let bars = render_stems(&reading.song, &files, reading.tempo, config, mix, stem)?;
    wav.writer.finalize().with_context(|| format!("cannot finish {}", out.display()))?;
    stems.map_or(Ok(()), StemFiles::finish)?;
    if let Some(path) = &also.midi {
        write_midi(path, &reading, config.bars)?;
    }
    #[cfg(feature = "picture")]
    if also.picture.is_some() || also.figures {
        picture::show(&source.name, (&reading, &files), config, also.picture.as_deref(), also.figures)?;
    }
    if also.fingerprints {
        let mut stdout = std::io::stdout().lock();
        for bar in &bars {
            writeln!(stdout, "{}", fingerprint(&reading.song, bar))?;
        }
        if bars.len() < config.bars as usize {
            bail!("the engine gave {} of {} fingerprints", bars.len(), config.bars);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_midi(path: &Path, reading: &Reading, bars: u32) -> anyhow::Result<()> {
    let bytes = midi_file::export(&reading.song, &TempoMap::constant(reading.tempo), bars);
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn export_midi(file: &Path, out: &Path, bars: Option<u32>) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    match source.read_or_show()? {
        Ok(reading) => {
            let bars = bars.unwrap_or_else(|| midi_file::length_in_bars(&reading.song));
            write_midi(out, &reading, bars)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(code) => Ok(code),
    }
}

fn import_midi(file: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    let imported = midi_file::import(&source.bytes).with_context(|| source.name.clone())?;
    if imported.left_out > 0 {
        let notes = counted(imported.left_out, "note");
        eprintln!(
            "antiphon: {notes} found no place: a step holds four, a track eight patterns, a song 16 tracks"
        );
    }
    if imported.tempi_left_out > 0 {
        let changes = counted(imported.tempi_left_out, "change");
        eprintln!("antiphon: {changes} of tempo left out: a groove's text says one tempo");
    }
    let text = text::write(&imported.song, imported.tempo);
    if is_standard(out) {
        std::io::stdout().write_all(text.as_bytes())?;
    } else {
        std::fs::write(out, text).with_context(|| format!("cannot write {}", out.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(file: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let name = file.display().to_string();
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {name}"))?;
    let mut replay = Replay::open(std::io::BufReader::new(opened)).with_context(|| name.clone())?;
    let mut wav = Wav::create(out, replay.rate(), Samples::Float)?;
    while let Some((left, right)) = replay.next_block().with_context(|| name.clone())? {
        wav.write(left, right)?;
    }
    wav.writer.finalize().with_context(|| format!("cannot finish {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A WAV file a track.
struct StemFiles {
    /// Each with the frames that it still lacks.
    files: Vec<(TrackIndex, Wav, u64)>,
    left: Vec<f32>,
    right: Vec<f32>,
}

impl StemFiles {
    fn create(
        folder: &Path,
        reading: &Reading,
        config: RenderConfig,
        samples: Samples,
    ) -> anyhow::Result<StemFiles> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let frames = RenderConfig { rate: 48_000, ..config }.frames(reading.tempo);
        let files = reading.song.alive().map(|(track, held)| {
            let path = folder.join(format!("{}.wav", held.name));
            Ok((track, Wav::create(&path, 48_000, samples)?, frames))
        });
        Ok(StemFiles { files: files.collect::<anyhow::Result<_>>()?, left: Vec::new(), right: Vec::new() })
    }

    fn write(&mut self, track: TrackIndex, stems: &mut Stems) -> anyhow::Result<()> {
        let file = self.files.iter_mut().find(|(of, ..)| *of == track);
        let Some((_, wav, lacks)) = file else { return Ok(()) };
        self.left.clear();
        self.right.clear();
        for (at, sample) in stems.take(track).enumerate() {
            if at % 2 == 0 { self.left.push(sample) } else { self.right.push(sample) }
        }
        // The engine renders a little ahead of what is heard.
        let frames = self.left.len().min(usize::try_from(*lacks).unwrap_or(usize::MAX));
        *lacks -= frames as u64;
        wav.write(&self.left[..frames], &self.right[..frames])
    }

    fn finish(self) -> anyhow::Result<()> {
        self.files.into_iter().try_for_each(|(_, wav, _)| Ok(wav.writer.finalize()?))
    }
}

/// A bar's hashes as a JSON object.
fn fingerprint(song: &Song, bar: &BarFingerprint) -> serde_json::Value {
    let hex = |hash: u64| format!("{hash:016x}");
    let tracks: serde_json::Map<_, _> =
        song.alive().map(|(at, track)| (track.name.to_string(), hex(bar.tracks[at.get()]).into())).collect();
    serde_json::json!({
        "bar": bar.bar,
        "input_key": hex(bar.input_key),
        "master": hex(bar.master),
        "tracks": tracks,
    })
}

/// A WAV file being written.
struct Wav {
    writer: hound::WavWriter<std::io::BufWriter<std::fs::File>>,
    samples: Samples,
}

impl Wav {
    fn create(path: &Path, rate: u32, samples: Samples) -> anyhow::Result<Wav> {
        let sample_format = match samples {
            Samples::Float => hound::SampleFormat::Float,
            Samples::Pcm24 => hound::SampleFormat::Int,
        };
        let spec =
            hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample: samples.bits(), sample_format };
        let writer = hound::WavWriter::create(path, spec);
        let writer = writer.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Wav { writer, samples })
    }

    fn write(&mut self, left: &[f32], right: &[f32]) -> anyhow::Result<()> {
        const FULL: f32 = 8_388_607.0;
        for sample in left.iter().zip(right).flat_map(|(left, right)| [*left, *right]) {
            match self.samples {
                Samples::Float => self.writer.write_sample(sample)?,
                Samples::Pcm24 => {
                    self.writer.write_sample((sample.clamp(-1.0, 1.0) * FULL).round() as i32)?;
                }
            }
        }
        Ok(())
    }
}

fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// A text and what it is called in messages.
struct Source {
    name: String,
    bytes: Vec<u8>,
}

impl Source {
    fn load(file: &Path) -> anyhow::Result<Source> {
        let (name, input): (_, Box<dyn Read>) = if is_standard(file) {
            ("standard input".to_owned(), Box::new(std::io::stdin()))
        } else {
            let opened = std::fs::File::open(file);
            let opened = opened.with_context(|| format!("cannot read {}", file.display()))?;
            (file.display().to_string(), Box::new(opened))
        };
        let mut bytes = Vec::new();
        let read = input.take(MAX_FILE + 1).read_to_end(&mut bytes);
        read.with_context(|| format!("cannot read {name}"))?;
        if bytes.len() as u64 > MAX_FILE {
            bail!("{name} is no notation file: it has more than {} MiB", MAX_FILE >> 20);
        }
        Ok(Source { name, bytes })
    }

    /// Reads the text; bytes that are no text are an error with its place.
    fn read(&self) -> Result<Reading, Vec<Diagnostic>> {
        match std::str::from_utf8(&self.bytes) {
            Ok(source) => text::read(source),
            Err(error) => {
                let (before, rest) = self.bytes.split_at(error.valid_up_to());
                let before = String::from_utf8_lossy(before);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
                let byte = rest.first().copied().unwrap_or(0);
                let message = format!("expected UTF-8 text, found the byte {byte:#04x}");
                let severity = Severity::Error;
                Err(vec![Diagnostic { severity, line, column, width: 1, message, help: None }])
            }
        }
    }

    /// Reads the text, or prints its errors and gives the exit code.
    fn read_or_show(&self) -> anyhow::Result<Result<Reading, ExitCode>> {
        let (found, reading) = match self.read() {
            Ok(reading) => (reading.warnings.clone(), Ok(reading)),
            Err(found) => (found, Err(ExitCode::FAILURE)),
        };
        write!(std::io::stderr(), "{}", self.show(&found))?;
        Ok(reading)
    }

    fn show(&self, found: &[Diagnostic]) -> String {
        text::report(found, &String::from_utf8_lossy(&self.bytes), &self.name)
    }
}

/// What a song looks like.
#[cfg(feature = "picture")]
mod picture {
    use std::convert::Infallible;
    use std::path::Path;

    use antiphon::client::listen::{self, Figures, Sound};
    use antiphon::client::render::{NamedFile, RenderConfig, render};
    use antiphon::param::{Owner, Param, Slot};
    use antiphon::pattern::Song;
    use antiphon::pattern::text::Reading;

    /// A fader this far down leaves the limiter nothing to do; 0.4 is −12.04 dB.
    const LOW: f32 = 0.4;

    /// Draws the song and prints its figures.
    pub fn show(
        name: &str,
        (reading, files): (&Reading, &[NamedFile]),
        config: RenderConfig,
        picture: Option<&Path>,
        print: bool,
    ) -> anyhow::Result<()> {
        let sound = sound_of(&reading.song, files, reading, config);
        let figures = Figures::of(&sound);
        if print {
            let mut quiet = Box::new(reading.song.clone());
            let level = Slot::new(Owner::Master, Param::Level).index();
            let fader = quiet.params[level];
            quiet.params[level] = LOW * fader;
            let before = Figures::of(&sound_of(&quiet, files, reading, config)).peak_db
                - 40.0 * f64::from(LOW).log10();
            let ceiling = f64::from(reading.song.param(Owner::Master, Param::Ceiling));
            let mut line = figures.json();
            line["limited_db"] = ((10.0 * (before - ceiling).max(0.0)).round() / 10.0).into();
            println!("{line}");
        }
        if let Some(file) = picture {
            let title = format!("{name}: {} bars at {} BPM", config.bars, reading.tempo.bpm());
            listen::draw(file, &title, &sound, &figures).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    fn sound_of(song: &Song, files: &[NamedFile], reading: &Reading, config: RenderConfig) -> Sound {
        let mut sides = [Vec::new(), Vec::new()];
        let told = render(song, files, reading.tempo, config, |left, right| {
            sides[0].extend_from_slice(left);
            sides[1].extend_from_slice(right);
            Ok::<(), Infallible>(())
        });
        told.unwrap_or_else(|never| match never {});
        Sound { sides, rate: config.rate }
    }
}
