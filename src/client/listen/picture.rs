//! One picture of a sound: both waveforms, the spectrogram, the octaves and the figures.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::FontStyle;

use super::spectrum::Windows;
use super::{Figures, MIX_SLOPE_DB, Sound};

const SIZE: (u32, u32) = (1_600, 1_200);
const PAPER: RGBColor = RGBColor(250, 250, 247);
const INK: RGBColor = RGBColor(40, 44, 52);
const FAINT: RGBColor = RGBColor(214, 214, 208);
const LEFT: RGBColor = RGBColor(0, 114, 178);
const RIGHT: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);

/// The spectrogram's range: from silence's colour to full scale, in dB.
const DEEPEST: f64 = -96.0;
const HZ: std::ops::Range<f64> = 20.0..20_000.0;

/// Where letters may come from.
const FONTS: [&str; 4] = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/System/Library/Fonts/Supplemental/Arial.ttf",
    "C:\\Windows\\Fonts\\arial.ttf",
];

type Panel<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws a sound with its figures into a PNG file. Without one of the usual fonts the picture has no
/// letters.
///
/// # Errors
/// The file cannot be written.
pub fn draw(file: &Path, title: &str, sound: &Sound, figures: &Figures) -> Result<(), String> {
    draw_all(file, title, sound, figures).map_err(|error| format!("drawing {}: {error}", file.display()))
}

fn draw_all(file: &Path, title: &str, sound: &Sound, figures: &Figures) -> Drawn {
    let letters = letters();
    let root = BitMapBackend::new(file, SIZE).into_drawing_area();
    root.fill(&PAPER)?;
    let (wave, rest) = root.split_vertically(280);
    let (time, below) = rest.split_vertically(560);
    let (octaves, words) = below.split_horizontally(1_050);
    waves(&wave, title, sound, letters)?;
    spectrogram(&time, sound, letters)?;
    balance(&octaves, figures, letters)?;
    if letters {
        tell(&words, figures)?;
    }
    root.present()?;
    Ok(())
}

fn letters() -> bool {
    let Some(bytes) = FONTS.iter().find_map(|font| std::fs::read(font).ok()) else { return false };
    // Once a run; the drawing keeps it for ever.
    let bytes: &'static [u8] = Box::leak(bytes.into_boxed_slice());
    plotters::style::register_font("sans-serif", FontStyle::Normal, bytes).is_ok()
}

fn waves(panel: &Panel<'_>, title: &str, sound: &Sound, letters: bool) -> Drawn {
    const COLUMNS: usize = 1_450;
    let seconds = seconds(sound);
    let mut builder = ChartBuilder::on(panel);
    builder.margin(10).margin_right(90);
    if letters {
        builder.caption(title, ("sans-serif", 22, &INK)).x_label_area_size(26).y_label_area_size(60);
    }
    let mut chart = builder.build_cartesian_2d(0.0..seconds, -2.1f64..2.1)?;
    if letters {
        let scale = |y: &f64| match (*y * 10.0).round() as i64 {
            10 => "left".to_owned(),
            -10 => "right".to_owned(),
            _ => String::new(),
        };
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(PAPER).bold_line_style(FAINT).axis_style(INK).x_labels(16).y_labels(5);
        mesh.label_style(("sans-serif", 14, &INK)).y_label_formatter(&scale).draw()?;
    }
    // Each side about a line of its own; full scale reaches from it to the other's.
    for (side, middle, colour) in [(0, 1.05, LEFT), (1, -1.05, RIGHT)] {
        let samples = &sound.sides[side];
        for edge in [-1.0, 1.0] {
            let line = vec![(0.0, middle + edge), (seconds, middle + edge)];
            chart.draw_series([PathElement::new(line, FAINT)])?;
        }
        let column = samples.len() as f64 / COLUMNS as f64;
        chart.draw_series((0..COLUMNS).filter_map(|n| {
            let (from, to) = ((n as f64 * column) as usize, ((n + 1) as f64 * column) as usize);
            let part = samples.get(from..to.max(from + 1).min(samples.len()))?;
            let low = part.iter().copied().fold(f32::INFINITY, f32::min);
            let high = part.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let at = (n as f64 + 0.5) / COLUMNS as f64 * seconds;
            let line = vec![(at, middle + f64::from(low)), (at, middle + f64::from(high))];
            (low <= high).then(|| PathElement::new(line, colour))
        }))?;
    }
    Ok(())
}

fn spectrogram(panel: &Panel<'_>, sound: &Sound, letters: bool) -> Drawn {
    let (main, scale) = panel.split_horizontally(SIZE.0 - 80);
    let mut builder = ChartBuilder::on(&main);
    builder.margin(10);
    if letters {
        builder.x_label_area_size(34).y_label_area_size(60);
    }
    let mut chart = builder.build_cartesian_2d(0.0..seconds(sound), HZ.log_scale())?;
    if letters {
        let mut mesh = chart.configure_mesh();
        mesh.disable_mesh().axis_style(INK).label_style(("sans-serif", 14, &INK)).x_labels(16);
        mesh.x_desc("seconds").y_desc("Hz").y_label_formatter(&|hz| format!("{hz:.0}")).draw()?;
    }
    let area = chart.plotting_area().strip_coord_spec();
    let (width, height) = area.dim_in_pixel();
    let length = sound.sides[0].len();
    let mono = |n: usize| 0.5 * f64::from(sound.sides[0][n]) + 0.5 * f64::from(sound.sides[1][n]);
    let peak = |powers: &[f64], hz: f64, bin_hz: f64| {
        let (from, to) = ((hz / bin_hz).floor() as usize, (hz * 1.02 / bin_hz).ceil() as usize);
        powers[from.min(powers.len() - 1)..=to.min(powers.len() - 1)].iter().copied().fold(0.0, f64::max)
    };
    // Long windows tell low notes apart, short ones strokes.
    let mut sizes =
        [(8_192, f64::INFINITY), (2_048, 400.0), (512, 3_000.0)].map(|(size, _)| Windows::new(size));
    for x in 0..width {
        let middle = (f64::from(x) + 0.5) / f64::from(width) * length as f64;
        let mut columns = Vec::new();
        for (windows, size) in sizes.iter_mut().zip([8_192usize, 2_048, 512]) {
            columns.push((windows.powers(middle as i64 - size as i64 / 2, mono, length), size));
        }
        for y in 0..height {
            let share = 1.0 - (f64::from(y) + 0.5) / f64::from(height);
            let hz = HZ.start * (HZ.end / HZ.start).powf(share);
            let (powers, size) = &columns[if hz < 400.0 { 0 } else { 1 + usize::from(hz >= 3_000.0) }];
            // A full-scale sine's peak is 0 dB in every window: its bin holds 2/3 of it.
            let level = 10.0 * (peak(powers, hz, f64::from(sound.rate) / *size as f64) * 3.0).log10();
            area.draw_pixel((x as i32, y as i32), &heat(1.0 - level / DEEPEST))?;
        }
    }
    scale_of(&scale, letters)
}

/// The dB scale beside the spectrogram.
fn scale_of(panel: &Panel<'_>, letters: bool) -> Drawn {
    let (_, height) = panel.dim_in_pixel();
    let (top, bottom) = (12, height as i32 - 46);
    for y in top..bottom {
        let share = f64::from(bottom - y) / f64::from(bottom - top);
        panel.draw(&Rectangle::new([(4, y), (22, y + 1)], heat(share).filled()))?;
        let level = DEEPEST * (1.0 - share);
        let next = DEEPEST * (1.0 - f64::from(bottom - y - 1) / f64::from(bottom - top));
        if letters && (level / 12.0).ceil() != (next / 12.0).ceil() {
            let font = ("sans-serif", 13).into_font().color(&INK);
            panel.draw(&Text::new(format!("{:.0} dB", (next / 12.0).ceil() * 12.0), (26, y - 6), font))?;
        }
    }
    Ok(())
}

/// Black through violet, red and yellow to white.
fn heat(share: f64) -> RGBColor {
    const STOPS: [[f64; 3]; 6] = [
        [8.0, 6.0, 20.0],
        [52.0, 16.0, 92.0],
        [140.0, 32.0, 108.0],
        [222.0, 72.0, 60.0],
        [250.0, 170.0, 40.0],
        [255.0, 252.0, 220.0],
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let at = (place as usize).min(STOPS.len() - 2);
    let mixed = |n: usize| STOPS[at][n] + (place - at as f64) * (STOPS[at + 1][n] - STOPS[at][n]);
    RGBColor(mixed(0) as u8, mixed(1) as u8, mixed(2) as u8)
}

/// Octaves as bars, a mix's slope over them, the width below.
fn balance(panel: &Panel<'_>, figures: &Figures, letters: bool) -> Drawn {
    let mut builder = ChartBuilder::on(panel);
    builder.margin(10);
    if letters {
        builder
            .caption(
                "octaves, dB of full scale; line: a record's slope ±6 dB; dots: sides against middle",
                ("sans-serif", 15, &INK),
            )
            .x_label_area_size(26)
            .y_label_area_size(60);
    }
    let octaves = figures.bands.len() as f64;
    let mut chart = builder.build_cartesian_2d(0.0..octaves, -80.0f64..0.0)?;
    if letters {
        let name = |x: &f64| {
            let fits = (x - x.floor() - 0.5).abs() < 0.01;
            figures
                .bands
                .get(*x as usize)
                .filter(|_| fits)
                .map_or(String::new(), |band| format!("{}", band.hz))
        };
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(PAPER).bold_line_style(FAINT).axis_style(INK).y_labels(9);
        mesh.x_labels(2 * figures.bands.len() + 1).x_label_formatter(&name);
        mesh.label_style(("sans-serif", 14, &INK)).draw()?;
    }
    for (n, band) in figures.bands.iter().enumerate() {
        let x = n as f64;
        let top = band.level_db.max(-80.0);
        chart.draw_series([Rectangle::new([(x + 0.12, -80.0), (x + 0.88, top)], LEFT.mix(0.55).filled())])?;
        let width = (x + 0.5, band.width_db.clamp(-80.0, 0.0));
        chart.draw_series([Circle::new(width, 5, RIGHT.filled())])?;
    }
    // The line where the octaves from 63 Hz to 8 kHz are 0 on average about it.
    let off = figures.balance();
    let middle =
        figures.bands.iter().find(|band| band.hz == 125.0).zip(off.iter().find(|(hz, _)| *hz == 125.0));
    let Some((band, (_, off))) = middle.filter(|(band, _)| band.level_db.is_finite()) else { return Ok(()) };
    for (away, thick) in [(-6.0, 1), (0.0, 3), (6.0, 1)] {
        let points =
            figures.bands.iter().enumerate().filter(|(_, band)| (60.0..9_000.0).contains(&band.hz)).map(
                |(n, of)| {
                    let octaves = (of.hz / 125.0).log2().max(0.0);
                    (n as f64 + 0.5, band.level_db - off + away + (MIX_SLOPE_DB + 3.0103) * octaves)
                },
            );
        chart.draw_series(LineSeries::new(points, GREEN.stroke_width(thick)))?;
    }
    Ok(())
}

fn tell(panel: &Panel<'_>, figures: &Figures) -> Drawn {
    let worst = figures.balance().into_iter().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    let (worst_hz, worst) = worst.unwrap_or((0.0, 0.0));
    let lines = [
        format!("loudness     {:.1} LUFS", figures.loudness),
        format!("RMS          {:.1} dB", figures.rms_db),
        format!("peak         {:.1} dB", figures.peak_db),
        format!("crest        {:.1} dB", figures.crest_db()),
        format!("DC           {:+.5}  {:+.5}", figures.dc[0], figures.dc[1]),
        format!("correlation  {:+.2}", figures.correlation),
        format!("sides        {:.1} dB against the middle", figures.width_db),
        format!("slope        {:.1} dB an octave (records: {MIX_SLOPE_DB})", figures.slope_db),
        format!("farthest     {worst:+.1} dB at {worst_hz:.0} Hz"),
    ];
    for (n, line) in lines.iter().enumerate() {
        let font = ("sans-serif", 19).into_font().color(&INK);
        panel.draw(&Text::new(line.clone(), (20, 34 + 32 * n as i32), font))?;
    }
    Ok(())
}

fn seconds(sound: &Sound) -> f64 {
    (sound.sides[0].len() as f64 / f64::from(sound.rate)).max(0.001)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_of_sound_and_of_silence() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, level) in [("tone.png", 0.5f32), ("silence.png", 0.0)] {
            let side: Vec<f32> = (0..9_600).map(|n| level * (n as f32 * 0.06).sin()).collect();
            let sound = Sound { sides: [side.clone(), side], rate: 48_000 };
            let file = folder.path().join(name);
            draw(&file, name, &sound, &Figures::of(&sound)).expect("a picture");
            assert!(std::fs::read(&file).expect("a file").starts_with(b"\x89PNG"));
        }
    }
}
