//! The notation, golden and random, and the program's commands as a real process.
#![cfg(feature = "client")]

use std::path::PathBuf;
use std::sync::LazyLock;

use antiphon::param::{Owner, Param, TrackIndex};
use antiphon::pattern::text::{self, Severity};
use antiphon::pattern::{Clip, ClipSource, Edit, Name, Pitch, Register, Scene, Section, Song, TrackRegister};
use antiphon::time::Tempo;
use proptest::prelude::*;

#[path = "support/registers.rs"]
mod registers;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(golden(name)).expect("a golden file")
}

/// Compares with a golden file; `BLESS=1` writes it anew.
fn holds(name: &str, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(golden(name), actual).expect("a writable golden file");
    }
    assert_eq!(actual, text_of(name), "{name} differs; BLESS=1 writes it anew");
}

fn shown(source: &str, file: &str) -> String {
    let found = match text::read(source) {
        Ok(reading) => reading.warnings,
        Err(found) => found,
    };
    text::report(&found, source, file)
}

fn param(song: &Song, track: &str, param: Param) -> f32 {
    let owner = song.track_named(track).map_or(Owner::Master, Owner::Track);
    song.param(owner, param)
}

#[test]
fn the_base_form_reads() {
    let reading = text::read(&text_of("base.txt")).expect("the base form");
    let song = &reading.song;
    assert_eq!(reading.tempo.micro_bpm(), 124_500_000);
    let names: Vec<_> = song.alive().map(|(_, track)| track.name.to_string()).collect();
    assert_eq!(names, ["kick", "hat", "bass", "lead"]);
    let kick = song.track(TrackIndex::new(0).expect("track 0"));
    let pattern = kick.playing();
    assert_eq!((pattern.length, pattern.steps[0].velocity, pattern.steps[4].velocity), (16, 1.0, 0.7));
    assert_eq!(song.tracks[2].pitch, Some(Pitch::Note(36)));
    assert_eq!(song.tracks[3].pitch, Some(Pitch::Hertz(55.5)));
    assert_eq!(song.tracks[2].groove_steps, 0b100_1001);
    assert_eq!(param(song, "bass", Param::FilterFreq), 800.0);
    assert_eq!(param(song, "hat", Param::SampleGain), -1.0);
    assert_eq!(param(song, "master", Param::EqHigh), -1.0);
    assert_eq!(param(song, "master", Param::LfoTimeWave), 2.0);
    assert_eq!(param(song, "lead", Param::EnvEnabled), 1.0);
    assert_eq!(param(song, "lead", Param::PhaserStages), 1.0);
}

#[test]
fn golden_texts_keep_their_canonical_form_and_warnings() {
    for name in ["base", "extended"] {
        let source = text_of(&format!("{name}.txt"));
        holds(&format!("{name}.warnings"), &shown(&source, &format!("{name}.txt")));
        let reading = text::read(&source).expect("a sound text");
        holds(&format!("{name}.canonical"), &reading.document.canonical());
        holds(&format!("{name}.written"), &text::write(&reading.song, reading.tempo));
    }
}

#[test]
fn golden_errors_name_line_column_found_and_expected() {
    holds("bad.errors", &shown(&text_of("bad.txt"), "bad.txt"));
}

#[test]
fn a_seventeenth_track_is_an_error_at_its_own_line() {
    let source: String = (0..18).map(|n| format!("seq t{n}: x\n")).collect();
    let found = text::read(&source).expect_err("too many tracks");
    let places: Vec<_> = found.iter().map(|p| (p.severity, p.line, p.column)).collect();
    assert_eq!(places, [(Severity::Error, 17, 5), (Severity::Error, 18, 5)]);
}

#[test]
fn what_is_no_notation_is_given_up_in_time() {
    let source = "=".repeat(4000) + "\n";
    let found = text::read(&source.repeat(2000)).expect_err("no notation");
    assert!(found.len() <= text::MAX_PROBLEMS + 1, "{}", found.len());
    let source = "pan a: =".to_owned() + &"= ".repeat(2000) + "\n";
    let found = text::read(&source.repeat(2000)).expect_err("no notation");
    assert!(found.last().expect("a problem").message.starts_with("more than 1000 problems"));
    let found = text::read(&"pan a: 0\n".repeat(5000)).expect("repetition is no error").warnings;
    assert_eq!(found.len(), text::MAX_PROBLEMS);
    let long = "x".repeat(5000);
    let found = text::read(&format!("# {long}")).expect_err("a long line");
    assert_eq!(found[0].message, "a line holds at most 4096 characters");
}

#[test]
fn a_later_statement_replaces_an_earlier_one_whole() {
    let reading = text::read("filter b: freq=800\nfilter B: Q=3\nTEMPO 90\nTEMPO 91").expect("a text");
    assert_eq!(param(&reading.song, "b", Param::FilterFreq), 20_000.0);
    assert_eq!(param(&reading.song, "b", Param::FilterQ), 3.0);
    assert_eq!(reading.tempo.bpm(), 91.0);
    assert_eq!(reading.warnings.len(), 2);
}

#[test]
fn formatting_keeps_every_comment() {
    let source = text_of("base.txt") + "\n#last // one";
    let reading = text::read(&source).expect("a text");
    for comment in ["// The base form, one of everything.", "# four on the floor", "#last // one"] {
        assert!(reading.document.canonical().contains(comment), "{comment}");
    }
}

#[test]
fn patterns_that_follow_each_other_stand_in_columns() {
    let source = "seq kick: X...\nseq hat: x.x.\n\nseq b: x\n# apart\nseq lead: x\nnote b: 36\n";
    let canonical = text::read(source).expect("a text").document.canonical();
    let aligned = "seq kick: X...\nseq hat:  x.x.\n\nseq b: x\n# apart\nseq lead: x\nnote b: 36\n";
    assert_eq!(canonical, aligned);
}

#[test]
fn what_the_notation_cannot_say_is_said_in_a_comment() {
    let mut song = Song::new();
    for (at, name) in [(1, "master"), (3, "hat"), (5, "hat")] {
        song.tracks[at].alive = true;
        song.tracks[at].name = Name::new(name).expect("a name");
    }
    song.tracks[9].playing_mut().length = 3;
    assert_eq!(text::unsaid(&song).len(), 3);
    let written = text::write(&song, Tempo::DEFAULT);
    assert_eq!(written.matches("# not said here").count(), 3);
    let back = text::read(&written).expect("canonical text");
    assert_eq!(back.song.alive().map(|(at, _)| at.get()).collect::<Vec<_>>(), [1, 3, 5]);
}

/// Registers of the song as a whole, of cells and parameters, and of tracks and patterns.
static REGISTERS: LazyLock<[Vec<Register>; 3]> = LazyLock::new(|| {
    use TrackRegister::{Alive, Id, Name, Order};
    let mut lists = [Vec::new(), Vec::new(), Vec::new()];
    for register in Register::all() {
        match register {
            // Who a track is and whether it is there, `songs` says.
            Register::Track(_, Alive | Name | Id | Order) => {}
            Register::Track(..) | Register::Pattern(..) | Register::Lane(..) => lists[2].push(register),
            Register::Step(..) | Register::Lock(..) | Register::Param(_) => lists[1].push(register),
            _ => lists[0].push(register),
        }
    }
    lists
});

/// A random write of one register, within its bounds.
fn edits() -> impl Strategy<Value = Edit> {
    static UNTOUCHED: LazyLock<Song> = LazyLock::new(Song::new);
    let pick = (0..3usize, any::<prop::sample::Index>(), 0u32..1_000_000);
    pick.prop_map(|(list, index, n)| registers::write(&UNTOUCHED, *index.get(&REGISTERS[list]), n))
}

/// Random songs: any tracks in use, unused ones untouched.
fn songs() -> impl Strategy<Value = Song> {
    (any::<u16>(), proptest::collection::vec(edits(), 0..200)).prop_map(|(alive, edits)| {
        let mut song = Song::new();
        for at in TrackIndex::all().filter(|at| alive >> at.get() & 1 == 1) {
            song.tracks[at.get()].alive = true;
            song.tracks[at.get()].name = Name::new(&format!("t{}", 99 - at.get())).expect("a name");
        }
        for edit in edits.into_iter().map(|edit| edit.check().expect("within bounds")) {
            let owner = match edit {
                Edit::Seed(_) => None,
                Edit::Param { slot, .. } => Some(slot.owner()),
                _ => edit.register().track().map(Owner::Track),
            };
            if !matches!(owner, Some(Owner::Track(track)) if !song.track(track).alive) {
                song.apply(&edit);
            }
        }
        // What is removed or speaks of removed tracks is not said.
        let alive: Vec<bool> = song.tracks.iter().map(|track| track.alive).collect();
        for scene in &mut song.scenes {
            *scene = if scene.alive { *scene } else { Scene::UNUSED };
            for (pattern, alive) in scene.patterns.iter_mut().zip(&alive) {
                *pattern = pattern.filter(|_| *alive);
            }
        }
        for clip in &mut song.clips {
            let of_dead = matches!(clip.source, ClipSource::Pattern(track, _) if !alive[track.get()]);
            *clip = if clip.alive && !of_dead { *clip } else { Clip::UNUSED };
        }
        for section in &mut song.sections {
            *section = if section.alive { *section } else { Section::UNUSED };
        }
        song
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_song_reads_back_bit_for_bit(song in songs(), micro_bpm in 40_000_000u64..=300_000_000) {
        let tempo = Tempo::from_micro_bpm(micro_bpm).expect("a tempo");
        let written = text::write(&song, tempo);
        prop_assert!(!written.contains("# not said"), "{}", written);
        let back = text::read(&written).map_err(|found| TestCaseError::fail(format!("{found:?}\n{written}")))?;
        prop_assert_eq!(back.tempo, tempo);
        prop_assert!(back.song == song, "{}", written);
        prop_assert_eq!(back.song.digest(), song.digest());
        let bits = |song: &Song| song.params.map(f32::to_bits);
        prop_assert_eq!(bits(&back.song), bits(&song));
        // What is written, and what fmt makes of it, is the one canonical form.
        prop_assert_eq!(&back.document.canonical(), &written);
    }

    #[test]
    fn random_text_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let source = String::from_utf8_lossy(&bytes);
        shown(&source, "random");
    }

    #[test]
    fn mutated_text_never_panics_and_what_reads_is_stable(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..6, "\\PC{0,4}"), 1..12),
    ) {
        let mut source: Vec<char> = (text_of("base.txt") + &text_of("extended.txt")).chars().collect();
        for (at, gone, put) in cuts {
            let at = at.index(source.len());
            let end = (at + gone).min(source.len());
            source.splice(at..end, put.chars());
        }
        let source: String = source.into_iter().collect();
        shown(&source, "mutated");
        if let Ok(reading) = text::read(&source) {
            let canonical = reading.document.canonical();
            let again = text::read(&canonical).map_err(|found| TestCaseError::fail(format!("{found:?}")))?;
            prop_assert!(again.song == reading.song);
            prop_assert_eq!(again.document.canonical(), canonical);
        }
    }
}

/// Runs the program; gives its exit code, output and errors.
fn antiphon(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_prints_every_problem_and_tells_by_its_exit_code() {
    let (code, out, _) = antiphon(&["check", "-"], b"TEMPO 1\nseq kick: Z\nsend master: reverb=.3\n");
    assert_eq!(code, Some(1));
    assert!(out.contains("standard input:1:7") && out.contains("standard input:2:11"), "{out}");
    assert!(out.ends_with("standard input: 2 errors, 1 warning\n"), "{out}");
    let (code, out, _) = antiphon(&["check", "-"], b"seq kick: X...\n");
    assert_eq!((code, out.as_str()), (Some(0), "standard input: 0 errors, 0 warnings; 1 track at 120 BPM\n"));
    let (code, out, _) = antiphon(&["check", "-"], b"seq kick: X...\nseq hat: \xff\n");
    assert_eq!(code, Some(1));
    assert!(out.contains("expected UTF-8 text, found the byte 0xff") && out.contains(":2:10"), "{out}");
    let (code, _, errors) = antiphon(&["check", "no/such/file.txt"], b"");
    assert_eq!(code, Some(2));
    assert!(errors.contains("cannot read no/such/file.txt"), "{errors}");
}

#[test]
fn fmt_writes_the_canonical_form_and_leaves_a_broken_file_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("groove.txt");
    let file = path.to_str().expect("a path of text");
    std::fs::write(&path, "seq Kick :  X...  # one\n\n\n").expect("a file");
    assert_eq!(antiphon(&["fmt", "--check", file], b"").0, Some(1));
    assert_eq!(antiphon(&["fmt", file], b"").0, Some(0));
    let canonical = "seq kick: X...  # one\n";
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), canonical);
    assert_eq!(antiphon(&["fmt", "--check", file], b"").0, Some(0));
    assert_eq!(antiphon(&["fmt", "-"], b"seq kick:X...  # one").1, canonical);
    std::fs::write(&path, "seq kick: Z\n").expect("a file");
    let (code, _, errors) = antiphon(&["fmt", file], b"");
    assert_eq!(code, Some(1));
    assert!(errors.contains("found 'Z'"), "{errors}");
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "seq kick: Z\n");
}

#[test]
fn render_writes_as_many_frames_as_the_bars_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.wav");
    let out = path.to_str().expect("a path of text");
    let arguments = ["render", "-", out, "--bars", "2", "--rate", "44100", "--samples", "pcm24"];
    let (code, _, errors) = antiphon(&arguments, b"TEMPO 90\nseq kick: X...\n");
    assert_eq!(code, Some(0), "{errors}");
    let wav = hound::WavReader::open(&path).expect("a WAV file");
    assert_eq!((wav.spec().sample_rate, wav.spec().bits_per_sample, wav.spec().channels), (44_100, 24, 2));
    assert_eq!(wav.duration(), 2 * 4 * 44_100 * 60 / 90);
    let huge = ["render", "-", out, "--bars", "10000", "--rate", "384000"];
    let (code, _, errors) = antiphon(&huge, b"TEMPO 40\nseq kick: X...\n");
    assert_eq!(code, Some(2));
    assert!(errors.contains("more than a WAV file holds"), "{errors}");
    let (code, _, errors) = antiphon(&["render", "-", "no/such/folder/out.wav"], b"seq kick: X...\n");
    assert_eq!(code, Some(2));
    assert!(errors.contains("cannot write no/such/folder/out.wav"), "{errors}");
}

fn readme() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("the README")
}

/// The text between single backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_readme_shows_statements_that_read() {
    let readme = readme();
    let block = readme.split("```antiphon\n").nth(1).and_then(|rest| rest.split("```").next());
    let reading = text::read(block.expect("an example")).expect("the example reads");
    assert_eq!(reading.warnings, []);
    let rows = readme.lines().skip_while(|line| *line != "## The notation").filter(|l| l.starts_with("| `"));
    let shown: Vec<&str> = rows
        .flat_map(|row| quoted(row.trim_start_matches("| ").split(" | ").next().unwrap_or("")))
        .filter(|shown| shown.contains(' '))
        .collect();
    assert!(shown.len() > 25, "{shown:?}");
    for statement in shown {
        assert!(text::read(statement).is_ok(), "{}", self::shown(statement, "README.md"));
    }
}

#[test]
fn the_readme_names_every_default_voice() {
    use antiphon::pattern::{Voice, voice_named};
    let readme = readme();
    let rows = readme.lines().skip_while(|line| !line.starts_with("| ids with")).skip(2);
    let mut voices = Vec::new();
    for row in rows.take_while(|row| row.starts_with('|')) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let voice = Voice::ALL.into_iter().find(|voice| voice.name() == columns[2]).expect("a voice");
        voices.push(voice);
        for (words, stands_in) in [(columns[1], false), (columns[3], true)] {
            for word in quoted(words) {
                let choice = voice_named(&Name::new(word).expect("an id"), &Name::EMPTY);
                assert_eq!((choice.voice, choice.stands_in), (voice, stands_in), "{word}");
            }
        }
    }
    voices.sort_by_key(|voice| voice.name());
    voices.dedup();
    assert_eq!(voices.len(), Voice::ALL.len());
}

#[test]
fn the_block_size_changes_no_sample_and_the_rate_no_fingerprint() {
    let folder = tempfile::tempdir().expect("a folder");
    let groove = b"TEMPO 124\nseq kick: X...x...\nseq hat: x.o.x.oo\nseq bass: x..x..x.\nnote bass: 36\n";
    let render = |rate: &str, block: &str| {
        let path = folder.path().join(format!("{rate}-{block}.wav"));
        let out = path.to_str().expect("a path of text");
        let arguments =
            ["render", "-", out, "--bars", "2", "--rate", rate, "--block", block, "--fingerprints"];
        let (code, bars, errors) = antiphon(&arguments, groove);
        assert_eq!(code, Some(0), "{errors}");
        (std::fs::read(&path).expect("a WAV file"), bars)
    };
    let (wav, bars) = render("48000", "64");
    let lines: Vec<serde_json::Value> =
        bars.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.iter().map(|line| &line["bar"]).collect::<Vec<_>>(), [0, 1]);
    for line in &lines {
        let tracks = line["tracks"].as_object().expect("tracks");
        assert_eq!(tracks.keys().collect::<Vec<_>>(), ["bass", "hat", "kick"]);
        assert_ne!(tracks["kick"], tracks["hat"], "the tracks sound");
    }
    for block in ["17", "4096"] {
        let (other, other_bars) = render("48000", block);
        assert!(other == wav, "blocks of {block} differ");
        assert_eq!(other_bars, bars);
    }
    assert_eq!(render("44100", "512").1, bars);
}

#[test]
fn a_rendered_onset_stands_where_the_notation_puts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.wav");
    let out = path.to_str().expect("a path of text");
    // At 120 BPM a step lasts 6000 frames of 48 kHz.
    let (code, _, errors) = antiphon(&["render", "-", out, "--bars", "1"], b"seq snare: ....X...........\n");
    assert_eq!(code, Some(0), "{errors}");
    let mut wav = hound::WavReader::open(&path).expect("a WAV file");
    let left: Vec<f32> = wav.samples::<f32>().step_by(2).map(|sample| sample.expect("a sample")).collect();
    let onset = left.iter().position(|sample| sample.abs() > 1e-3).expect("a sound");
    assert!((24_000..24_048).contains(&onset), "the snare sounds at frame {onset}");
}

fn samples(path: &std::path::Path) -> Vec<f32> {
    let mut wav = hound::WavReader::open(path).expect("a WAV file");
    wav.samples::<f32>().map(|sample| sample.expect("a sample")).collect()
}

#[test]
fn stems_add_up_to_the_mix_where_nothing_changes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = |name: &str| folder.path().join(name).to_str().expect("a path of text").to_owned();
    let (out, stems) = (text("mix.wav"), text("stems"));
    let groove =
        b"TEMPO 120\nseq kick: o...o...\nseq hat: ..o...o.\nseq bass: o..o..o.\nfilter bass: freq=500\n\
                   chorus bass: mix=.5\n";
    let (code, _, errors) = antiphon(&["render", "-", &out, "--bars", "1", "--stems", &stems], groove);
    assert_eq!(code, Some(0), "{errors}");
    let mix = samples(folder.path().join("mix.wav").as_path());
    let tracks =
        ["kick", "hat", "bass"].map(|name| samples(&folder.path().join(format!("stems/{name}.wav"))));
    assert!(tracks.iter().all(|stem| stem.len() == mix.len() && stem.iter().any(|s| s.abs() > 0.01)));
    let far = |at: usize| (mix[at] - tracks.iter().map(|stem| stem[at]).sum::<f32>()).abs();
    let furthest = (0..mix.len()).map(far).fold(0.0, f32::max);
    assert!(furthest < 1e-6, "{furthest}");
}

#[test]
fn midi_files_are_written_and_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("groove.mid");
    let file = path.to_str().expect("a path of text");
    let groove = "TEMPO 97\nseq kick: X...x...\nseq hat: x.x.x.\nrate hat: 8t\n";
    let (code, _, errors) = antiphon(&["midi", "export", "-", file, "--bars", "2"], groove.as_bytes());
    assert_eq!(code, Some(0), "{errors}");
    let (code, text, errors) = antiphon(&["midi", "import", file, "-"], b"");
    assert_eq!(code, Some(0), "{errors}");
    let song = text::read(&text).expect("a groove").song;
    assert!(text.starts_with("TEMPO 97\n") && song.alive().count() == 2, "{text}");
    assert_eq!(song.tracks[1].playing().rate, antiphon::pattern::Rate::EighthTriplet);
    let (code, _, errors) = antiphon(&["midi", "import", "-", "-"], b"seq kick: X...");
    assert_eq!(code, Some(2));
    assert!(errors.contains("no MIDI file"), "{errors}");
}

#[test]
fn a_recorded_session_plays_again_to_the_same_file() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("groove"), "TEMPO 150\nseq kick: X...x...\nseq lead: x.x.x.xx\n").expect("a file");
    let mut peer = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["peer", "--solo", "--record"])
        .arg(path("heard.wav"))
        .arg("--record-session")
        .arg(path("told"))
        .arg("--load")
        .arg(path("groove"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut orders = peer.stdin.take().expect("its input");
    let mut lines = BufReader::new(peer.stdout.take().expect("its output")).lines();
    let mut wait_for = |event: &str, count: usize| {
        let named = format!("\"event\":\"{event}\"");
        let told = lines.by_ref().filter(|line| line.as_ref().is_ok_and(|line| line.contains(&named)));
        assert_eq!(told.take(count).count(), count, "{event}");
    };
    writeln!(orders, "load {}\nplay", path("groove").display()).expect("its input");
    wait_for("onset", 12);
    writeln!(orders, "set kick.tune 5\nstep lead 1 on next\nnote lead 64 0.8 60\ntempo 170")
        .expect("its input");
    wait_for("onset", 30);
    writeln!(orders, "quit").expect("its input");
    assert!(peer.wait().expect("its end").success());
    let told = path("told");
    let again = path("again.wav");
    let arguments = ["replay", told.to_str().expect("a path"), again.to_str().expect("a path")];
    let (code, _, errors) = antiphon(&arguments, b"");
    assert_eq!(code, Some(0), "{errors}");
    let (heard, again) = (std::fs::read(path("heard.wav")), std::fs::read(again));
    assert!(heard.expect("a file") == again.expect("a file"), "the same bytes");
    assert!(samples(&path("heard.wav")).iter().any(|sample| sample.abs() > 0.1));
}
