//! The resources of a blueprint, in creation order and by address.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::address::Address;
use crate::resource::Resource;

/// Resources in creation order, each address once, found without searching: every reference in a body looks one
/// up, so a search would make a blueprint quadratic in its size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    list: Vec<Resource>,
    places: BTreeMap<Address, usize>,
}

impl Resources {
    /// No resources.
    pub fn new() -> Resources {
        Resources::default()
    }

    /// Adds a resource at the end.
    ///
    /// # Panics
    /// In tests and debug builds, when its address is there already.
    pub fn push(&mut self, resource: Resource) {
        let before = self.places.insert(resource.address.clone(), self.list.len());
        debug_assert!(before.is_none(), "{} is added twice", resource.address);
        self.list.push(resource);
    }

    /// The resource of an address.
    pub fn get(&self, address: &Address) -> Option<&Resource> {
        self.places.get(address).map(|place| &self.list[*place])
    }

    /// Where in the order the resource of an address stands.
    pub fn place(&self, address: &Address) -> Option<usize> {
        self.places.get(address).copied()
    }
}

impl Deref for Resources {
    type Target = [Resource];

    fn deref(&self) -> &[Resource] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = std::vec::IntoIter<Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Resources {
        let mut made = Resources::new();
        resources.into_iter().for_each(|resource| made.push(resource));
        made
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "time is what is tested")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::body::Body;

    fn resource(at: usize) -> Resource {
        Resource {
            named: None,
            address: Address::new("containerApp", &format!("service-with-a-long-name-{at}")),
            resource_type: "Microsoft.App/containerApps",
            api_version: "2026-01-01",
            name: String::new(),
            scope: String::new(),
            location: None,
            body: Body::Null,
            within: None,
            after: Vec::new(),
            from: String::new(),
            holds_data: false,
        }
    }

    #[test]
    fn a_resource_is_found_without_a_search() {
        const MANY: usize = 20_000;
        let resources: Resources = (0..MANY).map(resource).collect();
        let addresses: Vec<Address> = resources.iter().map(|one| one.address.clone()).collect();
        let begun = Instant::now();
        assert!(addresses.iter().enumerate().all(|(at, one)| resources.place(one) == Some(at)));
        assert!(addresses.iter().all(|one| resources.get(one).is_some_and(|found| found.address == *one)));
        // A search would compare four hundred million addresses: a minute, against some hundredths of a second.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
