//! Lines of history: branches' commits, and any line's past.

use sqlx::{Connection, QueryBuilder, Row as _, Sqlite};

use super::{Store, StoreError, follows, now_ms, one_commit};
use crate::server::store::log::{self, LogError, Recovered};
use crate::session::{BranchId, ClientId, ClientRecord, Commit, Cseq, Records, Row, Seq, State};

/// Commits read at a time.
const CHUNK: u32 = 1000;
/// Snapshots kept of a branch: the one it began with and the newest.
const BRANCH_SNAPSHOTS_KEPT: i64 = 2;

impl Store {
    /// The state a session began with.
    ///
    /// # Errors
    /// The store fails, or it is corrupt.
    pub async fn origin(&self, session: &str) -> Result<State, StoreError> {
        let row = sqlx::query("SELECT origin FROM sessions WHERE id = ?").bind(session);
        let row = row.fetch_optional(&self.readers).await?;
        let bytes: Option<Vec<u8>> = row.and_then(|row| row.get(0));
        match bytes.map(|bytes| State::decode(&bytes)) {
            None => Ok(State::new()),
            Some(Ok(state)) => Ok(state),
            Some(Err(error)) => {
                Err(LogError::Corrupt { what: format!("the session's beginning ({error})") }.into())
            }
        }
    }

    /// Writes a branch's commits and its authors' records in one transaction; on `Ok` they are on
    /// the disk. `fork` is the parent's commit after which the branch began.
    ///
    /// # Errors
    /// The store fails; nothing of it was written.
    pub async fn append_branch(
        &self,
        session: &str,
        branch: BranchId,
        fork: Seq,
        commits: &[Commit],
        clients: &[(ClientId, ClientRecord)],
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(first) = commits.first() {
            let head = "SELECT COALESCE(MAX(seq), ?) FROM branch_commits WHERE session = ? AND branch = ?";
            let head = sqlx::query(head).bind(fork.0 as i64).bind(session).bind(branch.0);
            let head: i64 = head.fetch_one(&mut *change).await?.get(0);
            follows(head, first)?;
        }
        let at = now_ms();
        let rows: Vec<_> = commits.iter().map(|commit| (at, commit)).collect();
        insert_branch_rows(&mut change, session, branch, &rows).await?;
        for (client, record) in clients {
            sqlx::query(
                "INSERT OR REPLACE INTO branch_clients (session, branch, client, record) VALUES (?, ?, ?, ?)",
            )
            .bind(session)
            .bind(branch.0)
            .bind(client.0)
            .bind(log::record_bytes(record))
            .execute(&mut *change)
            .await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// The commit that a client's frame to a branch became, if it was committed.
    ///
    /// # Errors
    /// The store fails or the row is corrupt.
    pub async fn branch_commit_of(
        &self,
        session: &str,
        branch: BranchId,
        author: ClientId,
        cseq: Cseq,
    ) -> Result<Option<Commit>, StoreError> {
        let row = sqlx::query(
            "SELECT seq, bytes FROM branch_commits \
             WHERE session = ? AND branch = ? AND author = ? AND cseq = ?",
        )
        .bind(session)
        .bind(branch.0)
        .bind(author.0)
        .bind(cseq.0 as i64)
        .fetch_optional(&self.readers)
        .await?;
        one_commit(row.as_ref())
    }

    /// A branch as it stands.
    ///
    /// # Errors
    /// The store fails, or a log has a gap or a corrupt row. `None`: it is not in the records, or
    /// begins where its parent has never been.
    pub async fn recover_branch(
        &self,
        session: &str,
        records: &Records,
        branch: BranchId,
    ) -> Result<Option<Recovered>, StoreError> {
        let Some(record) = records.branch(branch) else { return Ok(None) };
        let Some(begin) = self.state_at(session, records, branch, record.fork_seq).await? else {
            return Ok(None);
        };
        if self.snapshot_before(session, branch, record.fork_seq).await?.is_none() {
            // So that the parent's log need not be read again.
            self.save_branch_snapshot(session, branch, begin.seq(), &begin.encode()).await?;
        }
        let (_, mut state) =
            self.snapshot_before(session, branch, Seq(u64::MAX >> 1)).await?.unwrap_or((begin.seq(), begin));
        self.replay(session, branch, &mut state, Seq(u64::MAX >> 1)).await?;
        let rows = sqlx::query("SELECT client, record FROM branch_clients WHERE session = ? AND branch = ?")
            .bind(session)
            .bind(branch.0)
            .fetch_all(&self.readers)
            .await?;
        let rows = rows.iter().map(|row| (ClientId(row.get::<i64, _>(0) as u32), row.get::<&[u8], _>(1)));
        Ok(Some(Recovered { state, clients: log::records(rows)? }))
    }

    /// A line's state after a commit: the newest whole snapshot before it and the log between.
    /// `None` where there is no such line or commit.
    ///
    /// # Errors
    /// The store fails, or a log has a gap or a corrupt row.
    pub async fn state_at(
        &self,
        session: &str,
        records: &Records,
        line: BranchId,
        seq: Seq,
    ) -> Result<Option<State>, StoreError> {
        // From the line towards the root until a snapshot serves, then back along the logs.
        let mut way = vec![(line, seq)];
        let mut state = loop {
            let (line, seq) = way[way.len() - 1];
            if let Some((_, state)) = self.snapshot_before(session, line, seq).await? {
                break state;
            }
            if line == BranchId::MAIN {
                break self.origin(session).await?;
            }
            let Some(branch) = records.branch(line) else { return Ok(None) };
            if seq < branch.fork_seq {
                return Ok(None);
            }
            way.push((branch.parent, branch.fork_seq));
        };
        for (line, seq) in way.into_iter().rev() {
            self.replay(session, line, &mut state, seq).await?;
            if state.seq() != seq {
                return Ok(None);
            }
        }
        Ok(Some(state))
    }

    /// Applies a line's commits up to `seq`, as far as there are.
    async fn replay(
        &self,
        session: &str,
        line: BranchId,
        state: &mut State,
        seq: Seq,
    ) -> Result<(), StoreError> {
        while state.seq() < seq {
            let rows = self.rows_after(session, line, state.seq(), seq, CHUNK).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                state.apply(&row.commit).map_err(LogError::from)?;
            }
        }
        Ok(())
    }

    /// The newest whole snapshot of a line at or before a commit.
    async fn snapshot_before(
        &self,
        session: &str,
        line: BranchId,
        seq: Seq,
    ) -> Result<Option<(Seq, State)>, StoreError> {
        let query = match line {
            BranchId::MAIN => sqlx::query(
                "SELECT seq, checksum, bytes FROM snapshots WHERE session = ? AND seq <= ? ORDER BY seq DESC",
            )
            .bind(session)
            .bind(seq.0 as i64),
            line => sqlx::query(
                "SELECT seq, checksum, bytes FROM branch_snapshots \
                 WHERE session = ? AND branch = ? AND seq <= ? ORDER BY seq DESC",
            )
            .bind(session)
            .bind(line.0)
            .bind(seq.0 as i64),
        };
        let rows = query.fetch_all(&self.readers).await?;
        let snapshots = rows.iter().map(|row| (Seq(row.get::<i64, _>(0) as u64), row.get(1), row.get(2)));
        Ok(log::newest_whole(session, snapshots))
    }

    /// Keeps a snapshot of a branch, and drops those that no longer serve.
    ///
    /// # Errors
    /// The store fails.
    pub async fn save_branch_snapshot(
        &self,
        session: &str,
        branch: BranchId,
        seq: Seq,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT OR REPLACE INTO branch_snapshots (session, branch, seq, created_at, checksum, bytes) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(session)
        .bind(branch.0)
        .bind(seq.0 as i64)
        .bind(now_ms())
        .bind(log::checksum(bytes))
        .bind(bytes)
        .execute(&mut *change)
        .await?;
        sqlx::query(
            "DELETE FROM branch_snapshots WHERE session = ?1 AND branch = ?2 \
             AND seq > (SELECT MIN(seq) FROM branch_snapshots WHERE session = ?1 AND branch = ?2) \
             AND seq NOT IN (SELECT seq FROM branch_snapshots WHERE session = ?1 AND branch = ?2 \
             ORDER BY seq DESC LIMIT ?3)",
        )
        .bind(session)
        .bind(branch.0)
        .bind(BRANCH_SNAPSHOTS_KEPT)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        Ok(())
    }

    /// A line's commits in `(after, upto]` with their times, in order, at most `limit`.
    ///
    /// # Errors
    /// The store fails, or the log has a gap or a corrupt row.
    pub async fn rows_after(
        &self,
        session: &str,
        line: BranchId,
        after: Seq,
        upto: Seq,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let query = match line {
            BranchId::MAIN => sqlx::query(
                "SELECT seq, committed_at, bytes FROM commits \
                 WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            )
            .bind(session),
            line => sqlx::query(
                "SELECT seq, committed_at, bytes FROM branch_commits \
                 WHERE session = ? AND branch = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            )
            .bind(session)
            .bind(line.0),
        };
        let upto = i64::try_from(upto.0).unwrap_or(i64::MAX);
        let rows = query.bind(after.0 as i64).bind(upto).bind(limit).fetch_all(&self.readers).await?;
        let commits = rows.iter().map(|row| (Seq(row.get::<i64, _>(0) as u64), row.get::<&[u8], _>(2)));
        let commits = log::gapless(after, commits)?;
        Ok(rows.iter().zip(commits).map(|(row, commit)| Row { at_ms: row.get(1), commit }).collect())
    }

    /// A line's last commits before `before` (`None`: the last of all) with their times, in order,
    /// at most `limit`.
    ///
    /// # Errors
    /// The store fails, or the log has a gap or a corrupt row.
    pub async fn rows_before(
        &self,
        session: &str,
        line: BranchId,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        let head = match line {
            BranchId::MAIN => {
                sqlx::query("SELECT MAX(seq), MIN(seq) FROM commits WHERE session = ?").bind(session)
            }
            line => {
                sqlx::query("SELECT MAX(seq), MIN(seq) FROM branch_commits WHERE session = ? AND branch = ?")
                    .bind(session)
                    .bind(line.0)
            }
        };
        let head = head.fetch_one(&self.readers).await?;
        let (Some(last), Some(first)) = (head.get::<Option<i64>, _>(0), head.get::<Option<i64>, _>(1)) else {
            return Ok(Vec::new());
        };
        let upto = before.map_or(last as u64, |before| (last as u64).min(before.0.saturating_sub(1)));
        let after = upto.saturating_sub(u64::from(limit)).max(first as u64 - 1);
        self.rows_after(session, line, Seq(after), Seq(upto), limit).await
    }

    /// What participants of a session are called, in order of their numbers.
    ///
    /// # Errors
    /// The store fails.
    pub async fn people(&self, session: &str) -> Result<Vec<(ClientId, String)>, StoreError> {
        let rows = sqlx::query("SELECT client, name FROM clients WHERE session = ? ORDER BY client");
        let rows = rows.bind(session).fetch_all(&self.readers).await?;
        Ok(rows.iter().map(|row| (ClientId(row.get::<i64, _>(0) as u32), row.get(1))).collect())
    }
}

/// Rows a statement holds: SQLite bounds its parameters.
const ROWS: usize = 1000;

pub(super) async fn insert_branch_rows(
    change: &mut sqlx::SqliteConnection,
    session: &str,
    branch: BranchId,
    rows: &[(i64, &Commit)],
) -> Result<(), StoreError> {
    for rows in rows.chunks(ROWS) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO branch_commits (session, branch, seq, author, cseq, committed_at, bytes) ",
        );
        insert.push_values(rows, |mut row, (at, commit)| {
            row.push_bind(session)
                .push_bind(branch.0)
                .push_bind(commit.seq.0 as i64)
                .push_bind(commit.author.0)
                .push_bind(commit.cseq.0 as i64)
                .push_bind(*at)
                .push_bind(log::commit_bytes(commit));
        });
        insert.build().execute(&mut *change).await?;
    }
    Ok(())
}
