//! What the other commands need on the machine, and how it gets there.
//!
//! On Debian and Ubuntu missing packages are installed; elsewhere they are named. When everything
//! is there this takes a fraction of a second and touches nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps;

/// What a piece of work needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To build the standalone and the plugin.
    Build,
    /// To build `antiphon-link` and the programs it is tested with.
    Link,
    /// To load the plugin into other people's hosts.
    Hosts,
    /// To open windows without a screen.
    Screen,
    /// To build and run for aarch64 and WebAssembly.
    Architectures,
    /// To count the engine's instructions.
    Instructions,
    /// A compiler for those where rustup can fetch no standard library.
    DebianRust,
}

/// How to see that a package is there.
enum Sign {
    Program(&'static str),
    PkgConfig(&'static str),
    Library(&'static str),
    /// A library whose name goes on with its version.
    LibraryOfAnyVersion(&'static str),
    File(&'static str),
    PythonModule(&'static str),
}

/// A Debian package, what shows that it is there, and what it is for.
struct Package {
    need: Need,
    debian: &'static str,
    sign: Sign,
    purpose: &'static str,
}

const fn package(need: Need, debian: &'static str, sign: Sign, purpose: &'static str) -> Package {
    Package { need, debian, sign, purpose }
}

const PACKAGES: &[Package] = &[
    package(Need::Build, "gcc", Sign::Program("cc"), "C compiler and linker"),
    package(Need::Build, "libc6-dev", Sign::File("/usr/include/stdlib.h"), "C library headers"),
    package(Need::Build, "pkg-config", Sign::Program("pkg-config"), "finds libraries"),
    package(Need::Build, "libasound2-dev", Sign::PkgConfig("alsa"), "ALSA, for the standalone"),
    package(Need::Build, "libjack-jackd2-dev", Sign::PkgConfig("jack"), "JACK, for the standalone"),
    package(Need::Link, "g++", Sign::Program("g++"), "C++ compiler, for Ableton Link"),
    package(Need::Link, "cmake", Sign::Program("cmake"), "builds Ableton Link"),
    package(Need::Link, "libclang-dev", Sign::LibraryOfAnyVersion("libclang-"), "reads Link's header"),
    package(Need::Link, "ableton-link-dev", Sign::File(LINK), "another build of Link, to test against"),
    package(Need::Link, "iproute2", Sign::Program("ip"), "networks of a test's own"),
    package(Need::Hosts, "ardour", Sign::Program("ardour7-lua"), "Ardour 7, a VST3 host"),
    package(Need::Hosts, "jackd2", Sign::Program("jackd"), "a JACK server, to send MIDI clock through"),
    package(Need::Hosts, "python3-venv", Sign::PythonModule("ensurepip"), "Python, for two JUCE hosts"),
    package(Need::Hosts, "fonts-dejavu-core", Sign::File(FONT), "letters in the jam's picture"),
    package(Need::Screen, "xvfb", Sign::Program("Xvfb"), "an X server without a screen"),
    package(Need::Screen, "imagemagick", Sign::Program("import"), "pictures of windows"),
    package(Need::Screen, "xdotool", Sign::Program("xdotool"), "mouse and keys"),
    package(Need::Screen, "libgl1-mesa-dri", Sign::Library("libGLX_mesa.so.0"), "software OpenGL"),
    package(Need::Screen, "libgl1", Sign::Library("libGL.so.1"), "OpenGL"),
    package(Need::Screen, "libegl1", Sign::Library("libEGL.so.1"), "OpenGL on windows"),
    package(Need::Screen, "libx11-6", Sign::Library("libX11.so.6"), "X11"),
    package(Need::Screen, "libx11-xcb1", Sign::Library("libX11-xcb.so.1"), "X11 by XCB"),
    package(Need::Screen, "libxcursor1", Sign::Library("libXcursor.so.1"), "mouse pointers"),
    package(Need::Screen, "libxkbcommon-x11-0", Sign::Library("libxkbcommon-x11.so.0"), "keyboards"),
    package(Need::Architectures, "gcc-aarch64-linux-gnu", Sign::Program(AARCH64), "linker for aarch64"),
    package(Need::Architectures, "libc6-dev-arm64-cross", Sign::File(AARCH64_LIBC), "C library for aarch64"),
    package(Need::Architectures, "qemu-user", Sign::Program("qemu-aarch64"), "runs programs for aarch64"),
    package(Need::Architectures, "nodejs", Sign::Program("node"), "runs WebAssembly"),
    package(Need::Instructions, "valgrind", Sign::Program("valgrind"), "counts instructions"),
    package(Need::DebianRust, "rustc-web", Sign::File("/usr/bin/rustc"), "Rust for every processor"),
    package(Need::DebianRust, "cargo-web", Sign::File("/usr/bin/cargo"), "builds Rust"),
    package(Need::DebianRust, "rust-web-src", Sign::File(RUST_SOURCE), "Rust's standard library"),
    package(Need::DebianRust, "lld-19", Sign::Program("wasm-ld-19"), "linker for WebAssembly"),
];

/// The font of the jam's picture.
pub const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

const AARCH64: &str = "aarch64-linux-gnu-gcc";
const AARCH64_LIBC: &str = "/usr/aarch64-linux-gnu/lib/libc.so.6";
const RUST_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

const LINK: &str = "/usr/include/ableton/Link.hpp";

/// Python packages of the two JUCE hosts.
const WHEELS: &[&str] = &["pedalboard==0.9.*", "dawdreamer==0.9.*", "numpy", "mido"];

/// Sees to it that everything for these needs is there.
///
/// # Errors
/// Something is missing and cannot be installed from here; the error names it and how to get it.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let libraries = Libraries::known();
    let missing: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| needs.contains(&package.need) && !package.sign.shows(&libraries))
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    if needs.contains(&Need::Hosts) {
        virtual_environment()?;
    }
    Ok(())
}

/// The Python that has the two JUCE hosts.
pub fn python() -> PathBuf {
    steps::target().join("venv/bin/python")
}

/// Whether tests can be run by cargo-nextest; installs it where it is missing.
pub fn nextest() -> bool {
    if steps::succeeds("cargo-nextest", &["nextest", "--version"]) {
        return true;
    }
    let installed = steps::step("install cargo-nextest (once, some minutes)", || {
        steps::run(&mut steps::cargo("install cargo-nextest --locked --quiet"))
    });
    if let Err(error) = &installed {
        eprintln!("    {error:#}\n    going on with `cargo test`");
    }
    installed.is_ok()
}

/// The names of the libraries the dynamic linker knows.
struct Libraries(String);

impl Libraries {
    fn known() -> Libraries {
        let list = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
            .iter()
            .find_map(|program| Command::new(program).arg("-p").output().ok());
        Libraries(list.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default())
    }
}

impl Sign {
    fn shows(&self, libraries: &Libraries) -> bool {
        match self {
            Sign::Program(name) => steps::on_path(name),
            Sign::PkgConfig(name) => steps::succeeds("pkg-config", &["--exists", name]),
            Sign::Library(name) => libraries.0.contains(&format!("\t{name} ")),
            Sign::LibraryOfAnyVersion(name) => libraries.0.lines().any(|line| {
                let version = line.trim_start().strip_prefix(name);
                version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
            }),
            Sign::File(path) => Path::new(path).exists(),
            Sign::PythonModule(name) => steps::succeeds("python3", &["-c", &format!("import {name}, venv")]),
        }
    }
}

fn install(missing: &[&Package]) -> Result<()> {
    let list: Vec<String> =
        missing.iter().map(|package| format!("  {} ({})", package.debian, package.purpose)).collect();
    let names: Vec<&str> = missing.iter().map(|package| package.debian).collect();
    let by_hand = format!("apt-get install {}", names.join(" "));
    if !steps::on_path("apt-get") {
        bail!("missing on this system (Debian's package names; install their likes):\n{}", list.join("\n"));
    }
    let privileged: &[&str] = if effective_user_is_root() {
        &[]
    } else if steps::on_path("sudo") {
        &["sudo"]
    } else {
        bail!("missing:\n{}\nrun as root: {by_hand}", list.join("\n"));
    };
    steps::step(&format!("install {}", names.join(", ")), || {
        apt(privileged, &["update", "-qq"]).with_context(|| format!("by hand: {by_hand}"))?;
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&names);
        apt(privileged, &arguments).with_context(|| format!("by hand: {by_hand}"))
    })
}

fn apt(privileged: &[&str], arguments: &[&str]) -> Result<()> {
    let words: Vec<&str> =
        privileged.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]).collect();
    steps::run(Command::new(words[0]).args(&words[1..]).args(arguments))
}

fn effective_user_is_root() -> bool {
    steps::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Makes `target/venv` with the two JUCE hosts; a mark in it tells that it is complete.
fn virtual_environment() -> Result<()> {
    let folder = steps::target().join("venv");
    let mark = folder.join("complete");
    let wanted = WHEELS.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|have| have == wanted) && python().exists() {
        return Ok(());
    }
    steps::step("install pedalboard and dawdreamer into target/venv", || {
        steps::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        steps::run(pip.args(WHEELS)).context("pip could not install the JUCE hosts")?;
        std::fs::write(&mark, wanted).context("marking the environment as complete")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_is_looked_for() {
        let libraries = Libraries("\tlibEGL.so.1 (libc6,x86-64) => /usr/lib/libEGL.so.1\n".into());
        assert!(Sign::Library("libEGL.so.1").shows(&libraries));
        assert!(!Sign::Library("libEGL.so").shows(&libraries));
        let several = Libraries("\tlibclang-cpp.so.14 (…)\n\tlibclang-14.so.13 (…)\n".into());
        assert!(Sign::LibraryOfAnyVersion("libclang-").shows(&several));
        assert!(!Sign::LibraryOfAnyVersion("libclang-cpp-").shows(&several));
        assert!(Sign::Program("sh").shows(&libraries));
        assert!(!Sign::Program("no-such-program-here").shows(&libraries));
        assert!(Sign::File("/").shows(&libraries));
    }
}
