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
    fn a_display_name_is_a_name() {
        assert_eq!(find("West Europe").map(|r| r.code), Some("weu"));
        assert_eq!(find("australiaeast").map(|r| r.code), Some("aue"));
        assert_eq!(find("atlantis"), None);
    }
}
