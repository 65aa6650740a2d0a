//! Who is here: roles, figures, hands, following, invites, and the chat: a page beside the grid.

use egui::{
    Align, Color32, Layout, Rect, RichText, ScrollArea, Stroke, StrokeKind, TextEdit, Ui, pos2, vec2,
};

use super::theme::{self, ACCENT, CORNER, GROUND, PANEL, QUIET, S2, S3, S4, TEXT};
use super::widgets::{self, Dot};
use super::{Hands, Page as Side, Scene, header};
use crate::client::live::Keep;
use crate::client::people::{Given, Wish, part_words};
use crate::client::{Command, Peer};
use crate::param::TrackIndex;
use crate::session::{ClientId, Part, Role};

/// The page's width, in logical points.
const WIDTH: f32 = 300.0;
/// What the list of people leaves to invites and chat, where there is room.
const BELOW: f32 = 230.0;
/// The most characters of a name beside a cell.
const TAG: usize = 8;

/// What the person does on this page.
#[derive(Default)]
pub struct Page {
    /// The line of chat being typed.
    line: String,
    /// Whom a kick was asked for, before it is confirmed.
    kicking: Option<ClientId>,
}

/// The button that opens and closes the page.
pub fn toggle(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let here = scene.view.peers.iter().filter(|peer| peer.online).count();
    let word = if here == 0 { "People".to_owned() } else { format!("People · {}", here + 1) };
    let hint = "Who is here, what they have in hand, invites and chat";
    if ui.selectable_label(hands.open == Some(Side::People), word).on_hover_text(hint).clicked() {
        hands.turn_to(Side::People);
    }
}

/// The page, where it is open.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::right("people").exact_size(WIDTH).frame(frame).show(ui, |ui| {
        if scene.view.session.is_none() {
            ui.label(
                RichText::new("You play alone. Paste an invite link or a short code above.").color(QUIET),
            );
            return;
        }
        me(ui, scene);
        let room = (ui.available_height() - BELOW).max(ui.available_height() / 2.0);
        ScrollArea::vertical().id_salt("peers").max_height(room).auto_shrink([false, true]).show(ui, |ui| {
            for peer in &scene.view.peers {
                person(ui, scene, &mut hands.people, peer);
            }
        });
        ui.add_space(S3);
        invites(ui, scene);
        ui.add_space(S3);
        chat(ui, scene, &mut hands.people);
    });
}

/// Goes where the one goes whom I follow.
pub fn follow(scene: &Scene<'_>, hands: &mut Hands) {
    let people = &scene.view.people;
    let Some((track, step)) = people.cursor.filter(|_| people.following.is_some()) else { return };
    if let Some(track) = TrackIndex::new(usize::from(track))
        && (track, step) != hands.cursor
    {
        (hands.cursor, hands.cursor_shown) = ((track, step), true);
        hands.page = step / super::transport::PAGE;
        // It is not I who moved.
        hands.told_cursor = Some((track.get() as u8, step));
    }
}

fn me(ui: &mut Ui, scene: &Scene<'_>) {
    ui.horizontal(|ui| {
        widgets::state(ui, Dot::Full, "You");
        ui.label(RichText::new(role_word(scene.view.role)).color(QUIET));
        let hint = "Make steps of the last bar that you played live, exactly on the grid";
        if scene.view.role != Role::Listener && ui.small_button("Keep").on_hover_text(hint).clicked() {
            scene.desk.send(Command::Keep(Keep { quantised: true, everybody: false }));
        }
        let hint = "While it is on, what you play live becomes steps as you play it, with its timing";
        let on = scene.view.recording.is_some();
        let record = |ui: &mut Ui| ui.selectable_label(on, "Record").on_hover_text(hint).clicked();
        if scene.view.role != Role::Listener && record(ui) {
            scene.desk.send(Command::Record((!on).then_some(false)));
        }
    });
}

fn person(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page, peer: &Peer) {
    let dot = match (peer.online, peer.away) {
        (true, false) => Dot::Full,
        (true, true) => Dot::Half,
        (false, _) => Dot::Ring,
    };
    ui.separator();
    ui.horizontal(|ui| {
        widgets::state(ui, dot, &peer.name).on_hover_text(figures(peer));
        let standing = match dot {
            Dot::Half => "away",
            Dot::Ring => "gone",
            _ => role_word(peer.role),
        };
        ui.label(RichText::new(standing).color(QUIET));
    });
    if let Some(held) = scene.view.people.held.iter().find(|held| held.client == peer.client) {
        let words = part_words(held.part, &scene.view.song);
        ui.label(RichText::new(format!("has {words} in hand")).font(theme::font(12.0)).color(ACCENT));
    }
    if peer.online {
        ui.label(RichText::new(short_figures(peer)).font(theme::font(12.0)).color(QUIET));
    }
    ui.horizontal(|ui| {
        // The question takes the whole line.
        if scene.view.role == Role::Owner && page.kicking == Some(peer.client) {
            return confirm(ui, scene, page, peer);
        }
        let followed = scene.view.people.following == Some(peer.client);
        let hint = "Your cursor goes where theirs goes, until you move it yourself";
        if peer.online && ui.selectable_label(followed, "Follow").on_hover_text(hint).clicked() {
            let whom = (!followed).then_some(peer.client);
            scene.desk.send(Command::People(Wish::Follow(whom)));
        }
        if scene.view.role == Role::Owner {
            owner(ui, scene, page, peer);
        }
    });
}

/// What an owner may do about somebody.
fn owner(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page, peer: &Peer) {
    ui.menu_button("Role", |ui| {
        for role in [Role::Listener, Role::Editor, Role::Owner] {
            if ui.selectable_label(peer.role == role, role_word(role)).clicked() {
                scene.desk.send(Command::People(Wish::Role(peer.client, role)));
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("What they may do");
    if ui.button("Send away…").on_hover_text("Out of the session; asks once more").clicked() {
        page.kicking = Some(peer.client);
    }
}

/// Asks once more before somebody is sent away.
fn confirm(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page, peer: &Peer) {
    if ui.button("Yes, send away").on_hover_text("They stay out until they are invited again").clicked() {
        scene.desk.send(Command::People(Wish::Kick(peer.client)));
        page.kicking = None;
    }
    if ui.button("No").on_hover_text("Let them stay").clicked() {
        page.kicking = None;
    }
}

fn invites(ui: &mut Ui, scene: &Scene<'_>) {
    if scene.view.role == Role::Owner {
        ui.horizontal(|ui| {
            ui.menu_button("Invite", |ui| {
                for role in [Role::Editor, Role::Listener, Role::Owner] {
                    if ui.button(role_word(role)).clicked() {
                        scene.desk.send(Command::People(Wish::Invite { role, minutes: None, uses: None }));
                        ui.close();
                    }
                }
            })
            .response
            .on_hover_text("An invite link to give away");
            let hint = "Six letters to read out, good for ten minutes";
            if ui.button("Short code").on_hover_text(hint).clicked() {
                scene.desk.send(Command::People(Wish::Code(Role::Editor)));
            }
        });
    }
    let Some(given) = &scene.view.people.given else { return };
    let (url, hint) = match given {
        Given::Link { url, role, .. } => (url, format!("Whoever has it comes in as {}.", role_word(*role))),
        Given::Code { url, .. } => {
            (url, "Good for ten minutes; it is typed where a link is pasted.".to_owned())
        }
    };
    let line = vec2(ui.available_width(), ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
        if ui.small_button("Copy").on_hover_text(&hint).clicked() {
            ui.ctx().copy_text(url.clone());
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add(egui::Label::new(RichText::new(url).font(theme::figures(12.0))).truncate())
                .on_hover_text(format!("{url}\n{hint}"));
        });
    });
}

fn chat(ui: &mut Ui, scene: &Scene<'_>, page: &mut Page) {
    ui.separator();
    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
        let field = TextEdit::singleline(&mut page.line)
            .hint_text(RichText::new("Say something").color(QUIET))
            .desired_width(WIDTH - 2.0 * S4);
        let field = ui.add(field).on_hover_text("Enter says it to everybody; it is kept for who comes later");
        if field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter)) {
            let line = std::mem::take(&mut page.line);
            if !line.trim().is_empty() {
                scene.desk.send(Command::Chat(line));
            }
            field.request_focus();
        }
        ui.add_space(S2);
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ScrollArea::vertical().stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
                for line in &scene.view.people.chat {
                    ui.horizontal_wrapped(|ui| {
                        ui.label(RichText::new(&line.from).color(QUIET));
                        ui.label(RichText::new(&line.text).color(TEXT));
                    });
                }
            });
        });
    });
}

fn short_figures(peer: &Peer) -> String {
    let mut text = format!("{:.0} ms", f64::from(peer.state.rtt_us) / 1e3);
    text += &format!(" · clock ±{:.2} ms", f64::from(peer.state.clock_bound_us) / 1e3);
    if let Some(tempo) = peer.state.host_tempo {
        text += &format!(" · host {:.1}", tempo.bpm());
    }
    text
}

fn figures(peer: &Peer) -> String {
    let mut hint = format!("{}\n{}", peer.name, role_word(peer.role));
    if peer.online {
        hint += &format!("\n{:.1} ms round trip", f64::from(peer.state.rtt_us) / 1e3);
        hint += if peer.state.playing { "\nplaying" } else { "\nstopped" };
    } else {
        hint += "\ngone; the list forgets them after five minutes";
    }
    hint
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Listener => "listener",
        Role::Editor => "editor",
        Role::Owner => "owner",
    }
}

/// Somebody else's cursor on a cell, told by its edge and their name; no hue says who it is.
pub fn cursor(ui: &Ui, cell: Rect, name: &str) {
    ui.painter().rect_stroke(cell, CORNER, Stroke::new(1.0, TEXT), StrokeKind::Outside);
    let short: String = name.chars().take(TAG).collect();
    let galley = ui.painter().layout_no_wrap(short, theme::font(11.0), GROUND);
    let tag = Rect::from_min_size(cell.min + vec2(-2.0, -2.0), galley.size() + vec2(6.0, 2.0));
    ui.painter().rect_filled(tag, CORNER, TEXT);
    ui.painter().galley(tag.min + vec2(3.0, 1.0), galley, GROUND);
}

/// Marks a cell, or the whole row of a track, that somebody else has in hand: corners around it and
/// their initial.
pub fn held(ui: &Ui, scene: &Scene<'_>, track: TrackIndex, step: Option<u8>, area: Rect) {
    let holder = scene.view.people.held.iter().find(|held| match (held.part, step) {
        (Part::Cell(of, at), Some(step)) => (of, at) == (track, step),
        (Part::Track(of), None) => of == track,
        (part @ Part::Param(_), None) => part.track() == Some(track),
        _ => false,
    });
    let Some(holder) = holder else { return };
    let Some(peer) = scene.view.peers.iter().find(|peer| peer.client == holder.client) else { return };
    corners(ui, area.shrink(1.0), TEXT);
    if area.width() < 20.0 {
        return;
    }
    let at = pos2(area.right() - 7.0, area.bottom() - 8.0);
    let letter = header::initial(&peer.name);
    ui.painter().text(at, egui::Align2::CENTER_CENTER, letter, theme::font(10.0), TEXT);
}

fn corners(ui: &Ui, area: Rect, color: Color32) {
    let arm = (area.height() / 3.0).min(6.0);
    let stroke = Stroke::new(2.0, color);
    for (corner, x, y) in [
        (area.left_top(), arm, arm),
        (area.right_top(), -arm, arm),
        (area.left_bottom(), arm, -arm),
        (area.right_bottom(), -arm, -arm),
    ] {
        ui.painter().line_segment([corner, corner + vec2(x, 0.0)], stroke);
        ui.painter().line_segment([corner, corner + vec2(0.0, y)], stroke);
    }
}
