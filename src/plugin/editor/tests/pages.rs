//! Steps, notes, sound, track.

use std::collections::BTreeSet;

use egui::{Key, Modifiers, pos2, vec2};

use super::window::{LARGE, LEAST, Window};
use crate::client::Command;
use crate::param::{Owner, Param, TrackIndex};
use crate::pattern::{Choke, Condition, Edit, Follow, MidiMode, Rate, Song, Step, Trig, Voice, voice_named};
use crate::plugin::editor::{Middle, Page};

const GROOVE: &str = "TEMPO 124\nseq kick: X...X...X...X...\nseq hat: ..x...x...x...x.\nseq lead: x.......x.......\nnote lead: 60\n";

fn window() -> Window {
    Window::of(GROOVE, LARGE)
}

fn track(song: &Song, name: &str) -> TrackIndex {
    song.track_named(name).expect("a track")
}

fn cells<'a>(song: &'a Song, name: &str) -> &'a [Step; 64] {
    &song.track(track(song, name)).playing().steps
}

/// Goes to a step of the first row with the keyboard.
fn go_to(window: &mut Window, name: &str, step: u8) {
    let song = window.song();
    (window.hands.cursor, window.hands.cursor_shown) = ((track(&song, name), step), true);
    window.rest();
}

/// The undo steps of the strokes that were told of.
fn strokes(told: &[Command]) -> BTreeSet<u64> {
    told.iter()
        .filter_map(|command| if let Command::Stroke { step, .. } = command { Some(*step) } else { None })
        .collect()
}

#[test]
fn nothing_leaves_the_least_window_at_either_side() {
    for zoom in [1.0, 2.0] {
        let mut window = Window::of(GROOVE, LEAST * zoom);
        window.zoom(zoom);
        for view in [Middle::Steps, Middle::Notes, Middle::Sound] {
            for open in [
                None,
                Some(Page::People),
                Some(Page::History),
                Some(Page::Step),
                Some(Page::Track),
                Some(Page::Mine),
            ] {
                (window.hands.view, window.hands.open) = (view, open);
                window.rest();
                for (name, rect) in window.named().filter(|(_, rect)| rect.is_positive()) {
                    let inside = rect.left() >= -0.5 && rect.right() <= LEAST.x + 0.5;
                    assert!(inside, "{view:?} zoom {zoom}: {name:?} lies at {rect:?}");
                }
            }
        }
    }
}

#[test]
fn a_step_takes_all_it_can_carry_from_its_page() {
    let mut window = window();
    go_to(&mut window, "kick", 4);
    window.press(Key::D, Modifiers::NONE);
    window.click("3");
    window.click("Tie");
    window.told();
    window.drag_control("Velocity: 100 %", vec2(-40.0, 0.0));
    assert_eq!(strokes(&window.told()).len(), 1, "a drag is one undo step");
    window.drag_control("Timing: +0 %", vec2(-20.0, 0.0));
    window.drag_control("Chance: 100 %", vec2(-50.0, 0.0));
    window.drag_control("Length: 1.00 steps", vec2(30.0, 0.0));
    window.click("Sounds: Always");
    window.click("A : B");
    window.click("not");
    let song = window.song();
    let cell = cells(&song, "kick")[4];
    assert_eq!((cell.ratchet, cell.tie), (3, true));
    assert!((0.2..0.9).contains(&cell.velocity), "{}", cell.velocity);
    assert!((-25..-5).contains(&cell.micro), "{}", cell.micro);
    assert!((0.1..0.9).contains(&cell.probability) && cell.gate > 130, "{cell:?}");
    assert_eq!(cell.condition, Condition { when: Trig::Nth { nth: 1, of: 2 }, not: true });
    window.click("Clear");
    assert_eq!(cells(&window.song(), "kick")[4], Step::REST);
}

#[test]
fn shift_chooses_several_steps_that_change_together() {
    let mut window = window();
    go_to(&mut window, "kick", 0);
    for _ in 0..3 {
        window.press(Key::ArrowRight, Modifiers::SHIFT);
    }
    window.press(Key::D, Modifiers::NONE);
    assert!(window.find("kick steps 1–4").is_some());
    window.click("2");
    assert!(cells(&window.song(), "kick")[..4].iter().all(|cell| cell.ratchet == 2));
    window.press(Key::C, Modifiers::COMMAND);
    window.press(Key::Escape, Modifiers::NONE);
    go_to(&mut window, "hat", 8);
    window.press(Key::V, Modifiers::COMMAND);
    let song = window.song();
    assert_eq!(cells(&song, "hat")[8..12], cells(&song, "kick")[..4]);
}

#[test]
fn cells_that_changed_since_are_pasted_as_they_were() {
    let mut window = window();
    go_to(&mut window, "kick", 0);
    window.press(Key::X, Modifiers::COMMAND);
    assert_eq!(cells(&window.song(), "kick")[0], Step::REST);
    go_to(&mut window, "hat", 1);
    window.press(Key::V, Modifiers::COMMAND);
    let song = window.song();
    assert!(cells(&song, "hat")[1].on && cells(&song, "hat")[1].velocity == 1.0);
}

#[test]
fn a_lock_is_taken_turned_and_given_up() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::D, Modifiers::NONE);
    window.click("Lock…");
    window.click("Filter");
    window.click("Cutoff");
    let held = |window: &Window| {
        let song = window.song();
        let row = song.track(track(&song, "lead"));
        (row.lanes[0], row.lock(row.pattern, 0, 0))
    };
    assert_eq!(held(&window), (Some(Param::FilterFreq), Some((Param::FilterFreq, 20_000.0))));
    window.drag_control("Filter cutoff: 20.00 kHz", vec2(-60.0, 0.0));
    let (_, Some((_, value))) = held(&window) else { panic!("the lock is gone") };
    assert!((100.0..10_000.0).contains(&value), "{value}");
    window.click("×");
    assert_eq!(held(&window), (Some(Param::FilterFreq), None));
}

#[test]
fn a_note_is_put_moved_lengthened_and_taken_away() {
    let mut window = window();
    go_to(&mut window, "lead", 4);
    window.press(Key::N, Modifiers::NONE);
    let song = window.song();
    assert!(!cells(&song, "lead")[4].on);
    // The column of step 5 by its place on the page, a row in the middle.
    let column = (LARGE.x - 24.0 - 48.0) / 16.0;
    let at = pos2(12.0 + 48.0 + 4.5 * column, 700.0);
    window.click_at(at, Modifiers::NONE);
    let song = window.song();
    let put = cells(&song, "lead")[4];
    let note = put.note.expect("a note");
    assert!(put.on);
    window.told();
    window.drag(at, vec2(0.0, -40.0), Modifiers::NONE);
    assert_eq!(strokes(&window.told()).len(), 1);
    let song = window.song();
    let higher = cells(&song, "lead")[4].note.expect("a note");
    assert!(higher > note && cells(&song, "lead")[4].also == [None; 3], "{note} {higher}");
    let moved = at + vec2(0.0, -40.0);
    window.drag(moved + vec2(0.5 * column - 4.0, 0.0), vec2(2.0 * column, 0.0), Modifiers::NONE);
    let song = window.song();
    assert_eq!(cells(&song, "lead")[4].gate, 300);
    window.press(Key::ArrowUp, Modifiers::ALT | Modifiers::SHIFT);
    assert_eq!(cells(&window.song(), "lead")[4].note, Some(higher + 12));
    window.press(Key::ArrowDown, Modifiers::ALT | Modifiers::SHIFT);
    window.click_at(moved, Modifiers::NONE);
    assert!(!cells(&window.song(), "lead")[4].on);
}

#[test]
fn scale_lock_follows_the_key() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::N, Modifiers::NONE);
    window.click("Scale lock");
    let song = window.song();
    assert_eq!(song.track(track(&song, "lead")).follow, Follow::Scale);
}

#[test]
fn modules_switch_turn_and_go_back() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::S, Modifiers::NONE);
    let param = |window: &Window, param| {
        let song = window.song();
        song.param(Owner::Track(track(&song, "lead")), param)
    };
    window.click("Filter");
    assert_eq!(param(&window, Param::FilterEnabled), 0.0);
    window.click("Filter");
    window.told();
    window.drag_control("Cutoff: 20.00 kHz", vec2(-50.0, 0.0));
    assert!(window.told().iter().all(|command| matches!(command, Command::Gesture(Edit::Param { .. }))));
    assert!(param(&window, Param::FilterFreq) < 10_000.0);
    let at = window.find("Cutoff: …").expect("the cutoff").center();
    window.click_at(at, Modifiers::ALT);
    assert_eq!(param(&window, Param::FilterFreq), 20_000.0);
    window.click("Type: lowpass");
    window.click("bandpass");
    assert_eq!(param(&window, Param::FilterType), 2.0);
    window.click("Listens to: own");
    window.click("track 4 (none)");
    assert_eq!(param(&window, Param::CompSide), 4.0);
    window.click("Template: none");
    window.click("shuffle");
    let song = window.song();
    let lead = track(&song, "lead");
    assert_eq!(song.track(lead).groove_template.as_str(), "shuffle");
    assert_eq!(param(&window, Param::GrooveType), 4.0);
    window.click("master");
    window.drag_control("Ceiling: …", vec2(-50.0, 0.0));
    assert!(window.song().param(Owner::Master, Param::Ceiling) < -5.0);
}

#[test]
fn a_stepped_value_is_dragged_through_all_it_has() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::S, Modifiers::NONE);
    window.drag_control("Low: +0", vec2(-60.0, 0.0));
    let song = window.song();
    assert_eq!(song.param(Owner::Track(track(&song, "lead")), Param::EqLow), -3.0);
}

#[test]
fn a_control_is_reached_and_turned_by_keys_alone() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::S, Modifiers::NONE);
    let at = window.find("Mix: 0.00").expect("a mix").center();
    window.frame(vec![egui::Event::PointerMoved(at)], Modifiers::NONE);
    window.frame(vec![egui::Event::Text("+".to_owned())], Modifiers::NONE);
    window.rest();
    assert!(window.find("Mix: 0.01").is_some());
}

#[test]
fn a_track_is_shaped_from_its_page() {
    let mut window = window();
    go_to(&mut window, "kick", 0);
    window.press(Key::A, Modifiers::NONE);
    let on = |window: &Window| {
        let song = window.song();
        let steps = cells(&song, "kick")[..16].iter().map(|cell| if cell.on { 'x' } else { '.' });
        steps.collect::<String>()
    };
    window.click("Later");
    assert_eq!(on(&window), ".x...x...x...x..");
    window.click("Spread");
    assert_eq!(on(&window).matches('x').count(), 5);
    window.click("Fill");
    assert!(on(&window).matches('x').count() >= 8);
    window.click("Copy");
    let whole = window.song().track(TrackIndex::all().next().expect("a track")).patterns[0];
    go_to(&mut window, "hat", 0);
    window.click("Paste");
    let song = window.song();
    assert_eq!(*song.track(track(&song, "hat")).playing(), whole);
    window.click("A step is: 1/16");
    window.click("1/8 triplet");
    window.click("Chokes: as a kit");
    window.click("group 3");
    window.click("Notes go to: both");
    window.click("midi");
    window.click("MIDI channel: 2 (its place)");
    window.click("10");
    window.click("Voice: closed hat");
    window.click("fm");
    let song = window.song();
    let hat = song.track(track(&song, "hat"));
    assert_eq!((hat.playing().rate, hat.choke), (Rate::EighthTriplet, Choke::Group(3)));
    assert_eq!((hat.midi, hat.channel), (MidiMode::Midi, Some(9)));
    assert_eq!(voice_named(&hat.name, &hat.sample).voice, Voice::Fm);
    window.click("Capture");
    assert_eq!(window.song().track(track(&song, "hat")).patterns[0].length, 32);
}

#[test]
fn key_and_chords_are_chosen_for_the_song() {
    let mut window = window();
    window.press(Key::A, Modifiers::NONE);
    window.click("Key: C");
    window.click("A");
    window.click("Scale: major");
    window.click("dorian");
    window.click("Put C");
    let song = window.song();
    assert_eq!((song.context.key, song.chords[0].map(|change| change.beat)), (9, Some(0)));
    window.click("1 C");
    window.click("Remove");
    assert_eq!(window.song().chords[0], None);
}

#[test]
fn a_fill_lasts_as_long_as_it_is_held() {
    let mut window = window();
    window.hold("FILL", true);
    assert!(window.song().context.fill);
    window.hold("FILL", false);
    assert!(!window.song().context.fill);
    window.key(Key::F, true, Modifiers::NONE);
    assert!(window.song().context.fill);
    window.key(Key::F, false, Modifiers::NONE);
    assert!(!window.song().context.fill);
}

#[test]
fn tracks_are_muted_and_soloed() {
    let mut window = window();
    window.click("solo hat");
    let song = window.song();
    assert!(song.track(track(&song, "hat")).solo && song.is_soloed_out(track(&song, "kick")));
    window.click("mute kick");
    assert_eq!(window.song().param(Owner::Track(track(&song, "kick")), Param::Mute), 1.0);
}

#[test]
fn a_preset_and_a_sound_by_chance_are_taken_from_the_menu() {
    let mut window = window();
    go_to(&mut window, "lead", 0);
    window.press(Key::S, Modifiers::NONE);
    let before = window.song();
    let bank = crate::pattern::presets::sounds();
    let preset = bank.iter().find(|preset| preset.kind == "bass").unwrap_or(&bank[0]);
    window.click("Preset");
    window.click(preset.kind);
    window.click(preset.name);
    let after = window.song();
    assert_ne!(after, before);
    assert_eq!(cells(&after, "lead"), cells(&before, "lead"), "its notes stay");
    window.click("By chance");
    assert_ne!(window.song(), after);
    assert!(window.desk.notice().is_some_and(|notice| notice.contains("lead: sound")), "the seed is shown");
    window.click("Groove");
    let groove = &crate::pattern::presets::grooves()[0];
    window.click(groove.kind);
    window.click(groove.name);
    assert!(window.song().alive().count() >= 3);
}

#[test]
fn a_midi_file_is_written_by_a_click() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("groove.mid");
    let mut window = window();
    window.hands.track.files.to(&path);
    window.press(Key::A, Modifiers::NONE);
    window.click("Export MIDI");
    assert!(window.desk.notice().is_some_and(|notice| notice.contains("written to")));
    let read = crate::client::midi_file::import(&std::fs::read(&path).expect("the file"));
    assert_eq!(read.expect("a MIDI file").song.alive().count(), 3);
}
