//! The main job: one groove in two hosts, automated in one, edited from the other's side.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::ardour::{self, Ardour};
use super::clap_host::Order;
use super::plot::{self, PathOf, Wave};
use super::process::{Process, event_log};
use super::report::{Report, Traffic};
use super::server::{Server, Session};
use super::studio::{self, ClapStudio, Place};

const PATIENCE: Duration = Duration::from_secs(20);
/// Bars with stamped edits alone, and bars after the last edit; one more is played of each, so that
/// the last one is heard to its end on both sides.
const BARS_BEFORE: u32 = 9;
const BARS_AFTER: u32 = 10;
/// After this much without a commit everything has arrived.
const SETTLED: Duration = Duration::from_millis(1_500);
/// The engine's ticks in a quarter note.
const TICKS: f64 = 705_600.0;

/// What the audit after the server's end needs.
pub struct Played {
    session: Session,
    profiles: Vec<PathBuf>,
    digests: Vec<String>,
}

/// The parts of a groove that the jam lays hands on.
struct Groove {
    bpm: f64,
    tracks: Vec<String>,
    /// The track whose cutoff is automated, counted from 1.
    automated: usize,
}

impl Groove {
    fn read(file: &str) -> Result<Groove> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
        let (mut bpm, mut tracks) = (120.0, Vec::<String>::new());
        for line in text.lines().map(str::trim) {
            if let Some(tempo) = line.strip_prefix("TEMPO ") {
                bpm = tempo.split(['#', '/']).next().unwrap_or("").trim().parse().unwrap_or(bpm);
            }
            if let Some((name, _)) = line.strip_prefix("seq ").and_then(|rest| rest.split_once(':')) {
                let name = name.trim().to_lowercase();
                if !tracks.contains(&name) {
                    tracks.push(name);
                }
            }
        }
        if tracks.is_empty() {
            bail!("{file} has no pattern: the jam edits the steps of a `seq`");
        }
        let automated = tracks.iter().position(|name| name == "bass").map_or(1, |at| at + 1);
        Ok(Groove { bpm, tracks, automated })
    }

    fn bars(&self, count: f64) -> Duration {
        Duration::from_secs_f64(count * 4.0 * 60.0 / self.bpm)
    }
}

/// Plays it, and fills in what it shows.
pub fn play(place: &Place<'_>, server: &Server, file: &str, report: &mut Report) -> Result<Played> {
    let groove = Groove::read(file)?;
    let session = server.session()?;
    let [profile_a, profile_b, profile_hands] =
        [place.profile("studio-a")?, place.profile("studio-b")?, place.profile("studio-b-hands")?];
    let mut hands = place.peer("Studio B hands", &profile_hands, &session.link, &["--load", file])?;
    super::wait_until_saved(&mut hands)?;

    let recording = place.out.join("studio-a.wav");
    let path = recording.to_string_lossy();
    let mut a = ClapStudio::start(place, "Studio A", &profile_a, &session.link, &["--record", &path])?;
    let mut b = Ardour::start(&place.bundle.vst3, &profile_b, &session.link, groove.bpm, &place.logs())?;
    super::wait_until_online(server, &session, 3)?;
    settle(&[&profile_a, &profile_b])?;

    // The hands' own clock runs a little ahead of both hosts, so that the next bar of theirs is
    // still ahead of everybody.
    let mark = hands.mark();
    hands.send("play")?;
    hands.wait("the start", mark, PATIENCE, |event| {
        (event["event"] == "timeline" && event["playing"] == true).then_some(())
    })?;
    std::thread::sleep(groove.bars(1.5));
    a.order(&Order::Tempo { bpm: groove.bpm })?;
    a.roll()?;
    b.roll()?;
    eprintln!("    both play; edits are stamped for the next bar");
    let mut edits = Edits::new(&groove);
    edits.stamped(&mut hands)?;
    eprintln!(
        "    cutoff of '{}' automated in A, steps edited at once in B",
        groove.tracks[groove.automated - 1]
    );
    edits.at_once(&mut hands, &mut a)?;
    // The hosts run behind the hands: the last stamped edit has to come to its bar in both.
    std::thread::sleep(groove.bars(4.0));
    settle(&[&profile_a, &profile_b])?;

    let before = compared(&server.of(&session, "fingerprints")?);
    b.stop()?;
    a.order(&Order::Stop)?;
    eprintln!("    after the last edit: both from bar 1");
    let rolling = a.roll()?;
    b.roll()?;
    std::thread::sleep(groove.bars(f64::from(BARS_AFTER) + 1.0));
    let told = server.of(&session, "fingerprints")?;
    let after = compared(&told);
    report.bars_compared = after.len();
    report.bars_after_last_edit = after.difference(&before).count();
    report.fingerprints_equal = told["mismatched"] == 0 && !after.is_empty();
    if !report.fingerprints_equal {
        eprintln!("    different bars: {}", different(&told));
    }
    traffic(&server.of(&session, "participants")?, report);

    let digest = |process: &mut Process| digest(process);
    let digests = vec![digest(&mut hands)?];
    hands.finish("quit", PATIENCE)?;
    let takes = b.finish()?;
    report.late_blocks += a.finish()?.0;
    let frame = rolling["frame"].as_u64().context("the host told no frame")?;
    let pictures = Pictures { groove: &groove, recording: &recording, frame, takes: &takes, edits: &edits };
    let profiles = vec![profile_a, profile_b, profile_hands];
    report.files.extend(pictures.draw(place, &profiles)?);
    Ok(Played { session, profiles, digests })
}

/// What was done, when, for the picture.
struct Edits<'a> {
    groove: &'a Groove,
    begun: Option<Instant>,
    points: Vec<(f64, f64)>,
    words: Vec<(f64, String)>,
}

impl<'a> Edits<'a> {
    fn new(groove: &'a Groove) -> Edits<'a> {
        Edits { groove, begun: None, points: Vec::new(), words: Vec::new() }
    }

    fn now(&mut self) -> f64 {
        self.begun.get_or_insert_with(Instant::now).elapsed().as_secs_f64()
    }

    fn hand(&mut self, hands: &mut Process, order: &str) -> Result<()> {
        let at = self.now();
        self.words.push((at, order.to_owned()));
        hands.send(order)
    }

    /// Steps of the first track, each for the next bar.
    fn stamped(&mut self, hands: &mut Process) -> Result<()> {
        let track = self.groove.tracks[0].clone();
        for bar in 0..BARS_BEFORE {
            std::thread::sleep(self.groove.bars(1.0));
            if bar % 3 == 1 {
                let (step, on) = (4 + bar, if bar % 2 == 1 { "on" } else { "off" });
                self.hand(hands, &format!("step {track} {step} {on} at next"))?;
            }
        }
        Ok(())
    }

    /// The cutoff up and down in A; steps at once and stamped from B's side.
    fn at_once(&mut self, hands: &mut Process, a: &mut ClapStudio) -> Result<()> {
        let param = format!("{} Filter cutoff", self.groove.automated);
        let [first, second] =
            [0, 1].map(|at| self.groove.tracks[at.min(self.groove.tracks.len() - 1)].clone());
        let (low, high) = (0.35, 0.85);
        for (from, to, seconds) in [(low, high, 3.0), (high, low, 2.0), (low, 0.5, 1.0)] {
            let at = self.now();
            self.points.extend([(at, from), (at + seconds, to)]);
            a.order(&Order::Ramp { param: param.clone(), from, to, seconds })?;
            self.hand(hands, &format!("step {second} 8 on"))?;
            std::thread::sleep(Duration::from_secs_f64(seconds / 3.0));
            self.hand(hands, &format!("step {first} 15 on at next"))?;
            std::thread::sleep(Duration::from_secs_f64(seconds / 3.0));
            self.hand(hands, &format!("step {second} 8 off"))?;
            std::thread::sleep(Duration::from_secs_f64(seconds / 3.0 + 0.4));
        }
        self.hand(hands, &format!("set {second}.level 0.7"))?;
        self.hand(hands, &format!("step {first} 15 off at next"))
    }
}

/// Waits until no studio has had a commit for a while.
fn settle(profiles: &[&PathBuf]) -> Result<()> {
    let applied = || -> Result<usize> {
        let counts = profiles.iter().map(|profile| {
            Ok(event_log(profile)?.iter().filter(|event| event["event"] == "applied").count())
        });
        counts.sum()
    };
    let deadline = Instant::now() + PATIENCE;
    let (mut last, mut since) = (applied()?, Instant::now());
    while since.elapsed() < SETTLED && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        let now = applied()?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// Bars that two of the participants sounded from equal input, by their number and key.
fn compared(told: &Value) -> BTreeSet<(i64, String)> {
    let bars = told["bars"].as_array().map(Vec::as_slice).unwrap_or_default();
    let several =
        bars.iter().filter(|bar| bar["clients"].as_array().is_some_and(|clients| clients.len() > 1));
    several.filter_map(|bar| Some((bar["bar"].as_i64()?, bar["input_key"].as_str()?.to_owned()))).collect()
}

fn different(told: &Value) -> String {
    let bars = told["bars"].as_array().map(Vec::as_slice).unwrap_or_default();
    let different = bars.iter().filter(|bar| bar["equal"] == false);
    different
        .map(|bar| format!("{} (tracks {:b})", bar["bar"], bar["differ"].as_u64().unwrap_or(0)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The busiest participant's bytes, and the widest clock bound.
fn traffic(participants: &Value, report: &mut Report) {
    let mut busiest = Traffic::default();
    for one in participants.as_array().map(Vec::as_slice).unwrap_or_default() {
        let figure = |name: &str| one[name].as_f64().unwrap_or(0.0);
        let seconds = figure("seconds").max(1.0);
        busiest.up = busiest.up.max(figure("bytes_up") / seconds);
        busiest.down = busiest.down.max(figure("bytes_down") / seconds);
        report.clock_bound_us = report.clock_bound_us.max(figure("clock_bound_us"));
        eprintln!(
            "    {}: {:.0} B/s up, {:.0} B/s down over {seconds:.0} s, clock bound {:.0} us",
            one["name"],
            figure("bytes_up") / seconds,
            figure("bytes_down") / seconds,
            figure("clock_bound_us"),
        );
    }
    report.bytes_per_second = busiest;
}

/// A peer's digest of its confirmed state.
fn digest(peer: &mut Process) -> Result<String> {
    let mark = peer.mark();
    peer.send("hash")?;
    let told = peer.wait_for("hash", mark, PATIENCE)?;
    Ok(told["digest"].as_str().context("a hash event without its digest")?.to_owned())
}

/// Holds what was acknowledged against the reopened store and against every replica.
pub fn audit(server: &Server, played: &Played, report: &mut Report) -> Result<()> {
    let dump = server.dump(&played.session)?;
    let commits: Vec<&Value> = dump.iter().filter(|line| line["ops"].is_array()).collect();
    let stored: BTreeSet<(u64, u64)> = commits
        .iter()
        .filter_map(|commit| Some((commit["seq"].as_u64()?, commit["cseq"].as_u64()?)))
        .collect();
    let ops_of = |seq: u64| {
        let commit = commits.iter().find(|commit| commit["seq"].as_u64() == Some(seq));
        commit.and_then(|commit| commit["ops"].as_array()).map_or(1, Vec::len)
    };
    let logs: Vec<Vec<Value>> =
        played.profiles.iter().map(|profile| event_log(profile)).collect::<Result<_>>()?;
    let mut acknowledged = BTreeSet::new();
    for log in &logs {
        for event in log.iter().filter(|event| event["event"] == "acked") {
            acknowledged.extend(event["seq"].as_u64().zip(event["cseq"].as_u64()));
        }
    }
    let mut lost = BTreeSet::new();
    lost.extend(acknowledged.difference(&stored).map(|(seq, _)| *seq));
    for log in &logs {
        let applied: BTreeSet<u64> = log
            .iter()
            .filter(|event| event["event"] == "applied")
            .filter_map(|event| event["seq"].as_u64())
            .collect();
        // What came before a replica's first commit came in its snapshot.
        let first = applied.iter().copied().find(|seq| *seq > 0).unwrap_or(u64::MAX);
        lost.extend(
            acknowledged.iter().map(|(seq, _)| *seq).filter(|seq| *seq > first && !applied.contains(seq)),
        );
    }
    report.ops_acknowledged = acknowledged.iter().map(|(seq, _)| ops_of(*seq)).sum();
    report.ops_lost = lost.iter().map(|seq| ops_of(*seq)).sum();
    let replayed =
        dump.iter().find_map(|line| line["digest"].as_str()).context("the dump tells no digest")?;
    for digest in played.digests.iter().filter(|digest| *digest != replayed) {
        eprintln!("    a replica's state is {digest}, the reopened store's {replayed}");
        report.ops_lost += 1;
    }
    Ok(())
}

/// What the picture is made of.
struct Pictures<'a> {
    groove: &'a Groove,
    recording: &'a PathBuf,
    /// The frame of A's recording at which the last run began.
    frame: u64,
    takes: &'a [[PathBuf; 2]],
    edits: &'a Edits<'a>,
}

impl Pictures<'_> {
    /// Draws the last run's first bars; gives every file there is.
    fn draw(&self, place: &Place<'_>, profiles: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let (samples_a, rate_a) = plot::read(self.recording, self.frame)?;
        let take = self.takes.last().context("Ardour recorded nothing")?;
        let (samples_b, rate_b) = plot::read(&take[0], ardour::TAPE_LATE)?;
        let stereo = place.out.join("studio-b.wav");
        join_channels(take, &stereo)?;
        let waves = [
            Wave {
                title: format!(
                    "Studio A: our CLAP host, {} Hz, {} frames a block",
                    studio::RATE,
                    studio::BLOCK
                ),
                samples: samples_a,
                rate: rate_a,
                onsets: self.onsets(&profiles[0])?,
            },
            Wave {
                title: format!(
                    "Studio B: Ardour, VST3, {} Hz, {} frames a block",
                    ardour::RATE,
                    ardour::BLOCK
                ),
                samples: samples_b,
                rate: rate_b,
                onsets: self.onsets(&profiles[1])?,
            },
        ];
        let automated = &self.groove.tracks[self.groove.automated - 1];
        let path = PathOf {
            title: format!(
                "The edits before: cutoff of '{automated}' automated in A (blue), steps edited in B (orange)"
            ),
            unit: "cutoff, knob travel".to_owned(),
            points: self.edits.points.clone(),
            edits: self.edits.words.clone(),
        };
        let picture = place.out.join("jam.png");
        let seconds = self.groove.bars(2.0).as_secs_f64();
        plot::draw(&picture, &waves, &path, &self.groove.tracks, seconds)?;
        Ok(vec![self.recording.clone(), stereo, picture])
    }

    /// The last run's onsets in seconds from bar 1.
    fn onsets(&self, profile: &std::path::Path) -> Result<Vec<(f64, usize)>> {
        let events = event_log(profile)?;
        let notes: Vec<(i64, usize)> = events
            .iter()
            .filter(|event| event["event"] == "onset")
            .filter_map(|event| Some((event["tick"].as_i64()?, event["track"].as_u64()? as usize)))
            .collect();
        // A run begins where the position falls back; swing and micro-timing move by less than this.
        let begins =
            notes.windows(2).rposition(|pair| pair[1].0 < pair[0].0 - TICKS as i64).map_or(0, |at| at + 1);
        let seconds = |tick: i64| tick as f64 / TICKS * 60.0 / self.groove.bpm;
        Ok(notes[begins..].iter().map(|(tick, track)| (seconds(*tick), *track)).collect())
    }
}

/// One stereo file of Ardour's two mono ones.
fn join_channels(take: &[PathBuf; 2], to: &PathBuf) -> Result<()> {
    let (left, rate) = plot::read(&take[0], ardour::TAPE_LATE)?;
    let (right, _) = plot::read(&take[1], ardour::TAPE_LATE)?;
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut file =
        hound::WavWriter::create(to, spec).with_context(|| format!("creating {}", to.display()))?;
    for (left, right) in left.into_iter().zip(right) {
        file.write_sample(left)?;
        file.write_sample(right)?;
    }
    file.finalize().context("closing Studio B's recording")
}
