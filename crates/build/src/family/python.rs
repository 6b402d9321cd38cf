//! Python: the host's interpreter, a virtual environment with the application's packages, the source.

use super::{Assembly, Family, Folder, Job, Text, application, reads_itself, words_or_shell};
use crate::hash::{self, Mixer};
use crate::layers::write_whole;
use crate::source::What;
use crate::toolchain::{self, Run, Tool};
use crate::tree::Tree;
use crate::{Application, Error, Evidence, Holds, Kind, base, elf, work};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) const FAMILY: Family = Family {
    looks_for: "requirements.txt, pyproject.toml or Pipfile (Python)",
    detect,
    tools: &["python3", "python"],
    writes_lock: None,
    reads: reads_itself,
    assemble,
};

/// Where the virtual environment lies in the image.
const VENV: &str = "/app/.venv";

/// The port that Python's web servers agree on.
const PORT: u16 = 8000;

/// Files that may say where the application object is, in the order in which they are looked at.
const MAIN_FILES: &[&str] = &[
    "main.py",
    "app.py",
    "server.py",
    "serve.py",
    "wsgi.py",
    "asgi.py",
    "run.py",
    "application.py",
    "app/main.py",
    "app/__init__.py",
    "src/main.py",
    "src/app.py",
    "api/main.py",
    "src/server.py",
];

/// Packages that make a web server of the file that imports them, which is then simply run.
const RUN_BY_MAIN_FILE: &[&str] = &[
    "aiohttp",
    "sanic",
    "litestar",
    "tornado",
    "bottle",
    "cherrypy",
    "dash",
    "gradio",
    "datasette",
    "waitress",
];

fn detect(folder: &Folder) -> Result<Option<Application>, Error> {
    let requirements = folder.read("requirements.txt")?;
    let project = folder.read("pyproject.toml")?;
    let pipfile = folder.read("Pipfile")?;
    let setup = folder.read("setup.py")?;
    if requirements.is_none() && project.is_none() && pipfile.is_none() && setup.is_none() {
        return Ok(None);
    }
    let mut app = application(&folder.root, "python", Kind::Script);
    let table = project.as_ref().map(Text::toml).transpose()?.unwrap_or_default();
    let is_project =
        table.contains_key("project") || table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
    if requirements.is_none() && !is_project && pipfile.is_none() && setup.is_none() {
        // Only settings of formatters and the like.
        return Ok(None);
    }
    if let Some(file) = &requirements {
        app.evidence.push(file.says("", "lists Python packages"));
    } else if let Some(file) = project.as_ref().filter(|_| is_project) {
        app.evidence.push(file.says("[project]", "a Python project"));
    } else if let Some(file) = pipfile.as_ref().or(setup.as_ref()) {
        app.evidence.push(file.says("", "a Python project"));
    }
    package_manager(folder, &table, requirements.is_some(), &mut app);
    version(folder, project.as_ref(), &table, &mut app)?;

    let depends_on = |package: &str| -> Option<Evidence> {
        let file = [&requirements, &project, &pipfile]
            .into_iter()
            .flatten()
            .find(|file| names_package(&file.text, package))?;
        Some(file.says(package, format!("depends on {package}")))
    };
    let start = start(folder, &depends_on, &mut app)?;
    app.confidence = if start.is_some() { 0.9 } else { 0.6 };
    app.start = start;
    Ok(Some(app))
}

fn package_manager(folder: &Folder, project: &toml::Table, requirements: bool, app: &mut Application) {
    let tool = |name: &str| project.get("tool").is_some_and(|tool| tool.get(name).is_some());
    let rows: [(&str, bool, &str, &[&str]); 5] = [
        ("uv", folder.has("uv.lock"), "uv.lock", &["uv", "sync", "--frozen", "--no-dev"]),
        (
            "poetry",
            folder.has("poetry.lock") || tool("poetry"),
            "poetry.lock",
            &["poetry", "install", "--only", "main"],
        ),
        ("pdm", folder.has("pdm.lock"), "pdm.lock", &["pdm", "sync", "--prod"]),
        ("pipenv", folder.has("Pipfile") && !requirements, "Pipfile", &["pipenv", "sync"]),
        (
            "pip",
            true,
            "",
            if requirements {
                &["pip", "install", "-r", "requirements.txt"]
            } else {
                &["pip", "install", "."]
            },
        ),
    ];
    let Some((name, _, file, install)) = rows.into_iter().find(|(_, found, ..)| *found) else { return };
    app.package_manager = Some(name.into());
    app.install = Some(install.iter().map(|word| (*word).to_owned()).collect());
    if folder.has(file) && !file.is_empty() {
        app.evidence.push(Evidence { file: file.into(), line: None, says: format!("managed with {name}") });
    }
}

fn version(
    folder: &Folder,
    project: Option<&Text>,
    table: &toml::Table,
    app: &mut Application,
) -> Result<(), Error> {
    for name in [".python-version", "runtime.txt"] {
        let Some(file) = folder.read(name)? else { continue };
        if let Some(line) = file.first_line() {
            app.version = Some(line.trim_start_matches("python-").to_owned());
            app.evidence
                .push(file.says(line, format!("asks for Python {}", line.trim_start_matches("python-"))));
            return Ok(());
        }
    }
    let wanted = table.get("project").and_then(|project| project.get("requires-python")?.as_str());
    if let (Some(wanted), Some(file)) = (wanted, project) {
        app.version = Some(wanted.to_owned());
        app.evidence.push(file.says("requires-python", format!("asks for Python {wanted}")));
    }
    Ok(())
}

/// Whether a list of dependencies names a package, as a word of its own at the start of an entry.
fn names_package(text: &str, package: &str) -> bool {
    text.lines().any(|line| {
        let entry = line.trim().trim_start_matches(['"', '\'', '-', ' ']);
        let Some(start) = entry.get(..package.len()) else { return listed_inline(line, package) };
        let next = entry[start.len()..].chars().next();
        (start.eq_ignore_ascii_case(package)
            && next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_'))
            || listed_inline(line, package)
    })
}

/// `dependencies = ["flask>=3", "gunicorn"]` on one line.
fn listed_inline(line: &str, package: &str) -> bool {
    let Some((_, list)) = line.split_once('[') else { return false };
    list.split(',').any(|entry| {
        let entry = entry.trim().trim_start_matches(['"', '\'']).to_ascii_lowercase();
        let end =
            entry.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(entry.len());
        entry[..end] == package.to_ascii_lowercase()
    })
}

/// How it is started: as a Procfile says, as its framework is started, or by its main file.
fn start(
    folder: &Folder,
    depends_on: &dyn Fn(&str) -> Option<Evidence>,
    app: &mut Application,
) -> Result<Option<Vec<String>>, Error> {
    let mut known = |name: &str, evidence: Evidence| {
        app.framework = Some(name.to_owned());
        app.kind = Kind::Server;
        app.port = Some(PORT);
        app.evidence.push(evidence);
    };
    let shell = |line: String| Some(words_or_shell(&line));
    let main = main_file(folder)?;
    let object = |call: &str| {
        main.iter().find_map(|file| Some((module(&file.file), variable(&file.text, call)?, file)))
    };
    let mut start = None;
    if let Some(fact) = depends_on("django") {
        known("django", fact);
        if let Some(package) = django_package(folder)? {
            start = match depends_on("gunicorn") {
                Some(_) => shell(format!("gunicorn {package}.wsgi --bind 0.0.0.0:${{PORT:-{PORT}}}")),
                None => shell(format!("python manage.py runserver --noreload 0.0.0.0:${{PORT:-{PORT}}}")),
            };
        }
    } else if let Some(fact) = depends_on("fastapi").or_else(|| depends_on("starlette")) {
        known(if fact.says.contains("fastapi") { "fastapi" } else { "starlette" }, fact);
        if let Some((module, name, file)) = object("FastAPI(").or_else(|| object("Starlette(")) {
            start = shell(format!("uvicorn {module}:{name} --host 0.0.0.0 --port ${{PORT:-{PORT}}}"));
            app.evidence.push(file.says(&format!("{name} ="), "makes the application object"));
        }
    } else if let Some(fact) = depends_on("flask") {
        known("flask", fact);
        if let Some((module, name, file)) = object("Flask(") {
            start = match depends_on("gunicorn") {
                Some(_) => shell(format!("gunicorn {module}:{name} --bind 0.0.0.0:${{PORT:-{PORT}}}")),
                None => {
                    shell(format!("flask --app {module}:{name} run --host 0.0.0.0 --port ${{PORT:-{PORT}}}"))
                }
            };
            app.evidence.push(file.says(&format!("{name} ="), "makes the application object"));
        }
    } else if let Some(fact) = depends_on("streamlit") {
        known("streamlit", fact);
        if let Some(file) = main.first() {
            let options = "--server.address 0.0.0.0 --server.headless true";
            start = shell(format!("streamlit run {} --server.port ${{PORT:-{PORT}}} {options}", file.file));
        }
    }
    if app.framework.is_none()
        && let Some((name, fact)) = RUN_BY_MAIN_FILE.iter().find_map(|name| Some((*name, depends_on(name)?)))
    {
        app.framework = Some(name.to_owned());
        app.kind = Kind::Server;
        app.evidence.push(fact);
    }
    if let Some(file) = folder.read("Procfile")?
        && let Some(line) = file.text.lines().find_map(|line| line.strip_prefix("web:"))
    {
        app.kind = Kind::Server;
        app.evidence.push(file.says("web:", "the web process"));
        return Ok(shell(line.trim().to_owned()));
    }
    if start.is_some() {
        return Ok(start);
    }
    if let Some(file) =
        folder.read("__main__.py")?.as_ref().or(main.iter().find(|file| !file.file.contains('/')))
    {
        app.evidence.push(file.says("", "the usual name of a main file"));
        return Ok(Some(vec!["python".into(), file.file.clone()]));
    }
    Ok(None)
}

fn main_file(folder: &Folder) -> Result<Vec<Text>, Error> {
    let mut files = Vec::new();
    for name in MAIN_FILES {
        files.extend(folder.read(name)?);
    }
    Ok(files)
}

/// `src/app.py` is imported as `src.app`.
fn module(file: &str) -> String {
    file.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".")
}

/// The name of a top-level variable that a call is assigned to: `app` in `app = FastAPI(`.
fn variable(text: &str, call: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next()?.trim_end();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (is_name && value.contains(call)).then(|| name.to_owned())
    })
}

/// The package that `manage.py` names the settings of.
fn django_package(folder: &Folder) -> Result<Option<String>, Error> {
    let Some(manage) = folder.read("manage.py")? else { return Ok(None) };
    let settings = manage.text.split(['"', '\'']).find(|word| word.ends_with(".settings"));
    Ok(settings.map(|settings| settings.trim_end_matches(".settings").to_owned()))
}

fn assemble(job: &mut Job<'_>) -> Result<Assembly, Error> {
    let command = job.command()?;
    let python = Python::find(job)?;
    (job.log)(&format!("Python {} from {}", python.version, python.prefix.display()));

    let mut base = base::tree()?;
    base::add_shell(&mut base)?;
    python.add_to(&mut base)?;
    base::close(&mut base, Vec::new())?;
    let key = base.key();
    let base_layer = match job.shelf.find(&key, Holds::Base) {
        Some(layer) => layer,
        None => {
            let mut full = base.clone();
            python.add_compiled(job, &key, &mut full)?;
            job.shelf.pack_as(&key, &full, Holds::Base)?
        }
    };

    let (dependencies, project) = install(job, &python)?;
    let mut packages = Tree::new();
    venv_tree(&mut packages, &python, &dependencies, &|_| true)?;
    let addons = elf::in_tree(&packages, elf::own_machine())?;
    for missing in elf::add_libraries(&mut packages, Some(&base), addons)? {
        (job.log)(&format!(
            "note: {} needs {}, which this machine does not have",
            missing.file.display(),
            missing.library
        ));
    }

    let mut files = Tree::new();
    for file in &job.source.files {
        let to = format!("app/{}", file.path);
        match &file.what {
            What::File { executable } => files.file(&to, &job.source.full(file), *executable),
            What::Link { target } => files.link(&to, target),
        }
    }
    if let Some(project) = project {
        // What the project itself adds to its packages belongs to the application's layer.
        let have: BTreeSet<String> = all_files(&dependencies)?;
        venv_tree(&mut files, &python, &project, &|path| !have.contains(path))?;
    }

    let mut path = vec![("PYTHONUNBUFFERED", "1".to_owned()), ("PYTHONDONTWRITEBYTECODE", "1".to_owned())];
    if job.source.files.iter().any(|file| file.path.starts_with("src/")) {
        path.push(("PYTHONPATH", "/app:/app/src".to_owned()));
    } else {
        path.push(("PYTHONPATH", "/app".to_owned()));
    }
    let mut env = base::env(&format!("{VENV}/bin:{}", base::PATH));
    env.extend(path.into_iter().map(|(name, value)| (name.to_owned(), value)));
    env.push(("VIRTUAL_ENV".into(), VENV.into()));
    Ok(Assembly {
        layers: vec![
            base_layer,
            job.shelf.pack(&packages, Holds::Dependencies)?,
            job.shelf.pack(&files, Holds::Application)?,
        ],
        env,
        command,
        architecture: elf::architecture(elf::own_machine()).unwrap_or("amd64"),
    })
}

/// This machine's Python.
#[derive(serde::Deserialize)]
struct Python {
    /// The whole version: `3.11.7`.
    version: String,
    /// `3.11`
    short: String,
    prefix: PathBuf,
    /// The interpreter behind virtual environments, links and shims.
    executable: PathBuf,
    stdlib: PathBuf,
    platstdlib: PathBuf,
    dynload: Option<PathBuf>,
    #[serde(skip)]
    tool: Option<Tool>,
    pip: bool,
}

/// Asks an interpreter about itself.
const PROBE: &str = r#"
import importlib.util, json, os, sys, sysconfig
executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
dynload = sysconfig.get_config_var("DESTSHARED")
print(json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])),
    "short": ".".join(map(str, sys.version_info[:2])),
    "prefix": sys.base_prefix,
    "executable": executable,
    "stdlib": sysconfig.get_path("stdlib"),
    "platstdlib": sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix}),
    "dynload": dynload if dynload and os.path.isdir(dynload) else None,
    "pip": importlib.util.find_spec("pip") is not None,
}))
"#;

/// Parts of the standard library that a deployed application does not use, and that are large or drag in
/// graphics libraries.
const NOT_DEPLOYED: &[&str] = &[
    "test",
    "tests",
    "idlelib",
    "idle_test",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "turtle.py",
    "site-packages",
    "dist-packages",
    "__pycache__",
];

impl Python {
    fn find(job: &mut Job<'_>) -> Result<Python, Error> {
        // `3.12` or `3.12.4`; a range such as `>=3.11` is left to pip, which knows how to compare.
        let wanted = job
            .app
            .version
            .as_deref()
            .filter(|version| version.starts_with("3."))
            .map(|version| version.split('.').take(2).collect::<Vec<_>>().join("."));
        let mut names: Vec<String> = wanted.iter().map(|version| format!("python{version}")).collect();
        names.extend(["python3".to_owned(), "python".to_owned()]);
        let mut last = None;
        for name in &names {
            let Some(tool) = toolchain::look_up(name) else { continue };
            // A shim of a version manager is there for every version, and fails for those that are not.
            let answer = match Run::new(&tool, ["-I", "-c", PROBE], &job.spec.dir).output(&mut |_| {}) {
                Ok(answer) => answer,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            let mut python: Python = serde_json::from_str(&answer).map_err(|error| Error::BadFile {
                path: tool.path.clone(),
                problem: format!("it does not answer as Python does: {error}"),
            })?;
            if wanted.as_ref().is_some_and(|wanted| *wanted != python.short) {
                continue;
            }
            if !python.pip {
                return Err(Error::MissingTool {
                    tool: "pip".into(),
                    why: format!("`{}` installs the application's packages with it", tool.path.display()),
                    install: toolchain::how_to_install("pip"),
                });
            }
            python.tool = Some(tool);
            return Ok(python);
        }
        match (wanted, last) {
            (None, Some(error)) => Err(error),
            (wanted, _) => {
                let tool = wanted.map_or("python3".to_owned(), |version| format!("python{version}"));
                let install = toolchain::how_to_install(&tool);
                Err(Error::MissingTool { tool, why: "this application asks for it".into(), install })
            }
        }
    }

    fn tool(&self) -> &Tool {
        self.tool.as_ref().expect("`find` sets it")
    }

    /// The folders of the standard library, one inside the other left out.
    fn library_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.stdlib.clone()];
        for more in [Some(&self.platstdlib), self.dynload.as_ref()].into_iter().flatten() {
            if more.is_dir() && !folders.iter().any(|folder| more.starts_with(folder)) {
                folders.push(more.clone());
            }
        }
        folders
    }

    /// Adds interpreter and standard library, at the places they have here: the interpreter finds its library by
    /// where it is itself.
    fn add_to(&self, tree: &mut Tree) -> Result<(), Error> {
        let executable = self.executable.to_string_lossy().into_owned();
        tree.file(&executable, &self.executable, true);
        for name in ["python", "python3"] {
            tree.link(&format!("usr/local/bin/{name}"), &executable);
        }
        for folder in self.library_folders() {
            tree.folder_of(&folder.to_string_lossy(), &folder, &deployed)?;
        }
        Ok(())
    }

    /// Adds the compiled standard library: without it every start would compile it anew, since the image's user
    /// may not write the result.
    fn add_compiled(&self, job: &mut Job<'_>, key: &str, tree: &mut Tree) -> Result<(), Error> {
        let staging = job.shared.join(format!("python-{}", &key[..16]));
        for (index, folder) in self.library_folders().iter().enumerate() {
            let copy = staging.join(index.to_string());
            let mut wanted = Tree::new();
            wanted.folder_of("x", folder, &|path| {
                deployed(path) && (path.ends_with(".py") || folder.join(path).is_dir())
            })?;
            for (path, here) in wanted.host_files() {
                let to = copy.join(path.trim_start_matches("x/"));
                if let Some(parent) = to.parent() {
                    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
                }
                std::fs::copy(here, &to).map_err(Error::io("copy", here))?;
            }
            if copy.is_dir() {
                let there = folder.to_string_lossy();
                self.compile(job, &copy, &there)?;
                tree.folder_of(&there, &copy, &|path| path.ends_with(".pyc") || copy.join(path).is_dir())?;
            }
        }
        Ok(())
    }

    /// Compiles a folder that will lie at `there`. The result carries hashes instead of times, is not compared
    /// with its source again, and is the same every time.
    fn compile(&self, job: &mut Job<'_>, folder: &Path, there: &str) -> Result<(), Error> {
        (job.log)(&format!("compiling what goes to {there}"));
        let args = ["-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s"]
            .map(str::to_owned);
        let folder = folder.to_string_lossy().into_owned();
        let args = args.into_iter().chain([folder.clone(), "-p".into(), there.into(), folder.clone()]);
        let run = Run::new(self.tool(), args, &job.work).env("PYTHONHASHSEED", "0");
        // Packages carry files for other versions of Python, which do not compile and are never loaded.
        match run.output(&mut |line| tracing::debug!(line, "compileall")) {
            Ok(_) | Err(Error::ToolFailed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn deployed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !(NOT_DEPLOYED.contains(&name)
        || name.ends_with(".pyc")
        || (name.starts_with("config-") && !path.contains('/'))
        || name.starts_with("_tkinter.")
        || name.starts_with("_test")
        || name.starts_with("_ctypes_test"))
}

/// Installs the application's packages; gives the folder of the environment with them, and of one that has the
/// project itself too, when it is one that is installed.
fn install(job: &mut Job<'_>, python: &Python) -> Result<(PathBuf, Option<PathBuf>), Error> {
    let requirements = job.spec.dir.join("requirements.txt");
    let project_file = job.spec.dir.join("pyproject.toml");
    let text = std::fs::read_to_string(&project_file).unwrap_or_default();
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Error::BadFile {
        path: project_file,
        problem: error.to_string(),
    })?;
    let manager = job.app.package_manager.as_deref().unwrap_or("pip");
    let has_setup = job.spec.dir.join("setup.py").is_file();
    let installable = table.contains_key("build-system") || has_setup;
    if !requirements.is_file() && manager == "pipenv" {
        return Err(Error::Unsupported {
            what: "this application is managed with pipenv, and the direct builder installs with pip".into(),
            help: "write its packages out: `pipenv requirements > requirements.txt`".into(),
        });
    }
    if ["uv", "poetry", "pdm"].contains(&manager) && !requirements.is_file() {
        (job.log)(&format!(
            "warning: versions are chosen by pip from pyproject.toml, not from {manager}'s lock file; \
             a requirements.txt exported from it is installed exactly"
        ));
    }

    let listed: Vec<String> = if requirements.is_file() {
        ["-r", "requirements.txt"].map(str::to_owned).into()
    } else {
        dependencies_of(&table)
    };
    let mut mixer = Mixer::new("venv 1");
    mixer.add(&python.version).add(python.executable.to_string_lossy().as_bytes());
    for word in &listed {
        mixer.add(word);
    }
    for file in job.source.files.iter().filter(|file| is_requirements(&file.path)) {
        mixer.add(&file.path).add(std::fs::read(job.source.full(file)).unwrap_or_default());
    }
    let local = std::fs::read_to_string(&requirements).is_ok_and(|text| names_folder(&text));
    if local {
        mixer.add(job.source.hash()?);
    }
    let key = mixer.hex();

    let app = job.work.join("app");
    work::copy(job.source, &app, &[])?;
    let venv = job.work.join("venv");
    let stamp = job.work.join("installed");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&key) && venv.is_dir() {
        (job.log)("packages are installed already");
    } else {
        let _ = std::fs::remove_file(&stamp);
        empty_venv(&venv, python)?;
        if !listed.is_empty() {
            pip(job, python, &venv, &app, listed)?;
        }
        finish_venv(job, python, &venv)?;
        write_whole(&stamp, key.as_bytes())?;
    }
    // With a requirements.txt the project is run from its folder, as it is written there.
    if !installable || requirements.is_file() {
        return Ok((venv, None));
    }
    let full = job.work.join("venv-project");
    work::link_copy(&venv, &full, &[])?;
    pip(job, python, &full, &app, vec!["--no-deps".into(), ".".into()])?;
    finish_venv(job, python, &full)?;
    Ok((venv, Some(full)))
}

fn is_requirements(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".txt") && (name.contains("require") || name.contains("constraint"))
        || path.starts_with("requirements/")
}

/// Whether a list of requirements names a folder of the project (`.`, `-e ./lib`), whose content then counts.
fn names_folder(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| {
        let line =
            line.strip_prefix("-e ").or_else(|| line.strip_prefix("--editable ")).unwrap_or(line).trim();
        line == "." || line.starts_with("./") || line.starts_with(".[") || line.starts_with("file:")
    })
}

/// The packages that `pyproject.toml` lists.
fn dependencies_of(project: &toml::Table) -> Vec<String> {
    let list = project.get("project").and_then(|project| project.get("dependencies")?.as_array());
    let mut found: Vec<String> =
        list.into_iter().flatten().filter_map(|entry| entry.as_str().map(str::to_owned)).collect();
    let poetry = project.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies")?.as_table());
    for (name, version) in poetry.into_iter().flatten().filter(|(name, _)| *name != "python") {
        let version =
            version.as_str().or_else(|| version.get("version").and_then(toml::Value::as_str)).unwrap_or("*");
        found.push(format!("{name}{}", poetry_range(version)));
    }
    found
}

/// Poetry's `^1.2.3` and `~1.2` in the words of pip.
fn poetry_range(version: &str) -> String {
    let version = version.trim();
    if version == "*" {
        return String::new();
    }
    let (caret, bare) = match version.split_at_checked(1) {
        Some(("^", bare)) => (true, bare),
        Some(("~", bare)) => (false, bare),
        _ if version.starts_with(|c: char| c.is_ascii_digit()) => return format!("=={version}"),
        _ => return version.to_owned(),
    };
    let parts: Vec<u64> = bare.split('.').map_while(|part| part.parse().ok()).collect();
    // A caret keeps everything up to the first number that is not zero; a tilde keeps the first two.
    let kept = match caret {
        true => parts.iter().position(|part| *part != 0).unwrap_or(parts.len().saturating_sub(1)) + 1,
        false => parts.len().min(2),
    };
    let Some(upper) = parts.get(..kept).and_then(|kept| {
        let (last, first) = kept.split_last()?;
        Some(first.iter().map(u64::to_string).chain([(last + 1).to_string()]).collect::<Vec<_>>().join("."))
    }) else {
        return String::new();
    };
    format!(">={bare},<{upper}")
}

/// Makes a virtual environment by hand: the module that usually does needs a package more on Debian, and puts in
/// what an image has no use for.
fn empty_venv(venv: &Path, python: &Python) -> Result<(), Error> {
    if venv.exists() {
        std::fs::remove_dir_all(venv).map_err(Error::io("remove", venv))?;
    }
    let packages = venv.join(format!("lib/python{}/site-packages", python.short));
    for folder in [&packages, &venv.join("bin")] {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let link = venv.join("bin/python");
    std::os::unix::fs::symlink(&python.executable, &link).map_err(Error::io("write", &link))?;
    std::fs::write(venv.join("pyvenv.cfg"), pyvenv(python))
        .map_err(Error::io("write", venv.join("pyvenv.cfg")))
}

fn pyvenv(python: &Python) -> String {
    let home = python.executable.parent().unwrap_or(Path::new("/")).display();
    format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", python.version)
}

fn pip(job: &mut Job<'_>, python: &Python, venv: &Path, dir: &Path, what: Vec<String>) -> Result<(), Error> {
    let interpreter = venv.join("bin/python").to_string_lossy().into_owned();
    let mut args: Vec<String> = ["-m", "pip", "--python"].map(str::to_owned).into();
    args.push(interpreter);
    args.extend(
        [
            "install",
            "--no-compile",
            "--no-warn-script-location",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar=off",
        ]
        .map(str::to_owned),
    );
    args.extend(what);
    let run =
        Run::new(python.tool(), args, dir).env("PIP_ROOT_USER_ACTION", "ignore").env("PYTHONHASHSEED", "0");
    run.stream(job.log).map_err(|error| match error {
        Error::ToolFailed { tail, .. }
            if tail.iter().any(|line| line.contains("no such option: --python")) =>
        {
            Error::MissingTool {
                tool: "pip".into(),
                why: "its version must be 22.3 or later".into(),
                install: "`python3 -m pip install --upgrade pip`".into(),
            }
        }
        error => error,
    })
}

/// Takes out of an environment whatever names the folder it was made in, and compiles it.
fn finish_venv(job: &mut Job<'_>, python: &Python, venv: &Path) -> Result<(), Error> {
    let packages = venv.join(format!("lib/python{}/site-packages", python.short));
    let here = venv.to_string_lossy().into_owned();
    let scripts = venv.join("bin");
    let mut changed = BTreeSet::new();
    for entry in std::fs::read_dir(&scripts).map_err(Error::io("read", &scripts))?.flatten() {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let Some(script) = relocated(&bytes, &here) else { continue };
        // Written anew under its name: the old file may be shared with another environment.
        let mode = entry.metadata().map_err(Error::io("read", &path))?.permissions();
        write_whole(&path, script.as_bytes())?;
        std::fs::set_permissions(&path, mode).map_err(Error::io("write", &path))?;
        changed.insert(entry.file_name().to_string_lossy().into_owned());
    }
    for entry in std::fs::read_dir(&packages).map_err(Error::io("read", &packages))?.flatten() {
        let info = entry.path();
        if info.extension().is_none_or(|end| end != "dist-info") {
            continue;
        }
        let origin = info.join("direct_url.json");
        let local = std::fs::read_to_string(&origin).is_ok_and(|text| text.contains("\"file://"));
        if local {
            std::fs::remove_file(&origin).map_err(Error::io("remove", &origin))?;
        }
        correct_record(&info.join("RECORD"), &scripts, &changed, local)?;
    }
    python.compile(job, &packages, &format!("{VENV}/lib/python{}/site-packages", python.short))
}

/// A script that runs in the image: its first line, short or in the long form for deep folders, names the
/// interpreter there.
fn relocated(script: &[u8], here: &str) -> Option<String> {
    let text = std::str::from_utf8(script).ok()?;
    let interpreter = format!("#!{VENV}/bin/python\n");
    let (first, rest) = text.split_once('\n')?;
    if first.starts_with("#!") && first.contains(here) {
        return Some(interpreter + &rest.replace(here, VENV));
    }
    if first == "#!/bin/sh" && rest.starts_with("'''exec' ") && rest.contains(here) {
        let (_, rest) = rest.split_once("\n' '''\n")?;
        return Some(interpreter + &rest.replace(here, VENV));
    }
    None
}

/// Corrects the list of installed files where scripts were rewritten or a file was taken away.
fn correct_record(
    record: &Path,
    scripts: &Path,
    changed: &BTreeSet<String>,
    removed_origin: bool,
) -> Result<(), Error> {
    let Ok(text) = std::fs::read_to_string(record) else { return Ok(()) };
    let mut lines = Vec::new();
    for line in text.lines() {
        let file = line.split(',').next().unwrap_or_default();
        if removed_origin && file.ends_with("/direct_url.json") {
            continue;
        }
        let script = file.strip_prefix("../../../bin/").filter(|name| changed.contains(*name));
        match script.and_then(|name| std::fs::read(scripts.join(name)).ok()) {
            Some(bytes) => {
                lines.push(format!("{file},sha256={},{}", base64_url(&hash::of(&bytes)), bytes.len()))
            }
            None => lines.push(line.to_owned()),
        }
    }
    let corrected = lines.join("\n") + "\n";
    if corrected != text { write_whole(record, corrected.as_bytes()) } else { Ok(()) }
}

/// A hash in the form of the wheel format: URL-safe base 64 without padding.
fn base64_url(hex_hash: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = hex::decode(hex_hash).unwrap_or_default();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * index)) as usize & 63]));
        }
    }
    text
}

/// Adds an environment to a tree at its place in the image.
fn venv_tree(
    tree: &mut Tree,
    python: &Python,
    venv: &Path,
    keep: &dyn Fn(&str) -> bool,
) -> Result<(), Error> {
    let root = VENV.trim_start_matches('/');
    tree.folder_of(root, venv, &|path| {
        let in_bin = path.strip_prefix("bin/");
        let made_by_hand =
            in_bin.is_some_and(|name| name.starts_with("python")) || path == "pyvenv.cfg" || path == "lib64";
        !made_by_hand && (keep(path) || venv.join(path).is_dir())
    })?;
    let version = format!("python{}", python.short);
    tree.link(&format!("{root}/bin/python"), &python.executable.to_string_lossy());
    tree.link(&format!("{root}/bin/python3"), "python");
    tree.link(&format!("{root}/bin/{version}"), "python");
    tree.bytes(&format!("{root}/pyvenv.cfg"), pyvenv(python));
    Ok(())
}

fn all_files(folder: &Path) -> Result<BTreeSet<String>, Error> {
    let mut tree = Tree::new();
    tree.folder_of("x", folder, &|_| true)?;
    Ok(tree.host_files().map(|(path, _)| path.trim_start_matches("x/").to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_application_object_is_found() {
        assert_eq!(variable("import x\napp = FastAPI(title='x')\n", "FastAPI(").as_deref(), Some("app"));
        assert_eq!(variable("api: FastAPI = FastAPI()\n", "FastAPI(").as_deref(), Some("api"));
        assert_eq!(variable("    inner = FastAPI()\n", "FastAPI("), None);
    }

    #[test]
    fn a_package_is_recognised_only_as_a_whole_word() {
        assert!(names_package("flask==3.0\n", "flask"));
        assert!(names_package("Flask[async]>=3\n", "flask"));
        assert!(names_package("dependencies = [\"flask>=3\", \"gunicorn\"]\n", "gunicorn"));
        assert!(names_package("  \"flask>=3\",\n", "flask"));
        assert!(!names_package("flask-cors\n", "flask"));
        assert!(!names_package("# flask\n", "flask"));
    }

    #[test]
    fn ranges_of_poetry_are_given_to_pip_in_its_own_words() {
        assert_eq!(poetry_range("^1.2.3"), ">=1.2.3,<2");
        assert_eq!(poetry_range("^0.4.1"), ">=0.4.1,<0.5");
        assert_eq!(poetry_range("~1.2.3"), ">=1.2.3,<1.3");
        assert_eq!(poetry_range(">=1,<3"), ">=1,<3");
        assert_eq!(poetry_range("1.2.3"), "==1.2.3");
        assert_eq!(poetry_range("*"), "");
    }

    #[test]
    fn scripts_name_the_interpreter_of_the_image() {
        let short = relocated(b"#!/w/venv/bin/python3.11\nimport a\n", "/w/venv");
        assert_eq!(short.as_deref(), Some("#!/app/.venv/bin/python\nimport a\n"));
        let long =
            relocated(b"#!/bin/sh\n'''exec' /w/venv/bin/python \"$0\" \"$@\"\n' '''\nimport a\n", "/w/venv");
        assert_eq!(long, short);
        assert_eq!(relocated(b"#!/bin/sh\necho\n", "/w/venv"), None);
    }

    #[test]
    fn record_hashes_are_those_of_the_wheel_format() {
        // SHA-256 of nothing, as pip writes it for an empty file.
        assert_eq!(base64_url(&hash::of(b"")), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
