//! Virtual time, the network, and what goes wrong.

use std::collections::BTreeMap;

use antiphon::session::Role;

use crate::chance::Chance;
use crate::hostile::Hostile;
use crate::plan::{MS, Nanos, Part, Plan, SECOND};
use crate::server::{Letter, Server};
use crate::studio::{Frames, Studio};

enum Event {
    /// A frame of somebody's connection reaches the server.
    Up {
        who: usize,
        connection: u32,
        bytes: Vec<u8>,
    },
    /// A frame reaches somebody.
    Down(Letter),
    /// Somebody does something.
    Act(usize),
    /// A studio looks at what is overdue.
    Look(usize),
    /// The store has what this life of the server gave it.
    Stored(u32),
    /// The server looks at its clock.
    Beat,
    Calamity,
    ServerStarts,
}

/// Who a participant is.
pub enum Body {
    Studio(Box<Studio>),
    Hostile(Hostile),
}

/// What happened, to show that schedules are not idle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Toll {
    pub frames: u64,
    pub lost: u64,
    pub repeated: u64,
    pub overtaken: u64,
    pub commits: u64,
    pub edits: u64,
    pub refused: u64,
    pub server_kills: u64,
    pub studio_kills: u64,
    pub partitions: u64,
    pub errors: u64,
    pub roles: u64,
    pub new_tracks: u64,
}

impl Toll {
    pub fn add(&mut self, other: &Toll) {
        let pairs = [
            (&mut self.frames, other.frames),
            (&mut self.lost, other.lost),
            (&mut self.repeated, other.repeated),
            (&mut self.overtaken, other.overtaken),
            (&mut self.commits, other.commits),
            (&mut self.edits, other.edits),
            (&mut self.refused, other.refused),
            (&mut self.server_kills, other.server_kills),
            (&mut self.studio_kills, other.studio_kills),
            (&mut self.partitions, other.partitions),
            (&mut self.errors, other.errors),
            (&mut self.roles, other.roles),
            (&mut self.new_tracks, other.new_tracks),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
    }

    /// Every kind of trouble came up.
    pub fn assert_lively(&self) {
        let all = [
            self.frames,
            self.lost,
            self.repeated,
            self.overtaken,
            self.commits,
            self.edits,
            self.refused,
            self.server_kills,
            self.studio_kills,
            self.partitions,
            self.errors,
            self.roles,
            self.new_tracks,
        ];
        assert!(all.iter().all(|count| *count > 0), "something never happened: {self:?}");
    }
}

pub struct World {
    pub plan: Plan,
    pub server: Server,
    pub bodies: Vec<Body>,
    chance: Chance,
    now: Nanos,
    order: u64,
    events: BTreeMap<(Nanos, u64), Event>,
    /// Until when each is cut off.
    apart: Vec<Nanos>,
    /// When the last frame of each direction arrives, up and down.
    last: Vec<[Nanos; 2]>,
    healed: bool,
    toll: Toll,
}

impl World {
    pub fn new(plan: Plan) -> World {
        let body = |(who, part): (usize, &Part)| match part {
            Part::Honest(_) => Body::Studio(Box::new(Studio::new(who))),
            Part::Hostile(_) => Body::Hostile(Hostile::new(who)),
        };
        let people = plan.parts.len();
        let mut world = World {
            server: Server::new(plan.parts.clone(), plan.bug),
            bodies: plan.parts.iter().enumerate().map(body).collect(),
            chance: Chance::new(plan.seed),
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            apart: vec![0; people],
            last: vec![[0; 2]; people],
            healed: false,
            toll: Toll::default(),
            plan,
        };
        for who in 0..people {
            let first = world.chance.below(500) * MS;
            world.at(first, Event::Look(who));
            let first = first + world.chance.exponential(world.plan.pause as f64) as Nanos;
            world.at(first, Event::Act(who));
        }
        world.at(100 * MS, Event::Beat);
        let first = world.chance.exponential(world.plan.calm as f64) as Nanos;
        world.at(first, Event::Calamity);
        world
    }

    fn at(&mut self, when: Nanos, event: Event) {
        self.order += 1;
        self.events.insert((when, self.order), event);
    }

    /// Lives until the schedule's end.
    pub fn run(&mut self) {
        while self.now < self.plan.length {
            self.step();
        }
    }

    /// All heals; everything arrives.
    pub fn settle(&mut self) {
        self.healed = true;
        if !self.server.up {
            self.server.start();
        }
        self.apart.fill(0);
        for who in 0..self.bodies.len() {
            if let Body::Studio(studio) = &mut self.bodies[who] {
                studio.disconnect(self.now);
                let frames = studio.let_go(self.now);
                self.send(who, frames);
            }
        }
        let end = self.now + 120 * SECOND;
        let mut calm_since = self.now;
        while self.now < calm_since + 15 * SECOND {
            assert!(self.now < end, "two minutes after all healed there is still no rest: {}", self.unrest());
            self.step();
            if !self.is_calm() {
                calm_since = self.now;
            }
        }
        for body in &mut self.bodies {
            if let Body::Studio(studio) = body {
                studio.end_gestures();
            }
        }
    }

    fn is_calm(&self) -> bool {
        let calm = |body: &Body| match body {
            Body::Studio(studio) => studio.welcomed && studio.replica.unsaved() == 0,
            Body::Hostile(_) => true,
        };
        self.server.is_idle() && self.bodies.iter().all(calm)
    }

    fn unrest(&self) -> String {
        let studios = self.studios().filter(|studio| !studio.welcomed || studio.replica.unsaved() > 0);
        let say = |studio: &Studio| {
            format!(
                "studio {} (welcomed {}, unsaved {})",
                studio.who,
                studio.welcomed,
                studio.replica.unsaved()
            )
        };
        let studios = studios.map(say).collect::<Vec<_>>().join(", ");
        format!("{}; {studios}", self.server.busy())
    }

    pub fn studios(&self) -> impl Iterator<Item = &Studio> {
        self.bodies.iter().filter_map(|body| match body {
            Body::Studio(studio) => Some(&**studio),
            Body::Hostile(_) => None,
        })
    }

    pub fn toll(&self) -> Toll {
        let edits = self.studios().map(|studio| studio.made.len() as u64).sum();
        let refused = self.studios().map(|studio| studio.refused.len() as u64).sum();
        let commits = self.server.store.commits.len() as u64;
        let new_tracks = self.studios().map(|studio| studio.edits_of_new).sum();
        Toll { edits, refused, commits, errors: self.server.errors, new_tracks, ..self.toll }
    }

    fn step(&mut self) {
        let ((when, _), event) = self.events.pop_first().expect("somebody always looks again");
        self.now = when;
        match event {
            Event::Up { who, connection, bytes } => {
                self.server.take(who, connection, bytes);
                self.serve();
            }
            Event::Down(letter) => self.deliver(&letter),
            Event::Act(who) => self.act(who),
            Event::Look(who) => {
                if let Body::Studio(studio) = &mut self.bodies[who] {
                    let frames = studio.look(self.now, self.plan.bug);
                    self.send(who, frames);
                }
                self.at(self.now + 250 * MS, Event::Look(who));
            }
            Event::Stored(life) => {
                if self.server.up && self.server.life == life {
                    let letters = self.server.stored(&mut self.chance);
                    self.post(letters);
                    self.serve();
                }
            }
            Event::Beat => {
                self.serve();
                self.at(self.now + 100 * MS, Event::Beat);
            }
            Event::Calamity => self.calamity(),
            Event::ServerStarts => {
                if !self.server.up {
                    self.server.start();
                }
            }
        }
    }

    fn act(&mut self, who: usize) {
        if self.healed {
            return;
        }
        let frames = match &mut self.bodies[who] {
            Body::Studio(studio) => studio.act(&mut self.chance, self.now),
            // It comes again and again, as a stranger to what it did before.
            Body::Hostile(hostile) if hostile.connection == 0 || self.chance.happens(0.1) => {
                hostile.hello(&mut self.chance)
            }
            Body::Hostile(hostile) => hostile.act(&mut self.chance),
        };
        self.send(who, frames);
        let pause = self.chance.exponential(self.plan.pause as f64) as Nanos;
        self.at(self.now + pause, Event::Act(who));
    }

    fn deliver(&mut self, letter: &Letter) {
        let frames = match &mut self.bodies[letter.who] {
            Body::Studio(studio) if studio.connection == letter.connection => {
                match studio.hear(&letter.bytes, self.now) {
                    Ok(frames) => frames,
                    Err(()) => {
                        studio.disconnect(self.now);
                        Vec::new()
                    }
                }
            }
            Body::Hostile(hostile) if hostile.connection == letter.connection => {
                hostile.hear(&letter.bytes);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.send(letter.who, frames);
    }

    fn serve(&mut self) {
        let (letters, begun) = self.server.work(self.now);
        self.post(letters);
        if begun {
            let done = self.now + self.chance.between(1, self.plan.store);
            self.at(done, Event::Stored(self.server.life));
        }
    }

    fn send(&mut self, who: usize, frames: Frames) {
        let connection = match &self.bodies[who] {
            Body::Studio(studio) => studio.connection,
            Body::Hostile(hostile) => hostile.connection,
        };
        for bytes in frames {
            for when in self.travel(who, 0) {
                self.at(when, Event::Up { who, connection, bytes: bytes.clone() });
            }
        }
    }

    fn post(&mut self, letters: Vec<Letter>) {
        for Letter { who, connection, bytes } in letters {
            for when in self.travel(who, 1) {
                self.at(when, Event::Down(Letter { who, connection, bytes: bytes.clone() }));
            }
        }
    }

    /// When a frame arrives: never, once, or twice.
    fn travel(&mut self, who: usize, direction: usize) -> Vec<Nanos> {
        self.toll.frames += 1;
        let weather = self.plan.weather;
        let lost = !self.healed && self.chance.happens(weather.lost);
        if lost || self.now < self.apart[who] {
            self.toll.lost += 1;
            return Vec::new();
        }
        let copies = if !self.healed && self.chance.happens(weather.repeated) { 2 } else { 1 };
        self.toll.repeated += copies - 1;
        (0..copies).map(|_| self.arrival(who, direction)).collect()
    }

    fn arrival(&mut self, who: usize, direction: usize) -> Nanos {
        let weather = self.plan.weather;
        let late = self.chance.exponential(weather.spread as f64) as Nanos;
        let arrival = self.now + weather.floor + late;
        let last = &mut self.last[who][direction];
        let overtakes = arrival < *last;
        let keeps_order = self.healed || !weather.reorders;
        self.toll.overtaken += u64::from(overtakes && !keeps_order);
        *last = arrival.max(*last);
        if keeps_order { *last } else { arrival }
    }

    fn calamity(&mut self) {
        if self.healed {
            return;
        }
        let who = self.chance.below(self.bodies.len() as u64) as usize;
        let long = self.chance.between(1, 12) * SECOND;
        match self.chance.below(12) {
            // The first two always edit.
            10.. if who >= 2 => {
                self.toll.roles += 1;
                let role = self.chance.pick(&[Role::Listener, Role::Editor, Role::Editor, Role::Owner]);
                self.server.give_role(who, role);
            }
            0..=1 if self.server.up => {
                self.toll.server_kills += 1;
                self.server.kill(&mut self.chance);
                self.at(self.now + long / 4, Event::ServerStarts);
                // Sockets break at once, or are noticed late by what stays unanswered.
                for body in &mut self.bodies {
                    if let Body::Studio(studio) = body {
                        studio.disconnect(self.now);
                    }
                }
            }
            2..=4 => {
                if let Body::Studio(studio) = &mut self.bodies[who] {
                    self.toll.studio_kills += 1;
                    studio.restart(self.now);
                }
            }
            5..=6 => {
                self.toll.partitions += 1;
                self.apart[who] = self.now + long;
            }
            7 => {
                self.toll.partitions += 1;
                let until = self.now + long;
                self.apart.iter_mut().step_by(2).for_each(|apart| *apart = until);
            }
            _ => {
                if let Body::Studio(studio) = &mut self.bodies[who] {
                    studio.disconnect(self.now);
                }
            }
        }
        let pause = self.chance.exponential(self.plan.calm as f64) as Nanos;
        self.at(self.now + pause, Event::Calamity);
    }
}
