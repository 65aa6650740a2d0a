//! The program `antiphon-server`.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::invites::{Place, role_word};
use super::limits::{CONNECTIONS_PER_ADDRESS, Patience, Rates};
use super::store::Store;
use super::{Certificate, Listening, ServeConfig};
use crate::session::{Role, Seq, SessionFile};

/// Where the server's address is left for `session` to name in its link.
const ADDRESS_FILE: &str = "address";

/// The session server of Antiphon.
#[derive(Debug, Parser)]
#[command(name = "antiphon-server", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve sessions; prints one line with its address once it listens.
    Serve(ServeArguments),
    /// Make a session, or an invite to one, and print the invite link.
    Session {
        /// The folder of the store; a running server may use it at the same time.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// What the session is called.
        #[arg(long, default_value = "Jam")]
        name: String,
        /// The session to invite to, instead of a new one.
        #[arg(long)]
        session: Option<String>,
        /// The server's address, as those invited reach it; without it, the address at which the
        /// server of this store last listened.
        #[arg(long, env = "ANTIPHON_PUBLIC_URL")]
        url: Option<String>,
        /// What the link allows.
        #[arg(long, value_enum, default_value = "editor")]
        role: RoleName,
        /// Hours until the link expires.
        #[arg(long)]
        hours: Option<u32>,
        /// How many participants may come in by it.
        #[arg(long)]
        uses: Option<u32>,
    },
    /// List a session's invites, or revoke one: whoever came in by it leaves at once.
    Invite {
        #[command(subcommand)]
        command: InviteCommand,
    },
    /// Make a short code, good for ten minutes, that stands for an invite to a session.
    Code {
        /// The folder of the store.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The session's id.
        #[arg(long)]
        session: String,
        /// What the code allows.
        #[arg(long, value_enum, default_value = "editor")]
        role: RoleName,
    },
    /// Write a whole session to one file: state, log, who did what and when, branches, versions.
    Export {
        /// The folder of the store; a running server may use it at the same time.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The session's id.
        #[arg(long)]
        session: String,
        /// The file to write.
        file: PathBuf,
    },
    /// Make a session of a file that `export` or a peer wrote, and print an invite link to it.
    Import {
        /// The folder of the store; a running server may use it at the same time.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The file to read.
        file: PathBuf,
        /// The server's address, as those invited reach it; without it, the address at which the
        /// server of this store last listened.
        #[arg(long, env = "ANTIPHON_PUBLIC_URL")]
        url: Option<String>,
        /// What the link allows.
        #[arg(long, value_enum, default_value = "editor")]
        role: RoleName,
    },
    /// Print a session's commits as JSON, one a line, and a last line with seq and state digest.
    Dump {
        /// The folder of the store.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The session's id.
        #[arg(long)]
        session: String,
    },
}

#[derive(Debug, Subcommand)]
enum InviteCommand {
    /// List the invites as JSON, one a line, the newest first.
    List {
        /// The folder of the store.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The session's id.
        #[arg(long)]
        session: String,
    },
    /// Revoke an invite; a running server sends away whoever came in by it.
    Revoke {
        /// The folder of the store.
        #[arg(long, env = "ANTIPHON_DATA")]
        data: PathBuf,
        /// The session's id.
        #[arg(long)]
        session: String,
        /// The invite's id, as the list shows it.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct ServeArguments {
    /// The folder of the store; made where it is missing.
    #[arg(long, env = "ANTIPHON_DATA")]
    data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "ANTIPHON_LISTEN", default_value = "127.0.0.1:4747")]
    listen: SocketAddr,
    /// Listen beyond this machine without encryption.
    #[arg(long, env = "ANTIPHON_INSECURE_PLAINTEXT")]
    insecure_plaintext: bool,
    /// The certificate's chain in PEM, the server's own first.
    #[arg(long, env = "ANTIPHON_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key in PEM.
    #[arg(long, env = "ANTIPHON_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Speak TLS with a certificate made here; invite links carry its fingerprint.
    #[arg(long, env = "ANTIPHON_SELF_SIGNED", conflicts_with = "cert")]
    self_signed: bool,
    /// Connections at a time from one address (of IPv6: from one /64 network).
    #[arg(long, env = "ANTIPHON_CONNECTIONS_PER_ADDRESS", default_value_t = CONNECTIONS_PER_ADDRESS)]
    connections_per_address: u32,
    /// The address that invite links name, where a proxy stands before the server.
    #[arg(long, env = "ANTIPHON_PUBLIC_URL")]
    url: Option<String>,
    /// Edits and transport requests a second that one connection may send.
    #[arg(long, env = "ANTIPHON_DURABLE_RATE", default_value_t = Rates::default().durable)]
    durable_rate: u32,
    /// Gestures, presence and fingerprints a second that one connection may send.
    #[arg(long, env = "ANTIPHON_EPHEMERAL_RATE", default_value_t = Rates::default().ephemeral)]
    ephemeral_rate: u32,
    /// Seconds without a deed after which somebody counts as away.
    #[arg(long, env = "ANTIPHON_AWAY_SECONDS", default_value_t = seconds(Patience::default().away))]
    away_seconds: f64,
    /// Seconds for which somebody who has gone stays in the list.
    #[arg(long, hide = true, default_value_t = seconds(Patience::default().forget))]
    forget_seconds: f64,
    /// Bytes of one session's frames that may wait to be decided.
    #[arg(long, hide = true, default_value_t = Rates::default().session_bytes)]
    session_bytes: usize,
    /// Seconds that a token is good for.
    #[arg(long, hide = true, default_value_t = seconds(Patience::default().token))]
    token_seconds: f64,
    /// Seconds that a short code is good for.
    #[arg(long, hide = true, default_value_t = seconds(Patience::default().code))]
    code_seconds: f64,
    /// Seconds that a connection has for its HTTP head.
    #[arg(long, hide = true, default_value_t = seconds(Patience::default().head))]
    head_seconds: f64,
    /// Seconds that a socket has for its Hello.
    #[arg(long, hide = true, default_value_t = seconds(Patience::default().hello))]
    hello_seconds: f64,
}

fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}

fn span(seconds: f64) -> anyhow::Result<Duration> {
    let bounded = (0.001..=86_400.0).contains(&seconds);
    bounded.then(|| Duration::from_secs_f64(seconds)).context("a span has 0.001 to 86400 seconds")
}

impl ServeArguments {
    fn certificate(&self) -> Option<Certificate> {
        match (&self.cert, &self.key) {
            (Some(chain), Some(key)) => Some(Certificate::Files { chain: chain.clone(), key: key.clone() }),
            _ => self.self_signed.then_some(Certificate::SelfSigned),
        }
    }

    fn patience(&self) -> anyhow::Result<Patience> {
        Ok(Patience {
            away: span(self.away_seconds)?,
            forget: span(self.forget_seconds)?,
            token: span(self.token_seconds)?,
            code: span(self.code_seconds)?,
            head: span(self.head_seconds)?,
            hello: span(self.hello_seconds)?,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Listener,
    Editor,
    Owner,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Listener => Role::Listener,
            RoleName::Editor => Role::Editor,
            RoleName::Owner => Role::Owner,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("ANTIPHON_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ran =
        runtime.context("starting the runtime").and_then(|runtime| runtime.block_on(run(arguments.command)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("antiphon-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => serve(arguments).await,
        Command::Session { data, name, session, url, role, hours, uses } => {
            let store = open(&data).await?;
            let session = match session {
                Some(session) => session,
                None => store.create_session(&name).await?,
            };
            if store.session_name(&session).await?.is_none() {
                anyhow::bail!("there is no session '{session}' in {}", data.display());
            }
            let expires_at = hours.map(|hours| super::store::now_ms() + i64::from(hours) * 3_600_000);
            let invite = store.create_invite(&session, role.into(), expires_at, uses).await?;
            say(&invite.link(&last_place(&data, url)))
        }
        Command::Invite { command: InviteCommand::List { data, session } } => {
            for invite in existing(&data).await?.invites(&session).await? {
                say(&json!({
                    "id": format!("{:08x}", invite.id), "role": role_word(invite.role),
                    "expires_in": invite.expires_in, "uses_left": invite.uses_left,
                    "people": invite.people, "revoked": invite.revoked,
                })
                .to_string())?;
            }
            Ok(())
        }
        Command::Invite { command: InviteCommand::Revoke { data, session, id } } => {
            let number = u32::from_str_radix(&id, 16);
            let number = number.with_context(|| format!("'{id}' is no invite's id; see `invite list`"))?;
            if !existing(&data).await?.revoke_invite(&session, number).await? {
                anyhow::bail!("there is no invite {id} in force; see `invite list`");
            }
            say("revoked")
        }
        Command::Code { data, session, role } => {
            let store = existing(&data).await?;
            if store.session_name(&session).await?.is_none() {
                anyhow::bail!("there is no session '{session}' in {}", data.display());
            }
            let life = Patience::default().code.as_millis() as i64;
            let code = store.create_code(&session, role.into(), life).await?;
            say(&format!("{}/c/{}", last_place(&data, None).server, code.expose()))
        }
        Command::Export { data, session, file } => export(&existing(&data).await?, &session, &file).await,
        Command::Import { data, file, url, role } => {
            let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let content = SessionFile::decode(&bytes).with_context(|| file.display().to_string())?;
            let store = open(&data).await?;
            let session = store.import(&content).await?;
            let invite = store.create_invite(&session, role.into(), None, None).await?;
            say(&invite.link(&last_place(&data, url)))
        }
        Command::Dump { data, session } => dump(&existing(&data).await?, &session).await,
    }
}

async fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let rates = Rates {
        durable: arguments.durable_rate,
        ephemeral: arguments.ephemeral_rate,
        session_bytes: arguments.session_bytes,
        ..Rates::default()
    };
    let config = ServeConfig {
        data: arguments.data.clone(),
        listen: arguments.listen,
        insecure_plaintext: arguments.insecure_plaintext,
        certificate: arguments.certificate(),
        public_url: arguments.url.clone(),
        rates,
        patience: arguments.patience()?,
        connections_per_address: arguments.connections_per_address,
    };
    let ready = |Listening { address, tls, fingerprint }: Listening| {
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let own = format!("{scheme}://{}", reachable(address));
        let known_as = arguments.url.as_deref().unwrap_or(&own);
        let place = format!("{known_as}\n{}", fingerprint.unwrap_or_default());
        if let Err(error) = std::fs::write(arguments.data.join(ADDRESS_FILE), place) {
            tracing::warn!(%error, "the address could not be left in the data folder");
        }
        if let Err(error) = say(&format!("listening on {url}")) {
            tracing::warn!(%error, "standard output is closed");
        }
    };
    super::serve(config, ready, stop_signal()).await
}

async fn existing(data: &Path) -> anyhow::Result<Store> {
    if !Store::exists(data) {
        anyhow::bail!("there is no store in {}", data.display());
    }
    open(data).await
}

async fn open(data: &Path) -> anyhow::Result<Store> {
    Store::open(data).await.with_context(|| format!("opening the store in {}", data.display()))
}

/// Where the server of this store last listened, under the address given or its own.
fn last_place(data: &Path, url: Option<String>) -> Place {
    let kept = std::fs::read_to_string(data.join(ADDRESS_FILE)).unwrap_or_default();
    let mut lines = kept.lines();
    let server = lines.next().filter(|line| !line.is_empty()).unwrap_or("http://127.0.0.1:4747");
    let fingerprint = lines.next().filter(|line| !line.is_empty()).map(str::to_owned);
    Place { server: url.unwrap_or_else(|| server.to_owned()), fingerprint }
}

/// The address under which others reach a server that listens everywhere: this machine's own
/// towards the world. Nothing is sent to find it.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let (any, far) = match address {
        SocketAddr::V4(_) => ("0.0.0.0:0", "192.0.2.1:9"),
        SocketAddr::V6(_) => ("[::]:0", "[2001:db8::1]:9"),
    };
    let own = std::net::UdpSocket::bind(any).and_then(|socket| {
        socket.connect(far)?;
        socket.local_addr()
    });
    own.map_or(address, |own| SocketAddr::new(own.ip(), address.port()))
}

async fn export(store: &Store, session: &str, file: &Path) -> anyhow::Result<()> {
    let content = store.export(session).await?;
    let content = content.with_context(|| format!("there is no session '{session}' in this store"))?;
    // Beside it first: an export that fails leaves no half of a file behind.
    let beside = file.with_extension("part");
    std::fs::write(&beside, content.encode())
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("writing {}", file.display()))?;
    let commits = content.main.log.len() + content.branches.iter().map(|(_, log)| log.len()).sum::<usize>();
    say(&json!({ "session": session, "commits": commits, "branches": content.branches.len() }).to_string())
}

/// Replays the whole log from the beginning, so that what is printed owes nothing to a snapshot.
async fn dump(store: &Store, session: &str) -> anyhow::Result<()> {
    if store.session_name(session).await?.is_none() {
        anyhow::bail!("there is no session '{session}' in this store");
    }
    let mut state = store.origin(session).await?;
    loop {
        let commits = store.commits_after(session, state.seq(), 1000).await?;
        if commits.is_empty() {
            break;
        }
        for commit in &commits {
            state.apply(commit)?;
            say(&serde_json::to_string(commit)?)?;
        }
    }
    let Seq(seq) = state.seq();
    say(&json!({ "seq": seq, "digest": format!("{:016x}", state.digest()) }).to_string())
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}
