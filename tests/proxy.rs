//! The shared clock over real WebSockets through a delaying network: a real client, a real server,
//! and one machine's raw clock for both, so that the truth is known.
#![cfg(all(feature = "client", feature = "server"))]

#[path = "support/delaying_proxy.rs"]
mod delaying_proxy;
#[path = "support/network_model.rs"]
mod network_model;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "support/peer.rs"]
mod peer;
#[path = "support/server.rs"]
mod server_process;

use std::time::{Duration, Instant};

use delaying_proxy::Proxy;
use network_model::Network;
use peer::{Peer, number};
use server_process::Server;

/// How long each network is watched; `ANTIPHON_PROXY_SECONDS` names another.
const SECONDS: u64 = 20;
/// Answers that begin the watch: the first burst is back.
const BURST: i64 = 10;

/// Session − host time as a peer on the spot has it, and how far that may be off.
fn truth(server: &Server, link: &str) -> (i64, i64) {
    let mut near = Peer::join(link, "near", &["--quiet"]);
    let clock = near.answer_when("clock", "clock", |line| number(line, "probes") >= 12);
    let truth = (number(&clock, "offset_ns"), number(&clock, "bound_ns"));
    assert!(near.quit() && server.get("/health").status == 200);
    truth
}

#[test]
fn through_a_delaying_network_the_certificate_holds_and_the_error_is_the_models() {
    let server = Server::start();
    let invite = server.session("editor");
    let direct = server.link(&invite);
    let (truth, unknown) = truth(&server, &direct);
    let watched = std::env::var("ANTIPHON_PROXY_SECONDS").ok().and_then(|word| word.parse().ok());
    let watched = Duration::from_secs(watched.unwrap_or(SECONDS));
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
    let until = Instant::now() + watched;
    while Instant::now() < until {
        for (network, peer, errors) in &mut peers {
            peer.order("clock");
            let clock = peer.until("clock", |line| Some(line.clone()));
            let error = (number(&clock, "offset_ns") - truth).abs();
            let bound = number(&clock, "bound_ns");
            assert!(
                error <= bound + unknown,
                "{network:?}: {error} ns off, certified ± {bound} ns, truth known to ± {unknown} ns"
            );
            errors.push((error, bound));
        }
    }
    println!("the truth is known to ± {} µs", unknown / 1_000);
    for (network, peer, errors) in peers {
        let mut sorted: Vec<i64> = errors.iter().map(|(error, _)| *error).collect();
        sorted.sort_unstable();
        let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1] / 1_000;
        let bound = errors.last().map_or(0, |(_, bound)| bound / 1_000);
        let (looks, p50, p99, most) = (sorted.len(), at(50), at(99), at(100));
        println!(
            "{network:?}: {looks} looks, p50 {p50} µs, p99 {p99} µs, most {most} µs, certified ± {bound} µs"
        );
        assert!(peer.quit());
    }
}
