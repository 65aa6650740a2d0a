//! What a replica knows of others who share its participant: instances of one machine.

use super::{Frame, Replica, registers};
use crate::session::{Change, ClientId, Cseq, StampedOp};

impl Replica {
    /// A frame of another instance of this participant, which the session has not answered yet:
    /// it shows under what is mine until [`Replica::settled`], or until the next welcome.
    pub fn neighbour(&mut self, cseq: Cseq, ops: Vec<StampedOp>) -> Vec<Change> {
        let touched = registers(&ops);
        let base = self.seq();
        self.neighbours.push(Frame { cseq, base, ops });
        self.refresh(touched)
    }

    /// The session has answered another instance's frame.
    pub fn settled(&mut self, cseq: Cseq) -> Vec<Change> {
        let Some(place) = self.neighbours.iter().position(|frame| frame.cseq == cseq) else {
            return Vec::new();
        };
        let frame = self.neighbours.remove(place);
        self.refresh(registers(&frame.ops))
    }

    /// The number of the next frame made here.
    pub fn next_cseq(&self) -> Cseq {
        self.next_cseq
    }

    /// The participant whose frames these are has another name in the session now; their numbers
    /// stay. Without effect before the first welcome.
    pub fn rename(&mut self, client: ClientId) {
        if self.client.is_some() {
            self.client = Some(client);
        }
    }

    /// Takes every frame out of the outbox and numbers what comes from `acked` + 1.
    pub fn clear_outbox(&mut self, acked: Cseq) -> Vec<Change> {
        let frames: Vec<Frame> = self.outbox.drain(..).collect();
        self.sent = 0;
        self.next_cseq = Cseq(acked.0 + 1);
        self.refresh(frames.iter().flat_map(|frame| registers(&frame.ops)).collect())
    }
}
