//! A peer's commands about branches, versions and the past.
//!
//! `fork NAME [at SEQ]`, `audition BRANCH|main`, `merge BRANCH`, `drop BRANCH`,
//! `name NAME [at SEQ]`, `unname NAME`, `restore SEQ|NAME`, `history [all] [before SEQ]`. Branches go
//! by their numbers; points of history by the commit after which they lie, on the line followed.

use super::order::OrderError;
use crate::client::LineCommand;
use crate::session::{BranchId, Detail, Seq};

/// Lines of history a page.
const PAGE: u16 = 50;

/// Whether a word begins one of them.
pub fn is_command(word: &str) -> bool {
    ["fork", "audition", "merge", "drop", "name", "unname", "restore", "history"].contains(&word)
}

/// Reads one; `rest` is all that follows the command.
///
/// # Errors
/// Says what is expected.
pub fn read(command: &str, words: &[&str], rest: &str) -> Result<LineCommand, OrderError> {
    match (command, words) {
        ("fork", [_, ..]) => {
            let (name, at) = title(rest)?;
            Ok(LineCommand::Fork { name, at })
        }
        ("fork", _) => Err(OrderError::Form("fork NAME [at SEQ]")),
        ("name", [_, ..]) => {
            let (name, at) = title(rest)?;
            Ok(LineCommand::Name { name, at })
        }
        ("name", _) => Err(OrderError::Form("name NAME [at SEQ]")),
        ("unname", [_, ..]) => Ok(LineCommand::Unname(rest.to_owned())),
        ("unname", _) => Err(OrderError::Form("unname NAME")),
        ("audition", ["main"]) => Ok(LineCommand::Audition(BranchId::MAIN)),
        ("audition", [branch]) => Ok(LineCommand::Audition(number(branch)?)),
        ("audition", _) => Err(OrderError::Form("audition BRANCH|main")),
        ("merge", [branch]) => Ok(LineCommand::Merge(number(branch)?)),
        ("merge", _) => Err(OrderError::Form("merge BRANCH")),
        ("drop", [branch]) => Ok(LineCommand::Drop(number(branch)?)),
        ("drop", _) => Err(OrderError::Form("drop BRANCH")),
        ("restore", [_, ..]) => match rest.parse() {
            Ok(seq) => Ok(LineCommand::Restore { line: BranchId::MAIN, seq: Seq(seq) }),
            Err(_) => Ok(LineCommand::RestoreVersion(rest.to_owned())),
        },
        ("restore", _) => Err(OrderError::Form("restore SEQ|NAME")),
        ("history", words) => history(words),
        _ => Err(OrderError::Unknown(command.to_owned())),
    }
}

fn history(words: &[&str]) -> Result<LineCommand, OrderError> {
    let (detail, words) = match words {
        ["all", rest @ ..] => (Detail::All, rest),
        rest => (Detail::Significant, rest),
    };
    let before = match words {
        [] => None,
        ["before", seq] => Some(commit(seq)?),
        _ => return Err(OrderError::Form("history [all] [before SEQ]")),
    };
    Ok(LineCommand::History { before, detail, limit: PAGE })
}

/// A title, and the commit of the session's own line that may follow it.
fn title(rest: &str) -> Result<(String, Option<(BranchId, Seq)>), OrderError> {
    match rest.rsplit_once(" at ") {
        Some((name, seq)) if seq.trim().parse::<u64>().is_ok() => {
            Ok((name.trim().to_owned(), Some((BranchId::MAIN, commit(seq.trim())?))))
        }
        _ => Ok((rest.to_owned(), None)),
    }
}

fn number(word: &str) -> Result<BranchId, OrderError> {
    word.parse().map(BranchId).map_err(|_| OrderError::Value(word.to_owned()))
}

fn commit(word: &str) -> Result<Seq, OrderError> {
    word.parse().map(Seq).map_err(|_| OrderError::Value(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> Result<LineCommand, OrderError> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        read(command, &rest.split_whitespace().collect::<Vec<_>>(), rest)
    }

    #[test]
    fn names_may_have_spaces_and_points_of_history_follow_them() {
        let LineCommand::Fork { name, at } = order("fork dub at night at 12").expect("a command") else {
            panic!("a fork")
        };
        assert_eq!((name.as_str(), at), ("dub at night", Some((BranchId::MAIN, Seq(12)))));
        assert!(matches!(order("restore 9"), Ok(LineCommand::Restore { seq: Seq(9), .. })));
        assert!(
            matches!(order("restore first take"), Ok(LineCommand::RestoreVersion(name)) if name == "first take")
        );
        assert!(matches!(order("audition main"), Ok(LineCommand::Audition(BranchId::MAIN))));
        assert!(matches!(order("merge two"), Err(OrderError::Value(_))));
        assert!(matches!(
            order("history all before 3"),
            Ok(LineCommand::History { before: Some(Seq(3)), detail: Detail::All, .. })
        ));
        assert!(matches!(order("fork"), Err(OrderError::Form(_))));
    }
}
