//! Who moved a knob: the host, the session or an echo.

use std::sync::Mutex;

use nice_plug::context::PluginApi;

use super::*;

/// Stands for a host that takes every push at once.
#[derive(Default)]
struct Pushed(Mutex<Vec<(ParamPtr, f32)>>);

impl GuiContextInner for Pushed {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Clap
    }

    unsafe fn raw_begin_set_parameter(&self, _param: ParamPtr) {}

    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, normalized: f32) {
        self.0.lock().unwrap().push((param, normalized));
    }

    unsafe fn raw_end_set_parameter(&self, _param: ParamPtr) {}

    fn get_state(&self) -> PluginState {
        unreachable!("knobs alone are pushed")
    }

    fn set_state(&self, _state: PluginState) {}

    fn request_restart(&self) {}
}

fn moves(params: &HostParams, now: i64) -> Vec<(Slot, f32)> {
    let mut moves = Vec::new();
    params.take_moves(HostNanos(now), |one| moves.push((one.slot, one.value)));
    moves
}

fn pushes(params: &HostParams, song: &Song, now: i64) -> Vec<(ParamPtr, f32)> {
    let host = Pushed::default();
    params.push_knobs(song, &ParamSetter::new(&host), HostNanos(now));
    host.0.into_inner().unwrap()
}

#[test]
fn a_project_is_a_baseline_and_a_move_is_told_once() {
    let params = HostParams::new(Desk::new());
    assert_eq!(moves(&params, 0), [], "the starter groove is no edit");
    let pan = params.slots.iter().position(|slot| slot.param() == Row::Pan).unwrap();
    params.cells[pan].set(0.75);
    assert_eq!(moves(&params, 0), [(params.slots[pan], 0.5)]);
    params.cells[pan].set(0.75);
    assert_eq!(moves(&params, 0), [], "the same value again is no move");

    let mut song = Song::new();
    params.freshen(&mut song, HostNanos(1));
    assert_eq!(song.params[params.slots[pan].index()], 0.5, "what just moved is saved");
    params.show(&Song::new());
    assert_eq!(moves(&params, 0), [], "a restored project is no edit");
}

#[test]
fn the_session_moves_the_hosts_knob_and_the_echo_is_dropped() {
    let params = HostParams::new(Desk::new());
    let mut song = params.desk.project().song;
    assert_eq!(pushes(&params, &song, 0), []);
    let (at, slot) = (3, params.slots[3]);
    song.params[slot.index()] = slot.spec().value_at(0.4);
    let pushed = pushes(&params, &song, 0);
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].0, params.cells[at].pointer());
    // The host sets what it was given.
    params.cells[at].set(pushed[0].1);
    assert_eq!(moves(&params, 1), [], "the echo is no move");
    assert_eq!(pushes(&params, &song, 2), [], "the knob stands where it should");
}

#[test]
fn a_knob_in_the_hosts_hand_is_left_alone() {
    let params = HostParams::new(Desk::new());
    let song = params.desk.project().song;
    params.cells[0].set(0.1);
    assert_eq!(pushes(&params, &song, 0), [], "not yet read");
    assert_eq!(moves(&params, 0).len(), 1);
    assert_eq!(pushes(&params, &song, FRESH_NANOS / 2), [], "just moved");
    assert_eq!(pushes(&params, &song, 2 * FRESH_NANOS).len(), 1, "at rest");
}

#[test]
fn ids_stay_what_they_were_and_every_page_has_eight_knobs() {
    let ids: Vec<String> = host_slots().map(host_id).collect();
    for was in
        ["t01_level", "t05_filter_freq", "t16_distort_amount", "master_level", "master_limiter_ceiling"]
    {
        assert!(ids.iter().any(|id| id == was), "{was} is gone");
    }
    for now in ["t01_send_reverb", "t16_send_delay", "t03_voice_tone", "t03_voice_punch", "t03_voice_noise"] {
        assert!(ids.iter().any(|id| id == now), "{now} is missing");
    }
    assert_eq!(OF_TRACK.len() % PAGE + OF_MASTER.len() % PAGE, 0);
}
