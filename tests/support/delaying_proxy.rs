//! A network in this process: it carries TCP connections to a server and delays each direction by a
//! model's law, seeded, order kept. Delays begin when bytes are read and end when they are written,
//! by threads of their own, so that no other delay is shorter than the model's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::network_model::{Network, Path, Way};

/// A proxy before a server; it carries until the process ends.
pub struct Proxy {
    /// Where it listens: `127.0.0.1:port`.
    pub address: String,
}

impl Proxy {
    /// A proxy before `server` (`127.0.0.1:port`).
    pub fn before(server: &str, network: Network, seed: u64) -> Proxy {
        Proxy::skewed(server, network, seed, 0.0)
    }

    /// A proxy whose way up is longer than its way down by so many ns more than the model's.
    pub fn skewed(server: &str, network: Network, seed: u64, longer_up: f64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let server: SocketAddr = server.parse().expect("the server's address");
        let begun = Instant::now();
        let connections = Arc::new(AtomicU64::new(0));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let seed = seed + 1_000 * connections.fetch_add(1, Ordering::Relaxed);
                for (way, from, to) in [(Way::Up, &client, &upstream), (Way::Down, &upstream, &client)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    to.set_nodelay(true).expect("a socket");
                    carry(from, to, Path::new(network, seed, longer_up), way, begun);
                }
            }
        });
        Proxy { address }
    }
}

/// Carries one direction. The two directions of a connection have a path each, from one seed: their
/// bad periods agree, their draws do not depend on each other.
fn carry(mut from: TcpStream, mut to: TcpStream, mut path: Path, way: Way, begun: Instant) {
    let (sender, under_way) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let left = begun.elapsed().as_nanos() as i64;
            let arrives = begun + Duration::from_nanos(path.arrival(way, left) as u64);
            if sender.send((arrives, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (arrives, bytes) in under_way {
            // The delay itself.
            std::thread::sleep(arrives.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
