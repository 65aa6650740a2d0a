//! Who may come in: invites, tokens, short codes, roles, kicks.
//!
//! Secrets, tokens and codes are stored as hashes alone. Invariant: nobody comes in by an invite
//! that was revoked, nor, once kicked, by one that was made before the kick.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};
use thiserror::Error;

use super::{Store, StoreError, now_ms};
use crate::server::invites::{Invite, Secret, invite_number, role_number, role_numbered};
use crate::session::{ClientId, Role};
use crate::wire::InviteInfo;

/// The most invites in a list: the newest.
const LISTED: u32 = 200;

/// Why somebody was not let in.
#[derive(Debug, Error)]
pub enum AdmitError {
    /// No such session.
    #[error("there is no session '{0}' on this server; ask for a new invite link")]
    UnknownSession(String),
    /// The secret opens no invite of this session.
    #[error("the invite is not valid for this session; ask for a new invite link")]
    WrongSecret,
    /// The invite's time is over.
    #[error("the invite has expired; ask for a new invite link")]
    Expired,
    /// Everybody it was meant for has come.
    #[error("the invite has been used up; ask for a new invite link")]
    Spent,
    /// An owner took it back.
    #[error("the invite has been revoked; ask for a new invite link")]
    Revoked,
    /// An owner sent the participant away.
    #[error("an owner of the session has sent you away; only a new invite lets you in again")]
    Kicked,
    /// The token's time is over, or it never was one.
    #[error("the token has expired; come again with the invite")]
    TokenExpired,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AdmitError {
    fn from(error: sqlx::Error) -> AdmitError {
        AdmitError::Store(error.into())
    }
}

/// Who was let in, as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The participant, the same for the same profile at every visit.
    pub client: ClientId,
    /// What it may do.
    pub role: Role,
}

/// An invite as the store has it.
struct InviteRow {
    hash: Vec<u8>,
    role: Role,
    created_at: i64,
    expires_at: Option<i64>,
    revoked: bool,
}

/// A participant as the store has it.
struct ClientRow {
    client: ClientId,
    key: Vec<u8>,
    invite: Vec<u8>,
    role: Option<Role>,
    role_at: Option<i64>,
    kicked_at: Option<i64>,
}

macro_rules! clients_where {
    ($rule:literal) => {
        concat!("SELECT client, key, invite, role, role_at, kicked_at FROM clients WHERE ", $rule)
    };
}

macro_rules! invites_where {
    ($rule:literal) => {
        concat!("SELECT hash, role, created_at, expires_at, revoked_at FROM invites WHERE ", $rule)
    };
}

impl ClientRow {
    fn read(row: &SqliteRow) -> ClientRow {
        ClientRow {
            client: ClientId(row.get::<i64, _>(0) as u32),
            key: row.get(1),
            invite: row.get(2),
            role: row.get::<Option<i64>, _>(3).and_then(role_numbered),
            role_at: row.get(4),
            kicked_at: row.get(5),
        }
    }

    /// What it may do, coming by an invite: what an owner gave it, unless the invite is newer.
    fn role_by(&self, invite: &InviteRow) -> Role {
        match (self.role, self.role_at) {
            (Some(role), Some(at)) if at >= invite.created_at => role,
            _ => invite.role,
        }
    }
}

impl InviteRow {
    fn read(row: &SqliteRow) -> Result<InviteRow, AdmitError> {
        Ok(InviteRow {
            hash: row.get(0),
            role: role_numbered(row.get(1)).ok_or(AdmitError::WrongSecret)?,
            created_at: row.get(2),
            expires_at: row.get(3),
            revoked: row.get::<Option<i64>, _>(4).is_some(),
        })
    }
}

impl Store {
    /// Makes an invite. `expires_at` is in ms since 1970; `uses` counts new participants.
    ///
    /// # Errors
    /// The store fails, or there is no such session.
    pub async fn create_invite(
        &self,
        session: &str,
        role: Role,
        expires_at: Option<i64>,
        uses: Option<u32>,
    ) -> Result<Invite, StoreError> {
        self.create_invite_of(session, role, now_ms(), expires_at, uses).await
    }

    async fn create_invite_of(
        &self,
        session: &str,
        role: Role,
        created_at: i64,
        expires_at: Option<i64>,
        uses: Option<u32>,
    ) -> Result<Invite, StoreError> {
        let secret = Secret::random();
        sqlx::query(
            "INSERT INTO invites (hash, session, role, created_at, expires_at, uses_left) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(secret.hash().to_vec())
        .bind(session)
        .bind(role_number(role))
        .bind(created_at)
        .bind(expires_at)
        .bind(uses)
        .execute(&mut *self.writer.lock().await)
        .await?;
        Ok(Invite { session: session.to_owned(), secret })
    }

    /// Lets a profile in by an invite or a token, under the number it had before or the next one.
    /// Who came in by an invite once keeps coming in by it when it is used up or expired.
    ///
    /// # Errors
    /// Unknown session; wrong, expired, spent or revoked invite; a token that has expired; a
    /// participant who was sent away; or the store fails.
    pub async fn admit(
        &self,
        session: &str,
        secret: &Secret,
        key: &[u8; 16],
        name: &str,
    ) -> Result<Admission, AdmitError> {
        if self.session_name(session).await?.is_none() {
            return Err(AdmitError::UnknownSession(session.to_owned()));
        }
        if secret.is_token() {
            let (client, admission) = self.by_token(session, secret).await?;
            // A token alone is not enough: it belongs to its profile.
            return if client.key == key { Ok(admission) } else { Err(AdmitError::WrongSecret) };
        }
        let invite = self.invite(session, secret).await?;
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        let known = sqlx::query(clients_where!("session = ? AND key = ?"))
            .bind(session)
            .bind(key.to_vec())
            .fetch_optional(&mut *change)
            .await?
            .map(|row| ClientRow::read(&row));
        let kicked = known.as_ref().and_then(|client| client.kicked_at);
        if kicked.is_some_and(|at| invite.created_at <= at) {
            return Err(AdmitError::Kicked);
        }
        let returns = known.as_ref().is_some_and(|client| client.invite == invite.hash);
        if !returns {
            if invite.expires_at.is_some_and(|end| end <= now_ms()) {
                return Err(AdmitError::Expired);
            }
            let used = sqlx::query(
                "UPDATE invites SET uses_left = uses_left - 1 \
                 WHERE hash = ? AND (uses_left IS NULL OR uses_left > 0)",
            )
            .bind(&invite.hash)
            .execute(&mut *change)
            .await?;
            if used.rows_affected() == 0 {
                return Err(AdmitError::Spent);
            }
        }
        let client = match &known {
            Some(known) => known.client,
            None => {
                let next = "SELECT COALESCE(MAX(client), 0) + 1 FROM clients WHERE session = ?";
                let row = sqlx::query(next).bind(session).fetch_one(&mut *change).await?;
                ClientId(row.get::<i64, _>(0) as u32)
            }
        };
        sqlx::query(
            "INSERT INTO clients (session, client, key, invite, name) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (session, client) DO UPDATE SET invite = ?4, name = ?5, kicked_at = NULL",
        )
        .bind(session)
        .bind(client.0)
        .bind(key.to_vec())
        .bind(&invite.hash)
        .bind(name)
        .execute(&mut *change)
        .await?;
        change.commit().await?;
        let role = known.map_or(invite.role, |client| client.role_by(&invite));
        Ok(Admission { client, role })
    }

    /// Gives a participant a token that is good for `millis`, and forgets those that no longer are.
    ///
    /// # Errors
    /// The store fails.
    pub async fn issue_token(
        &self,
        session: &str,
        client: ClientId,
        millis: i64,
    ) -> Result<Secret, StoreError> {
        let token = Secret::random_token();
        let now = now_ms();
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM tokens WHERE expires_at <= ?").bind(now).execute(&mut *change).await?;
        sqlx::query("INSERT INTO tokens (hash, session, client, expires_at) VALUES (?, ?, ?, ?)")
            .bind(token.hash().to_vec())
            .bind(session)
            .bind(client.0)
            .bind(now + millis)
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(token)
    }

    /// What a secret or token allows in a session, without using the invite up.
    ///
    /// # Errors
    /// Unknown session, wrong or revoked secret, expired token, or the store fails.
    pub async fn role_of(&self, session: &str, secret: &Secret) -> Result<Role, AdmitError> {
        if self.session_name(session).await?.is_none() {
            return Err(AdmitError::UnknownSession(session.to_owned()));
        }
        match secret.is_token() {
            true => self.by_token(session, secret).await.map(|(_, admission)| admission.role),
            false => self.invite(session, secret).await.map(|invite| invite.role),
        }
    }

    async fn by_token(&self, session: &str, token: &Secret) -> Result<(ClientRow, Admission), AdmitError> {
        let found = sqlx::query("SELECT client, expires_at FROM tokens WHERE hash = ? AND session = ?")
            .bind(token.hash().to_vec())
            .bind(session)
            .fetch_optional(&self.readers)
            .await?;
        let found = found.filter(|row| row.get::<i64, _>(1) > now_ms());
        let client = found.ok_or(AdmitError::TokenExpired)?.get::<i64, _>(0);
        let (client, invite) = self.standing(session, ClientId(client as u32)).await?;
        let admission = Admission { client: client.client, role: client.role_by(&invite) };
        Ok((client, admission))
    }

    /// A participant and the invite it came by, if both still hold.
    async fn standing(&self, session: &str, client: ClientId) -> Result<(ClientRow, InviteRow), AdmitError> {
        let row = sqlx::query(clients_where!("session = ? AND client = ?"))
            .bind(session)
            .bind(client.0)
            .fetch_optional(&self.readers)
            .await?;
        let client = row.map(|row| ClientRow::read(&row)).ok_or(AdmitError::WrongSecret)?;
        if client.kicked_at.is_some() {
            return Err(AdmitError::Kicked);
        }
        let row = sqlx::query(invites_where!("hash = ?"))
            .bind(&client.invite)
            .fetch_optional(&self.readers)
            .await?
            .ok_or(AdmitError::WrongSecret)?;
        let invite = InviteRow::read(&row)?;
        if invite.revoked { Err(AdmitError::Revoked) } else { Ok((client, invite)) }
    }

    /// Whether a participant may stay: neither kicked nor in by an invite that was revoked.
    ///
    /// # Errors
    /// Why not, or the store fails.
    pub async fn may_stay(&self, session: &str, client: ClientId) -> Result<Role, AdmitError> {
        let (client, invite) = self.standing(session, client).await?;
        Ok(client.role_by(&invite))
    }

    async fn invite(&self, session: &str, secret: &Secret) -> Result<InviteRow, AdmitError> {
        let row = sqlx::query(invites_where!("hash = ? AND session = ?"))
            .bind(secret.hash().to_vec())
            .bind(session)
            .fetch_optional(&self.readers)
            .await?
            .ok_or(AdmitError::WrongSecret)?;
        let invite = InviteRow::read(&row)?;
        if invite.revoked { Err(AdmitError::Revoked) } else { Ok(invite) }
    }

    /// The session's invites, the newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn invites(&self, session: &str) -> Result<Vec<InviteInfo>, StoreError> {
        let rows = sqlx::query(
            "SELECT hash, role, expires_at, uses_left, revoked_at, \
             (SELECT COUNT(*) FROM clients WHERE clients.session = ?1 AND clients.invite = invites.hash) \
             FROM invites WHERE session = ?1 ORDER BY created_at DESC LIMIT ?2",
        )
        .bind(session)
        .bind(LISTED)
        .fetch_all(&self.readers)
        .await?;
        let now = now_ms();
        let left = |end: i64| ((end - now).max(0) / 1000).min(i64::from(u32::MAX)) as u32;
        let info = |row: &SqliteRow| {
            Some(InviteInfo {
                id: invite_number(row.get::<&[u8], _>(0)),
                role: role_numbered(row.get(1))?,
                expires_in: row.get::<Option<i64>, _>(2).map(left),
                uses_left: row.get::<Option<i64>, _>(3).map(|uses| uses.clamp(0, i64::from(u32::MAX)) as u32),
                revoked: row.get::<Option<i64>, _>(4).is_some(),
                people: row.get::<i64, _>(5) as u32,
            })
        };
        Ok(rows.iter().filter_map(info).collect())
    }

    /// Revokes an invite; whether there was one in force. Whoever came in by it may not stay.
    ///
    /// # Errors
    /// The store fails.
    pub async fn revoke_invite(&self, session: &str, number: u32) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        let revoked = sqlx::query(
            "UPDATE invites SET revoked_at = ? \
             WHERE session = ? AND substr(hash, 1, 4) = ? AND revoked_at IS NULL",
        )
        .bind(now_ms())
        .bind(session)
        .bind(number.to_be_bytes().to_vec())
        .execute(&mut *change)
        .await?
        .rows_affected();
        count_bar(&mut change).await?;
        change.commit().await?;
        Ok(revoked > 0)
    }

    /// The number of the invite that a participant came in by.
    ///
    /// # Errors
    /// The store fails.
    pub async fn invite_of(&self, session: &str, client: ClientId) -> Result<Option<u32>, StoreError> {
        let row = sqlx::query("SELECT invite FROM clients WHERE session = ? AND client = ?")
            .bind(session)
            .bind(client.0)
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map(|row| invite_number(row.get::<&[u8], _>(0))))
    }

    /// Sends a participant away: its tokens are void, and no invite made until now lets it in.
    ///
    /// # Errors
    /// The store fails.
    pub async fn kick(&self, session: &str, client: ClientId) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE clients SET kicked_at = ?, role = NULL WHERE session = ? AND client = ?")
            .bind(now_ms())
            .bind(session)
            .bind(client.0)
            .execute(&mut *change)
            .await?;
        sqlx::query("DELETE FROM tokens WHERE session = ? AND client = ?")
            .bind(session)
            .bind(client.0)
            .execute(&mut *change)
            .await?;
        count_bar(&mut change).await?;
        change.commit().await?;
        Ok(())
    }

    /// Changes what a participant may do, from now on and when it comes again.
    ///
    /// # Errors
    /// The store fails.
    pub async fn give_role(&self, session: &str, client: ClientId, role: Role) -> Result<(), StoreError> {
        sqlx::query("UPDATE clients SET role = ?, role_at = ? WHERE session = ? AND client = ?")
            .bind(role_number(role))
            .bind(now_ms())
            .bind(session)
            .bind(client.0)
            .execute(&mut *self.writer.lock().await)
            .await?;
        Ok(())
    }

    /// How often somebody was barred, by whatever process: when it grows, those who are here are
    /// looked at again.
    ///
    /// # Errors
    /// The store fails.
    pub async fn bars(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'bars'")
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.map_or(0, |row| row.get(0)))
    }

    /// Makes a short code that stands for an invite of a role for `millis`.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_code(&self, session: &str, role: Role, millis: i64) -> Result<Secret, StoreError> {
        let now = now_ms();
        let code = Secret::random_code();
        let mut writer = self.writer.lock().await;
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM codes WHERE expires_at <= ?").bind(now).execute(&mut *change).await?;
        sqlx::query("INSERT INTO codes (hash, session, role, created_at, expires_at) VALUES (?, ?, ?, ?, ?)")
            .bind(code.hash().to_vec())
            .bind(session)
            .bind(role_number(role))
            .bind(now)
            .bind(now + millis)
            .execute(&mut *change)
            .await?;
        change.commit().await?;
        Ok(code)
    }

    /// The invite that a short code stands for: a new one for one participant, good for a day and
    /// as old as the code. `None` where there is no such code, or no longer.
    ///
    /// # Errors
    /// The store fails.
    pub async fn redeem_code(&self, code: &Secret) -> Result<Option<Invite>, StoreError> {
        let row =
            sqlx::query("SELECT session, role, created_at FROM codes WHERE hash = ? AND expires_at > ?")
                .bind(code.hash().to_vec())
                .bind(now_ms())
                .fetch_optional(&self.readers)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(role) = role_numbered(row.get(1)) else { return Ok(None) };
        let (session, created_at) = (row.get::<String, _>(0), row.get::<i64, _>(2));
        let expires_at = now_ms() + 24 * 3_600_000;
        let made = self.create_invite_of(&session, role, created_at, Some(expires_at), Some(1));
        made.await.map(Some)
    }
}

async fn count_bar(change: &mut sqlx::sqlite::SqliteConnection) -> Result<(), sqlx::Error> {
    let count = "INSERT INTO meta (key, value) VALUES ('bars', '1') ON CONFLICT (key) DO UPDATE \
                 SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";
    sqlx::query(count).execute(change).await.map(drop)
}
