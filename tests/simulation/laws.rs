//! What must hold when everything has arrived.

use std::collections::{BTreeMap, BTreeSet};

use antiphon::session::{Area, ClientId, Commit, Op, Role, Seq, State};

use crate::studio::{Studio, tag_of};
use crate::world::World;

/// Panics with the law that broke.
pub fn check(world: &World) {
    let log: Vec<_> = world.server.store.log(0).collect();
    let live = world.server.sequencer.state();
    let mut numbers = BTreeSet::new();
    for commit in log.iter().filter(|commit| commit.author.0 > 0) {
        let fresh = numbers.insert((commit.author, commit.cseq));
        assert!(fresh, "frame {:?} of {:?} landed twice", commit.cseq, commit.author);
    }
    for studio in world.studios() {
        assert_eq!(studio.replica.seq(), live.seq(), "studio {} is behind", studio.who);
        assert_eq!(studio.replica.confirmed().digest(), live.digest(), "studio {} differs", studio.who);
        assert!(
            studio.replica.view() == studio.replica.confirmed().song(),
            "studio {} shows what is not confirmed",
            studio.who
        );
        let mut landed = BTreeMap::new();
        for commit in log.iter().filter(|commit| commit.author == ClientId(studio.who as u32 + 1)) {
            for tag in commit.ops.iter().filter_map(|op| tag_of(studio.who, &op.op)) {
                let before = landed.insert(tag, commit.seq);
                assert!(before.is_none(), "frame {tag} of studio {} landed twice", studio.who);
            }
        }
        let only_listens = world.server.only_listens(studio.who);
        check_landed(studio, &landed, only_listens, |tag| world.server.refused.contains(&(studio.who, tag)));
    }
    check_roles_and_bounds(world, &log);
    let mut replayed = State::new();
    for commit in &log {
        check_permission(world, &replayed, commit);
        replayed.apply(commit).expect("the log is gapless and sound");
    }
    assert_eq!(replayed.digest(), live.digest(), "the log alone gives another state");
    assert_eq!(world.server.store.state().digest(), live.digest(), "snapshot and log give another state");
}

/// Each frame once, in its author's order, where its author was told.
fn check_landed(
    studio: &Studio,
    landed: &BTreeMap<u64, Seq>,
    only_listens: bool,
    was_refused: impl Fn(u64) -> bool,
) {
    let who = studio.who;
    if only_listens {
        assert!(landed.is_empty(), "listener {who} has edited");
        return;
    }
    for tag in &studio.made {
        let lands = landed.contains_key(tag);
        assert!(lands || was_refused(*tag), "frame {tag} of studio {who} is lost");
        let taken_back = studio.refused.contains(tag);
        assert!(!(lands && taken_back), "frame {tag} of studio {who} landed, and was taken back there");
    }
    assert!(landed.keys().all(|tag| studio.made.contains(tag)), "studio {who} never made that frame");
    assert!(landed.values().is_sorted(), "the frames of studio {who} landed out of order");
    for (tag, seq) in &studio.promised {
        assert_eq!(landed.get(tag), Some(seq), "frame {tag} of studio {who} is not where it was told");
    }
}

fn check_roles_and_bounds(world: &World, log: &[Commit]) {
    for commit in log.iter().filter(|commit| commit.author.0 > 0) {
        let role = world.server.role_at(commit.author.0 as usize - 1, commit.seq);
        assert_ne!(role, Role::Listener, "commit {:?} is a listener's", commit.seq);
        for stamped in &commit.ops {
            match &stamped.op {
                Op::Edit(edit) => {
                    let sound = edit.check().unwrap_or_else(|e| panic!("commit {:?}: {e}", commit.seq));
                    assert_eq!(sound, *edit, "commit {:?} is not canonical", commit.seq);
                }
                Op::TempoMap(map) => map.check().expect("a sound tempo map"),
                _ => {}
            }
        }
    }
}

/// Nobody changes what they may not.
fn check_permission(world: &World, before: &State, commit: &Commit) {
    let Some(who) = commit.author.0.checked_sub(1) else { return };
    let role = world.server.role_at(who as usize, commit.seq);
    let granted = before.rulings().permissions.grant(commit.author, role);
    for edit in commit.ops.iter().filter_map(|op| op.op.edit()) {
        let area = Area::of(edit.register());
        assert!(granted.allows(area), "commit {:?}: {:?} may not change {area}", commit.seq, commit.author);
    }
}
