//! The session's thread: one tokio runtime, one loop.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError};
use tokio::sync::Notify;

use super::Command;
use super::hub::line::Inbox;
use super::participant::Participant;

/// How long a goodbye may hold up the end.
const GOODBYE: Duration = Duration::from_millis(400);

/// Runs until the client is dropped. *Thread: the session's own.*
pub async fn run(
    mut participant: Participant,
    mut inbox: Inbox,
    commands: Receiver<Command>,
    wake: Arc<Notify>,
) {
    participant.begin();
    loop {
        tokio::select! {
            () = wake.notified() => {}
            Some((number, event)) = inbox.events.recv() => participant.line(number, event),
            () = tokio::time::sleep(participant.patience()) => {}
        }
        loop {
            match commands.try_recv() {
                Ok(command) => participant.command(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    if let Some(left) = participant.close() {
                        // The socket's task ends when its goodbye has left.
                        let _ = tokio::time::timeout(GOODBYE, left.closed()).await;
                    }
                    return;
                }
            }
        }
        participant.poll();
    }
}
