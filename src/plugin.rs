//! The plugin: host parameters, the adapter between a host and the engine, the project's state and
//! the editor.
//!
//! Thread: as each part says. Invariant: making, scanning and dropping an instance opens no file
//! and no socket and starts no thread; the session's thread starts with the first activation.
//!
//! `ANTIPHON_LINK` holds an invite link to join at activation, for scripts; `ANTIPHON_HOME` names
//! the profile folder, `ANTIPHON_NAME` what others read and `ANTIPHON_MODE` the mode of projects
//! that name none.

mod adapter;
mod desk;
mod editor;
#[cfg(feature = "midi")]
mod midi_clock;
pub mod params;
mod profile;
mod starter;
pub mod state;

use std::sync::Arc;

use nice_plug::prelude::*;

pub use self::desk::say_goodbye;
#[cfg(feature = "midi")]
pub use self::midi_clock::send_midi_clock;

use self::adapter::Adapter;
use self::desk::Desk;
use self::params::HostParams;
use crate::client::Link;
use crate::rt::EngineConfig;
use crate::rt::ports::{Mode, ports};

/// Hosts show it, and validators ask for it. The project has no public page yet.
const HOME_PAGE: &str = "https://antiphon.example";

/// One instance in a host.
pub struct Antiphon {
    params: Arc<HostParams>,
    desk: Arc<Desk>,
    adapter: Option<Adapter>,
}

impl Default for Antiphon {
    fn default() -> Antiphon {
        let desk = Desk::new();
        Antiphon { params: Arc::new(HostParams::new(desk.clone())), desk, adapter: None }
    }
}

impl Drop for Antiphon {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Plugin for Antiphon {
    const NAME: &'static str = "Antiphon";
    const VENDOR: &'static str = "Antiphon";
    const URL: &'static str = HOME_PAGE;
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] =
        &[AudioIOLayout { main_output_channels: NonZeroU32::new(2), ..AudioIOLayout::const_default() }];
    // Controllers, too: the musician's move what they have been taught to.
    const MIDI_INPUT: MidiConfig = MidiConfig::MidiCCs;
    const MIDI_OUTPUT: MidiConfig = MidiConfig::Basic;
    // Without it automation is as coarse as the block, and the sound depends on the block's size.
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = editor::Editor;
    type SysExMessage = ();
    // Dropping nice-plug's background worker can panic across the host's boundary: none is used.
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<editor::Editor> {
        editor::editor(self.desk.clone(), self.params.clone())
    }

    fn filter_state(state: &mut PluginState) {
        // The groove holds every parameter; the host's copies of them would be taken for moves.
        state.params.clear();
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        buffer: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        let config =
            EngineConfig { rate: f64::from(buffer.sample_rate), max_block: buffer.max_buffer_size as usize };
        if self.adapter.is_none() {
            let (session, engine) = ports();
            let project = self.desk.project();
            self.desk.handoff.clear();
            self.adapter = Some(Adapter::new(config, project.song, project.tempo_map, engine));
            self.desk.open(session, startup_link(&self.desk));
        }
        if let Some(adapter) = &mut self.adapter {
            adapter.prepare(config, buffer.process_mode == ProcessMode::Offline);
            context.set_latency_samples(adapter.latency_frames());
        }
        true
    }

    fn reset(&mut self) {
        if let Some(adapter) = &mut self.adapter {
            adapter.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        if let Some(adapter) = &mut self.adapter {
            adapter.process(buffer.as_slice(), &self.params, &self.desk.handoff, context);
        }
        // Patterns sound without any input.
        ProcessStatus::KeepAlive
    }
}

/// The link a script gives; one that cannot be read is shown at the editor.
fn startup_link(desk: &Desk) -> Option<Link> {
    let text = std::env::var("ANTIPHON_LINK").ok().filter(|text| !text.trim().is_empty())?;
    match text.parse() {
        Ok(link) => Some(link),
        Err(error) => {
            desk.notify(format!("ANTIPHON_LINK: {error}"));
            None
        }
    }
}

/// The mode a script gives to projects that name none; a word that is none is shown at the editor.
fn startup_mode(desk: &Desk) -> Option<Mode> {
    let text = std::env::var("ANTIPHON_MODE").ok().filter(|text| !text.trim().is_empty())?;
    match text.trim().parse() {
        Ok(mode) => Some(mode),
        Err(error) => {
            desk.notify(format!("ANTIPHON_MODE: {error}"));
            None
        }
    }
}

impl ClapPlugin for Antiphon {
    const CLAP_ID: &'static str = "org.antiphon.antiphon";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("One groove, played together from many studios");
    const CLAP_MANUAL_URL: Option<&'static str> = Some(HOME_PAGE);
    const CLAP_SUPPORT_URL: Option<&'static str> = Some(HOME_PAGE);
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::Instrument,
        ClapFeature::DrumMachine,
        ClapFeature::Synthesizer,
        ClapFeature::NoteEffect,
        ClapFeature::Stereo,
    ];

    fn remote_controls(&self, context: &mut impl RemoteControlsContext) {
        self.params.remote_controls(context);
    }
}

impl Vst3Plugin for Antiphon {
    const VST3_CLASS_ID: [u8; 16] = *b"AntiphonGroove01";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[
        Vst3SubCategory::Instrument,
        Vst3SubCategory::Drum,
        Vst3SubCategory::Synth,
        Vst3SubCategory::Stereo,
    ];
}
