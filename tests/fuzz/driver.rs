//! The readers under libFuzzer, guided by coverage: `cargo xtask fuzz TARGET`.

#![no_main]

#[path = "memory.rs"]
mod memory;
#[path = "targets.rs"]
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use crate::targets::{TARGETS, Target};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

fn target() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("ANTIPHON_FUZZ").unwrap_or_default();
        let known = || TARGETS.map(|target| target.name).join(", ");
        TARGETS
            .iter()
            .find(|target| target.name == name)
            .unwrap_or_else(|| panic!("ANTIPHON_FUZZ must name one of {}", known()))
    })
}

fuzz_target!(|bytes: &[u8]| {
    let target = target();
    let peak = memory::peak_of(|| (target.read)(bytes));
    let limit = (target.memory)(bytes.len());
    assert!(peak <= limit, "{} bytes made {} hold {peak} bytes: at most {limit}", bytes.len(), target.name);
});
