//! The plugin in hosts: a CLAP host in this process, and VST3 hosts from PyPI.
#![cfg(feature = "plugin")]

#[path = "hosts/clap.rs"]
mod clap;
#[cfg(feature = "server")]
#[path = "hosts/paced.rs"]
mod paced;
#[path = "hosts/python.rs"]
mod python;
#[cfg(feature = "server")]
#[path = "hosts/session.rs"]
mod session;

use antiphon::client::controls;
use antiphon::param::{Owner, Param, Slot, TrackIndex, Unit};
use antiphon::plugin::params::host_slots;
use antiphon::rt::controls::{Controller, Mapping, Source, Takeover, Target};
use antiphon::time::{Beats, Tempo, TempoMap};

use clap::{Happening, Host, Plan, RATE};

#[global_allocator]
static GUARD: assert_no_alloc::AllocDisabler = assert_no_alloc::AllocDisabler;

/// Two bars at 124 BPM, in frames.
const TWO_BARS: usize = (8.0 * 60.0 / 124.0 * RATE) as usize;

/// A profile folder of the test's own, so that no musician's is touched. Every test is its own
/// process under nextest; under `cargo test` the first one's folder serves all.
fn profile() {
    use std::sync::OnceLock;
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // SAFETY: no other thread of this process has begun to read the environment.
        unsafe { std::env::set_var("ANTIPHON_HOME", folder.path()) };
        folder
    });
}

#[test]
fn a_note_sounds_and_ends() {
    profile();
    let mut host = Host::active(RATE, 512);
    let mut plan = Plan::stopped(24_000);
    let channel = 9;
    plan.happenings = vec![
        (300, Happening::NoteOn { key: 36, channel }),
        (12_000, Happening::NoteOff { key: 36, channel }),
    ];
    let take = host.play(&plan);
    assert!(take.peak() > 0.05, "silent: {}", take.peak());
    let first = take.left.iter().position(|sample| sample.abs() > 1e-4).expect("a sound");
    assert!((300..400).contains(&first), "a note at frame 300 sounds from {first}");
}

#[test]
fn the_pattern_plays_from_the_hosts_transport_to_the_sample() {
    profile();
    let mut host = Host::active(RATE, 512);
    let take = host.play(&Plan::rolling(TWO_BARS, 124.0));
    assert!(take.peak() > 0.1, "silent: {}", take.peak());
    let map = TempoMap::constant(Tempo::from_bpm(124.0).unwrap());
    let kick_steps = [0, 4, 8, 11, 12];
    let expected: Vec<usize> = (0..2)
        .flat_map(|bar| kick_steps.map(|step| Beats((bar * 16 + step) * Beats::SIXTEENTH.0)))
        .map(|tick| map.sample_at(tick).0 as usize)
        .collect();
    assert_eq!(take.onsets(0), expected);

    // The host stops in the middle of a note: nothing hangs.
    let mut notes = take.notes;
    notes.extend(host.play(&Plan::stopped(4800)).notes);
    let mut sounding = std::collections::BTreeMap::new();
    for (_, channel, key, begins) in notes {
        *sounding.entry((channel, key)).or_insert(0) += if begins { 1 } else { -1 };
    }
    assert!(sounding.values().all(|count| *count == 0), "notes hang: {sounding:?}");
}

#[test]
fn the_sound_does_not_depend_on_the_block_size() {
    profile();
    let take = |blocks: &[usize]| {
        let mut host = Host::active(RATE, 4096);
        host.play(&Plan { blocks: blocks.to_vec(), ..Plan::rolling(TWO_BARS, 124.0) })
    };
    let whole = take(&[4096]);
    for blocks in [&[1][..], &[17], &[64], &[512], &[3, 700, 1, 64, 2048]] {
        let other = take(blocks);
        assert_eq!(other.notes, whole.notes, "notes in blocks of {blocks:?}");
        let differs = other.left.iter().zip(&whole.left).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "first different sample in blocks of {blocks:?}");
    }
}

#[test]
fn automation_lands_on_its_sample_whatever_the_block_size() {
    profile();
    let take = |blocks: &[usize]| {
        let mut host = Host::active(RATE, 4096);
        let id = host.param("1 Level");
        let ramp = (0..200).map(|at| (at * 311 + 5, Happening::Param { id, value: at as f64 / 250.0 }));
        let happenings = ramp.collect();
        host.play(&Plan { blocks: blocks.to_vec(), happenings, ..Plan::rolling(TWO_BARS, 124.0) })
    };
    let whole = take(&[4096]);
    assert!(take(&[64]).left == whole.left, "blocks of 64 sound different");
    let still = Host::active(RATE, 4096).play(&Plan { blocks: vec![4096], ..Plan::rolling(TWO_BARS, 124.0) });
    assert!(still.left != whole.left, "automation changes nothing");
}

#[test]
fn the_hosts_list_is_the_table() {
    profile();
    let mut host = Host::new();
    let listed = host.params();
    let slots: Vec<_> = host_slots().collect();
    assert_eq!(listed.len(), slots.len());
    let ids: std::collections::BTreeSet<_> = listed.iter().map(|param| param.id.get()).collect();
    assert_eq!(ids.len(), listed.len(), "two parameters share an id");
    for (param, slot) in listed.iter().zip(&slots) {
        let spec = slot.spec();
        assert!(param.name.ends_with(spec.name), "{} is not {}", param.name, spec.name);
        assert!(!param.module.is_empty());
        assert_eq!(param.max, 1.0);
        if spec.unit != Unit::Switch {
            assert!((param.default as f32 - spec.travel_of(spec.default)).abs() < 1e-6, "{}", param.name);
        }
        for travel in [0.0, 0.3, 1.0] {
            let travel = if spec.unit == Unit::Switch { f64::round(travel) } else { travel };
            let shown = host.text(param.id, travel);
            let typed = host.typed(param.id, &shown).unwrap_or_else(|| panic!("{}: {shown}", param.name));
            assert_eq!(host.text(param.id, typed), shown, "{}", param.name);
        }
    }
}

#[test]
fn a_saved_project_restores_the_same_sound() {
    profile();
    let mut first = Host::active(RATE, 512);
    let cutoff = first.param("5 Filter cutoff");
    let mute = first.param("3 Mute");
    let mut plan = Plan::stopped(4800);
    plan.happenings = vec![
        (10, Happening::Param { id: cutoff, value: 0.25 }),
        (20, Happening::Param { id: mute, value: 1.0 }),
    ];
    first.play(&plan);
    let state = first.save();
    let fresh = Host::active(RATE, 512).play(&Plan::rolling(TWO_BARS, 124.0));

    // Restored before activation, after it, and while it plays.
    let mut before = Host::new();
    assert!(before.load(&state));
    assert!((before.value(cutoff) - 0.25).abs() < 1e-6, "the knob shows the project");
    before.activate(RATE, 512);
    let before = before.play(&Plan::rolling(TWO_BARS, 124.0));
    let mut after = Host::active(RATE, 512);
    assert!(after.load(&state));
    let after = after.play(&Plan::rolling(TWO_BARS, 124.0));
    let mut during = Host::active(RATE, 512);
    during.play_while(&Plan::rolling(TWO_BARS, 124.0), |instance| assert!(clap::load(instance, &state)));
    assert_eq!(groove(&during.save()), groove(&state), "what was restored is what is saved");
    let during = during.play(&Plan::rolling(TWO_BARS, 124.0));

    assert!(before.left != fresh.left, "the project changes nothing");
    assert!(before == after, "restoring after activation sounds different");
    // Notes of the run before end in this one; what begins is what counts.
    for channel in 0..16 {
        assert_eq!(during.onsets(channel), before.onsets(channel), "channel {channel}");
    }
}

#[test]
fn a_controller_of_the_profile_moves_what_it_was_taught_and_keys_are_played() {
    profile();
    let home = std::path::PathBuf::from(std::env::var("ANTIPHON_HOME").expect("a profile folder"));
    let slot = Slot::new(Owner::Track(TrackIndex::new(4).expect("a track")), Param::FilterFreq);
    let mapping = |channel, source, target| Mapping {
        controller: Controller { channel, source },
        target,
        takeover: Takeover::Absolute,
    };
    let level = Slot::new(Owner::Master, Param::Level);
    let mappings = [
        mapping(2, Source::Cc(74), Target::Shared(slot)),
        mapping(0, Source::PitchBend, Target::Shared(level)),
    ];
    controls::keep(&home, &mappings).expect("kept");
    let mut host = Host::active(RATE, 512);
    let mut plan = Plan::stopped(2_048);
    plan.happenings = vec![(5, Happening::Midi([0xb2, 74, 32])), (6, Happening::Midi([0xe0, 0, 0x20]))];
    let wanted = [(slot, 32.0 / 127.0), (level, 4_096.0 / 16_383.0)];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        host.play(&plan);
        let song = antiphon::plugin::state::read(groove(&host.save())).expect("a groove").song;
        let is = |(slot, travel): &(Slot, f32)| song.params[slot.index()] == slot.spec().value_at(*travel);
        if wanted.iter().all(is) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the controller moves nothing");
    }
    plan.happenings = vec![
        (300, Happening::Midi([0x99, 36, 100])),
        (400, Happening::Midi([0xb0, 1, 64])),
        (1_500, Happening::Midi([0x89, 36, 0])),
    ];
    assert!(host.play(&plan).peak() > 0.02, "keys are played as before");
    controls::keep(&home, &[]).expect("kept");
}

/// Our part of a state: where it begins and ends.
fn groove_in(state: &[u8]) -> std::ops::Range<usize> {
    let from = state.windows(10).position(|bytes| bytes == b"antiphon2.").expect("our field");
    let length = state[from..].iter().position(|&byte| byte == b'"').expect("a closed string");
    from..from + length
}

fn groove(state: &[u8]) -> &str {
    std::str::from_utf8(&state[groove_in(state)]).expect("base64")
}

#[test]
fn a_corrupt_project_is_set_aside_and_the_sound_goes_on() {
    profile();
    let mut host = Host::active(RATE, 512);
    let state = host.save();
    let mut flipped = state.clone();
    flipped[groove_in(&state).start + 40] ^= 1;
    for damaged in [&flipped[..], &state[..state.len() / 2], b"", b"\0\xff garbage", b"{}"] {
        // The host may be told that it failed; the instance must go on either way.
        host.load(damaged);
        assert!(host.play(&Plan::rolling(TWO_BARS, 124.0)).peak() > 0.1);
    }
    let kept = std::path::PathBuf::from(std::env::var("ANTIPHON_HOME").unwrap()).join("damaged");
    assert!(kept.read_dir().unwrap().count() >= 1, "nothing was kept in {}", kept.display());
    assert!(host.load(&state), "a good state loads again");
}

#[test]
fn instances_come_and_go_without_a_socket() {
    profile();
    // Sockets of this process that reach a network; the thread's own wake-up pair is none.
    let sockets = || {
        let tables = ["tcp", "tcp6", "udp", "udp6"].map(|table| format!("/proc/self/net/{table}"));
        let listed: Vec<String> =
            tables.iter().filter_map(|table| std::fs::read_to_string(table).ok()).collect();
        let links = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
        let inodes = targets.filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        });
        inodes.filter(|inode| listed.iter().any(|table| table.contains(inode.as_str()))).count()
    };
    for cycle in 0..40 {
        let mut host = Host::new();
        assert!(host.params().len() > 100);
        let state = host.save();
        assert!(host.load(&state));
        if cycle % 4 == 0 {
            host.activate(RATE, 64);
            host.play(&Plan { blocks: vec![64], ..Plan::stopped(640) });
            host.deactivate();
            host.activate(44_100.0, 1024);
            host.play(&Plan { blocks: vec![1024], ..Plan::stopped(4096) });
        }
        assert_eq!(sockets(), 0, "cycle {cycle}");
    }
}

#[test]
fn pedalboard_plays_saves_and_restores() {
    python::run("pedalboard_host.py", &[]);
}

#[test]
fn dawdreamer_plays_through_a_tempo_map_to_the_sample() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    python::run("dawdreamer_host.py", &[&folder.path().join("antiphon.state")]);
}

/// An offline render plays by the host's grid from its first note on, also where the host does not say
/// that it is one, and whatever the mode.
#[test]
fn dawdreamer_plays_where_it_belongs_in_the_modes_of_a_session() {
    for mode in ["follow", "session"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("antiphon.state");
        python::run_with("dawdreamer_host.py", &[&state], &[("ANTIPHON_MODE", mode)]);
    }
}
