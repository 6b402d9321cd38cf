//! Tests from outside: whether each public service answers.

use landfall_manifest::{Service, watch};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::services::{Draft, host, insights, set};

/// The address of a service's test.
pub fn address(service: &str) -> Address {
    Address::new("webtest", service)
}

/// Whether a service is tested: it is public, and lets everyone in.
pub(super) fn is_tested(draft: &Draft<'_>, service: &Service) -> bool {
    let insights = &draft.app.insights;
    let open = service.ingress.as_ref().is_some_and(|ingress| ingress.public && ingress.allow.is_empty());
    insights.enabled && insights.availability.enabled && open
}

/// The name of a service's test.
pub(super) fn name(draft: &Draft<'_>, service: &str) -> String {
    draft.name(&name::WEBTEST, Some(service))
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (service_name, service) in &draft.app.services {
        if !is_tested(draft, service) {
            continue;
        }
        let Some(url) = url(draft, service_name, service) else { continue };
        let availability = draft.app.insights.availability.clone();
        let azure = name(draft, service_name);
        let component = draft.earlier(&insights::address()).id();
        let mut test = draft.in_group(
            address(service_name),
            "Microsoft.Insights/webtests",
            "2022-06-15",
            azure.clone(),
            "insights.availability",
        );
        // By this tag Azure finds the component that the results belong to.
        if let Some(Body::Object(tags)) = test.body.at_mut("tags") {
            tags.insert(format!("hidden-link:{component}"), "Resource");
        }
        set(&mut test, "kind", "standard".into());
        let place = |id: String| object([("Id", id.into())]);
        let seconds = u32::try_from(availability.every.seconds).unwrap_or(300);
        let properties = object([
            ("SyntheticMonitorId", azure.as_str().into()),
            ("Name", azure.as_str().into()),
            ("Enabled", true.into()),
            ("Frequency", seconds.into()),
            ("Timeout", 30u32.into()),
            ("Kind", "standard".into()),
            // One lost packet is no outage.
            ("RetryEnabled", true.into()),
            ("Locations", Body::Array(places(draft).into_iter().map(place).collect())),
            (
                "Request",
                object([
                    ("RequestUrl", url),
                    ("HttpVerb", "GET".into()),
                    ("ParseDependentRequests", false.into()),
                    ("FollowRedirects", true.into()),
                ]),
            ),
            (
                "ValidationRules",
                object([
                    ("ExpectedHttpStatusCode", 200u32.into()),
                    ("SSLCheck", true.into()),
                    ("SSLCertRemainingLifetimeCheck", 7u32.into()),
                ]),
            ),
        ]);
        set(&mut test, "properties", properties);
        test.after = vec![insights::address()];
        draft.push(test);
    }
}

/// Where a service is asked: at its own domain when it has one, at the path that tells whether it is ready.
fn url(draft: &Draft<'_>, name: &str, service: &Service) -> Option<Body> {
    let path = service.probes.ready.as_ref().or(service.probes.live.as_ref());
    let path = path.map_or("/", String::as_str);
    let domain = service.ingress.as_ref().and_then(|ingress| ingress.domains.first());
    if let Some(domain) = domain {
        return Some(format!("https://{domain}{path}").into());
    }
    match host::url(draft, name)? {
        Body::Expression(Expression::Concat { mut of }) => {
            of.push(path.into());
            Some(Expression::Concat { of }.into())
        }
        Body::String(url) => Some(format!("{url}{path}").into()),
        url => Some(Expression::Concat { of: vec![url, path.into()] }.into()),
    }
}

/// The places of the manifest, or five of them, one on each side of the world.
fn places(draft: &Draft<'_>) -> Vec<String> {
    let written = &draft.app.insights.availability.from;
    if !written.is_empty() {
        return written.clone();
    }
    let usual =
        ["emea-nl-ams-azr", "emea-ru-msa-edge", "us-va-ash-azr", "apac-sg-sin-azr", "emea-au-syd-edge"];
    let known = usual.iter().filter(|usual| watch::PLACES.iter().any(|(id, _)| id == *usual));
    known.map(|id| (*id).to_owned()).collect()
}
