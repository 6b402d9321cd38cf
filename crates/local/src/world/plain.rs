//! Types with a life cycle and nothing more: their times, names and conflict codes, from the public documentation of
//! each service. What a service would refuse beyond that is not modelled yet.

use super::arm::kind::{Depth, Kind, Names, Place, Plain, Signs, USUAL};
use super::arm::resources::at_once;

const INVALID: (&str, &str) = ("InvalidResourceName", "Resource name '{name}' is invalid.");

const fn any(from: usize, to: usize) -> Names {
    Names { length: (from, to), signs: Signs::Any, global: false, refusal: INVALID }
}

/// A resource in a region that takes its time.
const fn regional(name: &'static str, names: Names, seconds: [f64; 3], busy: &'static str) -> Kind {
    Kind {
        name,
        depth: Depth::LifeCycle,
        names,
        place: Place::Regional,
        seconds,
        replies: USUAL,
        busy,
        computed: &[],
        spelling: &[],
        rules: &Plain,
    }
}

/// A resource anywhere, there at once.
const fn quick(name: &'static str, names: Names) -> Kind {
    Kind {
        place: Place::Free,
        replies: at_once(201, 200),
        ..regional(name, names, [0.0, 0.0, 0.0], "Conflict")
    }
}

/// A child that takes its time.
const fn child(name: &'static str, seconds: [f64; 3], busy: &'static str) -> Kind {
    Kind { place: Place::Parent, ..regional(name, any(1, 260), seconds, busy) }
}

/// The row for types that have none.
pub static UNKNOWN: Kind =
    Kind { place: Place::Free, ..regional("", any(1, 260), [5.0, 3.0, 5.0], "Conflict") };

pub(crate) static KINDS: &[Kind] = &[
    quick("Microsoft.Cdn/profiles", any(1, 260)),
    child("Microsoft.Cdn/profiles/afdEndpoints", [60.0, 30.0, 30.0], "Conflict"),
    child("Microsoft.Cdn/profiles/afdEndpoints/routes", [30.0, 30.0, 30.0], "Conflict"),
    child("Microsoft.Cdn/profiles/originGroups", [20.0, 20.0, 20.0], "Conflict"),
    child("Microsoft.Cdn/profiles/originGroups/origins", [20.0, 20.0, 20.0], "Conflict"),
    regional(
        "Microsoft.ContainerInstance/containerGroups",
        any(1, 63),
        [45.0, 30.0, 10.0],
        "ContainerGroupTransitioning",
    ),
    regional(
        "Microsoft.ContainerService/managedClusters",
        any(1, 63),
        [360.0, 240.0, 300.0],
        "OperationNotAllowed",
    ),
    child(
        "Microsoft.ContainerService/managedClusters/agentPools",
        [180.0, 120.0, 120.0],
        "OperationNotAllowed",
    ),
    child(
        "Microsoft.ContainerService/managedClusters/maintenanceConfigurations",
        [0.0, 0.0, 0.0],
        "Conflict",
    ),
    regional("Microsoft.EventGrid/systemTopics", any(3, 128), [10.0, 5.0, 5.0], "Conflict"),
    child("Microsoft.EventGrid/systemTopics/eventSubscriptions", [15.0, 10.0, 10.0], "Conflict"),
    Kind { replies: at_once(200, 200), ..quick("Microsoft.Insights/webtests", any(1, 260)) },
    quick("Microsoft.Insights/workbooks", any(1, 260)),
    regional("Microsoft.LoadTestService/loadTests", any(1, 64), [60.0, 10.0, 20.0], "Conflict"),
    quick("Microsoft.Portal/dashboards", any(3, 160)),
];
