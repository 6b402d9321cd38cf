//! `[network]`: where the parts of an application meet without the internet between them, and how it is reached.
//!
//! In reading order: the nouns; [`purpose`], what a subnet is for; [`carve`], where a subnet lies that nobody gave a
//! range; [`rule`], what may pass; [`front`], how an application is reached; `fields`, the rows of the table of fields; `check`, what the parts say about each other.

pub mod carve;
pub(crate) mod check;
mod check_front;
pub(crate) mod fields;
pub mod front;
pub mod purpose;
pub mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::addresses::AddressRange;

pub use front::{
    Balancer, Bastion, BastionSku, Dns, Endpoint, Gateway, GatewayScale, Nat, Record, RecordKind,
    RecordTarget, Route, Routing, Traffic, TrafficProbe, Waf, WafAction, WafMode, WafRule, WafRules,
};
pub use purpose::Purpose;
pub use rule::{Direction, Pass, Peer, Protocol, SecurityRule};

/// A virtual network of the application's own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Network {
    /// The addresses it consists of.
    pub space: AddressRange,
    /// Whether resources are reached through private endpoints only.
    pub private: bool,
    /// How traffic to the internet leaves.
    pub outbound: Outbound,
    /// Parts of the space, by name; those that something needs and nobody declared are made besides.
    #[serde(default, rename(deserialize = "subnet"))]
    pub subnets: BTreeMap<String, Subnet>,
    /// Addresses outside that reach what Landfall itself works with.
    pub allow: Vec<AddressRange>,
    /// The addresses of outbound traffic.
    pub nat: Nat,
    /// The way to machines.
    pub bastion: Option<Bastion>,
    /// What stands in front of services.
    pub gateway: Option<Gateway>,
    /// What stands in front of what is not HTTP.
    pub balancer: Option<Balancer>,
    /// What leads to a region.
    pub traffic: Option<Traffic>,
    /// What leads to all of them.
    pub dns: Option<Dns>,
}

/// How traffic to the internet leaves a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outbound {
    /// By whatever address the service it comes from has.
    Default,
    /// By one address of the application's own.
    Nat,
}

/// A part of a network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Subnet {
    /// Its addresses; those that its purpose has in this space when left out.
    pub range: Option<AddressRange>,
    /// What it is for; anything when left out.
    #[serde(rename = "for")]
    pub purpose: Option<Purpose>,
    /// What may pass besides what Landfall opens.
    pub rules: Vec<SecurityRule>,
    /// Whether traffic may leave that no rule allows.
    pub outbound: Pass,
}

impl Network {
    /// The subnet declared for a purpose, with its name.
    pub fn declared(&self, purpose: Purpose) -> Option<(&str, &Subnet)> {
        let of = self.subnets.iter().find(|(_, subnet)| subnet.purpose == Some(purpose));
        of.map(|(name, subnet)| (name.as_str(), subnet))
    }

    /// The ranges that somebody wrote.
    pub fn written(&self) -> Vec<AddressRange> {
        self.subnets.values().filter_map(|subnet| subnet.range).collect()
    }

    /// Where the subnet of a purpose lies: where somebody said, or where [`carve::slot`] puts it. None when the space
    /// has no room for it.
    pub fn range(&self, purpose: Purpose) -> Option<AddressRange> {
        let written = self.declared(purpose).and_then(|(_, subnet)| subnet.range);
        written.or_else(|| carve::slot(self.space, purpose, &self.written()))
    }
}
