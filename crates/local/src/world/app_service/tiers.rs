//! Pricing tiers and what each has
//! (learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits#azure-app-service-limits).

/// A pricing tier.
pub(super) struct Tier {
    pub name: &'static str,
    pub sizes: &'static [&'static str],
    pub family: &'static str,
    /// Most instances.
    pub instances: i64,
    /// Slots beside production.
    pub slots: usize,
    /// Most apps on one plan.
    pub apps: usize,
    pub always_on: bool,
    /// Whether the workers are the plan's own: virtual network integration, TLS for custom domains, 64 bit.
    pub dedicated: bool,
    pub custom_domains: bool,
    pub zones: bool,
}

const fn shared(name: &'static str, sizes: &'static [&'static str], family: &'static str) -> Tier {
    Tier {
        name,
        sizes,
        family,
        instances: 1,
        slots: 0,
        apps: 100,
        always_on: false,
        dedicated: false,
        custom_domains: true,
        zones: false,
    }
}

const fn dedicated(
    name: &'static str,
    sizes: &'static [&'static str],
    family: &'static str,
    (instances, slots): (i64, usize),
) -> Tier {
    Tier {
        always_on: true,
        dedicated: true,
        apps: usize::MAX,
        instances,
        slots,
        ..shared(name, sizes, family)
    }
}

const fn zonal(
    name: &'static str,
    sizes: &'static [&'static str],
    family: &'static str,
    most: (i64, usize),
) -> Tier {
    Tier { zones: true, ..dedicated(name, sizes, family, most) }
}

pub(super) const TIERS: &[Tier] = &[
    Tier { apps: 10, custom_domains: false, ..shared("Free", &["F1"], "F") },
    shared("Shared", &["D1"], "D"),
    dedicated("Basic", &["B1", "B2", "B3"], "B", (3, 0)),
    dedicated("Standard", &["S1", "S2", "S3"], "S", (10, 5)),
    zonal("PremiumV2", &["P1v2", "P2v2", "P3v2"], "Pv2", (30, 20)),
    zonal("PremiumV3", &["P0v3", "P1v3", "P2v3", "P3v3"], "Pv3", (30, 20)),
    zonal("PremiumMV3", &["P1mv3", "P2mv3", "P3mv3", "P4mv3", "P5mv3"], "Pmv3", (30, 20)),
    zonal("Premium0V4", &["P0v4", "P1v4", "P2v4", "P3v4"], "Pv4", (30, 20)),
    zonal("PremiumMV4", &["P1mv4", "P2mv4", "P3mv4", "P4mv4", "P5mv4"], "Pmv4", (30, 20)),
    zonal("IsolatedV2", &["I1v2", "I2v2", "I3v2", "I4v2", "I5v2", "I6v2"], "Iv2", (100, 20)),
    Tier { instances: 200, slots: 1, ..shared("Dynamic", &["Y1"], "Y") },
    Tier { always_on: false, ..zonal("FlexConsumption", &["FC1"], "FC", (1000, 0)) },
    zonal("ElasticPremium", &["EP1", "EP2", "EP3"], "EP", (100, 3)),
    zonal("WorkflowStandard", &["WS1", "WS2", "WS3"], "WS", (100, 3)),
];

/// The tier of a size and the size as Azure spells it.
pub(super) fn tier(size: &str) -> Option<(&'static Tier, &'static str)> {
    TIERS.iter().find_map(|tier| {
        tier.sizes.iter().find(|known| known.eq_ignore_ascii_case(size)).map(|known| (tier, *known))
    })
}
