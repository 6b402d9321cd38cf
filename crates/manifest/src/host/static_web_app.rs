//! Azure Static Web Apps: files handed out from close to whoever asks, and the routes to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::codes;
use crate::fields::{Default, Field, Type};
use crate::rules::{self, Fault, Rule};
use crate::sense::Sense;
use crate::sense::names;
use crate::suggest;
use crate::tree::{Node, Table};

/// What only a static web app has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StaticWebApp {
    /// Free, or with what a company needs.
    pub sku: StaticSku,
    /// The service that answers what is asked below `/api`.
    pub backend: Option<String>,
    /// Where requests lead, in order.
    pub routes: Vec<Route>,
    /// What is handed out where no file is; for an application that routes in the browser.
    pub fallback: Option<Fallback>,
    /// Headers of every answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// What a static web app is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StaticSku {
    /// Nothing, with two domains and no backend of one's own.
    Free,
    /// With a linked backend, private endpoints and an agreement about availability.
    Standard,
}

impl StaticSku {
    /// Azure's spelling.
    pub fn azure(self) -> &'static str {
        match self {
            StaticSku::Free => "Free",
            StaticSku::Standard => "Standard",
        }
    }
}

/// Where a request leads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Route {
    /// The path, with `*` at its end for all below.
    pub path: String,
    /// The file that is handed out instead.
    pub rewrite: Option<String>,
    /// Where the browser is sent.
    pub redirect: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Who may ask; empty: everyone.
    pub roles: Vec<String>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// What is handed out where no file is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Fallback {
    /// The page.
    pub page: String,
    /// Paths that are not found instead.
    pub except: Vec<String>,
}

/// What is true of all of them.
pub(crate) const KIND: Kind = Kind {
    name: "static-web-app",
    doc: "Azure Static Web Apps: a built site, handed out from close to whoever asks",
    runs: false,
    fields: FIELDS,
    check,
};

/// A path of the site.
static PATH: Rule =
    Rule { pattern: Some("^/[^\\s]*$"), length: 1..500, check: |text| path(text, "such as \"/api/*\"") };

/// A file of the site.
static FILE: Rule =
    Rule { pattern: Some("^/[^\\s]*$"), length: 1..500, check: |text| path(text, "such as \"/index.html\"") };

fn path(text: &str, such: &str) -> Result<(), Fault> {
    if text.contains("://") {
        return rules::fault(
            codes::ROUTE,
            "a static web app does not hand requests on to another host",
            "link a service as the `backend`, which answers below `/api`; a browser opens WebSockets to it directly",
        );
    }
    match text.starts_with('/') && !text.contains(char::is_whitespace) {
        true => Ok(()),
        false => rules::fault(codes::ROUTE, "a path begins with `/` and has no spaces", such),
    }
}

/// A header's name.
static HEADER: Rule = Rule {
    pattern: Some("^[A-Za-z0-9-]+$"),
    length: 1..100,
    check: |text| match !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        true => Ok(()),
        false => rules::fault(codes::ROUTE, "this is no header's name", "such as `Content-Security-Policy`"),
    },
};

const HERE: &[&str] = &["static-web-app"];

const FIELDS: &[Field] = &[
    Field {
        path: "service.*.sku",
        of: HERE,
        kind: Type::Choice(&[
            ("free", "no linked backend, two domains, no agreement about availability"),
            ("standard", "a linked backend, five domains, private endpoints"),
        ]),
        doc: "What it is paid for.",
        default: Default::Tiers(
            ["\"free\"", "\"standard\"", "\"standard\""],
            "trying out costs nothing; users get an agreement about availability",
        ),
        azure: &["sku.name"],
        example: "\"standard\"",
    },
    Field {
        path: "service.*.backend",
        of: HERE,
        kind: Type::Text(&rules::ANY),
        doc: "The service that answers what is asked below `/api`. Nothing else is handed on, and no WebSockets: a \
              browser opens those to the service itself.",
        default: Default::Absent("nothing answers below `/api`"),
        azure: &["Microsoft.Web/staticSites/linkedBackends"],
        example: "\"api\"",
    },
    Field {
        path: "service.*.routes",
        of: HERE,
        kind: Type::Tables,
        doc: "Where requests lead, the first that fits deciding.",
        default: Default::Same("[]", "every path is a file"),
        azure: &["staticwebapp.config.json: routes"],
        example: "[{ path = \"/old/*\", redirect = \"/new\", status = 301 }]",
    },
    Field {
        path: "service.*.routes[].path",
        of: HERE,
        kind: Type::Text(&PATH),
        doc: "The path asked for, with `*` at its end for all below.",
        default: Default::Required,
        azure: &["staticwebapp.config.json: routes[].route"],
        example: "\"/admin/*\"",
    },
    Field {
        path: "service.*.routes[].rewrite",
        of: HERE,
        kind: Type::Text(&FILE),
        doc: "The file that is handed out instead.",
        default: Default::Absent("the one asked for"),
        azure: &["staticwebapp.config.json: routes[].rewrite"],
        example: "\"/index.html\"",
    },
    Field {
        path: "service.*.routes[].redirect",
        of: HERE,
        kind: Type::Text(&rules::ANY),
        doc: "Where the browser is sent.",
        default: Default::Absent("nowhere else"),
        azure: &["staticwebapp.config.json: routes[].redirect"],
        example: "\"/new\"",
    },
    Field {
        path: "service.*.routes[].status",
        of: HERE,
        kind: Type::Integer { min: 200, max: 599 },
        doc: "The status of the answer.",
        default: Default::Absent("200, or 302 with `redirect`"),
        azure: &["staticwebapp.config.json: routes[].statusCode"],
        example: "301",
    },
    Field {
        path: "service.*.routes[].roles",
        of: HERE,
        kind: Type::List(&Type::Text(&rules::ANY)),
        doc: "Who may ask: `authenticated`, or roles of your own.",
        default: Default::Same("[]", "everyone"),
        azure: &["staticwebapp.config.json: routes[].allowedRoles"],
        example: "[\"authenticated\"]",
    },
    Field {
        path: "service.*.routes[].headers",
        of: HERE,
        kind: Type::Map(&HEADER, &Type::Text(&rules::ANY)),
        doc: "Headers of the answer.",
        default: Default::Absent("those of every answer"),
        azure: &["staticwebapp.config.json: routes[].headers"],
        example: "{ \"Cache-Control\" = \"no-store\" }",
    },
    Field {
        path: "service.*.fallback",
        of: HERE,
        kind: Type::Table,
        doc: "What is handed out where no file is, for an application that routes in the browser.",
        default: Default::Absent("such a path is not found"),
        azure: &["staticwebapp.config.json: navigationFallback"],
        example: "{ page = \"/index.html\", except = [\"/api/*\"] }",
    },
    Field {
        path: "service.*.fallback.page",
        of: HERE,
        kind: Type::Text(&FILE),
        doc: "The page that is handed out.",
        default: Default::Same("\"/index.html\"", "what a bundler makes"),
        azure: &["staticwebapp.config.json: navigationFallback.rewrite"],
        example: "\"/index.html\"",
    },
    Field {
        path: "service.*.fallback.except",
        of: HERE,
        kind: Type::List(&Type::Text(&PATH)),
        doc: "Paths that are not found instead.",
        default: Default::Same("[]", "no path is"),
        azure: &["staticwebapp.config.json: navigationFallback.exclude"],
        example: "[\"/assets/*\"]",
    },
    Field {
        path: "service.*.headers",
        of: HERE,
        kind: Type::Map(&HEADER, &Type::Text(&rules::ANY)),
        doc: "Headers of every answer.",
        default: Default::Absent("Azure's own"),
        azure: &["staticwebapp.config.json: globalHeaders"],
        example: "{ \"X-Frame-Options\" = \"DENY\" }",
    },
];

/// Regions that keep the few parts of a static web app which have a place.
pub const REGIONS: &[&str] = &["westus2", "centralus", "eastus2", "westeurope", "eastasia"];

/// Domains of one's own, by the SKU.
const DOMAINS_FREE: usize = 2;
const DOMAINS_STANDARD: usize = 5;

fn check(sense: &mut Sense<'_>, name: &str, _: &Node, service: &Table) {
    let sku = service.get("sku");
    let free = sku.and_then(Node::text) == Some("free");
    if let (Some(backend), Some(sku), true) = (service.get("backend"), sku, free) {
        let span = if backend.is_written() { &backend.span } else { &sku.span };
        let diagnostic = sense
            .problem(codes::SKU_LACKS, span, "a free static web app has no backend")
            .related(sku.span.clone(), "the size")
            .help("write `sku = \"standard\"`");
        sense.report(diagnostic);
    }
    let domains = service.get("ingress").and_then(Node::table).and_then(|ingress| ingress.get("domains"));
    let most = if free { DOMAINS_FREE } else { DOMAINS_STANDARD };
    if let Some(one) = domains.and_then(Node::list).and_then(|domains| domains.get(most)) {
        let message = format!("a static web app of this size has at most {most} domains");
        let diagnostic = sense.problem(codes::SKU_LACKS, &one.span, message).label("one too many");
        sense.report(diagnostic);
    }
    for (key, why) in [
        ("uses", "its pages run in a browser, which reaches no resource of Azure's by an identity"),
        ("secrets", "its pages run in a browser, where nothing stays secret"),
    ] {
        let table = service.get(key).filter(|node| node.table().is_some_and(|table| !table.is_empty()));
        if let Some(node) = table {
            let diagnostic = sense
                .problem(codes::UNREACHABLE, &node.key, format!("`{name}` is a static web app: {why}"))
                .help("let a service do it, and make that the `backend`");
            sense.report(diagnostic);
        }
    }
    backend(sense, service);
    for node in service.get("routes").and_then(Node::list).unwrap_or_default() {
        if let Some(route) = node.table() {
            routed(sense, node, route);
        }
    }
}

/// A backend is a service on Container Apps or App Service that the internet reaches.
fn backend(sense: &mut Sense<'_>, service: &Table) {
    let Some(node) = service.get("backend") else { return };
    let Some(name) = node.text() else { return };
    let services = sense.root.get("service").and_then(Node::table);
    let Some(found) = services.and_then(|services| services.get(name)) else {
        if !sense.lost {
            let help = suggest::or_all(name, names(sense.root, "service"));
            let message = format!("there is no service `{}`", rules::short(name));
            let diagnostic = sense.problem(codes::DANGLING, &node.span, message).maybe_help(help);
            sense.report(diagnostic);
        }
        return;
    };
    let Some(other) = found.table() else { return };
    let host = other.get("host").and_then(Node::text).unwrap_or_default();
    let public =
        other.get("ingress").and_then(Node::table).and_then(|i| i.get("public")).and_then(Node::boolean);
    let why = match (host, other.contains_key("port"), public) {
        ("container-apps" | "app-service", true, Some(false)) => "is not public",
        ("container-apps" | "app-service", true, _) => return,
        ("app-service", false, _) => return,
        ("container-apps", false, _) => "has no `port`",
        _ => "is neither on container-apps nor on app-service",
    };
    if !sense.lost {
        let diagnostic = sense
            .problem(codes::BACKEND, &node.span, format!("`{name}` {why}, so it cannot be linked"))
            .related(found.key.clone(), "the service");
        sense.report(diagnostic);
    }
}

fn routed(sense: &mut Sense<'_>, node: &Node, route: &Table) {
    if !route.contains_key("path") {
        sense.missing(&node.span, "the route has no `path`", "such as `path = \"/old/*\"`");
    }
    if let (Some(rewrite), Some(redirect)) = (route.get("rewrite"), route.get("redirect")) {
        let diagnostic = sense
            .problem(
                codes::ROUTE,
                &redirect.key,
                "a route hands out another file or sends elsewhere, not both",
            )
            .related(rewrite.key.clone(), "the other one")
            .help("keep one of them");
        sense.report(diagnostic);
    }
    if let (Some(status), Some(_)) = (route.get("status"), route.get("redirect"))
        && status.integer().is_some_and(|status| ![301, 302, 303, 307, 308].contains(&status))
    {
        let diagnostic = sense
            .problem(codes::ROUTE, &status.span, "this status sends nobody elsewhere")
            .help("301 for good, 302 for now");
        sense.report(diagnostic);
    }
}
