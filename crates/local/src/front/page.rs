//! The page that a browser sees at the front's root: what is under way, what serves, what was asked, what is there.
//! One page that loads nothing from elsewhere; its script looks again while somebody looks at it.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::gate::{Answer, full};
use super::router::{Front, Recent};
use crate::runtime::status::{App, Revision};
use crate::world::World;
use crate::world::arm::operations::{Operation, Status};
use crate::world::arm::{Arm, Resource};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
/// Resources of one group that are shown; there can be thousands.
const SHOWN_MAX: usize = 200;

/// Renders the page.
pub(crate) async fn show(front: &Front) -> Answer {
    let running = front.runtime.status().await;
    let mut html = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Local Azure</title><style>{STYLE}</style><noscript><meta http-equiv=refresh content=5></noscript>\
         </head><body><a class=skip href=\"#operations\">To what is under way</a>"
    );
    about(&mut html, front, &running.isolation);
    html.push_str("<main><p id=live role=status class=bad></p>");
    front.host.read(|world| operations(&mut html, world));
    applications(&mut html, front, &running.apps);
    requests(&mut html, &front.recent());
    front.host.read(|world| resources(&mut html, &world.arm));
    let _ = write!(html, "</main><script>{SCRIPT}</script></body></html>");
    answer(html)
}

/// The page may run its own script, talk to where it came from, and nothing else.
fn answer(html: String) -> Answer {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut answer = http::Response::new(full(html));
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert("content-security-policy", policy);
    }
    answer
}

fn about(html: &mut String, front: &Front, isolation: &str) {
    let status = &front.status;
    let clock = front.host.read(|world| world.now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    let speed = if status.speed == 0.0 { "0, nothing waits".to_owned() } else { status.speed.to_string() };
    html.push_str("<header><h1>Local Azure</h1><dl id=about>");
    for (name, value) in [
        ("Address", status.urls.get("arm").map_or("", String::as_str)),
        ("Clock", &clock),
        ("Seed", &status.seed.to_string()),
        ("Speed", &speed),
        ("Runtime", isolation),
        ("State", &status.state),
    ] {
        let _ = write!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    }
    html.push_str("</dl></header>");
}

/// Opens a section with a heading that says how many there are.
fn section(html: &mut String, id: &str, title: &str, count: usize) {
    let _ = write!(
        html,
        "<section id={id} aria-labelledby={id}-title><h2 id={id}-title>{title} <span class=count>{count}</span></h2>"
    );
}

fn table(html: &mut String, columns: &[&str]) {
    html.push_str("<div class=scroll><table><thead><tr>");
    for column in columns {
        let _ = write!(html, "<th scope=col>{column}</th>");
    }
    html.push_str("</tr></thead><tbody>");
}

const TABLE_END: &str = "</tbody></table></div>";

fn operations(html: &mut String, world: &World) {
    let mut running: Vec<&Operation> =
        world.arm.operations.values().filter(|operation| operation.status == Status::Running).collect();
    running.sort_by_key(|operation| operation.begun);
    section(html, "operations", "Under way", running.len());
    if running.is_empty() {
        html.push_str("<p>Nothing is being changed.</p></section>");
        return;
    }
    table(html, &["Change", "Resource", "Began", "Ends"]);
    for operation in running {
        let end = match operation.due {
            Some(due) => {
                let left = due.duration_since(world.now).as_secs_f64().max(0.0);
                format!("in {left:.0} s")
            }
            None if operation.stalled => "never: a fault stalls it".to_owned(),
            None => "when it is done".to_owned(),
        };
        let _ = write!(
            html,
            "<tr><td class=\"state busy\">{:?}<td>{}<br><span class=id>{}</span><td class=time>{}<td class=time>{end}</tr>",
            operation.verb,
            escape(operation.resource.name()),
            escape(&operation.resource.to_string()),
            operation.begun.strftime("%H:%M:%S"),
        );
    }
    html.push_str(TABLE_END);
    html.push_str("</section>");
}

fn applications(html: &mut String, front: &Front, apps: &[App]) {
    section(html, "applications", "Applications", apps.len());
    if apps.is_empty() {
        html.push_str("<p>None is deployed.</p>");
    }
    let plain = front.plain_apps();
    for app in apps {
        let _ = write!(html, "<h3>{}", escape(&app.name));
        if let Some(own) = plain.iter().find(|own| own.id == app.id) {
            let url = escape(&own.url);
            let _ = write!(html, " <small><a href=\"{url}\">{url}</a></small>");
        }
        html.push_str("</h3>");
        table(html, &["Revision", "Traffic", "State", "Replicas", "Requests"]);
        for revision in &app.revisions {
            let weight =
                app.traffic.iter().find(|(name, _)| *name == revision.name).map_or(0, |(_, weight)| *weight);
            revision_row(html, revision, weight);
        }
        html.push_str(TABLE_END);
    }
    html.push_str("</section>");
}

fn revision_row(html: &mut String, revision: &Revision, weight: u32) {
    let class = match revision.state.as_str() {
        "works" => "good",
        "failed" => "bad",
        _ => "busy",
    };
    let ready = revision.replicas.iter().filter(|replica| replica.ready).count();
    // a drawing rather than a styled width: the page's policy allows no styles of elements
    let _ = write!(
        html,
        "<tr><td>{}<td class=number><svg class=share viewBox=\"0 0 100 10\" preserveAspectRatio=none aria-hidden=true>\
         <rect width={weight} height=10 /></svg> {weight} %<td><span class=\"state {class}\">{}</span> {}\
         <td class=number>{ready} of {}<td class=number>{}</tr>",
        escape(&revision.name),
        escape(&revision.state),
        escape(revision.trouble.as_deref().unwrap_or_default()),
        revision.wanted,
        revision.requests.answers.iter().sum::<u64>(),
    );
}

fn requests(html: &mut String, recent: &[Recent]) {
    let refused = recent.iter().filter(|request| request.status >= 400 || request.status == 0).count();
    section(html, "requests", "Recent requests", recent.len());
    if recent.is_empty() {
        html.push_str("<p>Nobody has asked yet.</p></section>");
        return;
    }
    let _ = write!(html, "<p>{refused} of them were refused or cut.</p>");
    table(html, &["Time", "Request", "Answer", "Took"]);
    for request in recent {
        let class = match request.status {
            0 | 400.. => "bad",
            _ => "good",
        };
        let status = if request.status == 0 { "cut".to_owned() } else { request.status.to_string() };
        let _ = write!(
            html,
            "<tr><td class=time>{}<td><code>{}</code> <span class=id>{}</span>{}<td><span class=\"state {class}\">{status}\
             </span> {}<td class=number>{:.1} ms</tr>",
            request.at.strftime("%H:%M:%S"),
            escape(&request.method),
            escape(&request.host),
            escape(&request.path),
            escape(&request.code),
            request.took.as_secs_f64() * 1000.0
        );
    }
    html.push_str(TABLE_END);
    html.push_str("</section>");
}

fn resources(html: &mut String, arm: &Arm) {
    let mut groups: BTreeMap<String, Vec<&Resource>> = BTreeMap::new();
    for resource in arm.resources.values() {
        let own =
            groups.entry(resource.id.group.clone().unwrap_or_else(|| "the subscription".into())).or_default();
        if !resource.id.stretches.is_empty() {
            own.push(resource);
        }
    }
    section(html, "resources", "Resources", groups.values().map(Vec::len).sum());
    if groups.is_empty() {
        html.push_str("<p>There is none yet.</p>");
    }
    for (group, resources) in groups {
        let _ = write!(
            html,
            "<details open data-name=\"{0}\"><summary>{0} <span class=count>{1}</span></summary>",
            escape(&group),
            resources.len()
        );
        if resources.is_empty() {
            html.push_str("<p class=id>Empty.</p></details>");
            continue;
        }
        table(html, &["Name", "Type", "State"]);
        for resource in resources.iter().take(SHOWN_MAX) {
            let class = match resource.state.as_str() {
                "Succeeded" => "good",
                "Failed" => "bad",
                _ => "busy",
            };
            let _ = write!(
                html,
                "<tr><td>{}<td class=id>{}<td class=\"state {class}\">{}</tr>",
                escape(&resource.id.full_name()),
                escape(&resource.kind),
                escape(&resource.state)
            );
        }
        html.push_str(TABLE_END);
        if resources.len() > SHOWN_MAX {
            let _ = write!(html, "<p class=id>And {} more.</p>", resources.len() - SHOWN_MAX);
        }
        html.push_str("</details>");
    }
    html.push_str("</section>");
}

/// Text as text and as the value of an attribute in quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::testing::{Lab, rg};

    #[test]
    fn what_is_named_by_others_is_text() {
        let mut lab = Lab::new(1.0);
        let tag = "<script>alert('x')</script>";
        let mut html = String::new();
        let recent = Recent {
            at: lab.clock,
            method: "GET".into(),
            host: tag.into(),
            path: format!("/{tag}"),
            status: 400,
            code: tag.into(),
            took: std::time::Duration::from_millis(1),
        };
        requests(&mut html, &[recent]);
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("1 of them were refused or cut.") && html.contains("&lt;script&gt;"), "{html}");
        let vnet = serde_json::json!({"location": "westeurope",
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}});
        lab.put(&rg("Microsoft.Network/virtualNetworks/v1"), vnet).ok(201);
        let (mut under_way, mut there) = (String::new(), String::new());
        operations(&mut under_way, &lab.world);
        resources(&mut there, &lab.world.arm);
        assert!(under_way.contains("Create") && under_way.contains("in 5 s"), "{under_way}");
        assert!(there.contains("v1") && there.contains("Creating"), "{there}");
    }
}
