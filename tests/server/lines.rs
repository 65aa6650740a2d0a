//! Branches, the past and session files, over a real server.

use antiphon::session::{
    BranchId, ClientId, Commit, Cseq, Detail, MergeRules, Op, Record, Refusal, Seq, SessionFile, StampedOp,
    State, What, three_way,
};
use antiphon::wire::{Down, Gather, LineAsk, LineNews, Up};

use crate::peer::{Peer, step};
use crate::server_process::Server;

const FILLS: BranchId = BranchId(1);

fn record(record: Record) -> StampedOp {
    StampedOp { op: Op::Record(record), at: None }
}

fn fork(parent: BranchId, at: u64, name: &str) -> StampedOp {
    record(Record::Fork { id: BranchId(0), parent, at: Seq(at), name: name.into() })
}

impl Peer {
    /// Goes to a branch: its state, and the last frame of mine that it has answered.
    async fn enter(&mut self, branch: BranchId) -> (State, Cseq) {
        self.send(&LineAsk::Enter(branch).into()).await;
        let (state, acked) = self.state_of(branch).await;
        (state, acked.expect("the answer to an entry"))
    }

    async fn state_of(&mut self, wanted: BranchId) -> (State, Option<Cseq>) {
        let mut gather = Gather::default();
        self.until(|down| match down {
            Down::Line(LineNews::State { line, acked, offset, size, bytes, .. }) if line == wanted => {
                let whole = gather.take(offset, size, &bytes).expect("parts in order")?;
                Some((State::decode(&whole).expect("a state"), acked))
            }
            _ => None,
        })
        .await
    }

    /// Edits a branch; the commit.
    async fn edit_branch(&mut self, branch: BranchId, cseq: u64, n: u64) -> Commit {
        self.send(&LineAsk::Ops { branch, cseq: Cseq(cseq), base: Seq(0), ops: vec![step(n)] }.into()).await;
        self.branch_commit(branch, cseq).await
    }

    async fn branch_commit(&mut self, wanted: BranchId, cseq: u64) -> Commit {
        self.until(|down| match down {
            Down::Line(LineNews::Commits { branch, commits }) if branch == wanted => {
                commits.into_iter().find(|commit| commit.cseq == Cseq(cseq))
            }
            _ => None,
        })
        .await
    }

    /// A page of history: what was done, by whom.
    async fn history(&mut self, line: BranchId, before: Option<Seq>, detail: Detail) -> Down {
        self.send(&LineAsk::History { line, before, detail, limit: 100 }.into()).await;
        self.until(|down| matches!(down, Down::Line(LineNews::History { .. })).then_some(down)).await
    }
}

#[tokio::test]
async fn a_branch_is_private_outlives_the_server_and_comes_back_by_a_merge() {
    let mut server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let mut main = State::new();
    for cseq in 1..=3 {
        a.edit(cseq).await;
        main.apply(&a.acked(cseq).await).expect("in order");
    }
    let fork_state = main.clone();
    a.send_ops(4, 3, vec![fork(BranchId::MAIN, 3, "fills")]).await;
    main.apply(&a.acked(4).await).expect("in order");
    let (mut branch, acked) = a.enter(FILLS).await;
    assert_eq!((branch.digest(), acked), (fork_state.digest(), Cseq(0)), "it begins where it forked");
    for cseq in 1..=5 {
        let commit = a.edit_branch(FILLS, cseq, 40 + cseq).await;
        assert_eq!((commit.seq, commit.author), (Seq(3 + cseq), a.welcome.client));
        branch.apply(&commit).expect("a sequence of its own");
    }
    // The other one hears of the record alone, and its own edits do not reach the branch.
    b.edit(1).await;
    let mut theirs = State::new();
    let mut quiet = |down: Down| match down {
        Down::Commits(commits) => {
            commits.iter().for_each(|commit| theirs.apply(commit).map(drop).expect("in order"));
            (theirs.seq() >= Seq(5)).then_some(())
        }
        Down::Line(news) => panic!("nothing of the branch: {news:?}"),
        _ => None,
    };
    b.until(&mut quiet).await;
    assert_eq!(theirs.song(), {
        let mut expected = main.clone();
        expected.apply(&a.acked_by(ClientId(2), 1).await).expect("in order");
        main = expected;
        main.song()
    });
    assert_ne!(branch.song(), main.song());
    drop((a, b));

    server.kill();
    server.restart();
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let (again, acked) = a.enter(FILLS).await;
    assert_eq!((again.digest(), acked), (branch.digest(), Cseq(5)), "acknowledged means stored");
    // A frame that was answered before the server died gets its answer again.
    assert_eq!(a.edit_branch(FILLS, 5, 45).await.seq, Seq(8));
    a.send(&LineAsk::State { line: BranchId::MAIN, seq: Seq(3) }.into()).await;
    let (base, _) = a.state_of(BranchId::MAIN).await;
    assert_eq!(base.digest(), fork_state.digest());
    let antiphon::wire::Snapshot::Full { bytes, .. } = &a.welcome.state else { panic!("a whole state") };
    let main = State::decode(bytes).expect("a state");
    let merge = three_way(&base, &main, &again, &MergeRules::default());
    let mut ops: Vec<_> =
        merge.edits.iter().map(|edit| StampedOp { op: Op::Edit(*edit), at: None }).collect();
    ops.push(record(Record::Merged { id: FILLS, head: again.seq() }));
    a.send_ops(5, main.seq().0, ops).await;
    let merged = a.acked(5).await;
    let seen = b.until(|down| match down {
        Down::Commits(commits) => commits.into_iter().find(|commit| commit.seq == merged.seq),
        _ => None,
    });
    assert_eq!(seen.await, merged);
    let mut result = main.clone();
    // The branch's rest may have been told before the merge.
    for commit in server.dump(&invite.session).0.into_iter().filter(|commit| commit.seq > main.seq()) {
        result.apply(&commit).expect("in order");
    }
    for n in 41..=45 {
        let register = step(n).register().expect("an edit");
        assert_eq!(result.read(register), again.read(register), "the branch's edits are the session's");
    }
    let register = step(1).register().expect("an edit");
    assert_eq!(result.read(register), main.read(register));
    assert_eq!(result.records().branch(FILLS).expect("its record").merged, Some(Seq(8)));
}

impl Peer {
    async fn acked_by(&mut self, author: ClientId, cseq: u64) -> Commit {
        self.until(|down| match down {
            Down::Commits(commits) => {
                commits.into_iter().find(|c| c.author == author && c.cseq == Cseq(cseq))
            }
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn two_follow_one_branch_and_branches_fork_from_branches() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    a.edit(1).await;
    a.acked(1).await;
    a.send_ops(2, 1, vec![fork(BranchId::MAIN, 1, "fills")]).await;
    a.acked(2).await;
    a.enter(FILLS).await;
    b.enter(FILLS).await;
    let made = a.edit_branch(FILLS, 1, 50).await;
    assert_eq!(b.branch_commit(FILLS, 1).await, made);
    // From the middle of the branch.
    a.edit_branch(FILLS, 2, 51).await;
    b.send_ops(1, 2, vec![fork(FILLS, 2, "other fills")]).await;
    b.acked(1).await;
    let (state, _) = b.enter(BranchId(2)).await;
    assert_eq!(state.seq(), Seq(2));
    let register = step(50).register().expect("an edit");
    assert_eq!(Op::Edit(state.read(register)), step(50).op);
    // Whoever follows another branch now edits that one alone.
    b.send(&LineAsk::Ops { branch: FILLS, cseq: Cseq(1), base: Seq(0), ops: vec![step(1)] }.into()).await;
    b.until(|down| matches!(down, Down::Line(LineNews::Missing { line: FILLS, .. })).then_some(())).await;
    b.send(&LineAsk::Enter(BranchId(9)).into()).await;
    b.until(|down| matches!(down, Down::Line(LineNews::Missing { line: BranchId(9), .. })).then_some(()))
        .await;
    // Records belong to the session itself.
    let ops = vec![fork(FILLS, 2, "no")];
    a.send(&LineAsk::Ops { branch: FILLS, cseq: Cseq(3), base: Seq(0), ops }.into()).await;
    let reason = a
        .until(|down| match down {
            Down::Line(LineNews::Nack { branch: FILLS, cseq: Cseq(3), reason }) => Some(reason),
            _ => None,
        })
        .await;
    assert!(matches!(reason, Refusal::Invalid { .. }), "{reason}");
    a.edit_branch(FILLS, 4, 52).await;
}

#[tokio::test]
async fn history_tells_who_did_what_and_a_file_carries_it_to_another_server() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    for cseq in 1..=20 {
        a.edit(cseq).await;
    }
    a.acked(20).await;
    a.send_ops(21, 20, vec![fork(BranchId::MAIN, 10, "fills")]).await;
    a.send_ops(
        22,
        20,
        vec![record(Record::Name { name: "first".into(), branch: BranchId::MAIN, seq: Seq(15) })],
    )
    .await;
    a.acked(22).await;
    a.enter(FILLS).await;
    a.edit_branch(FILLS, 1, 77).await;
    let Down::Line(LineNews::History { page, names, .. }) =
        a.history(BranchId::MAIN, None, Detail::All).await
    else {
        panic!("a page")
    };
    assert_eq!((page.entries.len(), page.before), (22, None));
    assert_eq!(names, [(ClientId(1), "peer 1".to_owned())]);
    assert!(matches!(&page.entries[0].what, What::Record(Record::Name { name, .. }) if name == "first"));
    assert!(page.entries.iter().all(|entry| entry.at_ms > 1_700_000_000_000), "the server's wall time");
    let Down::Line(LineNews::History { page, .. }) = a.history(FILLS, None, Detail::Significant).await else {
        panic!("a page")
    };
    assert_eq!(page.entries.len(), 1, "a branch has a history of its own");
    a.send(&LineAsk::State { line: BranchId::MAIN, seq: Seq(999) }.into()).await;
    a.until(|down| matches!(down, Down::Line(LineNews::Missing { .. })).then_some(())).await;
    a.send(&Up::Leave).await;

    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = ["a.antiphon", "b.antiphon"].map(|name| folder.path().join(name));
    let [first_name, second_name] = [&first, &second].map(|path| path.to_str().expect("a path"));
    server.command("export", &["--session", &invite.session, first_name]);
    let elsewhere = Server::start();
    let link = elsewhere.command("import", &[first_name]);
    let copy = crate::server_process::Invite::from_link(&link);
    elsewhere.command("export", &["--session", &copy.session, second_name]);
    let bytes = std::fs::read(&first).expect("a file");
    assert_eq!(bytes, std::fs::read(&second).expect("a file"), "the same session, the same bytes");
    let file = SessionFile::decode(&bytes).expect("a session file");
    let mut there = Peer::join(&elsewhere, &copy, 1).await;
    assert_eq!(there.welcome.client, ClientId(2), "nobody comes back as somebody of the file");
    let (state, _) = there.enter(FILLS).await;
    assert_eq!(file.state_at(FILLS, Seq(11)).expect("the branch").digest(), state.digest());
    there.edit(1).await;
    assert_eq!(there.acked(1).await.seq.0, file.head.seq().0 + 1, "it goes on where it was");
    // What is damaged is refused, and nothing is made of it.
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    std::fs::write(&second, damaged).expect("written");
    let refused = crate::server_process::program()
        .args(["import", second_name, "--data"])
        .arg(elsewhere.data())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("damaged in its"), "{said}");
}
