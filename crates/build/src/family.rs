//! The families of applications, one file each, and what they share.
//!
//! A family knows how to recognise its applications and how to make layers of them. Adding one is a file under
//! `family/` and a line in [`FAMILIES`].

pub(crate) mod node;
pub(crate) mod prebuilt;
pub(crate) mod python;
pub(crate) mod rust;
pub(crate) mod static_site;

use crate::image::Layer;
use crate::layers::Shelf;
use crate::source::{Rules, Source};
use crate::{Application, Error, Evidence, Kind, Spec};
use std::path::{Path, PathBuf};

/// Every family, in the order in which they are asked.
pub(crate) const FAMILIES: &[&Family] =
    &[&rust::FAMILY, &python::FAMILY, &node::FAMILY, &static_site::FAMILY, &prebuilt::FAMILY];

/// How far apart two answers must be for the surer one to be taken without asking.
const CLEAR_LEAD: f64 = 0.25;

/// What a family can do.
pub(crate) struct Family {
    /// What the folder is searched for, for the message when nothing was found.
    pub(crate) looks_for: &'static str,
    /// Says what the folder is, when it is of this family.
    pub(crate) detect: fn(&Folder) -> Result<Option<Application>, Error>,
    /// The programs of this machine that shape the image.
    pub(crate) tools: &'static [&'static str],
    /// The lock file that its build adds to a source that has none.
    pub(crate) writes_lock: Option<&'static str>,
    /// The folders whose content shapes the image: the source, and what the build reads beside it.
    pub(crate) reads: fn(&Path) -> Result<Vec<PathBuf>, Error>,
    /// Builds the application and packs its layers.
    pub(crate) assemble: fn(&mut Job<'_>) -> Result<Assembly, Error>,
}

/// One build under way.
pub(crate) struct Job<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) app: &'a Application,
    pub(crate) source: &'a Source,
    /// A folder of this service's own, kept between builds.
    pub(crate) work: PathBuf,
    /// A folder that all services share, kept between builds.
    pub(crate) shared: PathBuf,
    pub(crate) shelf: &'a Shelf,
    pub(crate) log: &'a mut dyn FnMut(&str),
}

/// What a family made.
pub(crate) struct Assembly {
    /// Lowest first.
    pub(crate) layers: Vec<Layer>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) command: Vec<String>,
    /// OCI's word for the machine the image runs on.
    pub(crate) architecture: &'static str,
}

impl Job<'_> {
    /// The command that the image starts: the user's, or the one that was found.
    pub(crate) fn command(&self) -> Result<Vec<String>, Error> {
        let chosen = self.spec.command.as_ref().or(self.app.start.as_ref());
        chosen.filter(|command| !command.is_empty()).cloned().ok_or_else(|| Error::NoStart {
            dir: self.spec.dir.clone(),
            language: self.app.language.clone(),
            how: start_help(&self.app.language).into(),
        })
    }
}

fn start_help(language: &str) -> &'static str {
    match language {
        "node" => "add a `start` script to package.json, or give the service a `command`",
        "python" => {
            "add a Procfile with a line `web: …`, name the main file main.py or app.py, or give the service a `command`"
        }
        _ => "give the service a `command`",
    }
}

/// A folder as detection sees it: its top level, without what `.landfallignore` takes away.
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    names: Vec<String>,
    rules: Rules,
}

impl Folder {
    pub(crate) fn open(root: &Path) -> Result<Folder, Error> {
        let rules = Rules::read(root);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(root).map_err(Error::io("read", root))? {
            let entry = entry.map_err(Error::io("read", root))?;
            if let Ok(name) = entry.file_name().into_string()
                && !rules.ignores(&name)
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(Folder { root: root.into(), names, rules })
    }

    /// Names at the top level, sorted.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists() && !self.rules.ignores(path)
    }

    /// Reads a text file; `None` when it is not there.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Text>, Error> {
        if self.rules.ignores(path) {
            return Ok(None);
        }
        let full = self.root.join(path);
        match std::fs::read(&full) {
            Ok(bytes) => {
                Ok(Some(Text { file: path.into(), full, text: String::from_utf8_lossy(&bytes).into() }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => Ok(None),
            Err(error) => Err(Error::io("read", full)(error)),
        }
    }

    /// The first of these files that is there.
    pub(crate) fn first(&self, paths: &[&str]) -> Result<Option<Text>, Error> {
        for path in paths {
            if let Some(text) = self.read(path)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }
}

/// A text file of the project.
pub(crate) struct Text {
    /// Relative to the folder.
    pub(crate) file: String,
    pub(crate) full: PathBuf,
    pub(crate) text: String,
}

impl Text {
    /// Says something about this file, at the line that contains `needle`.
    pub(crate) fn says(&self, needle: &str, says: impl Into<String>) -> Evidence {
        let line = self.text.lines().position(|line| line.contains(needle)).map(|index| index + 1);
        Evidence { file: self.file.clone(), line: line.filter(|_| !needle.is_empty()), says: says.into() }
    }

    pub(crate) fn bad(&self, problem: impl std::fmt::Display) -> Error {
        Error::BadFile { path: self.full.clone(), problem: problem.to_string() }
    }

    /// The first line that is neither empty nor a comment.
    pub(crate) fn first_line(&self) -> Option<&str> {
        self.text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
    }

    pub(crate) fn toml(&self) -> Result<toml::Table, Error> {
        self.text.parse().map_err(|error| self.bad(error))
    }
}

/// An application of which only the language is known yet.
pub(crate) fn application(dir: &Path, language: &str, kind: Kind) -> Application {
    Application {
        dir: dir.into(),
        language: language.into(),
        version: None,
        framework: None,
        package_manager: None,
        kind,
        install: None,
        build: None,
        start: None,
        output: None,
        port: None,
        evidence: Vec::new(),
        confidence: 0.9,
    }
}

/// Everything that a folder (or a single program) may be, surest first.
pub(crate) fn candidates(dir: &Path) -> Result<Vec<(&'static Family, Application)>, Error> {
    if dir.is_file() {
        return Ok(prebuilt::detect_file(dir)?.map(|app| (&prebuilt::FAMILY, app)).into_iter().collect());
    }
    if !dir.is_dir() {
        return Err(Error::NoSource { path: dir.into() });
    }
    let folder = Folder::open(dir)?;
    let mut found = Vec::new();
    for family in FAMILIES {
        if let Some(app) = (family.detect)(&folder)? {
            found.push((*family, app));
        }
    }
    // Stable: of two that are equally sure, the one asked first stays first.
    found.sort_by(|a, b| b.1.confidence.total_cmp(&a.1.confidence));
    Ok(found)
}

/// The one answer that a build goes by.
pub(crate) fn choose(dir: &Path) -> Result<(&'static Family, Application), Error> {
    let mut found = candidates(dir)?.into_iter();
    let Some(first) = found.next() else {
        let looked_for = FAMILIES.iter().map(|family| family.looks_for).collect::<Vec<_>>().join("; ");
        return Err(Error::Unrecognised { dir: dir.into(), looked_for });
    };
    match found.next() {
        Some(second) if first.1.confidence - second.1.confidence < CLEAR_LEAD => Err(Error::Ambiguous {
            question: format!(
                "`{}` may be a {} or a {} application",
                dir.display(),
                first.1.language,
                second.1.language
            ),
            choices: [&first, &second].map(|(_, app)| format!("{} ({})", app.language, because(app))).into(),
            how: "name the file that does not count in `.landfallignore`".into(),
        }),
        _ => Ok(first),
    }
}

fn because(app: &Application) -> String {
    app.evidence.first().map_or("it looks like one".into(), |fact| fact.file.clone())
}

/// A family that reads nothing beside its source.
pub(crate) fn reads_itself(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(vec![dir.into()])
}

/// Turns a command line from a project file into words, or gives it to the shell when it needs one.
pub(crate) fn words_or_shell(line: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+ ".contains(c);
    let first = line.split_whitespace().next().unwrap_or_default();
    if line.chars().all(plain) && !first.contains('=') {
        return line.split_whitespace().map(str::to_owned).collect();
    }
    // `exec` lets the program have the shell's place, so that it gets the signal to stop.
    let one_command = !line.contains(['&', '|', ';', '\n', '(']) && !first.contains('=');
    let line = if one_command && first != "exec" { format!("exec {line}") } else { line.to_owned() };
    vec!["/bin/sh".into(), "-c".into(), line]
}
