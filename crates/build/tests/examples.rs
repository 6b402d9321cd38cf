//! The examples, built for real, unpacked, and run in nothing but their own image.

mod common;

use common::{Rootfs, ask, build, cannot, example, free_port, spec};
use landfall_build::{Holds, Image};
use std::path::Path;

fn holds(image: &Image) -> Vec<Holds> {
    image.layers.iter().map(|layer| layer.holds).collect()
}

#[test]
fn hello_runs_in_its_image_and_finishes_what_it_has_begun() {
    if let Some(why) = cannot(&["cargo", "cc"]) {
        return println!("hello: {why}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let image = build(&spec("web", &example("hello"), Some(8000)), scratch.path());
    assert_eq!(holds(&image), [Holds::Base, Holds::Application]);
    assert!(image.layers[1].size < 2_000_000, "the application's layer has the program only");
    let again = build(&spec("web", &example("hello"), Some(8000)), scratch.path());
    assert!(again.unchanged);
    assert_eq!(again.digest, image.digest);

    let rootfs = Rootfs::unpack(&image);
    let mut hello = rootfs.start(free_port(), &[("GREETING", "Ahoy")]);
    assert!(hello.get("/").contains("Ahoy\nversion 1.0.0"));
    assert!(hello.get("/health").starts_with("HTTP/1.1 200"));
    assert!(hello.get("/nothing").starts_with("HTTP/1.1 404"));
    let port = hello.port;
    let slow = std::thread::spawn(move || ask(port, "/slow?ms=1500").unwrap());
    std::thread::sleep(std::time::Duration::from_millis(300));
    hello.terminate();
    assert!(slow.join().unwrap().ends_with("waited 1500 ms\n"));
    assert_eq!(hello.ended(), Some(0));
}

#[test]
fn datasette_runs_in_its_image() {
    if let Some(why) = cannot(&["python3"]) {
        return println!("datasette: {why}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut spec = spec("web", &example("datasette"), Some(8001));
    spec.command = Some(vec!["python".into(), "serve.py".into()]);
    let image = build(&spec, scratch.path());
    assert_eq!(holds(&image), [Holds::Base, Holds::Dependencies, Holds::Application]);

    let rootfs = Rootfs::unpack(&image);
    let mut datasette = rootfs.start(free_port(), &[]);
    assert!(datasette.get("/-/versions.json").contains("\"datasette\""));
    let rows = datasette.get("/moons/moons.json?_shape=array&name=Titan");
    assert!(rows.contains("\"radius_km\": 2574.7"), "{rows}");
    datasette.terminate();
    datasette.ended();
    // Installed scripts run by their names, and the standard library is whole enough to speak TLS and SQL.
    assert!(rootfs.run(&["datasette", "--version"]).contains("datasette, version"));
    let modules = "import ssl, sqlite3, zlib, ctypes, hashlib, bz2, zoneinfo; print(ssl.create_default_context().cert_store_stats()['x509_ca'] > 0, zoneinfo.ZoneInfo('Europe/Vienna'))";
    assert_eq!(rootfs.run(&["python3", "-c", modules]).trim(), "True Europe/Vienna");
}

#[test]
fn verdaccio_runs_in_its_image() {
    if let Some(why) = cannot(&["node", "npm"]) {
        return println!("verdaccio: {why}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let image = build(&spec("registry", &example("verdaccio"), Some(4873)), scratch.path());
    assert_eq!(holds(&image), [Holds::Base, Holds::Dependencies, Holds::Application]);

    let rootfs = Rootfs::unpack(&image);
    assert!(!rootfs.dir.path().join("app/node_modules/.cache").exists());
    let mut verdaccio = rootfs.start(free_port(), &[]);
    assert!(verdaccio.get("/-/ping").starts_with("HTTP/1.1 200"));
    assert!(verdaccio.get("/").contains("Verdaccio on Landfall"));
}

#[test]
fn the_vite_site_is_served_from_an_image_without_node() {
    if let Some(why) = cannot(&["node", "npm"]) {
        return println!("vite-site: {why}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut spec = spec("web", &example("vite-site"), Some(8080));
    spec.static_server = Some(env!("CARGO_BIN_EXE_landfall-static").into());
    let image = build(&spec, scratch.path());
    assert_eq!(holds(&image), [Holds::Base, Holds::Application]);
    assert!(!example("vite-site").join("node_modules").exists(), "the user's folder stays as it is");

    let rootfs = Rootfs::unpack(&image);
    assert!(!rootfs.dir.path().join("usr/local/bin/node").exists());
    let mut site = rootfs.start(free_port(), &[]);
    let page = site.get("/");
    assert!(page.contains("<title>Tides</title>"), "{page}");
    let script = page.split('"').find(|word| word.starts_with("/assets/") && word.ends_with(".js")).unwrap();
    let answer = site.get(script);
    assert!(answer.contains("content-type: text/javascript") && answer.contains("immutable"), "{answer}");
    assert!(site.get("/some/where").contains("<title>Tides</title>"), "one page finds its own way");
    assert!(site.get("/assets/gone.js").starts_with("HTTP/1.1 404"));
    site.terminate();
    assert_eq!(site.ended(), Some(0));
}

#[test]
fn examples_are_what_they_are_taken_for() {
    let rows = [
        ("hello", "rust", None, "cargo", "server"),
        ("datasette", "python", Some("datasette"), "pip", "server"),
        ("verdaccio", "node", None, "npm", "server"),
        ("vite-site", "node", Some("vite"), "npm", "static"),
    ];
    for (name, language, framework, manager, kind) in rows {
        let found = landfall_build::detect(&example(name)).unwrap();
        let app = serde_json::to_value(&found[0]).unwrap();
        assert_eq!(app["language"], language, "{name}");
        assert_eq!(app["framework"].as_str(), framework, "{name}");
        assert_eq!(app["packageManager"], manager, "{name}");
        assert_eq!(app["kind"], kind, "{name}");
        for fact in app["evidence"].as_array().unwrap() {
            assert!(example(name).join(fact["file"].as_str().unwrap()).exists(), "{name}: {fact}");
        }
    }
    assert!(Path::new(&example("vite-site")).join("landfall.toml").is_file());
}
