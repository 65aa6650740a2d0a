//! A mix of one's own: heard by its musician, and by nobody else.

use crate::Studios;
use crate::peer::Peer;

fn writes(peer: &mut Peer) -> Vec<String> {
    let mine = peer.answer_when("my", "mine", |_| true);
    let writes = mine["writes"].as_array().expect("a list").clone();
    writes.iter().map(|write| write.as_str().expect("text").to_owned()).collect()
}

/// One counter of the server's, by its line in `/metrics`.
fn counted(studios: &Studios, line: &str) -> u64 {
    let metrics = studios.server.get("/metrics").body;
    let value = metrics.lines().find_map(|told| told.strip_prefix(line)?.trim().parse::<f64>().ok());
    value.unwrap_or(0.0) as u64
}

/// The fingerprints of a bar, once a peer has told that bar.
fn fingerprint(peer: &mut Peer, bar: i64) -> (String, String) {
    peer.until("fingerprint", |line| {
        let told = line["bar"].as_i64()? == bar;
        told.then(|| {
            (line["input_key"].to_string(), line["master"].to_string() + &line["tracks"].to_string())
        })
    })
}

#[test]
fn nobody_else_hears_or_receives_it_and_it_comes_back() {
    let mut studios = Studios::open(&[], &[]);
    let before = studios.b.state_when(|_| true);
    let mixes = [
        "my mute hat on",
        "my trim kick -9",
        "my set bass.filter.freq 300",
        "my set master.eq.low 1",
        "my pan bass -0.5",
    ];
    let ops = counted(&studios, "antiphon_ops_total");
    for order in mixes {
        studios.a.order(order);
    }
    let mine = writes(&mut studios.a);
    assert_eq!(mine.len(), mixes.len());
    mixes.iter().for_each(|order| assert!(mine.iter().any(|write| write == order), "{order} of {mine:?}"));
    assert!(writes(&mut studios.b).is_empty());

    // Both play: equal inputs, equal fingerprints, and nothing has gone up.
    studios.a.order("play");
    let (a, b) = (fingerprint(&mut studios.a, 1), fingerprint(&mut studios.b, 1));
    assert_eq!(a, b);
    studios.a.order("stop");
    studios.b.until("timeline", |line| (line["playing"] == false).then_some(()));
    let sent = counted(&studios, "antiphon_ops_total") - ops;
    assert_eq!(sent, 2, "start and stop alone have reached the server");
    assert_eq!(studios.a.state_when(|_| true), before);
    assert_eq!(studios.b.state_when(|_| true), before);

    // What cannot be is refused, with what can.
    studios.a.order("my set kick.level 0.5");
    let error = studios.a.until("error", |line| line["message"].as_str().map(str::to_owned));
    assert!(error.contains("is the song's alone"), "{error}");
    studios.agree();
}

#[test]
fn a_mix_is_that_of_its_session_and_survives_a_restart() {
    let studios = Studios::open(&[], &[]);
    let link = studios.server.link(&studios.invite);
    let profile = tempfile::tempdir().expect("a folder");
    let mut peer = Peer::of_profile(profile.path(), &link, "c", &[]);
    peer.state_when(|notation| notation.contains("hat"));
    peer.order("my mute hat on");
    peer.order("my trim master -3");
    assert!(peer.quit());
    let mut again = Peer::of_profile(profile.path(), &link, "c", &[]);
    again.state_when(|notation| notation.contains("hat"));
    assert_eq!(writes(&mut again), ["my trim master -3", "my mute hat on"]);
    let other = studios.server.link(&studios.server.session("editor"));
    again.order(&format!("join {other}"));
    again.answer_when("my", "mine", |mine| mine["neutral"] == true);
    again.order(&format!("join {link}"));
    let both = again.answer_when("my", "mine", |mine| mine["neutral"] == false);
    assert_eq!(both["writes"].as_array().map(Vec::len), Some(2));
    again.order("my clear hat");
    again.answer_when("my", "mine", |mine| mine["writes"].as_array().map(Vec::len) == Some(1));
    again.order("my clear");
    again.answer_when("my", "mine", |mine| mine["neutral"] == true);
    assert!(again.quit());
}
