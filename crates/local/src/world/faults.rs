//! Failures on demand.

use serde::{Deserialize, Serialize};

use super::{Request, Response, World};

/// Faults asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Faults {
    /// The operation fault of the request under way, taken by the operation it begins.
    #[serde(skip)]
    pub pending: Option<Fault>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Fault {
    Status { status: u16, code: String, message: String, retry_after: Option<u64> },
    DropBefore,
    DropAfter,
    /// Seconds.
    Delay(f64),
    OperationFails { code: String, message: String },
    OperationStalls,
}

impl Fault {
    /// What a refused request is answered.
    pub fn answer(&self) -> Response {
        Response::empty(500)
    }
}

/// The fault that acts on a request, counted.
pub(super) fn matching(_world: &mut World, _request: &Request) -> Option<Fault> {
    None
}
