//! A real host paced as a device paces it, in a session with peers of their own processes: it leads
//! them, or follows the session whatever its own tempo. What is compared is what was given out.

#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/recording.rs"]
mod recording;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use antiphon::time::{Clock, HostNanos, RawClock};
use serde_json::Value;

use self::peer::{Peer, number};
use self::recording::Recording;
use crate::clap::{Host, Position, RATE, Take};
use crate::session::server::Server;

const MS: f64 = 1e6;
const SECOND: f64 = 1e9;
const BLOCK: usize = 512;
/// How far from the host's onset another's may lie: SPEC's bar.
const APART: f64 = 5.0 * MS;
/// A rhythm that tells where in the bar one is.
const GROOVE: &str = "TEMPO 120\nseq kick: X..X.....X......\ndecay kick: 0.2\n";

/// What a person does at the host.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Play { quarters: f64 },
    Stop,
    Locate { quarters: f64 },
    Loop { start: f64, end: f64 },
    Tempo { bpm: f64 },
    Quit,
}

/// The host's transport on its audio thread.
struct Transport {
    deeds: Receiver<Deed>,
    /// Told when a deed was done, and at each block: its frame.
    done: Sender<usize>,
    begun: HostNanos,
    position: Position,
}

impl Transport {
    /// Waits for a block's time as a device does, and says where the transport stands then.
    fn next(&mut self, frame: usize) -> Option<Position> {
        if frame == 0 {
            prefer_realtime();
        }
        let due = self.begun.0 + (frame as f64 / RATE * SECOND) as i64;
        if let Ok(early) = u64::try_from(due - RawClock.now().0) {
            std::thread::sleep(Duration::from_nanos(early));
        }
        let position = &mut self.position;
        if position.playing && frame > 0 {
            position.quarters += BLOCK as f64 / RATE * position.bpm / 60.0;
            if let Some((start, end)) = position.looped.filter(|(_, end)| position.quarters >= *end) {
                position.quarters += start - end;
            }
        }
        while let Ok(deed) = self.deeds.try_recv() {
            match deed {
                Deed::Play { quarters } => (position.playing, position.quarters) = (true, quarters),
                Deed::Stop => position.playing = false,
                Deed::Locate { quarters } => position.quarters = quarters,
                Deed::Loop { start, end } => position.looped = Some((start, end)),
                Deed::Tempo { bpm } => position.bpm = bpm,
                Deed::Quit => return None,
            }
        }
        // Nobody listens once the test has ended.
        let _ = self.done.send(frame);
        Some(*position)
    }
}

/// A person at the host.
struct Hand {
    deeds: Sender<Deed>,
    done: Receiver<usize>,
    begun: HostNanos,
}

impl Hand {
    /// Does something, and gives the host time of a block in which it is done.
    fn does(&self, deed: Deed) -> f64 {
        while self.done.try_recv().is_ok() {}
        self.deeds.send(deed).expect("the host runs");
        // The block under way may have looked before.
        self.block();
        self.block()
    }

    /// The next block's host time.
    fn block(&self) -> f64 {
        let frame = self.done.recv_timeout(peer::DEADLINE).expect("the host runs");
        self.begun.0 as f64 + frame as f64 / RATE * SECOND
    }

    /// Lets so many seconds of sound pass; the host time then.
    fn listens(&self, seconds: f64) -> f64 {
        let from = self.block();
        loop {
            let now = self.block();
            if now >= from + seconds * SECOND {
                return now;
            }
        }
    }
}

/// Lets the calling thread go before others where that is allowed: as a device's does.
fn prefer_realtime() {
    #[cfg(target_os = "linux")]
    {
        let wanted = libc::sched_param { sched_priority: 10 };
        // SAFETY: `wanted` is a valid sched_param, and 0 names the calling thread.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &wanted) };
    }
}

/// Lets a host play at a device's pace while a person has it in hand; gives what it gave out.
fn at_the_host<T>(host: &mut Host, rolling: Position, person: impl FnOnce(&Hand) -> T) -> (Recording, T) {
    let ((deeds, orders), (done, told)) = (channel(), channel());
    let begun = HostNanos(RawClock.now().0 + 20_000_000);
    let mut transport = Transport { deeds: orders, done, begun, position: rolling };
    let hand = Hand { deeds, done: told, begun };
    let (take, made): (Take, T) = host.perform_while(
        BLOCK,
        |frame| transport.next(frame),
        || {
            let made = person(&hand);
            hand.does_last();
            made
        },
    );
    (Recording::from_frames(take.left, begun.0, RATE), made)
}

impl Hand {
    fn does_last(&self) {
        self.deeds.send(Deed::Quit).expect("the host runs");
    }
}

/// Settings of the plugin in this process.
fn environment(settings: &[(&str, &str)]) {
    crate::profile();
    for (name, value) in settings {
        // SAFETY: the plugin's threads do not run yet, and nextest gives each test its own process.
        unsafe { std::env::set_var(name, value) };
    }
}

/// The plugin as another sees it, once its clock is known.
fn known(other: &mut Peer) -> Value {
    let of = |line: &Value| {
        let peers = line["peers"].as_array().expect("a list");
        peers.iter().find(|peer| peer["name"] == "studio").cloned()
    };
    let known = |line: &Value| of(line).is_some_and(|peer| number(&peer, "clock_bound_us") > 0);
    of(&other.answer_when("peers", "peers", known)).expect("found before")
}

/// Where in each of the times of `one`, another has just one onset, `APART` at most away; and no others.
fn together(what: &str, one: &Recording, other: &Recording, from: f64, until: f64) -> f64 {
    let (here, there) = (one.between(from, until), other.between(from - APART, until + APART));
    let shown = |times: &[f64]| times.iter().map(|at| ((at - from) / MS).round()).collect::<Vec<_>>();
    let mut furthest = 0.0f64;
    for at in &here {
        let near = there.iter().map(|other| (other - at).abs()).fold(f64::INFINITY, f64::min);
        assert!(near < APART, "{what}: ms of the host {:?}, of the other {:?}", shown(&here), shown(&there));
        furthest = furthest.max(near);
    }
    assert!(
        here.len() >= 4 && there.len() <= here.len() + 2,
        "{what}: {:?} {:?}",
        shown(&here),
        shown(&there)
    );
    let inner = other.between(from + APART, until - APART).len();
    assert!(inner <= here.len(), "{what}: {:?} {:?}", shown(&here), shown(&there));
    println!("{what}: {} onsets, {:.2} ms apart at most", here.len(), furthest / MS);
    furthest
}

const STANDS: Position = Position { playing: false, bpm: 100.0, quarters: 0.0, looped: None };

#[test]
fn a_host_in_mode_lead_is_followed_by_who_is_elsewhere_and_by_its_own_machine() {
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    environment(&[("ANTIPHON_LINK", &link), ("ANTIPHON_MODE", "lead"), ("ANTIPHON_NAME", "studio")]);
    let own = std::path::PathBuf::from(std::env::var("ANTIPHON_HOME").expect("a profile"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("groove"), GROOVE).expect("a written file");
    let plain = |name: &str| file(name).to_str().expect("a plain path").to_owned();
    let (groove, far_wav, near_wav) = (plain("groove"), plain("far.wav"), plain("near.wav"));
    let mut far = Peer::join(
        &link,
        "far",
        &["--mode", "follow", "--rate", "44100", "--load", &groove, "--record", &far_wav],
    );
    far.state_when(|notation| notation.contains("TEMPO 120") && notation.contains("kick"));

    let mut host = Host::active(RATE, BLOCK as u32);
    // The host rolls before it has joined.
    let rolls = Position { playing: true, ..STANDS };
    let (lead, (moments, told, near_told)) = at_the_host(&mut host, rolls, |hand| {
        known(&mut far);
        // Through the machine's hub: an instance of the same profile.
        let arguments = ["--mode", "follow", "--record", &near_wav];
        let mut near = Peer::of_profile(&own, &link, "near", &arguments);
        near.state_when(|notation| notation.contains("TEMPO 120") && notation.contains("kick"));
        near.answer_when("clock", "clock", |line| line["probes"].as_i64() >= Some(10));
        hand.listens(2.5);
        let plays = |line: &Value| line["event"] == "timeline" && line["playing"] == true;
        far.state_when(|notation| notation.contains("TEMPO 120"));
        assert!(!far.told.iter().any(plays), "joining starts nothing and changes no tempo");

        let mut moments = vec![hand.does(Deed::Stop)];
        hand.listens(0.5);
        for deed in [
            Deed::Play { quarters: 8.0 },
            Deed::Tempo { bpm: 132.0 },
            Deed::Locate { quarters: 33.5 },
            Deed::Loop { start: 36.0, end: 44.0 },
            Deed::Stop,
        ] {
            moments.push(hand.does(deed));
            hand.listens(if matches!(deed, Deed::Stop) { 2.0 } else { 7.0 });
        }
        moments.push(hand.block());
        let told = [&mut far, &mut near].map(|peer| {
            peer.answer_when("clock", "clock", |_| true);
            peer.told.clone()
        });
        assert!(far.quit() && near.quit());
        let [told, near_told] = told;
        (moments, told, near_told)
    });
    let far = Recording::of(&file("far.wav"), &told);
    let near = Recording::of(&file("near.wav"), &near_told);
    let settle = 2.5 * SECOND;
    for (who, other) in [("far", &far), ("near", &near)] {
        let stretches = [(1, "play"), (2, "tempo"), (3, "locate"), (4, "loop")];
        for (n, what) in stretches {
            together(&format!("{who}, {what}"), &lead, other, moments[n] + settle, moments[n + 1]);
        }
        let after = other.between(moments[5] + 0.5 * SECOND, moments[6]);
        assert!(after.is_empty(), "{who} goes on after the stop: {after:?}");
        assert!(other.between(moments[0] + 0.3 * SECOND, moments[1]).is_empty(), "{who} plays too early");
    }
}

#[test]
fn a_host_at_half_or_double_time_follows_the_session_and_shows_its_own_tempo() {
    let server = Server::start();
    let link = server.link(&server.session("editor"));
    environment(&[("ANTIPHON_LINK", &link), ("ANTIPHON_MODE", "follow"), ("ANTIPHON_NAME", "studio")]);
    let folder = tempfile::tempdir().expect("a folder");
    let (groove, wav) = (folder.path().join("groove"), folder.path().join("far.wav"));
    std::fs::write(&groove, GROOVE).expect("a written file");
    let [groove, file] = [&groove, &wav].map(|path| path.to_str().expect("a plain path"));
    let mut far = Peer::join(&link, "far", &["--load", groove, "--record", file]);
    far.state_when(|notation| notation.contains("TEMPO 120") && notation.contains("kick"));
    let mut host = Host::active(RATE, BLOCK as u32);
    let (own, (moments, told)) = at_the_host(&mut host, STANDS, |hand| {
        known(&mut far);
        far.order("play");
        far.until("onset", |_| Some(()));
        let moments = [60.0, 240.0, 97.0].map(|bpm| {
            hand.does(Deed::Stop);
            hand.does(Deed::Tempo { bpm });
            let moment = hand.does(Deed::Play { quarters: 17.3 });
            let until = hand.listens(4.0);
            let told = |line: &Value| {
                let peers = line["peers"].as_array().expect("a list");
                peers.iter().any(|peer| peer["name"] == "studio" && peer["host_bpm"] == bpm)
            };
            far.answer_when("peers", "peers", told);
            (bpm, moment, until)
        });
        far.answer_when("clock", "clock", |_| true);
        let told = far.told.clone();
        assert!(far.quit());
        (moments, told)
    });
    let far = Recording::of(&wav, &told);
    for (bpm, from, until) in moments {
        together(&format!("host at {bpm}"), &far, &own, from + 0.5 * SECOND, until - 0.2 * SECOND);
    }
}
