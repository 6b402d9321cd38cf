//! Alerts: a metric alert where a metric has what is measured, else a query that is asked on schedule.

use landfall_manifest::{Alert, Comparison, Condition, Duration, Metric, Subject};

use crate::address::Address;
use crate::body::{Body, object};
use crate::codes;
use crate::expression::Expression;
use crate::name;
use crate::resource::Resource;
use crate::services::signal::{self, Reading, Signal};
use crate::services::{Draft, action_group, insights, set, workspace};

/// The address of an alert, by its name in the manifest.
pub fn address(name: &str) -> Address {
    Address::new("alert", name)
}

pub(super) fn add(draft: &mut Draft<'_>) {
    for (place, alert) in draft.app.alerts.iter().enumerate() {
        let made = signal::find(draft, alert.subject(), &alert.when).and_then(|signal| match signal {
            Signal::Metric(reading) => metric(draft, place, alert, &reading),
            Signal::Query(query) => scheduled(draft, place, alert, query),
        });
        match made {
            Ok(resource) => draft.push(resource),
            Err(why) => {
                let message = format!("`{}` cannot be watched: {why}", alert.when);
                draft.problem(codes::ALERT, format!("alert[{place}].when"), message, None);
            }
        }
    }
}

/// Windows of a metric alert, in minutes.
const METRIC_WINDOWS: &[u64] = &[1, 5, 15, 30, 60, 360, 720, 1440];
/// Windows of a query, in minutes.
const QUERY_WINDOWS: &[u64] = &[1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880];
/// The window when the manifest names none: what five samples, one a minute, tell.
const USUAL: Duration = Duration { seconds: 300 };
/// Most looks in a row that a query can be asked for.
const LOOKS_MAX: u64 = 6;

fn metric(draft: &Draft<'_>, place: usize, alert: &Alert, reading: &Reading) -> Result<Resource, String> {
    let when = &alert.when;
    if let (Some(over), Some(lasting)) = (when.over, when.lasting)
        && over != lasting
    {
        return Err(format!("a metric has one window: write `for {lasting}` or `over {over}`"));
    }
    let window = allowed(when.lasting.or(when.over).unwrap_or(USUAL), METRIC_WINDOWS, reading.grain)?;
    let frequency = match window.seconds {
        ..=900 => reading.grain.min(window.seconds),
        901..=3600 => 300.max(reading.grain),
        _ => 900.max(reading.grain).min(3600),
    };
    let dimension = |(name, value): &(&str, String)| {
        object([
            ("name", (*name).into()),
            ("operator", "Include".into()),
            ("values", vec![Body::from(value.as_str())].into()),
        ])
    };
    let criterion = object([
        ("criterionType", "StaticThresholdCriterion".into()),
        ("name", "condition".into()),
        ("metricNamespace", reading.namespace.into()),
        ("metricName", reading.name.into()),
        ("timeAggregation", reading.aggregation.into()),
        ("operator", operator(when.comparison).into()),
        ("threshold", number(reading.threshold)),
        (
            "dimensions",
            (!reading.dimensions.is_empty())
                .then(|| reading.dimensions.iter().map(dimension).collect::<Vec<_>>())
                .into(),
        ),
    ]);
    let mut resource = begun(draft, place, alert, "Microsoft.Insights/metricAlerts", "2026-01-01");
    resource.location = Some("global".to_owned());
    set(&mut resource, "location", "global".into());
    let told: Vec<Body> = action_group::of(draft, &alert.contacts)
        .into_iter()
        .map(|group| object([("actionGroupId", group)]))
        .collect();
    let properties = object([
        ("description", description(alert).into()),
        ("severity", u32::from(alert.severity.0).into()),
        ("enabled", true.into()),
        ("scopes", vec![Expression::id(&reading.of).into()].into()),
        ("evaluationFrequency", Duration { seconds: frequency }.iso().into()),
        ("windowSize", window.iso().into()),
        (
            "criteria",
            object([
                ("odata.type", "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria".into()),
                ("allOf", vec![criterion].into()),
            ]),
        ),
        ("autoMitigate", true.into()),
        ("actions", (!told.is_empty()).then_some(told).into()),
    ]);
    set(&mut resource, "properties", properties);
    Ok(resource)
}

fn scheduled(draft: &Draft<'_>, place: usize, alert: &Alert, query: String) -> Result<Resource, String> {
    let when = &alert.when;
    let over = match when.metric {
        // Azure notes what is about to expire once; a day's window finds it however late the log arrives.
        Metric::SecretExpiry => Duration { seconds: 86_400 },
        _ => when.over.or(when.lasting).unwrap_or(USUAL),
    };
    let looks = match (when.over, when.lasting) {
        (Some(over), Some(lasting)) => (lasting.seconds / over.seconds).max(1),
        _ => 1,
    };
    let window = allowed(over, QUERY_WINDOWS, 60)?;
    if looks > LOOKS_MAX {
        return Err(format!(
            "Azure looks at most {LOOKS_MAX} times in a row, not {looks}: make `over` longer"
        ));
    }
    // Looks in a row do not overlap; a single one is taken every five minutes, or as often as its window is long.
    let frequency = match (looks, window.seconds) {
        (1, ..=300) => window,
        (1, ..=3600) => Duration { seconds: 300 },
        (1, _) => Duration { seconds: 3600 },
        (_, ..=3600) => window,
        _ => return Err("looks in a row are at most an hour long".to_owned()),
    };
    let mut resource = begun(draft, place, alert, "Microsoft.Insights/scheduledQueryRules", "2026-03-01");
    set(&mut resource, "kind", "LogAlert".into());
    let told = action_group::of(draft, &alert.contacts);
    let criterion = object([
        ("query", query.into()),
        ("metricMeasureColumn", "value".into()),
        // The query gives one number.
        ("timeAggregation", "Average".into()),
        ("operator", query_operator(when).into()),
        ("threshold", number(signal::threshold(when))),
        (
            "failingPeriods",
            object([
                ("numberOfEvaluationPeriods", u32::try_from(looks).unwrap_or(1).into()),
                ("minFailingPeriodsToAlert", u32::try_from(looks).unwrap_or(1).into()),
            ]),
        ),
    ]);
    let properties = object([
        ("displayName", resource.name.as_str().into()),
        ("description", description(alert).into()),
        ("severity", u32::from(alert.severity.0).into()),
        ("enabled", true.into()),
        // The workspace holds what the services report and what Azure logs.
        ("scopes", vec![Expression::id(&workspace::address()).into()].into()),
        ("evaluationFrequency", frequency.iso().into()),
        ("windowSize", window.iso().into()),
        ("criteria", object([("allOf", vec![criterion].into())])),
        ("autoMitigate", true.into()),
        // The tables are there once the first service has reported.
        ("skipQueryValidation", true.into()),
        ("actions", (!told.is_empty()).then(|| object([("actionGroups", told.into())])).into()),
    ]);
    set(&mut resource, "properties", properties);
    if insights::is_enabled(draft) {
        resource.after = vec![insights::address()];
    }
    Ok(resource)
}

fn begun(
    draft: &Draft<'_>,
    place: usize,
    alert: &Alert,
    resource_type: &'static str,
    api_version: &'static str,
) -> Resource {
    let name = draft.name(&name::ALERT, Some(&alert.name));
    draft.in_group(address(&alert.name), resource_type, api_version, name, format!("alert[{place}]"))
}

/// A window that Azure offers, or what to write instead.
fn allowed(wanted: Duration, windows: &[u64], grain: u64) -> Result<Duration, String> {
    let offered = windows.iter().map(|minutes| minutes * 60).filter(|seconds| *seconds >= grain);
    let mut offered: Vec<u64> = offered.collect();
    if offered.contains(&wanted.seconds) {
        return Ok(wanted);
    }
    // A short window of what is sampled seldom becomes the shortest that has a sample.
    if wanted.seconds < grain {
        return Ok(Duration { seconds: offered.first().copied().unwrap_or(grain) });
    }
    offered.sort_by_key(|seconds| seconds.abs_diff(wanted.seconds));
    let nearest: Vec<String> =
        offered.iter().take(2).map(|seconds| Duration { seconds: *seconds }.to_string()).collect();
    Err(format!("Azure does not look back over {wanted}: write {}", nearest.join(" or ")))
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Above => "GreaterThan",
        Comparison::AtLeast => "GreaterThanOrEqual",
        Comparison::Below => "LessThan",
        Comparison::AtMost => "LessThanOrEqual",
    }
}

fn query_operator(when: &Condition) -> &'static str {
    match when.metric {
        Metric::SecretExpiry => "GreaterThan",
        _ => operator(when.comparison),
    }
}

/// What the one who is told reads.
fn description(alert: &Alert) -> String {
    let of = match alert.subject() {
        Subject::App => String::new(),
        Subject::Service(name) | Subject::Resource(name) => format!(" of {name}"),
    };
    let condition = format!("{}{of}: {}", alert.when.metric.doc(), alert.when);
    match &alert.note {
        Some(note) => format!("{condition}\n{note}"),
        None => condition,
    }
}

/// A number as Azure answers it: whole where it is whole.
pub(super) fn number(value: f64) -> Body {
    if value.fract() == 0.0 && (0.0..=9e15).contains(&value) {
        // Exact: a whole number within the bounds above.
        return Body::Number((value as u64).into());
    }
    serde_json::Number::from_f64(value).map(Body::Number).into()
}
