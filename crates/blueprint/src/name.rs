//! What resources are called in Azure.
//!
//! A name comes from the manifest's pattern, `{type}-{app}-{env}-{region}` unless it says otherwise, and is
//! then made to fit the rules of its type. What belongs to one service or one declared resource carries that
//! name where the pattern has `{name}`, and after the application's otherwise: `ca-talenti-api-prod-aue`.
//!
//! A name that Azure wants unique in the whole world (registry, vault, storage account) ends in five
//! characters of a hash over the subscription and the full name. Two people who deploy the same example
//! never meet, since their subscriptions differ; one person gets the same name on every run and every machine,
//! since nothing else is in the hash. Without a subscription the hash is over zeros: such a blueprint is for
//! reading. A name that had to be cut gets the same kind of ending, so that two long ones stay apart.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// What a type allows in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Letters and digits.
    Plain,
    /// Letters, digits and single hyphens between them.
    Hyphens,
}

/// Azure's rules for the names of one type, and what stands for `{type}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Azure's usual abbreviation of the type.
    pub abbreviation: &'static str,
    /// The least number of characters.
    pub min: usize,
    /// The greatest number of characters.
    pub max: usize,
    /// What it may consist of.
    pub alphabet: Alphabet,
    /// Whether nobody else in the world may have it.
    pub global: bool,
}

const fn rule(abbreviation: &'static str, min: usize, max: usize, alphabet: Alphabet, global: bool) -> Rule {
    Rule { abbreviation, min, max, alphabet, global }
}

// All of them begin with a letter here and end with a letter or digit, which is what the strictest want and
// none forbids; and all are in lower case, though some types would take capitals.
/// A resource group.
pub const RESOURCE_GROUP: Rule = rule("rg", 1, 90, Alphabet::Hyphens, false);
/// A Log Analytics workspace.
pub const WORKSPACE: Rule = rule("log", 4, 63, Alphabet::Hyphens, false);
/// An Application Insights component.
pub const INSIGHTS: Rule = rule("appi", 1, 255, Alphabet::Hyphens, false);
/// An action group.
pub const ACTION_GROUP: Rule = rule("ag", 1, 260, Alphabet::Hyphens, false);
/// An alert, by metric or by query.
pub const ALERT: Rule = rule("alert", 1, 255, Alphabet::Hyphens, false);
/// A test from outside. Its name is also its id among the monitors of a component.
pub const WEBTEST: Rule = rule("webtest", 1, 64, Alphabet::Hyphens, false);
/// A budget.
pub const BUDGET: Rule = rule("budget", 1, 63, Alphabet::Hyphens, false);
/// A user-assigned identity.
pub const IDENTITY: Rule = rule("id", 3, 128, Alphabet::Hyphens, false);
/// A container registry.
pub const REGISTRY: Rule = rule("cr", 5, 50, Alphabet::Plain, true);
/// A key vault.
pub const VAULT: Rule = rule("kv", 3, 24, Alphabet::Hyphens, true);
/// A storage account.
pub const STORAGE: Rule = rule("st", 3, 24, Alphabet::Plain, true);
/// A Container Apps environment.
pub const CONTAINER_ENVIRONMENT: Rule = rule("cae", 2, 60, Alphabet::Hyphens, false);
/// A container app. Two hyphens part its name from a revision's suffix, so it may not have them itself.
pub const CONTAINER_APP: Rule = rule("ca", 2, 32, Alphabet::Hyphens, false);
/// A virtual network.
pub const NETWORK: Rule = rule("vnet", 2, 64, Alphabet::Hyphens, false);
/// A job of Container Apps.
pub const CONTAINER_JOB: Rule = rule("caj", 2, 32, Alphabet::Hyphens, false);
/// An App Service plan.
pub const PLAN: Rule = rule("asp", 1, 40, Alphabet::Hyphens, false);
/// An application on App Service, whose name is its host name.
pub const SITE: Rule = rule("app", 2, 40, Alphabet::Hyphens, true);
/// Rules and times by which a plan's instances change.
pub const AUTOSCALE: Rule = rule("autoscale", 1, 260, Alphabet::Hyphens, false);
/// A certificate of App Service.
pub const CERTIFICATE: Rule = rule("cert", 1, 260, Alphabet::Hyphens, false);
/// A static web app.
pub const STATIC_SITE: Rule = rule("stapp", 2, 40, Alphabet::Hyphens, false);
/// A Kubernetes cluster.
pub const CLUSTER: Rule = rule("aks", 1, 54, Alphabet::Hyphens, false);
/// A network security group.
pub const SECURITY_GROUP: Rule = rule("nsg", 1, 80, Alphabet::Hyphens, false);
/// A public address.
pub const PUBLIC_IP: Rule = rule("pip", 1, 80, Alphabet::Hyphens, false);
/// The name of a public address below its region's domain, which nobody else there may have.
pub const DNS_LABEL: Rule = rule("dns", 3, 63, Alphabet::Hyphens, true);
/// A NAT gateway.
pub const NAT_GATEWAY: Rule = rule("ng", 1, 80, Alphabet::Hyphens, false);
/// A bastion.
pub const BASTION: Rule = rule("bas", 1, 80, Alphabet::Hyphens, false);
/// A private endpoint.
pub const PRIVATE_ENDPOINT: Rule = rule("pep", 2, 64, Alphabet::Hyphens, false);
/// A network interface.
pub const INTERFACE: Rule = rule("nic", 1, 80, Alphabet::Hyphens, false);
/// An Application Gateway.
pub const APPLICATION_GATEWAY: Rule = rule("agw", 1, 80, Alphabet::Hyphens, false);
/// The policy of a web application firewall.
pub const WAF_POLICY: Rule = rule("waf", 1, 128, Alphabet::Hyphens, false);
/// A load balancer.
pub const LOAD_BALANCER: Rule = rule("lbe", 1, 80, Alphabet::Hyphens, false);
/// A Traffic Manager profile.
pub const TRAFFIC_MANAGER: Rule = rule("traf", 1, 63, Alphabet::Hyphens, false);
/// The name of a Traffic Manager profile below its domain, which nobody else may have.
pub const TRAFFIC_LABEL: Rule = rule("tm", 1, 63, Alphabet::Hyphens, true);

/// A PostgreSQL flexible server.
pub const POSTGRES: Rule = rule("psql", 3, 63, Alphabet::Hyphens, true);
/// A managed Redis.
pub const REDIS: Rule = rule("amr", 1, 60, Alphabet::Hyphens, true);
/// A Service Bus namespace.
pub const SERVICE_BUS: Rule = rule("sbns", 6, 50, Alphabet::Hyphens, true);
/// A Cosmos DB account.
pub const COSMOS: Rule = rule("cosmos", 3, 44, Alphabet::Hyphens, true);
/// An Azure OpenAI account; its name is its subdomain, too.
pub const OPENAI: Rule = rule("oai", 2, 64, Alphabet::Hyphens, true);
/// A Speech account; its name is its subdomain, too.
pub const SPEECH: Rule = rule("spch", 2, 64, Alphabet::Hyphens, true);
/// Communication Services.
pub const COMMUNICATION: Rule = rule("acs", 1, 63, Alphabet::Hyphens, true);
/// Email of Communication Services.
pub const EMAIL: Rule = rule("ecs", 1, 63, Alphabet::Hyphens, true);
/// A place for load tests.
pub const LOAD_TEST: Rule = rule("lt", 1, 64, Alphabet::Hyphens, false);
/// An App Configuration store.
pub const APP_CONFIG: Rule = rule("appcs", 5, 50, Alphabet::Hyphens, true);
/// A search service.
pub const SEARCH: Rule = rule("srch", 2, 60, Alphabet::Hyphens, true);

/// Every rule.
pub const RULES: &[&Rule] = &[
    &RESOURCE_GROUP,
    &WORKSPACE,
    &INSIGHTS,
    &ACTION_GROUP,
    &ALERT,
    &WEBTEST,
    &BUDGET,
    &IDENTITY,
    &REGISTRY,
    &VAULT,
    &STORAGE,
    &CONTAINER_ENVIRONMENT,
    &CONTAINER_APP,
    &NETWORK,
    &CONTAINER_JOB,
    &PLAN,
    &SITE,
    &AUTOSCALE,
    &CERTIFICATE,
    &STATIC_SITE,
    &CLUSTER,
    &SECURITY_GROUP,
    &PUBLIC_IP,
    &DNS_LABEL,
    &NAT_GATEWAY,
    &BASTION,
    &PRIVATE_ENDPOINT,
    &INTERFACE,
    &APPLICATION_GATEWAY,
    &WAF_POLICY,
    &LOAD_BALANCER,
    &TRAFFIC_MANAGER,
    &TRAFFIC_LABEL,
    &POSTGRES,
    &REDIS,
    &SERVICE_BUS,
    &COSMOS,
    &OPENAI,
    &SPEECH,
    &COMMUNICATION,
    &EMAIL,
    &LOAD_TEST,
    &APP_CONFIG,
    &SEARCH,
];

/// Words that Azure refuses in any name, because they are trademarks, and where.
pub const RESERVED: &[(&str, Where)] =
    &[("login", Where::AtStart), ("microsoft", Where::Anywhere), ("windows", Where::Anywhere)];

/// Where a reserved word may not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// At the beginning of a name.
    AtStart,
    /// Anywhere in a name.
    Anywhere,
}

/// The reserved word in a name, if there is one.
pub fn reserved(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let found = RESERVED.iter().find(|(word, place)| match place {
        Where::AtStart => name.starts_with(word),
        Where::Anywhere => name.contains(word),
    });
    found.map(|(word, _)| *word)
}

/// How many characters of hash end a name.
const HASH: usize = 5;

/// The names of one application in one environment.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The manifest's pattern.
    pub pattern: &'a str,
    /// What stands for `{type}` where it is not the usual abbreviation, by that one.
    pub abbreviations: &'a BTreeMap<String, String>,
    /// The application.
    pub app: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The region's code.
    pub region: &'a str,
    /// The subscription's id.
    pub subscription: &'a str,
}

impl Names<'_> {
    /// The name by a type's rule; `part` is the service or declared resource it belongs to, if to one.
    pub fn name(&self, rule: &Rule, part: Option<&str>) -> String {
        let part = part.unwrap_or_default();
        let full = clean(&self.fill(rule, self.app, part), Alphabet::Hyphens);
        let plain = clean(&full, rule.alphabet);
        if !rule.global && (rule.min..=rule.max).contains(&plain.len()) {
            return plain;
        }
        let hash = match rule.global {
            true => hash(&[self.subscription, rule.abbreviation, &full]),
            false => hash(&[rule.abbreviation, &full]),
        };
        let ending = match rule.alphabet {
            Alphabet::Hyphens => format!("-{hash}"),
            Alphabet::Plain => hash,
        };
        // The names of one's own give way first, the part's before the application's: type, environment and region
        // say more in few letters.
        let room = rule.max - ending.len();
        let cut = |text: &str| -> Vec<String> {
            let ends = text.char_indices().map(|(at, _)| at).rev();
            ends.map(|end| text[..end].trim_end_matches('-').to_owned()).collect()
        };
        let parts = std::iter::once(part.to_owned()).chain(cut(part)).map(|part| (self.app.to_owned(), part));
        let apps = cut(self.app).into_iter().filter(|app| !app.is_empty()).map(|app| (app, String::new()));
        let kept = parts
            .chain(apps)
            .map(|(app, part)| clean(&self.fill(rule, &app, &part), rule.alphabet))
            .find(|name| name.len() <= room)
            .unwrap_or_else(|| plain.chars().take(room).collect::<String>());
        format!("{}{ending}", kept.trim_end_matches('-'))
    }

    /// The pattern with everything in its place; an empty part leaves none.
    fn fill(&self, rule: &Rule, app: &str, part: &str) -> String {
        let usual = rule.abbreviation;
        let mut name =
            self.pattern.replace("{type}", self.abbreviations.get(usual).map_or(usual, String::as_str));
        match (name.contains("{name}"), name.contains("{app}"), part) {
            (true, _, part) => name = name.replace("{name}", part).replace("{app}", app),
            (false, true, "") => name = name.replace("{app}", app),
            (false, true, part) => name = name.replace("{app}", &format!("{app}-{part}")),
            // A pattern without the application still has to keep two services apart.
            (false, false, "") => {}
            (false, false, part) => name = format!("{name}-{part}"),
        }
        name.replace("{env}", self.environment).replace("{region}", self.region)
    }
}

/// Only what the alphabet has, in lower case, beginning with a letter, no hyphen twice or at an end.
fn clean(name: &str, alphabet: Alphabet) -> String {
    let mut clean = String::with_capacity(name.len());
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' => clean.push(c),
            '0'..='9' if !clean.is_empty() => clean.push(c),
            '0'..='9' => clean.extend(['x', c]),
            _ if alphabet == Alphabet::Hyphens && !clean.is_empty() && !clean.ends_with('-') => {
                clean.push('-')
            }
            _ => {}
        }
    }
    clean.truncate(clean.trim_end_matches('-').len());
    clean
}

/// Five characters of an alphabet without look-alikes: 33 million values.
fn hash(parts: &[&str]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.to_lowercase());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    digest.iter().take(HASH).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";

    static USUAL: BTreeMap<String, String> = BTreeMap::new();

    fn names<'a>(pattern: &'a str, app: &'a str) -> Names<'a> {
        Names {
            pattern,
            abbreviations: &USUAL,
            app,
            environment: "prod",
            region: "aue",
            subscription: SUBSCRIPTION,
        }
    }

    /// Azure's own words for the rules, written apart from the code that keeps them.
    fn obeys(rule: &Rule, name: &str) -> bool {
        let long = name.len() >= rule.min && name.len() <= rule.max;
        let letters = name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        let ends = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-');
        let hyphens = match rule.abbreviation {
            "cr" | "st" => !name.contains('-'),
            _ => !name.contains("--"),
        };
        long && letters && ends && hyphens
    }

    #[test]
    fn the_convention() {
        let names = names("{type}-{app}-{env}-{region}", "talenti");
        assert_eq!(names.name(&RESOURCE_GROUP, None), "rg-talenti-prod-aue");
        assert_eq!(names.name(&CONTAINER_APP, Some("api")), "ca-talenti-api-prod-aue");
        assert_eq!(names.name(&IDENTITY, Some("api")), "id-talenti-api-prod-aue");
        let vault = names.name(&VAULT, None);
        assert!(vault.starts_with("kv-talent-prod-aue-") && vault.len() == 24, "{vault}");
        let storage = names.name(&STORAGE, Some("files"));
        assert!(storage.starts_with("sttalenti-fil".replace('-', "").as_str()), "{storage}");
    }

    #[test]
    fn a_house_with_words_of_its_own() {
        let house =
            BTreeMap::from([("log".to_owned(), "law".to_owned()), ("cr".to_owned(), "acr".to_owned())]);
        let names = Names { abbreviations: &house, ..names("{type}-{name}-{app}-{env}-{region}", "talenti") };
        assert_eq!(names.name(&RESOURCE_GROUP, None), "rg-talenti-prod-aue");
        assert_eq!(names.name(&WORKSPACE, None), "law-talenti-prod-aue");
        assert_eq!(names.name(&CONTAINER_APP, Some("api")), "ca-api-talenti-prod-aue");
        assert!(names.name(&REGISTRY, None).starts_with("acrtalentiprodaue"));
    }

    #[test]
    fn another_subscription_is_another_global_name_and_no_other() {
        let here = names("{type}-{app}-{env}-{region}", "hello");
        let there = Names { subscription: "22222222-2222-2222-2222-222222222222", ..here.clone() };
        for rule in RULES {
            assert_eq!(here.name(rule, None) == there.name(rule, None), !rule.global, "{rule:?}");
        }
    }

    #[test]
    fn reserved_words_are_found() {
        assert_eq!(reserved("my-Microsoft-app"), Some("microsoft"));
        assert_eq!(reserved("login-page"), Some("login"));
        assert_eq!(reserved("my-login"), None);
    }

    proptest! {
        #[test]
        fn every_name_obeys_its_type(
            pattern in prop::sample::select(vec![
                "{type}-{app}-{env}-{region}", "{app}{type}{env}", "{region}-{env}-{app}-{type}",
                "{type}_{app}__{env}", "9{app}-{type}", "{type}-{env}-{region}", "--{app}--{type}--",
                "corp-platform-shared-{type}-{app}-{env}-{region}-0001-of-many",
                "{type}-{name}-{app}-{env}-{region}", "{name}{app}-{type}-{env}",
            ]),
            app in "[a-z][a-z0-9-]{0,60}",
            part in proptest::option::of("[a-z0-9][a-z0-9-]{0,40}"),
            environment in "[a-z][a-z0-9-]{0,30}",
        ) {
            let names = Names {
                pattern, abbreviations: &USUAL, app: &app, environment: &environment, region: "dewc", subscription: SUBSCRIPTION,
            };
            for rule in RULES {
                let name = names.name(rule, part.as_deref());
                prop_assert!(obeys(rule, &name), "{} gives {name:?}", rule.abbreviation);
                prop_assert_eq!(&name, &names.name(rule, part.as_deref()));
            }
        }

        #[test]
        fn two_parts_have_two_names(
            app in "[a-z][a-z0-9]{0,40}",
            one in "[a-z][a-z0-9]{0,40}(-[a-z0-9]{1,10})?",
            two in "[a-z][a-z0-9]{0,40}(-[a-z0-9]{1,10})?",
        ) {
            prop_assume!(one != two);
            for pattern in ["{type}-{app}-{env}-{region}", "{type}-{env}", "{type}-{name}-{app}-{env}"] {
                let names = names(pattern, &app);
                for rule in RULES {
                    prop_assert_ne!(names.name(rule, Some(&one)), names.name(rule, Some(&two)));
                    prop_assert_ne!(names.name(rule, Some(&one)), names.name(rule, None));
                }
            }
        }
    }
}
