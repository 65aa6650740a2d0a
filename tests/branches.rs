//! Branches, merges, history: laws on random histories.

#[path = "branches/merging.rs"]
mod merging;
