//! Node: servers with their `node_modules`, and front ends that a tool builds into a static site.

use super::{Assembly, Family, Folder, Job, Text, application, reads_itself, static_site, words_or_shell};
use crate::hash::Mixer;
use crate::source;
use crate::toolchain::{self, Run, Tool};
use crate::tree::Tree;
use crate::{Application, Error, Evidence, Holds, Kind, base, elf, layers, work};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) const FAMILY: Family = Family {
    looks_for: "package.json (Node)",
    detect,
    tools: &["node", "npm"],
    writes_lock: None,
    reads: reads_itself,
    assemble,
};

/// A framework: the package that gives it away, its short name, and what its build makes.
struct Framework {
    package: &'static str,
    name: &'static str,
    makes: Makes,
    port: u16,
}

/// What a framework's build makes, when nothing in the project says otherwise.
enum Makes {
    /// A program that listens.
    Server,
    /// A folder of files.
    Site(&'static str),
    /// Files, unless one of these packages makes a server of it.
    SiteUnless(&'static str, &'static [&'static str]),
}

/// Known frameworks, those that build on others first.
const FRAMEWORKS: &[Framework] = &[
    Framework { package: "next", name: "next", makes: Makes::Server, port: 3000 },
    Framework { package: "nuxt", name: "nuxt", makes: Makes::Server, port: 3000 },
    Framework { package: "@remix-run/serve", name: "remix", makes: Makes::Server, port: 3000 },
    Framework { package: "@react-router/serve", name: "react-router", makes: Makes::Server, port: 3000 },
    Framework { package: "@nestjs/core", name: "nest", makes: Makes::Server, port: 3000 },
    Framework {
        package: "astro",
        name: "astro",
        makes: Makes::SiteUnless("dist", &["@astrojs/node"]),
        port: 4321,
    },
    Framework {
        package: "@sveltejs/kit",
        name: "sveltekit",
        makes: Makes::SiteUnless("build", &["@sveltejs/adapter-node"]),
        port: 3000,
    },
    Framework { package: "express", name: "express", makes: Makes::Server, port: 3000 },
    Framework { package: "fastify", name: "fastify", makes: Makes::Server, port: 3000 },
    Framework { package: "hono", name: "hono", makes: Makes::Server, port: 3000 },
    Framework { package: "koa", name: "koa", makes: Makes::Server, port: 3000 },
    Framework { package: "react-scripts", name: "create-react-app", makes: Makes::Site("build"), port: 3000 },
    Framework { package: "@angular/cli", name: "angular", makes: Makes::Site("dist"), port: 4200 },
    Framework { package: "@vue/cli-service", name: "vue-cli", makes: Makes::Site("dist"), port: 8080 },
    Framework { package: "vite", name: "vite", makes: Makes::Site("dist"), port: 5173 },
    Framework { package: "parcel", name: "parcel", makes: Makes::Site("dist"), port: 1234 },
];

/// Commands that serve a front end while it is being written. A start script made of one is no server.
const FOR_WRITING: &[&str] =
    &["vite", "ng", "react-scripts", "parcel", "astro", "vue-cli-service", "webpack-dev-server"];

/// Files that say what is installed.
const INSTALL_INPUTS: &[&str] = &["package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"];

/// Scripts that run while installing, and may read any file of the project.
const INSTALL_SCRIPTS: &[&str] = &["preinstall", "install", "postinstall", "prepare"];

fn detect(folder: &Folder) -> Result<Option<Application>, Error> {
    let Some(manifest) = folder.read("package.json")? else { return Ok(None) };
    let json: Value = serde_json::from_str(&manifest.text).map_err(|error| manifest.bad(error))?;
    let package = Package(&json);
    let mut app = application(&folder.root, "node", Kind::Server);
    app.evidence.push(manifest.says("\"name\"", "a Node package"));
    version(folder, &manifest, &package, &mut app)?;
    package_manager(folder, &manifest, &package, &mut app)?;
    if let Some(script) = package.script("build") {
        app.build = Some(["npm", "run", "build"].map(str::to_owned).into());
        app.evidence.push(manifest.says("\"build\"", format!("built by `{script}`")));
    }
    let framework = FRAMEWORKS.iter().find(|framework| package.depends_on(framework.package));
    if let Some(framework) = framework {
        app.framework = Some(framework.name.into());
        app.evidence.push(
            manifest.says(&format!("\"{}\"", framework.package), format!("depends on {}", framework.name)),
        );
    }
    if let Some(output) = site(folder, &package, framework)? {
        app.kind = Kind::Static;
        app.output = Some(output);
        app.start = Some(static_site::command(false));
        app.port = Some(static_site::PORT);
        app.confidence = 0.95;
        return Ok(Some(app));
    }
    app.port = framework.map(|framework| framework.port);
    let start = start(folder, &manifest, &package)?;
    app.confidence = match (&start, framework) {
        (Some(_), Some(_)) => 0.95,
        (Some(_), None) => 0.9,
        // A package.json with tools in it stands in many projects of other languages.
        (None, _) => 0.3,
    };
    if let Some((words, evidence)) = start {
        app.start = Some(words);
        app.evidence.push(evidence);
    }
    Ok(Some(app))
}

/// The parsed package.json.
struct Package<'a>(&'a Value);

impl Package<'_> {
    fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str().filter(|script| !script.trim().is_empty())
    }

    fn depends_on(&self, package: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|table| !self.0[*table][package].is_null())
    }

    /// Whether it has dependencies that only building needs.
    fn has_dev_dependencies(&self) -> bool {
        self.0["devDependencies"].as_object().is_some_and(|table| !table.is_empty())
    }

    fn has_dependencies(&self) -> bool {
        ["dependencies", "devDependencies", "optionalDependencies", "workspaces"].iter().any(
            |key| match &self.0[*key] {
                Value::Object(table) => !table.is_empty(),
                Value::Array(list) => !list.is_empty(),
                _ => false,
            },
        )
    }

    /// A script without the detours of `npm run OTHER`.
    fn resolved(&self, name: &str) -> Option<String> {
        let mut script = self.script(name)?;
        // A chain longer than this goes in circles.
        for _ in 0..8 {
            let next = script.strip_prefix("npm run ").or_else(|| script.strip_prefix("npm run-script "));
            let next = next.map(str::trim).filter(|next| !next.contains(' '));
            match next.and_then(|next| self.script(next)) {
                Some(next) => script = next,
                None => break,
            }
        }
        Some(script.to_owned())
    }
}

fn version(
    folder: &Folder,
    manifest: &Text,
    package: &Package<'_>,
    app: &mut Application,
) -> Result<(), Error> {
    if let Some(file) = folder.first(&[".nvmrc", ".node-version"])?
        && let Some(line) = file.first_line()
    {
        app.version = Some(line.trim_start_matches('v').to_owned());
        app.evidence.push(file.says(line, format!("asks for Node {line}")));
        return Ok(());
    }
    if let Some(range) = package.0["engines"]["node"].as_str() {
        app.version = Some(range.to_owned());
        app.evidence.push(manifest.says("\"node\"", format!("asks for Node {range}")));
    }
    Ok(())
}

fn package_manager(
    folder: &Folder,
    manifest: &Text,
    package: &Package<'_>,
    app: &mut Application,
) -> Result<(), Error> {
    const LOCKS: &[(&str, &str, &[&str])] = &[
        ("package-lock.json", "npm", &["npm", "ci"]),
        ("npm-shrinkwrap.json", "npm", &["npm", "ci"]),
        ("pnpm-lock.yaml", "pnpm", &["pnpm", "install", "--frozen-lockfile"]),
        ("yarn.lock", "yarn", &["yarn", "install", "--frozen-lockfile"]),
        ("bun.lock", "bun", &["bun", "install", "--frozen-lockfile"]),
        ("bun.lockb", "bun", &["bun", "install", "--frozen-lockfile"]),
    ];
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    if let Some(named) = package.0["packageManager"].as_str() {
        let name = named.split('@').next().unwrap_or(named);
        let install = LOCKS.iter().find(|(file, manager, _)| *manager == name && folder.has(file));
        app.package_manager = Some(name.to_owned());
        app.install = words(install.map_or(&[name, "install"][..], |(_, _, install)| install));
        app.evidence.push(manifest.says("\"packageManager\"", format!("managed with {named}")));
        return Ok(());
    }
    if let Some((file, manager, install)) = LOCKS.iter().find(|(file, ..)| folder.has(file)) {
        app.package_manager = Some((*manager).into());
        app.install = words(install);
        app.evidence.push(Evidence {
            file: (*file).into(),
            line: None,
            says: format!("locked by {manager}"),
        });
        return Ok(());
    }
    app.package_manager = Some("npm".into());
    app.install = words(&["npm", "install"]);
    Ok(())
}

/// The folder that the build puts a static site in, when that is what it makes.
fn site(
    folder: &Folder,
    package: &Package<'_>,
    framework: Option<&Framework>,
) -> Result<Option<String>, Error> {
    let Some(framework) = framework else { return Ok(None) };
    if package.script("build").is_none() {
        return Ok(None);
    }
    let start = package.resolved("start").unwrap_or_default();
    let first =
        start.split_whitespace().find(|word| !word.contains('=') && *word != "npx").unwrap_or_default();
    if !start.is_empty() && !FOR_WRITING.contains(&first) {
        return exported(folder, framework);
    }
    let output = match &framework.makes {
        Makes::Server => return exported(folder, framework),
        Makes::Site(output) => *output,
        Makes::SiteUnless(_, servers) if servers.iter().any(|server| package.depends_on(server)) => {
            return Ok(None);
        }
        Makes::SiteUnless(output, _) => *output,
    };
    let config = folder.first(&[
        "vite.config.ts",
        "vite.config.js",
        "vite.config.mjs",
        "vite.config.mts",
        "astro.config.mjs",
    ])?;
    let named = config.and_then(|config| quoted_after(&config.text, "outDir"));
    Ok(Some(
        named.map_or(output.to_owned(), |named| {
            named.trim_start_matches("./").trim_end_matches('/').to_owned()
        }),
    ))
}

/// Next can write its pages out as files.
fn exported(folder: &Folder, framework: &Framework) -> Result<Option<String>, Error> {
    if framework.name != "next" {
        return Ok(None);
    }
    let config = folder.first(&["next.config.js", "next.config.mjs", "next.config.ts"])?;
    let output = config.and_then(|config| quoted_after(&config.text, "output"));
    Ok((output.as_deref() == Some("export")).then(|| "out".to_owned()))
}

/// The string behind `key:` in a configuration written in JavaScript.
fn quoted_after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{key}:"))?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| ['\'', '"', '`'].contains(c))?;
    rest[1..].split(quote).next().map(str::to_owned)
}

fn start(
    folder: &Folder,
    manifest: &Text,
    package: &Package<'_>,
) -> Result<Option<(Vec<String>, Evidence)>, Error> {
    if let Some(file) = folder.read("Procfile")?
        && let Some(line) = file.text.lines().find_map(|line| line.strip_prefix("web:"))
    {
        return Ok(Some((words_or_shell(line.trim()), file.says("web:", "the web process"))));
    }
    if let Some(script) = package.resolved("start") {
        return Ok(Some((
            words_or_shell(&script),
            manifest.says("\"start\"", format!("started by `{script}`")),
        )));
    }
    let main = package.0["main"].as_str().filter(|main| folder.has(main));
    let usual =
        ["server.js", "app.js", "index.js", "src/server.js", "src/index.js", "server.mjs", "index.mjs"];
    let file = main.or_else(|| usual.into_iter().find(|file| folder.has(file)));
    // The `main` of a library is no program; only a package that is not published as one is started by it.
    Ok(file.map(|file| {
        let evidence = match main {
            Some(_) => manifest.says("\"main\"", format!("its main file is {file}")),
            None => Evidence {
                file: file.into(),
                line: None,
                says: "the usual name of a server's main file".into(),
            },
        };
        (vec!["node".into(), file.into()], evidence)
    }))
}

fn assemble(job: &mut Job<'_>) -> Result<Assembly, Error> {
    let manager = job.app.package_manager.as_deref().unwrap_or("npm");
    if manager != "npm" {
        return Err(Error::Unsupported {
            what: format!("this application is installed with {manager}, and the direct builder installs with npm"),
            help: "add a package-lock.json (`npm install --package-lock-only`) and leave the other lock file and `packageManager` out".into(),
        });
    }
    let text = std::fs::read_to_string(job.spec.dir.join("package.json"))
        .map_err(Error::io("read", job.spec.dir.join("package.json")))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| Error::BadFile {
        path: job.spec.dir.join("package.json"),
        problem: error.to_string(),
    })?;
    let package = Package(&json);
    let node = Node::find(job)?;

    let app = job.work.join("app");
    work::copy(job.source, &app, &["node_modules"])?;
    install(job, &node, &package, &app)?;
    if package.script("build").is_some() {
        npm(job, &node, &["run", "build"], &app)?;
    }
    if job.app.kind == Kind::Static {
        return built_site(job, &app);
    }
    server(job, &node, &package, &app)
}

/// This machine's Node.
struct Node {
    npm: Tool,
    /// The program itself, behind any version manager's shim.
    program: PathBuf,
    version: String,
}

impl Node {
    fn find(job: &mut Job<'_>) -> Result<Node, Error> {
        let node = toolchain::find("node", "this is a Node application")?;
        let npm = toolchain::find("npm", "it installs the application's packages")?;
        let script = "console.log(process.execPath); console.log(process.version)";
        let answer = Run::new(&node, ["-e", script], &job.spec.dir).output(job.log)?;
        let mut lines = answer.lines().map(str::trim);
        let program = PathBuf::from(lines.next().unwrap_or_default());
        let version = lines.next().unwrap_or_default().trim_start_matches('v').to_owned();
        let program = program.canonicalize().map_err(Error::io("read", &program))?;
        let asked = job.app.version.clone().unwrap_or_default();
        let exact =
            asked.chars().next().is_some_and(|c| c.is_ascii_digit()) && !asked.contains(['x', ' ', '|']);
        if exact && asked.split('.').next() != version.split('.').next() {
            (job.log)(&format!(
                "warning: the application asks for Node {asked}; this machine has {version}, and the image gets that"
            ));
        }
        Ok(Node { npm, program, version })
    }
}

fn npm(job: &mut Job<'_>, node: &Node, args: &[&str], dir: &Path) -> Result<(), Error> {
    Run::new(&node.npm, args, dir)
        .env("CI", "true")
        .env("NO_COLOR", "1")
        .env("npm_config_audit", "false")
        .env("npm_config_fund", "false")
        .env("npm_config_update_notifier", "false")
        .stream(job.log)
}

/// Makes `node_modules` what the lock file says, unless it is that already.
fn install(job: &mut Job<'_>, node: &Node, package: &Package<'_>, app: &Path) -> Result<(), Error> {
    let stamp = job.work.join("installed");
    let mut mixer = Mixer::new("node_modules 1");
    mixer.add(&node.version);
    for name in INSTALL_INPUTS {
        mixer.add(std::fs::read(app.join(name)).unwrap_or_default());
    }
    // Scripts of the project itself, and packages that live in it, may make something of any file.
    let looks_at_source = INSTALL_SCRIPTS.iter().any(|script| package.script(script).is_some())
        || !package.0["workspaces"].is_null()
        || job.source.files.iter().any(|file| file.path.starts_with("patches/"));
    if looks_at_source {
        mixer.add(job.source.hash()?);
    }
    let key = mixer.hex();
    let modules = app.join("node_modules");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&key)
        && (modules.is_dir() || !package.has_dependencies())
    {
        (job.log)("packages are installed already");
        return Ok(());
    }
    let _ = std::fs::remove_file(&stamp);
    let locked = ["package-lock.json", "npm-shrinkwrap.json"].iter().any(|lock| app.join(lock).is_file());
    if locked {
        npm(job, node, &["ci"], app)?;
    } else {
        (job.log)(
            "there is no package-lock.json: versions are chosen now; keep the one that `npm install` writes",
        );
        if modules.exists() {
            std::fs::remove_dir_all(&modules).map_err(Error::io("remove", &modules))?;
        }
        npm(job, node, &["install", "--no-package-lock"], app)?;
    }
    layers::write_whole(&stamp, key.as_bytes())
}

/// The folder of packages that running needs: those for building are taken away in a copy.
fn production_modules(
    job: &mut Job<'_>,
    node: &Node,
    package: &Package<'_>,
    app: &Path,
) -> Result<PathBuf, Error> {
    let modules = app.join("node_modules");
    if !package.has_dev_dependencies() || !modules.is_dir() {
        return Ok(modules);
    }
    let pruned = job.work.join("production");
    let stamp = job.work.join("pruned");
    let installed = std::fs::read_to_string(job.work.join("installed")).unwrap_or_default();
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&installed) && !installed.is_empty() {
        return Ok(pruned.join("node_modules"));
    }
    let _ = std::fs::remove_file(&stamp);
    work::link_copy(&modules, &pruned.join("node_modules"), &[".package-lock.json"])?;
    for name in INSTALL_INPUTS {
        let _ = std::fs::remove_file(pruned.join(name));
        if app.join(name).is_file() {
            std::fs::copy(app.join(name), pruned.join(name)).map_err(Error::io("copy", app.join(name)))?;
        }
    }
    npm(job, node, &["prune", "--omit=dev", "--ignore-scripts"], &pruned)?;
    layers::write_whole(&stamp, installed.as_bytes())?;
    Ok(pruned.join("node_modules"))
}

fn built_site(job: &mut Job<'_>, app: &Path) -> Result<Assembly, Error> {
    let output = job.app.output.as_deref().unwrap_or("dist");
    let mut folder = app.join(output);
    // Angular puts the site one or two folders deeper.
    for _ in 0..2 {
        let only = only_folder(&folder);
        match only {
            Some(inner) if !folder.join("index.html").is_file() => folder = inner,
            _ => break,
        }
    }
    if folder.join("browser/index.html").is_file() {
        folder = folder.join("browser");
    }
    if !folder.is_dir() {
        return Err(Error::Unsupported {
            what: format!("the build ended well, but there is no folder `{output}` after it"),
            help: format!("the site is expected in `{output}`: let the build write it there"),
        });
    }
    let mut site = Tree::new();
    static_site::place_site(&mut site, &folder)?;
    let spa = is_single_page(&site);
    (job.log)(match spa {
        true => "one page: every path that is no file gets it, as a single-page application expects",
        false => "several pages: a path that is no file is not found",
    });
    static_site::image(job, site, spa)
}

fn only_folder(folder: &Path) -> Option<PathBuf> {
    let mut folders = std::fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.path().is_dir());
    let first = folders.next()?;
    folders.next().is_none().then(|| first.path())
}

/// Whether a built site is one page that finds its way itself: `index.html` and no other page.
fn is_single_page(site: &Tree) -> bool {
    let mut pages = site.host_files().filter(|(path, _)| path.ends_with(".html"));
    pages.next().is_some_and(|(path, _)| path == "app/site/index.html") && pages.next().is_none()
}

fn server(job: &mut Job<'_>, node: &Node, package: &Package<'_>, app: &Path) -> Result<Assembly, Error> {
    let command = job.command()?;
    let modules = production_modules(job, node, package, app)?;
    let base = base_tree(node)?;

    let mut dependencies = Tree::new();
    if modules.is_dir() {
        dependencies.folder_of("app/node_modules", &modules, &wanted_in_modules)?;
        let addons = elf::in_tree(&dependencies, elf::own_machine())?;
        for missing in elf::add_libraries(&mut dependencies, Some(&base), addons)? {
            // Packages carry add-ons for other systems beside the one for this; those are never loaded.
            tracing::debug!(file = %missing.file.display(), library = missing.library, "library of an add-on not found");
        }
    }
    let mut files = Tree::new();
    let source: BTreeSet<&str> = job.source.files.iter().map(|file| file.path.as_str()).collect();
    files.folder_of("app", app, &|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        // `.npmrc` may hold a registry's token; the image has no use for it.
        path != "node_modules"
            && name != ".npmrc"
            && path != ".next/cache"
            && (source.contains(path) || !has_secret(app, path, name))
    })?;

    let mut layers = vec![job.shelf.pack(&base, Holds::Base)?];
    if !dependencies.is_empty() {
        layers.push(job.shelf.pack(&dependencies, Holds::Dependencies)?);
    }
    layers.push(job.shelf.pack(&files, Holds::Application)?);
    let mut env = base::env(&format!("/app/node_modules/.bin:{}", base::PATH));
    env.push(("NODE_ENV".into(), "production".into()));
    Ok(Assembly {
        layers,
        env,
        command,
        architecture: elf::architecture(elf::own_machine()).unwrap_or("amd64"),
    })
}

/// Whether what the build made looks like a secret: it may not get into the image that way either.
fn has_secret(app: &Path, path: &str, name: &str) -> bool {
    let size = app.join(path).metadata().map_or(0, |about| if about.is_file() { about.len() } else { 0 });
    size > 0 && source::secret(&app.join(path), name, size).is_some()
}

fn base_tree(node: &Node) -> Result<Tree, Error> {
    let mut base = base::tree()?;
    base::add_shell(&mut base)?;
    let there = node.program.to_string_lossy().into_owned();
    base.file(&there, &node.program, true);
    if there != "/usr/local/bin/node" {
        base.link("usr/local/bin/node", &there);
    }
    // Debian's Node keeps some of its own modules as files.
    let shared = Path::new("/usr/share/nodejs");
    let builtin = elf::read(&node.program)?
        .is_some_and(|elf| elf.needed.iter().any(|name| name.starts_with("libnode")));
    if builtin && shared.is_dir() {
        let names = ["acorn", "acorn-walk", "cjs-module-lexer", "undici", "busboy", "streamsearch", "xtend"];
        base.folder_of("usr/share/nodejs", shared, &|path| {
            names.iter().any(|name| path == *name || path.starts_with(&format!("{name}/")))
        })?;
    }
    base::close(&mut base, Vec::new())?;
    Ok(base)
}

/// Leaves out what installing and building left behind: caches, and the object files of native add-ons, which
/// carry the name of the folder they were made in.
fn wanted_in_modules(path: &str) -> bool {
    if [".cache", ".vite", ".vite-temp"].contains(&path) {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_build = path.contains("/build/");
    !(in_build
        && (["Makefile", "config.gypi", "obj.target", ".deps", "binding.Makefile", "gyp-mac-tool"]
            .contains(&name)
            || name.ends_with(".mk")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_followed_through_npm_run() {
        let json = serde_json::json!({"scripts": {"start": "npm run serve", "serve": "npm run real", "real": "node a.js"}});
        assert_eq!(Package(&json).resolved("start").as_deref(), Some("node a.js"));
    }

    #[test]
    fn a_script_that_calls_itself_ends() {
        let json = serde_json::json!({"scripts": {"start": "npm run start"}});
        assert_eq!(Package(&json).resolved("start").as_deref(), Some("npm run start"));
    }

    #[test]
    fn out_dir_is_read_from_a_configuration() {
        let text = "export default { build: { outDir: './public/built' } }";
        assert_eq!(quoted_after(text, "outDir").as_deref(), Some("./public/built"));
        assert_eq!(quoted_after(text, "output"), None);
    }

    #[test]
    fn what_node_gyp_leaves_behind_stays_out() {
        assert!(wanted_in_modules("bcrypt/build/Release/bcrypt.node"));
        assert!(!wanted_in_modules("bcrypt/build/Makefile"));
        assert!(!wanted_in_modules("bcrypt/build/Release/obj.target"));
        assert!(wanted_in_modules("some/Makefile"));
    }
}
