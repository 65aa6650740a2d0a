//! Cards for what several people wanted at once: who wanted what, what holds, and a choice.
//!
//! Cards that wait for a pick are shown to everybody. Those that are decided are shown to whom they
//! concern until they have been read here.

use std::collections::BTreeSet;

use egui::{RichText, ScrollArea, Ui, vec2};

use super::theme::{self, ACCENT, FIELD, PANEL, QUIET, S2, S3, S4, TEXT};
use super::widgets::{self, Dot};
use super::{Hands, Page, Scene};
use crate::client::Command;
use crate::client::decisions::{Decision, subject_words, wanted_words};
use crate::session::{ClientId, Conflict, ConflictKind};

/// The panel's width.
const WIDTH: f32 = 300.0;

/// What this person has done with the cards.
#[derive(Default)]
pub struct Cards {
    /// Decided cards that have been read.
    read: BTreeSet<u32>,
    /// The candidate that is tried.
    tried: Option<(u32, u8)>,
    /// How many were shown last: one more opens the page, where no other is open.
    count: usize,
}

/// The button that opens and closes the cards, while there are any.
pub fn toggle(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let count = shown(scene, &mut hands.cards).len();
    if count > hands.cards.count && hands.open.is_none() {
        hands.open = Some(Page::Cards);
    }
    hands.cards.count = count;
    let open = hands.open == Some(Page::Cards);
    if count == 0 {
        if open {
            hands.open = None;
        }
        return;
    }
    let word = RichText::new(format!("Choices · {count}")).color(if open { TEXT } else { ACCENT });
    if ui.selectable_label(open, word).on_hover_text("What several people wanted at once").clicked() {
        hands.turn_to(Page::Cards);
    }
}

/// The cards to show: those that wait first.
fn shown<'a>(scene: &Scene<'a>, read: &mut Cards) -> Vec<&'a Conflict> {
    let conflicts = &scene.view.rulings.conflicts;
    let mine = |card: &Conflict| {
        card.candidates
            .iter()
            .any(|candidate| candidate.author == scene.view.client && candidate.value != card.result)
    };
    let shown = |card: &&Conflict| card.kind.waits() || (mine(card) && !read.read.contains(&card.id));
    let mut cards: Vec<&Conflict> = conflicts.cards().iter().rev().filter(shown).collect();
    cards.sort_by_key(|card| !card.kind.waits());
    // What is gone from the list needs no remembering.
    read.read.retain(|id| conflicts.card(*id).is_some());
    cards
}

/// The page of cards.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let cards = shown(scene, &mut hands.cards);
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("conflicts").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        ui.label(RichText::new("Several wanted this").font(theme::font(15.0)).color(TEXT))
            .on_hover_text("Changes that were made without having seen each other");
        ui.add_space(S2);
        ScrollArea::vertical().show(ui, |ui| {
            ui.set_max_width(ui.available_width() - S3);
            cards.iter().for_each(|card| show_card(ui, card, scene, hands));
        });
    });
}

fn show_card(ui: &mut Ui, card: &Conflict, scene: &Scene<'_>, hands: &mut Hands) {
    egui::Frame::new().fill(FIELD).corner_radius(theme::CORNER).inner_margin(vec2(S3, S3)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let (dot, said) = match card.kind {
            ConflictKind::Waiting => (Dot::Half, "What plays stays until somebody picks."),
            ConflictKind::Tempo => {
                (Dot::Half, "Too far apart to meet: the tempo stays until somebody picks.")
            }
            ConflictKind::Overwritten => (Dot::Full, "The last change holds."),
            ConflictKind::Merged => (Dot::Full, "They met in between."),
        };
        let about = subject_words(card.subject, &scene.view.song);
        widgets::state(ui, dot, &about).on_hover_text(said);
        ui.label(RichText::new(said).font(theme::font(12.0)).color(QUIET));
        for (place, candidate) in (0u8..).zip(&card.candidates) {
            let id = card.id;
            ui.horizontal(|ui| {
                let value = plain(&wanted_words(&candidate.value));
                let holds = candidate.value == card.result;
                let text = format!("{}: {value}", name(candidate.author, scene));
                let text = RichText::new(text).color(if holds { TEXT } else { QUIET });
                ui.label(if holds { text.strong() } else { text });
                if ui.small_button("Use").on_hover_text("Make this what holds, for everybody").clicked() {
                    hands.cards.tried = None;
                    decide(scene, Decision::Resolve { id, choice: Some(place) });
                }
                let tried = hands.cards.tried == Some((id, place));
                let tempo = card.kind == ConflictKind::Tempo;
                let word = if tried { "End" } else { "Try" };
                let hint = if tried { "Back to what holds" } else { "Hear it here alone; nobody else does" };
                if !tempo && ui.small_button(word).on_hover_text(hint).clicked() {
                    hands.cards.tried = (!tried).then_some((id, place));
                    decide(scene, Decision::Audition(hands.cards.tried));
                }
            });
        }
        ui.horizontal(|ui| {
            let held = plain(&wanted_words(&card.result));
            if card.kind.waits() {
                let keep = ui.small_button(format!("Keep {held}"));
                if keep.on_hover_text("Put this card away for everybody; what holds stays").clicked() {
                    hands.cards.tried = None;
                    decide(scene, Decision::Resolve { id: card.id, choice: None });
                }
            } else {
                ui.label(RichText::new(format!("Holds: {held}")).font(theme::font(12.0)).color(QUIET));
                if ui.small_button("Read").on_hover_text("Take this card away here").clicked() {
                    hands.cards.read.insert(card.id);
                }
            }
        });
    });
    ui.add_space(S3);
}

fn decide(scene: &Scene<'_>, decision: Decision) {
    scene.desk.send(Command::Decide(decision));
}

/// A value as one says it: "on" for "true", "36" for "Some(36)".
fn plain(value: &str) -> String {
    match value.strip_prefix("Some(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(value) {
        "true" => "on".to_owned(),
        "false" => "off".to_owned(),
        "None" => "none".to_owned(),
        inner => inner.replace('-', "\u{2212}"),
    }
}

fn name(client: ClientId, scene: &Scene<'_>) -> String {
    if client == scene.view.client {
        return "you".to_owned();
    }
    let peer = scene.view.peers.iter().find(|peer| peer.client == client);
    peer.map_or_else(|| format!("participant {}", client.0), |peer| peer.name.clone())
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_said_plainly() {
        for (value, said) in [("true", "on"), ("Some(36)", "36"), ("None", "none"), ("-5.0 dB", "−5.0 dB")]
        {
            assert_eq!(super::plain(value), said);
        }
    }
}
