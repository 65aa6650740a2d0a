//! Makes the disk keep what journals have written, in groups, on a thread of its own.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, unbounded};

/// How long the first of a group waits for the others; the disk has the rest of 250 ms.
const GROUP: Duration = Duration::from_millis(100);

/// A written file that the disk does not hold yet.
pub(super) struct Dirty {
    file: File,
    waits: AtomicBool,
}

impl Dirty {
    pub(super) fn new(file: File) -> Arc<Dirty> {
        Arc::new(Dirty { file, waits: AtomicBool::new(false) })
    }
}

/// The thread that waits for the disk, so that nobody else does. Dropping it waits for what was
/// asked.
pub struct Flusher {
    asked: Option<Sender<(Arc<Dirty>, Instant)>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start() -> std::io::Result<Arc<Flusher>> {
        let (asked, wanted) = unbounded::<(Arc<Dirty>, Instant)>();
        let thread = std::thread::Builder::new().name("antiphon-journal".into()).spawn(move || {
            // The channel holds each file once, so it is as short as there are journals.
            while let Ok((dirty, due)) = wanted.recv() {
                // Gathers what is written until then under one sync.
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                // What is written from here on asks anew.
                dirty.waits.store(false, Ordering::Release);
                if let Err(error) = dirty.file.sync_data() {
                    tracing::error!(%error, "the disk does not keep the journal");
                }
            }
        })?;
        Ok(Arc::new(Flusher { asked: Some(asked), thread: Some(thread) }))
    }

    /// Asks for a file to be kept; what is asked meanwhile joins it.
    pub(super) fn ask(&self, dirty: &Arc<Dirty>) {
        if !dirty.waits.swap(true, Ordering::AcqRel)
            && let Some(asked) = &self.asked
        {
            let _ = asked.send((dirty.clone(), Instant::now() + GROUP));
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        drop(self.asked.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
