//! A bench's curves in one picture: how much of the time an error is not exceeded.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use serde::Deserialize;

use crate::picture::{Drawn, FAINT, INK, PAPER, Panel, letters};

#[derive(Deserialize)]
struct Curve {
    panel: String,
    name: String,
    points: Vec<(f64, f64)>,
}

/// Pixels.
const SIZE: (u32, u32) = (1_500, 1_600);
/// Okabe and Ito's colours, which colour-blind eyes tell apart.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
/// Errors shown, in ms.
const FROM: f64 = 0.000_5;
const TO: f64 = 500.0;

/// Draws the curves of a file, two panels a row; false where it holds none.
pub fn draw(curves: &Path, picture: &Path) -> Result<bool> {
    let text = std::fs::read_to_string(curves).with_context(|| format!("reading {}", curves.display()))?;
    let curves: Vec<Curve> = serde_json::from_str(&text).context("the bench's curves")?;
    let mut panels: Vec<&str> = curves.iter().map(|curve| curve.panel.as_str()).collect();
    panels.dedup();
    if panels.is_empty() {
        return Ok(false);
    }
    let letters = letters();
    let told = |error: &dyn std::fmt::Display| anyhow!("drawing {}: {error}", picture.display());
    let root = BitMapBackend::new(picture, SIZE).into_drawing_area();
    root.fill(&PAPER).map_err(|error| told(&error))?;
    for (area, title) in root.split_evenly((panels.len().div_ceil(2), 2)).iter().zip(&panels) {
        let of: Vec<&Curve> = curves.iter().filter(|curve| curve.panel == **title).collect();
        panel(area, title, &of, letters).map_err(|error| told(&*error))?;
    }
    root.present().map_err(|error| told(&error))?;
    Ok(true)
}

fn panel(area: &Panel<'_>, title: &str, curves: &[&Curve], letters: bool) -> Drawn {
    let mut builder = ChartBuilder::on(area);
    builder.margin(10).margin_right(20);
    if letters {
        builder.caption(title, ("sans-serif", 20, &INK)).x_label_area_size(38).y_label_area_size(56);
    }
    let mut chart = builder.build_cartesian_2d((FROM..TO).log_scale(), 0.0..100.0)?;
    if letters {
        chart
            .configure_mesh()
            .light_line_style(PAPER)
            .bold_line_style(FAINT)
            .axis_style(INK)
            .label_style(("sans-serif", 14, &INK))
            .x_desc("error in ms")
            .y_desc("percent of looks")
            .draw()?;
    }
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let points = curve.points.iter().map(|(error, percent)| (error.clamp(FROM, TO), *percent));
        let series = chart.draw_series(LineSeries::new(points, colour.stroke_width(3)))?;
        if letters {
            series
                .label(&curve.name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], colour.filled()));
        }
    }
    if letters {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(PAPER.mix(0.85))
            .border_style(FAINT)
            .label_font(("sans-serif", 14, &INK))
            .draw()?;
    }
    Ok(())
}
