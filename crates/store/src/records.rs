//! JSON documents under a kind and an id, each with a version.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use crate::Error;

/// Counts the writes of a record; the first is 1.
pub type Version = i64;

/// A document as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id, unique within its kind.
    pub id: String,
    /// How often it was written.
    pub version: Version,
    /// When it was last written.
    pub written: Timestamp,
    /// What it says.
    pub value: Value,
}

/// Documents that are written only by who has seen the latest of them.
#[async_trait]
pub trait Records: Send + Sync {
    /// One document.
    async fn read(&self, kind: &str, id: &str) -> Result<Option<Record>, Error>;

    /// Writes a document over the version `seen`, or a new one when `None`; its new version.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another version is there.
    async fn write(
        &self,
        kind: &str,
        id: &str,
        value: &Value,
        seen: Option<Version>,
        now: Timestamp,
    ) -> Result<Version, Error>;

    /// The documents of a kind, the latest written first; at most `limit`.
    async fn latest(&self, kind: &str, limit: usize) -> Result<Vec<Record>, Error>;

    /// Removes the documents of a kind that were last written before a time; how many.
    async fn forget_records(&self, kind: &str, before: Timestamp) -> Result<u64, Error>;
}
