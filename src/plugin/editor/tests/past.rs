//! Cards, branches, versions.

use super::window::{LARGE, Window};
use crate::client::decisions::Decision;
use crate::client::{Command, LineCommand};
use crate::param::{Owner, Param, Slot, TrackIndex};
use crate::pattern::Edit;
use crate::plugin::editor::Page;
use crate::session::{
    Branch, BranchId, Candidate, ClientId, Conflict, ConflictKind, Conflicts, Rulings, Seq, Subject, Version,
    Wanted,
};

const ME: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);

fn card(id: u32, kind: ConflictKind) -> Conflict {
    let track = TrackIndex::all().next().expect("a track");
    let slot = Slot::new(Owner::Track(track), Param::FilterType);
    let wanted = |value| Wanted::Edit(Edit::Param { slot, value });
    let register = Edit::Param { slot, value: 0.0 }.register();
    Conflict {
        id,
        seq: Seq(1),
        kind,
        subject: Subject::Register(register),
        candidates: vec![
            Candidate { author: OTHER, value: wanted(2.0) },
            Candidate { author: ME, value: wanted(1.0) },
        ],
        result: wanted(2.0),
    }
}

/// Rulings with cards; the session makes them by deciding.
fn rulings(cards: &[Conflict]) -> Rulings {
    let mut stored = serde_json::to_value(Conflicts::default()).expect("plain data");
    stored["cards"] = serde_json::to_value(cards).expect("plain data");
    let conflicts: Conflicts = serde_json::from_value(stored).expect("what was written");
    let mut rulings = Rulings::default();
    rulings.conflicts = conflicts;
    rulings
}

fn with_cards(cards: Vec<Conflict>) -> Window {
    let mut window = Window::of("seq kick: X...\n", LARGE);
    window.seen(move |view| {
        view.client = ME;
        view.rulings = std::sync::Arc::new(rulings(&cards));
    });
    window.told();
    window
}

fn decisions(window: &Window) -> Vec<Decision> {
    let told = window.told().into_iter();
    told.filter_map(|command| if let Command::Decide(decision) = command { Some(decision) } else { None })
        .collect()
}

#[test]
fn a_card_that_waits_is_tried_used_and_put_away() {
    let mut window = with_cards(vec![card(7, ConflictKind::Waiting)]);
    assert!(window.hands.open == Some(Page::Cards), "a card opens the page");
    window.click("Try");
    assert_eq!(decisions(&window), [Decision::Audition(Some((7, 0)))]);
    window.click("End");
    assert_eq!(decisions(&window), [Decision::Audition(None)]);
    window.click("Use");
    assert_eq!(decisions(&window), [Decision::Resolve { id: 7, choice: Some(0) }]);
    window.click("Keep …");
    assert_eq!(decisions(&window), [Decision::Resolve { id: 7, choice: None }]);
}

#[test]
fn a_card_that_was_decided_goes_once_it_is_read() {
    let mut window = with_cards(vec![card(3, ConflictKind::Overwritten)]);
    assert!(window.find("Choices · 1").is_some());
    window.click("Read");
    assert!(window.find("Choices · 1").is_none());
    assert!(decisions(&window).is_empty(), "reading is this editor's own");
}

#[test]
fn a_tempo_card_is_not_tried_but_chosen() {
    let mut window = with_cards(vec![card(5, ConflictKind::Tempo)]);
    assert!(window.find("Try").is_none());
    window.click("Use");
    assert_eq!(decisions(&window), [Decision::Resolve { id: 5, choice: Some(0) }]);
}

fn lines(window: &Window) -> Vec<LineCommand> {
    let told = window.told().into_iter();
    let lines = told.filter_map(|command| if let Command::Line(line) = command { Some(line) } else { None });
    lines.filter(|line| !matches!(line, LineCommand::History { .. })).collect()
}

#[test]
fn branches_and_versions_are_auditioned_merged_dropped_and_restored() {
    let mut window = Window::of("seq kick: X...\n", LARGE);
    window.seen(|view| {
        view.lines.branches = vec![Branch {
            id: BranchId(4),
            parent: BranchId::MAIN,
            fork_seq: Seq(10),
            head: Seq(12),
            name: "darker".to_owned(),
            author: ME,
            merged: None,
        }];
        view.lines.versions =
            vec![Version { name: "first".to_owned(), branch: BranchId::MAIN, seq: Seq(9), author: ME }];
    });
    window.click("History");
    window.told();
    for (button, line) in [
        ("Audition", LineCommand::Audition(BranchId(4))),
        ("Merge", LineCommand::Merge(BranchId(4))),
        ("Drop", LineCommand::Drop(BranchId(4))),
        ("Restore", LineCommand::Restore { line: BranchId::MAIN, seq: Seq(9) }),
        ("Forget", LineCommand::Unname("first".to_owned())),
    ] {
        window.click(button);
        assert_eq!(lines(&window), [line], "{button}");
    }
}
