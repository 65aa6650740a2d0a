//! A headless peer's commands about people.

use super::order::OrderError;
use crate::client::live::Keep;
use crate::client::people::Wish;
use crate::client::{Command, View};
use crate::param::TrackIndex;
use crate::pattern::{MAX_STEPS, Song};
use crate::session::{ClientId, Part, Role};

/// What a line asks about people; names are resolved when it is carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum PeopleOrder {
    /// `kick NAME`.
    Kick(String),
    /// `role NAME listener|editor|owner`.
    Role(String, Role),
    /// `invite [ROLE] [MINUTES] [USES]`.
    Invite(Role, Option<u32>, Option<u32>),
    /// `invites`.
    Invites,
    /// `revoke ID`.
    Revoke(u32),
    /// `code [ROLE]`.
    Code(Role),
    /// `lock TRACK [STEP]`: held until `unlock`.
    Lock(Part),
    /// `unlock`.
    Unlock,
    /// `follow NAME`; `follow` alone ends it.
    Follow(Option<String>),
    /// `cursor TRACK STEP`.
    Cursor(TrackIndex, u8),
    /// `note TRACK NOTE VELOCITY [MS]`: a note played live, as from a keyboard.
    Note(TrackIndex, u8, f32, u32),
    /// `keep [grid] [all]`: the last bar that was played live becomes steps.
    Keep(Keep),
    /// `record on [grid]`, `record off`: what is played live becomes steps as it is played.
    Record(Option<bool>),
}

impl PeopleOrder {
    /// Reads a command and its words; `None` where it is none of these.
    pub(super) fn read(
        command: &str,
        words: &[&str],
        song: &Song,
    ) -> Option<Result<PeopleOrder, OrderError>> {
        Some(match (command, words) {
            ("kick", [name]) => Ok(PeopleOrder::Kick((*name).to_owned())),
            ("kick", _) => Err(OrderError::Form("kick NAME")),
            ("role", [name, word]) => role(word).map(|role| PeopleOrder::Role((*name).to_owned(), role)),
            ("role", _) => Err(OrderError::Form("role NAME listener|editor|owner")),
            ("invite", words) => invite(words),
            ("invites", []) => Ok(PeopleOrder::Invites),
            ("revoke", [id]) => match u32::from_str_radix(id, 16) {
                Ok(id) => Ok(PeopleOrder::Revoke(id)),
                Err(_) => Err(OrderError::Value((*id).to_owned())),
            },
            ("revoke", _) => Err(OrderError::Form("revoke ID")),
            ("code", []) => Ok(PeopleOrder::Code(Role::Editor)),
            ("code", [word]) => role(word).map(PeopleOrder::Code),
            ("lock", [name]) => {
                super::order::track(name, song).map(|track| PeopleOrder::Lock(Part::Track(track)))
            }
            ("lock", [name, at]) => super::order::track(name, song)
                .and_then(|track| Ok(PeopleOrder::Lock(Part::Cell(track, step(at)?)))),
            ("lock", _) => Err(OrderError::Form("lock kick [3]")),
            ("unlock", []) => Ok(PeopleOrder::Unlock),
            ("follow", []) => Ok(PeopleOrder::Follow(None)),
            ("follow", [name]) => Ok(PeopleOrder::Follow(Some((*name).to_owned()))),
            ("cursor", [name, at]) => {
                super::order::track(name, song).and_then(|track| Ok(PeopleOrder::Cursor(track, step(at)?)))
            }
            ("note", [name, note, velocity, length @ ..]) if length.len() < 2 => {
                note_of(name, note, velocity, length, song)
            }
            ("note", _) => Err(OrderError::Form("note bass 36 0.8 [200]")),
            ("keep", words) => match words.iter().find(|word| !["grid", "all"].contains(word)) {
                Some(other) => Err(OrderError::Value((*other).to_owned())),
                None => Ok(PeopleOrder::Keep(Keep {
                    quantised: words.contains(&"grid"),
                    everybody: words.contains(&"all"),
                })),
            },
            ("record", ["on"]) => Ok(PeopleOrder::Record(Some(false))),
            ("record", ["on", "grid"]) => Ok(PeopleOrder::Record(Some(true))),
            ("record", ["off"]) => Ok(PeopleOrder::Record(None)),
            ("record", _) => Err(OrderError::Form("record on [grid] | record off")),
            ("cursor", _) => Err(OrderError::Form("cursor kick 3")),
            _ => return None,
        })
    }

    /// The command that carries it out among the people in a view. A live note is played on the
    /// device, too.
    ///
    /// # Errors
    /// Nobody has the name.
    pub fn command(self, view: &View) -> Result<Command, OrderError> {
        let client = |name: &str| -> Result<ClientId, OrderError> {
            let mut named = view.peers.iter().filter(|peer| peer.name.eq_ignore_ascii_case(name));
            let peer = named.clone().find(|peer| peer.online).or_else(|| named.next());
            peer.map(|peer| peer.client).ok_or_else(|| OrderError::Nobody(name.to_owned()))
        };
        Ok(Command::People(match self {
            PeopleOrder::Keep(keep) => return Ok(Command::Keep(keep)),
            PeopleOrder::Record(quantised) => return Ok(Command::Record(quantised)),
            PeopleOrder::Note(track, ..) => return Ok(Command::Focus(track)),
            PeopleOrder::Kick(name) => Wish::Kick(client(&name)?),
            PeopleOrder::Role(name, role) => Wish::Role(client(&name)?, role),
            PeopleOrder::Invite(role, minutes, uses) => Wish::Invite { role, minutes, uses },
            PeopleOrder::Invites => Wish::Invites,
            PeopleOrder::Revoke(id) => Wish::Revoke(id),
            PeopleOrder::Code(role) => Wish::Code(role),
            PeopleOrder::Lock(part) => Wish::Hold(Some(part)),
            PeopleOrder::Unlock => Wish::Hold(None),
            PeopleOrder::Follow(name) => Wish::Follow(name.map(|name| client(&name)).transpose()?),
            PeopleOrder::Cursor(track, step) => Wish::Cursor(Some((track.get() as u8, step))),
        }))
    }
}

fn note_of(
    name: &str,
    note: &str,
    velocity: &str,
    length: &[&str],
    song: &Song,
) -> Result<PeopleOrder, OrderError> {
    let track = super::order::track(name, song)?;
    let wrong = |word: &str| OrderError::Value(word.to_owned());
    let pitch = note.parse::<u8>().ok().filter(|note| *note <= 127).ok_or_else(|| wrong(note))?;
    let loud = velocity.parse::<f32>().ok().filter(|loud| (0.0..=1.0).contains(loud));
    let length = length.first().map_or(Ok(200), |word| word.parse().map_err(|_| wrong(word)))?;
    Ok(PeopleOrder::Note(track, pitch, loud.ok_or_else(|| wrong(velocity))?, length))
}

fn invite(words: &[&str]) -> Result<PeopleOrder, OrderError> {
    let number = |word: &&str| word.parse::<u32>().map_err(|_| OrderError::Value((*word).to_owned()));
    let [named, minutes, uses] = [words.first(), words.get(1), words.get(2)];
    if words.len() > 3 {
        return Err(OrderError::Form("invite [ROLE] [MINUTES] [USES]"));
    }
    let role = named.map_or(Ok(Role::Editor), |word| role(word))?;
    Ok(PeopleOrder::Invite(role, minutes.map(number).transpose()?, uses.map(number).transpose()?))
}

fn role(word: &str) -> Result<Role, OrderError> {
    match word {
        "listener" => Ok(Role::Listener),
        "editor" => Ok(Role::Editor),
        "owner" => Ok(Role::Owner),
        _ => Err(OrderError::Value(word.to_owned())),
    }
}

fn step(word: &str) -> Result<u8, OrderError> {
    let place = word.parse::<usize>().ok().filter(|at| *at < MAX_STEPS);
    place.map(|place| place as u8).ok_or_else(|| OrderError::Step(word.to_owned()))
}
