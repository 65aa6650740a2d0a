//! Where session time stood when it was last stored.

use sqlx::Row;

use super::{Store, StoreError};
use crate::server::clock::Anchor;
use crate::time::SessionNanos;

const KEY: &str = "clock_anchor";

impl Store {
    /// The place in session time; `None` in a store that never kept one.
    ///
    /// # Errors
    /// The store fails.
    pub(in crate::server) async fn clock_anchor(&self) -> Result<Option<Anchor>, StoreError> {
        let row = sqlx::query("SELECT value FROM meta WHERE key = ?").bind(KEY);
        let row = row.fetch_optional(&self.readers).await?;
        Ok(row.and_then(|row| read(row.get(0))))
    }

    /// Keeps the place in session time.
    ///
    /// # Errors
    /// The store fails.
    pub(in crate::server) async fn keep_clock_anchor(&self, anchor: Anchor) -> Result<(), StoreError> {
        let Anchor { epoch, session, wall } = anchor;
        sqlx::query("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
            .bind(KEY)
            .bind(format!("{epoch} {} {wall}", session.0))
            .execute(&mut *self.writer.lock().await)
            .await?;
        Ok(())
    }
}

fn read(text: &str) -> Option<Anchor> {
    let mut words = text.split(' ');
    let epoch = words.next()?.parse().ok()?;
    let session = SessionNanos(words.next()?.parse().ok()?);
    let wall = words.next()?.parse().ok()?;
    Some(Anchor { epoch, session, wall })
}
