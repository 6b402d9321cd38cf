//! Communication Services, and email with its domain.

use landfall_manifest::{Access, Communication, Geography, ResourceKind};

use crate::address::Address;
use crate::body::{Body, object};
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::role;
use crate::services::{Draft, Offer, child, set};

/// The ARM type.
pub const TYPE: &str = "Microsoft.Communication/communicationServices";
const API_VERSION: &str = "2026-03-18";

/// What others ask of it.
pub(super) const OFFER: Offer = Offer {
    address,
    attribute: |_, name, attribute| match attribute {
        "endpoint" => Some(endpoint(name)),
        _ => None,
    },
    connection: |draft, name| {
        let mut variables = vec![("ENDPOINT", endpoint(name))];
        if draft.get(&domain_address(name)).is_some() {
            let domain = Expression::property(&domain_address(name), "properties.fromSenderDomain");
            let sender = Expression::Concat { of: vec!["DoNotReply@".into(), domain.into()] };
            variables.push(("SENDER", sender.into()));
        }
        variables
    },
    user: None,
    roles: |_, access| match access {
        Access::Call => vec![&role::COMMUNICATION_OWNER],
        _ => Vec::new(),
    },
    grant: None,
    // Azure has no private endpoints for it.
    private: &[],
};

/// The address of the service, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("communication", name)
}

fn domain_address(name: &str) -> Address {
    Address::new("emailDomain", name)
}

fn endpoint(name: &str) -> Body {
    let host = Expression::property(&address(name), "properties.hostName");
    Expression::Concat { of: vec!["https://".into(), host.into()] }.into()
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (name, resource) in &draft.app.resources {
        if let ResourceKind::Communication(wanted) = &resource.kind {
            push(draft, name, wanted);
        }
    }
}

fn push(draft: &mut Draft<'_>, name: &str, wanted: &Communication) {
    let data = wanted.data.map_or_else(|| of_region(draft.region.name), geography);
    let place = |resource: &mut Resource| {
        // The services are everywhere; only their data has a place.
        resource.location = Some("global".to_owned());
        set(resource, "location", "global".into());
    };
    let path = draft.resource_path(name);
    let mut linked: Vec<Body> = Vec::new();
    if let Some(email) = &wanted.email {
        let named = draft.resource_name(&name::EMAIL, name);
        let mut service = draft.in_group(
            Address::new("email", name),
            "Microsoft.Communication/emailServices",
            API_VERSION,
            named,
            format!("{path}.email"),
        );
        place(&mut service);
        set(&mut service, "properties", object([("dataLocation", data.into())]));
        let azures = email == "azure";
        let mut domain = child(
            &service,
            domain_address(name),
            "Microsoft.Communication/emailServices/domains",
            API_VERSION,
            if azures { "AzureManagedDomain" } else { email },
            object([
                ("domainManagement", if azures { "AzureManaged" } else { "CustomerManaged" }.into()),
                ("userEngagementTracking", "Disabled".into()),
            ]),
        );
        place(&mut domain);
        set(&mut domain, "tags", draft.tags());
        draft.push(service);
        draft.push(domain);
        linked.push(Expression::id(&domain_address(name)).into());
    }
    let mut service = draft.in_group(
        address(name),
        TYPE,
        API_VERSION,
        draft.resource_name(&name::COMMUNICATION, name),
        path,
    );
    place(&mut service);
    let properties = object([
        ("dataLocation", data.into()),
        ("disableLocalAuth", true.into()),
        ("linkedDomains", (!linked.is_empty()).then_some(linked).into()),
    ]);
    set(&mut service, "properties", properties);
    service.holds_data = true;
    draft.overlay(&mut service, name);
    draft.push(service);
}

fn geography(geography: Geography) -> &'static str {
    match geography {
        Geography::Africa => "Africa",
        Geography::AsiaPacific => "Asia Pacific",
        Geography::Australia => "Australia",
        Geography::Brazil => "Brazil",
        Geography::Canada => "Canada",
        Geography::Europe => "Europe",
        Geography::France => "France",
        Geography::Germany => "Germany",
        Geography::India => "India",
        Geography::Japan => "Japan",
        Geography::Korea => "Korea",
        Geography::Norway => "Norway",
        Geography::Switzerland => "Switzerland",
        Geography::Uae => "UAE",
        Geography::Uk => "UK",
        Geography::UnitedStates => "United States",
    }
}

/// The geography whose data a region's users expect theirs to rest in.
fn of_region(region: &str) -> &'static str {
    const BY_WORD: &[(&str, &str)] = &[
        ("australia", "Australia"),
        ("brazil", "Brazil"),
        ("canada", "Canada"),
        ("france", "France"),
        ("germany", "Germany"),
        ("india", "India"),
        ("japan", "Japan"),
        ("korea", "Korea"),
        ("norway", "Norway"),
        ("switzerland", "Switzerland"),
        ("uae", "UAE"),
        ("uksouth", "UK"),
        ("ukwest", "UK"),
        ("southafrica", "Africa"),
        ("eastasia", "Asia Pacific"),
        ("southeastasia", "Asia Pacific"),
        ("indonesia", "Asia Pacific"),
        ("malaysia", "Asia Pacific"),
        ("newzealand", "Asia Pacific"),
        ("europe", "Europe"),
        ("sweden", "Europe"),
        ("poland", "Europe"),
        ("italy", "Europe"),
        ("spain", "Europe"),
        ("austria", "Europe"),
        ("belgium", "Europe"),
        ("denmark", "Europe"),
        ("qatar", "UAE"),
        ("israel", "Europe"),
    ];
    let found = BY_WORD.iter().find(|(word, _)| match *word {
        // `centralindia` has it at its end, `indonesiacentral` is another country.
        "india" => region.ends_with("india") || region.starts_with("jioindia"),
        word => region.contains(word),
    });
    found.map_or("United States", |(_, geography)| geography)
}
