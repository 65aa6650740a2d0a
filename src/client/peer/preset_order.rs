//! A headless peer's commands about presets.
//!
//! `presets`, `sound TRACK NAME`, `groove NAME`, `save sound TRACK NAME`, `save groove NAME`,
//! `randomize TRACK [SEED]`.

use std::path::Path;

use serde_json::{Value, json};

use super::order::{OrderError, track};
use crate::client::presets::{self, Bank, Listed, PresetFileError};
use crate::client::{Client, Command, View, When};
use crate::param::TrackIndex;
use crate::pattern::Song;
use crate::time::Beats;

/// What a line asks about presets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresetOrder {
    /// `presets`.
    List,
    /// `sound bass acid`.
    Sound(TrackIndex, String),
    /// `groove boom-bap`.
    Groove(String),
    /// `save sound bass NAME`.
    SaveSound(TrackIndex, String),
    /// `save groove NAME`.
    SaveGroove(String),
    /// `randomize bass [SEED]`.
    Randomize(TrackIndex, Option<u32>),
}

impl PresetOrder {
    /// Reads a command and its words; `None` where it is none of these.
    pub(super) fn read(
        command: &str,
        words: &[&str],
        song: &Song,
    ) -> Option<Result<PresetOrder, OrderError>> {
        let word = |word: &str| word.to_owned();
        Some(match (command, words) {
            ("presets", []) => Ok(PresetOrder::List),
            ("sound", [name, preset]) => track(name, song).map(|at| PresetOrder::Sound(at, word(preset))),
            ("sound", _) => Err(OrderError::Form("sound bass acid")),
            ("groove", [preset]) => Ok(PresetOrder::Groove(word(preset))),
            ("groove", _) => Err(OrderError::Form("groove boom-bap")),
            ("save", ["sound", name, preset]) => {
                track(name, song).map(|at| PresetOrder::SaveSound(at, word(preset)))
            }
            ("save", ["groove", preset]) => Ok(PresetOrder::SaveGroove(word(preset))),
            ("save", _) => Err(OrderError::Form("save sound TRACK NAME, or save groove NAME")),
            ("randomize", [name]) => track(name, song).map(|at| PresetOrder::Randomize(at, None)),
            ("randomize", [name, seed]) => match seed.parse() {
                Ok(seed) => track(name, song).map(|at| PresetOrder::Randomize(at, Some(seed))),
                Err(_) => Err(OrderError::Value(word(seed))),
            },
            ("randomize", _) => Err(OrderError::Form("randomize bass [SEED]")),
            _ => return None,
        })
    }

    /// Carries it out: changes of the song are one undo step. Gives what to tell.
    ///
    /// # Errors
    /// There is no such preset, or its file cannot be read or written.
    pub(super) fn carry_out(
        &self,
        client: &Client,
        view: &View,
        profile: &Path,
    ) -> Result<Option<Value>, PresetFileError> {
        let tempo = view.tempo_map.tempo_at(Beats::ZERO);
        let told = |error: crate::pattern::presets::PresetError| PresetFileError::Text(error.to_string());
        let saved = |path: &Path| Some(json!({"event": "saved", "file": path.display().to_string()}));
        let (edits, tell) = match self {
            PresetOrder::List => return Ok(Some(listed(profile))),
            PresetOrder::SaveSound(track, name) => {
                let sound = view.song.sound_of(*track);
                return Ok(saved(&presets::save(profile, Bank::Sounds, name, &sound, tempo)?));
            }
            PresetOrder::SaveGroove(name) => {
                let groove = view.song.groove_of();
                return Ok(saved(&presets::save(profile, Bank::Grooves, name, &groove, tempo)?));
            }
            PresetOrder::Sound(track, name) => {
                let sound = presets::find(profile, Bank::Sounds, name)?;
                (view.song.sound_edits(*track, &sound).map_err(told)?, None)
            }
            PresetOrder::Groove(name) => {
                let groove = presets::find(profile, Bank::Grooves, name)?;
                (view.song.groove_edits(&groove).map_err(told)?, None)
            }
            PresetOrder::Randomize(track, seed) => {
                let seed = seed.unwrap_or_else(|| rand::random::<u32>() % 10_000);
                let tell = json!({"event": "randomized", "track": track.get(), "seed": seed});
                (view.song.random_sound_edits(*track, seed), Some(tell))
            }
        };
        if !edits.is_empty() {
            client.send(Command::Edit { edits, when: When::Now });
        }
        Ok(tell)
    }
}

fn listed(profile: &Path) -> Value {
    let bank = |bank| {
        let rows = presets::list(profile, bank)
            .into_iter()
            .map(|Listed { name, kind, about }| json!({"name": name, "kind": kind, "about": about}));
        rows.collect::<Vec<_>>()
    };
    json!({"event": "presets", "sounds": bank(Bank::Sounds), "grooves": bank(Bank::Grooves)})
}
