//! The highest rung of the ladder: a container engine of this machine that speaks Docker's API, Docker before Podman.
//!
//! A container gets its image from the unpacked folder, imported once per digest, and the machine's network, as on
//! the other rungs: it is told a port of its own by `PORT`. Ports and memory in use are read from the machine's
//! `/proc`, so an engine in a virtual machine (Docker Desktop) is no rung; that is found out by what the engine says
//! of its kernel and by a container on trial, never guessed.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateImageOptions, ListContainersOptions, LogsOptions, RemoveContainerOptions, RemoveImageOptions,
    StopContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker, body_try_stream};
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::image::{Image, short_hash};
use super::logs::{Log, Stream};
use super::sandbox::Launch;
use super::trust::{self, Trust};
use super::volumes::Mounted;

/// For one answer of the engine; pulls of nothing, so far less than Docker's own two minutes.
const ANSWER_MAX_SECONDS: u64 = 60;
/// An engine that does not answer by then is none.
const TRIAL_MAX: Duration = Duration::from_secs(10);
/// Whose containers they are: the runtime's folder.
const OWNER: &str = "dev.landfall.local";
/// Where imported images are kept, by digest.
const REPOSITORY: &str = "landfall.local/image";

/// An engine that works here.
#[derive(Clone)]
pub(crate) struct Engine {
    docker: Docker,
    name: String,
    owner: String,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Engine {
    /// The first engine that runs a container on trial. Blocks while it tries; costs nothing where no engine listens.
    pub fn find(folder: &Path) -> Option<Engine> {
        let sockets: Vec<PathBuf> = sockets().into_iter().filter(|socket| socket.exists()).collect();
        if sockets.is_empty() {
            return None;
        }
        let folder = folder.to_owned();
        // a thread of its own, since whoever asks is in a runtime and may not block in it
        let tried = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                for socket in sockets {
                    match tokio::time::timeout(TRIAL_MAX, Engine::on_trial(&socket, &folder)).await {
                        Ok(Ok(engine)) => return Some(engine),
                        Ok(Err(why)) => {
                            tracing::debug!(socket = %socket.display(), %why, "engine does not work")
                        }
                        Err(_) => tracing::debug!(socket = %socket.display(), "engine does not answer"),
                    }
                }
                None
            })
        });
        tried.join().ok().flatten()
    }

    async fn on_trial(socket: &Path, folder: &Path) -> Result<Engine, String> {
        let engine = Engine::connect(socket, folder).await?;
        engine.must_share_the_kernel().await?;
        engine.remove_leftovers().await;
        engine.run_trial(folder).await?;
        Ok(engine)
    }

    /// The engine behind a socket, at the API version that both know.
    pub async fn connect(socket: &Path, folder: &Path) -> Result<Engine, String> {
        let socket = socket.display().to_string();
        let docker =
            Docker::connect_with_unix(&socket, ANSWER_MAX_SECONDS, API_DEFAULT_VERSION).map_err(text)?;
        let docker = docker.negotiate_version().await.map_err(text)?;
        let told = docker.version().await.map_err(text)?;
        let podman = told.components.iter().flatten().any(|part| part.name.starts_with("Podman"));
        let version = told.version.unwrap_or_default();
        let name = format!("{} {version}", if podman { "Podman" } else { "Docker" });
        Ok(Engine { docker, name, owner: folder.display().to_string() })
    }

    /// One line for `local status`.
    pub fn describe(&self) -> String {
        format!("{} (own files and processes; the machine's network)", self.name)
    }

    async fn must_share_the_kernel(&self) -> Result<(), String> {
        let theirs = self.docker.info().await.map_err(text)?.kernel_version.unwrap_or_default();
        let ours = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        if theirs == ours.trim() { Ok(()) } else { Err(format!("it runs on another kernel: {theirs}")) }
    }

    /// Removes containers that an earlier run in this folder left behind.
    async fn remove_leftovers(&self) {
        let label = vec![format!("{OWNER}={}", self.owner)];
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), label)])),
            ..Default::default()
        };
        for container in self.docker.list_containers(Some(options)).await.unwrap_or_default() {
            if let Some(id) = container.id {
                remove(&self.docker, &id).await;
            }
        }
    }

    /// Runs `true` in an image made for the trial.
    async fn run_trial(&self, folder: &Path) -> Result<(), String> {
        let trial = folder.join("trial");
        let root = trial.join("rootfs");
        super::image::remove_tree(&trial);
        let image = Image {
            digest: format!("trial-{}", short_hash(&self.owner)),
            root: root.clone(),
            config: super::image::Config { workdir: "/".into(), ..Default::default() },
        };
        let copied = super::sandbox::copy_program(Path::new("/bin/true"), &root);
        let launch = Launch {
            image: &image,
            scratch: &trial,
            command: vec!["/bin/true".into()],
            env: Vec::new(),
            hosts: String::new(),
            mounts: &[],
            hostname: "trial".into(),
            authority: "",
        };
        let outcome = async {
            copied.map_err(|error| error.to_string())?;
            let mut container =
                self.start(&launch, Log::new(None)).await.map_err(|error| error.to_string())?;
            let status = container.wait().await.map_err(|error| error.to_string())?;
            container.end(Duration::ZERO).await;
            if status.success() { Ok(()) } else { Err(format!("the container on trial ended with {status}")) }
        };
        let outcome = outcome.await;
        let _ = self.docker.remove_image(&tag(&image), None::<RemoveImageOptions>, None).await;
        super::image::remove_tree(&trial);
        outcome
    }

    /// Starts a container, with its output going to `log`.
    pub async fn start(&self, launch: &Launch<'_>, log: Arc<Log>) -> io::Result<Container> {
        if launch.command.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no command specified: neither the image nor the container names one",
            ));
        }
        self.import(launch.image).await?;
        let created = self
            .docker
            .create_container(None, self.body(launch, &trusted(launch)?))
            .await
            .map_err(io::Error::other)?;
        let mut container =
            Container { docker: self.docker.clone(), id: created.id, pid: 0, output: None, removed: false };
        self.docker.start_container(&container.id, None).await.map_err(io::Error::other)?;
        container.output = Some(tokio::spawn(follow(self.docker.clone(), container.id.clone(), log)));
        let shown = self.docker.inspect_container(&container.id, None).await.map_err(io::Error::other)?;
        let pid = shown.state.and_then(|state| state.pid).unwrap_or_default();
        container.pid = u32::try_from(pid).unwrap_or_default();
        Ok(container)
    }

    /// What a container is made with: nothing but its image, its words and the machine's network.
    fn body(&self, launch: &Launch<'_>, trust: &Trust) -> ContainerCreateBody {
        let config = &launch.image.config;
        let bundles = trust.bundles.iter().map(|(place, _)| {
            format!("{}:/{}:ro", launch.scratch.join(BUNDLES).join(place).display(), place.display())
        });
        let told = launch.env.iter().any(|(name, _)| name == trust::VARIABLE);
        let bundle = trust.path().filter(|_| trust.made && !told);
        let bundle = bundle.map(|path| format!("{}={}", trust::VARIABLE, path.display()));
        let host = HostConfig {
            network_mode: Some("host".into()),
            extra_hosts: Some(extra_hosts(&launch.hosts)),
            binds: Some(launch.mounts.iter().map(bind).chain(bundles).collect()),
            init: Some(false),
            ..Default::default()
        };
        ContainerCreateBody {
            image: Some(tag(launch.image)),
            // the image has none of its own: what it names is in the words already
            entrypoint: Some(launch.command[..1].to_vec()),
            cmd: Some(launch.command[1..].to_vec()),
            env: Some(
                launch.env.iter().map(|(name, value)| format!("{name}={value}")).chain(bundle).collect(),
            ),
            user: Some(config.user.clone()).filter(|user| !user.is_empty()),
            working_dir: Some(config.workdir.clone()),
            hostname: Some(launch.hostname.clone()),
            labels: Some(HashMap::from([(OWNER.to_owned(), self.owner.clone())])),
            host_config: Some(host),
            ..Default::default()
        }
    }

    /// Makes the engine's image of an unpacked one, when it has none yet.
    async fn import(&self, image: &Image) -> io::Result<()> {
        let tag = tag(image);
        match self.docker.inspect_image(&tag).await {
            Ok(_) => return Ok(()),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        let (repository, digest) = tag.rsplit_once(':').unwrap_or((&tag, "latest"));
        let options = CreateImageOptions {
            from_src: Some("-".into()),
            repo: Some(repository.to_owned()),
            tag: Some(digest.to_owned()),
            ..Default::default()
        };
        let archive = body_try_stream(archive(image.root.clone()));
        let mut told = std::pin::pin!(self.docker.create_image(Some(options), Some(archive), None));
        while let Some(line) = told.next().await {
            line.map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// The folder of a replica's scratch folder where its bundles of authorities are laid.
const BUNDLES: &str = "trust";

/// Lays the bundles of authorities where the engine mounts them from.
fn trusted(launch: &Launch<'_>) -> io::Result<Trust> {
    let trust = Trust::of(&launch.image.root, launch.authority)?;
    trust.write(&launch.scratch.join(BUNDLES))?;
    Ok(trust)
}

/// Where engines listen, in the order they are tried.
fn sockets() -> Vec<PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    let named = named.as_deref().and_then(|host| host.strip_prefix("unix://")).map(PathBuf::from);
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("podman/podman.sock"));
    let usual = [Some("/var/run/docker.sock".into()), own, Some("/run/podman/podman.sock".into())];
    named.into_iter().chain(usual.into_iter().flatten()).collect()
}

/// The name of an image in the engine: tags are letters, digits and a few signs.
fn tag(image: &Image) -> String {
    format!("{REPOSITORY}:{}", image.digest.trim_start_matches("sha256:"))
}

/// Lines of `/etc/hosts` as the engine wants them: `name:address`. The engine tells of `localhost` itself.
fn extra_hosts(hosts: &str) -> Vec<String> {
    let lines = hosts.lines().filter_map(|line| line.split_once(' '));
    let named = lines.flat_map(|(address, names)| names.split_whitespace().map(move |name| (name, address)));
    named
        .filter(|(name, _)| !["localhost", "ip6-localhost"].contains(name))
        .map(|(name, address)| format!("{name}:{address}"))
        .collect()
}

/// A folder of the machine in a container.
fn bind(mounted: &Mounted) -> String {
    let access = if mounted.read_only { "ro" } else { "rw" };
    format!("{}:{}:{access}", mounted.source.display(), mounted.path)
}

fn text(error: Error) -> String {
    error.to_string()
}

/// A folder as a tar archive, read while it is sent.
fn archive(root: PathBuf) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (send, receive) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let pieces = Pieces { send: send.clone() };
        let mut builder = tar::Builder::new(io::BufWriter::with_capacity(256 << 10, pieces));
        builder.follow_symlinks(false);
        let built = builder
            .append_dir_all(".", &root)
            .and_then(|()| builder.into_inner())
            .and_then(|mut writer| io::Write::flush(&mut writer));
        if let Err(error) = built {
            let _ = send.blocking_send(Err(error));
        }
    });
    futures::stream::unfold(receive, |mut receive| async move { Some((receive.recv().await?, receive)) })
}

/// What is written goes to whoever receives.
struct Pieces {
    send: tokio::sync::mpsc::Sender<io::Result<Bytes>>,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.send.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes a container's output to its end.
async fn follow(docker: Docker, id: String, log: Arc<Log>) {
    const PIPE: usize = 64 << 10;
    let ((mut out, from_out), (mut err, from_err)) = (tokio::io::duplex(PIPE), tokio::io::duplex(PIPE));
    let lines = [
        tokio::spawn(log.clone().take(Stream::Stdout, from_out)),
        tokio::spawn(log.take(Stream::Stderr, from_err)),
    ];
    let options = LogsOptions { follow: true, stdout: true, stderr: true, ..Default::default() };
    let mut output = std::pin::pin!(docker.logs(&id, Some(options)));
    while let Some(Ok(piece)) = output.next().await {
        let _ = match &piece {
            LogOutput::StdErr { message } => err.write_all(message).await,
            LogOutput::StdOut { message } | LogOutput::Console { message } => out.write_all(message).await,
            LogOutput::StdIn { .. } => Ok(()),
        };
    }
    drop((out, err));
    for lines in lines {
        let _ = lines.await;
    }
}

async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    if let Err(error) = docker.remove_container(id, Some(options)).await {
        tracing::debug!(%error, id, "a container could not be removed");
    }
}

/// A container that runs; it is removed at the end, however that comes.
#[derive(Debug)]
pub(crate) struct Container {
    docker: Docker,
    id: String,
    /// Its first process, as the machine counts; 0 when it has ended already.
    pub pid: u32,
    output: Option<JoinHandle<()>>,
    removed: bool,
}

impl Container {
    /// Waits for its end and its last words.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let code = {
            let mut ends = std::pin::pin!(self.docker.wait_container(&self.id, None));
            match ends.next().await {
                Some(Ok(end)) => end.status_code,
                Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Err(io::Error::other("the engine told nothing of its end")),
            }
        };
        if let Some(output) = self.output.take() {
            // An engine may hold the stream open after the end.
            let _ = tokio::time::timeout(Duration::from_secs(1), output).await;
        }
        // as a shell tells it: 128 and the signal
        let code = i32::try_from(code).unwrap_or(255);
        Ok(ExitStatus::from_raw((code & 0xFF) << 8))
    }

    /// SIGTERM, SIGKILL when it does not go, and nothing is left of it.
    pub async fn end(&mut self, grace: Duration) {
        if !grace.is_zero() {
            let seconds = i32::try_from(grace.as_secs().max(1)).unwrap_or(i32::MAX);
            let options = StopContainerOptions { t: Some(seconds), ..Default::default() };
            let _ = self.docker.stop_container(&self.id, Some(options)).await;
        }
        remove(&self.docker, &self.id).await;
        self.removed = true;
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        let (docker, id) = (self.docker.clone(), std::mem::take(&mut self.id));
        // Without a runtime the next start removes it, by its label.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { remove(&docker, &id).await });
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
