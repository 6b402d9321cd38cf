//! A TOPdesk, by its API descriptions (incident 4.2.6, supporting files 2.7.11).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use base64::Engine;
use serde_json::{Value, json};

use super::{Fault, Faults, broken, plain};

/// The login that it takes.
pub const USER: &str = "call-tickets";
/// The application password that it takes.
pub const PASSWORD: &str = "fake-application-password";

/// The members of a new incident that it knows.
const KNOWN: &[&str] = &[
    "briefDescription",
    "request",
    "action",
    "actionInvisibleForCaller",
    "callerLookup",
    "caller",
    "status",
    "category",
    "subcategory",
    "callType",
    "entryType",
    "impact",
    "urgency",
    "priority",
    "externalNumber",
    "operatorGroup",
    "operator",
];

/// What the desk holds.
#[derive(Debug, Default)]
pub struct Held {
    /// Incidents, in the order they were made.
    pub incidents: Vec<Value>,
    /// Files by incident id: name and bytes.
    pub files: BTreeMap<String, Vec<(String, Vec<u8>)>>,
    /// Notes by incident id.
    pub notes: BTreeMap<String, Vec<String>>,
    /// Registered persons: `id`, `email`, `phoneNumber`, `isCaller`.
    pub persons: Vec<Value>,
    /// Whether `externalNumber` may be asked for.
    pub searchable: bool,
    /// Whether incidents can be listed at all.
    pub listable: bool,
    /// Whether files are taken.
    pub files_taken: bool,
    /// Categories with their subcategories.
    pub categories: Vec<(String, Vec<String>)>,
}

/// A TOPdesk on loopback.
#[derive(Clone)]
pub struct Desk {
    held: Arc<Mutex<Held>>,
    /// How it fails.
    pub faults: Faults,
    /// Its address, without `/tas/api`.
    pub url: String,
}

const PRIORITIES: &[&str] = &["P1 Kritiek", "P2 Hoog", "P3 Normaal", "P4 Laag"];
const IMPACTS: &[&str] = &["Persoon", "Afdeling", "Organisatie"];
const URGENCIES: &[&str] = &["Kan niet werken", "Normaal", "Kan werken"];

impl Desk {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> std::io::Result<Desk> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let categories = [
            ("Hardware", &["Printers", "Laptop", "Telefoon"][..]),
            ("Software", &["Office 365", "Bedrijfsapplicatie"]),
            ("Netwerk", &["Wifi", "VPN"]),
            ("Gebruikersbeheer", &["Wachtwoord", "Toegang"]),
            ("Facilitair", &["Gebouw"]),
        ];
        let categories = categories
            .into_iter()
            .map(|(name, subs)| (name.into(), subs.iter().map(|sub| (*sub).into()).collect()));
        let held = Held {
            searchable: true,
            listable: true,
            files_taken: true,
            categories: categories.collect(),
            ..Held::default()
        };
        let url = format!("http://{}", listener.local_addr()?);
        let desk = Desk { held: Arc::new(Mutex::new(held)), faults: Faults::default(), url };
        let router = desk.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(desk)
    }

    /// What it holds.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn router(&self) -> Router {
        let api = Router::new()
            .route("/version", get(async || axum::Json(json!({"version": "fake 4.2.6"}))))
            .route("/incidents", get(list).post(create))
            .route("/incidents/{list}", get(words))
            .route("/incidents/id/{id}", get(one).patch(patch))
            .route("/incidents/id/{id}/attachments", get(files).post(attach))
            .route("/persons", get(persons));
        Router::new()
            .nest("/tas/api", api)
            .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
            .layer(middleware::from_fn_with_state(self.clone(), gate))
            .route("/", get(page))
            .with_state(self.clone())
    }
}

/// The login, and the faults that wait.
async fn gate(State(desk): State<Desk>, request: Request, next: Next) -> Response<Body> {
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if given != Some(&format!("Basic {expected}")) {
        return plain(401, String::new(), None);
    }
    match desk.faults.take(&format!("{} {}", request.method(), request.uri().path())) {
        None => next.run(request).await,
        Some(Fault::Answer(status, body, after)) => plain(status, body, after),
        Some(Fault::Break) => {
            next.run(request).await;
            broken()
        }
        Some(Fault::Slow(wait)) => {
            let answer = next.run(request).await;
            tokio::time::sleep(wait).await;
            answer
        }
    }
}

fn refused(status: u16, message: &str) -> Response<Body> {
    plain(status, json!([{"message": message}]).to_string(), None)
}

/// An id for a word that stays the same.
fn id(kind: &str, name: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{kind}/{name}").as_bytes()).to_string()
}

async fn words(State(desk): State<Desk>, Path(list): Path<String>) -> Response<Body> {
    let named = |kind: &str, names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| json!({"id": id(kind, name), "name": name})).collect()
    };
    let held = desk.held();
    let listed = match list.as_str() {
        "categories" => held
            .categories
            .iter()
            .map(|(name, _)| json!({"id": id("category", name), "name": name}))
            .collect(),
        "subcategories" => {
            let of = |(category, subs): &(String, Vec<String>)| -> Vec<Value> {
                let within = json!({"id": id("category", category), "name": category});
                subs.iter()
                    .map(|sub| json!({"id": id("subcategory", sub), "name": sub, "category": within}))
                    .collect()
            };
            held.categories.iter().flat_map(of).collect()
        }
        "priorities" => named("priority", PRIORITIES),
        "impacts" => named("impact", IMPACTS),
        "urgencies" => named("urgency", URGENCIES),
        _ => return refused(404, "not found"),
    };
    axum::Json(Value::from(listed)).into_response()
}

async fn create(State(desk): State<Desk>, axum::Json(body): axum::Json<Value>) -> Response<Body> {
    let mut held = desk.held();
    if let Some(wrong) = wrong(&body, &held) {
        return refused(wrong.0, &wrong.1);
    }
    let number = held.incidents.len() + 1;
    let mut incident = body;
    incident["id"] = uuid::Uuid::new_v4().to_string().into();
    incident["number"] = format!("I 2611 {number:03}").into();
    held.incidents.push(incident.clone());
    (StatusCode::CREATED, axum::Json(incident)).into_response()
}

/// What an incident cannot say.
fn wrong(body: &Value, held: &Held) -> Option<(u16, String)> {
    let bad = |message: String| Some((400, message));
    let members = body.as_object()?;
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return bad(format!("Unknown field '{name}'"));
    }
    let length = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    for (name, longest) in [("briefDescription", 80), ("externalNumber", 60)] {
        if length(&body[name]) > longest {
            return bad(format!("The value for the field '{name}' is too long (maximum {longest})"));
        }
    }
    for (name, longest) in [("dynamicName", 109), ("phoneNumber", 25), ("email", 100)] {
        if length(&body["caller"][name]) > longest {
            return bad(format!("The value for the field 'caller.{name}' is too long"));
        }
    }
    if members.contains_key("caller") && members.contains_key("callerLookup") {
        return bad("A registered and an unregistered caller cannot be combined".into());
    }
    if let Some(person) = body["callerLookup"]["id"].as_str()
        && !held.persons.iter().any(|one| one["id"] == person && one["isCaller"] == true)
    {
        return Some((404, "The person does not exist".into()));
    }
    let known = |kind: &str, name: &str, names: Vec<String>| {
        let value = &body[name];
        let given = value["id"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| value["name"].as_str().map(|name| id(kind, name)));
        match given {
            Some(given) if !names.iter().any(|name| id(kind, name) == given) => {
                Some(format!("The value for the field '{name}' cannot be found"))
            }
            _ => None,
        }
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let categories = held.categories.iter().map(|(name, _)| name.clone()).collect();
    let within = body["category"]["id"].as_str();
    let subs =
        held.categories.iter().filter(|(name, _)| within.is_none_or(|within| id("category", name) == within));
    let subs = subs.flat_map(|(_, subs)| subs.clone()).collect();
    known("category", "category", categories)
        .or_else(|| known("subcategory", "subcategory", subs))
        .or_else(|| known("priority", "priority", owned(PRIORITIES)))
        .or_else(|| known("impact", "impact", owned(IMPACTS)))
        .or_else(|| known("urgency", "urgency", owned(URGENCIES)))
        .and_then(bad)
}

async fn list(State(desk): State<Desk>, Query(asked): Query<BTreeMap<String, String>>) -> Response<Body> {
    let held = desk.held();
    if !held.listable {
        return refused(400, "incidents cannot be listed");
    }
    let size: usize = asked.get("pageSize").and_then(|size| size.parse().ok()).unwrap_or(10);
    let wanted = match asked.get("query") {
        None => None,
        Some(_) if !held.searchable => return refused(400, "The field 'externalNumber' cannot be queried"),
        Some(query) => {
            let Some(value) = query.strip_prefix("externalNumber==") else {
                return refused(400, "unknown query");
            };
            Some(value.trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\"))
        }
    };
    let fits = |one: &&Value| wanted.as_ref().is_none_or(|wanted| one["externalNumber"] == wanted.as_str());
    let found: Vec<Value> = held.incidents.iter().rev().filter(fits).cloned().collect();
    if found.is_empty() {
        return plain(204, String::new(), None);
    }
    let status = if found.len() > size { 206 } else { 200 };
    plain(status, Value::from(found.into_iter().take(size).collect::<Vec<_>>()).to_string(), None)
}

async fn one(State(desk): State<Desk>, Path(id): Path<String>) -> Response<Body> {
    let held = desk.held();
    match held.incidents.iter().find(|one| one["id"] == id.as_str()) {
        Some(incident) => axum::Json(incident.clone()).into_response(),
        None => refused(404, "The incident does not exist"),
    }
}

async fn patch(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    axum::Json(body): axum::Json<Value>,
) -> Response<Body> {
    let mut held = desk.held();
    let Some(incident) = held.incidents.iter().find(|one| one["id"] == id.as_str()).cloned() else {
        return refused(404, "The incident does not exist");
    };
    if let Some(action) = body["action"].as_str() {
        held.notes.entry(id).or_default().push(action.to_owned());
    }
    axum::Json(incident).into_response()
}

async fn files(State(desk): State<Desk>, Path(id): Path<String>) -> Response<Body> {
    let held = desk.held();
    let names = held
        .files
        .get(&id)
        .into_iter()
        .flatten()
        .map(|(name, bytes)| json!({"fileName": name, "size": bytes.len()}));
    axum::Json(Value::from(names.collect::<Vec<_>>())).into_response()
}

async fn attach(State(desk): State<Desk>, Path(id): Path<String>, mut form: Multipart) -> Response<Body> {
    let mut file = None;
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            file = field.bytes().await.ok().map(|bytes| (name, bytes.to_vec()));
        }
    }
    let mut held = desk.held();
    if !held.incidents.iter().any(|one| one["id"] == id.as_str()) {
        return refused(404, "The incident does not exist");
    }
    if !held.files_taken {
        return refused(400, "This file type is not allowed");
    }
    let Some((name, bytes)) = file else { return refused(400, "There is no file") };
    let told = json!({"id": uuid::Uuid::new_v4(), "fileName": name, "size": bytes.len()});
    held.files.entry(id).or_default().push((name, bytes));
    axum::Json(told).into_response()
}

async fn persons(
    State(desk): State<Desk>,
    headers: HeaderMap,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response<Body> {
    let second =
        headers.get("accept").is_some_and(|accept| accept.as_bytes().windows(2).any(|part| part == b"v2"));
    let query = asked.get("query").cloned().unwrap_or_default();
    let held = desk.held();
    let fits = |one: &&Value| {
        ["email", "phoneNumber", "mobileNumber"].iter().any(|name| {
            one[*name]
                .as_str()
                .is_some_and(|value| query.contains(&format!("\"{value}\"")) && query.contains(name))
        })
    };
    let found: Vec<Value> = held.persons.iter().filter(fits).cloned().collect();
    let found = Value::from(found);
    axum::Json(if second { json!({"item": found}) } else { found }).into_response()
}

/// What the desk holds, for people who watch a demonstration.
async fn page(State(desk): State<Desk>) -> Response<Body> {
    let held = desk.held();
    let rows: String = held
        .incidents
        .iter()
        .rev()
        .map(|one| {
            let text = |value: &Value| crate::topdesk::incident::html(value.as_str().unwrap_or_default());
            let files = held.files.get(one["id"].as_str().unwrap_or_default()).map_or(0, Vec::len);
            format!(
                "<details><summary>{} — {}</summary><p>{}</p><small>{} · files: {files}</small></details>",
                text(&one["number"]),
                text(&one["briefDescription"]),
                // The request is markup already, made by the sender as TOPdesk wants it.
                one["request"].as_str().unwrap_or_default(),
                text(&one["externalNumber"]),
            )
        })
        .collect();
    let page = format!(
        "<!doctype html><meta charset=utf-8><title>fake TOPdesk</title><meta http-equiv=refresh content=5>\
         <style>:root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto}}</style>\
         <h1>A stand-in for TOPdesk: {} incidents</h1>{rows}",
        held.incidents.len()
    );
    axum::response::Html(page).into_response()
}
