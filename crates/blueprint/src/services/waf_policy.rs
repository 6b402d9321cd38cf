//! Firewall policies of an Application Gateway.
//!
//! The rules come in this order: the lists of who may reach a service, which a rule that allows must not get round;
//! the user's own; the limit of requests; then what Microsoft keeps.

use landfall_manifest::network::{Gateway, Route, WafAction, WafMode, WafRule, WafRules};
use landfall_manifest::{AddressRange, App, Load};

use crate::address::Address;
use crate::body::{Body, object};
use crate::name;
use crate::services::network::API_VERSION;
use crate::services::{Draft, set};

/// Its address; there is one.
pub fn address() -> Address {
    Address::new("wafPolicy", "main")
}

pub(super) fn add(draft: &mut Draft<'_>) {
    let Some(gateway) = draft.app.network.as_ref().and_then(|network| network.gateway.as_ref()) else {
        return;
    };
    let mut policy = draft.in_group(
        address(),
        "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
        API_VERSION,
        draft.name(&name::WAF_POLICY, None),
        "network.gateway.waf",
    );
    let settings = object([
        ("state", "Enabled".into()),
        ("mode", if gateway.waf.mode == WafMode::Prevention { "Prevention" } else { "Detection" }.into()),
        ("requestBodyCheck", true.into()),
        ("maxRequestBodySizeInKb", 128u32.into()),
        ("fileUploadLimitInMb", 100u32.into()),
    ]);
    let (kind, version) = match gateway.waf.rules {
        WafRules::Drs21 => ("Microsoft_DefaultRuleSet", "2.1"),
        WafRules::Owasp32 => ("OWASP", "3.2"),
    };
    let set_of = |kind: &str, version: &str| {
        object([("ruleSetType", kind.into()), ("ruleSetVersion", version.into())])
    };
    let mut sets = vec![set_of(kind, version)];
    if gateway.waf.bots {
        sets.push(set_of("Microsoft_BotManagerRuleSet", "1.1"));
    }
    let properties = object([
        ("policySettings", settings),
        ("customRules", custom(draft.app, gateway).into()),
        ("managedRules", object([("managedRuleSets", sets.into())])),
    ]);
    set(&mut policy, "properties", properties);
    draft.push(policy);
}

fn custom(app: &App, gateway: &Gateway) -> Vec<Body> {
    let mut rules: Vec<Rule> = gateway.routes.iter().filter_map(|route| allowed(app, route)).collect();
    rules.extend(gateway.waf.custom.iter().map(users));
    if let Some(limit) = gateway.waf.rate_limit {
        rules.push(Rule {
            name: "RateLimit".to_owned(),
            action: "Block",
            rate: Some(limit),
            matches: Vec::new(),
        });
    }
    (1u32..).zip(rules).map(|(priority, rule)| rule.body(priority)).collect()
}

/// A rule before Azure's words for it.
struct Rule {
    name: String,
    action: &'static str,
    rate: Option<Load>,
    matches: Vec<Match>,
}

/// What of a request has to fit.
struct Match {
    variable: &'static str,
    operator: &'static str,
    not: bool,
    values: Vec<String>,
}

impl Match {
    fn address(not: bool, ranges: &[AddressRange]) -> Match {
        let values = ranges.iter().map(AddressRange::to_string).collect();
        Match { variable: "RemoteAddr", operator: "IPMatch", not, values }
    }

    fn path(prefix: &str) -> Match {
        Match { variable: "RequestUri", operator: "BeginsWith", not: false, values: vec![prefix.to_owned()] }
    }

    fn body(self) -> Body {
        let values: Vec<Body> = self.values.into_iter().map(Body::from).collect();
        object([
            ("matchVariables", vec![object([("variableName", self.variable.into())])].into()),
            ("operator", self.operator.into()),
            // Azure's spelling.
            ("negationConditon", self.not.into()),
            ("matchValues", values.into()),
        ])
    }
}

impl Rule {
    fn body(mut self, priority: u32) -> Body {
        if self.matches.is_empty() {
            // A rule has to say something: that the address is not one that no client has.
            self.matches.push(Match {
                variable: "RemoteAddr",
                operator: "IPMatch",
                not: true,
                values: vec!["255.255.255.255/32".to_owned()],
            });
        }
        let matches: Vec<Body> = self.matches.into_iter().map(Match::body).collect();
        let by_client = || {
            let variable = object([("variableName", "ClientAddr".into())]);
            Body::from(vec![object([("groupByVariables", vec![variable].into())])])
        };
        // The language takes up to a million, which fits.
        let threshold = self.rate.map(|rate| u32::try_from(rate.count).unwrap_or(u32::MAX));
        object([
            ("name", self.name.into()),
            ("priority", priority.into()),
            ("state", "Enabled".into()),
            ("ruleType", if self.rate.is_some() { "RateLimitRule" } else { "MatchRule" }.into()),
            ("rateLimitDuration", self.rate.map(|_| "OneMin").into()),
            ("rateLimitThreshold", threshold.into()),
            ("groupByUserSession", self.rate.map(|_| by_client()).into()),
            ("matchConditions", matches.into()),
            ("action", self.action.into()),
        ])
    }
}

/// Behind a gateway a service sees the gateway's address only, so the gateway keeps its list of who may come.
fn allowed(app: &App, route: &Route) -> Option<Rule> {
    let name = route.service.as_ref()?;
    let ingress = app.services.get(name)?.ingress.as_ref()?;
    if ingress.allow.is_empty() {
        return None;
    }
    let ranges: Vec<AddressRange> =
        ingress.allow.iter().filter_map(|range| AddressRange::parse(range).ok()).collect();
    let mut matches = vec![Match::address(true, &ranges)];
    let prefix = route.path.trim_end_matches('*');
    if prefix != "/" {
        matches.push(Match::path(prefix));
    }
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let name = format!("Allow{}{}", letters(name), letters(prefix));
    Some(Rule { name, action: "Block", rate: None, matches })
}

fn users(rule: &WafRule) -> Rule {
    let mut matches = Vec::new();
    if !rule.from.is_empty() {
        matches.push(Match::address(false, &rule.from));
    }
    if !rule.except.is_empty() {
        matches.push(Match::address(true, &rule.except));
    }
    if !rule.countries.is_empty() {
        let values = rule.countries.clone();
        matches.push(Match { variable: "RemoteAddr", operator: "GeoMatch", not: false, values });
    }
    if let Some(path) = &rule.path {
        matches.push(Match::path(path));
    }
    let action = match rule.action {
        WafAction::Block => "Block",
        WafAction::Allow => "Allow",
        WafAction::Log => "Log",
    };
    Rule { name: rule.name.clone(), action, rate: rule.rate, matches }
}
