//! Locks: `CanNotDelete` and `ReadOnly`, inherited from every scope above; a delete is also held by locks below.

use super::World;
use super::id::Id;
use super::refusal::Refusal;

const KIND: &str = "Microsoft.Authorization/locks";

/// Refuses a write or delete that a lock forbids. Locks themselves can always be changed.
pub(crate) fn permit(world: &World, id: &Id, deletes: bool) -> Result<(), Refusal> {
    if id.kind().eq_ignore_ascii_case(KIND) {
        return Ok(());
    }
    let key = format!("{}/", id.key());
    let held: Vec<String> = world
        .arm
        .of_kind(KIND)
        .filter(|lock| {
            let level = lock.text("/properties/level");
            level.eq_ignore_ascii_case("ReadOnly") || (deletes && level.eq_ignore_ascii_case("CanNotDelete"))
        })
        .map(|lock| lock.id.scope())
        .filter(|scope| {
            let scope = format!("{}/", scope.key());
            key.starts_with(&scope) || (deletes && scope.starts_with(&key))
        })
        .map(|scope| format!("'{scope}'"))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    Err(Refusal::conflict(
        "ScopeLocked",
        format!(
            "The scope '{id}' cannot perform {} operation because following scope(s) are locked: {}. Please remove \
             the lock and try again.",
            if deletes { "delete" } else { "write" },
            held.join(",")
        ),
    ))
}
