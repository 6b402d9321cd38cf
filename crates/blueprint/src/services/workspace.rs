//! Log Analytics: where the applications' output goes.

use crate::address::Address;
use crate::body::object;
use crate::name;
use crate::services::{Draft, set};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("workspace", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let mut workspace = draft.in_group(
        address(),
        "Microsoft.OperationalInsights/workspaces",
        "2026-03-01",
        draft.name(&name::WORKSPACE, None),
        "app",
    );
    let properties = object([
        ("sku", object([("name", "PerGB2018".into())])),
        ("retentionInDays", draft.app.insights.retention.0.into()),
        // Whoever may read a resource may read its logs, and no more.
        ("features", object([("enableLogAccessUsingOnlyResourcePermissions", true.into())])),
    ]);
    set(&mut workspace, "properties", properties);
    draft.push(workspace);
}
