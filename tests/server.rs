//! The server as its clients meet it: a real process, real sockets, SQLite on disk.
#![cfg(feature = "server")]

#[path = "server/bad_input.rs"]
mod bad_input;
#[path = "server/durability.rs"]
mod durability;
#[path = "server/http.rs"]
mod http;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/lines.rs"]
mod lines;
#[path = "server/peer.rs"]
mod peer;
#[path = "server/people.rs"]
mod people;
#[path = "server/playing.rs"]
mod playing;
#[path = "support/server.rs"]
mod server_process;
#[path = "server/session.rs"]
mod session;
