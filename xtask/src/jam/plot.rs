//! The jam in one picture: both waveforms with their onsets, and the automated parameter's path.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use crate::picture::{Drawn, FAINT, INK, PAPER, Panel, letters};

/// A studio's recording as the picture shows it.
pub struct Wave {
    /// Its caption.
    pub title: String,
    /// Left channel.
    pub samples: Vec<f32>,
    /// Its rate.
    pub rate: u32,
    /// Onsets in seconds from the first sample, each with its track.
    pub onsets: Vec<(f64, usize)>,
}

/// A parameter's path: (seconds, value) points, joined by lines where it is automation.
pub struct PathOf {
    /// Its caption.
    pub title: String,
    /// What its value is called.
    pub unit: String,
    /// The points that the host sent.
    pub points: Vec<(f64, f64)>,
    /// Edits of the other side in seconds, each with its word.
    pub edits: Vec<(f64, String)>,
}

/// Pixels.
const SIZE: (u32, u32) = (1_600, 1_100);
const COLUMNS: usize = 1_500;

const WAVE: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
/// Okabe and Ito's colours, which colour-blind eyes tell apart.
const TRACKS: [RGBColor; 6] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(86, 180, 233),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

/// Draws the picture.
pub fn draw(file: &Path, waves: &[Wave], path: &PathOf, tracks: &[String], seconds: f64) -> Result<()> {
    let letters = letters();
    let root = BitMapBackend::new(file, SIZE).into_drawing_area();
    let told = |error: &dyn std::fmt::Display| anyhow!("drawing {}: {error}", file.display());
    root.fill(&PAPER).map_err(|error| told(&error))?;
    let panels = root.split_evenly((waves.len() + 1, 1));
    for (index, (panel, wave)) in panels.iter().zip(waves).enumerate() {
        wave_panel(panel, wave, WAVE[index % WAVE.len()], tracks, seconds, letters)
            .map_err(|error| told(&*error))?;
    }
    path_panel(&panels[waves.len()], path, letters).map_err(|error| told(&*error))?;
    root.present().map_err(|error| told(&error))
}

fn wave_panel(
    panel: &Panel<'_>,
    wave: &Wave,
    colour: RGBColor,
    tracks: &[String],
    seconds: f64,
    letters: bool,
) -> Drawn {
    let peak = f64::from(wave.samples.iter().fold(0.05f32, |peak, sample| peak.max(sample.abs())));
    let top = 1.45 * peak;
    let mut builder = ChartBuilder::on(panel);
    builder.margin(12).margin_right(24);
    if letters {
        builder.caption(&wave.title, ("sans-serif", 22, &INK)).x_label_area_size(34).y_label_area_size(64);
    }
    let mut chart = builder.build_cartesian_2d(0.0..seconds, -peak..top)?;
    if letters {
        chart
            .configure_mesh()
            .light_line_style(PAPER)
            .bold_line_style(FAINT)
            .axis_style(INK)
            .label_style(("sans-serif", 15, &INK))
            .x_labels(12)
            .y_labels(5)
            .x_desc("seconds from bar 1")
            .draw()?;
    }
    let column = seconds / COLUMNS as f64;
    chart.draw_series((0..COLUMNS).filter_map(|index| {
        let from = (index as f64 * column * f64::from(wave.rate)) as usize;
        let to = ((index + 1) as f64 * column * f64::from(wave.rate)) as usize;
        let part = wave.samples.get(from..to.min(wave.samples.len()))?;
        let low = part.iter().copied().fold(f32::INFINITY, f32::min);
        let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let at = (index as f64 + 0.5) * column;
        (low <= high).then(|| PathElement::new(vec![(at, f64::from(low)), (at, f64::from(high))], colour))
    }))?;
    // One row of ticks a track, above the wave.
    let row = |track: usize| peak * (1.06 + 0.36 * (track % 6) as f64 / 6.0);
    for (track, name) in tracks.iter().enumerate().take(6) {
        let onsets = wave.onsets.iter().filter(|(at, of)| *of == track && *at < seconds);
        let ticks = onsets.map(|(at, _)| {
            PathElement::new(
                vec![(*at, row(track)), (*at, row(track) + 0.05 * peak)],
                TRACKS[track].stroke_width(3),
            )
        });
        let series = chart.draw_series(ticks)?;
        if letters {
            series
                .label(name.as_str())
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], TRACKS[track].filled()));
        }
    }
    if letters {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(PAPER.mix(0.85))
            .border_style(FAINT)
            .label_font(("sans-serif", 14, &INK))
            .draw()?;
    }
    Ok(())
}

fn path_panel(panel: &Panel<'_>, path: &PathOf, letters: bool) -> Drawn {
    let end = path
        .points
        .iter()
        .map(|point| point.0)
        .chain(path.edits.iter().map(|edit| edit.0))
        .fold(1.0, f64::max)
        + 2.5;
    let mut builder = ChartBuilder::on(panel);
    builder.margin(12).margin_right(24);
    if letters {
        builder.caption(&path.title, ("sans-serif", 22, &INK)).x_label_area_size(34).y_label_area_size(64);
    }
    let mut chart = builder.build_cartesian_2d(0.0..end, 0.0..1.1)?;
    if letters {
        chart
            .configure_mesh()
            .light_line_style(PAPER)
            .bold_line_style(FAINT)
            .axis_style(INK)
            .label_style(("sans-serif", 15, &INK))
            .x_labels(12)
            .y_labels(5)
            .x_desc("seconds from the first edit")
            .y_desc(path.unit.as_str())
            .draw()?;
    }
    chart.draw_series(LineSeries::new(path.points.iter().copied(), WAVE[0].stroke_width(3)))?;
    chart.draw_series(
        path.edits
            .iter()
            .map(|(at, _)| PathElement::new(vec![(*at, 0.0), (*at, 1.0)], WAVE[1].mix(0.6).stroke_width(1))),
    )?;
    if letters {
        let font = ("sans-serif", 14).into_font().color(&WAVE[1]);
        // Words of neighbours stand one below the other.
        chart.draw_series(path.edits.iter().enumerate().map(|(index, (at, word))| {
            Text::new(word.clone(), (*at + 0.04, 1.04 - 0.075 * (index % 5) as f64), font.clone())
        }))?;
    }
    Ok(())
}

/// A recording's left channel from a frame on: of a stereo file, or of a mono one.
pub fn read(path: &PathBuf, from: u64) -> Result<(Vec<f32>, u32)> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("opening {}", path.display()))?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    let samples: std::result::Result<Vec<f32>, _> =
        reader.samples::<f32>().skip(from as usize * channels).step_by(channels).collect();
    Ok((samples.with_context(|| format!("reading {}", path.display()))?, spec.sample_rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_every_panel() {
        let tone = |rate: u32, hertz: f32| {
            let turn = hertz * std::f32::consts::TAU / rate as f32;
            (0..4 * rate)
                .map(|at| (at as f32 * turn).sin() * (-((at % rate) as f32) / 9_000.0).exp())
                .collect()
        };
        let wave = |title: &str, rate, hertz| Wave {
            title: title.to_owned(),
            samples: tone(rate, hertz),
            rate,
            onsets: (0..40).map(|at| (f64::from(at) * 0.1, at as usize % 5)).collect(),
        };
        let waves = [wave("Studio A", 48_000, 110.0), wave("Studio B", 44_100, 55.0)];
        let path = PathOf {
            title: "Cutoff".to_owned(),
            unit: "knob travel".to_owned(),
            points: vec![(0.0, 0.2), (3.0, 0.9), (5.0, 0.3)],
            edits: vec![(0.5, "step kick 4 on".to_owned()), (0.9, "step kick 8 on at next".to_owned())],
        };
        let tracks = ["kick", "snare", "hat", "open", "bass"].map(str::to_owned);
        let file = std::env::temp_dir().join(format!("antiphon-picture-{}.png", std::process::id()));
        draw(&file, &waves, &path, &tracks, 4.0).expect("a picture");
        let picture = image::open(&file).expect("a PNG").to_rgb8();
        assert_eq!(picture.dimensions(), SIZE);
        let third = SIZE.1 / 3;
        for (panel, colour) in [(0, WAVE[0]), (1, WAVE[1]), (2, WAVE[0])] {
            let rows = panel * third..(panel + 1) * third;
            let inked = |(_, y, pixel): (u32, u32, &image::Rgb<u8>)| {
                rows.contains(&y) && pixel.0 == [colour.0, colour.1, colour.2]
            };
            assert!(picture.enumerate_pixels().any(inked), "panel {panel} is empty");
        }
        std::fs::remove_file(&file).expect("removed");
    }
}
