//! Joining, editing, coming back.

use antiphon::pattern::Edit;
use antiphon::session::{Answer, ClientId, Cseq, Op, Refusal, Role, Seq, StampedOp, State};
use antiphon::wire::{Down, ErrorCode, Hello, PresenceState, Snapshot, Up};

use crate::peer::{Peer, hello, open, receive, refused, send, step};
use crate::server_process::Server;

#[tokio::test]
async fn an_edit_is_acknowledged_and_reaches_the_other() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    assert_eq!((a.welcome.client, b.welcome.client), (ClientId(1), ClientId(2)));
    assert_eq!((a.welcome.role, a.welcome.acked), (Role::Editor, Cseq(0)));
    assert_eq!(a.welcome.clock_epoch, b.welcome.clock_epoch);

    a.edit(1).await;
    let acked = a.acked(1).await;
    assert_eq!((acked.seq, acked.ops.as_slice()), (Seq(1), [step(1)].as_slice()));
    assert_eq!(b.commits().await, std::slice::from_ref(&acked));
    // Acknowledged means stored: another process reads it while the server runs.
    let (commits, last) = server.dump(&invite.session);
    assert_eq!(commits, [acked]);
    assert_eq!(last["seq"], 1);
}

#[tokio::test]
async fn everybody_learns_who_is_here() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let b = Peer::join(&server, &invite, 2).await;
    let online = |down| match down {
        Down::Participants(list) => Some(list.iter().filter(|p| p.online).count()),
        _ => None,
    };
    a.until(|down| online(down).filter(|n| *n == 2)).await;
    drop(b);
    a.until(|down| online(down).filter(|n| *n == 1)).await;
}

#[tokio::test]
async fn a_joiner_gets_the_state_and_a_returner_the_difference() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut state = State::new();
    for cseq in 1..=20 {
        a.edit(cseq).await;
        state.apply(&a.acked(cseq).await).expect("commits come in order");
    }
    let joiner = Peer::join(&server, &invite, 2).await;
    let Snapshot::Full { seq, bytes } = joiner.welcome.state else { panic!("everything") };
    assert_eq!(seq, Seq(20));
    assert_eq!(State::decode(&bytes).expect("a state").digest(), state.digest());

    drop(a);
    let back = Peer::join_from(&server, &invite, 1, 15).await;
    assert_eq!((back.welcome.client, back.welcome.acked), (ClientId(1), Cseq(20)));
    let Snapshot::Delta(delta) = back.welcome.state else { panic!("the difference") };
    assert_eq!(delta.iter().map(|c| c.seq.0).collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
    // Who claims to be ahead of the log gets everything.
    let ahead = Peer::join_from(&server, &invite, 3, 99).await;
    assert!(matches!(ahead.welcome.state, Snapshot::Full { seq: Seq(20), .. }));
}

#[tokio::test]
async fn a_retry_gets_the_first_answer() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.edit(1).await;
    let first = a.acked(1).await;
    a.edit(1).await;
    assert_eq!(a.acked(1).await, first);
    let (commits, _) = server.dump(&invite.session);
    assert_eq!(commits.len(), 1);
}

/// What was answered while a client was away it learns frame by frame, with the reason of a refusal
/// as long as that is kept.
#[tokio::test]
async fn a_returner_learns_what_became_of_each_frame() {
    let server = Server::start_with(&["--durable-rate", "1000"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let bad = || vec![StampedOp { op: Op::Resolve { id: 77, choice: None }, at: None }];
    let refused = [2, 69];
    for cseq in 1..=70 {
        match refused.contains(&cseq) {
            true => a.send_ops(cseq, 0, bad()).await,
            false => a.edit(cseq).await,
        }
    }
    a.acked(70).await;
    drop(a);
    let mut socket = open(&server, "ws", &invite.session).await;
    send(&mut socket, &Up::Hello(Hello { unanswered: Cseq(2), ..hello(&invite, 1, 0) })).await;
    let Some(Down::Welcome(welcome)) = receive(&mut socket).await else { panic!("a welcome") };
    assert_eq!(welcome.acked, Cseq(70));
    let seqs = (1u64..).map(Seq);
    let landed: Vec<_> = (1..=70).filter(|cseq| !refused.contains(cseq)).map(Cseq).zip(seqs).collect();
    for (cseq, answer) in &welcome.answers {
        match answer {
            Answer::Committed(seq) => assert!(landed.contains(&(*cseq, *seq)), "{cseq:?} as {seq:?}"),
            Answer::Refused(Refusal::Forgotten) => assert_eq!(*cseq, Cseq(2)),
            Answer::Refused(reason) => {
                assert_eq!(*cseq, Cseq(69));
                assert!(reason.to_string().contains("no open conflict 77"), "{reason}");
            }
        }
    }
    assert_eq!(welcome.answers.len(), 69, "from the first that it asked about");
    drop(socket);
    // Beside the commits themselves, those refused are enough.
    let back = Peer::join_from(&server, &invite, 1, 60).await;
    assert!(matches!(back.welcome.state, Snapshot::Delta(_)));
    assert_eq!(back.welcome.answers.iter().map(|(cseq, _)| cseq.0).collect::<Vec<_>>(), refused);
}

#[tokio::test]
async fn a_bad_edit_is_refused_whole_and_the_next_one_lands() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let beyond = Edit::Step {
        track: antiphon::param::TrackIndex::new(0).expect("a track"),
        pattern: antiphon::pattern::PatternIndex::FIRST,
        step: 200,
        field: antiphon::pattern::StepField::On(true),
    };
    a.send_ops(1, 0, vec![step(1), StampedOp { op: Op::Edit(beyond), at: None }]).await;
    let nack = |down| match down {
        Down::Nack { cseq, reason } => Some((cseq, reason)),
        _ => None,
    };
    let (cseq, reason) = a.until(nack).await;
    assert_eq!(cseq, Cseq(1));
    assert!(matches!(reason, Refusal::Invalid { index: 1, .. }), "{reason:?}");
    a.edit(2).await;
    assert_eq!(a.acked(2).await.seq, Seq(1));
    // A frame that was lost on the way is asked for.
    a.edit(4).await;
    assert_eq!(a.until(nack).await, (Cseq(4), Refusal::Gap { expected: 3, got: 4 }));
}

#[tokio::test]
async fn a_listener_hears_and_may_not_edit() {
    let server = Server::start();
    let editor = server.session("editor");
    let listener = server.invite(&editor.session, "listener");
    let mut a = Peer::join(&server, &editor, 1).await;
    let mut b = Peer::join(&server, &listener, 2).await;
    assert_eq!(b.welcome.role, Role::Listener);
    b.edit(1).await;
    let reason = b
        .until(|down| match down {
            Down::Nack { reason, .. } => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, Refusal::Role(Role::Listener));
    b.send(&Up::Stop).await;
    assert_eq!(b.error().await.0, ErrorCode::Unauthorized);
    a.edit(1).await;
    assert_eq!(b.commits().await.len(), 1);
}

#[tokio::test]
async fn a_second_socket_takes_the_first_ones_place() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut first = Peer::join(&server, &invite, 1).await;
    let mut second = Peer::join(&server, &invite, 1).await;
    assert_eq!(first.welcome.client, second.welcome.client);
    assert!(first.error().await.2, "the first is told, and closed");
    assert!(receive(&mut first.socket).await.is_none());
    second.edit(1).await;
    second.acked(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_session_says_so_and_serves_everybody_in_it() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut peers = Vec::new();
    for key in 0..128 {
        peers.push(Peer::join(&server, &invite, key).await);
    }
    let (code, message) = refused(&server, &invite.session, hello(&invite, 200, 0)).await;
    assert_eq!(code, ErrorCode::Full);
    assert!(message.contains("128"), "{message}");
    peers[5].edit(1).await;
    for peer in &mut peers {
        assert_eq!(peer.commits().await[0].cseq, Cseq(1));
    }
    // Who is in it already may come back on a new socket.
    Peer::join_from(&server, &invite, 5, 1).await;
}

#[tokio::test]
async fn gestures_presence_and_chat_reach_the_others() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let slot = antiphon::param::Slot::from_index(0).expect("a slot");
    let spec = slot.spec();
    let held = antiphon::wire::Gesture { slot, value: spec.min };
    a.send(&Up::Gesture(vec![held])).await;
    let moves = b
        .until(|down| match down {
            Down::Gestures { author: ClientId(1), moves } => Some(moves),
            _ => None,
        })
        .await;
    assert_eq!(moves, [held]);
    // The latest of a burst arrives, whatever is left out between.
    for n in 1..=20 {
        let value = spec.min + (spec.max - spec.min) * n as f32 / 20.0;
        a.send(&Up::Gesture(vec![antiphon::wire::Gesture { slot, value }])).await;
    }
    b.until(|down| match down {
        Down::Gestures { moves, .. } => (moves[0].value == spec.max).then_some(()),
        _ => None,
    })
    .await;
    let state = PresenceState { cursor: Some((2, 7)), playing: true, ..PresenceState::default() };
    a.send(&Up::Presence(state)).await;
    let told = b
        .until(|down| match down {
            Down::Presence { client: ClientId(1), state } => Some(state),
            _ => None,
        })
        .await;
    assert_eq!(told, state);
    a.send(&Up::Chat("louder".to_owned())).await;
    let said = b.until(|down| match down {
        Down::Commits(commits) => commits.iter().flat_map(|commit| &commit.ops).find_map(|op| match &op.op {
            Op::Said { client, text } => Some((*client, text.as_str().to_owned())),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(said.await, (ClientId(1), "louder".to_owned()));
    // Late joiners read it too.
    let c = Peer::join(&server, &invite, 3).await;
    let Snapshot::Full { bytes, .. } = c.welcome.state else { panic!("everything") };
    let held = antiphon::session::State::decode(&bytes).expect("a state");
    assert!(held.chat().lines().any(|line| line.text.as_str() == "louder"));
}
