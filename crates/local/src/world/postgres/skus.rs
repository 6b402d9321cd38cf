//! Sizes by tier (learn.microsoft.com/azure/postgresql/flexible-server/concepts-compute).

use serde_json::{Value, json};

use super::wrong;
use crate::world::arm::default;
use crate::world::arm::refusal::Refusal;
use crate::world::checks::{one_of, text};

/// A tier, the size that tools propose first, its series with a `#` for the cores, and how many these may be.
pub(super) struct Tier {
    pub name: &'static str,
    pub usual: &'static str,
    series: &'static [(&'static str, &'static [u32])],
}

const CORES: &[u32] = &[2, 4, 8, 16, 32, 48, 64, 96];
const OLD_CORES: &[u32] = &[2, 4, 8, 16, 32, 48, 64];
const MEMORY_CORES: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64, 96];
const OLD_MEMORY_CORES: &[u32] = &[2, 4, 8, 16, 20, 32, 48, 64];

pub(super) const TIERS: &[Tier] = &[
    Tier {
        name: "Burstable",
        usual: "Standard_B1ms",
        series: &[("Standard_B#ms", &[1, 2, 4, 8, 12, 16, 20]), ("Standard_B#s", &[2])],
    },
    Tier {
        name: "GeneralPurpose",
        usual: "Standard_D4ds_v5",
        series: &[
            ("Standard_D#s_v3", OLD_CORES),
            ("Standard_D#ds_v4", OLD_CORES),
            ("Standard_D#ds_v5", CORES),
            ("Standard_D#ads_v5", CORES),
            ("Standard_D#ds_v6", CORES),
            ("Standard_D#ads_v6", CORES),
        ],
    },
    Tier {
        name: "MemoryOptimized",
        usual: "Standard_E4ds_v5",
        series: &[
            ("Standard_E#s_v3", OLD_MEMORY_CORES),
            ("Standard_E#ds_v4", OLD_MEMORY_CORES),
            ("Standard_E#ds_v5", MEMORY_CORES),
            ("Standard_E#ads_v5", MEMORY_CORES),
            ("Standard_E#ds_v6", MEMORY_CORES),
            ("Standard_E#ads_v6", MEMORY_CORES),
        ],
    },
];

impl Tier {
    /// Names of its sizes with their cores.
    pub fn sizes(&self) -> impl Iterator<Item = (String, u32)> + '_ {
        self.series.iter().flat_map(|(series, cores)| {
            cores.iter().map(|cores| (series.replace('#', &cores.to_string()), *cores))
        })
    }
}

/// The SKU is one that there is, and of the tier that is said.
pub(super) fn check(body: &mut Value) -> Result<(), Refusal> {
    let name = text(body, "sku.name").to_owned();
    let tiers: Vec<&str> = TIERS.iter().map(|tier| tier.name).collect();
    one_of(body, "sku.tier", &tiers, |value| wrong("sku.tier", value))?;
    let known = TIERS.iter().find_map(|tier| {
        tier.sizes().find(|(size, _)| size.eq_ignore_ascii_case(&name)).map(|(size, _)| (tier.name, size))
    });
    let Some((tier, size)) = known else { return Err(wrong("sku.name", &name)) };
    body["sku"]["name"] = json!(size);
    default(body, "sku.tier", json!(tier));
    let said = text(body, "sku.tier");
    if said == tier {
        return Ok(());
    }
    Err(Refusal::bad(
        "InvalidParameterValue",
        format!("The SKU '{name}' is of the tier {tier}, not {said}. Specify a valid parameter value."),
    ))
}
