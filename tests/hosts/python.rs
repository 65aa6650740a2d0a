//! VST3 hosts from PyPI, each a script that exits with 0 when everything it checks holds.

use std::path::Path;
use std::process::Command;

/// Runs a script on the bundled VST3; says how to get both where they are missing.
pub fn run(script: &str, arguments: &[&Path]) {
    run_with(script, arguments, &[]);
}

/// Runs a script with variables of its environment.
pub fn run_with(script: &str, arguments: &[&Path], environment: &[(&str, &str)]) {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(bundle), Some(python)) = (set("ANTIPHON_VST3"), set("ANTIPHON_PYTHON")) else {
        let help = "`cargo xtask test` bundles the plugin, makes a venv with pedalboard, dawdreamer, \
                    numpy and mido, and sets ANTIPHON_VST3 and ANTIPHON_PYTHON";
        assert!(set("CI").is_none(), "{script} cannot run: {help}");
        eprintln!("{script} is left out: {help}");
        return;
    };
    let profile = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts").join(script);
    let output = Command::new(&python)
        .arg(&script)
        .arg(&bundle)
        .args(arguments)
        .env("ANTIPHON_HOME", profile.path())
        .env_remove("ANTIPHON_LINK")
        .envs(environment.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} on {bundle}: {}\n{said}{errors}", script.display(), output.status);
    print!("{said}");
}
