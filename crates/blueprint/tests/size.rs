//! A blueprint takes time in proportion to its size, and so do its pictures.
#![allow(clippy::disallowed_methods, reason = "time is what is tested")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use landfall_blueprint::{Blueprint, blueprint, picture, template};
use landfall_manifest::{App, load};

/// A manifest of this many services, each with an identity and roles on what it uses.
fn app(services: usize) -> App {
    let mut text = String::from("app = \"large\"\nregion = \"westeurope\"\n");
    text.push_str("[resource.files]\ntype = \"storage\"\ncontainers = [\"all\"]\n");
    for at in 0..services {
        write!(
            text,
            "[service.w{at}]\nhost = \"container-apps\"\nsource = \"./w{at}\"\nport = 8000\nuses = {{ files = \"write\" }}\nsecrets = {{ TOKEN = \"token\" }}\n"
        )
        .unwrap();
    }
    let loaded = load("landfall.toml", &text, None);
    loaded.app.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// The least time of a few tries: the others are other processes' doing.
fn least(work: &mut dyn FnMut()) -> Duration {
    let tries = (0..4).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    tries.min().unwrap()
}

/// Eight times as much takes about eight times as long; if each of the steps went over all that is there, it would be
/// sixty-four. What a single look-up costs is tested beside `Resources`.
fn grows_in_proportion(what: &str, of: impl Fn(&App, &Blueprint)) {
    let (small, large) = (app(30), app(240));
    let (few, many) = (blueprint(&small).unwrap(), blueprint(&large).unwrap());
    let mut ratio = f64::INFINITY;
    // A machine that is busy with something else gets another chance.
    for _ in 0..4 {
        let short = least(&mut || of(&small, &few));
        let long = least(&mut || of(&large, &many));
        ratio = ratio.min(long.as_secs_f64() / short.as_secs_f64());
        if ratio < 24.0 {
            return;
        }
    }
    panic!("{what} takes {ratio:.1} times as long for eight times as much");
}

#[test]
fn making_a_blueprint_grows_in_proportion() {
    grows_in_proportion("a blueprint", |app, _| drop(blueprint(app).unwrap()));
}

#[test]
fn writing_it_out_grows_in_proportion() {
    grows_in_proportion("a template", |_, made| drop(template::template(made)));
}

#[test]
fn a_tree_grows_in_proportion() {
    grows_in_proportion("a tree", |_, made| drop(picture::tree(made, picture::Ink::Plain)));
}
