//! The codes of what stands between an App and its blueprint, after those of the manifest itself.

use landfall_manifest::Code;

/// Every code, in order.
pub const ALL: &[&Code] = &[
    REGION,
    RESERVED_WORD,
    FIXED_KEY,
    WHICH_ONE,
    REFERS_TO_NOTHING,
    NO_QUEUE,
    ABBREVIATION,
    NO_ROOM,
    NO_STATE,
    ALERT,
    HIDDEN,
    REGION_LACKS,
    IN_A_NETWORK,
];

/// The code of that number, whatever its case.
pub fn find(id: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// The region has no short code.
pub const REGION: &Code = &Code {
    id: "LF1501",
    title: "a region without a short code",
    page: "Names of resources carry a short code of their region, `weu` for `westeurope`. For this region Landfall knows none, most likely since Azure has no such region.",
};

/// A name holds a word that Azure keeps for itself.
pub const RESERVED_WORD: &Code = &Code {
    id: "LF1502",
    title: "a name with a reserved word",
    page: "Azure refuses `microsoft` and `windows` anywhere in the name of a resource, and `login` at its beginning. The names of applications, services and resources become parts of such names.",
};

/// `body` says what other fields decide.
pub const FIXED_KEY: &Code = &Code {
    id: "LF1503",
    title: "a key that `body` cannot set",
    page: "`body` is laid over the properties that Landfall writes. A resource's name, type, place and tags are how it is found again on the next run, so they are decided elsewhere: by `naming`, `region` and `tags` at the top of the manifest.",
};

/// Several resources could be meant.
pub const WHICH_ONE: &Code = &Code {
    id: "LF1504",
    title: "several vaults or registries, none called `main`",
    page: "The secrets of all services live in one vault, and the images that are built go to one registry. With one declared it is that one; with several it is the one called `main`, so that adding another never moves them.",
};

/// A template refers to nothing.
pub const REFERS_TO_NOTHING: &Code = &Code {
    id: "LF1505",
    title: "a reference to nothing",
    page: "`${resource.NAME.ATTRIBUTE}` needs a resource of that name whose type has the attribute, and `${service.NAME.url}` a service with a port.",
};

/// A queue is to scale a service and there is none.
pub const NO_QUEUE: &Code = &Code {
    id: "LF1506",
    title: "scaling by a queue that is none",
    page: "`scale.queue` counts the messages that wait in a resource with queues. Vaults, registries and storage accounts of blobs have none.",
};

/// An abbreviation that no type has.
pub const ABBREVIATION: &Code = &Code {
    id: "LF1507",
    title: "an abbreviation that no type has",
    page: "`abbreviations` says what stands for `{type}` in names, by Azure's usual abbreviation of the type: `rg` for a resource group, `kv` for a key vault, `ca` for a container app. `landfall blueprint` prints the names as they come out.",
};

/// The network has no room for a subnet that is needed.
pub const NO_ROOM: &Code = &Code {
    id: "LF1508",
    title: "a network without room for what it needs",
    page: "Subnets that nobody declares have fixed places in the network's space, so that none moves when another one is needed. In this space, or beside what is declared in it, there is none for this one: widen `network.space`, or declare the subnet with a `range` that is free.",
};

/// A resource is to keep state for Dapr and cannot.
pub const NO_STATE: &Code = &Code {
    id: "LF1509",
    title: "a store that Dapr cannot use",
    page: "`dapr.state` names a resource in which Dapr keeps a service's state. Dapr needs its host and port, which a resource of type `redis` has.",
};

/// An alert that nothing can ring.
pub const ALERT: &Code = &Code {
    id: "LF1510",
    title: "an alert that nothing can ring",
    page: "Metrics are looked at over 1, 5, 15 or 30 minutes, 1, 6 or 12 hours or a day; logs over 1 minute to 2 days, and at most six times in a row. What services report of themselves takes an Application Insights (`insights.enabled`), what a vault notes takes its log (`insights.logs`), and availability takes tests from outside (`insights.availability`).",
};

/// A gateway is to lead to what it cannot reach.
pub const HIDDEN: &Code = &Code {
    id: "LF1511",
    title: "a gateway that cannot reach a service",
    page: "A Container Apps environment is internal when none of its services is public; then a gateway in the network reaches those that its routes name. In one that is not, an internal service answers to its environment alone. Services on a cluster are reached by the cluster's ingress, whose address a route names in `backends`.",
};

/// A region lacks a service or a feature.
pub const REGION_LACKS: &Code = &Code {
    id: "LF1512",
    title: "a region that lacks a service or a feature",
    page: "Not every service is in every region of Azure, not every region has zones, and newer ones have no paired region that second copies could be kept in. Take another region for the one resource where it has a `region` of its own, for the application, or do without the feature.",
};

/// Addresses let in to something that is in a network.
pub const IN_A_NETWORK: &Code = &Code {
    id: "LF1513",
    title: "outside addresses let in to a private resource",
    page: "In a private network a PostgreSQL server has no address outside of it, so nobody outside can be let in. Reach it through the network (a bastion, a VPN), or take `allow` out.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_nobody_elses() {
        assert!(ALL.is_sorted_by(|one, other| one.id < other.id));
        for code in ALL {
            assert_eq!(find(&code.id.to_lowercase()), Some(*code));
            assert!(landfall_manifest::codes::find(code.id).is_none(), "{}", code.id);
        }
    }
}
