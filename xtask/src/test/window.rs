//! The standalone under a real X server, without a screen.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bundle::Bundle;
use crate::steps;

/// How long a window may take: software OpenGL on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Colours below which a picture counts as empty: a bare screen has one, a cleared window two.
const COLOURS: usize = 16;

/// Opens the standalone under Xvfb and waits until it has drawn something; the picture stays at
/// `target/window.png`.
pub fn opens(bundle: &Bundle) -> Result<()> {
    steps::step("the standalone opens its window", || {
        let screen = Screen::open()?;
        let profile = steps::target().join("window-profile");
        let mut standalone = Started(
            Command::new(&bundle.standalone)
                .args(["--backend", "dummy"])
                .env("DISPLAY", &screen.display)
                .env("ANTIPHON_HOME", &profile)
                .env("LIBGL_ALWAYS_SOFTWARE", "1")
                .stdin(Stdio::null())
                .stdout(std::io::stderr())
                .spawn()
                .with_context(|| format!("could not start {}", bundle.standalone.display()))?,
        );
        let picture = steps::target().join("window.png");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = standalone.0.try_wait()? {
                bail!("the standalone ended by itself with {status}");
            }
            if has_window(&screen.display) && shows_something(&screen.display, &picture) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("nothing was drawn within {} s; see {}", PATIENCE.as_secs(), picture.display());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    })
}

fn has_window(display: &str) -> bool {
    let mut search = Command::new("xdotool");
    search.args(["search", "--onlyvisible", "--name", "Antiphon"]).env("DISPLAY", display);
    search.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn shows_something(display: &str, picture: &Path) -> bool {
    let mut import = Command::new("import");
    import.args(["-display", display, "-window", "root"]).arg(picture);
    let taken = import.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    taken
        && image::open(picture).is_ok_and(|picture| {
            let colours: HashSet<_> = picture.to_rgb8().pixels().copied().collect();
            colours.len() >= COLOURS
        })
}

/// A process that ends with its owner.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server without a screen.
struct Screen {
    display: String,
    _server: Started,
}

impl Screen {
    fn open() -> Result<Screen> {
        let free = |number: &u32| {
            !PathBuf::from(format!("/tmp/.X{number}-lock")).exists() && !socket(*number).exists()
        };
        let number = (90..190).find(free).context("no X display is free")?;
        let display = format!(":{number}");
        let mut server = Started(
            Command::new("Xvfb")
                .args([&display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("could not start Xvfb")?,
        );
        let deadline = Instant::now() + PATIENCE;
        while !socket(number).exists() {
            if let Some(status) = server.0.try_wait()? {
                bail!("Xvfb ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("Xvfb opened no display {display}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Screen { display, _server: server })
    }
}

fn socket(number: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/.X11-unix/X{number}"))
}
