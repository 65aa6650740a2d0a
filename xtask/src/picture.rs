//! What all pictures share: paper, ink, and letters where there is a font.

use plotters::prelude::*;
use plotters::style::FontStyle;

use crate::setup;

/// Behind everything.
pub const PAPER: RGBColor = RGBColor(250, 250, 247);
/// Text and axes.
pub const INK: RGBColor = RGBColor(40, 44, 52);
/// Grids and borders.
pub const FAINT: RGBColor = RGBColor(214, 214, 208);

/// A part of a picture.
pub type Panel<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
/// Whether it was drawn.
pub type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// Makes the font known; without one the picture has no letters.
pub fn letters() -> bool {
    let Ok(bytes) = std::fs::read(setup::FONT) else { return false };
    // Once a run; plotters keeps it for ever.
    let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
    plotters::style::register_font("sans-serif", FontStyle::Normal, bytes).is_ok()
}
