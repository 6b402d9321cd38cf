//! What holds for any files: no panic, a manifest that loads, and no planted secret anywhere.

use landfall_import::{File, Format, import, wanted};
use proptest::prelude::*;

/// What every secret of these tests has in it.
const PLANTED: &str = "planted";

fn formats() -> impl Strategy<Value = (Format, &'static str, &'static str)> {
    prop_oneof![
        Just((Format::Compose, "compose.yaml", include_str!("fixtures/compose-shop/docker-compose.yml"))),
        Just((Format::Compose, "compose.yaml", include_str!("fixtures/compose-forms/compose.yaml"))),
        Just((Format::Azd, "azure.yaml", include_str!("fixtures/azd-composed/azure.yaml"))),
        Just((Format::Azd, "azure.yaml", include_str!("fixtures/azd-todo/azure.yaml"))),
        Just((Format::Fly, "fly.toml", include_str!("fixtures/fly/fly.toml"))),
        Just((Format::Procfile, "Procfile", include_str!("fixtures/procfile/Procfile"))),
        Just((
            Format::Server,
            "x.service",
            include_str!("fixtures/server/etc/systemd/system/chatbot-api.service")
        )),
        Just((
            Format::Server,
            "x.timer",
            include_str!("fixtures/server/etc/systemd/system/chatbot-report.timer")
        )),
        Just((
            Format::Server,
            "nginx.conf",
            include_str!("fixtures/server/etc/nginx/sites-available/chatbot")
        )),
        Just((Format::Server, "crontab", include_str!("fixtures/server/etc/cron.d/chatbot"))),
    ]
}

const VARIABLES: &str = include_str!("fixtures/server/opt/chatbot/.env");
const UNIT: &str = "[Service]\nExecStart=/srv/app --port 3000\n";

/// What must hold for every text.
fn holds(format: Format, path: &str, text: &str, may_hide: bool) {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let mut files = vec![file(path, text), file(".env", VARIABLES), file("web/Dockerfile", text)];
    if format == Format::Server {
        files.push(file("app.service", UNIT));
    }
    for path in wanted(format, &files) {
        assert!(!path.contains("//"), "{path}");
    }
    match import(format, "x", &files) {
        Ok(imported) => {
            let text = landfall_manifest::write_new(&imported.app);
            let loaded = landfall_manifest::load("landfall.toml", &text, None);
            let rendered = landfall_manifest::render(&loaded.diagnostics, &text, false);
            assert!(loaded.app.is_some(), "{text}\n{rendered}");
            let said = format!("{:?}{:?}", imported.remarks, imported.secrets);
            if !may_hide {
                return;
            }
            assert!(!text.contains(PLANTED), "{text}");
            assert!(!said.contains(PLANTED), "{said}");
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && !problem.message.is_empty(), "{problem:?}");
                assert!(!may_hide || !problem.message.contains(PLANTED), "{problem:?}");
            }
        }
    }
}

/// A text with some of its pieces cut, doubled, moved or replaced.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (
        0.0..1.0f64,
        0..40usize,
        prop_oneof![
            Just(String::new()),
            "[\\[\\]{}=\",.:;'#\\\\\n$&*<!%|> -]{1,4}",
            "\\PC{0,4}",
            Just("${".to_owned()),
            Just("99999999999999999999".to_owned()),
            Just("- ".repeat(60)),
            Just("{".repeat(60)),
            Just("\n  x: &x\n    <<: *x\n".to_owned()),
        ],
    );
    prop::collection::vec(edit, 0..6).prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, cut, insert) in edits {
            let start = (at * chars.len() as f64) as usize;
            let end = (start + cut).min(chars.len());
            chars.splice(start..end, insert.chars());
        }
        chars.into_iter().collect()
    })
}

/// Lines of a file in any order.
fn shuffled(text: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = text.lines().collect();
    prop::collection::vec(prop::sample::select(lines), 0..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    // A cut may separate a secret from the name that tells it; that it is then seen is no fault. What must hold is that
    // nothing panics and every manifest loads.
    #[test]
    fn mutated_files((format, path, text) in formats().prop_flat_map(|(format, path, text)| (Just(format), Just(path), mutated(text)))) {
        holds(format, path, &text, false);
    }

    #[test]
    fn shuffled_files((format, path, text) in formats().prop_flat_map(|(format, path, text)| (Just(format), Just(path), shuffled(text)))) {
        holds(format, path, &text, false);
    }

    #[test]
    fn any_text((format, path, _) in formats(), text in "(\\PC|\n){0,200}") {
        holds(format, path, &text, true);
    }

    /// A secret by its name stays hidden, whatever its value looks like and wherever a format has variables.
    #[test]
    fn secrets_by_name(
        prefix in "[A-Z]{0,6}_?",
        word in prop::sample::select(vec!["PASSWORD", "TOKEN", "API_KEY", "SECRET", "CONNECTION_STRING", "DSN"]),
        suffix in "(_[A-Z]{1,5})?",
        value in "[a-z ./:@#=-]{0,12}",
    ) {
        let name = format!("{prefix}{word}{suffix}");
        let value = format!("{PLANTED}{value}");
        let texts = [
            (Format::Compose, "compose.yaml", format!("services:\n  a:\n    image: x/y:1\n    environment:\n      {name}: '{value}'\n      OTHER: 'pre ${{{name}:-{value}}}'\n    command: run --{name}='{value}'\n    healthcheck:\n      test: curl http://localhost/?{name}='{value}'\n")),
            (Format::Azd, "azure.yaml", format!("services:\n  a:\n    project: a\n    env:\n      {name}: '{value}'\n")),
            (Format::Fly, "fly.toml", format!("[env]\n{name} = '{value}'\n[http_service]\ninternal_port = 1\n")),
            (Format::Procfile, "Procfile", format!("web: x --{name}='{value}'\nb: {name}='{value}' run\n")),
            (Format::Server, "a.service", format!("[Service]\nEnvironment='{name}={value}'\nExecStart=/a --{name} '{value}'\n")),
            (Format::Server, "crontab", format!("{name}={value}\n* * * * * x --{name}='{value}'\n")),
            (Format::Server, ".env", format!("{name}={value}\n")),
        ];
        for (format, path, text) in texts {
            holds(format, path, &text, true);
        }
    }
}

#[test]
fn files_made_to_hurt() {
    let long = "x".repeat(landfall_import::FILE_MAX + 1);
    let problems =
        import(Format::Compose, "x", &[File { path: "compose.yaml".into(), text: long }]).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let many: Vec<File> =
        (0..300).map(|n| File { path: format!("{n}.service"), text: String::new() }).collect();
    assert!(import(Format::Server, "x", &many).is_err());
    let wide: String = (0..50_000).map(|n| format!("k{n}: 1\n")).collect();
    let texts = [
        (Format::Compose, "compose.yaml", format!("services:\n  a: &a\n    <<: *a\n{wide}")),
        (Format::Compose, "compose.yaml", wide.clone()),
        (
            Format::Compose,
            "compose.yaml",
            (0..800)
                .map(|n| format!("  s{n}: {{image: 'x/y:1'}}\n"))
                .fold("services:\n".to_owned(), |all, line| all + &line),
        ),
        (Format::Compose, "compose.yaml", "services:\n  a: {extends: b}\n  b: {extends: a}\n".to_owned()),
        (
            Format::Compose,
            "compose.yaml",
            "include: [compose.yaml]\nservices: {a: {image: 'x/y:1'}}\n".to_owned(),
        ),
        (
            Format::Compose,
            "compose.yaml",
            format!("services:\n  a:\n    image: \"{}\"\n", "${A:-".repeat(5_000)),
        ),
        (Format::Azd, "azure.yaml", "services: [1]\nresources: x\n".to_owned()),
        (Format::Fly, "fly.toml", format!("a = {}\n", "[".repeat(50_000))),
        (Format::Fly, "fly.toml", "env = 1\nservices = 2\nvm = 'x'\nprocesses = []\n".to_owned()),
        (Format::Server, "nginx.conf", "a {".repeat(50_000)),
        (
            Format::Server,
            "nginx.conf",
            "upstream a { server a; }\nserver { location / { proxy_pass http://a; } }\n".to_owned(),
        ),
        (Format::Server, "a.service", "[Service]\nExecStart=a \\\n".repeat(5_000)),
        (Format::Procfile, "Procfile", "web: a\n".repeat(3_000)),
    ];
    for (format, path, text) in texts {
        holds(format, path, &text, true);
    }
}
