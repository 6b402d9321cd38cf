//! The budget of requests that the whole process shares.

use crate::clock::Clock;
use std::sync::Arc;

/// The budget; clones share it.
#[derive(Clone, Debug)]
pub struct Throttle {
    clock: Arc<dyn Clock>,
}

impl Throttle {
    /// A full budget.
    pub fn new(clock: Arc<dyn Clock>) -> Throttle {
        Throttle { clock }
    }
}
