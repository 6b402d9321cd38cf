//! The one world of this process, and everything that may touch it: applied under one lock, journalled before
//! anybody is told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::content::Contents;
use crate::Error;
use crate::store::{self, Store};
use crate::world::{Input, Method, Outcome, World};

/// The ingress follows within milliseconds; a machine under load takes longer, and no client waits for ever.
const FOLLOW_MAX: std::time::Duration = std::time::Duration::from_secs(2);

/// World, journal and contents.
#[derive(Debug)]
pub(crate) struct Host {
    inner: Mutex<Inner>,
    /// Goes up with every change; who waits for one subscribes.
    version: watch::Sender<u64>,
    /// The version that the ingress follows.
    followed: watch::Sender<u64>,
    /// Whether any region is cut off: what the ingress asks before it asks the world.
    cut: AtomicBool,
    pub(crate) contents: Contents,
}

#[derive(Debug)]
struct Inner {
    world: World,
    store: Store,
    /// Set when the world in memory is ahead of a journal that can be neither written nor read.
    broken: bool,
}

impl Host {
    pub(crate) fn new(world: World, store: Store, contents: Contents) -> Host {
        Host {
            cut: AtomicBool::new(!world.outage.is_none()),
            inner: Mutex::new(Inner { world, store, broken: false }),
            version: watch::Sender::new(0),
            followed: watch::Sender::new(0),
            contents,
        }
    }

    /// Applies an input now. When the journal cannot take it, the world is as it was before and nothing has
    /// happened.
    pub(crate) fn apply(&self, input: Input) -> Result<Outcome, Error> {
        // A read rarely changes anything, so it is not encoded before it did.
        let (encoded, kept) = match &input {
            Input::Tick => (None, None),
            Input::Request(request) if matches!(request.method, Method::Get | Method::Head) => {
                (None, Some(input.clone()))
            }
            _ => (Some(store::encode(&input)), None),
        };
        let mut inner = self.lock();
        if inner.broken {
            inner.recover()?;
        }
        let clock = Timestamp::now();
        let outcome = inner.world.apply(input, clock);
        if !outcome.changed {
            return Ok(outcome);
        }
        self.cut.store(!inner.world.outage.is_none(), Ordering::Relaxed);
        let encoded = encoded.or_else(|| kept.as_ref().map(store::encode));
        if let Some(encoded) = encoded
            && let Err(error) = inner.store.append(&encoded, clock)
        {
            tracing::error!(error = %error, "the journal cannot be written");
            inner.broken = true;
            inner.recover()?;
            return Err(error);
        }
        if inner.store.wants_snapshot()
            && let Err(error) = inner.snapshot()
        {
            // The journal holds everything; the next input tries again.
            tracing::warn!(error = %error, "no snapshot could be written");
        }
        drop(inner);
        self.version.send_modify(|version| *version += 1);
        Ok(outcome)
    }

    /// Looks at the world.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        look(&self.lock().world)
    }

    /// Whether any region is cut off.
    pub(crate) fn anything_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Looks at the world at the present time, without letting what is due happen.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.read(World::next_due)
    }

    /// The ingress follows a version of the world.
    pub(crate) fn followed(&self, version: u64) {
        self.followed.send_replace(version);
    }

    /// Waits until the ingress follows the world as it is now: who is told of a change finds it there. Not longer than
    /// [`FOLLOW_MAX`].
    pub(crate) async fn until_followed(&self) {
        let now = *self.version.borrow();
        let mut followed = self.followed.subscribe();
        // an ingress that is that far behind says nothing about the change
        let _ = tokio::time::timeout(FOLLOW_MAX, followed.wait_for(|version| *version >= now)).await;
    }

    /// Tells of changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Writes the whole state down, removes contents that it no longer names, and closes the journal: what happens
    /// to the world afterwards is of no consequence.
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.sweep();
        let mut inner = self.lock();
        let result = inner.snapshot();
        inner.store = Store::Memory;
        result
    }

    /// Removes contents that the world no longer names.
    pub(crate) fn sweep(&self) {
        self.contents.sweep(|| self.read(named));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the world was changed would leave it half-way: what the journal has is whole.
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = PoisonError::into_inner(poisoned);
            inner.broken = true;
            self.inner.clear_poison();
            inner
        })
    }
}

impl Inner {
    /// The world as the journal has it.
    fn recover(&mut self) -> Result<(), Error> {
        let types = self.world.types.clone();
        if let Some(mut world) = self.store.reload(types.clone())? {
            world.types = types;
            self.world = world;
        }
        self.broken = false;
        Ok(())
    }

    fn snapshot(&mut self) -> Result<(), Error> {
        if self.broken {
            self.recover()?;
        }
        self.store.snapshot(&self.world)
    }
}

/// Keys of all contents that the world names.
pub(crate) fn named(world: &World) -> BTreeSet<String> {
    let registries = world.registries.segments();
    let blobs = world.blobs.segments();
    registries.chain(blobs).map(|segment| segment.key.clone()).collect()
}
