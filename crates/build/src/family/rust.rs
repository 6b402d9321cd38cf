//! Rust: built by `cargo` for release; the image carries the program and its shared libraries.

use super::{Assembly, Family, Folder, Job, application};
use crate::elf::{self, Both};
use crate::toolchain::{self, Run};
use crate::tree::Tree;
use crate::{Application, Error, Holds, Kind, base};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) const FAMILY: Family = Family {
    looks_for: "Cargo.toml (Rust)",
    detect,
    tools: &["cargo", "rustc", "cc"],
    writes_lock: Some("Cargo.lock"),
    reads,
    assemble,
};

/// Crates that make a program a web server, the most telling first.
const FRAMEWORKS: &[&str] =
    &["axum", "actix-web", "rocket", "poem", "warp", "salvo", "tide", "gotham", "ntex", "tiny_http", "hyper"];

/// Folders that programs read while they run. Everything else in a Rust project is for building it.
const READ_WHILE_RUNNING: &[&str] =
    &["static", "public", "assets", "templates", "migrations", "config", "locales", "data", "www", "dist"];

fn detect(folder: &Folder) -> Result<Option<Application>, Error> {
    let Some(manifest) = folder.read("Cargo.toml")? else { return Ok(None) };
    let table = manifest.toml()?;
    let package = table.get("package").and_then(toml::Value::as_table);
    let name = package.and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let bins = declared_programs(&table);
    let library_only = package.is_some()
        && bins.is_empty()
        && !folder.has("src/main.rs")
        && !folder.has("src/bin")
        && folder.has("src/lib.rs");
    if library_only {
        return Ok(None);
    }

    let mut app = application(&folder.root, "rust", Kind::Script);
    app.package_manager = Some("cargo".into());
    app.evidence.push(match name {
        Some(name) => manifest.says("name", format!("the package {name}")),
        None => manifest.says("[workspace]", "a workspace of several packages"),
    });
    app.build = Some(["cargo", "build", "--release"].map(str::to_owned).into());
    let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
    let framework = FRAMEWORKS.iter().find(|name| dependencies.is_some_and(|all| all.contains_key(**name)));
    if let Some(framework) = framework {
        app.framework = Some((*framework).into());
        app.kind = Kind::Server;
        app.evidence.push(manifest.says(framework, format!("depends on {framework}")));
    } else if let Some(main) = folder.read("src/main.rs")?
        && main.text.contains("TcpListener")
    {
        app.kind = Kind::Server;
        app.evidence.push(main.says("TcpListener", "listens on a port"));
    }
    if let Some((version, evidence)) = toolchain_wanted(folder, &manifest, package)? {
        app.version = Some(version);
        app.evidence.push(evidence);
    }
    let program = match (bins.as_slice(), name) {
        ([one], _) => Some(one.clone()),
        ([], Some(name)) if !folder.has("src/bin") => Some(name.to_owned()),
        _ => package.and_then(|p| p.get("default-run")).and_then(toml::Value::as_str).map(str::to_owned),
    };
    app.start = program.map(|program| vec![format!("/app/{program}")]);
    app.confidence = 0.95;
    Ok(Some(app))
}

fn declared_programs(manifest: &toml::Table) -> Vec<String> {
    let bins = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    bins.filter_map(|bin| bin.get("name")?.as_str().map(str::to_owned)).collect()
}

fn toolchain_wanted(
    folder: &Folder,
    manifest: &super::Text,
    package: Option<&toml::Table>,
) -> Result<Option<(String, crate::Evidence)>, Error> {
    if let Some(file) = folder.first(&["rust-toolchain.toml", "rust-toolchain"])? {
        let channel = match file.toml() {
            Ok(table) => table.get("toolchain").and_then(|t| t.get("channel")?.as_str()).map(str::to_owned),
            // The old form is the bare name of the channel.
            Err(_) => file.first_line().map(str::to_owned),
        };
        if let Some(channel) = channel {
            let evidence = file.says(&channel, format!("asks for Rust {channel}"));
            return Ok(Some((channel, evidence)));
        }
    }
    let version = package.and_then(|package| package.get("rust-version")).and_then(toml::Value::as_str);
    Ok(version.map(|version| {
        (version.to_owned(), manifest.says("rust-version", format!("asks for Rust {version} or later")))
    }))
}

/// The folders that `cargo` reads: the workspace, and path dependencies outside it.
fn reads(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let dir = dir.canonicalize().map_err(Error::io("read", dir))?;
    let root = workspace_root(&dir);
    let mut open = vec![root.clone(), dir];
    let mut seen = BTreeSet::new();
    while let Some(folder) = open.pop() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let mut paths = Vec::new();
        path_dependencies(&table, &mut paths);
        open.extend(paths.iter().filter_map(|path| folder.join(path).canonicalize().ok()));
    }
    // What lies inside another folder of the list is read with that one.
    let outer: Vec<PathBuf> = seen
        .iter()
        .filter(|folder| !seen.iter().any(|other| other != *folder && folder.starts_with(other)))
        .cloned()
        .collect();
    Ok(outer)
}

/// The nearest folder at or above `dir` that has a `[workspace]`, when it counts `dir` in.
fn workspace_root(dir: &Path) -> PathBuf {
    for folder in dir.ancestors() {
        let Ok(text) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let Some(workspace) = table.get("workspace") else { continue };
        let excluded = workspace.get("exclude").and_then(toml::Value::as_array).into_iter().flatten();
        let excludes_us = excluded
            .filter_map(toml::Value::as_str)
            .any(|path| dir.starts_with(folder.join(path)) && folder != dir);
        return if excludes_us { dir.into() } else { folder.into() };
    }
    dir.into()
}

/// Collects every `path = "…"` of a dependency table, wherever dependency tables stand.
fn path_dependencies(table: &toml::Table, paths: &mut Vec<String>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        let is_dependencies =
            ["dependencies", "build-dependencies", "dev-dependencies"].contains(&key.as_str());
        if is_dependencies {
            let named = inner.values().filter_map(|dependency| dependency.get("path")?.as_str());
            paths.extend(named.map(str::to_owned));
        } else if ["target", "workspace", "patch"].contains(&key.as_str()) || key.starts_with("cfg(") {
            path_dependencies(inner, paths);
        } else if key.contains('-') || key.contains("crates") {
            // A target's triple, or a registry under `[patch]`.
            path_dependencies(inner, paths);
            paths.extend(inner.values().filter_map(|patch| patch.get("path")?.as_str()).map(str::to_owned));
        }
    }
}

fn assemble(job: &mut Job<'_>) -> Result<Assembly, Error> {
    let program = build(job)?;
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let command = match &job.spec.command {
        Some(command) if !command.is_empty() => command.clone(),
        _ => vec![format!("/app/{name}")],
    };

    let mut app = Tree::new();
    app.file(&format!("app/{name}"), &program, true);
    let mut carried = BTreeSet::new();
    for file in &job.source.files {
        let Some((top, _)) = file.path.split_once('/').filter(|(top, _)| READ_WHILE_RUNNING.contains(top))
        else {
            continue;
        };
        carried.insert(top);
        let to = format!("app/{}", file.path);
        match &file.what {
            crate::source::What::File { executable } => app.file(&to, &job.source.full(file), *executable),
            crate::source::What::Link { target } => app.link(&to, target),
        }
    }
    if !carried.is_empty() {
        let folders = carried.into_iter().collect::<Vec<_>>().join(", ");
        (job.log)(&format!("carrying along what the program may read while it runs: {folders}"));
    }

    let machine = elf::read(&program)?.map_or(elf::own_machine(), |elf| elf.machine);
    let mut base = base::tree()?;
    base::close(&mut base, vec![Both { here: program, there: format!("/app/{name}") }])?;
    Ok(Assembly {
        layers: vec![job.shelf.pack(&base, Holds::Base)?, job.shelf.pack(&app, Holds::Application)?],
        env: base::env(&format!("/app:{}", base::PATH)),
        command,
        architecture: elf::architecture(machine).unwrap_or("amd64"),
    })
}

/// Runs `cargo build` and gives back the program that the service runs.
fn build(job: &mut Job<'_>) -> Result<PathBuf, Error> {
    let cargo = toolchain::find("cargo", "this is a Rust application")?;
    let target = job.work.join("target");
    let dir = &job.spec.dir;
    let mut args: Vec<OsString> =
        ["build", "--release", "--bins", "--message-format=json-render-diagnostics", "--target-dir"]
            .map(OsString::from)
            .into();
    args.push(target.into());
    let locked =
        workspace_root(&dir.canonicalize().map_err(Error::io("read", dir))?).join("Cargo.lock").is_file();
    if locked {
        args.push("--locked".into());
    } else {
        (job.log)(
            "there is no Cargo.lock: the versions of dependencies are chosen now; keep the one that cargo writes",
        );
    }
    // The folder's name must not get into the program, or the same source in another folder gives another image.
    let remap = remap(dir);
    let mut run = Run::new(&cargo, Vec::<OsString>::new(), dir)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .env("CARGO_INCREMENTAL", "0");
    match std::env::var("RUSTFLAGS") {
        Ok(flags) if !flags.trim().is_empty() => {
            run = run.env("RUSTFLAGS", format!("{flags} {}", remap.join(" ")))
        }
        _ => {
            let flags = toml::Value::from(remap.clone());
            args.extend(["--config".into(), format!("build.rustflags={flags}").into()]);
        }
    }
    run.args = args;
    (job.log)("$ cargo build --release");
    let messages = run.output(job.log).map_err(no_linker)?;
    choose_program(job, &messages)
}

fn remap(dir: &Path) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let mut flags = Vec::new();
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    if let Ok(real) = dir.canonicalize() {
        flags.push(format!("--remap-path-prefix={}=/app", workspace_root(&real).display()));
    }
    flags
}

/// The compiler's own message names `cc`; say which package has it.
fn no_linker(error: Error) -> Error {
    match &error {
        Error::ToolFailed { tail, .. } if tail.iter().any(|line| line.contains("linker `cc` not found")) => {
            Error::MissingTool {
                tool: "cc".into(),
                why: "Rust links programs with it".into(),
                install: toolchain::how_to_install("cc"),
            }
        }
        _ => error,
    }
}

/// Of the programs that were built, the one that the service runs.
fn choose_program(job: &Job<'_>, messages: &str) -> Result<PathBuf, Error> {
    let programs: Vec<PathBuf> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| {
            message["target"]["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "bin"))
        })
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    let named = |name: &str| {
        programs.iter().find(|program| program.file_name().is_some_and(|file| file == name)).cloned()
    };
    let last_part = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let asked_for = job.spec.command.as_ref().and_then(|command| command.first()).map(last_part);
    let detected = job.app.start.as_ref().and_then(|start| start.first()).map(last_part);
    if let Some(program) = asked_for.as_deref().and_then(named) {
        return Ok(program);
    }
    if let [program] = programs.as_slice() {
        return Ok(program.clone());
    }
    if let Some(program) = detected.as_deref().and_then(named).or_else(|| named(&job.spec.service)) {
        return Ok(program);
    }
    if programs.is_empty() {
        return Err(Error::Unsupported {
            what: format!("`{}` has no program, only libraries", job.spec.dir.display()),
            help: "point `source` at the package that has a `main.rs`".into(),
        });
    }
    let name = |program: &PathBuf| program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(Error::Ambiguous {
        question: format!("`{}` has several programs", job.spec.dir.display()),
        choices: programs.iter().map(name).collect(),
        how: "say which one with `command = [\"/app/NAME\"]`, or with `default-run` in Cargo.toml".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_dependencies_are_found_in_every_kind_of_table() {
        let manifest: toml::Table = r#"
            [dependencies]
            plain = "1"
            a = { path = "../a" }
            [build-dependencies]
            b = { path = "../b", version = "1" }
            [target.'cfg(unix)'.dependencies]
            c = { path = "../c" }
            [target.x86_64-unknown-linux-gnu.dependencies]
            d = { path = "../d" }
            [workspace.dependencies]
            e = { path = "e" }
            [patch.crates-io]
            f = { path = "../f" }
        "#
        .parse()
        .unwrap();
        let mut paths = Vec::new();
        path_dependencies(&manifest, &mut paths);
        paths.sort();
        assert_eq!(paths, ["../a", "../b", "../c", "../d", "../f", "e"]);
    }
}
