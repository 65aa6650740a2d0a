//! Whole sessions in and out of the store.

use rand::Rng;
use sqlx::{Connection, QueryBuilder, Sqlite};

use super::lines::insert_branch_rows;
use super::{Store, StoreError, now_ms};
use crate::server::invites::random_session_id;
use crate::server::store::log;
use crate::session::{BranchId, Line, Row, Seq, SessionFile, State};

/// Commits read or written at a time.
const CHUNK: usize = 1000;

impl Store {
    /// A session as it stands, with everything that its file holds; `None` where there is no such
    /// session. The log is replayed from its beginning, so that what is exported owes nothing to a
    /// snapshot.
    ///
    /// # Errors
    /// The store fails, or a log has a gap, a corrupt row or does not replay.
    pub async fn export(&self, session: &str) -> Result<Option<SessionFile>, StoreError> {
        let Some(name) = self.session_name(session).await? else { return Ok(None) };
        let origin = Box::new(self.origin(session).await?);
        let log = self.whole_log(session, BranchId::MAIN, origin.seq()).await?;
        let mut head = origin.clone();
        for row in &log {
            head.apply(&row.commit).map_err(log::LogError::from)?;
        }
        let mut branches = Vec::new();
        for branch in head.records().branches() {
            branches.push((branch.id, self.whole_log(session, branch.id, branch.fork_seq).await?));
        }
        let people = self.people(session).await?;
        Ok(Some(SessionFile { name, people, main: Line { origin, log }, head, branches }))
    }

    async fn whole_log(&self, session: &str, line: BranchId, after: Seq) -> Result<Vec<Row>, StoreError> {
        let mut log: Vec<Row> = Vec::new();
        loop {
            let after = log.last().map_or(after, |row| row.commit.seq);
            let more = self.rows_after(session, line, after, Seq(u64::MAX), CHUNK as u32).await?;
            if more.is_empty() {
                return Ok(log);
            }
            log.extend(more);
        }
    }

    /// Makes a session of a file, whole or not at all, and returns its new id. Those who took part
    /// keep their names and numbers, but nobody can come back as one of them.
    ///
    /// # Errors
    /// The store fails.
    pub async fn import(&self, file: &SessionFile) -> Result<String, StoreError> {
        let id = random_session_id();
        let origin = (*file.main.origin != State::new()).then(|| file.main.origin.encode());
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO sessions (id, name, created_at, origin) VALUES (?, ?, ?, ?)")
            .bind(&id)
            .bind(&file.name)
            .bind(now_ms())
            .bind(origin)
            .execute(&mut *change)
            .await?;
        for (client, name) in &file.people {
            let mut key = [0; 16];
            rand::rng().fill_bytes(&mut key);
            sqlx::query("INSERT INTO clients (session, client, key, invite, name) VALUES (?, ?, ?, ?, ?)")
                .bind(&id)
                .bind(client.0)
                .bind(key.to_vec())
                .bind(Vec::new())
                .bind(name)
                .execute(&mut *change)
                .await?;
        }
        for rows in file.main.log.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO commits (session, seq, author, cseq, committed_at, bytes) ",
            );
            insert.push_values(rows, |mut values, Row { at_ms, commit }| {
                values
                    .push_bind(&id)
                    .push_bind(commit.seq.0 as i64)
                    .push_bind(commit.author.0)
                    .push_bind(commit.cseq.0 as i64)
                    .push_bind(*at_ms)
                    .push_bind(log::commit_bytes(commit));
            });
            insert.build().execute(&mut *change).await?;
        }
        for (branch, log) in &file.branches {
            let rows: Vec<_> = log.iter().map(|row| (row.at_ms, &row.commit)).collect();
            insert_branch_rows(&mut change, &id, *branch, &rows).await?;
        }
        change.commit().await?;
        Ok(id)
    }
}
