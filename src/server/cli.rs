//! The program `antiphon-server`.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::ServeConfig;
use super::limits::Rates;
use super::store::Store;
use crate::session::{Role, Seq, State};

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
    /// The address that invite links name, where a proxy stands before the server.
    #[arg(long, env = "ANTIPHON_PUBLIC_URL")]
    url: Option<String>,
    /// Edits and transport requests a second that one connection may send.
    #[arg(long, env = "ANTIPHON_DURABLE_RATE", default_value_t = Rates::default().durable)]
    durable_rate: u32,
    /// Gestures, presence and fingerprints a second that one connection may send.
    #[arg(long, env = "ANTIPHON_EPHEMERAL_RATE", default_value_t = Rates::default().ephemeral)]
    ephemeral_rate: u32,
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
            say(&invite.link(&url.unwrap_or_else(|| last_address(&data))))
        }
        Command::Dump { data, session } => {
            if !Store::exists(&data) {
                anyhow::bail!("there is no store in {}", data.display());
            }
            dump(&open(&data).await?, &session).await
        }
    }
}

async fn serve(arguments: ServeArguments) -> anyhow::Result<()> {
    let rates =
        Rates { durable: arguments.durable_rate, ephemeral: arguments.ephemeral_rate, ..Rates::default() };
    let config = ServeConfig {
        data: arguments.data.clone(),
        listen: arguments.listen,
        insecure_plaintext: arguments.insecure_plaintext,
        public_url: arguments.url.clone(),
        rates,
    };
    let ready = |address: SocketAddr| {
        let url = format!("http://{address}");
        let known_as = arguments.url.as_deref().unwrap_or(&url);
        if let Err(error) = std::fs::write(arguments.data.join(ADDRESS_FILE), known_as) {
            tracing::warn!(%error, "the address could not be left in the data folder");
        }
        if let Err(error) = say(&format!("listening on {url}")) {
            tracing::warn!(%error, "standard output is closed");
        }
    };
    super::serve(config, ready, stop_signal()).await
}

async fn open(data: &Path) -> anyhow::Result<Store> {
    Store::open(data).await.with_context(|| format!("opening the store in {}", data.display()))
}

fn last_address(data: &Path) -> String {
    std::fs::read_to_string(data.join(ADDRESS_FILE)).unwrap_or_else(|_| "http://127.0.0.1:4747".to_owned())
}

/// Replays the whole log from the beginning, so that what is printed owes nothing to a snapshot.
async fn dump(store: &Store, session: &str) -> anyhow::Result<()> {
    if store.session_name(session).await?.is_none() {
        anyhow::bail!("there is no session '{session}' in this store");
    }
    let mut state = State::new();
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
