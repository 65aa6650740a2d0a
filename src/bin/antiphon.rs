//! `antiphon`: the notation's commands and the headless peer.
//!
//! Exit codes: 0 all is well, 1 the text has errors (or is not canonical), 2 anything else.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use antiphon::client::peer::{self, PeerArgs};
use antiphon::client::render::{RenderConfig, render};
use antiphon::pattern::Song;
use antiphon::pattern::text::{self, Diagnostic, Reading, Severity};
use antiphon::rt::ports::BarFingerprint;
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
    },
    /// Join a session as a headless peer: commands on standard input, events as JSON lines.
    Peer(PeerArgs),
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
        Command::Render { file, out, bars, rate, block, samples, fingerprints } => {
            let config = RenderConfig { bars, rate, block: block as usize };
            render_file(&file, &out, config, samples, fingerprints)
        }
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

fn render_file(
    file: &Path,
    out: &Path,
    config: RenderConfig,
    samples: Samples,
    fingerprints: bool,
) -> anyhow::Result<ExitCode> {
    let source = Source::load(file)?;
    let reading = match source.read_or_show()? {
        Ok(reading) => reading,
        Err(code) => return Ok(code),
    };
    // A WAV file counts its bytes in 32 bits.
    let bytes = config.frames(reading.tempo) * 2 * u64::from(samples.bits() / 8);
    if bytes > u64::from(u32::MAX) - 1024 {
        bail!("{} bars are {} MiB, more than a WAV file holds: ask for fewer", config.bars, bytes >> 20);
    }
    let mut wav = Wav::create(out, config.rate, samples)?;
    let bars = render(&reading.song, reading.tempo, config, |left, right| wav.write(left, right))?;
    wav.writer.finalize().with_context(|| format!("cannot finish {}", out.display()))?;
    if fingerprints {
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
