//! What holds for any text: no panic, places within the text, and an App exactly when there is no error.

use landfall_manifest::{Diagnostic, NewApp, NewService, load, render, show, write_new};
use proptest::prelude::*;

const EVERYTHING: &str = include_str!("fixtures/fine-everything.toml");
const MISTAKES: &str = include_str!("fixtures/twenty.toml");
const SYNTAX: &str = include_str!("fixtures/syntax.toml");

/// What must hold for every text.
fn holds(text: &str, environment: Option<&str>) {
    let loaded = load("landfall.toml", text, environment);
    let has_error = loaded.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(loaded.app.is_none(), has_error, "{text:?}: {:#?}", loaded.diagnostics);
    for diagnostic in &loaded.diagnostics {
        place_is_right(text, diagnostic);
    }
    let rendered = render(&loaded.diagnostics, text, false);
    assert_eq!(rendered.is_empty(), loaded.diagnostics.is_empty());
    if let Some(app) = loaded.app {
        // What is shown is itself a manifest, and says the same.
        let shown = show::text(&app);
        let again = load("landfall.toml", &shown, environment);
        let again = again.app.unwrap_or_else(|| panic!("{shown}\n{:#?}", again.diagnostics));
        assert_eq!(again.services, app.services);
        assert_eq!(again.resources, app.resources);
        assert_eq!((again.insights, again.alerts, again.contacts), (app.insights, app.alerts, app.contacts));
        assert_eq!((again.budget, again.usage, again.release), (app.budget, app.usage, app.release));
        assert_eq!((again.recovery, again.standard), (app.recovery, app.standard));
        assert_eq!((again.tags, again.naming, again.region), (app.tags, app.naming, app.region));
    }
}

fn place_is_right(text: &str, diagnostic: &Diagnostic) {
    let span = diagnostic.span.clone();
    let underlined = text.get(span.clone()).expect("a span lies within the text, on character boundaries");
    assert!(!underlined.contains('\n'), "{diagnostic:?}");
    let before = &text[..span.start];
    assert_eq!(diagnostic.line, before.matches('\n').count() + 1);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    assert_eq!(diagnostic.column, before[line_start..].chars().count() + 1);
    assert_eq!(diagnostic.length, underlined.chars().count().max(1));
    assert!(!diagnostic.message.is_empty() && !diagnostic.message.ends_with('.'), "{diagnostic:?}");
}

/// A text with some of its pieces cut, doubled, moved or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (
        0.0..1.0f64,
        0..40usize,
        prop_oneof![
            Just(String::new()),
            "[\\[\\]{}=\",.'#\\\\\n$ ]{1,3}",
            "\\PC{0,4}",
            Just("[service.web]\n".to_owned()),
            Just("\"\"\"".to_owned()),
            Just("${".to_owned()),
            Just("99999999999999999999".to_owned()),
            Just("2026-01-01".to_owned()),
            Just("nan".to_owned()),
            Just("a.".repeat(50)),
            Just("[".repeat(200)),
        ],
    );
    let text = prop_oneof![Just(EVERYTHING), Just(MISTAKES), Just(SYNTAX)];
    (text, prop::collection::vec(edit, 1..6)).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, cut, insert) in edits {
            let start = (at * chars.len() as f64) as usize;
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, insert.chars());
        }
        chars.into_iter().collect()
    })
}

/// Lines of a manifest in any order, so that tables and keys meet that were not made for each other.
fn shuffled() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = EVERYTHING.lines().chain(MISTAKES.lines()).collect();
    prop::collection::vec(prop::sample::select(lines), 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        holds(&text, None);
    }

    #[test]
    fn any_lines(text in "([a-z\\[\\]{}=\",.'#\\\\$ \u{e9}\u{1F600}\r\t\n0-9]{0,12}\n){0,12}") {
        holds(&text, None);
    }

    #[test]
    fn mutated_manifests(text in mutated(), environment in prop::option::of("prod|test|dev|x")) {
        holds(&text, environment.as_deref());
    }

    #[test]
    fn shuffled_manifests(text in shuffled(), environment in prop::option::of("prod|test|dev|x")) {
        holds(&text, environment.as_deref());
    }

    #[test]
    fn new_manifests_have_no_diagnostics(
        name in "\\PC{0,40}",
        region in prop::option::of("westeurope|\\PC{0,10}"),
        services in prop::collection::vec(
            ("\\PC{0,30}", "\\PC{0,10}|\\.|api/web", any::<Option<u16>>(), prop::option::of(prop::collection::vec("\\PC{0,8}", 0..4)), "(\\PC|\n){0,20}", prop::collection::vec("[A-Z_]{0,8}|\\PC{0,5}", 0..3)),
            0..5,
        ),
        notes in prop::collection::vec("(\\PC|\n|\r){0,20}", 0..3),
    ) {
        let services = services.into_iter().map(|(name, source, port, command, kind, variables)| NewService {
            name, source, port, command, kind, variables, ..NewService::default()
        });
        let new = NewApp { name, region, services: services.collect(), notes, ..NewApp::default() };
        let text = write_new(&new);
        let loaded = load("landfall.toml", &text, None);
        prop_assert!(loaded.diagnostics.is_empty(), "{}\n{}", text, render(&loaded.diagnostics, &text, false));
        let app = loaded.app.expect("a manifest without diagnostics gives an App");
        prop_assert_eq!(app.services.len(), new.services.len());
    }
}

#[test]
fn texts_made_to_hurt() {
    let texts = [
        "\u{feff}app = \"x\"\n".to_owned(),
        "app = \"x\"\r\nregion = \"westeuro\"\r\n".to_owned(),
        "app = \"x\"\rregion".to_owned(),
        format!("{} = 1\n", "a.".repeat(100_000) + "a"),
        "a.".repeat(30) + "a = 1\n",
        format!("[{}a]\n", "a.".repeat(31)),
        format!("x = {}1{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("x = {}\n", "{ a = ".repeat(10_000)),
        format!(
            "[resource.x]\ntype = \"storage\"\nbody = {}1{}\n",
            "{ a.b.c.d.e.f.g.h = ".repeat(70),
            " }".repeat(70)
        ),
        "[[service]]\n[[service.web]]\n[service.web.x]\n".to_owned(),
        "service = [1]\nresource = [[]]\nenvironment = 3\n".to_owned(),
        "[environment]\nprod = 1\n[environment.dev]\nservice = 1\nresource.x = 2\n".to_owned(),
        "a = 1\n[a.b]\n[a.b.c]\n[[a]]\n[a]\n".to_owned(),
        "x = \"".repeat(5_000),
        "=\n".repeat(2_000),
        "a \n".repeat(2_000),
        "[x\n".repeat(500),
        "x = {a=1 b=2 c=3\n".repeat(300),
        "\0\u{7f}\u{1b}[31m = \"\u{1b}\"\n".to_owned(),
        "z".repeat(2 * 1024 * 1024),
        (0..5_000).map(|i| format!("k{i} = x\n")).collect(),
        (0..5_000).map(|i| format!("k{i} = 1\n")).collect(),
        (0..1_000).map(|i| format!("[service.s{i}]\nuses = {{ nothing = \"read\" }}\n")).collect(),
        (0..200).map(|i| format!("[environment.e{i}]\nservice.s{i}.port = 0\n")).collect(),
    ];
    for text in texts {
        holds(&text, None);
    }
}
