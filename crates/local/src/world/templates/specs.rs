//! Template specs and their versions, kept to be deployed by id; deployment scripts, which are refused.

use serde_json::{Value, json};

use crate::world::arm::kind::{Call, Change, Depth, Kind, Names, Place, Rules, Signs};
use crate::world::arm::refusal::Refusal;
use crate::world::arm::resources::{self, at_once};
use crate::world::arm::{Resource, put, stamp, take};
use crate::world::{Body, Method, Response, World};

const SPECS: &str = "Microsoft.Resources/templateSpecs";
/// The type of a spec's versions.
pub const VERSIONS: &str = "Microsoft.Resources/templateSpecs/versions";

const fn names(message: &'static str) -> Names {
    Names { length: (1, 90), signs: Signs::Any, global: false, refusal: ("InvalidResourceName", message) }
}

const fn kind(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: names("The name '{name}' is invalid."),
        place: Place::Regional,
        seconds: [0.0, 0.0, 0.0],
        replies: at_once(201, 200),
        busy: "Conflict",
        computed: &[],
        spelling: &[],
        rules,
    }
}

/// The rows of what belongs to templates and is a resource.
pub static KINDS: &[Kind] = &[
    kind(SPECS, &Specs),
    kind(VERSIONS, &Versions),
    kind("Microsoft.Resources/deploymentScripts", &Scripts),
    super::stacks::KIND,
];

/// A part of a body as it was sent, with the nulls that a template may hold.
pub fn as_sent(body: &Body, pointer: &str) -> Option<Value> {
    let Body::Bytes(bytes) = body else { return None };
    let whole: Value = serde_json::from_slice(bytes).ok()?;
    whole.pointer(pointer).cloned()
}

#[derive(Debug)]
struct Specs;

impl Rules for Specs {
    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }

    fn provide(&self, world: &mut World, call: &Call) -> Option<Result<Response, Refusal>> {
        let expands = call.request.query("$expand").is_some_and(|it| it.eq_ignore_ascii_case("versions"));
        let [word, name] = call.rest.as_slice() else { return None };
        if call.request.method != Method::Get || !expands || !word.eq_ignore_ascii_case("templateSpecs") {
            return None;
        }
        let found = world.arm.find(&call.id.provider(SPECS, name).key())?;
        let mut shown = resources::view(world, found);
        let versions: serde_json::Map<String, Value> = world
            .arm
            .below(&found.id)
            .map(|(_, version)| version)
            .filter(|version| version.kind == VERSIONS)
            .map(|version| {
                let mut about = json!({
                    "timeCreated": stamp(version.system.created_at), "timeModified": stamp(version.system.modified_at),
                });
                if let Some(text) = version.properties().get("description") {
                    about["description"] = text.clone();
                }
                (version.id.name().to_owned(), about)
            })
            .collect();
        put(&mut shown, "properties.versions", Value::Object(versions));
        Some(Ok(Response::json(200, &shown)))
    }
}

#[derive(Debug)]
struct Versions;

impl Rules for Versions {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        for part in ["mainTemplate", "linkedTemplates"] {
            if let Some(sent) = as_sent(&change.request.body, &format!("/properties/{part}")) {
                change.body["properties"][part] = sent;
            }
        }
        if !change.body["properties"]["mainTemplate"].is_object() {
            return Err(Refusal::bad(
                "InvalidTemplateSpec",
                format!("The template spec version '{}' needs a 'mainTemplate'.", change.id.full_name()),
            ));
        }
        Ok(())
    }

    fn view(&self, _world: &World, _resource: &Resource, body: &mut Value) {
        take(body, "properties.provisioningState");
    }
}

#[derive(Debug)]
struct Scripts;

impl Rules for Scripts {
    fn judge(&self, _world: &World, change: &mut Change) -> Result<(), Refusal> {
        Err(Refusal::new(
            501,
            "NotModelledLocally",
            format!("Local Azure runs no deployment scripts: '{}' is not created.", change.id.name()),
        ))
    }
}
