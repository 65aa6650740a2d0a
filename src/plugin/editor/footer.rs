//! One line: what went wrong, else what can be done.

use egui::{Align, Layout, RichText, Ui, vec2};

use super::theme::{self, PANEL, QUIET, S4, TEXT};
use super::widgets::{self, Dot};
use super::{Hands, Scene};
use super::{conflicts, history, mine, people, step, track};
use crate::client::Command;
use crate::client::decisions::Decision;
use crate::session::How;

const HELP: &str = "Click a cell to play it · drag to paint · scroll over it for velocity · shift chooses several\n\
                    arrows move, space toggles, 1–9 velocity, Ctrl+C and Ctrl+V copy and paste, Ctrl+Z undoes\n\
                    G steps, N notes, S sound · D the step, A the track, H your own mix · M mutes, O solos (with shift for you alone), F fills\n\
                    [ ] patterns, P plays one, Q–I scenes";

pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, 3.0));
    egui::Panel::bottom("notice").exact_size(32.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            let told = scene.view.notice.clone().filter(|notice| hands.dismissed.as_ref() != Some(notice));
            let notice = scene.desk.notice().or(told);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                history::toggle(ui, scene, hands);
                people::toggle(ui, scene, hands);
                mine::toggle(ui, scene, hands);
                track::toggle(ui, hands);
                step::toggle(ui, hands);
                conflicts::toggle(ui, scene, hands);
                let stale = notice.as_ref().is_some_and(|notice| notice.contains("undo anyway"));
                if stale && ui.small_button("Undo anyway").on_hover_text("Put back what was there, over theirs").clicked()
                {
                    scene.desk.send(Command::Decide(Decision::Undo(How::Force)));
                    hands.dismissed = scene.view.notice.clone();
                }
                if stale && ui.small_button("Skip").on_hover_text("Leave it, and undo what came before next").clicked() {
                    scene.desk.send(Command::Decide(Decision::Undo(How::Skip)));
                    hands.dismissed = scene.view.notice.clone();
                }
                if notice.is_some() && ui.small_button("Dismiss").on_hover_text("Take this line away").clicked() {
                    scene.desk.dismiss();
                    hands.dismissed = scene.view.notice.clone();
                }
                let mut follow = scene.desk.choices().knobs_follow;
                let text = RichText::new("Host knobs follow").font(theme::font(12.0)).color(QUIET);
                let hint = "Let the session move your host's knobs while it plays. Off, they move only while it is stopped, \
                            so that no automation is written that you did not play.";
                if notice.is_none() && ui.checkbox(&mut follow, text).on_hover_text(hint).changed() {
                    scene.desk.choose(|choices| choices.knobs_follow = follow);
                }
                // What the buttons leave is the line's.
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| match &notice {
                    Some(notice) => {
                        widgets::state(ui, Dot::Cross, "").on_hover_text("Something needs your attention");
                        let label = egui::Label::new(RichText::new(notice).color(TEXT)).truncate();
                        ui.add(label).on_hover_text(notice);
                    }
                    None => {
                        let help = RichText::new(HELP.replace('\n', " · ")).font(theme::font(12.0)).color(QUIET);
                        ui.add(egui::Label::new(help).truncate()).on_hover_text(HELP);
                    }
                });
            });
        });
    });
}
