//! What people and programs read, as snapshots.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads its fixtures")]

use landfall_manifest::{
    Access, App, Cpu, Diagnostic, Host, Loaded, Memory, NewApp, NewService, Piece, Reference, Scale, Source,
    Tier, codes, explain, load, render, schema, show, write_new,
};

const EVERYTHING: &str = include_str!("fixtures/fine-everything.toml");
const HELLO: &str = include_str!("fixtures/fine.toml");

/// A fixture without its markers.
fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let is_marker =
        |line: &str| line.starts_with("# ^") || line.trim_start_matches(['#', ' ']).starts_with(['^', 'h']);
    text.split_inclusive('\n').filter(|line| !(line.starts_with('#') && is_marker(line))).collect()
}

fn app(text: &str, environment: Option<&str>) -> App {
    let Loaded { app, diagnostics } = load("landfall.toml", text, environment);
    app.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

#[test]
fn twenty_mistakes_rendered() {
    let text = fixture("twenty");
    let loaded = load("landfall.toml", &text, None);
    assert_eq!(loaded.diagnostics.len(), 20);
    insta::assert_snapshot!(render(&loaded.diagnostics, &text, false));
}

#[test]
fn two_places_and_a_warning_rendered() {
    let text = "app = \"hello\"\nregion = \"westeurope\"\n\n[service.web]\nsource = \".\"\ncpu = 0.5\nmemory = \"2Gi\"\n\n[resource.store]\ntype = \"storage\"\n\n[resource.keys]\ntype = \"vault\"\n[resource.more]\ntype = \"vault\"\n";
    insta::assert_snapshot!(render(&load("landfall.toml", text, None).diagnostics, text, false));
}

#[test]
fn an_empty_file_and_color_rendered() {
    let diagnostics = load("landfall.toml", "", None).diagnostics;
    insta::assert_snapshot!(render(&diagnostics, "", false));
    let colored = render(&diagnostics, "", true);
    assert!(colored.contains("\u{1b}["), "{colored:?}");
}

#[test]
fn a_diagnostic_as_json() {
    let text = "app = \"hello\"\nregion = \"westeurope\"\nöl = \"ü\"\n\n  [service.web]\n  source = \".\"\n  prot = 8000\n";
    let diagnostics = load("landfall.toml", text, None).diagnostics;
    let last = diagnostics.last().expect("`prot` is a mistake");
    assert_eq!(
        serde_json::to_string(last).unwrap(),
        r#"{"code":"LF1003","severity":"error","message":"a service has no key `prot`","file":"landfall.toml","line":7,"column":3,"length":4,"help":"did you mean `port`?"}"#
    );
    // Columns and lengths count characters, not bytes.
    let text = "app = \"hello\"\nregion = \"westeurope\"\nservice.\"ü\" = { source = \".\", prot = 1 }\n";
    let places: Vec<(usize, usize, usize)> =
        load("landfall.toml", text, None).diagnostics.iter().map(|d| (d.line, d.column, d.length)).collect();
    assert_eq!(places, [(3, 9, 3), (3, 31, 4)]);
}

#[test]
fn eight_lines_shown_in_each_tier() {
    insta::assert_snapshot!("hello_dev", show::text(&app(HELLO, None)));
    insta::assert_snapshot!("hello_prod", show::text(&app(HELLO, Some("prod"))));
}

#[test]
fn everything_shown_with_its_overlay() {
    insta::assert_snapshot!(show::text(&app(EVERYTHING, Some("prod"))));
    let shown = show::values(&app(EVERYTHING, Some("test")));
    let find = |path: &str| {
        shown.iter().find(|shown| shown.path == path).map(|s| (s.value.as_str(), s.origin.as_str()))
    };
    let header = EVERYTHING.lines().position(|line| line.trim() == "[environment.test]").unwrap() + 1;
    let at = |below: usize| format!("landfall.toml:{}, environment test", header + below);
    assert_eq!(find("region"), Some(("\"westeurope\"", at(2).as_str())));
    assert_eq!(find("environment.test.tier"), Some(("\"staging\"", at(1).as_str())));
    assert_eq!(
        find("service.clock.memory"),
        Some(("\"1Gi\"", "default for staging: what Azure pairs with the cpu"))
    );
}

#[test]
fn what_is_shown_is_a_manifest_that_says_the_same() {
    for environment in ["prod", "test", "dev"] {
        let before = app(EVERYTHING, Some(environment));
        let after = app(&show::text(&before), Some(environment));
        assert_eq!(App { origins: before.origins.clone(), ..after }, before, "in {environment}");
    }
}

#[test]
fn eight_lines_are_a_whole_app() {
    let app = app(HELLO, None);
    assert_eq!((app.name.as_str(), app.environment.as_str(), app.tier), ("hello", "dev", Tier::Dev));
    assert_eq!(app.naming, "{type}-{app}-{env}-{region}");
    let web = &app.services["web"];
    assert_eq!(
        (&web.host, &web.source, web.port),
        (&Host::default(), &Source::Folder(".".into()), Some(8000))
    );
    assert_eq!((web.cpu, web.memory), (Some(Cpu { millicores: 250 }), Some(Memory { mebibytes: 512 })));
    let scale = Scale { min: 0, max: 3, http: Some(100), ..Scale::default() };
    assert_eq!(web.scale, Some(scale));
    assert!(web.ingress.as_ref().is_some_and(|ingress| ingress.public));
}

#[test]
fn overlays_replace_lists_and_values_and_merge_tables() {
    let prod = app(EVERYTHING, Some("prod"));
    let api = &prod.services["api"];
    assert_eq!((api.cpu, api.memory), (Some(Cpu { millicores: 2000 }), Some(Memory { mebibytes: 4096 })));
    assert_eq!(
        api.secrets.keys().collect::<Vec<_>>(),
        ["DATABASE_URL"],
        "the overlay says the other one plainly"
    );
    assert_eq!(api.env["LOG_LEVEL"].to_string(), "WARNING");
    let store = Reference::ResourceAttribute { resource: "store".into(), attribute: "endpoint".into() };
    assert_eq!(api.env["STORE"].0, [Piece::Reference(store)]);
    assert_eq!(api.uses["store"], Access::Write.into());
    assert_eq!(prod.subscription.as_deref(), Some("00000000-0000-0000-0000-000000000001"));
    let clock = &prod.services["clock"];
    assert_eq!(clock.scale.as_ref().map(|scale| (scale.min, scale.max)), Some((1, 1)));
    assert!(clock.ingress.is_none());
    let worker = app(EVERYTHING, None).services["worker"].scale.clone();
    assert_eq!(worker.as_ref().map(|scale| (scale.min, scale.max)), Some((1, 5)));
}

#[test]
fn a_path_leads_to_its_place() {
    let app = app(EVERYTHING, Some("prod"));
    let at = |path: &str| app.origins.span(path).map(|span| &EVERYTHING[span]);
    assert_eq!(at("service.api.cpu"), Some("2"));
    assert_eq!(at("service.api.uses.store"), Some("\"write\""));
    assert_eq!(at("service.worker"), Some("worker"));
    assert_eq!(at("service.worker.cpu"), Some("worker"), "a default leads to what it is a default of");
    assert_eq!(at("nothing.of.this"), None);
    let problem = Diagnostic::at(
        &app,
        "landfall.toml",
        EVERYTHING,
        "service.worker.memory",
        codes::BODY,
        "too much".into(),
    );
    assert_eq!((problem.line, problem.length), (22, 6));
}

#[test]
fn a_new_manifest() {
    let new = NewApp {
        name: "My Shop".into(),
        region: None,
        services: vec![
            NewService {
                name: "web".into(),
                source: ".".into(),
                port: Some(8000),
                kind: "Python 3.13, FastAPI".into(),
                variables: vec!["DATABASE_URL".into(), "LOG_LEVEL".into()],
                ..NewService::default()
            },
            NewService {
                name: "web".into(),
                source: "jobs".into(),
                command: Some(vec!["python".into(), "-m".into(), "jobs".into()]),
                kind: "Python 3.13, script".into(),
                ..NewService::default()
            },
        ],
        notes: vec!["docker-compose.yml: service `db` is a database; databases are not supported yet".into()],
        ..NewApp::default()
    };
    let text = write_new(&new);
    insta::assert_snapshot!(text);
    assert_eq!(app(&text, None).services.keys().collect::<Vec<_>>(), ["web", "web-2"]);
    insta::assert_snapshot!("a_new_manifest_of_nothing", write_new(&NewApp::default()));
}

#[test]
fn fields_explained() {
    for path in [
        "",
        "service.web",
        "service.web.scale",
        "service.*.scale.min",
        "resource.vault",
        "resource.x.soft_delete",
        "resource.storage.lifecycle.cool",
        "environment.prod.service.web.host",
        "environment.prod",
        "service.web.env.LOG_LEVEL",
        "LF1016",
    ] {
        let name = format!("explain {}", if path.is_empty() { "nothing" } else { path })
            .replace(['.', '*', ' '], "_");
        insta::assert_snapshot!(name, explain(path).unwrap());
    }
}

#[test]
fn what_cannot_be_explained_leads_to_what_can() {
    let suggestion = |path: &str| explain(path).unwrap_err().suggestion;
    assert_eq!(suggestion("service.web.scal").as_deref(), Some("service.web.scale"));
    assert_eq!(suggestion("service.web.scale.mni").as_deref(), Some("service.web.scale.min"));
    assert_eq!(suggestion("servce.web.scale").as_deref(), Some("service.web.scale"));
    assert_eq!(suggestion("affinity").as_deref(), Some("service.NAME.ingress.affinity"));
    assert_eq!(suggestion("xyzzy"), None);
}

#[test]
fn the_json_schema() {
    insta::assert_json_snapshot!(schema());
}

#[test]
fn every_code_has_a_page_that_explain_finds() {
    for code in codes::ALL {
        assert!(explain(&code.id.to_lowercase()).is_ok_and(|page| page.contains(code.page)), "{}", code.id);
    }
}
