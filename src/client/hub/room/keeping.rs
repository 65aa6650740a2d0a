//! What the room writes into its journal, and what it begins with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::branch::rename_frames;
use super::{Meta, Room, SELF};
use crate::client::hub::speech::{FromHub, Greeting};
use crate::client::hub::term::terms_of;
use crate::client::journal::{Flusher, Held, Instance, Journal, JournalError, Record, Waiting};
use crate::session::{Commit, Cseq, Frame, Replica, Seq, StampedOp, State};

impl Room {
    /// Begins with the journal; where there is none of use, with what the first instance brings;
    /// where that is damaged too, with nothing.
    pub(super) fn hydrate(&mut self, folder: &Path, greeting: &Greeting, flusher: Arc<Flusher>) {
        let name = format!("{:016x}", xxh3_64(self.link.to_string().as_bytes()));
        let (term, mut older) = (self.lease.term(), terms_of(folder, &name, "journal").collect::<Vec<_>>());
        older.retain(|(of, _)| *of < term);
        older.sort_unstable();
        let older: Vec<PathBuf> = older.into_iter().rev().map(|(_, path)| path).collect();
        let path = folder.join(term.file(&name, "journal"));
        let mut held = Held::default();
        match Journal::inherit(&path, &older, flusher) {
            Ok(opened) => {
                self.journal = Some(opened.journal);
                let (replayed, faults) = Held::replay(opened.records);
                held = replayed;
                for fault in opened.faults.into_iter().chain(faults.first().cloned()) {
                    tracing::warn!(fault, "a journal was damaged");
                    self.news.push(FromHub::SetAside(fault));
                }
            }
            Err(error) => self.news.push(FromHub::Notice(unkept(&error))),
        }
        let brought = || State::decode(&greeting.state).unwrap_or_default();
        let branch = held.branch.take();
        let confirmed = held.confirmed.take().unwrap_or_else(|| branch.clone().unwrap_or_else(brought));
        self.known = held.me.is_some();
        let frame = |w: &Waiting| Frame { cseq: w.cseq, base: w.base, ops: w.ops.clone() };
        let frames: Vec<Frame> = held.waiting.iter().map(frame).collect();
        self.replica = match held.me {
            Some((client, role, next)) => {
                self.role = role;
                Replica::restore(confirmed, client, next, frames)
            }
            None => {
                let mut replica = Replica::new(confirmed);
                let mut numbers = BTreeMap::new();
                for Frame { cseq, mut ops, .. } in frames {
                    rename_frames(&mut ops, &numbers);
                    let Ok((now, _)) = replica.edit(ops) else { break };
                    numbers.insert(cseq, now);
                }
                replica
            }
        };
        // Whatever left may have arrived.
        let meta = |w: &Waiting| Meta {
            cseq: w.cseq,
            instance: w.instance,
            ticket: w.ticket,
            kept: w.kept,
            sent: true,
        };
        self.waiting = held.waiting.iter().map(meta).take(self.replica.outbox().count()).collect();
        for (meta, (cseq, _, _)) in self.waiting.iter_mut().zip(self.replica.outbox()) {
            meta.cseq = cseq;
        }
        self.instances = std::mem::take(&mut held.instances);
        self.resume(branch, held.long);
        self.rewrite();
        self.open_lines(folder, &held.kept);
    }

    /// The room's file of a kind, and those of earlier terms, the latest first.
    pub(super) fn files(&self, folder: &Path, kind: &str) -> (PathBuf, Vec<PathBuf>) {
        let name = format!("{:016x}", xxh3_64(self.link.to_string().as_bytes()));
        let term = self.lease.term();
        let mut older: Vec<_> = terms_of(folder, &name, kind).filter(|(of, _)| *of < term).collect();
        older.sort_unstable();
        (folder.join(term.file(&name, kind)), older.into_iter().rev().map(|(_, path)| path).collect())
    }

    pub(super) fn keep_record(&mut self, record: Record) {
        let Some(journal) = &mut self.journal else { return };
        if let Err(error) = journal.append(&[record]) {
            self.notice(unkept(&error));
        }
        // What follows tells of it.
        self.is_deposed();
    }

    pub(super) fn keep_taken(&mut self, cseq: Cseq, instance: u64, ticket: Cseq, ops: &[StampedOp]) {
        let base = self.replica.seq();
        self.keep_record(Record::Taken { cseq, base, ops: ops.to_vec(), instance, ticket });
    }

    pub(super) fn keep_instance(&mut self, instance: u64) {
        let Instance { taken, answered } = self.instances.get(&instance).copied().unwrap_or_default();
        self.keep_record(Record::Instance { instance, taken, answered });
    }

    pub(super) fn keep_commit(&mut self, commit: &Commit) {
        self.keep_record(Record::Commit(commit.clone()));
    }

    /// Writes the journal whole.
    pub(super) fn rewrite(&mut self) {
        // It has the commits that the lines lack only until then.
        self.save_lines();
        let frames = self.waiting.iter().zip(self.replica.outbox());
        let waiting = frames.map(|(meta, (cseq, base, ops))| Waiting {
            cseq,
            base,
            ops: ops.to_vec(),
            instance: meta.instance,
            ticket: meta.ticket,
            kept: meta.kept,
        });
        let held = Held {
            of: self.link.to_string(),
            me: self
                .known
                .then(|| (self.replica.client().unwrap_or(SELF), self.role, self.replica.next_cseq())),
            confirmed: Some(self.replica.confirmed().clone()),
            branch: self.branch.as_ref().map(|branch| branch.state().clone()),
            long: self.branch.as_ref().is_some_and(|branch| branch.long),
            kept: Vec::new(),
            waiting: waiting.collect(),
            instances: self.instances.clone(),
        };
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.rewrite(&held.records())
        {
            self.notice(unkept(&error));
        }
    }

    pub(super) fn compact_if_long(&mut self) {
        if self.journal.as_ref().is_some_and(Journal::is_long) {
            self.rewrite();
        }
    }

    /// What a welcome may build on: 0 asks for everything.
    pub(super) fn last_seq(&self) -> Seq {
        if self.whole || !self.known { Seq(0) } else { self.replica.seq() }
    }
}

fn unkept(error: &JournalError) -> String {
    format!("the journal cannot be written: {error}")
}
