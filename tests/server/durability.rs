//! What was acknowledged is there after `kill -9`.

use std::collections::{BTreeMap, BTreeSet};

use antiphon::session::{ClientId, Cseq, Seq};
use antiphon::wire::{Down, Snapshot, Up};
use sqlx::Connection;

use crate::peer::{Peer, receive, step};
use crate::server_process::Server;

/// Edits a writer may send before it stops by itself; the kill comes long before.
const MOST: u64 = 20_000;
/// Edits in flight.
const WINDOW: u64 = 8;

/// Sends edits as fast as acknowledgements come, until the socket ends.
async fn write_until_the_end(
    mut peer: Peer,
    progress: tokio::sync::mpsc::UnboundedSender<()>,
) -> BTreeMap<Cseq, Seq> {
    let me = peer.welcome.client;
    let mut acked = BTreeMap::new();
    let mut sent = 0;
    while sent < MOST {
        while sent < MOST && sent < acked.len() as u64 + WINDOW {
            sent += 1;
            let ops = Up::Ops { cseq: Cseq(sent), base: Seq(0), ops: vec![step(sent)] };
            let bytes = antiphon::wire::encode_up(&ops).expect("a frame");
            let message = tokio_tungstenite::tungstenite::Message::Binary(bytes.into());
            if futures_util::SinkExt::send(&mut peer.socket, message).await.is_err() {
                return acked;
            }
        }
        match receive(&mut peer.socket).await {
            Some(Down::Commits(commits)) => {
                for commit in commits.iter().filter(|commit| commit.author == me) {
                    acked.insert(commit.cseq, commit.seq);
                    let _ = progress.send(());
                }
            }
            Some(Down::Nack { cseq, reason }) => panic!("frame {cseq:?} was refused: {reason}"),
            Some(Down::Error { message, .. }) => panic!("{message}"),
            Some(_) => {}
            None => return acked,
        }
    }
    acked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_loses_nothing_acknowledged() {
    let mut server = Server::start_with(&["--durable-rate", "100000"]);
    let invite = server.session("editor");
    let mut everything: BTreeMap<(ClientId, Cseq), Seq> = BTreeMap::new();
    for round in 0..3u8 {
        // New profiles each round, so that each counts from 1.
        let (progress, mut steps) = tokio::sync::mpsc::unbounded_channel();
        let mut writers = Vec::new();
        for key in [10 * round + 1, 10 * round + 2] {
            let peer = Peer::join(&server, &invite, key).await;
            let client = peer.welcome.client;
            writers.push((client, tokio::spawn(write_until_the_end(peer, progress.clone()))));
        }
        for _ in 0..400 {
            steps.recv().await.expect("acknowledgements come");
        }
        server.kill();
        for (client, writer) in writers {
            let acked = writer.await.expect("the writer ends");
            everything.extend(acked.into_iter().map(|(cseq, seq)| ((client, cseq), seq)));
        }
        server.restart();
    }
    assert!(everything.len() >= 1200, "{}", everything.len());
    let (commits, last) = server.dump(&invite.session);
    let stored: BTreeMap<_, _> = commits.iter().map(|c| ((c.author, c.cseq), c.seq)).collect();
    for (frame, seq) in &everything {
        assert_eq!(stored.get(frame), Some(seq), "{frame:?} was acknowledged");
    }
    assert_eq!(stored.len(), commits.len(), "nothing is there twice");
    assert!(commits.iter().map(|commit| commit.seq.0).eq(1..=commits.len() as u64), "no gap");

    // What the restarted server tells a joiner is what the log says.
    let joiner = Peer::join(&server, &invite, 200).await;
    let Snapshot::Full { bytes, .. } = joiner.welcome.state else { panic!("everything") };
    let state = antiphon::session::State::decode(&bytes).expect("a state");
    assert_eq!(last["digest"], format!("{:016x}", state.digest()));
    eprintln!("{} acknowledged, {} stored", everything.len(), commits.len());
}

#[tokio::test]
async fn a_frame_sent_again_after_the_kill_lands_once() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    a.edit(1).await;
    let first = a.acked(1).await;
    let epoch = a.welcome.clock_epoch;
    server.kill();
    server.restart();
    let mut a = Peer::join_from(&server, &invite, 1, 1).await;
    assert_eq!((a.welcome.client, a.welcome.acked), (ClientId(1), Cseq(1)));
    assert_ne!(a.welcome.clock_epoch, epoch);
    a.edit(1).await;
    a.edit(2).await;
    assert_eq!(a.acked(1).await, first);
    assert_eq!(a.acked(2).await.seq, Seq(2));
    assert_eq!(server.dump(&invite.session).0.len(), 2);
}

/// Changes the store behind the server's back; the rows it changed.
async fn meddle(server: &Server, sql: &'static str) -> u64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(server.data().join("antiphon.db"));
    let connection = sqlx::SqliteConnection::connect_with(&options).await;
    let mut store = connection.expect("the store opens");
    let changed = sqlx::query(sql).execute(&mut store).await.expect("SQLite writes").rows_affected();
    store.close().await.expect("the store closes");
    changed
}

#[tokio::test]
async fn a_store_that_fails_costs_a_retry_and_no_edit() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    a.edit(1).await;
    a.acked(1).await;
    meddle(
        &server,
        "CREATE TRIGGER full BEFORE INSERT ON commits BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .await;
    a.edit(2).await;
    let (code, message, fatal) = a.error().await;
    assert_eq!((code, fatal), (antiphon::wire::ErrorCode::Unavailable, false), "{message}");
    meddle(&server, "DROP TRIGGER full").await;
    a.edit(2).await;
    assert_eq!(a.acked(2).await.seq, Seq(2));
    b.edit(1).await;
    assert_eq!(b.acked(1).await.seq, Seq(3));
    assert_eq!(server.dump(&invite.session).0.len(), 3);
}

#[test]
fn a_folder_has_one_server() {
    let server = Server::start();
    let mut second = crate::server_process::program();
    second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.data());
    let refused = second.output().expect("the program runs");
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("another server"), "{said}");
}

#[tokio::test]
async fn a_corrupt_snapshot_is_passed_over() {
    let mut server = Server::start_with(&["--durable-rate", "100000"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    for cseq in 1..=1010 {
        a.edit(cseq).await;
    }
    a.acked(1010).await;
    // The room writes its snapshot before it takes the next edit.
    a.edit(1011).await;
    a.acked(1011).await;
    server.kill();
    let spoiled = meddle(&server, "UPDATE snapshots SET bytes = zeroblob(64)").await;
    assert!(spoiled >= 1, "there is a snapshot");
    server.restart();
    let joiner = Peer::join(&server, &invite, 2).await;
    let Snapshot::Full { seq, .. } = joiner.welcome.state else { panic!("everything") };
    assert_eq!(seq, Seq(1011));
    assert!(server.get("/metrics").body.contains("antiphon_snapshots_corrupt_total 1"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_says_goodbye_and_keeps_everything() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let sent: BTreeSet<u64> = (1..=30).collect();
    for cseq in &sent {
        a.edit(*cseq).await;
    }
    a.acked(1).await;
    let goodbye = tokio::spawn(async move {
        a.until(|down| matches!(down, Down::Goaway { .. }).then_some(())).await;
        receive(&mut a.socket).await
    });
    assert!(server.terminate(), "it ends well");
    assert_eq!(goodbye.await.expect("the goodbye comes"), None);
    let (commits, _) = server.dump(&invite.session);
    assert!(!commits.is_empty());
}
