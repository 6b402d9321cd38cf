//! Application Insights: what the services report of themselves.

use landfall_manifest::Sampling;

use crate::address::Address;
use crate::body::{Body, Object, object};
use crate::expression::Expression;
use crate::name;
use crate::services::{Draft, identity, set, workspace};

/// The ARM type.
pub const TYPE: &str = "Microsoft.Insights/components";

/// Its address; there is one, when `insights.enabled`.
pub fn address() -> Address {
    Address::new("insights", "main")
}

/// Whether the application has one.
pub fn is_enabled(draft: &Draft<'_>) -> bool {
    draft.app.insights.enabled
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let insights = draft.app.insights.clone();
    if !insights.enabled {
        return;
    }
    let name = draft.name(&name::INSIGHTS, None);
    let mut component = draft.in_group(address(), TYPE, "2020-02-02", name, "insights");
    set(&mut component, "kind", "web".into());
    let properties = object([
        ("Application_Type", "web".into()),
        ("Flow_Type", "Bluefield".into()),
        ("WorkspaceResourceId", Expression::id(&workspace::address()).into()),
        ("IngestionMode", "LogAnalytics".into()),
        ("RetentionInDays", insights.retention.0.into()),
        // A rate is kept by the sender, who alone knows what is one trace; a share can be kept here for senders that
        // do not know how.
        (
            "SamplingPercentage",
            match insights.sampling {
                Sampling::Share(share) if share < 100 => u32::from(share).into(),
                _ => Body::Null,
            },
        ),
        ("DisableLocalAuth", (!insights.keys).into()),
        ("publicNetworkAccessForIngestion", "Enabled".into()),
        ("publicNetworkAccessForQuery", "Enabled".into()),
    ]);
    set(&mut component, "properties", properties);
    draft.push(component);
}

/// How a service finds it, and what part of its telemetry it sends.
pub(super) fn variables(draft: &Draft<'_>, service: &str) -> Object {
    let mut values = Object::new();
    let insights = &draft.app.insights;
    if !insights.enabled {
        return values;
    }
    values.insert(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        Expression::property(&address(), "properties.ConnectionString"),
    );
    if !insights.keys {
        let pieces = vec!["Authorization=AAD;ClientId=".into(), identity::client_id(service)];
        values.insert("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", Expression::Concat { of: pieces });
    }
    // By this name alerts and charts tell the services apart.
    values.insert("OTEL_SERVICE_NAME", service);
    let (sampler, argument) = match insights.sampling {
        Sampling::Share(100) => return values,
        Sampling::Share(share) => ("microsoft.fixed_percentage", format!("{}", f64::from(share) / 100.0)),
        Sampling::Rate(rate) => ("microsoft.rate_limited", rate.to_string()),
    };
    values.insert("OTEL_TRACES_SAMPLER", sampler);
    values.insert("OTEL_TRACES_SAMPLER_ARG", argument);
    values
}
