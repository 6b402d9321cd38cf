//! Unpacking an image into a folder and running it there, with nothing of this machine but its kernel.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that is not as expected")]

use landfall_build::{Image, Spec};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The examples of this repository.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).canonicalize().unwrap()
}

pub fn spec(service: &str, dir: &Path, port: Option<u16>) -> Spec {
    Spec { service: service.into(), dir: dir.into(), port, command: None, static_server: None }
}

/// Builds, and fails with everything that was logged.
pub fn build(spec: &Spec, scratch: &Path) -> Image {
    let mut log = Vec::new();
    match landfall_build::build(spec, scratch, &mut |line| log.push(line.to_owned())) {
        Ok(image) => image,
        Err(error) => panic!("{error}\n{}", log.join("\n")),
    }
}

/// Says why a test that needs these programs, and root, cannot run here; nothing when it can.
pub fn cannot(tools: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    if let Some(tool) = tools.iter().chain(&["unshare"]).find(|tool| !has(tool)) {
        return Some(format!("skipped: `{tool}` is not installed"));
    }
    let id = Command::new("id").arg("-u").output().unwrap();
    (id.stdout != b"0\n").then(|| "skipped: changing the root folder needs root".to_owned())
}

/// An image unpacked into a folder.
pub struct Rootfs {
    pub dir: tempfile::TempDir,
    pub config: Value,
}

impl Rootfs {
    pub fn unpack(image: &Image) -> Rootfs {
        let dir = tempfile::tempdir().unwrap();
        for layer in &image.layers {
            let file = std::fs::File::open(&layer.path).unwrap();
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
            archive.set_preserve_permissions(true);
            archive.set_preserve_ownerships(true);
            archive.unpack(dir.path()).unwrap();
        }
        // The folder that `tempfile` made is for its owner only; the container's user must get through it.
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Rootfs { dir, config: serde_json::from_slice(&image.config).unwrap() }
    }

    /// Starts the image's command as the image's user, with `PORT` and the variables given.
    pub fn start(&self, port: u16, more: &[(&str, &str)]) -> Running {
        let user = self.config["config"]["User"].as_str().unwrap();
        let words: Vec<&str> =
            self.config["config"]["Cmd"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let mut command = self.command(user, &words);
        command.env("PORT", port.to_string());
        command.envs(more.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: command.spawn().unwrap(), port }
    }

    /// Runs a command in the image and gives back what it prints.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.command("10001", words).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {}\n{error}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, user: &str, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        // The loader reads from /proc where a program lies, for those that find their libraries by that.
        command.arg("--mount-proc");
        command.arg(format!("--root={}", self.dir.path().display()));
        command.arg(format!("--wd={}", self.config["config"]["WorkingDir"].as_str().unwrap()));
        command.args([format!("--setgid={user}"), format!("--setuid={user}"), "--".into()]).args(words);
        command.env_clear();
        for pair in self.config["config"]["Env"].as_array().unwrap() {
            let (name, value) = pair.as_str().unwrap().split_once('=').unwrap();
            command.env(name, value);
        }
        command
    }
}

/// A started image. It is killed when the test ends.
pub struct Running {
    child: Child,
    pub port: u16,
}

impl Running {
    /// Asks for a path until it is answered, and gives the whole answer.
    pub fn get(&mut self, path: &str) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(answer) = ask(self.port, path) {
                return answer;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the program ended with {status}\n{}", self.output());
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                let output = self.output();
                panic!("no answer on port {}\n{output}", self.port);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        // `kill` of the shell: the program of that name is a package of its own.
        let line = format!("kill -TERM {}", self.child.id());
        let status = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit code, nothing when a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn output(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            let _ = out.read_to_string(&mut text);
        }
        if let Some(mut err) = self.child.stderr.take() {
            let _ = err.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn ask(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
