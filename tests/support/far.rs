//! Peers behind delaying networks, watched side by side: how far their clocks are off, and how far they
//! certify to be off at most.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::time::{Duration, Instant};

use crate::delaying_proxy::Proxy;
use crate::duo::truth;
use crate::network_model::Network;
use crate::peer::{Peer, number};
use crate::server_process::Server;

/// Answers that begin the watch: the first burst is back.
const BURST: i64 = 10;

/// What was seen; in ns.
pub struct Watched {
    /// How far off the truth may be that errors are taken from.
    pub unknown: i64,
    /// Of each network: error and certified bound at each look.
    pub looks: Vec<(Network, Vec<(i64, i64)>)>,
}

/// Watches a peer behind each of the four networks for so long.
pub fn watch(length: Duration) -> Watched {
    let server = Server::start();
    let invite = server.session("editor");
    let direct = server.link(&invite);
    let (truth, unknown) = truth(&direct);
    // Side by side, so that the watch is not four times as long.
    let networks = [Network::Lan, Network::WiFi, Network::Wan, Network::Mobile];
    let mut peers = networks.map(|network| {
        let proxy = Proxy::before(&server.address, network, 42);
        let link = direct.replace(&server.address, &proxy.address);
        (network, Peer::start(&link, "far", &["--quiet"]), Vec::new())
    });
    for (_, peer, _) in &mut peers {
        peer.answer_when("clock", "clock", |line| line["probes"].as_i64() >= Some(BURST));
    }
    let until = Instant::now() + length;
    while Instant::now() < until {
        for (_, peer, looks) in &mut peers {
            peer.order("clock");
            let clock = peer.until("clock", |line| Some(line.clone()));
            looks.push(((number(&clock, "offset_ns") - truth).abs(), number(&clock, "bound_ns")));
        }
    }
    let looks = peers.into_iter().map(|(network, peer, looks)| {
        assert!(peer.quit());
        (network, looks)
    });
    Watched { unknown, looks: looks.collect() }
}
