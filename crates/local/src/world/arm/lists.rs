//! Lists.

use super::{Answer, Ask, World};

pub(super) fn serve(_world: &mut World, _ask: &Ask) -> Option<Answer> {
    None
}
