//! `[recovery]`: what is to be had again, how soon, and where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::fields::{Default, EVERY, Field, Type};
use crate::rules;
use crate::sense::{Sense, names};
use crate::suggest;
use crate::tree::{Node, Table};
use crate::units::{Days, Duration};

/// What is to be had again after a disaster, how soon, and where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Recovery {
    /// Azure's name of the region that takes over.
    pub region: String,
    /// The longest that it may be gone.
    pub rto: Duration,
    /// The longest time whose data may be lost.
    pub rpo: Duration,
    /// What waits in the other region.
    pub standby: Standby,
    /// How the traffic gets there.
    pub traffic: Switch,
    /// What is kept of the data.
    pub backups: Backups,
    /// How often it is tried out.
    pub drills: Drills,
    /// Aims of single services and resources that differ, by name.
    #[serde(default)]
    pub aim: BTreeMap<String, Aim>,
    /// Who is told, by name in [`crate::App::contacts`]; empty: everyone.
    #[serde(default)]
    pub contacts: Vec<String>,
}

/// What waits in the other region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standby {
    /// Nothing: it is deployed when it is needed.
    Cold,
    /// Databases that follow; services at their least.
    Warm,
    /// All of it, with part of the traffic.
    Hot,
}

/// How the traffic gets to the other region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Somebody decides.
    Manual,
    /// The health checks decide.
    Automatic,
}

/// What is kept of the data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Backups {
    /// How far back a database can be restored.
    pub keep: Days,
    /// Whether copies lie in the paired region.
    pub geo: bool,
}

/// How often it is tried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Drills {
    /// Restoring the data beside the living.
    pub restore: Days,
    /// All of it, in the other region, with the times measured.
    pub full: Days,
}

/// What one service or resource is to be had again by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Aim {
    /// The longest that it may be gone.
    pub rto: Option<Duration>,
    /// The longest time whose data may be lost.
    pub rpo: Option<Duration>,
}

pub(crate) const FIELDS: &[Field] = &[
    Field {
        path: "recovery",
        of: EVERY,
        kind: Type::Table,
        doc: "What is to be had again after a disaster, how soon, and where. `landfall drill` tries it out.",
        default: Default::Absent("nothing is promised"),
        azure: &[],
        example: "{ region = \"northeurope\", rto = \"1h\", rpo = \"5m\" }",
    },
    Field {
        path: "recovery.region",
        of: EVERY,
        kind: Type::Text(&rules::REGION),
        doc: "The region that takes over: Azure's name of it.",
        default: Default::Required,
        azure: &["location"],
        example: "\"northeurope\"",
    },
    Field {
        path: "recovery.rto",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "The longest that the application may be gone (recovery time objective).",
        default: Default::Same("\"1h\"", "what one person can do by hand, with the commands at hand"),
        azure: &[],
        example: "\"30m\"",
    },
    Field {
        path: "recovery.rpo",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "The longest time whose data may be lost (recovery point objective).",
        default: Default::Same("\"1h\"", "how far copies in another region can lag behind"),
        azure: &[],
        example: "\"5m\"",
    },
    Field {
        path: "recovery.standby",
        of: EVERY,
        kind: Type::Choice(&[
            ("cold", "nothing: it is deployed when it is needed"),
            ("warm", "databases that follow, services at their least"),
            ("hot", "all of it, with part of the traffic"),
        ]),
        doc: "What waits in the other region.",
        default: Default::Same("\"cold\"", "what is not there costs nothing"),
        azure: &[],
        example: "\"warm\"",
    },
    Field {
        path: "recovery.traffic",
        of: EVERY,
        kind: Type::Choice(&[("manual", "somebody decides"), ("automatic", "the health checks decide")]),
        doc: "How the traffic gets to the other region.",
        default: Default::Same("\"manual\"", "data that was not copied yet is lost by it"),
        azure: &[],
        example: "\"automatic\"",
    },
    Field {
        path: "recovery.backups",
        of: EVERY,
        kind: Type::Table,
        doc: "What is kept of the data, for every database that does not say so itself.",
        default: Default::Fields("the defaults of its fields"),
        azure: &[],
        example: "{ keep = \"35d\", geo = true }",
    },
    Field {
        path: "recovery.backups.keep",
        of: EVERY,
        kind: Type::Days { min: 7, max: 35 },
        doc: "How far back a database can be restored.",
        default: Default::Tiers(["\"7d\"", "\"7d\"", "\"35d\""], "a mistake is often found late"),
        azure: &["flexibleServers.properties.backup.backupRetentionDays"],
        example: "\"35d\"",
    },
    Field {
        path: "recovery.backups.geo",
        of: EVERY,
        kind: Type::Boolean,
        doc: "Whether copies lie in the paired region.",
        default: Default::Tiers(
            ["false", "false", "true"],
            "without, nothing is left when the region is gone",
        ),
        azure: &["flexibleServers.properties.backup.geoRedundantBackup"],
        example: "true",
    },
    Field {
        path: "recovery.drills",
        of: EVERY,
        kind: Type::Table,
        doc: "How often it is tried out. A drill that is due is said by `landfall status`.",
        default: Default::Fields("the defaults of its fields"),
        azure: &[],
        example: "{ restore = \"30d\", full = \"90d\" }",
    },
    Field {
        path: "recovery.drills.restore",
        of: EVERY,
        kind: Type::Days { min: 1, max: 366 },
        doc: "Restoring the data beside the living.",
        default: Default::Same("\"30d\"", "a backup that was never restored is none"),
        azure: &[],
        example: "\"30d\"",
    },
    Field {
        path: "recovery.drills.full",
        of: EVERY,
        kind: Type::Days { min: 1, max: 366 },
        doc: "All of it, in the other region, with the times measured against `rto` and `rpo`.",
        default: Default::Same("\"90d\"", "once a quarter"),
        azure: &[],
        example: "\"90d\"",
    },
    Field {
        path: "recovery.aim",
        of: EVERY,
        kind: Type::Named(&rules::RESOURCE),
        doc: "Services and resources whose aims differ, each under its name.",
        default: Default::Absent("all are to be had again by the same time"),
        azure: &[],
        example: "",
    },
    Field {
        path: "recovery.aim.*",
        of: EVERY,
        kind: Type::Table,
        doc: "What one service or resource is to be had again by.",
        default: Default::Absent("as all the others"),
        azure: &[],
        example: "",
    },
    Field {
        path: "recovery.aim.*.rto",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "The longest that it may be gone.",
        default: Default::Absent("`recovery.rto`"),
        azure: &[],
        example: "\"5m\"",
    },
    Field {
        path: "recovery.aim.*.rpo",
        of: EVERY,
        kind: Type::Text(&rules::DURATION),
        doc: "The longest time whose data may be lost.",
        default: Default::Absent("`recovery.rpo`"),
        azure: &[],
        example: "\"24h\"",
    },
    Field {
        path: "recovery.contacts",
        of: EVERY,
        kind: Type::List(&Type::Text(&rules::ANY)),
        doc: "Who is told when it begins, and of every drill.",
        default: Default::Absent("every `[contact.NAME]`"),
        azure: &[],
        example: "[\"ops\"]",
    },
];

pub(crate) fn check(sense: &mut Sense<'_>) {
    let Some(node) = sense.root.get("recovery") else { return };
    let Some(recovery) = node.table() else { return };
    let Some(region) = recovery.get("region") else {
        return sense.missing(
            &node.key,
            "`recovery` does not say which region takes over",
            "such as `region = \"northeurope\"`",
        );
    };
    let home = sense.root.get("region");
    if let (Some(home), Some(name)) = (home, region.text())
        && home.text() == Some(name)
    {
        let diagnostic = sense
            .problem(codes::RECOVERY, &region.span, "the region that takes over is the one that is gone")
            .related(home.span.clone(), "where everything runs")
            .help("choose another one: best the paired region, whose repair comes first");
        sense.report(diagnostic);
    }
    if let (Some(switch), Some("cold")) =
        (recovery.get("traffic"), recovery.get("standby").and_then(Node::text))
        && switch.text() == Some("automatic")
    {
        let diagnostic = sense
            .problem(codes::RECOVERY, &switch.span, "there is nothing that the traffic could go to by itself")
            .help("write `standby = \"warm\"` or \"hot\", or leave `traffic` to somebody: \"manual\"");
        sense.report(diagnostic);
    }
    for (name, node) in recovery.get("aim").and_then(Node::table).into_iter().flatten() {
        let known = |key: &str| names(sense.root, key).any(|known| known == name);
        if !known("service") && !known("resource") && !sense.lost {
            let all = names(sense.root, "service").chain(names(sense.root, "resource"));
            let help = suggest::or_all(name, all);
            let message = format!("there is neither a service nor a resource `{}`", rules::short(name));
            let diagnostic = sense.problem(codes::DANGLING, &node.key, message).maybe_help(help);
            sense.report(diagnostic);
        }
    }
    contacts(sense, recovery);
}

fn contacts(sense: &mut Sense<'_>, recovery: &Table) {
    for node in recovery.get("contacts").and_then(Node::list).unwrap_or_default() {
        crate::watch::contact::known(sense, node);
    }
}
