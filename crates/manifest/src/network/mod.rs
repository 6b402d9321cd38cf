//! `[network]`: where the parts of an application meet without the internet between them, and how it is reached.
//!
//! In reading order: the nouns; [`purpose`], what a subnet is for; [`carve`], where a subnet lies that nobody gave a
//! range; `fields`, the rows of the table of fields; `check`, what the parts say about each other.

pub mod carve;
pub(crate) mod check;
pub(crate) mod fields;
pub mod purpose;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::addresses::AddressRange;

pub use purpose::Purpose;

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
