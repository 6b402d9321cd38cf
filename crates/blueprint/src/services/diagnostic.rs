//! Diagnostic settings: the logs of Azure's own services, sent to where the application's are.

use landfall_manifest::Logs;

use crate::address::Address;
use crate::body::object;
use crate::expression::Expression;
use crate::resource::Resource;
use crate::services::{Draft, workspace};

/// The ARM type. Its newest stable version knows a single setting named `service`, so the version that Azure's own
/// documentation uses is sent.
pub const TYPE: &str = "Microsoft.Insights/diagnosticSettings";

/// The types that have logs, and whether Azure sets apart which of them tell who did what.
const LOGGED: &[(&str, bool)] = &[
    ("Microsoft.KeyVault/vaults", true),
    ("Microsoft.ContainerRegistry/registries", true),
    ("Microsoft.Storage/storageAccounts/blobServices", true),
    ("Microsoft.DBforPostgreSQL/flexibleServers", true),
    ("Microsoft.Cache/redisEnterprise/databases", true),
    ("Microsoft.ServiceBus/namespaces", true),
    ("Microsoft.DocumentDB/databaseAccounts", true),
    ("Microsoft.CognitiveServices/accounts", true),
    ("Microsoft.AppConfiguration/configurationStores", true),
    ("Microsoft.ContainerService/managedClusters", true),
    ("Microsoft.Web/sites", true),
    ("Microsoft.Communication/communicationServices", false),
    ("Microsoft.Search/searchServices", false),
    ("Microsoft.Network/applicationGateways", false),
    ("Microsoft.Network/networkSecurityGroups", false),
    ("Microsoft.Network/publicIPAddresses", false),
    ("Microsoft.Network/bastionHosts", false),
    ("Microsoft.Network/trafficManagerProfiles", false),
];

/// The address of a resource's setting.
pub fn address(of: &Address) -> Address {
    Address::new("diagnosticSetting", of.as_str())
}

/// Whether the logs of a type are kept.
pub(super) fn is_logged(draft: &Draft<'_>, resource_type: &str) -> bool {
    let known = LOGGED.iter().find(|(known, _)| known.eq_ignore_ascii_case(resource_type));
    match draft.app.insights.logs {
        Logs::None => false,
        Logs::Audit => known.is_some_and(|(_, audited)| *audited),
        Logs::All => known.is_some(),
    }
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let group = if draft.app.insights.logs == Logs::Audit { "audit" } else { "allLogs" };
    let made: Vec<Resource> = draft
        .resources
        .iter()
        .filter(|resource| is_logged(draft, resource.resource_type))
        .map(|resource| Resource {
            named: None,
            address: address(&resource.address),
            resource_type: TYPE,
            api_version: "2021-05-01-preview",
            name: "landfall".to_owned(),
            scope: resource.id(),
            location: None,
            body: object([(
                "properties",
                object([
                    ("workspaceId", Expression::id(&workspace::address()).into()),
                    (
                        "logs",
                        vec![object([("categoryGroup", group.into()), ("enabled", true.into())])].into(),
                    ),
                ]),
            )]),
            within: Some(resource.address.clone()),
            after: Vec::new(),
            from: "insights.logs".to_owned(),
            holds_data: false,
        })
        .collect();
    made.into_iter().for_each(|resource| draft.push(resource));
}
