//! The parameters of an owner as a person looks for them: in the order of the signal, each module with
//! its switch. All of it is read from the one table.

use std::sync::OnceLock;

use crate::param::{Owner, Param, Unit};

/// Parameters that are shown together.
pub struct Group {
    /// What they are of.
    pub title: String,
    /// What bypasses them.
    pub switch: Option<Param>,
    /// The others.
    pub params: Vec<Param>,
    key: &'static str,
}

/// The order of the signal; modules that are not named here come behind.
const ORDER: [&str; 16] = [
    VOICE, SAMPLE, "env", "distort", "filter", "eq", "comp", "amp", "chorus", "phaser", "delay", "reverb",
    MIX, LIMITER, "groove", "lfo",
];
const MIX: &str = "mix";
const VOICE: &str = "voice";
const SAMPLE: &str = "sample";
const LIMITER: &str = "limiter";

/// The groups that an owner has.
pub fn of(owner: Owner) -> impl Iterator<Item = &'static Group> {
    let fits = move |group: &&Group| match owner {
        Owner::Track(_) => group.key != LIMITER,
        Owner::Master => ![VOICE, SAMPLE, "env"].contains(&group.key),
    };
    all().iter().filter(fits)
}

/// Whether an owner has a parameter of its groups.
pub fn has(owner: Owner, param: Param) -> bool {
    let sends = matches!(param, Param::SendDelay | Param::SendReverb);
    owner != Owner::Master || !sends
}

fn all() -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let mut groups: Vec<Group> = Vec::new();
        for param in Param::ALL {
            let key = home(param);
            let at = groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
                groups.push(Group { title: capital(key), switch: None, params: Vec::new(), key });
                groups.len() - 1
            });
            let name = param.spec().name;
            let is_switch = param.spec().unit == Unit::Switch && param.spec().id.ends_with(".enabled");
            if let (true, Some(title)) = (is_switch, name.strip_suffix("on")) {
                groups[at].title = title.trim_end_matches([' ', ':']).to_owned();
                groups[at].switch = Some(param);
            } else {
                groups[at].params.push(param);
            }
        }
        let rank = |group: &Group| {
            let root = group.key.split('.').next().unwrap_or(group.key);
            ORDER.iter().position(|key| *key == root).unwrap_or(ORDER.len())
        };
        groups.sort_by_key(rank);
        groups
    })
}

/// The group of a parameter.
fn home(param: Param) -> &'static str {
    let spec = param.spec();
    match spec.module() {
        "level" | "pan" | "mute" | "send" => MIX,
        "tune" | "decay" | "voice" => VOICE,
        module => module,
    }
}

/// What a parameter is called within its group.
pub fn label(param: Param, group: &Group) -> String {
    let name = param.spec().name;
    capital(name.strip_prefix(&group.title).unwrap_or(name).trim_start_matches([' ', ':']))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::TrackIndex;

    #[test]
    fn every_parameter_of_a_track_stands_in_one_group() {
        let track = Owner::Track(TrackIndex::all().next().expect("a track"));
        let mut shown: Vec<Param> = of(track)
            .chain(of(Owner::Master).filter(|group| group.key == LIMITER))
            .flat_map(|group| group.params.iter().copied().chain(group.switch))
            .collect();
        shown.sort_unstable();
        assert_eq!(shown, Param::ALL);
    }

    #[test]
    fn labels_leave_out_what_the_title_says() {
        let group = |key| all().iter().find(|group| group.key == key).expect("a group");
        let comp = group("comp");
        assert_eq!((comp.title.as_str(), comp.switch), ("Compressor", Some(Param::CompEnabled)));
        assert_eq!(label(Param::CompThreshold, comp), "Threshold");
        assert_eq!(label(Param::LfoFreqRate, group("lfo.freq")), "Rate");
        assert_eq!(group("lfo.freq").title, "LFO to Cutoff");
        assert_eq!(label(Param::VoiceDrive, group(VOICE)), "Drive");
    }
}
