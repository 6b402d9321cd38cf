//! What happened to the world, on disk before it is acknowledged; snapshots and replay.
