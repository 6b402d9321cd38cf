//! Runtimes that a site can choose, as `webAppStacks` and `availableStacks` list them.

use serde_json::{Value, json};

use crate::world::{Request, Response};

/// Where a runtime runs.
#[derive(Clone, Copy, PartialEq)]
enum On {
    Linux,
    Windows,
}

/// One runtime: what it is called, what `linuxFxVersion` or the Windows setting says, until when it is served.
type Runtime = (On, &'static str, &'static str, &'static str);

/// Families, each with its runtimes, newest first
/// (learn.microsoft.com/azure/app-service/language-support-policy).
const STACKS: &[(&str, &str, &[Runtime])] = &[
    (
        ".NET",
        "dotnet",
        &[
            (On::Linux, ".NET 10 (LTS)", "DOTNETCORE|10.0", "2028-11-14"),
            (On::Linux, ".NET 9 (STS)", "DOTNETCORE|9.0", "2026-11-10"),
            (On::Linux, ".NET 8 (LTS)", "DOTNETCORE|8.0", "2026-11-10"),
            (On::Windows, ".NET 10 (LTS)", "v10.0", "2028-11-14"),
            (On::Windows, ".NET 8 (LTS)", "v8.0", "2026-11-10"),
        ],
    ),
    (
        "Node",
        "node",
        &[
            (On::Linux, "Node 24 LTS", "NODE|24-lts", "2028-04-30"),
            (On::Linux, "Node 22 LTS", "NODE|22-lts", "2027-04-30"),
            (On::Linux, "Node 20 LTS", "NODE|20-lts", "2026-04-30"),
            (On::Windows, "Node 24 LTS", "~24", "2028-04-30"),
            (On::Windows, "Node 22 LTS", "~22", "2027-04-30"),
        ],
    ),
    (
        "Python",
        "python",
        &[
            (On::Linux, "Python 3.14", "PYTHON|3.14", "2030-10-31"),
            (On::Linux, "Python 3.13", "PYTHON|3.13", "2029-10-31"),
            (On::Linux, "Python 3.12", "PYTHON|3.12", "2028-10-31"),
            (On::Linux, "Python 3.11", "PYTHON|3.11", "2027-10-31"),
            (On::Linux, "Python 3.10", "PYTHON|3.10", "2026-10-31"),
        ],
    ),
    (
        "PHP",
        "php",
        &[
            (On::Linux, "PHP 8.4", "PHP|8.4", "2028-12-31"),
            (On::Linux, "PHP 8.3", "PHP|8.3", "2027-12-31"),
            (On::Linux, "PHP 8.2", "PHP|8.2", "2026-12-31"),
        ],
    ),
];

fn settings(&(on, _, version, until): &Runtime) -> Value {
    let settings = json!({
        "runtimeVersion": version, "remoteDebuggingSupported": false, "isPreview": false, "isDeprecated": false,
        "isHidden": false, "isEarlyAccess": false, "isAutoUpdate": true,
        "appInsightsSettings": {"isSupported": true, "isDefaultOff": true},
        "gitHubActionSettings": {"isSupported": true, "supportedVersion": version.rsplit(['|', 'v', '~']).next()},
        "endOfLifeDate": format!("{until}T00:00:00Z"),
    });
    match on {
        On::Linux => json!({"linuxRuntimeSettings": settings}),
        On::Windows => json!({"windowsRuntimeSettings": settings}),
    }
}

fn wanted(request: &Request, name: &str) -> Option<On> {
    match request.query(name)?.to_ascii_lowercase().as_str() {
        "linux" => Some(On::Linux),
        "windows" => Some(On::Windows),
        _ => None,
    }
}

/// `webAppStacks[?stackOsType=…]`.
pub(super) fn web_app_stacks(request: &Request) -> Response {
    let only = wanted(request, "stackOsType");
    let shown: Vec<Value> = STACKS
        .iter()
        .map(|(family, value, runtimes)| {
            let versions: Vec<Value> = runtimes
                .iter()
                .filter(|runtime| only.is_none_or(|only| runtime.0 == only))
                .map(|runtime| {
                    let own = runtime.2.rsplit(['|', '~']).next();
                    json!({"displayText": runtime.1, "value": own, "minorVersions": [
                        {"displayText": runtime.1, "value": own, "stackSettings": settings(runtime)}]})
                })
                .collect();
            json!({"id": format!("/providers/Microsoft.Web/webAppStacks/{value}"), "name": value,
                   "type": "Microsoft.Web/webAppStacks",
                   "properties": {"displayText": family, "value": value, "preferredOs": "linux", "majorVersions": versions}})
        })
        .collect();
    Response::json(200, &json!({"value": shown, "nextLink": null}))
}

/// `availableStacks[?osTypeSelected=…]`, the older list.
pub(super) fn available(request: &Request) -> Response {
    let only = wanted(request, "osTypeSelected");
    let shown: Vec<Value> = STACKS
        .iter()
        .map(|(family, value, runtimes)| {
            let versions: Vec<Value> = runtimes
                .iter()
                .filter(|runtime| only.is_none_or(|only| runtime.0 == only))
                .map(|runtime| {
                    json!({"displayVersion": runtime.1, "runtimeVersion": runtime.2, "isDefault": false,
                           "isDeprecated": false, "minorVersions": [
                        {"displayVersion": runtime.1, "runtimeVersion": runtime.2, "isDefault": false,
                         "isRemoteDebuggingEnabled": false}]})
                })
                .collect();
            json!({"id": null, "name": value, "type": "Microsoft.Web/availableStacks?osTypeSelected=All",
                   "properties": {"name": value, "display": family, "dependency": null, "majorVersions": versions,
                                  "frameworks": [], "isDeprecated": null}})
        })
        .collect();
    Response::json(200, &json!({"value": shown, "nextLink": null, "id": null}))
}
