//! Items that wait to be worked on, each under a key of its own.
//!
//! ```text
//!            put              claim              finish
//!  (nothing) ───▶ waiting ───────────▶ claimed ─────────▶ done ── forget ──▶ (nothing)
//!                    ▲  ▲     retry, lease over │ │ bury
//!                    │  └───────────────────────┘ ▼
//!                    └────────── replay ──────── dead
//! ```
//!
//! A key is put once: the same key again changes nothing, in whatever state its item is, until it is forgotten. That
//! makes accepting an event idempotent. What is put is durable when `put` returns.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Error;

/// An item to be put.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// What makes it the same item when it comes again.
    pub key: String,
    /// What is to be worked on.
    pub body: Vec<u8>,
    /// Not to be claimed before.
    pub due: Timestamp,
}

/// What became of an item that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is in the queue now.
    New,
    /// An item with this key was there already, and is as it was.
    Known,
}

/// Where an item is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be claimed when it is due.
    Waiting,
    /// Somebody works on it.
    Claimed,
    /// Worked on; its body is gone.
    Done,
    /// Given up; kept until it is replayed.
    Dead,
}

impl State {
    /// The state's name, in engines and interfaces.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Claimed => "claimed",
            State::Done => "done",
            State::Dead => "dead",
        }
    }

    /// The state of a name.
    pub fn named(name: &str) -> Option<State> {
        [State::Waiting, State::Claimed, State::Done, State::Dead]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// An item as it stands.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its key.
    pub key: String,
    /// Where it is on its way.
    pub state: State,
    /// How often it was claimed since it was put or replayed.
    pub attempts: u32,
    /// When it was put.
    pub put: Timestamp,
    /// When it may be claimed next, or until when its claim holds.
    pub due: Timestamp,
    /// Why it was last tried again or buried.
    pub why: Option<String>,
}

/// An item that is ours to work on until its lease ends.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The item's key.
    pub key: String,
    /// What is to be worked on.
    pub body: Vec<u8>,
    /// How often it was claimed, this time included.
    pub attempt: u32,
    /// When it was put.
    pub put: Timestamp,
    /// Tells this claim from any other on the same item.
    pub token: String,
}

/// How many items are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items that wait, due or not.
    pub waiting: u64,
    /// Items somebody works on.
    pub claimed: u64,
    /// Items that were worked on and are not forgotten.
    pub done: u64,
    /// Items that were given up.
    pub dead: u64,
    /// When the oldest item that waits or is claimed was put.
    pub oldest: Option<Timestamp>,
}

/// Items that wait to be worked on.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Puts an item; it is durable when this returns.
    async fn put(&self, item: NewItem, now: Timestamp) -> Result<Put, Error>;

    /// Claims up to `limit` items that are due, the longest due first, for `lease`. Items whose lease has ended are
    /// due again.
    async fn claim(&self, limit: usize, lease: Duration, now: Timestamp) -> Result<Vec<Claim>, Error>;

    /// Lets a claim hold for `lease` from now on.
    ///
    /// # Errors
    /// [`Error::Lost`], as for every call that takes a claim.
    async fn extend(&self, claim: &Claim, lease: Duration, now: Timestamp) -> Result<(), Error>;

    /// The work is done; the body is let go.
    async fn finish(&self, claim: &Claim, now: Timestamp) -> Result<(), Error>;

    /// The work failed and is to be tried again at `due`.
    async fn retry(&self, claim: &Claim, due: Timestamp, why: &str) -> Result<(), Error>;

    /// The work is given up; the item is kept.
    async fn bury(&self, claim: &Claim, why: &str, now: Timestamp) -> Result<(), Error>;

    /// Brings a dead item back; `false` when there is none with this key.
    async fn replay(&self, key: &str, now: Timestamp) -> Result<bool, Error>;

    /// One item, and its body while it has one.
    async fn get(&self, key: &str) -> Result<Option<(Item, Option<Vec<u8>>)>, Error>;

    /// Items in `state` (any when `None`), the latest put first, those put before `before` only; at most `limit`.
    async fn list(
        &self,
        state: Option<State>,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Item>, Error>;

    /// How many items are in each state.
    async fn counts(&self) -> Result<Counts, Error>;

    /// Forgets done items that were put before a time; how many.
    async fn forget(&self, before: Timestamp) -> Result<u64, Error>;
}
