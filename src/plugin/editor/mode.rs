//! Who decides over the position: the mode, the phase φ, both tempi, and when to press play.

use egui::{RichText, Ui};

use super::Scene;
use super::theme::{self, ACCENT, TEXT};
use crate::client::{Command, TransportView, View};
use crate::pattern::Bars;
use crate::rt::ports::{Lock, Mode, TempoMatch};
use crate::time::{Beats, TICKS_PER_BEAT};

/// The mode's menu, and beside it how host and session stand to each other.
pub fn show(ui: &mut Ui, scene: &Scene<'_>) {
    let transport = &scene.view.transport;
    choice(ui, scene, transport);
    let (word, hint) = standing(scene.view, transport);
    let figure = RichText::new(word).font(theme::figures(13.0));
    let warns = matches!(transport.sync.lock, Lock::Refused { .. });
    ui.label(figure.color(if warns { ACCENT } else { TEXT })).on_hover_text(hint);
    let can_align = matches!(transport.mode, Mode::Host | Mode::Lead) && transport.sync.phase.is_some();
    let hint = "Count the host's bars so that they come nearest to the session's.";
    if can_align && ui.small_button("align").on_hover_text(hint).clicked() {
        scene.desk.send(Command::Align);
    }
}

fn choice(ui: &mut Ui, scene: &Scene<'_>, transport: &TransportView) {
    let shown = match transport.chosen {
        Some(mode) => name(mode).to_owned(),
        None => format!("{} (auto)", name(transport.mode)),
    };
    let mut chosen = transport.chosen;
    egui::ComboBox::from_id_salt("mode").selected_text(shown).width(104.0).show_ui(ui, |ui| {
        let auto = "Follow in a session, Host without one.";
        ui.selectable_value(&mut chosen, None, "Auto").on_hover_text(auto);
        for mode in Mode::ALL {
            ui.selectable_value(&mut chosen, Some(mode), name(mode)).on_hover_text(promise(mode));
        }
    });
    if chosen != transport.chosen {
        scene.desk.choose(|choices| choices.mode = chosen);
        scene.desk.send(Command::Mode(chosen));
    }
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Host => "Host",
        Mode::Follow => "Follow",
        Mode::Session => "Session",
        Mode::Lead => "Lead",
    }
}

fn promise(mode: Mode) -> &'static str {
    match mode {
        Mode::Host => {
            "The host's grid: the same position gives the same notes. The phase to the session is shown."
        }
        Mode::Follow => "When your host plays, the pattern enters in the session's phase at the next step.",
        Mode::Session => "The session's transport and clock, whatever your host does.",
        Mode::Lead => "As Host; the session follows your play, stop, position and tempo.",
    }
}

/// One figure, and what it says in words.
fn standing(view: &View, transport: &TransportView) -> (String, String) {
    let tempo = tempi(view, transport);
    match transport.sync.lock {
        Lock::Refused { late_ns } => (
            "no lock".to_owned(),
            format!(
                "This host renders ahead when it likes, {:.0} ms from a device's pace, so nobody can tell when a \
                 sample sounds: the pattern plays on the host's own grid. Turn off anticipative rendering \
                 for this track.\n{tempo}",
                late_ns as f64 / 1e6
            ),
        ),
        Lock::Locked { off_ns, ppm } => (
            format!("φ {}", phase(view, transport)),
            format!("In the session's phase ({:+.2} ms, ratio {ppm:+.0} ppm).\n{tempo}", off_ns as f64 / 1e6),
        ),
        Lock::Waiting | Lock::Off => match (transport.sync.phase, count_in(view, transport)) {
            (Some(_), _) => {
                let hint = "How far the host's bars lie after the session's.";
                (format!("φ {}", phase(view, transport)), format!("{hint}\n{tempo}"))
            }
            (None, Some(count)) => {
                let hint = "The session plays: press play in your host when the count comes to its next bar.";
                (format!("play in {count}"), format!("{hint}\n{tempo}"))
            }
            (None, None) => (String::new(), tempo),
        },
    }
}

/// φ in beats; a dash while host or session stands.
fn phase(view: &View, transport: &TransportView) -> String {
    match transport.phase_in_bar(&view.song) {
        Some(phase) => format!("{:+.3}", phase.0 as f64 / TICKS_PER_BEAT as f64),
        None => "–".to_owned(),
    }
}

/// Beats to the session's next bar, while it plays.
fn count_in(view: &View, transport: &TransportView) -> Option<i64> {
    let at = transport.session_position?;
    let left = Bars::in_song(&view.song).line_after(at) - at;
    Some((left.0 + TICKS_PER_BEAT - 1) / TICKS_PER_BEAT)
}

fn tempi(view: &View, transport: &TransportView) -> String {
    let at = transport.session_position.unwrap_or(Beats::ZERO);
    let session = view.tempo_map.tempo_at(at).bpm();
    let Some((host, stands)) = transport.sync.host_micro_bpm.zip(transport.tempo_match(&view.tempo_map))
    else {
        return format!("session {session:.2} BPM");
    };
    let stands = match stands {
        TempoMatch::Match => "match",
        TempoMatch::Half => "the host plays half time",
        TempoMatch::Double => "the host plays double time",
        TempoMatch::Mismatch => "mismatch; nothing is changed by itself",
    };
    format!("host {:.2} BPM, session {session:.2} BPM: {stands}", host as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_mode_says_what_it_promises() {
        for mode in super::Mode::ALL {
            assert!(super::promise(mode).ends_with('.') && !super::name(mode).is_empty());
        }
    }
}
