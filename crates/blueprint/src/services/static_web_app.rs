//! Static web apps: a site of files, its domains, and the service that answers below `/api`.

use landfall_manifest::Host;
use landfall_manifest::host::STATIC_REGIONS;

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::{Expression, concat};
use crate::name;
use crate::resource::Resource;
use crate::services::host::{self, Code, Platform};
use crate::services::{Draft, app_service, child, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.Web/staticSites";
const API_VERSION: &str = "2025-03-01";

/// What this host is to its services.
pub(super) const PLATFORM: Platform =
    Platform { address: |name| Some(address(name)), url, code: Code::Package };

/// The address of a site, by its service's name.
pub fn address(service: &str) -> Address {
    Address::new("staticSite", service)
}

/// Where the site is reached. Azure makes up the host name, so it is known once the site is there.
fn url(_: &Draft<'_>, service: &str) -> Option<Body> {
    let host = Expression::property(&address(service), "properties.defaultHostname");
    Some(concat(["https://".into(), host.into()]))
}

/// The sites, before the services that may want to know where they are.
pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let Host::StaticWebApp(own) = &service.host else { continue };
        let mut site = draft.in_group(
            address(name),
            TYPE,
            API_VERSION,
            draft.name(&name::STATIC_SITE, Some(name)),
            format!("service.{name}"),
        );
        let region = region(draft.region.name);
        site.location = Some(region.to_owned());
        set(&mut site, "location", region.into());
        let sku = own.sku.azure();
        set(&mut site, "sku", object([("name", sku.into()), ("tier", sku.into())]));
        let properties = object([
            // The routes come with the files.
            ("allowConfigFileUpdates", true.into()),
            ("stagingEnvironmentPolicy", "Enabled".into()),
            ("publicNetworkAccess", "Enabled".into()),
        ]);
        set(&mut site, "properties", properties);
        let ingress = service.ingress.as_ref();
        let domains: Vec<Resource> = ingress
            .into_iter()
            .flat_map(|ingress| &ingress.domains)
            .map(|domain| Resource {
                from: format!("service.{name}.ingress.domains"),
                ..child(
                    &site,
                    Address::new("staticDomain", &format!("{name}.{domain}")),
                    "Microsoft.Web/staticSites/customDomains",
                    API_VERSION,
                    domain,
                    object([("validationMethod", validation(domain).into())]),
                )
            })
            .collect();
        draft.push(site);
        domains.into_iter().for_each(|domain| draft.push(domain));
    }
}

/// Who registered a domain shows it by a text record, since a CNAME cannot stand there.
fn validation(domain: &str) -> &'static str {
    if app_service::is_apex(domain) { "dns-txt-token" } else { "cname-delegation" }
}

/// The links to backends, after those.
pub(super) fn link(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        let Host::StaticWebApp(own) = &service.host else { continue };
        let Some(backend) = &own.backend else { continue };
        let found = draft.app.services.get(backend);
        let Some(target) =
            found.and_then(|backend_service| (host::of(&backend_service.host).address)(backend))
        else {
            continue;
        };
        let site = draft.earlier(&address(name));
        let link = child(
            site,
            Address::new("linkedBackend", name),
            "Microsoft.Web/staticSites/linkedBackends",
            API_VERSION,
            "backend",
            object([
                ("backendResourceId", Expression::id(&target).into()),
                ("region", draft.region.name.into()),
            ]),
        );
        draft.push(Resource { from: format!("service.{name}.backend"), ..link });
    }
}

/// The region that keeps what of a static web app has a place. Its files are everywhere.
fn region(wanted: &str) -> &'static str {
    if let Some(region) = STATIC_REGIONS.iter().find(|region| **region == wanted) {
        return region;
    }
    const ASIA: &[&str] =
        &["asia", "japan", "korea", "india", "australia", "newzealand", "indonesia", "malaysia", "taiwan"];
    let holds = |words: &[&str]| words.iter().any(|word| wanted.contains(word));
    match () {
        () if wanted.starts_with("west") && holds(&["us"]) => "westus2",
        () if holds(ASIA) => "eastasia",
        () if wanted.contains("centralus") => "centralus",
        () if wanted.trim_end_matches(char::is_numeric).ends_with("us")
            || holds(&["canada", "brazil", "mexico", "chile"]) =>
        {
            "eastus2"
        }
        () => "westeurope",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_lies_near_its_application() {
        for (wanted, nearest) in [
            ("westeurope", "westeurope"),
            ("germanywestcentral", "westeurope"),
            ("australiaeast", "eastasia"),
            ("eastus", "eastus2"),
            ("westus3", "westus2"),
            ("northcentralus", "centralus"),
            ("canadacentral", "eastus2"),
            ("southeastasia", "eastasia"),
        ] {
            assert_eq!(region(wanted), nearest, "{wanted}");
        }
        // Letters of another word: `austria`, `russia`.
        assert_eq!(region("austriaeast"), "westeurope");
    }
}
