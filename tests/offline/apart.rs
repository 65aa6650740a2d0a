//! Days apart: both sides go on, and become one again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use antiphon::pattern::{Edit, StepField};
use antiphon::session::Op;

use crate::peer::{Peer, number, text};
use crate::server_process::Server;
use crate::{groove, order, velocities, velocity};

/// A network that can be cut between one studio and the server.
struct Cable {
    address: String,
    whole: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(server: &str) -> Cable {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (whole, open) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let (is_whole, streams, server) = (whole.clone(), open.clone(), server.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if !is_whole.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&server) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let mut kept = streams.lock().expect("streams");
                    kept.push(from.try_clone().expect("a handle"));
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    std::thread::spawn(move || pump(from, to));
                }
            }
        });
        Cable { address, whole, open }
    }

    fn cut(&self) {
        self.whole.store(false, Ordering::SeqCst);
        for stream in self.open.lock().expect("streams").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.whole.store(true, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

struct Apart {
    server: Server,
    session: String,
    cable: Cable,
    profile: tempfile::TempDir,
    link: String,
    away: Peer,
    there: Peer,
}

impl Apart {
    fn open() -> Apart {
        let server = Server::start();
        let invite = server.session("editor");
        let cable = Cable::to(&server.address);
        let (profile, groove) = (tempfile::tempdir().expect("a folder"), groove());
        let file = groove.path().to_str().expect("a plain path");
        let mut there = Peer::join(&server.link(&invite), "there", &["--load", file]);
        let link = format!("http://{}/s/{}#{}", cable.address, invite.session, invite.secret);
        let mut away = Peer::of_profile(profile.path(), &link, "away", &[]);
        away.until("connected", |_| Some(()));
        let whole = |notation: &str| notation.contains("bass");
        there.state_when(whole);
        away.state_when(whole);
        cable.cut();
        away.until("offline", |_| Some(()));
        Apart { server, session: invite.session, cable, profile, link, away, there }
    }

    fn edit_away(&mut self, edits: usize) {
        for n in 0..edits {
            self.away.order(&order("hat", n));
        }
        for _ in 0..edits {
            self.away.until("kept", |_| Some(()));
        }
    }

    /// Both hold what the log holds.
    fn agree(mut self) -> Vec<antiphon::session::Commit> {
        self.away.state_when(|_| true);
        self.there.state_when(|_| true);
        let (commits, last) = self.server.dump(&self.session);
        for peer in [&mut self.away, &mut self.there] {
            assert_eq!(peer.hash_at(commits.len() as u64), text(&last, "digest"));
        }
        assert_eq!(self.away.all("refused").count(), 0);
        assert!(self.away.quit() && self.there.quit());
        commits
    }
}

#[test]
fn after_a_short_outage_every_edit_is_sent_as_it_was_made() {
    let mut apart = Apart::open();
    apart.edit_away(200);
    apart.there.order("step kick 2 on");
    apart.there.state_when(|notation| notation.contains("kick: X.x."));
    apart.cable.mend();
    apart.away.until("connected", |_| Some(()));
    apart.away.state_when(|notation| notation.contains("kick: X.x."));
    assert_eq!(apart.away.all("merged").count(), 0);
    let commits = apart.agree();
    let all: Vec<f32> = (0..200).map(velocity).collect();
    assert_eq!(velocities(&commits, 0..200), all, "each edit once, in order");
}

/// Both take the same place for a track of their own, one of them on its own branch.
#[test]
fn a_track_added_apart_keeps_its_edits_beside_one_added_meanwhile() {
    let mut apart = Apart::open();
    let shows = |line: &serde_json::Value, what: &str| text(line, "notation").contains(what);
    let kept = |peer: &Peer| peer.all("kept").count();
    let before = kept(&apart.away);
    apart.away.order("track add bell");
    apart.away.answer_when("state", "state", |line| shows(line, "bell"));
    apart.away.order("step bell 3 on");
    apart.away.order("set bell.level 0.5");
    let made = |line: &serde_json::Value| shows(line, "seq bell: ...x") && shows(line, "level bell: 0.5");
    apart.away.answer_when("state", "state", made);
    // The hand has come to rest. Some may have been told before the state was.
    while kept(&apart.away) < before + 3 {
        apart.away.until("kept", |_| Some(()));
    }
    apart.there.order("track add tom");
    apart.there.state_when(|notation| notation.contains("tom"));
    apart.there.order("step tom 5 on");
    apart.there.state_when(|notation| notation.contains("seq tom: ....."));
    // A hand that comes home holding.
    let connected = |peer: &Peer| peer.all("connected").count();
    let before = connected(&apart.away);
    apart.cable.mend();
    while connected(&apart.away) == before {
        apart.away.order("set bell.level 0.75");
        apart.away.order("state");
        apart.away.until("state", |_| Some(()));
    }
    let whole = |notation: &str| {
        let on = |name: &str, step: usize| {
            let line = notation.lines().find(|line| line.starts_with(&format!("seq {name}:")));
            let cells: Option<String> =
                line.map(|line| line[line.find(':').expect("a colon") + 1..].split_whitespace().collect());
            let cells: Vec<bool> = cells.unwrap_or_default().chars().map(|cell| cell != '.').collect();
            cells.iter().enumerate().all(|(at, on)| *on == (at == step)) && cells.len() > step
        };
        on("bell", 3) && on("tom", 5) && notation.contains("level bell: 0.75")
    };
    let seen = apart.there.state_when(whole);
    assert_eq!(apart.away.state_when(whole), seen);
    assert!(!seen.contains("level tom"), "{seen}");
    apart.agree();
}

#[test]
fn after_days_what_both_sides_did_is_merged_and_told() {
    let mut apart = Apart::open();
    const EDITS: usize = 800;
    apart.edit_away(EDITS);
    apart.away.order("step bass 1 on");
    apart.away.order("tempo 97");
    for n in 0..100 {
        apart.there.order(&order("kick", 1000 + n));
    }
    apart.there.order("step bass 2 on");
    apart.there.state_when(|notation| notation.contains("bass: X.x"));
    // It is killed while it is away, too.
    apart.away.answer_when("state", "state", |line| text(line, "notation").contains("TEMPO 97"));
    apart.away.kill();
    apart.away = Peer::of_profile(apart.profile.path(), &apart.link, "away", &[]);
    apart.away.answer_when("state", "state", |line| {
        let notation = text(line, "notation");
        notation.contains("TEMPO 97") && notation.contains("bass: Xx.")
    });
    apart.cable.mend();
    let merged = apart.away.until("merged", |line| Some(line.clone()));
    println!("{}", text(&merged, "line"));
    assert!(number(&merged, "mine") >= 17 && number(&merged, "theirs") >= 17, "{merged}");
    let whole = |notation: &str| notation.contains("TEMPO 97") && notation.contains("seq bass: Xxx");
    let seen = apart.there.state_when(whole);
    assert_eq!(apart.away.state_when(whole), seen);
    let commits = apart.agree();
    // Of each step the last value, once.
    let last: Vec<f32> = (EDITS - 16..EDITS).map(velocity).collect();
    let mut logged = velocities(&commits, 0..EDITS);
    logged.sort_by(f32::total_cmp);
    assert_eq!(logged, last);
    let kicks: Vec<f32> = (1000..1100).map(velocity).collect();
    assert_eq!(velocities(&commits, 1000..1100), kicks);
}

/// What the session leaves to a person, a return leaves too: a card for everybody.
#[test]
fn after_days_what_both_changed_under_manual_waits_for_a_person() {
    let mut apart = Apart::open();
    apart.there.order("strategy continuous manual");
    apart.there.order("velocity kick 3 0.25");
    apart
        .there
        .state_when(|notation| notation.contains("velocity=.25") || notation.contains("velocity=0.25"));
    apart.edit_away(520);
    apart.away.order("velocity kick 3 0.75");
    apart.away.until("kept", |_| Some(()));
    apart.cable.mend();
    let merged = apart.away.until("merged", |line| Some(line.clone()));
    assert!(number(&merged, "conflicts") >= 1, "{merged}");
    for peer in [&mut apart.there, &mut apart.away] {
        let waits = |line: &serde_json::Value| (line["waits"] == true).then(|| line.clone());
        let card = peer.until("conflict", waits);
        assert!(text(&card, "about").contains("kick"), "{card}");
    }
    let commits = apart.agree();
    let wrote = |value: f32| {
        let ops = commits.iter().flat_map(|commit| &commit.ops);
        ops.filter(
            |op| matches!(op.op, Op::Edit(Edit::Step { field: StepField::Velocity(v), .. }) if v == value),
        )
        .count()
    };
    assert_eq!((wrote(0.25), wrote(0.75)), (1, 0), "what holds goes on");
}

#[test]
fn two_sides_that_grew_far_apart_are_merged_and_mine_is_kept_as_a_branch() {
    let mut apart = Apart::open();
    let loud = |track: &str, n: usize| format!("velocity {track} {} 1.0", n % 16);
    for n in 0..600 {
        let quiet = format!("velocity kick {} 0.{}", n % 16, 1 + n % 3);
        apart.away.order(&if n < 584 { quiet } else { loud("kick", n) });
    }
    for _ in 0..600 {
        apart.away.until("kept", |_| Some(()));
    }
    for n in 0..16 {
        apart.there.order(&format!("velocity kick {n} 0.0{}", 1 + n % 9));
    }
    apart.there.state_when(|_| true);
    apart.cable.mend();
    let merged = apart.away.until("merged", |line| Some(line.clone()));
    assert!(
        merged["far_apart"] == true && number(&merged, "mean") + number(&merged, "over") >= 12,
        "{merged}"
    );
    let kept = apart.away.until("merged", |line| line["branch"].is_number().then(|| line.clone()));
    println!("{}; {}", text(&merged, "line"), text(&kept, "line"));
    // The net of 600 edits, no more, and the branch's record.
    let whole = |notation: &str| notation.contains("seq kick");
    let seen = apart.there.state_when(whole);
    assert_eq!(apart.away.state_when(whole), seen);
    // The branch holds what the merge had to drop: every kick as loud as it was made.
    apart.there.order("audition 1");
    apart.there.answer_when("state", "state", |line| {
        text(line, "notation").contains("seq kick: X...X...X...X...") && text(line, "notation") != seen
    });
}
