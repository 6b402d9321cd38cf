//! storage_account.

use super::arm::kind::Kind;

pub(crate) static KINDS: &[Kind] = &[];
