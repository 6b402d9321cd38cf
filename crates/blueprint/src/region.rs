//! Azure's regions and the short codes that stand for them in names.

/// One region of the public cloud.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// Azure's name, as ARM wants it.
    pub name: &'static str,
    /// The code in resource names. Codes differ from each other, so that a name says where a thing is.
    pub code: &'static str,
}

const fn region(name: &'static str, code: &'static str) -> Region {
    Region { name, code }
}

/// The regions of the public cloud that take new resources, by name.
///
/// The codes are those of common naming standards: country or continent, then direction, `weu` and `aue`.
pub const REGIONS: &[Region] = &[
    region("australiacentral", "auc"),
    region("australiacentral2", "auc2"),
    region("australiaeast", "aue"),
    region("australiasoutheast", "ause"),
    region("austriaeast", "ate"),
    region("belgiumcentral", "bec"),
    region("brazilsouth", "brs"),
    region("brazilsoutheast", "brse"),
    region("canadacentral", "cac"),
    region("canadaeast", "cae"),
    region("centralindia", "inc"),
    region("centralus", "cus"),
    region("chilecentral", "clc"),
    region("denmarkeast", "dke"),
    region("eastasia", "eas"),
    region("eastus", "eus"),
    region("eastus2", "eus2"),
    region("francecentral", "frc"),
    region("francesouth", "frs"),
    region("germanynorth", "den"),
    region("germanywestcentral", "dewc"),
    region("indonesiacentral", "idc"),
    region("israelcentral", "ilc"),
    region("italynorth", "itn"),
    region("japaneast", "jpe"),
    region("japanwest", "jpw"),
    region("jioindiacentral", "jinc"),
    region("jioindiawest", "jinw"),
    region("koreacentral", "krc"),
    region("koreasouth", "krs"),
    region("malaysiawest", "myw"),
    region("mexicocentral", "mxc"),
    region("newzealandnorth", "nzn"),
    region("northcentralus", "ncus"),
    region("northeurope", "neu"),
    region("norwayeast", "noe"),
    region("norwaywest", "now"),
    region("polandcentral", "plc"),
    region("qatarcentral", "qac"),
    region("southafricanorth", "zan"),
    region("southafricawest", "zaw"),
    region("southcentralus", "scus"),
    region("southeastasia", "sea"),
    region("southindia", "ins"),
    region("spaincentral", "esc"),
    region("swedencentral", "sec"),
    region("swedensouth", "ses"),
    region("switzerlandnorth", "chn"),
    region("switzerlandwest", "chw"),
    region("uaecentral", "aec"),
    region("uaenorth", "aen"),
    region("uksouth", "uks"),
    region("ukwest", "ukw"),
    region("westcentralus", "wcus"),
    region("westeurope", "weu"),
    region("westindia", "inw"),
    region("westus", "wus"),
    region("westus2", "wus2"),
    region("westus3", "wus3"),
];

/// The region of a name; case and spaces do not matter (`West Europe`), as in Azure.
pub fn find(name: &str) -> Option<&'static Region> {
    let plain = plain(name);
    REGIONS.iter().find(|region| region.name == plain)
}

/// A region's name as ARM compares it: without spaces, in lower case.
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
}

/// Regions with the one that Azure pairs them with, where it keeps their second copies. Newer regions have none
/// (learn.microsoft.com/azure/reliability/regions-paired).
const PAIRS: &[(&str, &str)] = &[
    ("australiacentral", "australiacentral"),
    ("australiaeast", "australiasoutheast"),
    ("australiasoutheast", "australiaeast"),
    ("brazilsouth", "southcentralus"),
    ("canadacentral", "canadaeast"),
    ("canadaeast", "canadacentral"),
    ("centralindia", "southindia"),
    ("centralus", "eastus2"),
    ("eastasia", "southeastasia"),
    ("eastus", "westus"),
    ("eastus2", "centralus"),
    ("francecentral", "francesouth"),
    ("germanywestcentral", "germanynorth"),
    ("japaneast", "japanwest"),
    ("japanwest", "japaneast"),
    ("koreacentral", "koreasouth"),
    ("koreasouth", "koreacentral"),
    ("northcentralus", "southcentralus"),
    ("northeurope", "westeurope"),
    ("norwayeast", "norwaywest"),
    ("southafricanorth", "southafricawest"),
    ("southcentralus", "northcentralus"),
    ("southeastasia", "eastasia"),
    ("southindia", "centralindia"),
    ("swedencentral", "swedensouth"),
    ("switzerlandnorth", "switzerlandwest"),
    ("uaenorth", "uaecentral"),
    ("uksouth", "ukwest"),
    ("ukwest", "uksouth"),
    ("westcentralus", "westus2"),
    ("westeurope", "northeurope"),
    ("westindia", "southindia"),
    ("westus", "eastus"),
    ("westus2", "westcentralus"),
    ("westus3", "eastus"),
];

/// Regions with availability zones (learn.microsoft.com/azure/reliability/regions-list).
const WITH_ZONES: &[&str] = &[
    "australiaeast",
    "austriaeast",
    "belgiumcentral",
    "brazilsouth",
    "canadacentral",
    "centralindia",
    "centralus",
    "chilecentral",
    "eastasia",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "indonesiacentral",
    "israelcentral",
    "italynorth",
    "japaneast",
    "japanwest",
    "koreacentral",
    "malaysiawest",
    "mexicocentral",
    "newzealandnorth",
    "northeurope",
    "norwayeast",
    "polandcentral",
    "qatarcentral",
    "southafricanorth",
    "southcentralus",
    "southeastasia",
    "spaincentral",
    "swedencentral",
    "switzerlandnorth",
    "uaenorth",
    "uksouth",
    "westeurope",
    "westus2",
    "westus3",
];

/// The region that a region is paired with, where Azure keeps second copies.
pub fn paired(name: &str) -> Option<&'static str> {
    PAIRS.iter().find(|(region, _)| *region == name).map(|(_, pair)| *pair)
}

/// Whether a region has availability zones.
pub fn has_zones(name: &str) -> bool {
    WITH_ZONES.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_codes_are_told_apart() {
        let names: BTreeSet<_> = REGIONS.iter().map(|r| r.name).collect();
        let codes: BTreeSet<_> = REGIONS.iter().map(|r| r.code).collect();
        assert_eq!((names.len(), codes.len()), (REGIONS.len(), REGIONS.len()));
        for region in REGIONS {
            assert!(region.code.len() <= 4 && region.code.chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn pairs_and_zones_are_of_regions() {
        for (one, other) in PAIRS {
            assert!(find(one).is_some() && find(other).is_some(), "{one} and {other}");
        }
        assert!(WITH_ZONES.iter().all(|name| find(name).is_some()));
        assert!(has_zones("westeurope") && !has_zones("westus"));
        assert_eq!((paired("australiaeast"), paired("polandcentral")), (Some("australiasoutheast"), None));
    }

    #[test]
    fn a_display_name_is_a_name() {
        assert_eq!(find("West Europe").map(|r| r.code), Some("weu"));
        assert_eq!(find("australiaeast").map(|r| r.code), Some("aue"));
        assert_eq!(find("atlantis"), None);
    }
}
