//! Imports run downward: a module uses its own floor's allowed neighbours and the floors below.

use syn::visit::Visit;
use syn::{Item, ItemMod, Path, UseTree};

use super::source::{Finding, Source, attributes, is_test};

/// Who may use whom inside the crate. `rt::ports` is its own entry: the one way across the audio
/// thread's boundary.
const MAY_USE: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("param", &[]),
    ("dsp", &["time", "param"]),
    ("pattern", &["time", "param"]),
    ("session", &["time", "param", "pattern"]),
    ("rt", &["time", "param", "dsp", "pattern", "rt"]),
    ("wire", &["time", "param", "pattern", "session", "rt::ports", "rt::ENGINE_VERSION"]),
    ("client", &["time", "param", "pattern", "session", "rt", "wire"]),
    (
        "server",
        &["time", "param", "pattern", "session", "wire", "rt::ports::BarFingerprint", "rt::ENGINE_VERSION"],
    ),
    ("plugin", &["time", "param", "pattern", "session", "rt", "wire", "client"]),
];

/// What a floor may not name outside the crate: `session` reads no clock and draws no randomness;
/// the realtime floors know no threads, locks, files or clocks.
const BANNED_OUTSIDE: &[(&str, &[&str])] = &[
    ("session", &["std::time", "std::thread", "std::net", "std::fs", "rand", "tokio"]),
    ("time", &["std::thread", "std::net", "std::fs", "tokio", "rand"]),
    ("param", &["std::time", "std::thread", "std::net", "std::fs", "tokio", "rand"]),
    ("dsp", &["std::time", "std::thread", "std::net", "std::fs", "tokio", "rand"]),
    ("pattern", &["std::time", "std::thread", "std::net", "tokio", "rand"]),
    (
        "rt",
        &[
            "std::time",
            "std::thread",
            "std::net",
            "std::fs",
            "tokio",
            "rand",
            "tracing",
            "parking_lot",
            "std::sync::Mutex",
            "std::sync::RwLock",
        ],
    ),
    ("wire", &["std::net", "std::fs", "tokio", "tokio_tungstenite"]),
];

/// The breaches of one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let Some(floor) = source.module.first() else {
        return Vec::new();
    };
    let mut visitor = Paths { source, floor, inner: Vec::new(), findings: Vec::new() };
    for item in &source.items {
        visitor.visit_item(item);
    }
    visitor.findings
}

struct Paths<'a> {
    source: &'a Source,
    floor: &'a str,
    /// Modules written inside the file that surround what is visited.
    inner: Vec<String>,
    findings: Vec<Finding>,
}

impl Paths<'_> {
    fn meet(&mut self, words: &[String], line: usize) {
        let Some(first) = words.first() else { return };
        match first.as_str() {
            "crate" => self.meet_inside(&words[1..], line),
            "super" => {
                let ups = words.iter().take_while(|word| *word == "super").count();
                let here: Vec<&String> = self.source.module.iter().chain(&self.inner).collect();
                let kept = here.len().saturating_sub(ups);
                let full: Vec<String> =
                    here[..kept].iter().map(|word| (*word).clone()).chain(words[ups..].to_vec()).collect();
                self.meet_inside(&full, line);
            }
            _ => self.meet_outside(words, line),
        }
    }

    fn meet_inside(&mut self, words: &[String], line: usize) {
        let Some(other) = words.first() else { return };
        let known = MAY_USE.iter().any(|(floor, _)| floor == other);
        if !known || other == self.floor {
            return;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(floor, _)| *floor == self.floor) else {
            return;
        };
        let path = words.join("::");
        let fits = allowed.iter().any(|may| path == *may || path.starts_with(&format!("{may}::")));
        if !fits {
            let may =
                if allowed.is_empty() { "nothing else of the crate".into() } else { allowed.join(", ") };
            self.found(line, format!("{} uses crate::{path}; it may use {may}", self.floor));
        }
    }

    fn meet_outside(&mut self, words: &[String], line: usize) {
        let Some((_, banned)) = BANNED_OUTSIDE.iter().find(|(floor, _)| *floor == self.floor) else {
            return;
        };
        let path = words.join("::");
        if let Some(ban) = banned.iter().find(|ban| path == **ban || path.starts_with(&format!("{ban}::"))) {
            self.found(line, format!("{} names {path}; {ban} has no place on this floor", self.floor));
        }
    }

    fn found(&mut self, line: usize, message: String) {
        self.findings.push(Finding { path: self.source.path.clone(), line, message });
    }

    fn tree(&mut self, prefix: &[String], tree: &UseTree) {
        let extended = |word: &syn::Ident| {
            let mut words = prefix.to_vec();
            if word != "self" || words.is_empty() {
                words.push(word.to_string());
            }
            words
        };
        match tree {
            UseTree::Path(path) => self.tree(&extended(&path.ident), &path.tree),
            UseTree::Name(name) => self.meet(&extended(&name.ident), name.ident.span().start().line),
            UseTree::Rename(name) => self.meet(&extended(&name.ident), name.ident.span().start().line),
            UseTree::Glob(glob) => self.meet(prefix, glob.star_token.spans[0].start().line),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.inner.push(module.ident.to_string());
        syn::visit::visit_item_mod(self, module);
        self.inner.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if words.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            self.meet(&words, line);
        }
        syn::visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::parse;

    const NONE: [usize; 0] = [];

    fn breaches(path: &str, text: &str) -> Vec<usize> {
        check(&parse(path, text).expect("Rust")).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_upward_import_is_found() {
        assert_eq!(breaches("dsp/filter.rs", "use crate::time::Beats;\nuse crate::rt::Engine;"), [2]);
        assert_eq!(breaches("session/op.rs", "use crate::pattern::{Edit, Song};"), NONE);
        assert_eq!(breaches("rt/engine.rs", "use crate::{time::Beats, session::Op};"), [1]);
        assert_eq!(breaches("time.rs", "fn f() -> crate::param::Slot { crate::param::slot() }"), [1, 1]);
    }

    #[test]
    fn an_upward_path_through_super_is_found() {
        assert_eq!(breaches("dsp/filter.rs", "use super::super::rt::Engine;"), [1]);
        assert_eq!(breaches("dsp/filter.rs", "use super::voice::Voice;"), NONE);
        assert_eq!(breaches("dsp.rs", "mod inner { use super::super::rt::Engine; }"), [1]);
    }

    #[test]
    fn the_server_takes_only_the_fingerprints_type_from_the_engine() {
        assert_eq!(breaches("server/room.rs", "use crate::rt::ports::BarFingerprint;"), NONE);
        assert_eq!(breaches("server/room.rs", "use crate::rt::ports::SessionPorts;"), [1]);
        assert_eq!(breaches("server/room.rs", "use crate::rt::Engine;\nuse crate::dsp::Kick;"), [1, 2]);
        assert_eq!(breaches("wire/frame.rs", "use crate::rt::ports::BarFingerprint;"), NONE);
        assert_eq!(breaches("wire/frame.rs", "use crate::rt::Engine;"), [1]);
    }

    #[test]
    fn the_session_reads_no_clock_and_draws_nothing() {
        assert_eq!(breaches("session.rs", "use std::time::Instant;\nuse rand::Rng;"), [1, 2]);
        assert_eq!(breaches("session.rs", "fn f() { std::time::Instant::now(); }"), [1]);
        assert_eq!(breaches("rt/engine.rs", "use std::sync::{Arc, Mutex};"), [1]);
    }

    #[test]
    fn tests_may_use_everything() {
        let text = "#[cfg(test)]\nmod tests { use crate::rt::Engine; }\n#[test]\nfn f() { crate::rt::x(); }";
        assert_eq!(breaches("dsp.rs", text), NONE);
    }
}
