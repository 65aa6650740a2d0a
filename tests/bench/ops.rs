//! What one edit costs between two peers: its bytes, and the write.
//!
//! Beside it, in the same run: serde_json of the same value, and a copy of the same bytes.

use std::hint::black_box;

use antiphon::param::{Owner, Param, Slot, TrackIndex};
use antiphon::pattern::{Edit, PatternIndex, Song, StepField};
use antiphon::session::{ClientId, Commit, Cseq, Op, Seq, StampedOp, State};
use antiphon::wire::{Up, decode_up, encode_up};

use crate::report::{Report, Row, nanos_a_call};

pub fn measure(report: &mut Report) {
    for (what, edits) in [("one parameter op", one()), ("a frame of 256 ops", many())] {
        let frame = frame_of(&edits);
        let bytes = encode_up(&frame).expect("a frame that may travel");
        let json = serde_json::to_vec(&frame).expect("a frame has a JSON form");
        let add = |report: &mut Report, verb: &str, value, beside| {
            report.add(Row { case: format!("{verb} {what}"), value, unit: "ns", beside, bar: None });
        };
        let encode_json = nanos_a_call(|| serde_json::to_vec(black_box(&frame)));
        let encode = nanos_a_call(|| encode_up(black_box(&frame)));
        add(report, "encode", encode, Some(("serde_json", encode_json)));
        let decode_json = nanos_a_call(|| serde_json::from_slice::<Up>(black_box(&json)));
        let decode = nanos_a_call(|| decode_up(black_box(&bytes)));
        add(report, "decode", decode, Some(("serde_json", decode_json)));
        let copy = nanos_a_call(|| black_box(&bytes).clone());
        add(report, "encode, against memory,", encode, Some(("a copy of its bytes", copy)));
        let mut song = Song::new();
        let sound = nanos_a_call(|| black_box(&edits).iter().for_each(|edit| song.apply(edit)));
        add(report, "write to a song", sound, Some(("a copy of its bytes", copy)));
        let mut state = State::new();
        let mut commit = Commit { seq: state.seq(), author: ClientId(1), cseq: Cseq(1), ops: ops_of(&edits) };
        let apply = nanos_a_call(|| {
            commit.seq.0 += 1;
            state.apply(black_box(&commit)).expect("a gapless commit").len()
        });
        add(report, "apply to a session", apply, Some(("a song alone", sound)));
        report.add(Row {
            case: format!("bytes of {what}"),
            value: bytes.len() as f64,
            unit: "bytes",
            beside: Some(("serde_json", json.len() as f64)),
            bar: None,
        });
    }
}

fn frame_of(edits: &[Edit]) -> Up {
    Up::Ops { cseq: Cseq(1000), base: Seq(100_000), ops: ops_of(edits) }
}

fn ops_of(edits: &[Edit]) -> Vec<StampedOp> {
    edits.iter().map(|edit| StampedOp { op: Op::Edit(*edit), at: None }).collect()
}

fn one() -> Vec<Edit> {
    let slot = Slot::new(Owner::Master, Param::FilterFreq);
    vec![Edit::Param { slot, value: 1234.5 }]
}

/// Four tracks' grids, rewritten.
fn many() -> Vec<Edit> {
    let tracks = TrackIndex::all().take(4);
    let cells = tracks.flat_map(|track| (0..64).map(move |step| (track, step)));
    cells
        .map(|(track, step)| Edit::Step {
            track,
            pattern: PatternIndex::FIRST,
            step,
            field: StepField::On(step % 3 == 0),
        })
        .collect()
}
