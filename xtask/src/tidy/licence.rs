//! Ableton Link is under the GPL: `antiphon-link` may name it, and nothing else.

use anyhow::{Result, bail};
use syn::Path;
use syn::visit::Visit;

use super::source::{Finding, Source};
use crate::steps;

/// The crate that holds Link.
const LINK: &str = "rusty_link";
/// Where it may be named.
const HOME: &str = "src/bin/antiphon-link/";

/// Names of Link's crate outside its program.
pub fn check(source: &Source) -> Option<Finding> {
    let mut names = Names(false);
    source.items.iter().for_each(|item| names.visit_item(item));
    let stray = names.0 && !source.path.starts_with(HOME);
    stray.then(|| Finding {
        path: source.path.clone(),
        line: 1,
        message: format!("names {LINK}, which is under the GPL; it belongs in {HOME} alone"),
    })
}

/// The feature sets of plugin, standalone and server do not build Link.
pub fn check_trees() -> Result<()> {
    let tree =
        "tree --quiet --package antiphon --edges normal,build --prefix none --features standalone,server";
    let tree = steps::output(&mut steps::cargo(tree))?;
    if tree.lines().any(|line| line.starts_with(LINK)) {
        bail!("{LINK} is built with the plugin; it belongs to the feature `link` alone");
    }
    Ok(())
}

struct Names(bool);

impl<'ast> Visit<'ast> for Names {
    fn visit_path(&mut self, path: &'ast Path) {
        self.0 |= path.segments.first().is_some_and(|first| first.ident == LINK);
        syn::visit::visit_path(self, path);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        self.0 |= path.ident == LINK;
        syn::visit::visit_use_path(self, path);
    }

    fn visit_use_name(&mut self, name: &'ast syn::UseName) {
        self.0 |= name.ident == LINK;
    }

    fn visit_use_rename(&mut self, name: &'ast syn::UseRename) {
        self.0 |= name.ident == LINK;
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.0 |= item.ident == LINK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::parse;

    #[test]
    fn link_is_named_in_its_own_program_alone() {
        for text in ["use rusty_link::AblLink;", "fn f() { rusty_link::AblLink::new(1.0); }"] {
            assert!(check(&parse("plugin/clock.rs", text).expect("Rust")).is_some(), "{text}");
            assert!(check(&parse("bin/antiphon-link/lan.rs", text).expect("Rust")).is_none(), "{text}");
        }
        assert!(check(&parse("plugin/clock.rs", "use crate::client::Link;").expect("Rust")).is_none());
    }
}
