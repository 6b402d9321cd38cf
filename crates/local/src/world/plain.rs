//! Types with a life cycle and nothing more: their times, names and conflict codes, from the public documentation of
//! each service. What a service would refuse beyond that is not modelled yet.

use serde_json::json;

use super::arm::kind::{Change, Depth, Kind, Names, Place, Plain, Rules, Signs, USUAL};
use super::arm::put;
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;
use super::checks::text;
use super::{World, chance};

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

/// The row for types that have none.
pub static UNKNOWN: Kind =
    Kind { place: Place::Free, ..regional("", any(1, 260), [5.0, 3.0, 5.0], "Conflict") };

pub(crate) static KINDS: &[Kind] = &[
    Kind {
        computed: &["properties.dataPlaneURI"],
        rules: &LoadTests,
        depth: Depth::Modelled,
        ..regional("Microsoft.LoadTestService/loadTests", any(1, 64), [60.0, 10.0, 20.0], "Conflict")
    },
    quick("Microsoft.Portal/dashboards", any(3, 160)),
];

/// Load tests are run at an address of their own.
#[derive(Debug)]
struct LoadTests;

impl Rules for LoadTests {
    fn judge(&self, world: &World, change: &mut Change) -> Result<(), Refusal> {
        let near = text(&change.body, "location").to_owned();
        let own = chance::fixed_uuid(world.config.seed, &change.id.key());
        let host = format!("{own}.{near}.cnt-prod.loadtesting.azure.com");
        put(&mut change.body, "properties.dataPlaneURI", json!(host));
        Ok(())
    }
}
