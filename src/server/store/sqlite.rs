//! The store on embedded SQLite: WAL with `synchronous=FULL`, one connection that writes.

mod anchor;
mod lines;
mod people;
mod transfer;

pub use people::{Admission, AdmitError};

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, QueryBuilder, Row, Sqlite};
use thiserror::Error;
use tokio::sync::Mutex;

use super::log::{self, LogError, Recovered};
use crate::server::invites::random_session_id;
use crate::session::{ClientId, ClientRecord, Commit, Cseq, Seq};

/// The store's file in the data folder.
const FILE: &str = "antiphon.db";
/// Snapshots kept a session: the newest, two to fall back on, and of the older ones the first of
/// each ten thousand commits, from which the past is rebuilt.
const SNAPSHOTS_KEPT: i64 = 3;

/// Sessions, logs, snapshots, participants and invites in one file.
pub struct Store {
    writer: Mutex<SqliteConnection>,
    readers: SqlitePool,
}

/// Why the store could not answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Commits that do not follow what is stored: somebody else wrote, or a write was lost.
    #[error("commit {first} does not follow the stored commit {head}")]
    Head {
        /// The last commit stored.
        head: u64,
        /// The first that was to be written.
        first: u64,
    },
    /// A session's log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Store {
    /// Opens the store in a folder, made where it is missing, and brings its tables up to date.
    /// Several processes may hold one store open.
    ///
    /// # Errors
    /// The folder or file cannot be written, or holds something else.
    pub async fn open(data: &Path) -> Result<Store, StoreError> {
        std::fs::create_dir_all(data).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(data.join(FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let mut writer = SqliteConnection::connect_with(&options).await?;
        sqlx::migrate!("src/server/store/migrations/sqlite").run(&mut writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        Ok(Store { writer: Mutex::new(writer), readers })
    }

    /// Whether a folder holds a store.
    pub fn exists(data: &Path) -> bool {
        data.join(FILE).exists()
    }

    /// When this store was made, in ns since 1970: the zero of its sessions' time.
    ///
    /// # Errors
    /// The store fails.
    pub async fn created_at(&self) -> Result<i64, StoreError> {
        let mut writer = self.writer.lock().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        sqlx::query("INSERT INTO meta (key, value) VALUES ('created_at', ?) ON CONFLICT DO NOTHING")
            .bind(now.to_string())
            .execute(&mut *writer)
            .await?;
        let row = sqlx::query("SELECT value FROM meta WHERE key = 'created_at'");
        let value: String = row.fetch_one(&mut *writer).await?.get(0);
        Ok(value.parse().unwrap_or(now))
    }

    /// Proves that the store takes writes.
    ///
    /// # Errors
    /// It does not.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ('checked_at', ?1) ON CONFLICT DO UPDATE SET value = ?1",
        )
        .bind(now_ms().to_string())
        .execute(&mut *writer)
        .await?;
        Ok(())
    }

    /// Makes a session and returns its id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_session(&self, name: &str) -> Result<String, StoreError> {
        let id = random_session_id();
        sqlx::query("INSERT INTO sessions (id, name, created_at) VALUES (?, ?, ?)")
            .bind(&id)
            .bind(name)
            .bind(now_ms())
            .execute(&mut *self.writer.lock().await)
            .await?;
        Ok(id)
    }

    /// A session's name; `None` where there is no such session.
    ///
    /// # Errors
    /// The store fails.
    pub async fn session_name(&self, session: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT name FROM sessions WHERE id = ?").bind(session);
        Ok(row.fetch_optional(&self.readers).await?.map(|row| row.get(0)))
    }

    /// Writes commits and the authors' records in one transaction; on `Ok` they are on the disk.
    ///
    /// # Errors
    /// The store fails; nothing of it was written.
    pub async fn append(
        &self,
        session: &str,
        commits: &[Commit],
        clients: &[(ClientId, ClientRecord)],
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(first) = commits.first() {
            let head = sqlx::query("SELECT MAX(seq) FROM commits WHERE session = ?");
            let head: Option<i64> = head.bind(session).fetch_one(&mut *change).await?.get(0);
            let head = match head {
                Some(head) => head,
                None => self.origin(session).await?.seq().0 as i64,
            };
            follows(head, first)?;
            let at = now_ms();
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO commits (session, seq, author, cseq, committed_at, bytes) ",
            );
            insert.push_values(commits, |mut row, commit| {
                row.push_bind(session)
                    .push_bind(commit.seq.0 as i64)
                    .push_bind(commit.author.0)
                    .push_bind(commit.cseq.0 as i64)
                    .push_bind(at)
                    .push_bind(log::commit_bytes(commit));
            });
            insert.build().execute(&mut *change).await?;
        }
        for (client, record) in clients {
            sqlx::query("UPDATE clients SET record = ? WHERE session = ? AND client = ?")
                .bind(log::record_bytes(record))
                .bind(session)
                .bind(client.0)
                .execute(&mut *change)
                .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// Commits `(after, after + limit]`, in order.
    ///
    /// # Errors
    /// The store fails or a row is corrupt.
    pub async fn commits_after(
        &self,
        session: &str,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Commit>, StoreError> {
        let rows =
            sqlx::query("SELECT seq, bytes FROM commits WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?")
                .bind(session)
                .bind(after.0 as i64)
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        let rows = rows.iter().map(|row| (Seq(row.get::<i64, _>(0) as u64), row.get::<&[u8], _>(1)));
        Ok(log::gapless(after, rows)?)
    }

    /// The commit that a client's frame became, if it was committed.
    ///
    /// # Errors
    /// The store fails or the row is corrupt.
    pub async fn commit_of(
        &self,
        session: &str,
        author: ClientId,
        cseq: Cseq,
    ) -> Result<Option<Commit>, StoreError> {
        let row = sqlx::query("SELECT seq, bytes FROM commits WHERE session = ? AND author = ? AND cseq = ?")
            .bind(session)
            .bind(author.0)
            .bind(cseq.0 as i64)
            .fetch_optional(&self.readers)
            .await?;
        one_commit(row.as_ref())
    }

    /// The commits that a client's frames from one to another became.
    ///
    /// # Errors
    /// The store fails.
    pub async fn commits_of(
        &self,
        session: &str,
        author: ClientId,
        from: Cseq,
        to: Cseq,
    ) -> Result<std::collections::BTreeMap<Cseq, Seq>, StoreError> {
        let rows = sqlx::query(
            "SELECT cseq, seq FROM commits WHERE session = ? AND author = ? AND cseq BETWEEN ? AND ?",
        )
        .bind(session)
        .bind(author.0)
        .bind(from.0 as i64)
        .bind(to.0 as i64)
        .fetch_all(&self.readers)
        .await?;
        let pair = |row: &sqlx::sqlite::SqliteRow| {
            (Cseq(row.get::<i64, _>(0) as u64), Seq(row.get::<i64, _>(1) as u64))
        };
        Ok(rows.iter().map(pair).collect())
    }

    /// Keeps a snapshot of the state at `seq`, and drops those too old to fall back on.
    ///
    /// # Errors
    /// The store fails.
    pub async fn save_snapshot(&self, session: &str, seq: Seq, bytes: &[u8]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT OR REPLACE INTO snapshots (session, seq, created_at, checksum, bytes) \
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(session)
        .bind(seq.0 as i64)
        .bind(now_ms())
        .bind(log::checksum(bytes))
        .bind(bytes)
        .execute(&mut *change)
        .await?;
        sqlx::query(
            "DELETE FROM snapshots WHERE session = ?1 AND seq NOT IN \
             (SELECT seq FROM snapshots WHERE session = ?1 ORDER BY seq DESC LIMIT ?2) AND seq NOT IN \
             (SELECT MIN(seq) FROM snapshots WHERE session = ?1 GROUP BY seq / 10000)",
        )
        .bind(session)
        .bind(SNAPSHOTS_KEPT)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// A session as it stands: the newest snapshot that is whole, and the log after it. Corrupt
    /// snapshots are reported and passed over.
    ///
    /// # Errors
    /// The store fails, or the log has a gap or a corrupt row.
    pub async fn recover(&self, session: &str) -> Result<Recovered, StoreError> {
        let snapshots =
            sqlx::query("SELECT seq, checksum, bytes FROM snapshots WHERE session = ? ORDER BY seq DESC")
                .bind(session)
                .fetch_all(&self.readers)
                .await?;
        let snapshots =
            snapshots.iter().map(|row| (Seq(row.get::<i64, _>(0) as u64), row.get(1), row.get(2)));
        let (mut seq, mut state) = match log::newest_whole(session, snapshots) {
            Some(whole) => whole,
            None => {
                let origin = self.origin(session).await?;
                (origin.seq(), origin)
            }
        };
        loop {
            let commits = self.commits_after(session, seq, 1000).await?;
            let Some(last) = commits.last() else { break };
            seq = last.seq;
            log::replay(&mut state, &commits)?;
        }
        let rows = sqlx::query("SELECT client, record FROM clients WHERE session = ? AND record IS NOT NULL")
            .bind(session)
            .fetch_all(&self.readers)
            .await?;
        let rows = rows.iter().map(|row| (ClientId(row.get::<i64, _>(0) as u32), row.get::<&[u8], _>(1)));
        Ok(Recovered { state, clients: log::records(rows)? })
    }
}

pub(in crate::server) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Whether a line's next commit is the one after its head.
fn follows(head: i64, first: &Commit) -> Result<(), StoreError> {
    match head + 1 == first.seq.0 as i64 {
        true => Ok(()),
        false => Err(StoreError::Head { head: head as u64, first: first.seq.0 }),
    }
}

/// A row of seq and bytes as a commit.
fn one_commit(row: Option<&sqlx::sqlite::SqliteRow>) -> Result<Option<Commit>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let seq = row.get::<i64, _>(0) as u64;
    let found = std::iter::once((Seq(seq), row.get::<&[u8], _>(1)));
    Ok(log::gapless(Seq(seq.saturating_sub(1)), found)?.pop())
}
