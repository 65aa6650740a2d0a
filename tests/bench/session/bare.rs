//! What a WebSocket broadcast without any session costs: each frame to everybody else, at once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

use super::{EDIT, MOVE};
use crate::report::{percentile, thread_time};

const LENGTH: Duration = Duration::from_secs(8);
/// What Ethernet, IPv4, TCP with timestamps and a short WebSocket head add to a frame, and what its
/// acknowledgement costs the other way.
const FRAMING: usize = 66 + 2;

/// What the broadcast showed.
pub struct Figures {
    pub p50: f64,
    pub p99: f64,
    /// Processor time of the broadcasting thread for each frame that it delivered, in µs.
    pub cpu_us: f64,
    /// Bytes a second to one participant.
    pub down: f64,
}

type Sink = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;

/// Plays the same jam through it: every edit and every move of a fader is a frame of `payload`
/// bytes. It neither orders, stores nor gathers anything.
pub fn played(people: usize, editors: usize, payload: usize) -> Figures {
    let (address, told) = std::sync::mpsc::channel();
    let relay = std::thread::spawn(move || runtime().block_on(relay(people, address)));
    let address = told.recv().expect("the relay listens");
    let latencies = Arc::new(Mutex::new(Vec::new()));
    let (heard, begun) = (latencies.clone(), Instant::now());
    runtime().block_on(async {
        let mut sinks: Vec<Sink> = Vec::new();
        for _ in 0..people {
            let (socket, _) = connect_async(format!("ws://{address}")).await.expect("it connects");
            let (sink, mut stream) = socket.split();
            sinks.push(sink);
            let heard = heard.clone();
            tokio::spawn(async move {
                while let Some(Ok(Message::Binary(bytes))) = stream.next().await {
                    let now = begun.elapsed().as_nanos() as u64;
                    let sent = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
                    heard.lock().expect("nobody panics").push(now.saturating_sub(sent) as f64 / 1e6);
                }
            });
        }
        let frame = || {
            let mut bytes = (begun.elapsed().as_nanos() as u64).to_le_bytes().to_vec();
            bytes.resize(payload.max(8), 0);
            Message::Binary(Bytes::from(bytes))
        };
        let begin = Instant::now();
        let mut edits: Vec<Instant> =
            (0..editors as u32).map(|n| begin + EDIT * n / editors as u32).collect();
        let mut moves = begin;
        while begin.elapsed() < LENGTH {
            let now = Instant::now();
            for (n, due) in edits.iter_mut().enumerate().filter(|(_, due)| **due <= now) {
                sinks[n].send(frame()).await.expect("it is sent");
                *due += EDIT;
            }
            if moves <= now {
                for n in (0..editors).step_by(8) {
                    sinks[n].send(frame()).await.expect("it is sent");
                }
                moves += MOVE;
            }
            let next = edits.iter().copied().fold(moves, Instant::min);
            tokio::time::sleep_until(next.into()).await;
        }
        for sink in &mut sinks {
            sink.close().await.expect("it closes");
        }
    });
    let (delivered, cpu) = relay.join().expect("the relay ends");
    let latencies = latencies.lock().expect("nobody panics");
    Figures {
        p50: percentile(&latencies, 0.5),
        p99: percentile(&latencies, 0.99),
        cpu_us: cpu.as_secs_f64() * 1e6 / delivered.max(1) as f64,
        down: (delivered as usize * (payload + FRAMING)) as f64 / people as f64 / LENGTH.as_secs_f64(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Passes every frame on until all have left; how many it delivered, and its processor time.
async fn relay(people: usize, told: std::sync::mpsc::Sender<String>) -> (u64, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    told.send(listener.local_addr().expect("an address").to_string()).expect("somebody waits");
    let (frames, mut all) = mpsc::unbounded_channel::<(usize, Option<Bytes>)>();
    let mut sinks = Vec::new();
    for n in 0..people {
        let (stream, _) = listener.accept().await.expect("somebody comes");
        stream.set_nodelay(true).expect("a socket");
        let (sink, mut stream) = accept_async(stream).await.expect("a handshake").split();
        sinks.push(sink);
        let frames = frames.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Binary(bytes) = message {
                    let _ = frames.send((n, Some(bytes)));
                }
            }
            let _ = frames.send((n, None));
        });
    }
    let begun = thread_time();
    let (mut here, mut delivered) = (people, 0);
    while here > 0 {
        let Some((from, frame)) = all.recv().await else { break };
        let Some(bytes) = frame else {
            here -= 1;
            continue;
        };
        for (n, sink) in sinks.iter_mut().enumerate().filter(|(n, _)| *n != from) {
            let _ = n;
            if sink.send(Message::Binary(bytes.clone())).await.is_ok() {
                delivered += 1;
            }
        }
    }
    (delivered, thread_time() - begun)
}
