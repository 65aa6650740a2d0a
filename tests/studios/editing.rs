//! Edits and hands, from one studio to the other.

use crate::Studios;
use crate::peer::number;

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
fn a_hand_is_seen_before_it_rests() {
    let mut studios = Studios::open(&[], &[]);
    let acked = studios.a.all("acked").count();
    studios.a.order("set kick.level 0.25");
    let moved = |notation: &str| notation.contains("level kick: 0.25");
    studios.b.state_when(moved);
    let seen_at = number(studios.b.told.last().expect("a line"), "host_ns");
    // The hand's one durable op comes when it has rested for 250 ms.
    let saved_at = studios.a.until("acked", |line| Some(number(line, "host_ns")));
    studios.a.state_when(moved);
    assert!(seen_at < saved_at, "seen {} ms after it was saved", (seen_at - saved_at) / 1_000_000);
    assert_eq!(studios.a.all("acked").count(), acked + 1, "one drag is one op");
    println!("b showed a's hand {} ms before it was saved", (saved_at - seen_at) / 1_000_000);
    studios.agree();
}
