//! From text to App, step by step; every step reports all it finds.

use crate::app::{App, Tier};
use crate::build;
use crate::codes;
use crate::diagnostic::{Diagnostic, Place, line_starts};
use crate::resolve;
use crate::sense;
use crate::shape;
use crate::suggest;
use crate::tree::{self, Node, Table};

/// What became of a manifest.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The App, when there is no error.
    pub app: Option<App>,
    /// Every problem, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Most diagnostics that are given. Nobody reads more, and a file with more is not a manifest.
const DIAGNOSTICS_MAX: usize = 1000;

/// The environment when none is named: the cheapest to make a mistake in.
const USUAL_ENVIRONMENT: &str = "dev";

/// The App that `text` describes in `environment` (`dev` when none is named), or everything that is wrong with it.
///
/// Mistakes of *all* environments are reported, not only of the one asked for: what would break production is told
/// while working in `dev`. `file` is only for messages; nothing is read.
pub fn load(file: &str, text: &str, environment: Option<&str>) -> Loaded {
    let lines = line_starts(text);
    let place = Place { file, text, lines: &lines };
    let read = tree::read(&place);
    let (mut base, mut diagnostics, lost) = (read.root, read.diagnostics, read.lost);
    diagnostics.extend(shape::check(place, &mut base));

    let asked = environment.unwrap_or(USUAL_ENVIRONMENT);
    let mut environments = take_environments(place, &mut base, lost, &mut diagnostics);
    if !environments.iter().any(|environment| environment.name == asked) {
        environments.extend(undeclared(place, asked, &environments, &mut diagnostics));
    }

    let mut app = None;
    for environment in &environments {
        let mut root = base.clone();
        resolve::merge(&mut root, &environment.overlay);
        diagnostics.extend(changed_types(place, &base, &environment.overlay));
        resolve::fill(&mut root, environment.tier);
        let found = sense::check(place, &root, lost);
        let is_asked = environment.name == asked;
        // What only another environment would warn about is told when working there.
        diagnostics.extend(found.into_iter().filter(|diagnostic| is_asked || diagnostic.is_error()));
        if is_asked && !diagnostics.iter().any(Diagnostic::is_error) {
            let built = build::build(place, &root, environment);
            debug_assert!(
                built.is_ok(),
                "a manifest without errors gives an App: {:?}",
                built.as_ref().err()
            );
            app = built.ok();
        }
    }

    diagnostics.sort_by(|a, b| (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message)));
    // Most mistakes show in every environment alike.
    diagnostics.dedup_by(|a, b| (a.code, &a.span, &a.message) == (b.code, &b.span, &b.message));
    if diagnostics.iter().any(Diagnostic::is_error) {
        app = None;
    }
    diagnostics.truncate(DIAGNOSTICS_MAX);
    Loaded { app, diagnostics }
}

/// One environment to look at.
pub(crate) struct Environment {
    pub name: String,
    pub tier: Tier,
    /// `tier` and `subscription`, where somebody wrote them.
    pub own: Table,
    /// What is merged over the base.
    pub overlay: Table,
}

/// Takes the declared environments out of the base.
fn take_environments(
    place: Place<'_>,
    base: &mut Table,
    lost: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Environment> {
    let declared = base.remove("environment");
    let declared = declared.as_ref().and_then(Node::table).into_iter().flatten();
    let mut environments: Vec<Environment> = Vec::new();
    for (name, node) in declared {
        let mut overlay = node.table().cloned().unwrap_or_default();
        overlay.values_mut().for_each(|node| node.lay(name));
        let own: Table =
            ["tier", "subscription"].iter().filter_map(|key| overlay.remove_entry(*key)).collect();
        let tier = match own.get("tier") {
            Some(node) => node.text().and_then(Tier::from_word),
            None => Tier::from_word(name),
        };
        if !own.contains_key("tier") && tier.is_none() && !lost && node.table().is_some() {
            let diagnostic = place
                .problem(codes::MISSING, node.key.clone(), format!("environment `{}` has no `tier`", crate::rules::short(name)))
                .help("write `tier = \"dev\"`, \"staging\" or \"prod\": it decides how careful the defaults are");
            diagnostics.push(diagnostic);
        }
        environments.push(Environment { name: name.clone(), tier: tier.unwrap_or(Tier::Dev), own, overlay });
    }
    environments
}

/// An environment that the manifest does not declare: right for the usual ones, a mistake otherwise.
fn undeclared(
    place: Place<'_>,
    asked: &str,
    declared: &[Environment],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Environment> {
    let tier = Tier::from_word(asked);
    let is_usual = asked == USUAL_ENVIRONMENT || (declared.is_empty() && tier.is_some());
    if !is_usual {
        let usual: Vec<&str> = match declared {
            [] => Tier::ALL.map(Tier::as_str).into(),
            _ => vec![USUAL_ENVIRONMENT],
        };
        let mut known: Vec<&str> = declared.iter().map(|environment| environment.name.as_str()).collect();
        known.extend(usual);
        let span = place.text.find("[environment").map_or(0..0, |start| {
            start..place.text[start..].find(']').map_or(start + 12, |end| start + end + 1)
        });
        let message = format!("the manifest has no environment `{}`", crate::rules::short(asked));
        let help = suggest::or_all(asked, known.iter().copied());
        diagnostics.push(place.problem(codes::ENVIRONMENT, span, message).maybe_help(help));
    }
    // The base alone is judged only where it is meant to stand alone.
    let judged = is_usual || declared.is_empty();
    judged.then(|| Environment {
        name: asked.to_owned(),
        tier: tier.unwrap_or(Tier::Dev),
        own: Table::new(),
        overlay: Table::new(),
    })
}

/// Resources whose type the overlay changes.
fn changed_types(place: Place<'_>, base: &Table, overlay: &Table) -> Vec<Diagnostic> {
    let kind = |root: &Table, name: &str| {
        let node = root.get("resource")?.table()?.get(name)?.table()?.get("type")?.clone();
        node.text().is_some().then_some(node)
    };
    let names = overlay.get("resource").and_then(Node::table).into_iter().flat_map(Table::keys);
    let changed = names.filter_map(|name| {
        let (before, after) = (kind(base, name)?, kind(overlay, name)?);
        (before.text() != after.text()).then(|| {
            place
                .problem(
                    codes::TYPE_CHANGED,
                    after.span.clone(),
                    format!("`{name}` has another type in the base"),
                )
                .related(before.span.clone(), "its type")
                .help("give the other resource a name of its own")
        })
    });
    changed.collect()
}
