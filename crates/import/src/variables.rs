//! A service's variables: plain values to `env`, secrets to `secrets`, addresses of neighbours to references.

use std::collections::BTreeMap;

use landfall_manifest::NewService;
use landfall_manifest::write::fits;

use crate::draft::{Draft, Place};
use crate::language;
use crate::secret::{self, Hidden};
use crate::{File, dotenv, path};

/// A variable as a file has it.
pub(crate) struct Variable {
    pub name: String,
    /// `None` when the file names it only.
    pub value: Option<String>,
    /// Whether the file itself calls it a secret, or made its value from one.
    pub is_secret: bool,
    pub file: String,
    pub line: usize,
}

/// What a host name of the old network leads to.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// A service, by its final name, with its port.
    Service(String, Option<u16>),
    /// A resource, by its final name, and its type.
    Resource(String, &'static str),
    /// Something that is not carried over.
    Gone,
}

/// Host names of the old network.
pub(crate) type Peers = BTreeMap<String, Peer>;

/// The variables of the `.env` beside a file.
pub(crate) fn beside(files: &[File], main: &str, draft: &mut Draft) -> Vec<Variable> {
    let path = path::beside(main, ".env");
    files.iter().find(|file| file.path == path).map_or_else(Vec::new, |file| of_file(file, draft))
}

/// The variables of a file.
pub(crate) fn of_file(file: &File, draft: &mut Draft) -> Vec<Variable> {
    let (lines, odd) = dotenv::read(&file.text);
    for line in odd {
        draft.remark(Place { file: &file.path, line }, "this line is no `NAME=value`");
    }
    let variable = |line: dotenv::Line| Variable {
        name: line.name,
        value: line.value,
        is_secret: false,
        file: file.path.clone(),
        line: line.line,
    };
    lines.into_iter().map(variable).collect()
}

/// Sorts `variables` into the service's `env` and `secrets`, and lists what has no place there.
pub(crate) fn settle(draft: &mut Draft, service: &mut NewService, variables: Vec<Variable>, peers: &Peers) {
    let listens = service.port.is_some();
    for variable in last_of_each(variables) {
        let Variable { name, value, is_secret, file, line } = variable;
        let place = Place { file: &file, line };
        let label = format!("`{}` of `{}`", crate::draft::short(&name), service.name);
        if name == "PORT" && listens {
            let same = value.as_deref().is_none_or(|value| value.parse().ok() == service.port);
            if !same {
                draft.remark(
                    place,
                    format!("{label} differs from the service's port, which Landfall sets it to"),
                );
            }
            continue;
        }
        // A file that several services share; this one listens to nothing.
        if name == "PORT" {
            continue;
        }
        if !fits::variable(&name, listens) {
            draft.remark(
                place,
                format!("{label}: a name that Azure sets itself, or that no variable can have"),
            );
            continue;
        }
        let Some(value) = value else {
            if is_secret || secret::is_name(&name) {
                let secret = draft.secret(&service.name, &name, None, place, None);
                service.secrets.push((name, secret));
            } else {
                draft.remark(place, format!("{label} has no value here: write it to `env`"));
            }
            continue;
        };
        let hosts = hosts(&value);
        let led_to = hosts.iter().find_map(|host| match peer(peers, host) {
            Some(Peer::Resource(resource, kind)) => Some((resource.clone(), *kind, host.name.to_owned())),
            _ => None,
        });
        if let Some((resource, kind, _)) = &led_to {
            uses(service, resource, kind);
        }
        // The address of a store that is left behind: its successor's will have a key in it.
        let left_behind = hosts.iter().find(|host| {
            matches!(peer(peers, host), Some(Peer::Gone))
                && !matches!(host.scheme, None | Some("http" | "https"))
        });
        // A plain URL of a store that has one is that; what a key would have stood in is a secret.
        if let (Some((resource, kind, _)), [host]) = (&led_to, hosts.as_slice())
            && let Some(attribute) = language::url_attribute(kind)
            && matches!(host.scheme, Some("http" | "https"))
            && !is_secret
            && !secret::is_secret(&name, &value)
            && value[host.whole.end..].trim_matches('/').is_empty()
        {
            service.env.push((name, format!("${{resource.{resource}.{attribute}}}")));
            continue;
        }
        let is_store = has_address(&value) && led_to.is_some() || left_behind.is_some();
        if is_secret || secret::is_secret(&name, &value) || is_store {
            let note = match (&led_to, left_behind) {
                (Some((resource, _, host)), _) => Some(format!(
                    "it led to `{}`: give it the address of the resource `{resource}`",
                    crate::draft::short(host)
                )),
                (None, Some(host)) => {
                    Some(format!("it led to `{}`: give it the address of what takes its place", host.name))
                }
                (None, None) => None,
            };
            let secret = draft.secret(&service.name, &name, Some(Hidden::new(&value)), place, note);
            service.secrets.push((name, secret));
            continue;
        }
        if let Some((resource, kind, host)) = led_to {
            match language::host_attribute(kind) {
                Some(attribute) if value == host => {
                    service.env.push((name, format!("${{resource.{resource}.{attribute}}}")));
                }
                _ => draft.remark(
                    place,
                    format!(
                        "{label} led to `{}`, which is the resource `{resource}` now",
                        crate::draft::short(&host)
                    ),
                ),
            }
            continue;
        }
        match addressed(&value, &hosts, peers) {
            Addressed::No => {}
            Addressed::Url(text) => {
                service.env.push((name, text));
                continue;
            }
            Addressed::Bare(peer) => {
                let text = format!(
                    "{label} names `{peer}`, which has an address and not a host name here: `${{service.{peer}.url}}`"
                );
                draft.remark(place, text);
                continue;
            }
            Addressed::Lost(host) => {
                draft.remark(place, format!("{label} led to `{host}`, which is not carried over"));
                continue;
            }
        }
        if hosts.iter().any(|host| ["localhost", "127.0.0.1", "host.docker.internal"].contains(&host.name)) {
            draft.remark(place, format!("{label} names the machine itself, which is another one in Azure"));
        }
        let text = value.replace("${", "$${");
        if fits::value(&text) {
            service.env.push((name, text));
        } else {
            draft.remark(place, format!("{label} is too long for a variable"));
        }
    }
    ports_of_resources(service, peers);
}

/// Lets a service use a resource as one of its type is used.
pub(crate) fn uses(service: &mut NewService, resource: &str, kind: &str) {
    let access = language::access(kind);
    if !access.is_empty() {
        service.uses.entry(resource.to_owned()).or_insert(access);
    }
}

/// `REDIS_PORT=6379` beside a host that became a resource: the new server has a port of its own.
fn ports_of_resources(service: &mut NewService, peers: &Peers) {
    let hosts: Vec<(String, &'static str)> = peers
        .values()
        .filter_map(|peer| match peer {
            Peer::Resource(resource, kind) if service.uses.contains_key(resource) => {
                Some((resource.clone(), *kind))
            }
            _ => None,
        })
        .collect();
    for (name, value) in &mut service.env {
        let of = hosts.iter().find(|(_, kind)| language::old_port(kind) == Some(value.as_str()));
        if let (true, Some((resource, _))) = (name.ends_with("PORT"), of) {
            *value = format!("${{resource.{resource}.port}}");
        }
    }
}

/// Of a name that stands several times the last; `PATH` is the image's own affair.
fn last_of_each(variables: Vec<Variable>) -> Vec<Variable> {
    let last: BTreeMap<String, usize> =
        variables.iter().enumerate().map(|(at, variable)| (variable.name.clone(), at)).collect();
    let is_last = |at: usize, variable: &Variable| last.get(&variable.name) == Some(&at);
    variables
        .into_iter()
        .enumerate()
        .filter(|(at, v)| is_last(*at, v))
        .map(|(_, variable)| variable)
        .collect()
}

/// A host name in a value.
struct Host<'a> {
    name: &'a str,
    port: Option<u16>,
    scheme: Option<&'a str>,
    /// Where scheme, host and port begin and end, when the value begins with them.
    whole: std::ops::Range<usize>,
}

/// The host names of a value: those of its URLs, or the value itself, as `host` or `host:port`, alone or in a list.
fn hosts(value: &str) -> Vec<Host<'_>> {
    let mut found = Vec::new();
    for part in value.split([',', ' ', ';']) {
        let start = part.as_ptr() as usize - value.as_ptr() as usize;
        let (scheme, rest) = match part.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, part),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (name, port) = match host.split_once(':') {
            Some((name, port)) => match port.parse() {
                Ok(port) => (name, Some(port)),
                Err(_) => continue,
            },
            None => (host, None),
        };
        // A path is no host, and a sentence is not a list of them.
        let is_host =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if is_host && (scheme.is_some() || authority.len() == rest.len()) {
            let end = start + (part.len() - rest.len()) + authority.len();
            found.push(Host { name, port, scheme, whole: start..end });
        }
    }
    found
}

/// Whether the value is more than a host's name: a URL, or `key=value` pairs.
fn has_address(value: &str) -> bool {
    value.contains("://")
}

enum Addressed {
    No,
    /// The value with references in place of the addresses.
    Url(String),
    Bare(String),
    Lost(String),
}

/// The value with each URL of a service replaced by a reference to it.
fn addressed(value: &str, hosts: &[Host<'_>], peers: &Peers) -> Addressed {
    let mut out = String::new();
    let mut at = 0;
    let mut is_changed = false;
    for host in hosts {
        match peer(peers, host) {
            Some(Peer::Service(service, port)) => match host.scheme {
                Some("http" | "https") if port.is_some() && host.port.is_none_or(|p| Some(p) == *port) => {
                    out.push_str(&value[at..host.whole.start].replace("${", "$${"));
                    out.push_str(&format!("${{service.{service}.url}}"));
                    at = host.whole.end;
                    is_changed = true;
                }
                None if host.port.is_none() && value != host.name => {}
                // A word that happens to be a service's name, such as `APP_NAME=api`, is told from its host by the port.
                None if host.port.is_none() => {}
                _ if port.is_none() => return Addressed::Lost(host.name.to_owned()),
                _ => return Addressed::Bare(service.clone()),
            },
            Some(Peer::Gone) if host.scheme.is_some() || host.port.is_some() || value == host.name => {
                return Addressed::Lost(host.name.to_owned());
            }
            _ => {}
        }
    }
    if !is_changed {
        return Addressed::No;
    }
    out.push_str(&value[at..].replace("${", "$${"));
    Addressed::Url(out)
}

/// What a host leads to: by its name, or, on the machine itself, by its port.
fn peer<'a>(peers: &'a Peers, host: &Host<'_>) -> Option<&'a Peer> {
    peers.get(host.name).or_else(|| {
        let port = host.local_port()?;
        peers.get(&format!("localhost:{port}"))
    })
}

impl Host<'_> {
    /// The port on the machine itself: the one named, or the usual one of the scheme.
    fn local_port(&self) -> Option<u16> {
        let is_local = ["localhost", "127.0.0.1"].contains(&self.name);
        let scheme = self.scheme.map_or("", |scheme| scheme.split('+').next().unwrap_or_default());
        let usual = match scheme {
            "postgres" | "postgresql" => Some(5432),
            "redis" => Some(6379),
            "amqp" | "pyamqp" => Some(5672),
            _ => None,
        };
        self.port.or(usual).filter(|_| is_local)
    }
}

/// The ports of the machine itself that a value addresses.
pub(crate) fn local_ports(value: &str) -> Vec<u16> {
    hosts(value).iter().filter_map(Host::local_port).collect()
}

/// The ports at which a value addresses hosts by HTTP: `http://api:8000` is port 8000 of `api`.
pub(crate) fn addressed_ports(value: &str) -> Vec<(String, u16)> {
    hosts(value)
        .iter()
        .filter(|host| {
            host.scheme.is_some_and(|scheme| ["http", "https", "ws", "wss", "grpc"].contains(&scheme))
        })
        .filter_map(|host| Some((host.name.to_owned(), host.port?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(listed: &[(&str, Option<&str>)]) -> (NewService, Draft) {
        let mut draft = Draft::new("x");
        let mut service = NewService { name: "web".into(), port: Some(80), ..NewService::default() };
        let peers = [
            ("api".to_owned(), Peer::Service("api".into(), Some(8000))),
            ("queue".to_owned(), Peer::Service("queue".into(), None)),
            ("files".to_owned(), Peer::Resource("files".into(), "storage")),
            ("mail".to_owned(), Peer::Gone),
        ];
        let variables = listed.iter().enumerate().map(|(at, (name, value))| Variable {
            name: (*name).to_owned(),
            value: value.map(str::to_owned),
            is_secret: false,
            file: ".env".into(),
            line: at + 1,
        });
        settle(&mut draft, &mut service, variables.collect(), &peers.into());
        (service, draft)
    }

    #[test]
    fn each_goes_where_it_belongs() {
        let (service, draft) = settled(&[
            ("LOG_LEVEL", Some("INFO")),
            ("API", Some("http://api:8000/v1")),
            ("API_TWO", Some("http://api:8000,http://api:8000/x")),
            ("API_WRONG", Some("http://api:9000")),
            ("APP_NAME", Some("api")),
            ("WS", Some("ws://api:8000")),
            ("API_HOST", Some("api:8000")),
            ("SMTP", Some("mail")),
            ("BLOBS", Some("http://files:9000")),
            ("S3", Some("s3://files:9000/bucket")),
            ("PASSWORD", Some("hunter2")),
            ("TOKEN", None),
            ("STAGE", None),
            ("PORT", Some("80")),
            ("PORT_TWO", Some("${X}")),
            ("LOG_LEVEL", Some("DEBUG")),
        ]);
        let env: Vec<String> = service.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            env,
            [
                "API=${service.api.url}/v1",
                "API_TWO=${service.api.url},${service.api.url}/x",
                "APP_NAME=api",
                "BLOBS=${resource.files.endpoint}",
                "PORT_TWO=$${X}",
                "LOG_LEVEL=DEBUG",
            ]
        );
        let secrets: Vec<String> =
            service.secrets.iter().map(|(name, secret)| format!("{name}={secret}")).collect();
        assert_eq!(secrets, ["S3=s3", "PASSWORD=password", "TOKEN=token"]);
        assert_eq!(service.uses.get("files").map(|access| access.join(" ")).as_deref(), Some("write"));
        let imported = draft.finish().expect("no problems");
        let remarks: Vec<String> = imported.remarks.iter().map(|r| r.to_string()).collect();
        assert_eq!(remarks.len(), 5, "{remarks:#?}");
        assert!(imported.secrets.iter().any(|s| s.note.as_deref().is_some_and(|n| n.contains("`files`"))));
    }
}
