//! Branches, merges, history: laws on random histories.

#[path = "branches/history.rs"]
mod history;
#[path = "branches/merging.rs"]
mod merging;
