//! Who and where: the session, its people, its clock, and the field to join by link.

use egui::{Align, Layout, RichText, TextEdit, Ui, vec2};

use super::theme::{self, ACCENT, PANEL, QUIET, S3, S4, TEXT};
use super::widgets::{self, Dot};
use super::{Hands, Scene, clock};
use crate::client::people::Wish;
use crate::client::{AudioMatch, Code, Command, Connection, Link, Peer, View};

/// More people than this are told as a number.
const FACES: usize = 6;

pub fn show(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    let frame = egui::Frame::new().fill(PANEL).inner_margin(vec2(S4, S3));
    egui::Panel::top("session").exact_size(52.0).frame(frame).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            ui.label(RichText::new("antiphon").font(theme::font(20.0)).color(ACCENT))
                .on_hover_text("Antiphon: one groove, played together from many studios");
            widgets::divide(ui);
            connection(ui, scene.view);
            if scene.view.session.is_some() && !refused(scene.view) {
                widgets::divide(ui);
                session(ui, scene);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| join(ui, scene, hands));
        });
    });
}

fn connection(ui: &mut Ui, view: &View) {
    let (dot, word, hint) = match &view.connection {
        Connection::Solo => {
            (Dot::Ring, "Solo".to_owned(), "You play alone; paste a link to join others.".to_owned())
        }
        Connection::Connecting => {
            (Dot::Half, "Connecting…".to_owned(), "On the way to the server.".to_owned())
        }
        Connection::Online => {
            (Dot::Full, session_name(view), "Joined: what you change, all hear.".to_owned())
        }
        Connection::Offline { retry_ms, reason } => {
            let seconds = retry_ms.div_ceil(1000);
            let hint = format!("{reason}\nYou can go on: edits wait here and are sent on return.");
            (Dot::Half, format!("Offline · again in {seconds} s"), hint)
        }
        Connection::Refused(reason) => (Dot::Cross, "Refused".to_owned(), reason.clone()),
    };
    widgets::state(ui, dot, &word).on_hover_text(hint);
}

fn refused(view: &View) -> bool {
    matches!(view.connection, Connection::Refused(_))
}

/// The session's id, as in `…/s/blue-42`.
fn session_name(view: &View) -> String {
    let link = view.session.as_deref().unwrap_or("");
    link.rsplit('/').next().unwrap_or(link).to_owned()
}

fn session(ui: &mut Ui, scene: &Scene<'_>) {
    let view = scene.view;
    widgets::figure(ui, "unsaved", &view.unsaved.to_string())
        .on_hover_text("Edits made here that the server has not confirmed yet; none is lost on the way.");
    ui.add_space(S4);

    clock::show(ui, scene);
    ui.add_space(S4);

    let (audio, hint) = match view.audio {
        AudioMatch::Settling => (
            "settling".to_owned(),
            "Nothing comparable has played yet; it settles at the next start.".to_owned(),
        ),
        AudioMatch::Equal { healed: Some(healed), .. } => (
            format!(
                "= (≠ {}, healed at {})",
                healed.words(&view.song),
                healed.renews.map_or(0, i64::from) + 1
            ),
            "Equal input gave different samples there. Everybody has begun anew at a bar line since, and \
             sounds the same again. Should it come back, please report it."
                .to_owned(),
        ),
        AudioMatch::Equal { bar, healed: None } => (
            "=".to_owned(),
            format!("What you hear equals what the others hear, sample for sample, up to bar {}.", bar + 1),
        ),
        AudioMatch::Different(difference) => (
            format!("≠ {}", difference.words(&view.song)),
            match difference.renews {
                Some(bar) => {
                    format!("Equal input gave different samples: healed at bar {}.", i64::from(bar) + 1)
                }
                None => {
                    "Equal input gave different samples, and beginning anew did not help: please report this."
                        .to_owned()
                }
            },
        ),
    };
    widgets::figure(ui, "audio", &audio).on_hover_text(hint);
    ui.add_space(S4);
    people(ui, &view.peers);
}

fn people(ui: &mut Ui, peers: &[Peer]) {
    ui.spacing_mut().item_spacing.x = theme::S2;
    if peers.is_empty() {
        ui.label(RichText::new("Nobody else is here yet").color(QUIET))
            .on_hover_text("Give your invite link to a friend.");
    }
    for peer in peers.iter().take(FACES) {
        let mut hint = peer.name.clone();
        if peer.online {
            hint += &format!("\n{:.1} ms round trip", f64::from(peer.state.rtt_us) / 1e3);
            hint += &format!(" · clock ±{:.2} ms", f64::from(peer.state.clock_bound_us) / 1e3);
            hint += &format!(" (likely ±{:.2})", f64::from(peer.state.clock_estimated_us) / 1e3);
            if peer.state.trim_us != 0 {
                hint += &format!("\ntrimmed by {:+.1} ms", f64::from(peer.state.trim_us) / 1e3);
            }
            if peer.state.device_latency_us != 0 {
                hint += &format!("\ndevice latency {:.1} ms", f64::from(peer.state.device_latency_us) / 1e3);
            }
            if let Some(tempo) = peer.state.host_tempo {
                hint += &format!("\nhost at {:.2} BPM", tempo.bpm());
            }
            hint += if peer.state.playing { "\nplaying" } else { "\nstopped" };
            hint += if peer.away { "\naway" } else { "" };
        } else {
            hint += "\ngone";
        }
        widgets::initial(ui, initial(&peer.name), peer.online).on_hover_text(hint);
    }
    if let Some(more) = peers.len().checked_sub(FACES).filter(|&more| more > 0) {
        ui.label(RichText::new(format!("+{more}")).color(QUIET)).on_hover_text("More people in this session");
    }
}

/// What stands for a person in small places.
pub fn initial(name: &str) -> char {
    name.chars().next().map_or('·', |letter| letter.to_uppercase().next().unwrap_or(letter))
}

fn join(ui: &mut Ui, scene: &Scene<'_>, hands: &mut Hands) {
    if scene.view.session.is_some() || refused(scene.view) {
        if ui.button("Leave").on_hover_text("Leave the session; the groove stays here.").clicked() {
            scene.desk.send(Command::Leave);
        }
        // Where the server refused the link, another one can be tried at once.
        if !refused(scene.view) {
            return;
        }
    }
    let code = hands.link.parse::<Code>().ok();
    let link = hands.link.parse::<Link>();
    let button = ui.add_enabled(link.is_ok() || code.is_some(), egui::Button::new("Join"));
    let hint = match &link {
        _ if code.is_some() => {
            "Join by this short code; the session's groove replaces the one here.".to_owned()
        }
        Ok(link) => format!("Join {link}; its groove replaces the one here."),
        Err(_) if hands.link.is_empty() => "Paste an invite link or a short code first.".to_owned(),
        Err(error) => error.to_string(),
    };
    let button = button.on_hover_text(&hint).on_disabled_hover_text(&hint);
    let field = ui.add(
        TextEdit::singleline(&mut hands.link)
            .hint_text(RichText::new("Paste an invite link to play together").color(QUIET))
            .desired_width(320.0_f32.min(ui.available_width() - S4))
            .margin(vec2(S3, 5.0))
            .text_color(TEXT),
    );
    let field = field.on_hover_text("An invite link looks like https://host:port/s/SESSION#SECRET, a short code like https://host:port/c/K7M-2QX");
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if button.clicked() || entered {
        match (code, link) {
            (Some(code), _) => {
                scene.desk.send(Command::People(Wish::Join(code)));
                hands.link.clear();
            }
            (None, Ok(link)) => {
                scene.desk.send(Command::Join(link));
                hands.link.clear();
            }
            (None, Err(error)) if !hands.link.is_empty() => scene.desk.notify(error.to_string()),
            (None, Err(_)) => {}
        }
    }
}
