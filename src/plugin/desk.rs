//! What the threads of one instance share: the session's client, the project, and the way by
//! which a restored project reaches the audio thread.
//!
//! Thread: any but audio, except [`Handoff`]. A host may restore a project while the audio thread
//! plays, and calls neither `activate` nor `reset` then; the handoff is lock-free for that reason.

use std::sync::{Arc, Weak};

use crossbeam::queue::ArrayQueue;
use parking_lot::{Mutex, RwLock};

use super::state::{Choices, Project};
use super::{profile, starter};
use crate::client::people::People;
use crate::client::{
    AudioMatch, Client, ClientConfig, ClockStatus, Command, Connection, Link, Reach, View, default_profile,
};
use crate::param::MAX_TRACKS;
use crate::pattern::{Edit, Song};
use crate::rt::controls::Target;
use crate::rt::personal::PersonalEdit;
use crate::rt::ports::SessionPorts;
use crate::session::{ClientId, Role, Seq, Timeline};
use crate::time::{Beats, TempoMap};

/// Projects on their way back that wait to be dropped; one restore at a time needs one place.
const RETIRED: usize = 4;

/// A restored project on its way to the audio thread, and the replaced one on its way back.
pub struct Restored {
    /// The groove, in both directions.
    pub song: Option<Box<Song>>,
    /// Its tempo map, in both directions.
    pub tempo_map: Option<Box<TempoMap>>,
}

/// The lock-free way between the thread that restores and the one that plays.
pub struct Handoff {
    fresh: ArrayQueue<Box<Restored>>,
    retired: ArrayQueue<Box<Restored>>,
}

impl Handoff {
    fn new() -> Handoff {
        Handoff { fresh: ArrayQueue::new(1), retired: ArrayQueue::new(RETIRED) }
    }

    /// Sends a project; one that the audio thread has not yet taken is dropped here.
    fn send(&self, song: Song, tempo_map: TempoMap) {
        while self.retired.pop().is_some() {}
        let restored = Restored { song: Some(Box::new(song)), tempo_map: Some(Box::new(tempo_map)) };
        drop(self.fresh.force_push(Box::new(restored)));
    }

    /// Forgets a project on its way: whoever calls it has built the engine from it.
    pub fn clear(&self) {
        while self.fresh.pop().is_some() {}
    }

    /// Lets `swap` exchange a waiting project for the one that plays. *Thread: audio.
    /// Realtime-safe: yes; nothing is dropped: with no place to retire to, the project waits.*
    pub fn take(&self, swap: impl FnOnce(&mut Restored)) {
        if self.retired.is_full() {
            return;
        }
        if let Some(mut restored) = self.fresh.pop() {
            swap(&mut restored);
            // There is room: only this thread pushes here.
            if let Err(restored) = self.retired.push(restored) {
                std::mem::forget(restored);
            }
        }
    }
}

/// What the threads of one instance share.
pub struct Desk {
    /// Projects to and from the audio thread.
    pub handoff: Handoff,
    client: RwLock<Option<Arc<Client>>>,
    kept: Mutex<Kept>,
    /// What a hand at the editor touched last, for a controller to learn.
    touched: Mutex<Option<Target>>,
    /// Everything that was asked for.
    #[cfg(test)]
    pub told: Mutex<Vec<Command>>,
}

/// What stands beside the session's own state.
struct Kept {
    /// The groove as it was loaded; what is saved as long as there is no client.
    project: Project,
    /// What the session showed when a project was loaded into it: until it shows another groove,
    /// the loaded one is what is saved.
    before_load: Option<(Box<Song>, TempoMap)>,
    notice: Option<String>,
}

static DESKS: Mutex<Vec<Weak<Desk>>> = Mutex::new(Vec::new());

/// Ends every session of this process with a goodbye. For programs that are about to exit without
/// dropping their instances, as the standalone is when its window closes.
pub fn say_goodbye() {
    let desks: Vec<_> = DESKS.lock().drain(..).collect();
    for desk in desks.iter().filter_map(Weak::upgrade) {
        desk.close();
    }
}

impl Desk {
    /// A desk with the starter groove. Opens no file, no socket and starts no thread: hosts make
    /// and drop instances while they scan.
    pub fn new() -> Arc<Desk> {
        let kept = Kept { project: starter::project(), before_load: None, notice: None };
        let desk = Arc::new(Desk {
            handoff: Handoff::new(),
            client: RwLock::new(None),
            kept: Mutex::new(kept),
            touched: Mutex::default(),
            #[cfg(test)]
            told: Mutex::default(),
        });
        let mut desks = DESKS.lock();
        desks.retain(|other| other.strong_count() > 0);
        desks.push(Arc::downgrade(&desk));
        desk
    }

    /// Starts the session's thread, joined to `link` or to the project's own session.
    pub fn open(&self, ports: SessionPorts, link: Option<Link>) {
        let project = self.project();
        let config = ClientConfig {
            profile: default_profile(),
            name: profile::musician(),
            link: link.or(project.session),
            song: project.song,
            tempo_map: project.tempo_map,
            reach: Reach::of_environment(),
        };
        match Client::spawn(config, ports) {
            Ok(client) => {
                client.send(Command::Focus(project.choices.focus));
                project.personal.into_iter().for_each(|mix| client.send(Command::MineAll(Box::new(mix))));
                client.send(Command::Mode(project.choices.mode.or_else(|| super::startup_mode(self))));
                #[cfg(feature = "midi")]
                if let Err(reason) = super::midi_clock::begin(&client) {
                    self.notify(reason);
                }
                *self.client.write() = Some(Arc::new(client));
            }
            Err(error) => self.notify(format!("Playing alone: {error:#}")),
        }
    }

    /// Says goodbye to the session and ends its thread.
    pub fn close(&self) {
        let client = self.client.write().take();
        if let Some(client) = client {
            self.kept.lock().project = self.merged(&client.view());
        }
    }

    /// Whether the session's thread runs.
    pub fn has_client(&self) -> bool {
        self.client.read().is_some()
    }

    /// The session's thread.
    pub fn client(&self) -> Option<Arc<Client>> {
        self.client.read().clone()
    }

    /// Queues a command for the session's thread.
    pub fn send(&self, command: Command) {
        #[cfg(test)]
        self.told.lock().push(command.clone());
        if let Some(target) = touched_by(&command) {
            *self.touched.lock() = Some(target);
        }
        match self.client() {
            Some(client) => client.send(command),
            None => self.apply_alone(command),
        }
    }

    /// What was touched last, of what a controller can move.
    pub fn touched(&self) -> Option<Target> {
        *self.touched.lock()
    }

    /// Without the session's thread (no profile folder to be had, or the host has not activated
    /// the instance yet) the groove can still be edited, here.
    fn apply_alone(&self, command: Command) {
        let mut kept = self.kept.lock();
        let project = &mut kept.project;
        match command {
            Command::Edit { edits, .. } | Command::Stroke { edits, .. } => edits
                .into_iter()
                .filter_map(|edit| edit.check().ok())
                .for_each(|edit| project.song.apply(&edit)),
            Command::Gesture(edit) => {
                if let Ok(edit) = edit.check() {
                    project.song.apply(&edit);
                }
            }
            Command::Grid(grid) => match grid.check() {
                Ok(grid) => grid.expand(&project.song).iter().for_each(|edit| project.song.apply(edit)),
                Err(error) => return kept.notice = Some(error.to_string()),
            },
            Command::Tempo(tempo) => project.tempo_map = TempoMap::constant(tempo),
            Command::Mine(edit) => {
                let mix = project.personal.get_or_insert_default();
                edit.check().into_iter().for_each(|edit| mix.apply(edit));
                return;
            }
            Command::MineAll(mix) => {
                project.personal = Some(*mix);
                return;
            }
            Command::MineClear(owner) => {
                let mix = project.personal.take().unwrap_or_default();
                project.personal = owner.map(|owner| mix.without(owner));
                return;
            }
            Command::Join(_) => {
                kept.notice = Some("Joining works once the host has activated the plugin.".to_owned());
                return;
            }
            _ => return,
        }
        self.handoff.send(project.song.clone(), project.tempo_map.clone());
    }

    /// The session as the editor shows it.
    pub fn view(&self) -> Arc<View> {
        if let Some(client) = self.client() {
            return client.view();
        }
        let project = self.project();
        Arc::new(View {
            engine_micro_bpm: project.tempo_map.tempo_at(Beats::ZERO).micro_bpm(),
            song: project.song,
            tempo_map: project.tempo_map,
            timeline: Timeline::default(),
            seq: Seq::default(),
            client: ClientId::default(),
            role: Role::Owner,
            rulings: Arc::default(),
            steps: (0, 0),
            connection: Connection::Solo,
            session: None,
            unsaved: 0,
            peers: Vec::new(),
            people: People::default(),
            clock: ClockStatus::default(),
            notice: None,
            audio: AudioMatch::default(),
            position: None,
            meter: None,
            lamps: [None; MAX_TRACKS],
            transport: Default::default(),
            metronome: 0.0,
            missing_files: Vec::new(),
            controls: Default::default(),
            personal: Arc::new(project.personal.unwrap_or_default()),
            recording: None,
            lines: Default::default(),
        })
    }

    /// The project as it would be saved now.
    pub fn project(&self) -> Project {
        match self.client() {
            Some(client) => self.merged(&client.view()),
            None => self.kept.lock().project.clone(),
        }
    }

    /// This instance's own choices.
    pub fn choices(&self) -> Choices {
        self.kept.lock().project.choices
    }

    /// Changes this instance's own choices.
    pub fn choose(&self, change: impl FnOnce(&mut Choices)) {
        change(&mut self.kept.lock().project.choices);
    }

    fn merged(&self, view: &View) -> Project {
        let mut kept = self.kept.lock();
        let before = kept.before_load.as_ref();
        if before.is_some_and(|(song, tempo_map)| **song == view.song && *tempo_map == view.tempo_map) {
            return kept.project.clone();
        }
        kept.before_load = None;
        Project {
            song: view.song.clone(),
            tempo_map: view.tempo_map.clone(),
            session: view.session.as_ref().and_then(|link| link.parse().ok()),
            choices: kept.project.choices,
            personal: Some((*view.personal).clone()),
        }
    }

    /// Takes over a project the host has loaded. In a session its groove stays as it is: a loaded
    /// project never changes a session; one that belongs to another session joins that.
    pub fn restore(&self, project: Project) {
        let Some(client) = self.client() else {
            self.handoff.send(project.song.clone(), project.tempo_map.clone());
            self.kept.lock().project = project;
            return;
        };
        let view = client.view();
        client.send(Command::Focus(project.choices.focus));
        client.send(Command::Mode(project.choices.mode));
        let mix = project.personal.clone();
        let alone = view.session.is_none();
        let elsewhere = project.session.as_ref().is_some_and(|link| Some(link.to_string()) != view.session);
        if alone {
            self.handoff.send(project.song.clone(), project.tempo_map.clone());
            client.send(Command::Load(Box::new(project.song.clone()), project.tempo_map.clone()));
        }
        if let Some(link) = project.session.clone().filter(|_| elsewhere) {
            client.send(Command::Join(link));
        } else if !alone && !elsewhere && project.session.is_none() {
            self.notify("You are in a session: the loaded project's own groove was left aside.".to_owned());
        }
        // Behind a join, which brings what the profile keeps for that session.
        if let Some(mix) = mix.filter(|_| alone || project.session.is_some()) {
            client.send(Command::MineAll(Box::new(mix)));
        }
        let mut kept = self.kept.lock();
        let differs = view.song != project.song || view.tempo_map != project.tempo_map;
        if alone && differs {
            kept.before_load = Some((Box::new(view.song.clone()), view.tempo_map.clone()));
        }
        kept.project = project;
    }

    /// Keeps a state that could not be read in the profile folder, and says so.
    pub fn set_aside(&self, saved: &str, reason: &str) {
        let kept = if saved.is_empty() { None } else { profile::keep_damaged(saved) };
        let place = match kept {
            Some(path) => format!(" It is kept as {}.", path.display()),
            None => String::new(),
        };
        self.notify(format!("The project's groove could not be loaded: {reason}.{place}"));
    }

    /// Shows a line to the person at the editor.
    pub fn notify(&self, notice: String) {
        self.kept.lock().notice = Some(notice);
    }

    /// The line for the person at the editor.
    pub fn notice(&self) -> Option<String> {
        self.kept.lock().notice.clone()
    }

    /// Takes the line away.
    pub fn dismiss(&self) {
        self.kept.lock().notice = None;
    }
}

/// What a command moves, where that is one thing that a controller can move.
fn touched_by(command: &Command) -> Option<Target> {
    let of_edit = |edit: &Edit| match edit {
        Edit::Param { slot, .. } => Some(Target::Shared(*slot)),
        _ => None,
    };
    match command {
        Command::Gesture(edit) => of_edit(edit),
        Command::Edit { edits, .. } | Command::Stroke { edits, .. } => match edits.as_slice() {
            [edit] => of_edit(edit),
            _ => None,
        },
        Command::Mine(edit) => match *edit {
            PersonalEdit::Trim { owner, .. } => Some(Target::Trim(owner)),
            PersonalEdit::Mute { track, .. } => Some(Target::Mute(track)),
            PersonalEdit::Solo { track, .. } => Some(Target::Solo(track)),
            PersonalEdit::Pan { track, .. } => Some(Target::Pan(track)),
            PersonalEdit::Param { slot, .. } => Some(Target::Own(slot)),
            PersonalEdit::Bounce(_) => None,
        },
        _ => None,
    }
}
