//! Where the hub of a profile is met: a Unix domain socket in the profile's folder, for its owner
//! alone. Where the system has none, or the folder's path is too long for one, a TCP port of this
//! machine, which lets in only who has read a token from a file in the folder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

use super::term::Term;
use crate::client::profile::write_private;

/// Longer paths are no names of sockets: 104 bytes on Apple's systems, 108 on Linux.
const LONGEST: usize = 100;
/// How long somebody at the port may take to show the token.
const PATIENCE: Duration = Duration::from_secs(2);

/// Both directions of a connection.
pub struct Stream {
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

fn socket_path(folder: &Path, term: Term) -> Option<PathBuf> {
    let path = folder.join(term.file("hub", "sock"));
    (cfg!(unix) && path.as_os_str().len() <= LONGEST).then_some(path)
}

fn token_path(folder: &Path, term: Term) -> PathBuf {
    folder.join(term.file("hub", "port"))
}

/// Where a hub lets instances in. Made outside a runtime, used inside one.
pub struct Listener {
    waiting: Option<Bound>,
    open: Option<Open>,
}

enum Bound {
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixListener),
    Port(std::net::TcpListener, [u8; 16]),
}

enum Open {
    #[cfg(unix)]
    Socket(tokio::net::UnixListener),
    Port(TcpListener, [u8; 16]),
}

impl Listener {
    /// Opens the place of a term. Whoever calls it holds the term's lock: what stands there is a
    /// dead hub's.
    pub fn bind(folder: &Path, term: Term) -> anyhow::Result<Listener> {
        let bound = match socket_path(folder, term) {
            #[cfg(unix)]
            Some(path) => Bound::Socket(bind_socket(&path)?),
            #[cfg(not(unix))]
            Some(_) => unreachable!("only Unix has paths of sockets"),
            None => {
                let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
                listener.set_nonblocking(true)?;
                let token: [u8; 16] = rand::random();
                let text = format!("{} {:032x}\n", listener.local_addr()?.port(), u128::from_be_bytes(token));
                let path = token_path(folder, term);
                write_private(&path, text.as_bytes())
                    .with_context(|| format!("{} cannot be written", path.display()))?;
                Bound::Port(listener, token)
            }
        };
        Ok(Listener { waiting: Some(bound), open: None })
    }

    /// The next instance.
    pub async fn accept(&mut self) -> std::io::Result<Stream> {
        if let Some(bound) = self.waiting.take() {
            self.open = Some(match bound {
                #[cfg(unix)]
                Bound::Socket(listener) => Open::Socket(tokio::net::UnixListener::from_std(listener)?),
                Bound::Port(listener, token) => Open::Port(TcpListener::from_std(listener)?, token),
            });
        }
        match &self.open {
            #[cfg(unix)]
            Some(Open::Socket(listener)) => Ok(of_socket(listener.accept().await?.0)),
            Some(Open::Port(listener, token)) => {
                let (mut stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let mut shown = [0; 16];
                match timeout(PATIENCE, stream.read_exact(&mut shown)).await {
                    Ok(Ok(_)) if shown == *token => Ok(of_port(stream)),
                    _ => Err(std::io::Error::other("somebody without the token")),
                }
            }
            None => Err(std::io::Error::other("the place is closed")),
        }
    }
}

/// Goes to the hub of a profile's term.
pub async fn connect(folder: &Path, term: Term) -> std::io::Result<Stream> {
    match socket_path(folder, term) {
        #[cfg(unix)]
        Some(path) => Ok(of_socket(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Some(_) => unreachable!("only Unix has paths of sockets"),
        None => {
            let text = std::fs::read_to_string(token_path(folder, term))?;
            let place = text.trim().split_once(' ');
            let place = place
                .and_then(|(port, token)| Some((port.parse().ok()?, u128::from_str_radix(token, 16).ok()?)));
            let (port, token): (u16, u128) =
                place.ok_or_else(|| std::io::Error::other("hub.port holds no port and token"))?;
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&token.to_be_bytes()).await?;
            Ok(of_port(stream))
        }
    }
}

#[cfg(unix)]
fn bind_socket(path: &Path) -> anyhow::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::remove_file(path);
    let listener = std::os::unix::net::UnixListener::bind(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("{} cannot be made private", path.display()))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(unix)]
fn of_socket(stream: tokio::net::UnixStream) -> Stream {
    let (reader, writer) = stream.into_split();
    Stream { reader: Box::new(tokio::io::BufReader::new(reader)), writer: Box::new(writer) }
}

fn of_port(stream: TcpStream) -> Stream {
    let (reader, writer) = stream.into_split();
    Stream { reader: Box::new(tokio::io::BufReader::new(reader)), writer: Box::new(writer) }
}
