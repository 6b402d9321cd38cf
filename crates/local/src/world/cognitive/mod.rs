//! Cognitive Services. In reading order:
//!
//! - [`accounts`]: what stays for 48 hours after its deletion.
//! - [`models`], [`deployments`]: what is deployed, until when and how much of it.
//! - [`content`]: content filters and projects.

mod accounts;
mod content;
mod deployments;
mod models;

use super::World;
use super::arm::id::Id;
use super::arm::kind::{Change, Depth, Headers, Kind, Names, Place, Replies, Reply, Rules, Signs, USUAL};
use super::arm::refusal::Refusal;
use super::arm::resources::at_once;

const ACCOUNT: &str = "Microsoft.CognitiveServices/accounts";
const DEPLOYMENT: &str = "Microsoft.CognitiveServices/accounts/deployments";
const DELETED: &str = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts";
/// How long a deleted account can be recovered and holds its name.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);
pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: ACCOUNT,
        depth: Depth::Modelled,
        names: Names {
            length: (2, 64),
            signs: Signs::Network,
            global: false,
            refusal: ("InvalidResourceName", "The account name '{name}' is invalid."),
        },
        place: Place::Regional,
        seconds: [30.0, 10.0, 10.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &[
            "properties.endpoint",
            "properties.endpoints",
            "properties.dateCreated",
            "properties.internalId",
        ],
        spelling: &[],
        rules: &accounts::Accounts,
    },
    Kind {
        name: DEPLOYMENT,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Parent,
        seconds: [20.0, 10.0, 10.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &["properties.capabilities", "properties.rateLimits", "properties.callRateLimit"],
        spelling: &[],
        rules: &deployments::Deployments,
    },
    Kind {
        place: Place::Parent,
        replies: Replies {
            delete: Reply { status: 202, headers: Headers::Both, done: 202 },
            ..at_once(201, 200)
        },
        seconds: [0.0, 0.0, 5.0],
        ..project("Microsoft.CognitiveServices/accounts/raiPolicies", &content::Policies)
    },
    project("Microsoft.CognitiveServices/accounts/projects", &content::Projects),
    Kind {
        name: DELETED,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Free,
        seconds: [0.0, 0.0, 5.0],
        replies: at_once(405, 405),
        busy: "RequestConflict",
        computed: &[],
        spelling: &[],
        rules: &Deleted,
    },
];

/// Azure's own content filters.
const POLICIES: [&str; 2] = ["Microsoft.Default", "Microsoft.DefaultV2"];

const fn project(name: &'static str, rules: &'static dyn Rules) -> Kind {
    Kind {
        name,
        depth: Depth::Modelled,
        names: NAMES,
        place: Place::Free,
        seconds: [10.0, 5.0, 5.0],
        replies: USUAL,
        busy: "RequestConflict",
        computed: &["properties.endpoints", "properties.type"],
        spelling: &[],
        rules,
    }
}

const NAMES: Names = Names {
    length: (1, 64),
    signs: Signs::Any,
    global: false,
    refusal: ("InvalidResourceName", "The name '{name}' is invalid."),
};

/// Where a deleted account is kept: by its region, group and name.
fn grave(account: &Id, location: &str) -> Id {
    let subscription = Id { subscription: account.subscription.clone(), ..Id::default() };
    subscription
        .provider("Microsoft.CognitiveServices/locations", location)
        .child("resourceGroups", account.group.as_deref().unwrap_or_default())
        .child("deletedAccounts", account.name())
}

#[derive(Debug)]
struct Deleted;

impl Rules for Deleted {
    fn judge(&self, _world: &World, _change: &mut Change) -> Result<(), Refusal> {
        Err(Refusal::new(405, "MethodNotAllowed", "A deleted account is read or purged."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::world::testing::{Lab, SUB, rg};

    const ACCOUNT: &str = "Microsoft.CognitiveServices/accounts/ai1";

    fn account(more: Value) -> Value {
        let mut body = json!({"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"},
                              "properties": {"customSubDomainName": "ai1"}});
        crate::world::arm::merge(&mut body, &more);
        body
    }

    #[test]
    fn a_deleted_account_holds_its_name_until_restored_or_purged() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(ACCOUNT), account(json!({"sku": {"name": "F0"}}))).refused(400, "InvalidSkuId");
        let made = lab.put(&rg(ACCOUNT), account(json!({}))).ok(201).json;
        assert_eq!(made["properties"]["endpoint"], "https://ai1.openai.azure.com/");
        let key = lab.post(&format!("{}/listKeys", rg(ACCOUNT)), json!({})).ok(200).json["key1"].clone();
        lab.delete(&rg(ACCOUNT)).ok(200);
        lab.put(&rg(ACCOUNT), account(json!({}))).refused(409, "FlagMustBeSetForRestore");
        lab.put(&rg("Microsoft.CognitiveServices/accounts/ai2"), account(json!({})))
            .refused(409, "CustomDomainInUse");
        lab.put(&rg(ACCOUNT), account(json!({"properties": {"restore": true}}))).ok(201);
        assert_eq!(lab.post(&format!("{}/listKeys", rg(ACCOUNT)), json!({})).json["key1"], key);
        lab.delete(&rg(ACCOUNT)).ok(200);
        let list = format!("{SUB}/providers/Microsoft.CognitiveServices/deletedAccounts");
        let dead = lab.get(&list).ok(200).json["value"][0]["id"].as_str().unwrap().to_owned();
        assert!(dead.ends_with("/locations/swedencentral/resourceGroups/rg/deletedAccounts/ai1"), "{dead}");
        lab.get(&dead).ok(200);
        lab.delete(&dead).ok(200);
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
        lab.delete(&rg(ACCOUNT)).ok(200);
        lab.wait(48.0 * 3600.0 + 1.0);
        assert_eq!(lab.get(&list).json["value"], json!([]));
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
    }

    #[test]
    fn models_retire_and_have_a_quota() {
        let mut lab = Lab::new(0.0);
        lab.put(&rg(ACCOUNT), account(json!({}))).ok(201);
        let at = |name: &str| rg(&format!("{ACCOUNT}/deployments/{name}"));
        let model = |name: &str, capacity: u32| json!({"sku": {"name": "GlobalStandard", "capacity": capacity}, "properties": {"model": {"format": "OpenAI", "name": name}}});
        lab.put(&at("a"), model("gpt-4o", 1)).refused(400, "ServiceModelDeprecated");
        lab.put(&at("a"), model("gpt-4o-mini", 1)).refused(400, "ServiceModelDeprecated");
        lab.put(&at("a"), model("gpt-99", 1)).refused(400, "DeploymentModelNotSupported");
        lab.put(&at("a"), model("gpt-4.1", 1001)).refused(400, "InsufficientQuota");
        let made = lab.put(&at("a"), model("gpt-4.1", 900)).ok(201).json;
        assert_eq!(made["properties"]["model"]["version"], "2025-04-14");
        lab.put(&at("a"), model("gpt-4.1", 900)).ok(200);
        lab.put(&at("b"), model("gpt-4.1", 200)).refused(400, "InsufficientQuota");
        let usages = lab
            .get(&format!("{SUB}/providers/Microsoft.CognitiveServices/locations/swedencentral/usages"))
            .ok(200)
            .json;
        let own = usages["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"]["value"] == "OpenAI.GlobalStandard.gpt-4.1");
        assert_eq!(own.unwrap()["currentValue"], 900);
        lab.delete(&rg(ACCOUNT)).refused(409, "CannotDeleteResource");
    }
}
