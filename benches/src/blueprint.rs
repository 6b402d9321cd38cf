//! The blueprint's figures: from a manifest's text to every resource, in this process, as `landfall` does it.

use std::fmt::Write as _;
use std::time::Instant;

use landfall_blueprint::{Blueprint, blueprint, picture, template};

use crate::report::{Figure, Report, Wanted, median};
use crate::{Failure, Scale};

/// Measurements for each round; one takes milliseconds.
const RUNS: usize = 20;

/// Measures, and compares the bytes of every run with those of the first.
pub fn run(scale: Scale) -> Result<Report, Failure> {
    let text = manifest(scale.resources);
    let first = made(&text)?;
    if first.resources.len() < scale.resources {
        return Err(format!("the manifest takes only {} resources", first.resources.len()).into());
    }
    let bytes = written(&first)?;
    let drawn = picture::svg(&first);
    let (mut making, mut writing, mut drawing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds * RUNS {
        let (again, took) = timed(|| made(&text));
        making.push(took);
        let again = again?;
        let (same, took) = timed(|| written(&again));
        writing.push(took);
        let (picture, took) = timed(|| picture::svg(&again));
        drawing.push(took);
        if same? != bytes || picture != drawn {
            return Err("the same manifest gave other bytes".into());
        }
    }
    let figure = |name, values, wanted| Figure { name, unit: "ms", ours: median(values), peer: None, wanted };
    let mut report = Report::default();
    report.figures.push(figure("manifest to blueprint, 500 resources", making, Wanted::Below(20.0)));
    report.figures.push(figure("the same as ARM bodies in JSON", writing, Wanted::Told));
    report.figures.push(figure("the same as a drawing", drawing, Wanted::Told));
    Ok(report)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1000.0)
}

/// Text to App to blueprint.
fn made(text: &str) -> Result<Blueprint, Failure> {
    let loaded = landfall_manifest::load("landfall.toml", text, Some("prod"));
    let app = loaded.app.ok_or_else(|| format!("the manifest is wrong: {:?}", loaded.diagnostics))?;
    blueprint(&app).map_err(|problems| format!("the App has no blueprint: {problems:?}").into())
}

fn written(made: &Blueprint) -> Result<Vec<u8>, Failure> {
    Ok(serde_json::to_vec(&template::template(made))?)
}

/// A manifest that takes at least this many resources: services with an identity and four roles each, and storage
/// accounts with containers and rules.
fn manifest(resources: usize) -> String {
    let mut text =
        String::from("app = \"large\"\nregion = \"westeurope\"\n\n[environment.prod]\ntier = \"prod\"\n");
    // Six resources for each service and five for each account.
    let (services, accounts) = ((resources * 4 / 5).div_ceil(6), (resources / 5).div_ceil(5));
    for at in 0..accounts {
        let _ = write!(
            text,
            "\n[resource.files{at}]\ntype = \"storage\"\ncontainers = [\"incoming\", \"outgoing\"]\nlifecycle = [{{ containers = [\"incoming\"], delete = \"90d\" }}]\n"
        );
    }
    for at in 0..services {
        let (one, other) = (at % accounts, (at + 1) % accounts);
        let second = if one == other { String::new() } else { format!(", files{other} = \"read\"") };
        let _ = write!(
            text,
            "\n[service.worker{at}]\nhost = \"container-apps\"\nsource = \"./worker{at}\"\nport = 8000\nuses = {{ files{one} = \"write\"{second} }}\nenv = {{ LOG_LEVEL = \"INFO\", FILES = \"${{resource.files{one}.endpoint}}\" }}\nsecrets = {{ TOKEN = \"token-{at}\" }}\n"
        );
    }
    text
}
