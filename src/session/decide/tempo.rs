//! The sequencer authors the tempo map: clients ask, it answers on a bar line.

use super::{Bench, Made};
use crate::pattern::Bars;
use crate::session::conflict::Wanted;
use crate::session::state::{OpError, check_tick};
use crate::session::{
    Candidate, Conflict, ConflictKind, MAX_RAMP_BARS, MAX_REQUESTS, MAX_TEMPO_SEGMENTS, Matter, Op, Strategy,
    Subject, TempoRequest, agreed,
};
use crate::time::{Beats, Tempo, TempoMap, ramp};

/// The most steps of a ramp: a commit of the whole map fits a frame.
const RAMP_STEPS: usize = 128;

impl Bench<'_> {
    /// Answers a request. Requests whose authors did not see each other's are decided together.
    pub(super) fn ask_tempo(&self, tempo: Tempo, at: Option<Beats>, made: &mut Made) -> Result<(), OpError> {
        let tempo = Tempo::from_micro_bpm(tempo.micro_bpm())?;
        let last = &self.state.rulings().tempo;
        let unseen = |request: &&TempoRequest| request.seq > self.base && request.author != self.author;
        let mut requests: Vec<_> = last.requests().iter().filter(unseen).copied().collect();
        if requests.is_empty() {
            return self.set_tempo(tempo, at, made);
        }
        requests.push(TempoRequest { author: self.author, seq: self.next(), tempo });
        if requests.len() > MAX_REQUESTS {
            requests.remove(0);
        }
        let asked: Vec<Tempo> = requests.iter().map(|request| request.tempo).collect();
        let agreed = match self.state.rulings().conflicts.strategy(Matter::Tempo) {
            Strategy::LastWrite => Some(tempo),
            Strategy::Merge => agreed(&asked, self.playing_tempo()),
            Strategy::Manual => asked.iter().all(|other| *other == tempo).then_some(tempo),
        };
        let map = match agreed {
            Some(tempo) => Some(self.map_with(tempo, at)?),
            None => self.map_before(),
        };
        let result = agreed.unwrap_or_else(|| self.playing_tempo());
        if asked.iter().any(|other| *other != tempo) {
            self.tempo_card(&requests, agreed.is_some(), result, made);
        }
        made.push(Op::TempoAsked(requests));
        made.ops.extend(map.map(|map| crate::session::StampedOp { op: Op::TempoMap(map), at: None }));
        Ok(())
    }

    /// One person's informed wish: it holds.
    pub(super) fn set_tempo(&self, tempo: Tempo, at: Option<Beats>, made: &mut Made) -> Result<(), OpError> {
        let map = self.map_with(Tempo::from_micro_bpm(tempo.micro_bpm())?, at)?;
        made.push(Op::TempoAsked(vec![TempoRequest { author: self.author, seq: self.next(), tempo }]));
        made.push(Op::TempoMap(map));
        Ok(())
    }

    /// A tempo that is left to a person: it stands on a card beside the one that plays.
    pub(super) fn propose_tempo(&self, tempo: Tempo, made: &mut Made) -> Result<(), OpError> {
        let tempo = Tempo::from_micro_bpm(tempo.micro_bpm())?;
        let end = self.state.tempo_map().segments().last().map_or(Beats::ZERO, |segment| segment.tick);
        let holds = self.state.tempo_map().tempo_at(end);
        if tempo == holds {
            return Ok(());
        }
        let known = self.state.rulings().conflicts.about(Subject::Tempo);
        let known = known.filter(|card| card.kind == ConflictKind::Tempo);
        let first =
            Candidate { author: self.state.rulings().tempo.stamp().author, value: Wanted::Tempo(holds) };
        let mut card = known.cloned().unwrap_or_else(|| Conflict {
            id: 0,
            seq: self.next(),
            kind: ConflictKind::Tempo,
            subject: Subject::Tempo,
            candidates: vec![first],
            result: Wanted::Tempo(holds),
        });
        card.seq = self.next();
        card.add(Candidate { author: self.author, value: Wanted::Tempo(tempo) });
        self.put(card, known.is_none(), made);
        Ok(())
    }

    /// A gradual change, from the next bar line on: one person's wish, expanded into steps here.
    pub(super) fn ramp_tempo(
        &self,
        tempo: Tempo,
        bars: u16,
        at: Option<Beats>,
        made: &mut Made,
    ) -> Result<(), OpError> {
        let tempo = Tempo::from_micro_bpm(tempo.micro_bpm())?;
        let start = self.next_line(at)?;
        let song_bars = Bars::in_song(self.state.song());
        let first = song_bars.from(start).number;
        let end = song_bars.bar(first + i64::from(bars.clamp(1, MAX_RAMP_BARS))).start;
        check_tick(end)?;
        let now = self.state.tempo_map();
        let steps = ramp(now.tempo_at(start), tempo, start, end - start, RAMP_STEPS);
        let mut map = now.clone();
        for (tick, tempo) in steps {
            map = map.with_tempo(tick, tempo)?;
        }
        map.revision = now.revision.checked_add(1).ok_or(OpError::TempoSegments)?;
        if map.segments().len() > MAX_TEMPO_SEGMENTS {
            return Err(OpError::TempoSegments);
        }
        made.push(Op::TempoAsked(vec![TempoRequest { author: self.author, seq: self.next(), tempo }]));
        made.push(Op::TempoMap(map));
        Ok(())
    }

    /// The bar line from which a change can hold: the next after the session's position, or after
    /// `at` if that is later.
    pub(super) fn next_line(&self, at: Option<Beats>) -> Result<Beats, OpError> {
        let soonest = self.position.map_or(Beats::ZERO, |position| position.max(Beats::ZERO) + Beats(1));
        let from = soonest.max(at.unwrap_or(Beats::ZERO));
        check_tick(from)?;
        Ok(Bars::in_song(self.state.song()).line_from(from))
    }

    fn tempo_card(&self, requests: &[TempoRequest], agreed: bool, result: Tempo, made: &mut Made) {
        let kind = if agreed { ConflictKind::Merged } else { ConflictKind::Tempo };
        let last = &self.state.rulings().tempo;
        let known = self.state.rulings().conflicts.about(Subject::Tempo);
        let known = known.filter(|card| card.seq == last.stamp().seq);
        let candidate = |request: &TempoRequest| Candidate {
            author: request.author,
            value: Wanted::Tempo(request.tempo),
        };
        let card = Conflict {
            id: known.map_or(0, |card| card.id),
            seq: self.next(),
            kind,
            subject: Subject::Tempo,
            candidates: requests.iter().map(candidate).collect(),
            result: Wanted::Tempo(result),
        };
        self.put(card, known.is_none(), made);
    }

    /// Whether what was asked last sounds already.
    fn has_begun(&self) -> bool {
        let Some(position) = self.position else { return false };
        let begun = |map: &TempoMap| map.segments().partition_point(|segment| segment.tick <= position);
        let (now, before) = (self.state.tempo_map(), &self.state.rulings().tempo.before);
        now.segments()[..begun(now)] != before.segments()[..begun(before)]
    }

    /// What plays, as far as the open question goes: what was asked last and does not sound yet is
    /// part of the question.
    fn playing_tempo(&self) -> Tempo {
        let map = if self.has_begun() { self.state.tempo_map() } else { &self.state.rulings().tempo.before };
        map.tempo_at(self.position.unwrap_or(self.state.timeline().tick))
    }

    /// The map without what was asked and does not sound yet; `None` where the present one stays.
    fn map_before(&self) -> Option<TempoMap> {
        let now = self.state.tempo_map();
        let before = &self.state.rulings().tempo.before;
        if self.has_begun() || before.segments() == now.segments() {
            return None;
        }
        let mut map = before.clone();
        map.revision = now.revision.checked_add(1)?;
        Some(map)
    }

    /// The tempo map that answers a request: from the next bar line after the session's position,
    /// or after `at` if that is later; when stopped, throughout.
    fn map_with(&self, tempo: Tempo, at: Option<Beats>) -> Result<TempoMap, OpError> {
        let now = self.state.tempo_map();
        let revision = now.revision.checked_add(1).ok_or(OpError::TempoSegments)?;
        if self.position.is_none() {
            let mut constant = TempoMap::constant(tempo);
            constant.revision = revision;
            return Ok(constant);
        }
        let map = now.with_tempo(self.next_line(at)?, tempo)?;
        if map.segments().len() > MAX_TEMPO_SEGMENTS { Err(OpError::TempoSegments) } else { Ok(map) }
    }
}
