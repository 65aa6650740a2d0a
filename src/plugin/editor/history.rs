//! Who did what and when, the branches, and the named versions: a page beside the grid.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use egui::{Align, Layout, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::theme::{self, ACCENT, PANEL, QUIET, S2, S3, S4, TEXT};
use super::{Hands, Page as Side, Scene};
use crate::client::{Command, Connection, LineCommand};
use crate::session::{BranchId, Detail, HistoryEntry, MAX_TITLE, Seq};

/// The page's width, in logical points.
const WIDTH: f32 = 330.0;
/// Lines asked for at a time.
const PAGE: u16 = 50;
/// The least time between two looks at the history while the song changes.
const LOOK: Duration = Duration::from_secs(2);

/// Why nothing can be forked or named.
const NAMELESS: &str = "Type a name first";

/// What the person does on this page.
#[derive(Default)]
pub struct Page {
    /// Every commit, not significant changes alone.
    all: bool,
    /// The name being typed for a branch or version.
    name: String,
    /// What the history was last asked for, and when: line and last commit.
    asked: Option<(Option<BranchId>, Seq, Instant)>,
}

/// The button that opens and closes the page.
pub fn toggle(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let word = match scene.view.lines.audition {
        Some(branch) => format!("Branch {}", branch.0),
        None => "History".to_owned(),
    };
    let hint = "Who did what and when, branches and named versions";
    if ui.selectable_label(hands.open == Some(Side::History), word).on_hover_text(hint).clicked() {
        hands.turn_to(Side::History);
        hands.history.asked = None;
    }
}

/// The page, where it is open.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    hands.history.look(scene);
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("history").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        here(ui, scene, &mut hands.history);
        ui.add_space(S3);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - S3);
            branches(ui, scene);
            versions(ui, scene);
            changes(ui, scene, &mut hands.history);
        });
    });
}

impl Page {
    /// Asks for the latest history where that shown is not.
    fn look(&mut self, scene: &Scene<'_>) {
        if matches!(scene.view.connection, Connection::Offline { .. } | Connection::Connecting) {
            return;
        }
        let (line, seq) = (scene.view.lines.audition, scene.view.seq);
        let fresh =
            self.asked.is_some_and(|(asked, at, when)| asked == line && (at == seq || when.elapsed() < LOOK));
        if !fresh {
            self.asked = Some((line, seq, Instant::now()));
            self.ask(scene, None);
        }
    }

    fn ask(&self, scene: &Scene<'_>, before: Option<Seq>) {
        let detail = if self.all { Detail::All } else { Detail::Significant };
        tell(scene, LineCommand::History { before, detail, limit: PAGE });
    }

    fn take_name(&mut self) -> String {
        std::mem::take(&mut self.name).trim().to_owned()
    }
}

fn tell(scene: &Scene<'_>, command: LineCommand) {
    scene.desk.send(Command::Line(command));
}

/// Where this machine is, and the name field that forks and names.
fn here(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page) {
    let lines = &scene.view.lines;
    let branch = lines.audition.and_then(|id| lines.branches.iter().find(|branch| branch.id == id));
    ui.horizontal(|ui| match branch {
        Some(branch) => {
            let text = format!("On the branch \"{}\"", branch.name);
            ui.label(RichText::new(text).color(ACCENT))
                .on_hover_text("You alone hear and edit this branch; the others play the session as before.");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let back = ui.button("Back").on_hover_text("Hear and edit the session again");
                if back.clicked() {
                    tell(scene, LineCommand::Audition(BranchId::MAIN));
                }
            });
        }
        None => {
            ui.label(RichText::new("The session").color(TEXT)).on_hover_text("What everybody plays");
        }
    });
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(&mut page.name)
            .hint_text("a name")
            .char_limit(MAX_TITLE)
            .desired_width(150.0);
        ui.add(field).on_hover_text("What a new branch or version is called");
        let named = !page.name.trim().is_empty();
        let fork = ui.add_enabled(named, egui::Button::new("Fork"));
        if fork
            .on_hover_text("A branch from here: private until it is merged")
            .on_disabled_hover_text(NAMELESS)
            .clicked()
        {
            tell(scene, LineCommand::Fork { name: page.take_name(), at: None });
        }
        let keep = ui.add_enabled(named, egui::Button::new("Name"));
        if keep
            .on_hover_text("Name this moment, to come back to it")
            .on_disabled_hover_text(NAMELESS)
            .clicked()
        {
            tell(scene, LineCommand::Name { name: page.take_name(), at: None });
        }
    });
}

fn heading(ui: &mut Ui, text: &str) {
    ui.add_space(S3);
    ui.label(RichText::new(text).font(theme::font(12.0)).color(QUIET));
}

fn branches(ui: &mut Ui, scene: &Scene<'_>) {
    let lines = &scene.view.lines;
    if lines.branches.is_empty() {
        return;
    }
    heading(ui, "branches");
    for branch in &lines.branches {
        ui.horizontal(|ui| {
            let auditioned = lines.audition == Some(branch.id);
            let edits = branch.head.0.saturating_sub(branch.merged.unwrap_or(branch.fork_seq).0);
            let name = RichText::new(&branch.name).color(if auditioned { ACCENT } else { TEXT });
            let hint = format!(
                "Branch {} by {}, from {}; {edits} edits not merged yet",
                branch.id.0,
                author(scene, branch.author),
                branch.fork_seq.0
            );
            ui.add(egui::Label::new(name).truncate()).on_hover_text(hint);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = S2;
                let button = |ui: &mut Ui, word: &str, hint: &str, command: LineCommand| {
                    if ui.small_button(word).on_hover_text(hint).clicked() {
                        tell(scene, command);
                    }
                };
                let drop = "Take the branch out of the list; only who forked it or an owner may";
                button(ui, "Drop", drop, LineCommand::Drop(branch.id));
                let merge = "Bring its edits into the session: an ordinary edit that everybody hears";
                button(ui, "Merge", merge, LineCommand::Merge(branch.id));
                if !auditioned {
                    let listen = "Hear and edit it here alone";
                    button(ui, "Audition", listen, LineCommand::Audition(branch.id));
                }
            });
        });
    }
}

fn versions(ui: &mut Ui, scene: &Scene<'_>) {
    let versions = &scene.view.lines.versions;
    if versions.is_empty() {
        return;
    }
    heading(ui, "versions");
    for version in versions.iter().rev() {
        ui.horizontal(|ui| {
            let hint = format!("Named by {}, at {}", author(scene, version.author), version.seq.0);
            ui.add(egui::Label::new(RichText::new(&version.name).color(TEXT)).truncate()).on_hover_text(hint);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = S2;
                let forget = ui.small_button("Forget");
                if forget.on_hover_text("Take the name away; the history stays").clicked() {
                    tell(scene, LineCommand::Unname(version.name.clone()));
                }
                let restore = ui.small_button("Restore");
                if restore.on_hover_text("Make the song what it was then, by edits").clicked() {
                    tell(scene, LineCommand::Restore { line: version.branch, seq: version.seq });
                }
            });
        });
    }
}

fn changes(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page) {
    let history = &scene.view.lines.history;
    ui.add_space(S3);
    ui.horizontal(|ui| {
        ui.label(RichText::new("changes").font(theme::font(12.0)).color(QUIET));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = RichText::new("every commit").font(theme::font(12.0)).color(QUIET);
            let hint = "Off: drags and strokes are one line each, and the transport is left out";
            if ui.checkbox(&mut page.all, text).on_hover_text(hint).changed() {
                page.asked = None;
            }
        });
    });
    if history.entries.is_empty() {
        ui.label(RichText::new("Nothing yet").color(QUIET))
            .on_hover_text("Edits show here, the latest first");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    for entry in &history.entries {
        ui.horizontal(|ui| change(ui, scene, page, entry, now));
    }
    if let Some(before) = history.before {
        let more = ui.small_button("Earlier").on_hover_text("Changes before these");
        if more.clicked() {
            page.ask(scene, Some(before));
        }
    }
}

fn change(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page, entry: &HistoryEntry, now: i64) {
    let line = scene.view.lines.history.line;
    let who = author(scene, entry.author);
    let words = entry.what.words(&scene.view.song);
    let text = RichText::new(format!("{who} {words}")).font(theme::font(13.0)).color(TEXT);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = S2;
        let menu = ui.menu_button("…", |ui| {
            let restore = ui.button("Restore").on_hover_text("Make the song what it was right after this");
            if restore.clicked() {
                tell(scene, LineCommand::Restore { line, seq: entry.last });
                ui.close();
            }
            let fork = ui.add_enabled(!page.name.trim().is_empty(), egui::Button::new("Fork from here"));
            let hint = "A branch from right after this";
            let fork = fork.on_hover_text(hint).on_disabled_hover_text("Type a name for the branch first");
            if fork.clicked() {
                let (name, at) = (page.take_name(), Some((line, entry.last)));
                tell(scene, LineCommand::Fork { name, at });
                ui.close();
            }
        });
        menu.response.on_hover_text("Restore, or fork from here");
        ui.label(RichText::new(ago(now - entry.until_ms)).font(theme::figures(12.0)).color(QUIET));
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let commits = match entry.first == entry.last {
                true => format!("commit {}", entry.last.0),
                false => format!("commits {} to {}", entry.first.0, entry.last.0),
            };
            ui.add(egui::Label::new(text).truncate()).on_hover_text(format!("{who} {words}\n{commits}"));
        });
    });
}

fn author(scene: &Scene<'_>, client: crate::session::ClientId) -> String {
    let view = scene.view;
    let known = view.lines.history.names.get(&client).cloned();
    let peer = || view.peers.iter().find(|peer| peer.client == client).map(|peer| peer.name.clone());
    known.or_else(peer).unwrap_or_else(|| format!("participant {}", client.0))
}

/// How long ago, in one figure.
fn ago(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_figure() {
        assert_eq!(ago(-5), "0 s");
        assert_eq!(ago(59_999), "59 s");
        assert_eq!(ago(3_599_000), "59 min");
        assert_eq!(ago(90_000_000), "1 d");
    }
}
