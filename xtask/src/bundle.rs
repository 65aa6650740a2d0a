//! `cargo xtask bundle`: what a musician installs.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need};
use crate::steps;

/// The options of `cargo xtask bundle`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The package; there is one.
    #[arg(default_value = "antiphon")]
    package: String,
    /// Optimised, as a musician gets it.
    #[arg(long)]
    release: bool,
    /// Optimised across crates as well: minutes more.
    #[arg(long)]
    thin_lto: bool,
}

/// What a bundle holds.
pub struct Bundle {
    /// The CLAP.
    pub clap: PathBuf,
    /// The VST3's folder.
    pub vst3: PathBuf,
    /// The standalone.
    pub standalone: PathBuf,
    /// The headless command line and peer.
    pub antiphon: PathBuf,
    /// The server.
    pub server: PathBuf,
}

impl Bundle {
    /// The program inside the standalone's bundle.
    pub fn standalone_program(&self) -> PathBuf {
        match std::env::consts::OS {
            "macos" => self.standalone.join("Contents/MacOS/Antiphon"),
            _ => self.standalone.clone(),
        }
    }
}

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As in development.
    Dev,
    /// Optimised.
    Release,
    /// Optimised across crates.
    Plugin,
}

impl Profile {
    /// Cargo's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Dev => "dev",
            Profile::Release => "release",
            Profile::Plugin => "plugin-release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Profile::Dev => "debug",
            other => other.name(),
        }
    }
}

/// `cargo xtask bundle`.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.package != "antiphon" {
        bail!("there is no package '{}' to bundle; it is 'antiphon'", arguments.package);
    }
    setup::ensure(&[Need::Build])?;
    let profile = match (arguments.release, arguments.thin_lto) {
        (false, _) => Profile::Dev,
        (true, false) => Profile::Release,
        (true, true) => Profile::Plugin,
    };
    let bundle = bundle(profile)?;
    for path in [&bundle.clap, &bundle.vst3, &bundle.standalone] {
        println!("{}", path.display());
    }
    Ok(())
}

/// Builds everything with all features at once, so that the plugin, the programs and the tests
/// share one build, and lays the bundles out in `target/bundled`.
pub fn bundle(profile: Profile) -> Result<Bundle> {
    let target = steps::target();
    let name = profile.name();
    steps::step(&format!("build the plugin and the programs ({name})"), || {
        steps::run(&mut steps::cargo(&format!(
            "build --package antiphon --lib --bins --features standalone,server --profile {name}"
        )))
    })?;
    let profile_arguments = ["--profile".to_owned(), profile.folder().to_owned()];
    // The bundler looks for programs with underscores in their names.
    let standalone = target.join(profile.folder()).join(format!("antiphon-standalone{EXE_SUFFIX}"));
    let seen = target.join(profile.folder()).join(format!("antiphon_standalone{EXE_SUFFIX}"));
    std::fs::copy(&standalone, &seen).with_context(|| format!("copying {}", standalone.display()))?;
    // It takes the program of the package's own name, too; the standalone's call comes second and
    // puts the right one in its place.
    for part in ["antiphon", "antiphon-standalone"] {
        nice_plug_xtask::bundle(&target, part, &profile_arguments, false)
            .with_context(|| format!("bundling {part}"))?;
    }
    let (bundled, built) = (target.join("bundled"), target.join(profile.folder()));
    let program = |name: &str| built.join(format!("{name}{}", EXE_SUFFIX));
    let standalone = match std::env::consts::OS {
        "macos" => bundled.join("Antiphon.app"),
        _ => bundled.join(format!("Antiphon{}", EXE_SUFFIX)),
    };
    let bundle = Bundle {
        clap: bundled.join("Antiphon.clap"),
        vst3: bundled.join("Antiphon.vst3"),
        standalone,
        antiphon: program("antiphon"),
        server: program("antiphon-server"),
    };
    for path in [&bundle.clap, &bundle.vst3, &bundle.standalone] {
        if !path.exists() {
            bail!("the bundler made no {}: does the library export the plugin?", path.display());
        }
    }
    Ok(bundle)
}
