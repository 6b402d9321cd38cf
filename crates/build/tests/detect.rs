//! What small projects of every known kind are taken for, and why.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as expected")]

use landfall_build::{Application, Kind, detect};

/// Detects a project of the given files.
fn found(files: &[(&str, &str)]) -> Vec<Application> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let found = detect(dir.path()).unwrap();
    for app in &found {
        assert_eq!(app.dir, dir.path());
        for fact in &app.evidence {
            let text = std::fs::read_to_string(dir.path().join(&fact.file)).unwrap();
            assert!(fact.line.is_none_or(|line| line >= 1 && line <= text.lines().count()), "{fact:?}");
        }
    }
    found
}

/// One line that says what the surest answer is.
fn check(files: &[(&str, &str)], expected: &str) {
    let apps = found(files);
    let app = apps.first().unwrap_or_else(|| panic!("nothing found, not {expected}"));
    let kind = match app.kind {
        Kind::Static => "static",
        Kind::Server => "server",
        Kind::Script => "script",
    };
    let or_none = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let start = app.start.as_ref().map_or("-".into(), |words| words.join(" "));
    let line = [
        app.language.clone(),
        or_none(&app.version),
        or_none(&app.framework),
        or_none(&app.package_manager),
        kind.into(),
        or_none(&app.output),
        start,
    ];
    assert_eq!(line.join(" | "), expected, "{:#?}", app.evidence);
}

fn package(json: &str) -> [(&str, &str); 1] {
    [("package.json", json)]
}

#[test]
fn rust() {
    let manifest = "[package]\nname = \"api\"\nrust-version = \"1.80\"\n[dependencies]\naxum = \"0.8\"\n";
    check(
        &[("Cargo.toml", manifest), ("src/main.rs", "")],
        "rust | 1.80 | axum | cargo | server | - | /app/api",
    );
    let bare = "[package]\nname = \"tool\"\n";
    check(&[("Cargo.toml", bare), ("src/main.rs", "")], "rust | - | - | cargo | script | - | /app/tool");
    let listens = "use std::net::TcpListener;\n";
    check(&[("Cargo.toml", bare), ("src/main.rs", listens)], "rust | - | - | cargo | server | - | /app/tool");
    let named = "[package]\nname = \"tool\"\n[[bin]]\nname = \"serve\"\npath = \"x.rs\"\n";
    let pinned = "[toolchain]\nchannel = \"1.84.0\"\n";
    check(
        &[("Cargo.toml", named), ("rust-toolchain.toml", pinned)],
        "rust | 1.84.0 | - | cargo | script | - | /app/serve",
    );
    assert!(found(&[("Cargo.toml", bare), ("src/lib.rs", "")]).is_empty(), "a library is no application");
}

#[test]
fn python() {
    let fastapi = [
        ("requirements.txt", "fastapi==0.115\nuvicorn\n"),
        ("main.py", "from fastapi import FastAPI\n\napi = FastAPI()\n"),
        (".python-version", "3.12\n"),
    ];
    check(
        &fastapi,
        "python | 3.12 | fastapi | pip | server | - | /bin/sh -c exec uvicorn main:api --host 0.0.0.0 --port ${PORT:-8000}",
    );
    let app = &found(&fastapi)[0];
    let says: Vec<_> =
        app.evidence.iter().map(|fact| (fact.file.as_str(), fact.line, fact.says.as_str())).collect();
    assert!(says.contains(&("requirements.txt", Some(1), "depends on fastapi")), "{says:?}");
    assert!(says.contains(&("main.py", Some(3), "makes the application object")), "{says:?}");
    assert!(says.contains(&(".python-version", Some(1), "asks for Python 3.12")), "{says:?}");

    check(
        &[("requirements.txt", "Flask\ngunicorn\n"), ("wsgi.py", "application = Flask(__name__)\n")],
        "python | - | flask | pip | server | - | /bin/sh -c exec gunicorn wsgi:application --bind 0.0.0.0:${PORT:-8000}",
    );
    check(
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"x\"\nrequires-python = \">=3.11\"\ndependencies = [\"django>=5\", \"gunicorn\"]\n",
            ),
            ("uv.lock", ""),
            ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"),
        ],
        "python | >=3.11 | django | uv | server | - | /bin/sh -c exec gunicorn shop.wsgi --bind 0.0.0.0:${PORT:-8000}",
    );
    check(
        &[("requirements.txt", "streamlit\n"), ("app.py", "")],
        "python | - | streamlit | pip | server | - | /bin/sh -c exec streamlit run app.py --server.port ${PORT:-8000} --server.address 0.0.0.0 --server.headless true",
    );
    check(
        &[("requirements.txt", "requests\n"), ("main.py", "")],
        "python | - | - | pip | script | - | python main.py",
    );
    check(
        &[
            ("requirements.txt", "flask\n"),
            ("Procfile", "web: gunicorn app:app --log-file -\n"),
            ("app.py", ""),
        ],
        "python | - | flask | pip | server | - | gunicorn app:app --log-file -",
    );
    check(
        &[("Pipfile", "[packages]\nbottle = \"*\"\n"), ("server.py", "")],
        "python | - | bottle | pipenv | server | - | python server.py",
    );
    assert!(
        found(&[("pyproject.toml", "[tool.black]\nline-length = 100\n")]).is_empty(),
        "settings are no project"
    );
}

#[test]
fn node_servers() {
    check(
        &package(
            r#"{"engines": {"node": ">=20"}, "scripts": {"start": "node server.js"}, "dependencies": {"express": "4"}}"#,
        ),
        "node | >=20 | express | npm | server | - | node server.js",
    );
    check(
        &package(
            r#"{"packageManager": "pnpm@9.1.0", "scripts": {"build": "nest build", "start": "nest start"}, "dependencies": {"@nestjs/core": "10", "express": "4"}}"#,
        ),
        "node | - | nest | pnpm | server | - | nest start",
    );
    check(
        &package(
            r#"{"scripts": {"build": "next build", "start": "next start -p $PORT"}, "dependencies": {"next": "15"}}"#,
        ),
        "node | - | next | npm | server | - | /bin/sh -c exec next start -p $PORT",
    );
    check(
        &package(
            r#"{"scripts": {"start": "node migrate.js && node server.js"}, "dependencies": {"koa": "2"}}"#,
        ),
        "node | - | koa | npm | server | - | /bin/sh -c node migrate.js && node server.js",
    );
    check(
        &[
            ("package.json", r#"{"main": "lib/main.js"}"#),
            ("lib/main.js", ""),
            (".nvmrc", "v20.11.0\n"),
            ("yarn.lock", ""),
        ],
        "node | 20.11.0 | - | yarn | server | - | node lib/main.js",
    );
    // A server that is built with a front-end tool is a server.
    check(
        &package(
            r#"{"scripts": {"build": "vite build", "start": "node server.js"}, "devDependencies": {"vite": "6"}}"#,
        ),
        "node | - | vite | npm | server | - | node server.js",
    );
    check(
        &package(
            r#"{"scripts": {"build": "astro build", "start": "node dist/server/entry.mjs"}, "dependencies": {"astro": "5", "@astrojs/node": "9"}}"#,
        ),
        "node | - | astro | npm | server | - | node dist/server/entry.mjs",
    );
}

#[test]
fn front_ends() {
    const SERVED: &str = "/usr/local/bin/landfall static --root /app/site";
    let expect = |framework: &str, output: &str| {
        format!("node | - | {framework} | npm | static | {output} | {SERVED}")
    };
    check(
        &package(r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}"#),
        &expect("vite", "dist"),
    );
    check(
        &package(
            r#"{"scripts": {"build": "tsc && vite build", "start": "vite"}, "devDependencies": {"vite": "6"}}"#,
        ),
        &expect("vite", "dist"),
    );
    let config = "import { defineConfig } from 'vite'\nexport default defineConfig({ build: { outDir: 'public/app' } })\n";
    check(
        &[
            ("package.json", r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "6"}}"#),
            ("vite.config.js", config),
        ],
        &expect("vite", "public/app"),
    );
    check(
        &package(
            r#"{"scripts": {"build": "react-scripts build", "start": "react-scripts start"}, "dependencies": {"react-scripts": "5"}}"#,
        ),
        &expect("create-react-app", "build"),
    );
    check(
        &package(r#"{"scripts": {"build": "astro build"}, "dependencies": {"astro": "5"}}"#),
        &expect("astro", "dist"),
    );
    check(
        &[
            (
                "package.json",
                r#"{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "15"}}"#,
            ),
            ("next.config.mjs", "export default { output: 'export' }\n"),
        ],
        &expect("next", "out"),
    );
}

#[test]
fn plain_sites_and_what_stands_beside_others() {
    check(
        &[("index.html", "")],
        "html | - | - | - | static | . | /usr/local/bin/landfall static --root /app/site",
    );
    check(
        &[("public/index.html", "")],
        "html | - | - | - | static | public | /usr/local/bin/landfall static --root /app/site",
    );
    // A package.json with nothing but tools does not make a site a Node application.
    let tools = r#"{"devDependencies": {"prettier": "3"}}"#;
    let apps = found(&[("index.html", ""), ("package.json", tools)]);
    assert_eq!(apps[0].language, "html");
    assert!(apps[0].confidence - apps[1].confidence > 0.25, "clear enough to be built without asking");
    assert!(found(&[("notes.txt", "")]).is_empty());
}

#[test]
fn a_program_is_known_by_its_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy("/proc/self/exe", dir.path().join("server")).unwrap();
    std::fs::write(dir.path().join("run.sh"), "#!/bin/sh\n").unwrap();
    let apps = detect(dir.path()).unwrap();
    assert_eq!(
        (apps[0].language.as_str(), &apps[0].start),
        ("binary", &Some(vec!["/app/server".to_owned()]))
    );
    std::fs::copy("/proc/self/exe", dir.path().join("worker")).unwrap();
    assert_eq!(detect(dir.path()).unwrap()[0].start, None, "two programs: nobody knows which");
    assert_eq!(detect(&dir.path().join("worker")).unwrap()[0].start, Some(vec!["/app/worker".to_owned()]));
}

#[test]
fn the_json_has_the_names_that_programs_rely_on() {
    let apps = found(&[("package.json", r#"{"scripts": {"start": "node a.js"}}"#)]);
    let json = serde_json::to_value(&apps[0]).unwrap();
    let names: Vec<&String> = json.as_object().unwrap().keys().collect();
    let expected = [
        "dir",
        "language",
        "version",
        "framework",
        "packageManager",
        "kind",
        "install",
        "build",
        "start",
        "output",
        "port",
        "evidence",
        "confidence",
    ];
    assert_eq!(names, expected);
    assert_eq!(json["kind"], "server");
    assert_eq!(json["evidence"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["file", "line", "says"]);
}
