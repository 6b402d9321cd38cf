//! App Service on Linux: a plan and an application per service, its slots, settings, domains and how it scales.
//!
//! Settings are written whole: what somebody else adds to them in Azure is gone with the next change.

use landfall_manifest::host::{Slot, linux_fx};
use landfall_manifest::{Access, AppService, Down, Host, Ingress, Load, Per, Scale, Service, Source, Times};

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::expression::{Expression, concat};
use crate::name;
use crate::resource::Resource;
use crate::services::host::{Code, Platform};
use crate::services::network::{self, Purpose};
use crate::services::{Draft, child, env, identity, set};

/// The ARM type of an application.
pub const SITE: &str = "Microsoft.Web/sites";
/// The ARM type of a plan.
pub const PLAN: &str = "Microsoft.Web/serverfarms";
/// The ARM type of a slot.
pub const SLOT: &str = "Microsoft.Web/sites/slots";
/// The ARM type of an application's parts of configuration.
pub const CONFIG: &str = "Microsoft.Web/sites/config";
/// The ARM type of a slot's parts of configuration.
pub const SLOT_CONFIG: &str = "Microsoft.Web/sites/slots/config";
const API_VERSION: &str = "2025-03-01";

/// What this host is to its services.
pub(super) const PLATFORM: Platform =
    Platform { address: |name| Some(address(name)), url, code: Code::Package };

/// The address of a service's application.
pub fn address(service: &str) -> Address {
    Address::new("site", service)
}

/// The address of the plan it runs on.
pub fn plan_address(service: &str) -> Address {
    Address::new("plan", service)
}

/// Where a service is reached: its name is its host name.
pub(super) fn url(draft: &Draft<'_>, service: &str) -> Option<Body> {
    draft.app.services.get(service)?.ingress.as_ref()?;
    Some(format!("https://{}.azurewebsites.net", draft.name(&name::SITE, Some(service))).into())
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, service) in &draft.app.services {
        if let Host::AppService(own) = &service.host {
            plan(draft, name, service, own);
            let site = site(draft, name, service, own);
            let settings = settings(draft, name, service, own);
            parts(draft, &site, name, service, own, settings);
        }
    }
}

fn plan(draft: &mut Draft<'_>, name: &str, service: &Service, own: &AppService) {
    let size = own.plan.size();
    let mut plan = draft.in_group(
        plan_address(name),
        PLAN,
        API_VERSION,
        draft.name(&name::PLAN, Some(name)),
        format!("service.{name}.plan"),
    );
    let least = service.scale.as_ref().map_or(1, |scale| scale.min);
    let sku = object([("name", size.name.into()), ("tier", size.tier.into()), ("capacity", least.into())]);
    set(&mut plan, "sku", sku);
    set(&mut plan, "kind", "linux".into());
    let properties = object([
        // Azure's word for Linux.
        ("reserved", true.into()),
        ("zoneRedundant", own.plan.zone_redundant.into()),
    ]);
    set(&mut plan, "properties", properties);
    draft.push(plan);
}

fn site(draft: &mut Draft<'_>, name: &str, service: &Service, own: &AppService) -> Resource {
    let mut site = draft.in_group(
        address(name),
        SITE,
        API_VERSION,
        draft.name(&name::SITE, Some(name)),
        format!("service.{name}"),
    );
    draft.ready_for(&mut site, name, service);
    let kind = match service.source {
        Source::Folder(_) => "app,linux",
        Source::Image(_) => "app,linux,container",
    };
    set(&mut site, "kind", kind.into());
    set(&mut site, "properties", properties(draft, name, service, own));
    site
}

/// What an application and each of its slots are alike in.
fn properties(draft: &Draft<'_>, name: &str, service: &Service, own: &AppService) -> Body {
    let public = service.ingress.as_ref().is_some_and(|ingress| ingress.public);
    let subnet = own.plan.size().is_paid().then(|| network::subnet(draft, Purpose::AppService)).flatten();
    object([
        ("serverFarmId", Expression::id(&plan_address(name)).into()),
        ("reserved", true.into()),
        ("httpsOnly", true.into()),
        ("clientAffinityEnabled", service.ingress.as_ref().is_some_and(|ingress| ingress.affinity).into()),
        ("publicNetworkAccess", if public { "Enabled" } else { "Disabled" }.into()),
        // References to secrets are read by the identity that has the role, not by one of the system's.
        ("keyVaultReferenceIdentity", Expression::id(&identity::address(name)).into()),
        ("virtualNetworkSubnetId", subnet.as_ref().map(Expression::id).into()),
        ("siteConfig", config(name, service, own, subnet.is_some())),
    ])
}

fn config(name: &str, service: &Service, own: &AppService, in_network: bool) -> Body {
    let runtime = match &service.source {
        Source::Image(image) => Some(format!("DOCKER|{image}")),
        Source::Folder(_) => own.runtime.as_deref().and_then(linux_fx),
    };
    let pulls = service.uses.values().any(|has| has.contains(Access::Pull) || has.contains(Access::Push));
    let startup = own.startup.as_ref().map(|command| {
        let port = service.port.map(|port| port.to_string()).unwrap_or_default();
        command.replace("{workers}", &own.workers.to_string()).replace("{port}", &port)
    });
    let ingress = service.ingress.as_ref();
    let allow = ingress.map(allow).unwrap_or_default();
    object([
        ("linuxFxVersion", runtime.into()),
        ("appCommandLine", startup.into()),
        ("alwaysOn", own.always_on.into()),
        ("webSocketsEnabled", own.websockets.into()),
        ("http20Enabled", true.into()),
        ("minTlsVersion", "1.2".into()),
        ("scmMinTlsVersion", "1.2".into()),
        ("ftpsState", "Disabled".into()),
        ("remoteDebuggingEnabled", false.into()),
        ("use32BitWorkerProcess", false.into()),
        // An instance that does not answer there gets no requests, and is replaced after an hour.
        ("healthCheckPath", service.probes.ready.as_deref().into()),
        ("vnetRouteAllEnabled", in_network.then_some(true).into()),
        ("ipSecurityRestrictionsDefaultAction", (!allow.is_empty()).then_some("Deny").into()),
        ("ipSecurityRestrictions", (!allow.is_empty()).then_some(allow).into()),
        ("cors", ingress.and_then(cors).into()),
        ("acrUseManagedIdentityCreds", pulls.then_some(true).into()),
        ("acrUserManagedIdentityID", pulls.then(|| identity::client_id(name)).into()),
    ])
}

fn allow(ingress: &Ingress) -> Vec<Body> {
    let rules = (1u32..).zip(&ingress.allow).map(|(place, range)| {
        object([
            ("name", format!("allow-{place}").into()),
            ("ipAddress", range.as_str().into()),
            ("action", "Allow".into()),
            ("priority", (place * 10).into()),
        ])
    });
    rules.collect()
}

fn cors(ingress: &Ingress) -> Option<Body> {
    let origins: Vec<Body> = ingress.cors.iter().map(|origin| origin.as_str().into()).collect();
    let named = !ingress.cors.iter().any(|origin| origin == "*");
    // Cookies may travel only to origins that are named.
    (!origins.is_empty())
        .then(|| object([("allowedOrigins", origins.into()), ("supportCredentials", named.into())]))
}

/// The application's settings, which it finds in its environment.
fn settings(draft: &mut Draft<'_>, name: &str, service: &Service, own: &AppService) -> Object {
    let mut settings = Object::new();
    // What gunicorn and uvicorn read by themselves; a variable of the user's own wins.
    settings.insert("WEB_CONCURRENCY", own.workers.to_string());
    if let (Source::Image(_), Some(port)) = (&service.source, service.port) {
        settings.insert("WEBSITES_PORT", port.to_string());
        // What a container writes to its disk is lost with it, as anywhere else.
        settings.insert("WEBSITES_ENABLE_APP_SERVICE_STORAGE", "false");
    }
    let plain = env::plain(draft, name, service);
    for (variable, value) in plain.iter() {
        settings.insert(variable, value.clone());
    }
    for (variable, secret) in &service.secrets {
        settings.insert(variable.as_str(), reference(draft, secret));
    }
    settings
}

/// What App Service replaces by a secret's value. The version is pinned: a new value is another setting, which starts
/// the application anew, where an unpinned one would be noticed within a day.
fn reference(draft: &Draft<'_>, secret: &str) -> Body {
    let uri = Expression::SecretUri { vault: draft.vault.clone(), secret: secret.to_owned() };
    concat(["@Microsoft.KeyVault(SecretUri=".into(), uri.into(), ")".into()])
}

/// All that belongs to an application, in creation order.
fn parts(
    draft: &mut Draft<'_>,
    site: &Resource,
    name: &str,
    service: &Service,
    own: &AppService,
    settings: Object,
) {
    draft.push(site.clone());
    let sticky = own.all_sticky();
    if !sticky.is_empty() {
        let names: Vec<Body> = sticky.into_iter().map(Body::from).collect();
        let properties = object([("appSettingNames", names.into())]);
        let part = part(site, "siteSlotNames", name, CONFIG, "slotConfigNames", properties);
        draft.push(Resource { from: format!("service.{name}.sticky"), ..part });
    }
    draft.push(part(site, "siteSettings", name, CONFIG, "appsettings", Body::Object(settings.clone())));
    draft.push(part(site, "siteLogs", name, CONFIG, "logs", logs()));
    for slot in &own.slots {
        let place = format!("{name}.{slot}");
        let mut resource = Resource {
            address: Address::new("slot", &place),
            resource_type: SLOT,
            name: format!("{}/{slot}", site.name),
            within: Some(site.address.clone()),
            from: format!("service.{name}.slots"),
            ..site.clone()
        };
        if let Body::Object(body) = &mut resource.body {
            body.insert("properties", properties(draft, name, service, own));
        }
        let changed = own.slot.get(slot).cloned().unwrap_or_default();
        let settings = changed_settings(draft, name, &settings, &changed);
        let parts = [
            part(&resource, "slotSettings", &place, SLOT_CONFIG, "appsettings", Body::Object(settings)),
            part(&resource, "slotLogs", &place, SLOT_CONFIG, "logs", logs()),
        ];
        draft.push(resource);
        parts.into_iter().for_each(|part| draft.push(part));
    }
    domains(draft, site, name, service);
    autoscale(draft, site, name, service, own);
}

fn part(
    parent: &Resource,
    kind: &str,
    name: &str,
    resource_type: &'static str,
    which: &str,
    properties: Body,
) -> Resource {
    child(parent, Address::new(kind, name), resource_type, API_VERSION, which, properties)
}

/// A slot's settings: the application's, with what is different there.
fn changed_settings(draft: &mut Draft<'_>, name: &str, settings: &Object, slot: &Slot) -> Object {
    let mut settings = settings.clone();
    for (variable, template) in &slot.env {
        settings.insert(variable.as_str(), env::filled(draft, name, template));
    }
    for (variable, secret) in &slot.secrets {
        settings.insert(variable.as_str(), reference(draft, secret));
    }
    settings
}

/// What the application prints and who asked for what, kept a few days on its own disk for looking at right away.
fn logs() -> Body {
    object([
        ("applicationLogs", object([("fileSystem", object([("level", "Information".into())]))])),
        (
            "httpLogs",
            object([(
                "fileSystem",
                object([
                    ("enabled", true.into()),
                    ("retentionInDays", 7u32.into()),
                    ("retentionInMb", 35u32.into()),
                ]),
            )]),
        ),
        ("detailedErrorMessages", object([("enabled", false.into())])),
        ("failedRequestsTracing", object([("enabled", false.into())])),
    ])
}

/// A binding per domain, and the certificate that Azure makes and renews for it once the domain leads here.
fn domains(draft: &mut Draft<'_>, site: &Resource, name: &str, service: &Service) {
    let ingress = service.ingress.as_ref();
    for domain in ingress.into_iter().flat_map(|ingress| &ingress.domains) {
        // A dot parts the names in an address; the domain's own come after it.
        let place = format!("{name}.{domain}");
        let binding = child(
            site,
            Address::new("hostName", &place),
            "Microsoft.Web/sites/hostNameBindings",
            API_VERSION,
            domain,
            object([
                ("siteName", site.name.as_str().into()),
                ("hostNameType", "Verified".into()),
                ("customHostNameDnsRecordType", if is_apex(domain) { "A" } else { "CName" }.into()),
            ]),
        );
        let mut certificate = draft.in_group(
            Address::new("certificate", &place),
            "Microsoft.Web/certificates",
            API_VERSION,
            draft.name(&name::CERTIFICATE, Some(&format!("{name}-{}", domain.replace('.', "-")))),
            format!("service.{name}.ingress.domains"),
        );
        let properties = object([
            ("serverFarmId", Expression::id(&plan_address(name)).into()),
            ("canonicalName", domain.as_str().into()),
        ]);
        set(&mut certificate, "properties", properties);
        // Azure looks whether the domain leads to the application before it asks for a certificate.
        certificate.after = vec![binding.address.clone()];
        draft.push(Resource { from: format!("service.{name}.ingress.domains"), ..binding });
        draft.push(certificate);
    }
}

/// Whether a domain is one that somebody registered, rather than a name below it.
pub(super) fn is_apex(domain: &str) -> bool {
    domain.matches('.').count() == 1
}

fn autoscale(draft: &mut Draft<'_>, site: &Resource, name: &str, service: &Service, own: &AppService) {
    let Some(scale) = &service.scale else { return };
    let grows = scale.max > scale.min || !scale.schedule.is_empty();
    if !grows || !own.plan.size().scales() {
        return;
    }
    let mut setting = draft.in_group(
        Address::new("autoscale", name),
        "Microsoft.Insights/autoscalesettings",
        "2022-10-01",
        draft.name(&name::AUTOSCALE, Some(name)),
        format!("service.{name}.scale"),
    );
    let rules = || Body::Array(rules(name, &site.address, scale));
    let capacity = |min: u32, max: u32| {
        object([
            ("minimum", min.to_string().into()),
            ("maximum", max.to_string().into()),
            ("default", min.to_string().into()),
        ])
    };
    let profile = |name: String, min, max, recurrence: Body| {
        object([
            ("name", name.into()),
            ("capacity", capacity(min, max)),
            ("rules", rules()),
            ("recurrence", recurrence),
        ])
    };
    let mut profiles = vec![profile("default".to_owned(), scale.min, scale.max, Body::Null)];
    for (place, times) in (1u32..).zip(&scale.schedule) {
        let named = format!("times-{place}");
        profiles.push(profile(named.clone(), times.min, times.max, recurrence(times, &times.from)));
        // A profile has a beginning only: the one that follows it ends it, and Azure knows it by this name.
        let back = format!("{{\"name\":\"default\",\"for\":\"{named}\"}}");
        profiles.push(profile(back, scale.min, scale.max, recurrence(times, &times.to)));
    }
    let properties = object([
        ("enabled", true.into()),
        ("targetResourceUri", Expression::id(&plan_address(name)).into()),
        ("profiles", profiles.into()),
    ]);
    set(&mut setting, "properties", properties);
    draft.push(setting);
}

fn recurrence(times: &Times, at: &str) -> Body {
    const DAYS: [(&str, &str); 7] = [
        ("mon", "Monday"),
        ("tue", "Tuesday"),
        ("wed", "Wednesday"),
        ("thu", "Thursday"),
        ("fri", "Friday"),
        ("sat", "Saturday"),
        ("sun", "Sunday"),
    ];
    let days: Vec<Body> = DAYS
        .iter()
        .filter(|(word, _)| times.days.iter().any(|day| day == word))
        .map(|(_, azure)| (*azure).into())
        .collect();
    let (hours, minutes) = at.split_once(':').unwrap_or((at, "0"));
    let number = |text: &str| Body::Array(vec![text.parse::<u32>().unwrap_or(0).into()]);
    let schedule = object([
        ("timeZone", times.zone.as_str().into()),
        ("days", days.into()),
        ("hours", number(hours)),
        ("minutes", number(minutes)),
    ]);
    object([("frequency", "Week".into()), ("schedule", schedule)])
}

/// Where a metric of a rule comes from.
enum Metric {
    /// Of the plan, in percent.
    Share(&'static str),
    /// Of the application, counted per minute and instance.
    Requests,
}

fn rules(name: &str, site: &Address, scale: &Scale) -> Vec<Body> {
    let none = Down { cpu: None, memory: None, requests: None };
    let down = scale.down.as_ref().unwrap_or(&none);
    let share =
        |up: Option<u8>, down: Option<u8>| up.map(|up| (u32::from(up), u32::from(down.unwrap_or(up / 2))));
    let requests = scale.requests.map(per_minute).map(|up| (up, down.requests.map_or(up / 5, per_minute)));
    let metrics = [
        (Metric::Share("CpuPercentage"), share(scale.cpu, down.cpu)),
        (Metric::Share("MemoryPercentage"), share(scale.memory, down.memory)),
        (Metric::Requests, requests),
    ];
    let mut rules = Vec::new();
    for (metric, bounds) in metrics {
        let Some((up, low)) = bounds else { continue };
        rules.push(rule(name, site, scale, &metric, Direction::Increase, up));
        rules.push(rule(name, site, scale, &metric, Direction::Decrease, low));
    }
    rules
}

#[derive(Clone, Copy)]
enum Direction {
    Increase,
    Decrease,
}

fn rule(
    name: &str,
    site: &Address,
    scale: &Scale,
    metric: &Metric,
    direction: Direction,
    threshold: u32,
) -> Body {
    let (word, operator) = match direction {
        Direction::Increase => ("Increase", "GreaterThan"),
        Direction::Decrease => ("Decrease", "LessThan"),
    };
    let (metric_name, of, statistic, divide) = match metric {
        Metric::Share(metric) => (*metric, plan_address(name), "Average", None),
        Metric::Requests => ("Requests", site.clone(), "Sum", Some(true)),
    };
    let span = |duration: Option<landfall_manifest::Duration>| duration.map(|duration| duration.iso());
    object([
        (
            "metricTrigger",
            object([
                ("metricName", metric_name.into()),
                ("metricResourceUri", Expression::id(&of).into()),
                ("timeGrain", "PT1M".into()),
                ("statistic", statistic.into()),
                ("timeWindow", span(scale.window).into()),
                ("timeAggregation", "Average".into()),
                ("operator", operator.into()),
                ("threshold", threshold.into()),
                ("dividePerInstance", divide.into()),
            ]),
        ),
        (
            "scaleAction",
            object([
                ("direction", word.into()),
                ("type", "ChangeCount".into()),
                ("value", "1".into()),
                ("cooldown", span(scale.cooldown).into()),
            ]),
        ),
    ])
}

/// Requests per minute, the least that is not none.
fn per_minute(load: Load) -> u32 {
    let (times, over) = match load.per {
        Per::Second => (60, 1),
        Per::Minute => (1, 1),
        Per::Hour => (1, 60),
        Per::Day => (1, 24 * 60),
        Per::Month => (1, 30 * 24 * 60),
    };
    let count = load.count.saturating_mul(times).div_ceil(over);
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loads_are_counted_per_minute() {
        let load = |count, per| per_minute(Load { count, per });
        assert_eq!(load(500, Per::Minute), 500);
        assert_eq!(load(2, Per::Second), 120);
        assert_eq!(load(90, Per::Hour), 2);
        assert_eq!(load(1, Per::Month), 1);
    }

    proptest! {
        #[test]
        fn a_greater_load_is_no_smaller_count(one in 0_u64..1_000_000, more in 0_u64..1_000_000) {
            for per in [Per::Second, Per::Minute, Per::Hour, Per::Day, Per::Month] {
                let (low, high) = (Load { count: one, per }, Load { count: one + more, per });
                prop_assert!(per_minute(low) <= per_minute(high));
            }
        }
    }
}
