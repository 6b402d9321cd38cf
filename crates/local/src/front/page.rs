//! The page that a browser sees at the front's root: what is there, what is under way, what went wrong.

use std::fmt::Write;

use http::HeaderValue;

use super::gate::{Answer, full};
use super::router::Front;
use crate::runtime::status::App;
use crate::world::World;
use crate::world::arm::operations::Status;

/// Renders the page. It loads nothing from elsewhere and has no script.
pub(crate) async fn show(front: &Front) -> Answer {
    let running = front.runtime.status().await;
    let mut html = String::from(HEAD);
    let status = &front.status;
    let _ = write!(
        html,
        "<h1>Local Azure</h1><p>{} · seed {} · speed {} · {} · state {}</p>",
        escape(status.urls.get("arm").map_or("", String::as_str)),
        status.seed,
        status.speed,
        escape(&status.runtime),
        escape(&status.state)
    );
    front.host.read(|world| {
        let _ = write!(html, "<p>The clock says {}.</p>", world.now.strftime("%Y-%m-%d %H:%M:%S UTC"));
        operations(&mut html, world);
    });
    revisions(&mut html, front, &running.apps);
    front.host.read(|world| resources(&mut html, world));
    requests(&mut html, front);
    html.push_str("</main></body></html>");
    let mut answer = http::Response::new(full(html));
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    headers.insert("refresh", HeaderValue::from_static("5"));
    answer
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Local Azure</title><style>:root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;margin:2rem}main{max-width:80rem;margin:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top;overflow-wrap:anywhere}h2{margin-top:2rem}.bad{color:#c0392b}small{opacity:.7}</style></head><body><main>";

fn operations(html: &mut String, world: &World) {
    html.push_str("<h2>Under way</h2>");
    let running: Vec<_> =
        world.arm.operations.values().filter(|operation| operation.status == Status::Running).collect();
    if running.is_empty() {
        html.push_str("<p>Nothing.</p>");
        return;
    }
    html.push_str("<table><tr><th>Operation<th>On<th>Since</tr>");
    for operation in running {
        let _ = write!(
            html,
            "<tr><td>{:?}<td>{}<td>{}</tr>",
            operation.verb,
            escape(&operation.resource.to_string()),
            operation.begun.strftime("%H:%M:%S")
        );
    }
    html.push_str("</table>");
}

fn revisions(html: &mut String, front: &Front, apps: &[App]) {
    html.push_str("<h2>Applications</h2>");
    if apps.is_empty() {
        html.push_str("<p>None is deployed.</p>");
        return;
    }
    let plain = front.plain_apps();
    html.push_str("<table><tr><th>Application<th>Revision<th>Traffic<th>State<th>Replicas<th>Requests</tr>");
    for app in apps {
        let address =
            plain.iter().find(|own| own.id == app.id).map(|own| own.url.clone()).unwrap_or_default();
        for revision in &app.revisions {
            let weight =
                app.traffic.iter().find(|(name, _)| *name == revision.name).map_or(0, |(_, weight)| *weight);
            let class = if revision.state == "failed" { " class=bad" } else { "" };
            let ready = revision.replicas.iter().filter(|replica| replica.ready).count();
            let _ = write!(
                html,
                "<tr><td>{}<br><small><a href=\"{}\">{}</a></small><td>{}<td>{weight} %<td{class}>{} {}<td>{ready} of {}<td>{}</tr>",
                escape(&app.name),
                escape(&address),
                escape(&address),
                escape(&revision.name),
                escape(&revision.state),
                escape(revision.trouble.as_deref().unwrap_or_default()),
                revision.wanted,
                revision.requests.answers.iter().sum::<u64>(),
            );
        }
    }
    html.push_str("</table>");
}

fn resources(html: &mut String, world: &World) {
    html.push_str("<h2>Resources</h2>");
    if world.arm.resources.is_empty() {
        html.push_str("<p>None yet.</p>");
        return;
    }
    html.push_str("<table><tr><th>Name<th>Type<th>State</tr>");
    for resource in world.arm.resources.values() {
        let class = if resource.state == "Failed" { " class=bad" } else { "" };
        let _ = write!(
            html,
            "<tr><td>{}<br><small>{}</small><td>{}<td{class}>{}</tr>",
            escape(resource.id.name()),
            escape(&resource.id.to_string()),
            escape(&resource.kind),
            escape(&resource.state)
        );
    }
    html.push_str("</table>");
}

fn requests(html: &mut String, front: &Front) {
    html.push_str("<h2>Recent requests</h2><table><tr><th>Time<th>Request<th>Answer<th>Took</tr>");
    for recent in front.recent() {
        let class = if recent.status >= 400 || recent.status == 0 { " class=bad" } else { "" };
        let status = if recent.status == 0 { "cut".to_owned() } else { recent.status.to_string() };
        let _ = write!(
            html,
            "<tr><td>{}<td>{} {}{}<td{class}>{} {}<td>{:.1} ms</tr>",
            recent.at.strftime("%H:%M:%S"),
            escape(&recent.method),
            escape(&recent.host),
            escape(&recent.path),
            escape(&status),
            escape(&recent.code),
            recent.took.as_secs_f64() * 1000.0
        );
    }
    html.push_str("</table>");
}

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
