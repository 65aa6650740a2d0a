//! How the editor looks: one dark palette with one accent, one scale of spaces, one set of sizes.
//!
//! No meaning rests on hue alone: what is on is filled, what is muted is struck through or hollow,
//! states carry words. Text stands at a contrast of 7 : 1 or more against its ground.

use egui::{Color32, CornerRadius, FontFamily, FontId, Stroke, Style, TextStyle, Visuals};

/// Behind everything.
pub const GROUND: Color32 = Color32::from_rgb(0x10, 0x13, 0x17);
/// Bars and strips.
pub const PANEL: Color32 = Color32::from_rgb(0x17, 0x1b, 0x21);
/// Cells and fields at rest.
pub const FIELD: Color32 = Color32::from_rgb(0x20, 0x26, 0x2e);
/// Every other beat's cells.
pub const FIELD_ALT: Color32 = Color32::from_rgb(0x2a, 0x31, 0x3b);
/// Edges.
pub const LINE: Color32 = Color32::from_rgb(0x3a, 0x43, 0x4f);
/// What is read.
pub const TEXT: Color32 = Color32::from_rgb(0xee, 0xf1, 0xf4);
/// What is read second.
pub const QUIET: Color32 = Color32::from_rgb(0xa7, 0xb2, 0xbf);
/// The one accent: what sounds.
pub const ACCENT: Color32 = Color32::from_rgb(0xff, 0xb4, 0x54);
/// The accent, muted.
pub const ACCENT_DIM: Color32 = Color32::from_rgb(0x8a, 0x69, 0x3d);
/// Behind what is chosen.
pub const CHOSEN: Color32 = Color32::from_rgb(0x5a, 0x44, 0x24);
/// The playhead and the cursor.
pub const LIGHT: Color32 = Color32::from_rgb(0xff, 0xff, 0xff);

/// Spaces, in points: hair, small, medium, large.
pub const S1: f32 = 2.0;
/// Small.
pub const S2: f32 = 4.0;
/// Medium.
pub const S3: f32 = 8.0;
/// Large.
pub const S4: f32 = 12.0;

/// Corners of cells and fields.
pub const CORNER: CornerRadius = CornerRadius::same(3);

/// Text of a size, proportional.
pub fn font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Figures of a size: all digits equally wide.
pub fn figures(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Every character the editor itself draws beyond ASCII; a test checks that the fonts have them.
#[cfg(test)]
pub const GLYPHS: &str = "−∞±≠·–×≤…φ";

/// Dresses a context.
pub fn apply(context: &egui::Context) {
    context.set_theme(egui::Theme::Dark);
    context.all_styles_mut(dress);
}

fn dress(style: &mut Style) {
    style.text_styles = [
        (TextStyle::Heading, font(18.0)),
        (TextStyle::Body, font(14.0)),
        (TextStyle::Button, font(14.0)),
        (TextStyle::Small, font(12.0)),
        (TextStyle::Monospace, figures(14.0)),
    ]
    .into();
    style.spacing.item_spacing = egui::vec2(S3, S2);
    style.spacing.button_padding = egui::vec2(S4, S2);
    style.spacing.interact_size.y = 26.0;
    style.interaction.tooltip_delay = 0.4;
    style.interaction.selectable_labels = false;

    let visuals = &mut style.visuals;
    *visuals = Visuals::dark();
    visuals.panel_fill = GROUND;
    visuals.window_fill = PANEL;
    visuals.window_stroke = Stroke::new(1.0, LINE);
    visuals.extreme_bg_color = GROUND;
    visuals.override_text_color = Some(TEXT);
    visuals.selection.bg_fill = CHOSEN;
    visuals.selection.stroke = Stroke::new(1.0, TEXT);
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
    let widgets = &mut visuals.widgets;
    for (state, fill, edge) in [
        (&mut widgets.inactive, FIELD, LINE),
        (&mut widgets.hovered, FIELD_ALT, QUIET),
        (&mut widgets.active, FIELD_ALT, LIGHT),
        (&mut widgets.open, FIELD_ALT, QUIET),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, edge);
        state.fg_stroke = Stroke::new(1.0, TEXT);
        state.corner_radius = CORNER;
        state.expansion = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_every_glyph_we_draw() {
        let context = egui::Context::default();
        apply(&context);
        let mut missing = String::new();
        let mut output = context.run_ui(egui::RawInput::default(), |ui| {
            ui.ctx().fonts_mut(|fonts| {
                for glyph in GLYPHS.chars().chain(' '..='~') {
                    if !fonts.has_glyph(&font(14.0), glyph) || !fonts.has_glyph(&figures(14.0), glyph) {
                        missing.push(glyph);
                    }
                }
            });
        });
        output.textures_delta.clear();
        assert_eq!(missing, "");
    }

    #[test]
    fn text_is_readable_on_every_ground() {
        fn luminance(color: Color32) -> f32 {
            let linear = |part: u8| {
                let part = f32::from(part) / 255.0;
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
        }
        let contrast = |text, ground| (luminance(text) + 0.05) / (luminance(ground) + 0.05);
        for ground in [CHOSEN, FIELD_ALT, ACCENT] {
            let text = if ground == ACCENT { GROUND } else { TEXT };
            assert!(contrast(text, ground).max(contrast(ground, text)) >= 7.0, "{text:?} on {ground:?}");
        }
        for ground in [GROUND, PANEL, FIELD] {
            for text in [TEXT, QUIET, ACCENT] {
                assert!(contrast(text, ground) >= 7.0, "{text:?} on {ground:?}: {}", contrast(text, ground));
            }
        }
    }
}
