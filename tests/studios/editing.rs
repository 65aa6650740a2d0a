//! Edits and hands, from one studio to the other.

use crate::Studios;
use crate::peer::{number, text};

#[test]
fn each_studio_sees_what_the_other_edits() {
    let mut studios = Studios::open(&[], &[]);
    studios.a.order("step kick 2 on");
    studios.b.order("step hat 1 on");
    studios.b.order("velocity kick 0 0.7");
    studios.a.order("set hat.level 0.5");
    studios.b.order("tempo 180");
    let whole = |notation: &str| {
        ["TEMPO 180", "seq kick: x.x.x...X...x...", "seq hat: xxx.x.x.x.x.x.xo", "level hat: 0.5"]
            .iter()
            .all(|line| notation.contains(line))
    };
    let seen = studios.a.state_when(whole);
    assert_eq!(studios.b.state_when(whole), seen);
    studios.a.order("chat four bars more?");
    let heard = studios.b.until("chat", |line| Some(line["text"].to_string()));
    assert_eq!(heard, "\"four bars more?\"");
    studios.agree();
}

#[test]
fn a_hand_is_seen_before_anything_is_saved() {
    let mut studios = Studios::open(&[], &[]);
    let saved = number(&studios.b.answer_when("state", "state", |_| true), "seq");
    let acked = studios.a.all("acked").count();
    // The hand moves until it is seen; its one durable op comes when it has rested for 250 ms.
    for moves in 1..=200 {
        studios.a.order(&format!("set kick.level 0.{:03}", 200 + moves));
        let state = studios.b.answer_when("state", "state", |_| true);
        if text(&state, "notation").contains("level kick: 0.") {
            assert_eq!(number(&state, "seq"), saved, "seen, and nothing was committed");
            println!("b saw the hand at its move {moves}");
            break;
        }
        assert!(moves < 200, "200 moves of a hand were not seen");
    }
    studios.a.order("set kick.level 0.25");
    studios.a.until("acked", |_| Some(()));
    let rested = |notation: &str| notation.contains("level kick: 0.25\n");
    studios.a.state_when(rested);
    studios.b.state_when(rested);
    assert_eq!(studios.a.all("acked").count(), acked + 1, "one drag is one op");
    studios.agree();
}
