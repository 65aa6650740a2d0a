//! The shared clock over models of real networks: its certificate is never wrong, its error stays
//! within the bars, and a reference that begins again goes on in phase.

#[path = "timing/bars.rs"]
mod bars;
#[path = "timing/certificate.rs"]
mod certificate;
#[path = "support/clock_trial.rs"]
mod clock_trial;
#[path = "support/network_model.rs"]
mod network_model;
#[path = "timing/reference.rs"]
mod reference;
#[path = "timing/stepping.rs"]
mod stepping;
#[path = "support/stepping_trial.rs"]
mod stepping_trial;
#[path = "support/virtual_peer.rs"]
mod virtual_peer;

use network_model::Network;

const NETWORKS: [Network; 4] = [Network::Lan, Network::WiFi, Network::Wan, Network::Mobile];
