//! The programs of this machine: finding them, and running them with a known environment.

use crate::Error;
use crate::hash::Mixer;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// How many of a failed tool's last lines an error carries: a compiler's message with its context.
const TAIL_LINES: usize = 40;

/// Variables that a build may see. All others stay with the caller: a secret in the shell that runs Landfall
/// has no business in a dependency's install script.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TMPDIR",
    "TZ",
    "TERM",
    "SOURCE_DATE_EPOCH",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "NODE_OPTIONS",
    "RUSTFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "CC",
    "CXX",
    "AR",
    "LD",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "PKG_CONFIG_PATH",
    "LIBRARY_PATH",
    "CPATH",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
];

/// Families of variables that a build may see.
const PASSED_ON_PREFIXES: &[&str] =
    &["LC_", "PIP_", "npm_config_", "NPM_CONFIG_", "CARGO_", "RUSTUP_", "PYENV_", "UV_", "ASDF_"];

/// What `cargo run` tells the program it starts. It is about Landfall, not about the application.
const ABOUT_US: &[&str] = &[
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_PRIMARY_",
    "CARGO_TARGET_",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
];

/// A program that was found.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Finds a program in `PATH`, or says how to install it.
pub(crate) fn find(name: &str, why: &str) -> Result<Tool, Error> {
    look_up(name).ok_or_else(|| Error::MissingTool {
        tool: name.into(),
        why: why.into(),
        install: how_to_install(name),
    })
}

/// Finds a program in `PATH`.
pub(crate) fn look_up(name: &str) -> Option<Tool> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| {
            file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
        })
        .map(|path| Tool { name: name.into(), path })
}

/// What to type on Debian to get a program.
pub(crate) fn how_to_install(name: &str) -> String {
    match name {
        "cargo" => "install Rust from https://rustup.rs, or on Debian: `apt-get install cargo`".into(),
        "cc" => "on Debian: `apt-get install gcc libc6-dev`".into(),
        "node" => "on Debian: `apt-get install nodejs`".into(),
        "npm" => "on Debian: `apt-get install npm`".into(),
        "pip" => "on Debian: `apt-get install python3-pip`".into(),
        name if name.starts_with("python3.") => {
            format!("on Debian: `apt-get install {name}`, or `pyenv install {}`", &name["python".len()..])
        }
        name if name.starts_with("python") => "on Debian: `apt-get install python3 python3-pip`".into(),
        name => format!("on Debian: `apt-get install {name}`"),
    }
}

impl Tool {
    /// Hashes which program this is, without starting it.
    ///
    /// A version manager's shim stays the same when the version behind it changes, so the files that choose the
    /// version are hashed with it.
    pub(crate) fn identity(&self, mixer: &mut Mixer) {
        let real = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        stamp(mixer, &real);
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
        let rustup = std::env::var_os("RUSTUP_HOME").map_or_else(|| home.join(".rustup"), PathBuf::from);
        if self.path.starts_with(&pyenv) {
            mixer.add(std::fs::read(pyenv.join("version")).unwrap_or_default());
            mixer.add(std::env::var("PYENV_VERSION").unwrap_or_default());
        }
        if self.name == "cargo" {
            mixer.add(std::fs::read(rustup.join("settings.toml")).unwrap_or_default());
        }
    }
}

/// Adds which file this is, by what the system says about it: enough to see that it was replaced.
pub(crate) fn stamp(mixer: &mut Mixer, path: &Path) {
    mixer.add(path.as_os_str().as_encoded_bytes());
    if let Ok(about) = path.metadata() {
        mixer.add(about.len().to_le_bytes());
        mixer.add(about.mtime().to_le_bytes()).add(about.mtime_nsec().to_le_bytes());
    }
}

/// One run of a tool.
pub(crate) struct Run<'a> {
    pub(crate) tool: &'a Tool,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: &'a Path,
    pub(crate) env: Vec<(&'a str, OsString)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new<S: AsRef<OsStr>>(
        tool: &'a Tool,
        args: impl IntoIterator<Item = S>,
        dir: &'a Path,
    ) -> Run<'a> {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Run { tool, args, dir, env: Vec::new() }
    }

    pub(crate) fn env(mut self, name: &'a str, value: impl Into<OsString>) -> Run<'a> {
        self.env.push((name, value.into()));
        self
    }

    /// Runs it to its end; every line it prints goes to `log`.
    pub(crate) fn stream(self, log: &mut dyn FnMut(&str)) -> Result<(), Error> {
        log(&format!("$ {}", self.line()));
        self.run(log, false).map(|_| ())
    }

    /// Runs it to its end and gives back its standard output; its standard error goes to `log`.
    pub(crate) fn output(self, log: &mut dyn FnMut(&str)) -> Result<String, Error> {
        self.run(log, true)
    }

    /// The command as one would type it.
    fn line(&self) -> String {
        let words = std::iter::once(self.tool.name.clone());
        words.chain(self.args.iter().map(|arg| quoted(&arg.to_string_lossy()))).collect::<Vec<_>>().join(" ")
    }

    fn run(self, log: &mut dyn FnMut(&str), keep_stdout: bool) -> Result<String, Error> {
        let mut command = Command::new(&self.tool.path);
        command.args(&self.args).current_dir(self.dir).env_clear().envs(environment());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(Error::io("start", &self.tool.path))?;
        let mut child = KilledOnDrop(child);

        let (lines, received) = mpsc::channel::<(bool, String)>();
        let readers = [
            read_lines(child.0.stdout.take(), true, lines.clone()),
            read_lines(child.0.stderr.take(), false, lines),
        ];
        let mut kept = String::new();
        let mut tail = VecDeque::new();
        for (from_stdout, line) in received {
            if from_stdout && keep_stdout {
                kept.push_str(&line);
                kept.push('\n');
                continue;
            }
            log(&line);
            if !line.trim().is_empty() {
                tail.push_back(line);
            }
            if tail.len() > TAIL_LINES {
                tail.pop_front();
            }
        }
        for reader in readers.into_iter().flatten() {
            // A reader ends with its pipe; it has nothing to say.
            let _ = reader.join();
        }
        let status = child.0.wait().map_err(Error::io("wait for", &self.tool.path))?;
        if status.success() {
            return Ok(kept);
        }
        let in_words = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => status.to_string(),
        };
        Err(Error::ToolFailed { command: self.line(), status: in_words, tail: tail.into() })
    }
}

/// The part of our environment that a build may see.
fn environment() -> Vec<(OsString, OsString)> {
    let under_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    std::env::vars_os()
        .filter(|(name, _)| {
            let Some(name) = name.to_str() else { return false };
            // `cargo run` pins our own toolchain; the application chooses its own.
            let ours = ABOUT_US.iter().any(|prefix| name.starts_with(prefix))
                || (under_cargo && name == "RUSTUP_TOOLCHAIN");
            let wanted =
                PASSED_ON.contains(&name) || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            wanted && !ours
        })
        .collect()
}

/// A child that does not outlive an error in the one who waits for it.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn read_lines(
    pipe: Option<impl Read + Send + 'static>,
    stdout: bool,
    lines: mpsc::Sender<(bool, String)>,
) -> Option<std::thread::JoinHandle<()>> {
    let pipe = pipe?;
    Some(std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&bytes);
            // What a progress bar drew over is no line of its own.
            let shown =
                text.trim_end_matches(['\n', '\r']).rsplit('\r').next().unwrap_or_default().to_owned();
            if lines.send((stdout, shown)).is_err() {
                return;
            }
            bytes.clear();
        }
    }))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
