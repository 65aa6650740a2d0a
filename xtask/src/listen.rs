//! `cargo xtask listen`: every voice and six songs (with `--presets` the factory's sounds and grooves
//! too, or files of your own) as WAV and picture in `target/listen`, and a table of their figures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::steps;

#[derive(clap::Args)]
pub struct Arguments {
    /// Notation files; without any, every voice and the six songs.
    files: Vec<PathBuf>,
    /// The factory's sounds and grooves, too.
    #[arg(long)]
    presets: bool,
    /// Figures alone, without pictures.
    #[arg(long)]
    figures: bool,
    /// Bars of a song or file.
    #[arg(long, default_value_t = 8)]
    bars: u32,
    /// Where it goes.
    #[arg(long, default_value = "target/listen")]
    out: PathBuf,
}

/// Something to be heard.
struct Piece {
    name: String,
    text: String,
    bars: u32,
}

/// A line of `antiphon render --figures`, as far as the table shows it.
#[derive(Deserialize)]
struct Figures {
    lufs: Option<f64>,
    rms_db: Option<f64>,
    peak_db: Option<f64>,
    crest_db: Option<f64>,
    dc: [f64; 2],
    correlation: f64,
    width_db: Option<f64>,
    slope_db_per_octave: Option<f64>,
    octaves_hz_db_width: Vec<(f64, Option<f64>, Option<f64>)>,
    balance_hz_db: Vec<(f64, Option<f64>)>,
    limited_db: f64,
}

/// Each voice struck hard, then softly; held ones play a note, then a chord or a line.
const VOICES: [(&str, &str); 13] = [
    ("kick", "seq v: X.......o......."),
    ("snare", "seq v: X.......o......."),
    ("closed", "seq v: X...x...o..."),
    ("open", "seq v: X.......o......."),
    ("clap", "seq v: X.......o......."),
    ("tom", "seq v: X...X...o.......\nstep v.4: note=52"),
    ("perc", "seq v: X...X...o.......\nstep v.4: note=67"),
    ("shaker", "seq v: X.x.X.x.o......."),
    ("cymbal", "seq v: X..............."),
    ("synth", "seq v: X...x...X.......\nnote v: 57\nstep v.8: also=60,64 gate=400"),
    ("bass", "seq v: X...x...X.X.....\nnote v: 33\nstep v.8: tie=on\nstep v.10: note=40 gate=300"),
    ("pad", "seq v: X...............\nnote v: 53\nstep v.0: also=57,60,64 gate=1200"),
    ("fm", "seq v: X...x...X.......\nnote v: 60\nstep v.8: also=64,67 gate=400"),
];

/// `cargo xtask listen`.
///
/// # Errors
/// A build fails, or a piece cannot be read or written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let program = steps::target().join("debug/antiphon");
    steps::step("build antiphon with pictures", || {
        steps::run(&mut steps::cargo("build --quiet --bin antiphon --features picture"))
    })?;
    std::fs::create_dir_all(&arguments.out)?;
    let mut table = String::from(
        "piece                    LUFS    RMS   peak  crest       DC   corr  sides  slope  limiter  octaves 31 Hz to 16 kHz (dB)                            farthest from a record's slope\n",
    );
    for piece in pieces(arguments)? {
        let line = listen(&program, &piece, arguments).with_context(|| piece.name.clone())?;
        eprint!("{line}");
        table.push_str(&line);
    }
    std::fs::write(arguments.out.join("figures.txt"), &table)?;
    print!("{table}");
    Ok(())
}

fn pieces(arguments: &Arguments) -> Result<Vec<Piece>> {
    let read = |file: &Path| -> Result<Piece> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Piece { name, text, bars: arguments.bars })
    };
    if !arguments.files.is_empty() {
        return arguments.files.iter().map(|file| read(file)).collect();
    }
    let voice = |(voice, line): (&str, &str)| Piece {
        name: format!("voice-{voice}"),
        text: format!("TEMPO 120\nsample v: {voice}\n{line}\n"),
        bars: if matches!(voice, "cymbal" | "pad") { 2 } else { 1 },
    };
    let mut pieces: Vec<Piece> = VOICES.into_iter().map(voice).collect();
    let mut songs: Vec<PathBuf> = std::fs::read_dir("tests/architectures/songs")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    songs.sort();
    for song in songs {
        pieces.push(read(&song)?);
    }
    if arguments.presets {
        pieces.extend(bank("sounds", "\nseq sound: X...x.o.X..x.X..\nTEMPO 110\n", 2)?);
        pieces.extend(bank("grooves", "\n", 4)?);
    }
    Ok(pieces)
}

/// A bank of the factory: presets begin with `@ name, kind: about`.
fn bank(name: &str, also: &str, bars: u32) -> Result<Vec<Piece>> {
    let text = std::fs::read_to_string(format!("src/pattern/presets/{name}.txt"))?;
    let preset = |preset: &str| {
        let (head, text) = preset.split_once('\n').unwrap_or((preset, ""));
        let (preset, _) = head.split_once(',').unwrap_or((head, ""));
        Piece {
            name: format!("{}-{preset}", name.trim_end_matches('s')),
            text: format!("{text}{also}"),
            bars,
        }
    };
    Ok(text.split("\n@ ").skip(1).map(preset).collect())
}

/// Renders a piece, and gives its line of the table.
fn listen(program: &Path, piece: &Piece, arguments: &Arguments) -> Result<String> {
    let file = |ending: &str| arguments.out.join(format!("{}.{ending}", piece.name));
    std::fs::write(file("txt"), &piece.text)?;
    let mut command = std::process::Command::new(program);
    command.arg("render").arg(file("txt")).arg(file("wav"));
    command.args(["--bars", &piece.bars.to_string(), "--figures"]);
    if !arguments.figures {
        command.arg("--picture").arg(file("png"));
    }
    let figures: Figures = serde_json::from_str(&steps::output(&mut command)?)?;
    let tenth = |value: Option<f64>| value.map_or("    −∞".to_owned(), |value| format!("{value:6.1}"));
    let mut line = format!("{:22}", piece.name);
    for value in [figures.lufs, figures.rms_db, figures.peak_db, figures.crest_db] {
        write!(line, " {}", tenth(value))?;
    }
    let dc = figures.dc[0].abs().max(figures.dc[1].abs());
    write!(line, " {dc:8.5} {:6.2} {}", figures.correlation, tenth(figures.width_db))?;
    write!(line, " {}  {:6.1} ", tenth(figures.slope_db_per_octave), figures.limited_db)?;
    for (_, level, _) in &figures.octaves_hz_db_width {
        write!(line, " {:4.0}", level.unwrap_or(-99.0).max(-99.0))?;
    }
    let far = figures.balance_hz_db.iter().filter_map(|(hz, off)| off.map(|off| (hz, off)));
    if let Some((hz, off)) = far.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())) {
        write!(line, "  {off:+5.1} at {hz:.0}")?;
    }
    line.push('\n');
    Ok(line)
}
