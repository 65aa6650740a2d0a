//! Sounds and grooves to begin with reach everybody as edits, and go in one step.

use crate::peer::{Peer, number};
use crate::server_process::Server;

#[test]
fn a_groove_and_a_sound_reach_the_other_and_go_in_one_step() {
    let server = Server::start();
    let invite = server.session("editor");
    let link = server.link(&invite);
    let mut a = Peer::join(&link, "a", &[]);
    let mut b = Peer::join(&link, "b", &[]);
    a.order("groove boom-bap");
    let groove = b.state_when(|notation| notation.contains("name=mpc-62") && notation.contains("seq snare"));
    a.order("sound snare dusty-snare");
    b.state_when(|notation| notation.contains("filter snare: type=bandpass"));
    a.order("undo");
    let back = b.state_when(|notation| !notation.contains("filter snare"));
    assert_eq!(back, groove);

    a.order("randomize hat 41");
    let seed = a.until("randomized", |line| Some(number(line, "seed")));
    assert_eq!(seed, 41);
    let random = a.state_when(|notation| notation != groove);
    assert_eq!(b.state_when(|notation| notation != groove), random);
    a.order("save sound hat mine");
    a.until("saved", |_| Some(()));
    a.order("undo");
    b.state_when(|notation| notation == groove);
    a.order("sound hat mine");
    b.state_when(|notation| notation.replace("sample hat: hat\n", "") == random);
    let listed = a.answer_when("presets", "presets", |_| true);
    assert_eq!((&listed["sounds"][0]["name"], &listed["sounds"][0]["kind"]), (&"mine".into(), &"own".into()));
    a.order("sound hat nothing-here");
    let message = a.until("error", |line| line["message"].as_str().map(str::to_owned));
    assert!(message.contains("there is no preset 'nothing-here'"), "{message}");
}
