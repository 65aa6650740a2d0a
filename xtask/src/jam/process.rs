//! A part of the jam in a process of its own: orders in, JSON events out.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A running part. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    lines: Mutex<Lines>,
    more: Condvar,
}

#[derive(Default)]
struct Lines {
    events: Vec<Value>,
    ended: bool,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts a part; what it says besides events goes to `LOGS/NAME.log`.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Process> {
        let path = logs.join(format!("{name}.log"));
        let log = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let mut other = log.try_clone().context("the log's second handle")?;
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start {program}"))?;
        let output = child.stdout.take().context("a piped output")?;
        let told = Arc::new(Told::default());
        let teller = told.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str::<Value>(&line) {
                    Ok(event) if event.is_object() => {
                        teller.lock().events.push(event);
                        teller.more.notify_all();
                    }
                    // A log that cannot be written must not stop the part.
                    _ => drop(writeln!(other, "{line}")),
                }
            }
            teller.lock().ended = true;
            teller.more.notify_all();
        });
        let orders = child.stdin.take();
        Ok(Process { name: name.to_owned(), child, orders, told })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order.
    pub fn send(&mut self, order: impl AsRef<str>) -> Result<()> {
        let orders = self.orders.as_mut().with_context(|| format!("{} takes no more orders", self.name))?;
        let write = writeln!(orders, "{}", order.as_ref()).and_then(|()| orders.flush());
        write.with_context(|| format!("{} does not take orders: has it ended?", self.name))
    }

    /// How many events it has told so far: where to look from in [`Process::wait`].
    pub fn mark(&self) -> usize {
        self.told.lock().events.len()
    }

    /// Events from a mark on.
    pub fn since(&self, mark: usize) -> Vec<Value> {
        self.told.lock().events[mark..].to_vec()
    }

    /// Waits until an event from a mark on fits, and gives what was made of it.
    pub fn wait<T>(
        &self,
        what: &str,
        mark: usize,
        patience: Duration,
        mut fits: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut seen = mark;
        let mut lines = self.told.lock();
        loop {
            while seen < lines.events.len() {
                if let Some(found) = fits(&lines.events[seen]) {
                    return Ok(found);
                }
                seen += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                let how = if lines.ended { "it ended" } else { "in vain" };
                let last: Vec<String> =
                    lines.events.iter().rev().take(3).map(|event| event.to_string()).collect();
                bail!(
                    "{}: waited {} s for {what}: {how}; last words: {}",
                    self.name,
                    patience.as_secs(),
                    last.join(" ")
                );
            }
            lines = self.told.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for an event of a kind.
    pub fn wait_for(&self, kind: &str, mark: usize, patience: Duration) -> Result<Value> {
        self.wait(&format!("'{kind}'"), mark, patience, |event| {
            (event["event"] == kind).then(|| event.clone())
        })
    }

    /// Gives a last order, closes its input and waits for its end.
    pub fn finish(&mut self, order: &str, patience: Duration) -> Result<()> {
        self.send(order)?;
        self.orders = None;
        let deadline = Instant::now() + patience;
        while self.child.try_wait().context("waiting for a part's end")?.is_none() {
            if Instant::now() > deadline {
                bail!("{} does not end", self.name);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command with the environment of a studio: its own profile, its name, its event log.
pub fn in_studio(program: impl AsRef<OsStr>, profile: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.env("ANTIPHON_HOME", profile).env("ANTIPHON_NAME", name).env("ANTIPHON_EVENTS", "1");
    command.env_remove("ANTIPHON_LINK");
    // Each host's own transport places the groove, so that both begin at one bar.
    command.env("ANTIPHON_MODE", "host");
    command
}

/// The lines of a studio's event log.
pub fn event_log(profile: &Path) -> Result<Vec<Value>> {
    let mut events = Vec::new();
    let entries = std::fs::read_dir(profile).with_context(|| format!("reading {}", profile.display()))?;
    for entry in entries {
        let path = entry.context("listing a profile")?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("events-") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            // The last line may be cut off by the end of its process.
            events.extend(text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
        }
    }
    Ok(events)
}
