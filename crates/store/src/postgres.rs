//! Queue and records in PostgreSQL, for any number of processes.
//!
//! Claims are taken with `FOR UPDATE SKIP LOCKED`, so that replicas that ask at once get different items. Every
//! statement is one transaction of its own; `synchronous_commit` stays what the server has (on, by default).

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};

use crate::Error;
use crate::queue::{Claim, Counts, Item, NewItem, Put, Queue, State};
use crate::records::{Record, Records, Version};

const SCHEMA: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS landfall_queue (
        key      TEXT PRIMARY KEY,
        state    TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        put      BIGINT NOT NULL,
        due      BIGINT NOT NULL,
        token    TEXT,
        why      TEXT,
        body     BYTEA
    )",
    "CREATE INDEX IF NOT EXISTS landfall_queue_by_due ON landfall_queue (due) WHERE state IN ('waiting', 'claimed')",
    "CREATE INDEX IF NOT EXISTS landfall_queue_by_put ON landfall_queue (put)",
    "CREATE TABLE IF NOT EXISTS landfall_records (
        kind    TEXT NOT NULL,
        id      TEXT NOT NULL,
        version BIGINT NOT NULL,
        written BIGINT NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    )",
    "CREATE INDEX IF NOT EXISTS landfall_records_by_time ON landfall_records (kind, written)",
];

/// Replicas that start together make the tables one after the other under this advisory lock.
const SCHEMA_LOCK: i64 = 0x4c46_5354;

/// How long a connection is waited for, so that a caller hears of a database that is gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// Queue and records in a PostgreSQL database.
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects, and makes the tables that are missing.
    ///
    /// # Errors
    /// When the database cannot be reached, or refuses. The message does not hold the URL.
    pub async fn connect(url: &str) -> Result<Postgres, Error> {
        let failed = |error: sqlx::Error| Error::engine("the PostgreSQL database", error);
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(PATIENCE)
            .connect(url)
            .await
            .map_err(failed)?;
        let mut making = pool.begin().await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(SCHEMA_LOCK)
            .execute(&mut *making)
            .await
            .map_err(failed)?;
        for statement in SCHEMA {
            sqlx::query(statement).execute(&mut *making).await.map_err(failed)?;
        }
        making.commit().await.map_err(failed)?;
        Ok(Postgres { pool })
    }

    /// A change of a claimed item.
    async fn change(
        &self,
        what: &'static str,
        statement: &'static str,
        claim: &Claim,
        due: i64,
        why: Option<&str>,
    ) -> Result<(), Error> {
        let done = sqlx::query(statement)
            .bind(&claim.key)
            .bind(&claim.token)
            .bind(due)
            .bind(why.map(crate::reason))
            .execute(&self.pool)
            .await
            .map_err(engine(what))?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Lost { key: claim.key.clone() }) }
    }
}

fn engine(what: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| Error::engine(what, error)
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millisecond()
}

fn after(now: Timestamp, lease: Duration) -> i64 {
    milliseconds(now).saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

fn time(row: &PgRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    Timestamp::from_millisecond(value)
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() })
}

fn attempts(row: &PgRow) -> Result<u32, sqlx::Error> {
    Ok(u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX))
}

fn item(row: &PgRow) -> Result<Item, sqlx::Error> {
    let state: String = row.try_get("state")?;
    Ok(Item {
        key: row.try_get("key")?,
        state: State::named(&state).unwrap_or(State::Dead),
        attempts: attempts(row)?,
        put: time(row, "put")?,
        due: time(row, "due")?,
        why: row.try_get("why")?,
    })
}

#[async_trait]
impl Queue for Postgres {
    async fn put(&self, item: NewItem, now: Timestamp) -> Result<Put, Error> {
        let done = sqlx::query(
            "INSERT INTO landfall_queue (key, state, attempts, put, due, body) VALUES ($1, 'waiting', 0, $2, $3, $4)
             ON CONFLICT (key) DO NOTHING",
        )
        .bind(&item.key)
        .bind(milliseconds(now))
        .bind(milliseconds(item.due))
        .bind(&item.body)
        .execute(&self.pool)
        .await
        .map_err(engine("putting an item"))?;
        Ok(if done.rows_affected() == 1 { Put::New } else { Put::Known })
    }

    async fn claim(&self, limit: usize, lease: Duration, now: Timestamp) -> Result<Vec<Claim>, Error> {
        let token = uuid::Uuid::new_v4().to_string();
        let rows = sqlx::query(
            "UPDATE landfall_queue SET state = 'claimed', attempts = attempts + 1, due = $2, token = $3
             WHERE key IN (SELECT key FROM landfall_queue WHERE state IN ('waiting', 'claimed') AND due <= $1
                           ORDER BY due, put LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING key, body, attempts, put",
        )
        .bind(milliseconds(now))
        .bind(after(now, lease))
        .bind(&token)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(engine("claiming items"))?;
        rows.iter()
            .map(|row| {
                Ok(Claim {
                    key: row.try_get("key")?,
                    body: row.try_get::<Option<Vec<u8>>, _>("body")?.unwrap_or_default(),
                    attempt: attempts(row)?,
                    put: time(row, "put")?,
                    token: token.clone(),
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(engine("claiming items"))
    }

    async fn extend(&self, claim: &Claim, lease: Duration, now: Timestamp) -> Result<(), Error> {
        self.change(
            "extending a claim",
            "UPDATE landfall_queue SET due = $3, why = coalesce($4, why)
             WHERE key = $1 AND token = $2 AND state = 'claimed'",
            claim,
            after(now, lease),
            None,
        )
        .await
    }

    async fn finish(&self, claim: &Claim, now: Timestamp) -> Result<(), Error> {
        self.change(
            "finishing an item",
            "UPDATE landfall_queue SET state = 'done', due = $3, token = NULL, why = $4, body = NULL
             WHERE key = $1 AND token = $2 AND state = 'claimed'",
            claim,
            milliseconds(now),
            None,
        )
        .await
    }

    async fn retry(&self, claim: &Claim, due: Timestamp, why: &str) -> Result<(), Error> {
        self.change(
            "putting an item back",
            "UPDATE landfall_queue SET state = 'waiting', due = $3, token = NULL, why = $4
             WHERE key = $1 AND token = $2 AND state = 'claimed'",
            claim,
            milliseconds(due),
            Some(why),
        )
        .await
    }

    async fn bury(&self, claim: &Claim, why: &str, now: Timestamp) -> Result<(), Error> {
        self.change(
            "giving an item up",
            "UPDATE landfall_queue SET state = 'dead', due = $3, token = NULL, why = $4
             WHERE key = $1 AND token = $2 AND state = 'claimed'",
            claim,
            milliseconds(now),
            Some(why),
        )
        .await
    }

    async fn replay(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE landfall_queue SET state = 'waiting', due = $2, attempts = 0 WHERE key = $1 AND state = 'dead'",
        )
        .bind(key)
        .bind(milliseconds(now))
        .execute(&self.pool)
        .await
        .map_err(engine("replaying an item"))?;
        Ok(done.rows_affected() == 1)
    }

    async fn get(&self, key: &str) -> Result<Option<(Item, Option<Vec<u8>>)>, Error> {
        let failed = engine("reading an item");
        let row = sqlx::query("SELECT * FROM landfall_queue WHERE key = $1")
            .bind(key)
            .fetch_optional(&self.pool)
            .await
            .map_err(&failed)?;
        row.map(|row| Ok((item(&row)?, row.try_get("body")?))).transpose().map_err(&failed)
    }

    async fn list(
        &self,
        state: Option<State>,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Item>, Error> {
        let failed = engine("listing items");
        let rows = sqlx::query(
            "SELECT key, state, attempts, put, due, why FROM landfall_queue
             WHERE ($1::text IS NULL OR state = $1) AND ($2::bigint IS NULL OR put < $2)
             ORDER BY put DESC, key LIMIT $3",
        )
        .bind(state.map(State::name))
        .bind(before.map(milliseconds))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(&failed)?;
        rows.iter().map(item).collect::<Result<_, _>>().map_err(&failed)
    }

    async fn counts(&self) -> Result<Counts, Error> {
        let failed = engine("counting items");
        let rows = sqlx::query(
            "SELECT state, count(*) AS count, min(put) AS put FROM landfall_queue GROUP BY state",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(&failed)?;
        let mut counts = Counts::default();
        for row in &rows {
            let state: String = row.try_get("state").map_err(&failed)?;
            let count = u64::try_from(row.try_get::<i64, _>("count").map_err(&failed)?).unwrap_or(0);
            let oldest = time(row, "put").map_err(&failed)?;
            match State::named(&state) {
                Some(State::Waiting) => counts.waiting = count,
                Some(State::Claimed) => counts.claimed = count,
                Some(State::Done) => counts.done = count,
                Some(State::Dead) | None => counts.dead = count,
            }
            if matches!(State::named(&state), Some(State::Waiting | State::Claimed)) {
                counts.oldest = Some(counts.oldest.map_or(oldest, |known: Timestamp| known.min(oldest)));
            }
        }
        Ok(counts)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query("DELETE FROM landfall_queue WHERE state = 'done' AND put < $1")
            .bind(milliseconds(before))
            .execute(&self.pool)
            .await
            .map_err(engine("forgetting items"))?;
        Ok(done.rows_affected())
    }
}

fn record(row: &PgRow) -> Result<Record, sqlx::Error> {
    let text: String = row.try_get("value")?;
    let value = serde_json::from_str(&text)
        .map_err(|error| sqlx::Error::ColumnDecode { index: "value".into(), source: error.into() })?;
    Ok(Record {
        id: row.try_get("id")?,
        version: row.try_get("version")?,
        written: time(row, "written")?,
        value,
    })
}

#[async_trait]
impl Records for Postgres {
    async fn read(&self, kind: &str, id: &str) -> Result<Option<Record>, Error> {
        let failed = engine("reading a record");
        let row = sqlx::query("SELECT * FROM landfall_records WHERE kind = $1 AND id = $2")
            .bind(kind)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(&failed)?;
        row.as_ref().map(record).transpose().map_err(&failed)
    }

    async fn write(
        &self,
        kind: &str,
        id: &str,
        value: &Value,
        seen: Option<Version>,
        now: Timestamp,
    ) -> Result<Version, Error> {
        let statement = match seen {
            None => {
                "INSERT INTO landfall_records (kind, id, version, written, value)
                 SELECT $1, $2, 1, $3, $4 WHERE $5::bigint IS NULL ON CONFLICT (kind, id) DO NOTHING"
            }
            Some(_) => {
                "UPDATE landfall_records SET version = version + 1, written = $3, value = $4
                 WHERE kind = $1 AND id = $2 AND version = $5"
            }
        };
        let done = sqlx::query(statement)
            .bind(kind)
            .bind(id)
            .bind(milliseconds(now))
            .bind(value.to_string())
            .bind(seen)
            .execute(&self.pool)
            .await
            .map_err(engine("writing a record"))?;
        if done.rows_affected() == 1 {
            Ok(seen.unwrap_or(0) + 1)
        } else {
            Err(Error::Conflict { id: id.to_owned() })
        }
    }

    async fn latest(&self, kind: &str, limit: usize) -> Result<Vec<Record>, Error> {
        let failed = engine("listing records");
        let rows =
            sqlx::query("SELECT * FROM landfall_records WHERE kind = $1 ORDER BY written DESC, id LIMIT $2")
                .bind(kind)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await
                .map_err(&failed)?;
        rows.iter().map(record).collect::<Result<_, _>>().map_err(&failed)
    }

    async fn forget_records(&self, kind: &str, before: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query("DELETE FROM landfall_records WHERE kind = $1 AND written < $2")
            .bind(kind)
            .bind(milliseconds(before))
            .execute(&self.pool)
            .await
            .map_err(engine("forgetting records"))?;
        Ok(done.rows_affected())
    }
}
