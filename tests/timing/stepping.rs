//! Clocks that step unannounced: the certificate covers it from the first look on.

use crate::NETWORKS;
use crate::stepping_trial::{Stepped, life};

const SECONDS: u32 = 120;

fn lives(cross_checks: bool) -> Stepped {
    let lives = NETWORKS.into_iter().flat_map(|network| (0..8).map(move |seed| (network, 9_000 + seed)));
    lives.fold(Stepped::default(), |all, (network, seed)| {
        let shown = life(network, seed, SECONDS, cross_checks);
        if cross_checks {
            assert_eq!(shown.violations, 0, "{network:?}, seed {seed}: {shown:?}");
        }
        all.and(shown)
    })
}

#[test]
fn the_certificate_is_true_at_every_look_whichever_clock_steps() {
    let shown = lives(true);
    println!("{shown:?}");
    // Some fall into a pause of the thread that is too long to tell them from a slew.
    assert!(shown.seen * 10 >= shown.steps * 9 && shown.looks > 100_000, "{shown:?}");
}

#[test]
fn without_the_clock_beside_it_the_certificate_would_be_wrong() {
    let shown = lives(false);
    println!("{shown:?}");
    assert!(shown.violations > 1_000, "{shown:?}");
}
