//! A headless peer's commands about undo, conflicts and permissions.

use super::order::OrderError;
use crate::client::View;
use crate::client::decisions::Decision;
use crate::pattern::{Song, Strategy};
use crate::session::{Area, ClientId, Grant, How, Matter};

/// What a line asks about decisions; names are resolved when it is carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum DecisionOrder {
    /// `undo`, `undo!`, `undo skip`, `redo`, `redo!`, `resolve ID N|keep`, `try ID N`,
    /// `try off`, `strategy KIND last|merge|manual`.
    Wish(Decision),
    /// `conflicts`: cards, counts, strategies, permissions.
    Conflicts,
    /// `permit NAME|everybody all|nothing|default|AREA...`.
    Permit(String, Option<Grant>),
}

impl DecisionOrder {
    /// Reads a command and its words; `None` where it is none of these.
    pub(super) fn read(
        command: &str,
        words: &[&str],
        song: &Song,
    ) -> Option<Result<DecisionOrder, OrderError>> {
        let wish = |decision| Ok(DecisionOrder::Wish(decision));
        let value = |word: &str| OrderError::Value(word.to_owned());
        Some(match (command, words) {
            ("undo", []) => wish(Decision::Undo(How::Checked)),
            ("undo!", []) => wish(Decision::Undo(How::Force)),
            ("undo", ["skip"]) => wish(Decision::Undo(How::Skip)),
            ("redo", []) => wish(Decision::Redo(How::Checked)),
            ("redo!", []) => wish(Decision::Redo(How::Force)),
            ("undo" | "undo!" | "redo" | "redo!", _) => {
                Err(OrderError::Form("undo | undo! | undo skip | redo | redo!"))
            }
            ("conflicts", []) => Ok(DecisionOrder::Conflicts),
            ("resolve", [id, choice]) => number(id).and_then(|id| {
                let choice = match *choice {
                    "keep" => None,
                    word => Some(word.parse().map_err(|_| value(word))?),
                };
                wish(Decision::Resolve { id, choice })
            }),
            ("resolve", _) => Err(OrderError::Form("resolve ID N|keep")),
            ("try", ["off"]) => wish(Decision::Audition(None)),
            ("try", [id, choice]) => number(id).and_then(|id| {
                let choice = choice.parse().map_err(|_| value(choice))?;
                wish(Decision::Audition(Some((id, choice))))
            }),
            ("try", _) => Err(OrderError::Form("try ID N | try off")),
            ("strategy", [kind, word]) => {
                let matter = Matter::ALL.into_iter().find(|matter| matter.word() == *kind);
                let all = [Strategy::LastWrite, Strategy::Merge, Strategy::Manual];
                let strategy = all.into_iter().find(|strategy| strategy.word() == *word);
                match (matter, strategy) {
                    (Some(matter), Some(strategy)) => wish(Decision::Strategy { matter, strategy }),
                    (None, _) => Err(value(kind)),
                    (_, None) => Err(value(word)),
                }
            }
            ("strategy", _) => {
                Err(OrderError::Form("strategy continuous|discrete|text|existence|tempo last|merge|manual"))
            }
            ("permit", [name, areas @ ..]) if !areas.is_empty() => {
                grant(areas, song).map(|grant| DecisionOrder::Permit((*name).to_owned(), grant))
            }
            ("permit", _) => Err(OrderError::Form(
                "permit NAME|everybody all|nothing|default|TRACK|master|song|tempo|transport…",
            )),
            _ => return None,
        })
    }

    /// What it wishes, of the people in a view; `None` where it only looks.
    ///
    /// # Errors
    /// Nobody has the name.
    pub fn wish(self, view: &View) -> Result<Option<Decision>, OrderError> {
        match self {
            DecisionOrder::Wish(decision) => Ok(Some(decision)),
            DecisionOrder::Conflicts => Ok(None),
            DecisionOrder::Permit(name, grant) => {
                let who = match name.as_str() {
                    "everybody" => None,
                    name => Some(client(name, view)?),
                };
                Ok(Some(Decision::Permit { who, grant }))
            }
        }
    }
}

fn client(name: &str, view: &View) -> Result<ClientId, OrderError> {
    let mut named = view.peers.iter().filter(|peer| peer.name.eq_ignore_ascii_case(name));
    let peer = named.clone().find(|peer| peer.online).or_else(|| named.next());
    peer.map(|peer| peer.client).ok_or_else(|| OrderError::Nobody(name.to_owned()))
}

fn number(word: &str) -> Result<u32, OrderError> {
    word.parse().map_err(|_| OrderError::Value(word.to_owned()))
}

fn grant(words: &[&str], song: &Song) -> Result<Option<Grant>, OrderError> {
    match words {
        ["all"] => return Ok(Some(Grant::ALL)),
        ["nothing"] => return Ok(Some(Grant::NONE)),
        ["default"] => return Ok(None),
        _ => {}
    }
    let area = |word: &&str| match *word {
        "master" => Ok(Area::Master),
        "song" => Ok(Area::Song),
        "tempo" => Ok(Area::Tempo),
        "transport" => Ok(Area::Transport),
        name => super::order::track(name, song).map(Area::Track),
    };
    words.iter().map(area).try_fold(Grant::NONE, |grant, area| Ok(grant.with(area?))).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::text;

    #[test]
    fn orders_about_decisions_are_read() {
        let song = text::read("seq kick: X...\n").expect("a song").song;
        let read = |line: &str| {
            let mut words = line.split_whitespace();
            let command = words.next().expect("a command");
            DecisionOrder::read(command, &words.collect::<Vec<_>>(), &song).expect("one of these")
        };
        assert_eq!(read("undo!"), Ok(DecisionOrder::Wish(Decision::Undo(How::Force))));
        let keep = Decision::Resolve { id: 3, choice: None };
        assert_eq!(read("resolve 3 keep"), Ok(DecisionOrder::Wish(keep)));
        let kick = song.track_named("kick").expect("a kick");
        let drums = Grant::NONE.with(Area::Track(kick)).with(Area::Tempo);
        assert_eq!(read("permit ben kick tempo"), Ok(DecisionOrder::Permit("ben".into(), Some(drums))));
        assert!(read("permit ben tuba").is_err() && read("strategy tempo never").is_err());
    }
}
