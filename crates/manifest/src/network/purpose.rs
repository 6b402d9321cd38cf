//! What a subnet is for. Azure gives most of its services a subnet of their own, of a least size.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a subnet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The infrastructure of a Container Apps environment.
    ContainerApps,
    /// Private endpoints.
    #[serde(rename = "endpoints")]
    PrivateEndpoints,
    /// PostgreSQL servers.
    Postgres,
    /// The outbound side of App Service apps.
    AppService,
    /// The nodes of a Kubernetes cluster.
    Kubernetes,
    /// An Application Gateway.
    Gateway,
    /// Azure Bastion.
    Bastion,
    /// The outbound side of Functions on a Flex Consumption plan.
    Functions,
    /// Container Instances.
    ContainerInstances,
    /// A VPN or ExpressRoute gateway.
    Vpn,
}

impl Purpose {
    /// All of them, in the order in which [`super::carve`] gives them their places: that order is fixed for ever, and a
    /// new one goes to the end.
    pub const ALL: [Purpose; 10] = [
        Purpose::ContainerApps,
        Purpose::PrivateEndpoints,
        Purpose::Postgres,
        Purpose::AppService,
        Purpose::Kubernetes,
        Purpose::Gateway,
        Purpose::Bastion,
        Purpose::Functions,
        Purpose::ContainerInstances,
        Purpose::Vpn,
    ];

    /// The word the manifest uses.
    pub fn as_str(self) -> &'static str {
        self.facts().word
    }

    /// The purpose of that word.
    pub fn from_word(word: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }

    /// The name that Azure demands of its subnet, if it does.
    pub fn azure_name(self) -> Option<&'static str> {
        match self {
            Purpose::Bastion => Some("AzureBastionSubnet"),
            Purpose::Vpn => Some("GatewaySubnet"),
            _ => None,
        }
    }

    /// The service that the subnet is delegated to, in Azure's words, if to one.
    pub fn delegation(self) -> Option<&'static str> {
        match self {
            // Flex Consumption runs on what Container Apps runs on.
            Purpose::ContainerApps | Purpose::Functions => Some("Microsoft.App/environments"),
            Purpose::AppService => Some("Microsoft.Web/serverFarms"),
            Purpose::Postgres => Some("Microsoft.DBforPostgreSQL/flexibleServers"),
            Purpose::ContainerInstances => Some("Microsoft.ContainerInstance/containerGroups"),
            Purpose::PrivateEndpoints
            | Purpose::Kubernetes
            | Purpose::Gateway
            | Purpose::Bastion
            | Purpose::Vpn => None,
        }
    }

    /// The longest prefix, which is the smallest size, that the service takes.
    pub fn smallest(self) -> u8 {
        self.facts().smallest
    }

    /// The prefix of its place in a space of 16 bits; in smaller ones it shrinks with the space.
    pub(super) fn usual(self) -> u8 {
        self.facts().usual
    }

    /// What is in the subnet, for messages.
    pub fn noun(self) -> &'static str {
        self.facts().noun
    }

    fn facts(self) -> Facts {
        let (word, smallest, usual, noun) = match self {
            // A /27 holds an environment with workload profiles; only the retired consumption-only kind took a /23,
            // which here is room for a thousand replicas.
            Purpose::ContainerApps => ("container-apps", 27, 23, "a Container Apps environment"),
            Purpose::PrivateEndpoints => ("endpoints", 28, 24, "private endpoints"),
            Purpose::Postgres => ("postgres", 28, 24, "PostgreSQL servers"),
            // Every instance has an address, and twice as many while a plan is scaled: /28 is Azure's least.
            Purpose::AppService => ("app-service", 28, 24, "App Service apps"),
            // A node has an address, and pods have theirs in an overlay.
            Purpose::Kubernetes => ("kubernetes", 26, 20, "the nodes of a cluster"),
            // Azure recommends a /24: 125 instances at most and their private addresses.
            Purpose::Gateway => ("gateway", 27, 24, "an Application Gateway"),
            Purpose::Bastion => ("bastion", 26, 26, "Azure Bastion"),
            Purpose::Functions => ("functions", 27, 24, "Functions"),
            Purpose::ContainerInstances => ("container-instances", 28, 24, "Container Instances"),
            Purpose::Vpn => ("vpn", 27, 27, "a VPN gateway"),
        };
        Facts { word, smallest, usual, noun }
    }
}

/// What is true of a purpose.
struct Facts {
    word: &'static str,
    smallest: u8,
    usual: u8,
    noun: &'static str,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_are_read() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_word(purpose.as_str()), Some(purpose));
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.as_str());
            assert!(purpose.usual() <= purpose.smallest(), "{purpose}");
        }
    }
}
