//! A source file as the laws see it: parsed, its tests apart.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use syn::{Attribute, Item};

/// One file of `src/`.
pub struct Source {
    /// Its path from the workspace's root, with `/`.
    pub path: String,
    /// Its module path: `["rt", "engine"]` for `src/rt/engine.rs`.
    pub module: Vec<String>,
    /// Its lines.
    pub lines: usize,
    /// Its items that are not under `#[cfg(test)]`.
    pub items: Vec<Item>,
}

/// A breach of a law.
#[derive(Debug)]
pub struct Finding {
    /// In which file.
    pub path: String,
    /// On which line.
    pub line: usize,
    /// What is wrong and what the law is.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Every Rust file under a folder.
pub fn read(folder: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.context("listing the source")?;
        if entry.path().extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(entry.path())
                .with_context(|| format!("reading {}", entry.path().display()))?;
            let inner = entry.path().strip_prefix(folder).expect("walked from the folder");
            sources.push(parse(&inner.to_string_lossy().replace('\\', "/"), &text)?);
        }
    }
    Ok(sources)
}

/// A file from its path within `src/` and its text.
pub fn parse(path: &str, text: &str) -> Result<Source> {
    let file = syn::parse_file(text).with_context(|| format!("src/{path} is not Rust"))?;
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let items = if is_test(&file.attrs) {
        Vec::new()
    } else {
        file.items.into_iter().filter(|item| !is_test(attributes(item))).collect()
    };
    Ok(Source { path: format!("src/{path}"), module, lines: text.lines().count(), items })
}

/// Whether something is built for tests alone.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

/// An item's attributes.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
