//! The shared clock in the header: what is certain, what is likely, the musician's trim, the device's
//! latency, and whether it goes on by itself.

use std::ops::RangeInclusive;

use egui::{DragValue, RichText, Ui};

use super::Scene;
use super::theme::{self, QUIET, TEXT};
use super::widgets;
use crate::client::{ClockStatus, Command};

const MS: f64 = 1e6;
/// The most that a trim may be, either way, and a device's latency, in ms.
const MAX_TRIM: f64 = 500.0;
const MAX_LATENCY: f64 = 500.0;

pub fn show(ui: &mut Ui, scene: &Scene<'_>) {
    let clock = &scene.view.clock;
    let word = if clock.held_over_ns.is_some() { "clock, alone" } else { "clock" };
    widgets::figure(ui, word, &bound(clock)).on_hover_text(hint(clock));
    if clock.offset_ns.is_some() {
        trim(ui, scene, clock);
    }
}

/// The certified bound, as short as it can be said.
fn bound(clock: &ClockStatus) -> String {
    match clock.offset_ns {
        Some(_) if clock.bound_ns < 10_000_000 => format!("±{:.2} ms", clock.bound_ns as f64 / MS),
        Some(_) => format!("±{:.0} ms", clock.bound_ns as f64 / MS),
        None => "–".to_owned(),
    }
}

fn hint(clock: &ClockStatus) -> String {
    if clock.offset_ns.is_none() {
        return "The shared clock is not known yet.".to_owned();
    }
    let mut hint = format!(
        "The shared clock is certain to {}, and on an even path most likely within ±{:.2} ms.\n\
         Round trip {:.1} ms, {} probes.",
        bound(clock),
        clock.estimated_ns as f64 / MS,
        clock.rtt_ns as f64 / MS,
        clock.probes,
    );
    if let Some(quiet) = clock.held_over_ns {
        let seconds = quiet / 1_000_000_000;
        hint +=
            &format!("\nThe server has not answered for {seconds} s: this machine goes by its own clock.");
    }
    hint
}

/// What no stamp shows: the musician's trim, and the device's latency.
fn trim(ui: &mut Ui, scene: &Scene<'_>, clock: &ClockStatus) {
    let trim = ms(ui, "trim", clock.trim_ns, |ms| format!("{ms:+.1} ms"), -MAX_TRIM..=MAX_TRIM, TRIM);
    let latency = ms(ui, "out", clock.latency_ns, |ms| format!("{ms:.1} ms"), 0.0..=MAX_LATENCY, LATENCY);
    trim.into_iter().for_each(|ms| scene.desk.send(Command::Trim(ms)));
    latency.into_iter().for_each(|ms| scene.desk.send(Command::DeviceLatency(ms)));
}

const TRIM: &str = "Sound later (+) or earlier (−) than the shared clock has it: what a path longer one way than \
                    the other adds, no clock can see, but an ear can.";
const LATENCY: &str = "What your audio interface adds between a block and its sound, as its settings tell: no host \
                       says it to a plugin. This machine plays so much ahead that it sounds in time.";

/// A field of ms; quiet while it is 0. What it was changed to.
fn ms(
    ui: &mut Ui,
    word: &str,
    ns: i64,
    text: fn(f64) -> String,
    range: RangeInclusive<f64>,
    hint: &str,
) -> Option<f64> {
    let mut ms = ns as f64 / MS;
    let field = DragValue::new(&mut ms).range(range).speed(0.1).fixed_decimals(1);
    let field = field.custom_formatter(move |ms, _| text(ms));
    ui.label(RichText::new(word).font(theme::font(12.0)).color(QUIET));
    ui.visuals_mut().override_text_color = Some(if ns == 0 { QUIET } else { TEXT });
    let changed = ui.add(field).on_hover_text(hint).changed();
    ui.visuals_mut().override_text_color = None;
    changed.then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_tells_both_bounds_and_hold_over() {
        assert_eq!(bound(&ClockStatus::default()), "–");
        let clock = ClockStatus {
            offset_ns: Some(5),
            bound_ns: 19_400_000,
            estimated_ns: 120_000,
            held_over_ns: Some(42_000_000_000),
            ..ClockStatus::default()
        };
        assert_eq!(bound(&clock), "±19 ms");
        let hint = hint(&clock);
        assert!(hint.contains("±0.12 ms") && hint.contains("for 42 s"), "{hint}");
    }
}
