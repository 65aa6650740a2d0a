//! A CLAP host of our own, as a process: paced by the wall clock, driven by lines of JSON.
//!
//! Threads: the main one owns the plugin and serves its callbacks; one reads orders; one processes
//! blocks at absolute deadlines, as a sound card would ask for them; one writes the recording.
//! Orders come on standard input (see [`Order`]); what happened goes to standard output, one JSON
//! object a line, stamped with the raw monotonic clock.

mod audio;
mod record;

use std::ffi::CString;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clack_extensions::latency::{HostLatency, HostLatencyImpl};
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamInfoBuffer,
    ParamRescanFlags, PluginParams,
};
use clack_host::prelude::*;
use clack_host::utils::ClapId;
use serde::{Deserialize, Serialize};

use super::clock;

/// The options of the hidden command `cargo xtask clap-host`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The `.clap` to load.
    #[arg(long)]
    plugin: PathBuf,
    /// Hz.
    #[arg(long, default_value_t = 48_000)]
    rate: u32,
    /// Frames a block.
    #[arg(long, default_value_t = 64)]
    block: u32,
    /// Where the output goes.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Tell of each channel that begins to sound after it was silent.
    #[arg(long)]
    listen: bool,
}

/// What a host can be told to do; one JSON object a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Go to bar 1 and play.
    Play,
    /// Stop.
    Stop,
    /// The host's tempo.
    Tempo {
        /// Quarter notes a minute.
        bpm: f64,
    },
    /// A note on the first port; velocity 0 ends it.
    Note {
        /// MIDI note.
        key: u16,
        /// 0 to 1.
        velocity: f64,
    },
    /// Move a parameter at once.
    Set {
        /// Its name, as the host reads it.
        param: String,
        /// 0 to 1.
        value: f64,
    },
    /// Automate a parameter in a straight line, sample-accurately.
    Ramp {
        /// Its name.
        param: String,
        /// 0 to 1.
        from: f64,
        /// 0 to 1.
        to: f64,
        /// How long.
        seconds: f64,
    },
    /// End.
    Quit,
}

/// An order, when it was read, and its parameter's id.
pub struct Stamped {
    order: Order,
    nanos: i64,
    param: Option<ClapId>,
}

/// What the plugin may ask of us from any thread.
#[derive(Default)]
struct Shared {
    wants_callback: AtomicBool,
}

impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.wants_callback.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for Shared {
    fn request_flush(&self) {}
}

/// The main thread's side; it has nothing to keep.
struct MainThread;

impl MainThreadHandler<'_> for MainThread {}

impl HostParamsImplMainThread for MainThread {
    fn rescan(&self, _flags: ParamRescanFlags) {}
    fn clear(&self, _param: ClapId, _flags: ParamClearFlags) {}
}

impl HostLatencyImpl for MainThread {
    fn changed(&self) {}
}

struct Host;

impl HostHandlers for Host {
    type Shared<'a> = Shared;
    type MainThread<'a> = MainThread;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _shared: &Self::Shared<'_>) {
        builder.register::<HostParams>().register::<HostLatency>();
    }
}

/// Writes one event.
fn tell(event: &serde_json::Value) {
    // A reader that went away will send no `quit` either; the end of its orders ends us.
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{event}");
}

/// `cargo xtask clap-host`.
pub fn run(arguments: &Arguments) -> Result<()> {
    // SAFETY: the bundle is our own; loading it runs no more than its entry.
    let entry = unsafe { PluginEntry::load(&arguments.plugin) }
        .with_context(|| format!("loading {}", arguments.plugin.display()))?;
    let factory = entry.get_plugin_factory().context("the bundle has no plugin factory")?;
    let id: CString = factory
        .plugin_descriptors()
        .find_map(|descriptor| descriptor.id().map(ToOwned::to_owned))
        .context("the bundle holds no plugin")?;
    let info = HostInfo::new("Antiphon's host", "Antiphon", "https://localhost", env!("CARGO_PKG_VERSION"))?;
    let mut instance =
        PluginInstance::<Host>::new(|_| Shared::default(), |_| MainThread, &entry, &id, &info)?;
    let params = parameters(&mut instance);
    let configuration = PluginAudioConfiguration {
        sample_rate: f64::from(arguments.rate),
        min_frames_count: 1,
        max_frames_count: arguments.block,
    };
    let stopped = instance.activate(|_, _| (), configuration)?;

    let (orders, received) = mpsc::channel();
    let (recording, writer) = record::writer(arguments.record.clone(), arguments.rate)?;
    let finished = AtomicBool::new(false);
    let names: Vec<&str> = params.iter().map(|(name, _)| name.as_str()).collect();
    tell(&serde_json::json!({"event": "ready", "params": names}));
    let stopped = std::thread::scope(|scope| -> Result<_> {
        std::thread::spawn(move || read_orders(&orders, &params));
        let processing = scope.spawn(|| {
            let outcome = audio::Audio::new(arguments, received, recording).run(stopped);
            finished.store(true, Ordering::Release);
            outcome
        });
        while !finished.load(Ordering::Acquire) {
            let asked =
                instance.access_shared_handler(|shared| shared.wants_callback.swap(false, Ordering::AcqRel));
            if asked {
                instance.call_on_main_thread_callback();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        processing.join().map_err(|_| anyhow!("the audio thread panicked"))?
    })?;
    instance.deactivate(stopped);
    drop(instance);
    writer.join().map_err(|_| anyhow!("the recorder panicked"))??;
    tell(&serde_json::json!({"event": "ended"}));
    Ok(())
}

/// Every parameter's name and id.
fn parameters(instance: &mut PluginInstance<Host>) -> Vec<(String, ClapId)> {
    let handle = instance.plugin_handle();
    let Some(extension) = handle.get_extension::<PluginParams>() else {
        return Vec::new();
    };
    let mut buffer = ParamInfoBuffer::new();
    (0..extension.count(&handle))
        .filter_map(|index| {
            let info = extension.get_info(&handle, index, &mut buffer)?;
            Some((String::from_utf8_lossy(info.name).into_owned(), info.id))
        })
        .collect()
}

fn read_orders(orders: &mpsc::Sender<Stamped>, params: &[(String, ClapId)]) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let nanos = clock::raw_nanos();
        match serde_json::from_str::<Order>(&line) {
            Err(error) => tell(&serde_json::json!({"event": "error", "message": format!("{line}: {error}")})),
            Ok(order) => {
                let wanted = match &order {
                    Order::Set { param, .. } | Order::Ramp { param, .. } => Some(param),
                    _ => None,
                };
                let param =
                    wanted.and_then(|name| params.iter().find(|(known, _)| known == name)).map(|(_, id)| *id);
                if let (Some(name), None) = (wanted, param) {
                    tell(&serde_json::json!({"event": "error", "message": format!("no parameter '{name}'")}));
                    continue;
                }
                if orders.send(Stamped { order, nanos, param }).is_err() {
                    return;
                }
            }
        }
    }
    // The end of the orders is the end of the host; the audio thread may have gone already.
    let _ = orders.send(Stamped { order: Order::Quit, nanos: clock::raw_nanos(), param: None });
}
