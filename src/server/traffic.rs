//! Bytes on the wire of one connection, framing included.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpStream;

/// What Ethernet, IPv4 and TCP with timestamps add to a segment.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SEGMENT_OVERHEAD: u64 = 66;
/// What a frame costs beside its payload where the kernel does not count segments: TCP/IP on
/// Ethernet, the WebSocket's header, and the other side's acknowledgement now and then.
const FRAME_OVERHEAD: u64 = 76;

/// Bytes since a connection began, seen from the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// From the client.
    pub up: u64,
    /// To the client.
    pub down: u64,
}

impl std::ops::Add for Bytes {
    type Output = Bytes;
    fn add(self, other: Bytes) -> Bytes {
        Bytes { up: self.up + other.up, down: self.down + other.down }
    }
}

impl std::ops::Sub for Bytes {
    type Output = Bytes;
    fn sub(self, other: Bytes) -> Bytes {
        Bytes { up: self.up.saturating_sub(other.up), down: self.down.saturating_sub(other.down) }
    }
}

/// Counts one connection's bytes: on Linux as the kernel's `TCP_INFO` has them (payload both ways
/// and every segment, acknowledgements too), elsewhere by payload and frames.
#[derive(Debug)]
pub struct TrafficMeter {
    // A duplicate keeps the socket open: who holds the meter must let go of it when the connection
    // ends. Rooms hold it weakly.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    socket: Option<std::os::fd::OwnedFd>,
    up: AtomicU64,
    down: AtomicU64,
}

impl TrafficMeter {
    /// A meter on a socket.
    pub fn new(socket: &TcpStream) -> TrafficMeter {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        let duplicate = {
            use std::os::fd::AsFd;
            socket.as_fd().try_clone_to_owned().ok()
        };
        let _ = socket;
        TrafficMeter {
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            socket: duplicate,
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        }
    }

    /// A frame of this payload came.
    pub fn received(&self, payload: usize) {
        self.up.fetch_add(payload as u64 + FRAME_OVERHEAD, Ordering::Relaxed);
    }

    /// A frame of this payload went.
    pub fn sent(&self, payload: usize) {
        self.down.fetch_add(payload as u64 + FRAME_OVERHEAD, Ordering::Relaxed);
    }

    /// The bytes so far.
    pub fn read(&self) -> Bytes {
        self.kernel()
            .unwrap_or(Bytes { up: self.up.load(Ordering::Relaxed), down: self.down.load(Ordering::Relaxed) })
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn kernel(&self) -> Option<Bytes> {
        use std::os::fd::AsRawFd;
        let socket = self.socket.as_ref()?;
        // SAFETY: the all-zero bit pattern is a valid `tcp_info`, a struct of integers.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the descriptor is open as long as `self`; `info` has room for `length` bytes.
        let answer = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &mut length,
            )
        };
        (answer == 0).then(|| Bytes {
            up: info.tcpi_bytes_received + SEGMENT_OVERHEAD * u64::from(info.tcpi_segs_in),
            down: info.tcpi_bytes_acked + SEGMENT_OVERHEAD * u64::from(info.tcpi_segs_out),
        })
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn kernel(&self) -> Option<Bytes> {
        None
    }
}
