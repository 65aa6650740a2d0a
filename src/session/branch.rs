//! Branches and named versions: the records by which everybody knows of them.
//!
//! A branch is another line of a session's history, forked from it at a commit, with a sequence and
//! a sequencer of its own. The records are shared state of the session's own line: late joiners see
//! them, equal commits make them equal, and both lists are bounded.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ClientId, Role, Seq};

/// The most branches a session has at a time.
pub const MAX_BRANCHES: usize = 64;
/// The most named versions a session has.
pub const MAX_VERSIONS: usize = 256;
/// The most characters in the name of a branch or version.
pub const MAX_TITLE: usize = 48;

/// A line of history: 0 is the session's own, branches are numbered from 1 and never anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BranchId(pub u32);

impl BranchId {
    /// The session's own line.
    pub const MAIN: BranchId = BranchId(0);
}

/// A line of history that left another at a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its number.
    pub id: BranchId,
    /// The line it left.
    pub parent: BranchId,
    /// The parent's commit after which it began. Its own commits go on counting from there.
    pub fork_seq: Seq,
    /// Its last commit, as last told: the session's own line hears of it when nobody follows the
    /// branch any more, so that work on it changes nothing for the others.
    pub head: Seq,
    /// What it is called.
    pub name: String,
    /// Who forked it.
    pub author: ClientId,
    /// Its commit up to which it has been merged back.
    pub merged: Option<Seq>,
}

/// A point of history with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// What it is called; no two are called the same.
    pub name: String,
    /// On which line.
    pub branch: BranchId,
    /// After which commit.
    pub seq: Seq,
    /// Who named it.
    pub author: ClientId,
}

/// A change of the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A new branch. A client asks with `id` 0; the sequencer numbers it.
    Fork {
        /// Its number.
        id: BranchId,
        /// The line it leaves.
        parent: BranchId,
        /// After which commit of it.
        at: Seq,
        /// What it is called.
        name: String,
    },
    /// A branch is of no interest any more; its author or an owner says so.
    Drop(BranchId),
    /// A branch has been merged into its parent up to this commit of it.
    Merged {
        /// Which.
        id: BranchId,
        /// Its last commit in the merge.
        head: Seq,
    },
    /// A branch has come to this commit; the session itself writes it.
    Head {
        /// Which.
        id: BranchId,
        /// Its last commit.
        head: Seq,
    },
    /// A point of history gets a name.
    Name {
        /// The name.
        name: String,
        /// On which line.
        branch: BranchId,
        /// After which commit.
        seq: Seq,
    },
    /// A named version is forgotten; who named it or an owner says so. The commits stay.
    Unname(String),
}

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// No such branch.
    #[error("there is no branch {0}; it may have been dropped")]
    NoBranch(u32),
    /// No such version.
    #[error("there is no version '{0}'")]
    NoVersion(String),
    /// A title that cannot be one.
    #[error("a name has 1 to {MAX_TITLE} characters, none of them control characters")]
    Title,
    /// A version of this name exists.
    #[error("there is a version '{0}' already; choose another name")]
    Taken(String),
    /// Too many branches.
    #[error("there are {MAX_BRANCHES} branches already; drop one first")]
    TooManyBranches,
    /// Too many versions.
    #[error("there are {MAX_VERSIONS} named versions already; forget one first")]
    TooManyVersions,
    /// A commit that does not exist.
    #[error("commit {0} does not exist there yet")]
    Future(u64),
    /// Something else began there.
    #[error("branch {0} was forked from this one; drop that first")]
    HasBranches(u32),
    /// Not one's own.
    #[error("only who made it or an owner may do this")]
    NotYours,
    /// The session itself writes this.
    #[error("only the session itself writes this")]
    Reserved,
    /// A branch is numbered by its sequencer.
    #[error("branch {0} does not follow the last one")]
    Number(u32),
}

/// The records of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// In order of their numbers.
    branches: Vec<Branch>,
    /// In the order in which they were named.
    versions: Vec<Version>,
    /// The last number given to a branch.
    last: u32,
}

impl Records {
    /// The branches, in order of their numbers.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// A branch.
    pub fn branch(&self, id: BranchId) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.id == id)
    }

    /// The named versions, in the order in which they were named.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version of a name.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// Whether there are neither.
    pub fn is_untouched(&self) -> bool {
        *self == Records::default()
    }

    /// A client's record as the sequencer will commit it; `head` is the session's last commit.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(
        &self,
        record: Record,
        author: ClientId,
        role: Role,
        head: Seq,
    ) -> Result<Record, RecordError> {
        let owns = |maker: ClientId| maker == author || role == Role::Owner;
        let record = match record {
            Record::Fork { parent, at, name, .. } => {
                let id = BranchId(self.last.saturating_add(1));
                Record::Fork { id, parent, at, name: name.trim().to_owned() }
            }
            Record::Name { name, branch, seq } => Record::Name { name: name.trim().to_owned(), branch, seq },
            Record::Head { .. } => return Err(RecordError::Reserved),
            other => other,
        };
        let not_yours = match &record {
            Record::Drop(id) => self.branch(*id).is_some_and(|branch| !owns(branch.author)),
            Record::Unname(name) => self.version(name).is_some_and(|version| !owns(version.author)),
            _ => false,
        };
        if not_yours {
            return Err(RecordError::NotYours);
        }
        self.check(&record, head)?;
        Ok(record)
    }

    /// Checks a committed record against what there is; `head` is the session's last commit.
    pub(super) fn check(&self, record: &Record, head: Seq) -> Result<(), RecordError> {
        let known = |id: BranchId| self.branch(id).ok_or(RecordError::NoBranch(id.0));
        // A branch's own commits are not all known here: only that they follow its fork.
        let reached = |line: BranchId, seq: Seq| match line {
            BranchId::MAIN if seq > head => Err(RecordError::Future(seq.0)),
            BranchId::MAIN => Ok(()),
            line => known(line).map(|_| ()),
        };
        match record {
            Record::Fork { id, parent, at, name } => {
                check_title(name)?;
                reached(*parent, *at)?;
                if self.branches.len() >= MAX_BRANCHES {
                    return Err(RecordError::TooManyBranches);
                }
                if self.last.checked_add(1) != Some(id.0) {
                    return Err(RecordError::Number(id.0));
                }
                Ok(())
            }
            Record::Drop(id) => {
                known(*id)?;
                match self.branches.iter().find(|branch| branch.parent == *id) {
                    Some(child) => Err(RecordError::HasBranches(child.id.0)),
                    None => Ok(()),
                }
            }
            Record::Merged { id, .. } | Record::Head { id, .. } => known(*id).map(|_| ()),
            Record::Name { name, branch, seq } => {
                check_title(name)?;
                reached(*branch, *seq)?;
                if self.version(name).is_some() {
                    return Err(RecordError::Taken(name.clone()));
                }
                if self.versions.len() >= MAX_VERSIONS {
                    return Err(RecordError::TooManyVersions);
                }
                Ok(())
            }
            Record::Unname(name) => match self.version(name) {
                // What comes back in the refusal is no longer than a name.
                None if check_title(name).is_err() => Err(RecordError::Title),
                Some(_) => Ok(()),
                None => Err(RecordError::NoVersion(name.clone())),
            },
        }
    }

    /// Takes a checked record.
    pub(super) fn apply(&mut self, record: &Record, author: ClientId) {
        match record {
            Record::Fork { id, parent, at, name } => {
                self.last = id.0;
                let (fork_seq, head) = (*at, *at);
                let branch = Branch {
                    id: *id,
                    parent: *parent,
                    fork_seq,
                    head,
                    name: name.clone(),
                    author,
                    merged: None,
                };
                self.branches.push(branch);
            }
            Record::Drop(id) => {
                self.branches.retain(|branch| branch.id != *id);
                self.versions.retain(|version| version.branch != *id);
            }
            Record::Merged { id, head } => self.with(*id, |branch| {
                branch.merged = Some(*head);
                branch.head = branch.head.max(*head);
            }),
            Record::Head { id, head } => self.with(*id, |branch| branch.head = branch.head.max(*head)),
            Record::Name { name, branch, seq } => {
                self.versions.push(Version { name: name.clone(), branch: *branch, seq: *seq, author });
            }
            Record::Unname(name) => self.versions.retain(|version| version.name != *name),
        }
    }

    fn with(&mut self, id: BranchId, change: impl FnOnce(&mut Branch)) {
        if let Some(branch) = self.branches.iter_mut().find(|branch| branch.id == id) {
            change(branch);
        }
    }

    /// Checks records that came from outside; `head` is the session's last commit.
    ///
    /// # Errors
    /// The entry that is wrong, and why.
    pub fn check_all(&self, head: Seq) -> Result<(), (usize, RecordError)> {
        let mut known = Records::default();
        for (index, branch) in self.branches.iter().enumerate() {
            let Branch { id, parent, fork_seq, name, .. } = branch;
            // The numbers between belonged to branches that were dropped.
            known.last =
                id.0.checked_sub(1)
                    .filter(|before| *before >= known.last)
                    .ok_or((index, RecordError::Number(id.0)))?;
            let fork = Record::Fork { id: *id, parent: *parent, at: *fork_seq, name: name.clone() };
            known.check(&fork, head).map_err(|reason| (index, reason))?;
            known.apply(&fork, branch.author);
            if branch.head < *fork_seq || branch.merged.is_some_and(|merged| merged > branch.head) {
                return Err((index, RecordError::Future(branch.head.0)));
            }
        }
        if self.last < known.last {
            return Err((self.branches.len(), RecordError::Number(self.last)));
        }
        for (index, version) in self.versions.iter().enumerate() {
            let Version { name, branch, seq, author } = version;
            let name = Record::Name { name: name.clone(), branch: *branch, seq: *seq };
            known.check(&name, head).map_err(|reason| (index, reason))?;
            known.apply(&name, *author);
        }
        Ok(())
    }
}

/// Whether a text may name a branch or version.
///
/// # Errors
/// Empty, too long, or not one line.
pub fn check_title(title: &str) -> Result<(), RecordError> {
    let fits = (1..=MAX_TITLE).contains(&title.chars().count());
    if fits && title.trim() == title && !title.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(RecordError::Title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: ClientId = ClientId(1);
    const BEN: ClientId = ClientId(2);

    fn fork(name: &str, parent: u32) -> Record {
        Record::Fork { id: BranchId(0), parent: BranchId(parent), at: Seq(3), name: name.into() }
    }

    fn take(records: &mut Records, record: Record, author: ClientId) -> Result<(), RecordError> {
        let record = records.decide(record, author, Role::Editor, Seq(9))?;
        records.apply(&record, author);
        records.check_all(Seq(9)).expect("records that were made are sound");
        Ok(())
    }

    #[test]
    fn branches_are_numbered_and_dropped_by_who_made_them() {
        let mut records = Records::default();
        take(&mut records, fork(" fills ", 0), ANA).expect("forked");
        take(&mut records, fork("more fills", 1), BEN).expect("forked from the first");
        assert_eq!(records.branches()[0].name, "fills");
        assert_eq!(take(&mut records, Record::Drop(BranchId(1)), ANA), Err(RecordError::HasBranches(2)));
        assert_eq!(take(&mut records, Record::Drop(BranchId(2)), ANA), Err(RecordError::NotYours));
        take(&mut records, Record::Drop(BranchId(2)), BEN).expect("dropped");
        take(&mut records, fork("again", 0), BEN).expect("forked");
        assert_eq!(records.branches()[1].id, BranchId(3), "no number is given twice");
        let future = Record::Fork { id: BranchId(0), parent: BranchId(0), at: Seq(10), name: "x".into() };
        assert_eq!(take(&mut records, future, ANA), Err(RecordError::Future(10)));
        let head = Record::Head { id: BranchId(1), head: Seq(5) };
        assert_eq!(take(&mut records, head, ANA), Err(RecordError::Reserved));
    }

    #[test]
    fn versions_have_names_of_their_own() {
        let mut records = Records::default();
        let name =
            |name: &str, seq| Record::Name { name: name.into(), branch: BranchId::MAIN, seq: Seq(seq) };
        take(&mut records, name("first", 2), ANA).expect("named");
        assert_eq!(take(&mut records, name("first", 3), ANA), Err(RecordError::Taken("first".into())));
        assert_eq!(take(&mut records, name("", 3), ANA), Err(RecordError::Title));
        assert_eq!(take(&mut records, name("a\nb", 3), ANA), Err(RecordError::Title));
        assert_eq!(take(&mut records, Record::Unname("first".into()), BEN), Err(RecordError::NotYours));
        take(&mut records, Record::Unname("first".into()), ANA).expect("forgotten");
        assert!(records.versions().is_empty());
    }
}
