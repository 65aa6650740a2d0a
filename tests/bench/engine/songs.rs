//! The songs that are measured.

use antiphon::pattern::{Song, text};

/// A song in which every track plays; with effects, its filter, drive and delay are in use.
pub fn busy(tracks: usize, effects: bool) -> Song {
    const KINDS: [(&str, &str); 4] = [
        ("kick", "X.x.x.x.X.x.x.x."),
        ("snare", "..o.X..o..o.X.oo"),
        ("hat", "xoxoxoxoxoxoxoxo"),
        ("bass", "x.xxx.x.x.xxx.x."),
    ];
    let mut source = String::from("TEMPO 124\n");
    for n in 0..tracks {
        let (kind, cells) = KINDS[n % KINDS.len()];
        let id = format!("{kind}{n}");
        source += &format!("seq {id}: {cells}\n");
        if effects {
            source += &format!("filter {id}: type=lowpass freq=3000 Q=2\ndistort {id}: amount=.4 mix=.3\n");
            source += &format!("delay {id}: time=.2 feedback=.4 mix=.2\n");
        }
    }
    read(&source)
}

/// Sixteen tracks whose every step is tied to the next and asks how the last one came out, its own and
/// the track's before it, over as many cells as there are; and all begin at once.
pub fn tied() -> Song {
    let mut source = String::from("TEMPO 124\n");
    for track in 0..16 {
        source += &format!("seq lead{track}: {}\n", "x".repeat(64));
        for step in 0..64 {
            let when = if step == 0 { "1:2" } else { ["previous", "not-neighbour", "neighbour"][step % 3] };
            source += &format!("step lead{track}.{step}: tie=on when={when}\n");
        }
    }
    read(&source)
}

/// Four tracks of a voice in eighths, each with a module.
pub fn four(voice: &str, module: &str) -> Song {
    let line = |n: usize| {
        let id = format!("{voice}-{n}");
        format!("seq {id}: x.x.x.x.x.x.x.x.\n{}\n", module.replace("ID", &id))
    };
    read(&(0..4).map(line).collect::<String>())
}

fn read(source: &str) -> Song {
    text::read(source).expect("the song reads").song
}
