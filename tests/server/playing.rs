//! Transport, clock and fingerprints.

use antiphon::param::MAX_TRACKS;
use antiphon::rt::ports::BarFingerprint;
use antiphon::session::{ClientId, Lead, Op, StampedOp, Timeline};
use antiphon::time::{Beats, SamplePos, SessionNanos, Tempo};
use antiphon::wire::{Down, ErrorCode, PresenceState, Up};

use crate::peer::{Peer, hello, open, receive, send, step};
use crate::server_process::Server;

const BAR: Beats = Beats::quarters(4);

impl Peer {
    async fn op<T>(&mut self, wanted: impl Fn(&Op) -> Option<T>) -> T {
        self.until(|down| match down {
            Down::Commits(commits) => commits.iter().flat_map(|c| &c.ops).find_map(|op| wanted(&op.op)),
            _ => None,
        })
        .await
    }

    async fn timeline(&mut self) -> Timeline {
        self.op(|op| if let Op::Timeline(timeline) = op { Some(*timeline) } else { None }).await
    }
}

/// Session time as the clock socket tells it: of arrival, and of departure.
async fn session_time(
    server: &Server,
    invite: &crate::server_process::Invite,
) -> (SessionNanos, SessionNanos) {
    let mut clock = open(server, "clock", &invite.session).await;
    send(&mut clock, &Up::Hello(hello(invite, 1, 0))).await;
    match receive(&mut clock).await {
        Some(Down::Clock(told)) => assert_eq!(told.shifted_ns, 0),
        other => panic!("by which clock, not {other:?}"),
    }
    send(&mut clock, &Up::Probe { t1: -5 }).await;
    match receive(&mut clock).await {
        Some(Down::Pong { t1: -5, t2, t3 }) => (t2, t3),
        other => panic!("a pong, not {other:?}"),
    }
}

#[tokio::test]
async fn the_clock_answers_between_two_readings() {
    let server = Server::start();
    let invite = server.session("editor");
    let (t2, t3) = session_time(&server, &invite).await;
    assert!(t2 <= t3 && t3 - t2 < 1_000_000_000, "{t2:?} {t3:?}");
    let (later, _) = session_time(&server, &invite).await;
    assert!(later > t3);
    let mut clock = open(&server, "clock", &invite.session).await;
    let wrong = antiphon::wire::Hello { secret: "no".into(), ..hello(&invite, 1, 0) };
    send(&mut clock, &Up::Hello(wrong)).await;
    let answer = receive(&mut clock).await;
    assert!(
        matches!(answer, Some(Down::Error { code: ErrorCode::Unauthorized, fatal: true, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_playing_session_plays_on_through_a_kill() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.send(&Up::Start { tick: Beats::ZERO }).await;
    let started = a.timeline().await;
    let (before, _) = session_time(&server, &invite).await;
    server.kill();
    server.restart();
    let (after, _) = session_time(&server, &invite).await;
    assert!(after > before && after - before < 10_000_000_000, "{}", after - before);
    let a = Peer::join(&server, &invite, 1).await;
    let antiphon::wire::Snapshot::Full { bytes, .. } = a.welcome.state else { panic!("everything") };
    assert_eq!(antiphon::session::State::decode(&bytes).expect("a state").timeline(), started);
}

#[tokio::test]
async fn a_start_lies_on_a_bar_far_enough_ahead_for_the_slowest() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let (_, before) = session_time(&server, &invite).await;
    a.send(&Up::Start { tick: Beats::quarters(5) }).await;
    let started = a.timeline().await;
    let (after, _) = session_time(&server, &invite).await;
    assert_eq!(b.timeline().await, started);
    assert!(started.playing);
    assert_eq!(started.tick, Beats::quarters(8), "the first bar from there on");
    assert!(started.at - before >= 250_000_000, "{}", started.at - before);
    assert!(started.at - after < 260_000_000);

    // While it plays, a start lies on one of its bars: 120 BPM, 2 s a bar.
    a.send(&Up::Start { tick: Beats::ZERO }).await;
    let again = a.timeline().await;
    assert_eq!((again.at - started.at) % 2_000_000_000, 0);
    a.send(&Up::Stop).await;
    assert!(!a.timeline().await.playing);

    for strange in [i64::MIN, i64::MAX] {
        a.send(&Up::Start { tick: Beats(strange) }).await;
        assert!(a.timeline().await.tick >= Beats::ZERO);
        a.send(&Up::Stop).await;
        assert!(!a.timeline().await.playing);
    }
    b.send(&Up::Presence(PresenceState { rtt_us: 600_000, ..PresenceState::default() })).await;
    // Presence is passed on when it has been taken.
    a.until(|down| matches!(down, Down::Presence { .. }).then_some(())).await;
    let (_, before) = session_time(&server, &invite).await;
    a.send(&Up::Start { tick: Beats::ZERO }).await;
    assert!(a.timeline().await.at - before >= 920_000_000, "1.5 × 600 ms + 20 ms");
}

#[tokio::test]
async fn a_leader_s_word_is_the_session_s_transport_and_tempo_in_one_commit() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let (_, now) = session_time(&server, &invite).await;
    let tempo = Tempo::from_bpm(97.5).expect("a tempo");
    let word = Lead { playing: true, tick: Beats(12_345_678), at: now, tempo };
    a.send(&Up::Lead(word)).await;
    let commit = b
        .until(|down| match down {
            Down::Commits(commits) => commits.first().cloned(),
            _ => None,
        })
        .await;
    let [map, timeline] = &commit.ops[..] else { panic!("tempo and place together: {commit:?}") };
    let led = Timeline { playing: true, tick: word.tick, at: now };
    assert_eq!(timeline.op, Op::Timeline(led), "exactly where and when the host was");
    let Op::TempoMap(map) = &map.op else { panic!("{map:?}") };
    assert_eq!((map.tempo_at(word.tick), map.tempo_at(Beats::ZERO)), (tempo, Tempo::DEFAULT));
    // The same tempo again is no change of it; a stop changes none.
    a.send(&Up::Lead(Lead { tick: Beats(22_345_678), ..word })).await;
    a.send(&Up::Lead(Lead { playing: false, tempo: Tempo::MAX, ..word })).await;
    for playing in [true, false] {
        let ops = b.until(|down| if let Down::Commits(all) = down { Some(all[0].ops.clone()) } else { None });
        match &ops.await[..] {
            [op] => assert!(matches!(op.op, Op::Timeline(line) if line.playing == playing), "{op:?}"),
            more => panic!("the tempo was not touched: {more:?}"),
        }
    }
    // A clock that is not the session's leads nobody.
    a.send(&Up::Lead(Lead { at: now + 60_000_000_000, ..word })).await;
    let code = a.until(|down| if let Down::Error { code, .. } = down { Some(code) } else { None }).await;
    assert_eq!(code, ErrorCode::Unexpected);
    let mut ears = Peer::join(&server, &server.invite(&invite.session, "listener"), 3).await;
    ears.send(&Up::Lead(word)).await;
    let code = ears.until(|down| if let Down::Error { code, .. } = down { Some(code) } else { None }).await;
    assert_eq!(code, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn stamped_edits_take_effect_by_themselves() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.send_ops(1, 0, vec![StampedOp { op: Op::RequestTempo(Tempo::MAX), at: None }]).await;
    a.op(|op| matches!(op, Op::TempoMap(_)).then_some(())).await;
    let stamped = StampedOp { at: Some(BAR), ..step(1) };
    // Stopped: after a bar's time, 0.8 s at 300 BPM.
    a.send_ops(2, 0, vec![stamped.clone()]).await;
    a.acked(2).await;
    let upto = a.op(|op| if let Op::Promote(upto) = op { Some(*upto) } else { None }).await;
    assert_eq!(upto, BAR);
    // Playing: when the session comes to it.
    a.send(&Up::Start { tick: Beats::ZERO }).await;
    let started = a.timeline().await;
    a.send_ops(3, 0, vec![stamped]).await;
    let upto = a.op(|op| if let Op::Promote(upto) = op { Some(*upto) } else { None }).await;
    let (now, _) = session_time(&server, &invite).await;
    assert!(upto >= BAR && upto < BAR + BAR, "{upto:?}");
    assert!(now - started.at >= 800_000_000, "{}", now - started.at);
}

fn bar(number: i32, kick: u64) -> Up {
    let mut tracks = [3; MAX_TRACKS];
    tracks[2] = kick;
    Up::Fingerprints(vec![BarFingerprint {
        bar: number,
        input_key: 42,
        tracks,
        master: 5,
        start: SamplePos(0),
    }])
}

#[tokio::test]
async fn equal_bars_are_confirmed_and_a_difference_is_named_to_both() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let compared = |down| match down {
        Down::Compared { bar, differ, other } => Some((bar, differ, other)),
        _ => None,
    };
    for number in 1..=17 {
        a.send(&bar(number, 7)).await;
        b.send(&bar(number, if number < 17 { 7 } else { 8 })).await;
    }
    for (expected, differ) in [(1, 0), (4, 0), (8, 0), (12, 0), (16, 0), (17, 1 << 2)] {
        assert_eq!(a.until(compared).await, (expected, differ, ClientId(2)));
        assert_eq!(b.until(compared).await, (expected, differ, ClientId(1)));
    }
    let path = format!("/api/v1/sessions/{}/fingerprints", invite.session);
    let bearer = format!("Bearer {}", invite.secret);
    let report = server.request("GET", &path, &[("authorization", &bearer)], "").json();
    assert_eq!((&report["compared"], &report["mismatched"]), (&17.into(), &1.into()));
    let last = report["bars"].as_array().and_then(|bars| bars.last()).expect("bars");
    assert_eq!((&last["bar"], &last["differ"], &last["equal"]), (&17.into(), &4.into(), &false.into()));
    assert_eq!(last["clients"], serde_json::json!([1, 2]));
    assert!(server.get("/metrics").body.contains("antiphon_bars_mismatched_total 1"));
}
