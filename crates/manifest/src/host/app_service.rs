//! Azure App Service on Linux: a web application without containers of one's own, with slots to release through.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::app::Template;
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::Sense;
use crate::suggest;
use crate::tree::{Node, Table};

/// What only a service on App Service has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AppService {
    /// The machines it runs on.
    pub plan: Plan,
    /// The language and its version, `python:3.12`; none when it runs an image.
    pub runtime: Option<String>,
    /// The command that starts it; none for what the runtime starts by itself.
    pub startup: Option<String>,
    /// Worker processes of one instance.
    pub workers: u32,
    /// Slots besides production.
    pub slots: Vec<String>,
    /// What is different in a slot, by the slot's name.
    #[serde(default)]
    pub slot: BTreeMap<String, Slot>,
    /// Variables that stay with their slot when slots are swapped, besides those that [`AppService::slot`] changes.
    pub sticky: Vec<String>,
    /// Whether it stays loaded without requests.
    pub always_on: bool,
    /// Whether WebSockets are let through.
    pub websockets: bool,
}

impl AppService {
    /// What is different in the slots that are there.
    pub fn changed(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter_map(|name| self.slot.get(name))
    }

    /// Every variable that stays with its slot, sorted.
    pub fn all_sticky(&self) -> Vec<&str> {
        let changed = self.changed().flat_map(|slot| slot.env.keys().chain(slot.secrets.keys()));
        let mut all: Vec<&str> = self.sticky.iter().chain(changed).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// An App Service plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Plan {
    /// Azure's name of the size, `P1v3`.
    pub sku: String,
    /// Whether its instances are spread over zones.
    pub zone_redundant: bool,
}

impl Plan {
    /// What the size has.
    pub fn size(&self) -> &'static Size {
        // The table of fields lets no other word through.
        size(&self.sku).unwrap_or(&SIZES[0])
    }
}

/// What is different in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Slot {
    /// Variables with another value there.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Variables that have another secret's value there.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// A size of App Service plans on Linux.
#[derive(Debug, PartialEq, Eq)]
pub struct Size {
    /// Azure's name.
    pub name: &'static str,
    /// Azure's tier.
    pub tier: &'static str,
    /// Processors of one instance.
    pub vcpus: u32,
    /// Most instances.
    pub instances: u32,
    /// Most slots besides production.
    pub slots: u32,
}

impl Size {
    /// Whether rules and times can change the number of instances.
    pub fn scales(&self) -> bool {
        !matches!(self.tier, "Free" | "Basic")
    }

    /// Whether its instances can be spread over zones.
    pub fn is_zonal(&self) -> bool {
        self.tier.starts_with("Premium") && self.tier != "Premium"
    }

    /// Whether it can stay loaded, has a network to reach, and takes domains of one's own.
    pub fn is_paid(&self) -> bool {
        self.tier != "Free"
    }

    /// Worker processes that serve a web application which mostly waits for others: few, each of them answering
    /// hundreds of requests at a time.
    pub fn workers(&self) -> u32 {
        match self.vcpus {
            0..=2 => 2,
            3..=4 => 3,
            5..=8 => 4,
            9..=16 => 6,
            _ => 8,
        }
    }
}

const fn row(name: &'static str, tier: &'static str, vcpus: u32, instances: u32, slots: u32) -> Size {
    Size { name, tier, vcpus, instances, slots }
}

/// The sizes that Linux plans come in.
pub const SIZES: &[Size] = &[
    row("F1", "Free", 1, 1, 0),
    row("B1", "Basic", 1, 3, 0),
    row("B2", "Basic", 2, 3, 0),
    row("B3", "Basic", 4, 3, 0),
    row("S1", "Standard", 1, 10, 5),
    row("S2", "Standard", 2, 10, 5),
    row("S3", "Standard", 4, 10, 5),
    row("P0v3", "Premium0V3", 1, 30, 20),
    row("P1v3", "PremiumV3", 2, 30, 20),
    row("P2v3", "PremiumV3", 4, 30, 20),
    row("P3v3", "PremiumV3", 8, 30, 20),
    row("P1mv3", "PremiumMV3", 2, 30, 20),
    row("P2mv3", "PremiumMV3", 4, 30, 20),
    row("P3mv3", "PremiumMV3", 8, 30, 20),
    row("P4mv3", "PremiumMV3", 16, 30, 20),
    row("P5mv3", "PremiumMV3", 32, 30, 20),
    row("P0v4", "Premium0V4", 1, 30, 20),
    row("P1v4", "PremiumV4", 2, 30, 20),
    row("P2v4", "PremiumV4", 4, 30, 20),
    row("P3v4", "PremiumV4", 8, 30, 20),
];

/// The size of that name, whatever its case.
pub fn size(name: &str) -> Option<&'static Size> {
    SIZES.iter().find(|size| size.name.eq_ignore_ascii_case(name))
}

/// The languages that App Service runs on Linux: our word, Azure's word, and the versions that are not retired.
const RUNTIMES: &[(&str, &str, &[&str])] = &[
    ("python", "PYTHON", &["3.10", "3.11", "3.12", "3.13", "3.14"]),
    ("node", "NODE", &["22", "24"]),
    ("dotnet", "DOTNETCORE", &["8.0", "9.0", "10.0"]),
    ("java", "JAVA", &["8", "11", "17", "21", "25"]),
    ("php", "PHP", &["8.2", "8.3", "8.4"]),
];

/// What Azure calls a runtime, `PYTHON|3.12`.
pub fn linux_fx(runtime: &str) -> Option<String> {
    let (language, version) = runtime.split_once(':')?;
    let (_, azure, versions) = RUNTIMES.iter().find(|(word, ..)| *word == language)?;
    versions.contains(&version).then(|| match language {
        "node" => format!("{azure}|{version}-lts"),
        "java" => format!("{azure}|{version}-java{version}"),
        _ => format!("{azure}|{version}"),
    })
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "app-service",
    doc: "Azure App Service on Linux: code on Azure's own runtimes, with slots to release through",
    runs: true,
    fields: FIELDS,
    check,
};

/// A size of a plan.
static SKU: Rule = Rule {
    pattern: None,
    length: 2..10,
    check: |text| {
        if size(text).is_some_and(|size| size.name == text) {
            return Ok(());
        }
        let help = match size(text) {
            Some(size) => format!("write \"{}\"", size.name),
            None => suggest::or_all(text, SIZES.iter().map(|size| size.name))
                .unwrap_or_else(|| "such as \"P1v3\"".to_owned()),
        };
        rules::fault(
            codes::NOT_A_CHOICE,
            format!("App Service has no size `{}` on Linux", rules::short(text)),
            help,
        )
    },
};

/// A language and its version.
static RUNTIME: Rule = Rule { pattern: Some("^[a-z]+:[0-9.]+$"), length: 3..30, check: runtime };

fn runtime(text: &str) -> Result<(), Fault> {
    if linux_fx(text).is_some() {
        return Ok(());
    }
    let (language, version) = text.split_once([':', '|', ' ']).unwrap_or((text, ""));
    let language = language.to_lowercase();
    let Some((word, _, versions)) = RUNTIMES.iter().find(|(word, ..)| *word == language) else {
        let help = suggest::or_all(&language, RUNTIMES.iter().map(|(word, ..)| *word));
        let message = format!("App Service has no runtime `{}` on Linux", rules::short(&language));
        return Err(Fault { code: codes::RUNTIME, message, help });
    };
    let newest = versions.last().copied().unwrap_or_default();
    let message = match version {
        "" => format!("which version of {word} is not said"),
        version => format!("App Service does not run {word} {} (any more)", rules::short(version)),
    };
    let known: Vec<String> = versions.iter().map(|version| format!("\"{word}:{version}\"")).collect();
    let help = match versions.contains(&version) {
        true => format!("write \"{word}:{version}\""),
        false => format!("it runs {}; the newest is {newest}", suggest::enumerate(&known, "and")),
    };
    rules::fault(codes::RUNTIME, message, help)
}

/// A slot's name.
static SLOT: Rule = Rule {
    pattern: Some("^[a-z](-?[a-z0-9])*$"),
    length: 1..19,
    check: |text| match text {
        "production" => rules::fault(
            codes::SLOT,
            "`production` is the application itself, not a slot of it",
            "name the others, such as `staging`",
        ),
        // A longer one is cut in the slot's host name.
        text => rules::name("a slot's name", text, 1, 19),
    },
};

const HERE: &[&str] = &["app-service"];

const FIELDS: &[Field] = &[
    Field {
        path: "service.*.plan",
        of: HERE,
        kind: Type::Table,
        doc: "The machines it runs on: an App Service plan of its own. How many there are, `scale` says.",
        default: Default::Fields("the defaults of its fields"),
        azure: &["Microsoft.Web/serverfarms"],
        example: "{ sku = \"P2v3\" }",
    },
    Field {
        path: "service.*.plan.sku",
        of: HERE,
        kind: Type::Text(&SKU),
        doc: "The size of an instance, in Azure's words.",
        default: Default::Tiers(
            ["\"B1\"", "\"P1v3\"", "\"P2v3\""],
            "one core to try out, Premium v3 where slots, scaling and zones are wanted",
        ),
        azure: &["sku.name"],
        example: "\"P1v3\"",
    },
    Field {
        path: "service.*.plan.zone_redundant",
        of: HERE,
        kind: Type::Boolean,
        doc: "Whether instances are spread over the region's zones. It takes Premium v3 or v4 and two instances.",
        default: Default::Same(
            "false",
            "not every region has zones, and it is settled when the plan is made",
        ),
        azure: &["properties.zoneRedundant"],
        example: "true",
    },
    Field {
        path: "service.*.runtime",
        of: HERE,
        kind: Type::Text(&RUNTIME),
        doc: "The language and its version. An `image` brings its own.",
        default: Default::Absent("the image's own; required with `source`"),
        azure: &["properties.siteConfig.linuxFxVersion"],
        example: "\"python:3.12\"",
    },
    Field {
        path: "service.*.startup",
        of: HERE,
        kind: Type::Text(&rules::ANY),
        doc: "The command that starts it, run by a shell. `{workers}` and `{port}` are filled in. The same number of \
              workers stands in `WEB_CONCURRENCY`, which gunicorn and uvicorn read by themselves.",
        default: Default::Absent("what the runtime starts by itself"),
        azure: &["properties.siteConfig.appCommandLine"],
        example: "\"gunicorn -w {workers} -k uvicorn.workers.UvicornWorker -b 0.0.0.0:{port} main:app\"",
    },
    Field {
        path: "service.*.workers",
        of: HERE,
        kind: Type::Integer { min: 1, max: 100 },
        doc: "Worker processes of one instance.",
        default: Default::Absent("by the size: 2 on B1 and P1v3, 3 on P2v3, 4 on P3v3"),
        azure: &[
            "properties.siteConfig.appCommandLine",
            "properties.siteConfig.appSettings[WEB_CONCURRENCY]",
        ],
        example: "2",
    },
    Field {
        path: "service.*.slots",
        of: HERE,
        kind: Type::List(&Type::Text(&SLOT)),
        doc: "Slots besides production, where a release stands before it is swapped in.",
        default: Default::Tiers(
            ["[]", "[]", "[\"staging\"]"],
            "only production has users who must not notice a release",
        ),
        azure: &["Microsoft.Web/sites/slots"],
        example: "[\"staging\"]",
    },
    Field {
        path: "service.*.slot",
        of: HERE,
        kind: Type::Named(&SLOT),
        doc: "What is different in a slot, by the slot's name. Variables that stand here stay with the slot when it is \
              swapped.",
        default: Default::Absent("a slot has what production has"),
        azure: &["Microsoft.Web/sites/slots/config"],
        example: "",
    },
    Field {
        path: "service.*.slot.*",
        of: HERE,
        kind: Type::Table,
        doc: "What is different in this slot.",
        default: Default::Absent("nothing is different"),
        azure: &["Microsoft.Web/sites/slots/config"],
        example: "",
    },
    Field {
        path: "service.*.slot.*.env",
        of: HERE,
        kind: Type::Map(&rules::ENV, &Type::Template),
        doc: "Environment variables with another value in this slot.",
        default: Default::Absent("none"),
        azure: &["properties"],
        example: "{ APP_ENV = \"staging\" }",
    },
    Field {
        path: "service.*.slot.*.secrets",
        of: HERE,
        kind: Type::Map(&rules::ENV, &Type::Text(&rules::SECRET)),
        doc: "Environment variables that have another secret's value in this slot.",
        default: Default::Absent("none"),
        azure: &["properties"],
        example: "{ DATABASE_URL = \"staging-database-url\" }",
    },
    Field {
        path: "service.*.sticky",
        of: HERE,
        kind: Type::List(&Type::Text(&rules::ENV)),
        doc: "Variables that stay with their slot when slots are swapped, besides those that `slot` changes.",
        default: Default::Same("[]", "what differs between slots is sticky by itself"),
        azure: &["Microsoft.Web/sites/config[slotConfigNames].properties.appSettingNames"],
        example: "[\"APP_ENV\"]",
    },
    Field {
        path: "service.*.always_on",
        of: HERE,
        kind: Type::Boolean,
        doc: "Whether it stays loaded when nobody asks.",
        default: Default::Same("true", "unloaded after twenty minutes, the next request would wait"),
        azure: &["properties.siteConfig.alwaysOn"],
        example: "true",
    },
    Field {
        path: "service.*.websockets",
        of: HERE,
        kind: Type::Boolean,
        doc: "Whether WebSockets are let through. Azure closes idle connections after some four minutes, so a service \
              that keeps them open has to ping.",
        default: Default::Same("true", "they cost nothing while nobody uses them"),
        azure: &["properties.siteConfig.webSocketsEnabled"],
        example: "true",
    },
];

fn check(sense: &mut Sense<'_>, name: &str, node: &Node, service: &Table) {
    runs(sense, name, node, service);
    let plan = service.get("plan").and_then(Node::table);
    let sku = plan.and_then(|plan| plan.get("sku"));
    if let Some((node, size)) = sku.and_then(|node| Some((node, size(node.text()?)?))) {
        lacks(sense, service, node, size);
    }
    slots(sense, service);
}

/// Either a runtime or an image.
fn runs(sense: &mut Sense<'_>, name: &str, node: &Node, service: &Table) {
    match (service.get("runtime"), service.get("image"), service.get("source")) {
        (None, None, Some(_)) => sense.missing(
            &node.key,
            format!("service `{name}` has no `runtime`"),
            "say which language and version it is, such as `runtime = \"python:3.12\"`",
        ),
        (Some(runtime), Some(image), _) => {
            let diagnostic = sense
                .problem(codes::RUNTIME, &runtime.key, "an image brings its own runtime")
                .related(image.key.clone(), "the image")
                .help("leave `runtime` out");
            sense.report(diagnostic);
        }
        _ => {}
    }
}

/// What the size of the plan does not have.
fn lacks(sense: &mut Sense<'_>, service: &Table, sku: &Node, size: &Size) {
    let mut lacking = |node: &Node, what: String, help: &str| {
        let diagnostic = sense
            .problem(codes::SKU_LACKS, &node.span, format!("{} {what}", size.name))
            .related(sku.span.clone(), "the size")
            .help(help);
        sense.report(diagnostic);
    };
    let scale = service.get("scale").and_then(Node::table);
    let number =
        |key: &str| scale.and_then(|scale| scale.get(key)).and_then(|node| Some((node, node.integer()?)));
    if let Some(slots) = service.get("slots")
        && let Some(list) = slots.list()
        && list.len() > size.slots as usize
    // A slot that a default asks for is told at the size.
    {
        let node = if slots.is_written() { slots } else { sku };
        match size.slots {
            0 => lacking(
                node,
                "has no slots".to_owned(),
                "take a size from S1 or P0v3 on, or write `slots = []`",
            ),
            most => lacking(node, format!("has at most {most} slots"), "name fewer"),
        }
    }
    if let Some((node, max)) = number("max")
        && max > i64::from(size.instances)
    {
        let node = if node.is_written() { node } else { sku };
        lacking(
            node,
            format!("has at most {} instances", size.instances),
            "lower `scale.max`, or take a greater size",
        );
    }
    if let (Some((_, min)), Some((node, max))) = (number("min"), number("max"))
        && max > min
        && !size.scales()
    {
        let node = if node.is_written() { node } else { sku };
        lacking(
            node,
            "does not scale by itself".to_owned(),
            "make `min` and `max` equal, or take S1 or P0v3 and on",
        );
    }
    let times = scale
        .and_then(|scale| scale.get("schedule"))
        .filter(|node| node.list().is_some_and(|l| !l.is_empty()));
    if let Some(node) = times.filter(|_| !size.scales()) {
        lacking(node, "does not scale by the clock".to_owned(), "take a size from S1 or P0v3 on");
    }
    let zones = service.get("plan").and_then(Node::table).and_then(|plan| plan.get("zone_redundant"));
    if let Some(node) = zones.filter(|node| node.boolean() == Some(true)) {
        if !size.is_zonal() {
            lacking(
                node,
                "cannot be spread over zones".to_owned(),
                "take a size of Premium v3 or v4, such as P1v3",
            );
        } else if number("min").is_some_and(|(_, min)| min < 2) {
            lacking(
                node,
                "is spread over zones from two instances on".to_owned(),
                "write `scale = { min = 2 }`",
            );
        }
    }
    let always = service.get("always_on").filter(|node| node.boolean() == Some(true));
    if let Some(node) = always.filter(|_| !size.is_paid()) {
        let node = if node.is_written() { node } else { sku };
        lacking(node, "cannot stay loaded".to_owned(), "write `always_on = false`, or take B1 or more");
    }
    let ingress = service.get("ingress").and_then(Node::table);
    let domains = ingress
        .and_then(|ingress| ingress.get("domains"))
        .filter(|node| node.list().is_some_and(|l| !l.is_empty()));
    if let Some(node) = domains.filter(|_| !size.is_paid()) {
        lacking(node, "takes no domains of one's own".to_owned(), "take B1 or more");
    }
}

/// Slots and what stays with them.
fn slots(sense: &mut Sense<'_>, service: &Table) {
    let listed = service.get("slots").and_then(Node::list).unwrap_or_default();
    let known: Vec<&str> = listed.iter().filter_map(Node::text).collect();
    for (at, node) in listed.iter().enumerate() {
        if node.text().is_some_and(|name| known[..at.min(known.len())].contains(&name)) {
            let diagnostic = sense.problem(codes::SLOT, &node.span, "the slot stands in the list twice");
            sense.report(diagnostic);
        }
    }
    let own = service.get("slot").and_then(Node::table);
    for (name, node) in own.into_iter().flatten() {
        // An environment without slots leaves what the base says of them alone.
        if !known.contains(&name.as_str()) && !known.is_empty() && !sense.lost {
            let help = suggest::or_all(name, known.iter().copied())
                .unwrap_or_else(|| format!("write `slots = [\"{}\"]`", rules::short(name)));
            let message = format!("there is no slot `{}`", rules::short(name));
            let diagnostic = sense.problem(codes::SLOT, &node.key, message).help(help);
            sense.report(diagnostic);
        }
        let table = |key: &str| node.table().and_then(|slot| slot.get(key)).and_then(Node::table);
        for (variable, secret) in table("secrets").into_iter().flatten() {
            if let Some(plain) = table("env").and_then(|env| env.get(variable)) {
                let diagnostic = sense
                    .problem(
                        codes::ENV_TWICE,
                        &secret.key,
                        format!("`{variable}` is both in `env` and in `secrets`"),
                    )
                    .related(plain.key.clone(), "the other one")
                    .help("keep one of them");
                sense.report(diagnostic);
            }
        }
    }
    let set: Vec<&str> = ["env", "secrets"]
        .iter()
        .filter_map(|key| service.get(*key)?.table())
        .flat_map(|table| table.keys().map(String::as_str))
        .collect();
    for node in service.get("sticky").and_then(Node::list).unwrap_or_default() {
        let Some(name) = node.text() else { continue };
        if !set.contains(&name) && !sense.lost {
            let help = suggest::or_all(name, set.iter().copied())
                .unwrap_or_else(|| "set it in `env` or in `secrets`".to_owned());
            let message = format!("the service sets no variable `{}`", rules::short(name));
            let diagnostic = sense.problem(codes::SLOT, &node.span, message).help(help);
            sense.report(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_have_azures_names() {
        assert_eq!(linux_fx("python:3.12").as_deref(), Some("PYTHON|3.12"));
        assert_eq!(linux_fx("node:22").as_deref(), Some("NODE|22-lts"));
        assert_eq!(linux_fx("dotnet:10.0").as_deref(), Some("DOTNETCORE|10.0"));
        assert_eq!(linux_fx("java:21").as_deref(), Some("JAVA|21-java21"));
        for wrong in ["python", "python:2.7", "ruby:3.3", "python|3.12", ""] {
            assert!(runtime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn greater_sizes_have_no_less() {
        for pair in SIZES.windows(2).filter(|pair| pair[0].tier == pair[1].tier) {
            assert!(pair[0].vcpus < pair[1].vcpus && pair[0].workers() <= pair[1].workers());
        }
        // The standard's table: 2 on B1, 2 or 3 on P1v3, 3 or 4 on P2v3, 4 to 6 on P3v3.
        let workers = |name| size(name).map(Size::workers);
        assert_eq!(["B1", "P1v3", "P2v3", "P3v3"].map(workers), [Some(2), Some(2), Some(3), Some(4)]);
    }
}
