//! The laws of deciding: conflicts, merges, tempo, undo, permissions. Every state here is also
//! rebuilt from snapshot and log, and must be the same.

#[path = "laws/conflicts.rs"]
mod conflicts;
#[path = "laws/new_tracks.rs"]
mod new_tracks;
#[path = "laws/parts.rs"]
mod parts;
#[path = "laws/permissions.rs"]
mod permissions;
#[path = "laws/room.rs"]
mod room;
#[path = "laws/tempo.rs"]
mod tempo;
#[path = "laws/undo.rs"]
mod undo;
