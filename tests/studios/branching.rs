//! A branch: private while it is auditioned, there after the server was killed, everybody's once it
//! is merged.

use crate::Studios;
use crate::peer::{number, text};
use crate::playing::{clock, heard_bar};

/// Input key and master hash of each bar that a peer has sounded.
fn prints(peer: &crate::peer::Peer) -> Vec<(i64, String, String)> {
    let of =
        |line| (number(line, "bar"), text(line, "input_key").to_owned(), text(line, "master").to_owned());
    peer.all("fingerprint").map(of).collect()
}

#[test]
fn a_branch_is_heard_by_who_auditions_it_alone_and_by_all_once_it_is_merged() {
    let mut studios = Studios::open(&[], &[]);
    clock(&mut studios.a);
    clock(&mut studios.b);
    studios.a.order("play");
    heard_bar(&mut studios.a, 1);
    heard_bar(&mut studios.b, 1);
    studios.a.order("fork fills");
    let branch = studios.a.until("forked", |line| Some(number(line, "branch")));
    let told = studios.b.until("forked", |line| Some((number(line, "seq"), text(line, "name").to_owned())));
    assert_eq!(told.1, "fills");
    let before = studios.b.hash_at(told.0 as u64);
    studios.a.order(&format!("audition {branch}"));
    studios.a.until("line", |line| (number(line, "branch") == branch).then_some(()));
    studios.a.order("step kick 2 on");
    studios.a.order("step kick 6 on");
    let here = |notation: &str| notation.contains("seq kick: X.x.x.x.X...x...");
    studios.a.state_when(here);
    let at = prints(&studios.b).last().expect("bars have sounded").0;
    heard_bar(&mut studios.b, at + 3);
    // The other plays on as before: the same song, the same state, one run of the same input.
    assert_eq!(studios.b.hash_at(told.0 as u64), before);
    studios.b.state_when(|notation| notation.contains("seq kick: X...x...X...x..."));
    let heard = prints(&studios.b);
    let keys = &heard[heard.len() - 3..];
    println!("b's last bars while a auditions: {keys:?}");
    assert!(keys.iter().all(|(_, key, _)| *key == keys[0].1), "nothing reached b's engine: {keys:?}");
    // Whoever auditions hears something else in the same bar.
    heard_bar(&mut studios.a, at + 3);
    let master = |peer: &crate::peer::Peer| {
        prints(peer).into_iter().find(|(bar, ..)| *bar == at + 3).map(|(_, _, master)| master)
    };
    assert_ne!(master(&studios.a).expect("heard"), master(&studios.b).expect("heard"));

    studios.server.kill();
    studios.a.until("offline", |_| Some(()));
    studios.b.until("offline", |_| Some(()));
    studios.server.restart_in_place();
    studios.a.until("connected", |_| Some(()));
    studios.b.until("connected", |_| Some(()));
    studios.a.order("step kick 10 on");
    studios.a.state_when(|notation| notation.contains("seq kick: X.x.x.x.X.x.x..."));
    studios.b.state_when(|notation| notation.contains("seq kick: X...x...X...x..."));

    studios.a.order(&format!("merge {branch}"));
    studios.a.until("merged", |_| Some(()));
    let merged = |notation: &str| notation.contains("seq kick: X.x.x.x.X.x.x...");
    studios.a.state_when(merged);
    studios.b.state_when(merged);
    studios.a.order("history");
    let page = studios.a.until("history", |line| Some(line.clone()));
    let lines = page["entries"].as_array().expect("entries");
    let what: Vec<_> = lines.iter().map(|line| (text(line, "name"), text(line, "what"))).collect();
    assert!(
        what.contains(&("a", "forked the branch \"fills\" at 5"))
            || what.iter().any(|(_, w)| w.starts_with("forked")),
        "{what:?}"
    );
    assert!(what.iter().any(|(name, what)| *name == "a" && what.starts_with("merged branch")), "{what:?}");
    studios.agree();
}
