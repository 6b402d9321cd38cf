//! The runtime with real processes and sockets, over a platform that stands for world and registry.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::sandbox::{Isolation, Sandbox};
use super::*;
use crate::world::container_apps::{
    App, Container, Desired, Ingress, Observation, Probe, ProbeHow, ProbeKind, Run, Scale, Seen, Target,
    Workload,
};

const APP: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.app/containerapps/web";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

/// A small web server, compiled once: a program that nobody wrote for this runtime.
fn server() -> PathBuf {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/runtime/testdata/server.c");
        let status = std::process::Command::new("cc")
            .args(["-O1", "-static", "-pthread", "-D_GNU_SOURCE", "-o"])
            .arg(folder.path().join("server"))
            .arg(source)
            .status()
            .unwrap();
        assert!(status.success(), "the C compiler failed");
        folder
    });
    folder.path().join("server")
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Manifest, and blobs by digest, of an image with the server in it.
fn image(user: &str) -> (Vec<u8>, BTreeMap<String, Vec<u8>>) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode: u32, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, path, bytes).unwrap();
    };
    add("etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\nweb:x:10001:10001::/home/web:/bin/sh\n");
    add("app/server", 0o755, &std::fs::read(server()).unwrap());
    let layer = tar.into_inner().unwrap();
    let config = serde_json::json!({"config": {
        "Entrypoint": ["/app/server"], "Cmd": ["default"], "WorkingDir": "/app/data", "User": user, "Env": ["FROM_IMAGE=yes"],
    }})
    .to_string()
    .into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI,
        "config": {"digest": digest(&config), "size": config.len(), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{"digest": digest(&layer), "size": layer.len(), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    });
    let blobs = BTreeMap::from([(digest(&config), config), (digest(&layer), layer)]);
    (manifest.to_string().into_bytes(), blobs)
}

/// Stands for world and registry: in single mode it moves traffic to what is ready, as the world does.
struct Fake {
    desired: Mutex<Desired>,
    version: watch::Sender<u64>,
    told: Mutex<u64>,
    seen: Mutex<Vec<Observation>>,
    refusal: Mutex<Option<Refusal>>,
    manifest: Vec<u8>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Platform for Fake {
    fn desired(&self) -> Desired {
        *self.told.lock().unwrap() = *self.version.borrow();
        self.desired.lock().unwrap().clone()
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let told = *self.told.lock().unwrap();
            let _ = self.version.subscribe().wait_for(|version| *version != told).await;
        })
    }

    fn observe(&self, observation: Observation) {
        let mut desired = self.desired.lock().unwrap();
        if let Some(app) = desired.apps.iter_mut().find(|app| app.id == observation.app) {
            match observation.seen {
                Seen::Ready => {
                    if app.single {
                        app.revisions.retain(|workload| workload.revision == observation.revision);
                        if let Some(ingress) = &mut app.ingress {
                            ingress.traffic = vec![(observation.revision.clone(), 100)];
                        }
                    }
                    app.revisions
                        .iter_mut()
                        .filter(|w| w.revision == observation.revision)
                        .for_each(|w| w.proven = true);
                }
                Seen::Failed { .. } => {
                    app.revisions.retain(|workload| workload.revision != observation.revision)
                }
                _ => {}
            }
        }
        drop(desired);
        self.seen.lock().unwrap().push(observation);
        self.version.send_modify(|version| *version += 1);
    }

    fn manifest(&self, _pull: &Pull) -> Result<Manifest, Refusal> {
        match self.refusal.lock().unwrap().clone() {
            Some(refusal) => Err(refusal),
            None => Ok(Manifest {
                bytes: self.manifest.clone(),
                media_type: OCI.into(),
                digest: digest(&self.manifest),
            }),
        }
    }

    fn blob(&self, _pull: &Pull, digest: &str) -> Result<Box<dyn Read + Send>, Refusal> {
        Ok(Box::new(Cursor::new(self.blobs[digest].clone())))
    }

    fn identity(&self, _app: &str) -> Option<Identity> {
        Some(Identity { endpoint: "http://127.0.0.1:1/msi/token".into(), header: "pass".into() })
    }
}

/// A runtime over a [`Fake`], in a folder of its own.
struct Stage {
    fake: Arc<Fake>,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

fn stage_of(user: &str, change: impl FnOnce(&mut Settings)) -> Stage {
    let (manifest, blobs) = image(user);
    let fake = Arc::new(Fake {
        desired: Mutex::default(),
        version: watch::Sender::new(0),
        told: Mutex::new(0),
        seen: Mutex::default(),
        refusal: Mutex::default(),
        manifest,
        blobs,
    });
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("runtime"), 0.0);
    settings.patience = Duration::from_secs(6);
    settings.consistency = Duration::from_secs(3);
    change(&mut settings);
    let runtime = Runtime::start(fake.clone(), settings).unwrap();
    Stage { fake, runtime, _folder: folder }
}

/// One on a machine where replicas cannot have ports of their own.
async fn stage_with_the_machines_ports() -> Stage {
    let stage = stage();
    stage.runtime.stop().await;
    let folder = stage._folder.path();
    let sandbox = Sandbox::find(folder).with_the_machines_ports();
    let settings = Settings { folder: folder.join("again"), ..stage.runtime.shared.settings.clone() };
    let runtime = Runtime::start_with(stage.fake.clone(), settings, Some(Rung::Sandbox(sandbox))).unwrap();
    Stage { runtime, ..stage }
}

fn stage() -> Stage {
    stage_of("web", |_| {})
}

fn ingress(target_port: u16) -> Ingress {
    Ingress {
        fqdn: "web.x.azurecontainerapps.localhost".into(),
        external: true,
        target_port: Some(target_port),
        http2: false,
        auto: false,
        client_certificates: Default::default(),
        certificates: BTreeMap::new(),
        allow_insecure: true,
        sticky: false,
        traffic: Vec::new(),
        hosts: BTreeMap::new(),
        tcp: Vec::new(),
        restrictions: Vec::new(),
        cors: None,
    }
}

fn probe(kind: ProbeKind, how: ProbeHow) -> Probe {
    Probe {
        kind,
        how,
        port: Some(8080),
        initial_delay: Duration::ZERO,
        period: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        failures: 2,
        successes: 1,
        default: false,
    }
}

fn workload(revision: &str, env: &[(&str, &str)]) -> Workload {
    Workload {
        revision: revision.into(),
        epoch: 0,
        proven: false,
        init: Vec::new(),
        containers: vec![Container {
            name: "web".into(),
            image: "cr.azurecr.localhost:1/web:v1".into(),
            command: Vec::new(),
            args: Vec::new(),
            env: Ok(env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()),
            probes: vec![
                probe(ProbeKind::Startup, ProbeHow::Tcp),
                probe(ProbeKind::Readiness, ProbeHow::Tcp),
            ],
            cpu_millicores: 500,
            memory_mib: 1024,
            mounts: Vec::new(),
        }],
        volumes: Vec::new(),
        scale: Scale {
            min: 1,
            max: 3,
            concurrency: Some(10),
            cpu: None,
            memory: None,
            cooldown: Duration::from_secs(1),
            unmodelled: Vec::new(),
        },
        grace: Duration::from_secs(5),
    }
}

impl Stage {
    /// Makes these the active revisions of the one app.
    fn desire(&self, change: impl FnOnce(&mut App)) {
        let mut desired = self.fake.desired.lock().unwrap();
        if desired.apps.is_empty() {
            desired.apps.push(App {
                id: APP.into(),
                name: "web".into(),
                domain: "x.azurecontainerapps.localhost".into(),
                single: true,
                ingress: Some(ingress(8080)),
                revisions: Vec::new(),
            });
        }
        change(&mut desired.apps[0]);
        drop(desired);
        self.fake.version.send_modify(|version| *version += 1);
    }

    fn add(&self, workload: Workload) {
        self.desire(|app| app.revisions.push(workload));
    }

    /// Waits for what `find` finds among the observations of a revision.
    async fn see<T>(&self, revision: &str, what: &str, find: impl Fn(&Seen) -> Option<T>) -> T {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            {
                let seen = self.fake.seen.lock().unwrap();
                if let Some(found) =
                    seen.iter().filter(|it| it.revision == revision).find_map(|it| find(&it.seen))
                {
                    return found;
                }
                assert!(Instant::now() < limit, "{what} of {revision} was not seen: {seen:#?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ready(&self, revision: &str) {
        self.see(revision, "Ready", |seen| match seen {
            Seen::Ready => Some(()),
            Seen::Failed { message, .. } => panic!("{revision} failed: {message}"),
            _ => None,
        })
        .await;
        // The route follows the observation in a moment.
        self.until("the route", |status| {
            status.apps.iter().any(|app| app.traffic.iter().any(|(name, _)| name == revision))
                || self.without_route()
        })
        .await;
    }

    fn without_route(&self) -> bool {
        self.fake.desired.lock().unwrap().apps.iter().all(|app| app.ingress.is_none() || !app.single)
    }

    async fn failed(&self, revision: &str) -> (String, String) {
        self.see(revision, "Failed", |seen| match seen {
            Seen::Failed { code, message } => Some((code.clone(), message.clone())),
            Seen::Ready => panic!("{revision} became ready"),
            _ => None,
        })
        .await
    }

    async fn until(&self, what: &str, is: impl Fn(&status::Status) -> bool) {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.runtime.status().await;
            if is(&status) {
                return;
            }
            assert!(Instant::now() < limit, "{what} did not come: {status:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let peer: SocketAddr = "127.0.0.1:5555".parse().unwrap();
        let answer = self.runtime.serve(Door::App(APP), request, via(peer, false)).await;
        let status = answer.status().as_u16();
        let body = match answer.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return (0, error.to_string()),
        };
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(Request::get(path).header("host", "web.test").body(Full::default()).unwrap()).await
    }
}

fn via(peer: SocketAddr, secure: bool) -> Via {
    Via { peer, secure, certificates: Arc::default() }
}

fn replicas(status: &status::Status) -> usize {
    status.apps.iter().flat_map(|app| &app.revisions).map(|revision| revision.replicas.len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_runs_with_its_environment_and_leaves_nothing() {
    let stage = stage();
    stage.add(workload("web--v1", &[("GREETING", "hello there"), ("PORT", "8080")]));
    stage.ready("web--v1").await;
    assert_eq!(stage.get("/").await, (200, "hello".into()));
    for (name, value) in [
        ("GREETING", "hello there"),
        ("FROM_IMAGE", "yes"),
        ("CONTAINER_APP_NAME", "web"),
        ("CONTAINER_APP_REVISION", "web--v1"),
        ("CONTAINER_APP_ENV_DNS_SUFFIX", "x.azurecontainerapps.localhost"),
        ("CONTAINER_APP_HOSTNAME", "web--v1.x.azurecontainerapps.localhost"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token"),
        ("IDENTITY_HEADER", "pass"),
    ] {
        assert_eq!(stage.get(&format!("/env/{name}")).await, (200, value.into()), "{name}");
    }
    let (_, replica) = stage.get("/env/CONTAINER_APP_REPLICA_NAME").await;
    assert!(replica.starts_with("web--v1-"), "{replica}");
    let (_, port) = stage.get("/env/CONTAINER_APP_PORT").await;
    assert_eq!(port == "8080", sockets::works(), "the target port, where it can be each replica's own");
    assert_eq!(stage.get("/env/PORT").await.1, port);

    let pids: Vec<u32> = stage.runtime.status().await.apps[0].revisions[0].replicas[0].pids.clone();
    assert_eq!(pids.len(), 1);
    let begun = Instant::now();
    stage.runtime.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(!std::path::Path::new(&format!("/proc/{}", pids[0])).exists(), "the process is still there");
    let log =
        std::fs::read_dir(stage._folder.path().join("runtime/replicas")).map(Iterator::count).unwrap_or(0);
    assert_eq!(log, 0, "the replica's files are still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_kept_apart_as_well_as_this_machine_can() {
    let stage = stage();
    stage.add(workload("web--v1", &[]));
    stage.ready("web--v1").await;
    let (_, who) = stage.get("/who").await;
    if stage.runtime.isolation() == Isolation::Plain.describe() {
        println!("skipped: no sandbox works on this machine");
        return;
    }
    assert!(who.starts_with("uid 10001 "), "the image's user: {who}");
    assert_eq!(
        stage.get("/write//app/data/file").await,
        (200, "written".into()),
        "its working folder is its own"
    );
    assert_eq!(stage.get("/write//tmp/file").await, (200, "written".into()));
    assert_eq!(stage.get("/write//etc/passwd").await.0, 500, "the rest is root's");
    let images = stage._folder.path().join("runtime/images");
    let root = std::fs::read_dir(images).unwrap().next().unwrap().unwrap().path().join("rootfs");
    assert!(!root.join("app/data/file").exists(), "the image is shared and never written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rung_of_the_ladder_that_works_here_runs_a_program() {
    for isolation in [Isolation::Bwrap, Isolation::Chroot, Isolation::Plain] {
        let stage = stage_of("", |_| {});
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::forced(isolation);
        if let Err(why) = sandbox.works(folder.path()) {
            println!("skipped: {isolation:?} does not work on this machine: {why}");
            continue;
        }
        stage.runtime.stop().await;
        let settings =
            Settings { patience: Duration::from_secs(6), ..Settings::new(folder.path().join("again"), 0.0) };
        let runtime =
            Runtime::start_with(stage.fake.clone(), settings, Some(Rung::Sandbox(sandbox))).unwrap();
        let stage = Stage { runtime, ..stage };
        stage.add(workload("web--v1", &[("VERSION", "v1")]));
        stage.ready("web--v1").await;
        assert_eq!(stage.get("/").await, (200, "v1".into()), "{isolation:?}");
        let pid = stage.runtime.status().await.apps[0].revisions[0].replicas[0].pids[0];
        let logged = stage.runtime.shared.logs.last_lines(APP, "web--v1", 5);
        assert!(logged.iter().any(|line| line.starts_with("listening on port")), "{isolation:?}: {logged:?}");
        stage.runtime.stop().await;
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{isolation:?} leaves a process");
    }
}

/// Requests at a steady pace until told to stop; returns how many there were and what went wrong.
fn load(
    stage: &Arc<Stage>,
    path: &'static str,
    per_second: u64,
) -> (watch::Sender<bool>, tokio::task::JoinHandle<(usize, Vec<String>)>) {
    let (stop, stopped) = watch::channel(false);
    let stage = stage.clone();
    let task = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(1000 / per_second));
        let mut running = tokio::task::JoinSet::new();
        while !*stopped.borrow() {
            pace.tick().await;
            let stage = stage.clone();
            running.spawn(async move { stage.get(path).await });
        }
        let answers = running.join_all().await;
        let wrong = answers
            .iter()
            .filter(|(status, _)| *status != 200)
            .map(|(status, text)| format!("{status} {text}"))
            .collect();
        (answers.len(), wrong)
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_revision_takes_over_without_a_failed_request() {
    let stage = Arc::new(stage());
    stage.add(workload("web--v1", &[("VERSION", "v1")]));
    stage.ready("web--v1").await;
    let (stop, quick) = load(&stage, "/", 50);
    let (stop_slow, slow) = load(&stage, "/slow/400", 10);
    for version in ["v2", "v3", "v4"] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let revision = format!("web--{version}");
        stage.add(workload(&revision, &[("VERSION", version), ("MODE", "late")]));
        stage.ready(&revision).await;
        assert_eq!(stage.get("/").await, (200, version.into()), "all traffic at once");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send(true).unwrap();
    stop_slow.send(true).unwrap();
    let (count, wrong) = quick.await.unwrap();
    assert!(count > 100, "{count} requests only");
    assert_eq!(wrong, Vec::<String>::new(), "of {count}");
    assert_eq!(slow.await.unwrap().1, Vec::<String>::new(), "slow requests are waited for");
    stage.until("the end of the old ones", |status| replicas(status) == 1).await;
    // They were asked to end, and had time to.
    let ended = stage.runtime.shared.logs.find(|named| named.revision == "web--v1");
    assert!(ended[0].log.tail(10).iter().any(|line| &*line.text == "asked to end"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_a_port_of_its_own_choosing_is_taken_as_it_is() {
    let target = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let listen = target.to_string();
    let stage = Arc::new(stage_with_the_machines_ports().await);
    stage.desire(|app| app.ingress = Some(ingress(target)));
    let fixed = |revision: &str, version: &str, mode: &str| {
        let mut workload = workload(revision, &[("VERSION", version), ("LISTEN", &listen), ("MODE", mode)]);
        workload.containers[0].probes.iter_mut().for_each(|probe| probe.port = Some(target));
        workload.scale.min = 2;
        workload
    };
    stage.add(fixed("web--v1", "v1", ""));
    stage.ready("web--v1").await;
    stage
        .until("one replica", |status| status.apps[0].revisions[0].fixed_port && replicas(status) == 1)
        .await;
    assert_eq!(stage.get("/").await, (200, "v1".into()));

    // The next one needs the same port: the older gives way while requests wait.
    let (stop, under_load) = load(&stage, "/", 50);
    stage.add(fixed("web--v2", "v2", "late"));
    stage.ready("web--v2").await;
    assert_eq!(stage.get("/").await, (200, "v2".into()));
    // One that fails gives it back.
    stage.add(fixed("web--v3", "v3", "exit"));
    stage.failed("web--v3").await;
    assert_eq!(stage.get("/").await, (200, "v2".into()));
    stop.send(true).unwrap();
    let (count, wrong) = under_load.await.unwrap();
    assert_eq!(wrong, Vec::<String>::new(), "of {count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_and_revisions_listen_on_the_same_port() {
    let stage = stage();
    if !sockets::works() {
        println!("skipped: the kernel does not tell of sockets here");
        return;
    }
    stage.desire(|app| app.single = false);
    for version in ["v1", "v2"] {
        let mut workload = workload(&format!("web--{version}"), &[("VERSION", version), ("LISTEN", "8080")]);
        workload.scale.min = 2;
        stage.add(workload);
    }
    stage.ready("web--v1").await;
    stage.ready("web--v2").await;
    stage.until("two of each", |status| replicas(status) == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_more_memory_than_is_its_own_is_ended() {
    let stage = stage();
    let mut greedy = workload("web--greedy", &[("MODE", "greedy")]);
    greedy.containers[0].memory_mib = 64;
    stage.add(greedy);
    let (_, message) = stage.failed("web--greedy").await;
    assert!(message.contains("exit code '137' and reason 'OOMKilled'"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_revision_is_said_and_the_old_one_serves_on() {
    let stage = Arc::new(stage());
    stage.add(workload("web--v1", &[("VERSION", "v1")]));
    stage.ready("web--v1").await;
    let (stop, under_load) = load(&stage, "/", 20);

    stage.add(workload("web--exits", &[("MODE", "exit")]));
    let (code, message) = stage.failed("web--exits").await;
    assert_eq!(code, "ContainerAppOperationError");
    assert!(message.starts_with("Failed to provision revision for container app 'web'. Error details: Container 'web' was terminated with exit code '3'"), "{message}");
    assert!(message.contains("fatal: DATABASE_URL is not set"), "{message}");

    stage.add(workload("web--silent", &[("MODE", "idle")]));
    let (_, message) = stage.failed("web--silent").await;
    assert!(
        message
            .contains("The TargetPort 8080 does not match any listening port: the container listens on none"),
        "{message}"
    );
    assert!(message.contains("working"), "its last lines: {message}");

    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    stage.add(workload("web--elsewhere", &[("LISTEN", &other)]));
    let (_, message) = stage.failed("web--elsewhere").await;
    assert!(
        message.contains(&format!("The TargetPort 8080 does not match the listening port {other}")),
        "{message}"
    );

    stage.add(workload("web--near", &[("MODE", "near")]));
    let (_, message) = stage.failed("web--near").await;
    assert!(message.contains("listen on 0.0.0.0"), "{message}");

    let mut unhealthy = workload("web--unhealthy", &[("UNHEALTHY", "1")]);
    let health = ProbeHow::Http { path: "/health".into(), headers: Vec::new() };
    unhealthy.containers[0].probes = vec![probe(ProbeKind::Startup, health)];
    stage.add(unhealthy);
    let (_, message) = stage.failed("web--unhealthy").await;
    assert!(message.contains("failed startup probe: GET /health at port"), "{message}");
    assert!(message.contains("answered 500"), "{message}");

    let mut missing = workload("web--missing", &[]);
    missing.containers[0].command = vec!["/no/such/program".into()];
    stage.add(missing);
    let (_, message) = stage.failed("web--missing").await;
    assert!(message.contains("/no/such/program"), "{message}");

    stop.send(true).unwrap();
    let (count, wrong) = under_load.await.unwrap();
    assert_eq!(wrong, Vec::<String>::new(), "of {count}");
    stage.until("only the old one", |status| replicas(status) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_waits_for_its_role_and_fails_in_azures_words() {
    let stage = stage();
    let refusal =
        |lasting| Some(Refusal { message: "UNAUTHORIZED: authentication required".into(), lasting });
    *stage.fake.refusal.lock().unwrap() = refusal(false);
    stage.add(workload("web--v1", &[]));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(!stage.fake.seen.lock().unwrap().iter().any(|seen| matches!(seen.seen, Seen::Failed { .. })));
    *stage.fake.refusal.lock().unwrap() = None;
    stage.ready("web--v1").await;

    *stage.fake.refusal.lock().unwrap() = refusal(false);
    let begun = Instant::now();
    stage.add(workload("web--v2", &[]));
    let (code, message) = stage.failed("web--v2").await;
    assert!(begun.elapsed() > Duration::from_secs(3), "it is tried for a while");
    assert_eq!(code, "InvalidParameterValueInContainerTemplate");
    assert_eq!(
        message,
        "The following field(s) are either invalid or missing. Field 'template.containers.web.image' is invalid with details: 'Invalid value: \"cr.azurecr.localhost:1/web:v1\": GET https:?scope=repository%3Aweb%3Apull&service=cr.azurecr.localhost:1: UNAUTHORIZED: authentication required';."
    );
    *stage.fake.refusal.lock().unwrap() = refusal(true);
    let begun = Instant::now();
    stage.add(workload("web--v3", &[]));
    stage.failed("web--v3").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "what lasts is not waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_scales_to_zero_and_the_first_request_is_held() {
    let stage = Arc::new(stage());
    let mut lazy = workload("web--v1", &[("MODE", "late")]);
    lazy.scale.min = 0;
    stage.add(lazy);
    stage.ready("web--v1").await;
    stage.until("no replica", |status| replicas(status) == 0).await;
    stage
        .see("web--v1", "Scaled to 0", |seen| matches!(seen, Seen::Scaled { replicas: 0 }).then_some(()))
        .await;
    let begun = Instant::now();
    let together: Vec<_> = (0..5)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.get("/").await })
        })
        .collect();
    for request in together {
        assert_eq!(request.await.unwrap(), (200, "hello".into()));
    }
    assert!(begun.elapsed() > Duration::from_millis(600), "the program takes that long to listen");
    assert_eq!(replicas(&stage.runtime.status().await), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_scales_out_with_concurrent_requests() {
    let stage = Arc::new(stage());
    let mut busy = workload("web--v1", &[]);
    busy.scale.concurrency = Some(2);
    stage.add(busy);
    stage.ready("web--v1").await;
    assert_eq!(replicas(&stage.runtime.status().await), 1);
    let (stop, under_load) = load(&stage, "/slow/500", 20);
    stage.until("three replicas", |status| replicas(status) == 3).await;
    stage
        .until("all ready", |status| status.apps[0].revisions[0].replicas.iter().all(|replica| replica.ready))
        .await;
    stop.send(true).unwrap();
    assert_eq!(under_load.await.unwrap().1, Vec::<String>::new());
    stage.until("scaled in", |status| replicas(status) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_ends_or_falls_sick_is_started_again() {
    let stage = stage();
    let mut watched = workload("web--v1", &[]);
    let health = ProbeHow::Http { path: "/health".into(), headers: Vec::new() };
    watched.containers[0].probes.push(probe(ProbeKind::Liveness, health));
    stage.add(watched);
    stage.ready("web--v1").await;
    let first = stage.get("/who").await.1;
    let (status, _) = stage.get("/crash").await;
    assert_eq!(status, 502, "a request that ends its replica is not sent to the next one again and again");
    let why = stage.see("web--v1", "the end", |seen| match seen {
        Seen::ReplicaUnready { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert!(why.await.contains("exit code '7'"));
    assert_eq!(stage.get("/").await, (200, "hello".into()), "held until it is back");

    assert_eq!(stage.get("/sick").await.0, 200);
    stage
        .see("web--v1", "the liveness probe", |seen| match seen {
            Seen::ReplicaUnready { why, .. } if why.contains("failed liveness probe") => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(stage.get("/health").await.0, 200);

    assert_eq!(stage.runtime.kill(APP, 5).await, 1);
    assert_eq!(stage.get("/").await, (200, "hello".into()));
    let _ = first;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_replaces_replicas_without_a_failed_request() {
    let stage = Arc::new(stage());
    stage.add(workload("web--v1", &[]));
    stage.ready("web--v1").await;
    let before = stage.get("/env/CONTAINER_APP_REPLICA_NAME").await.1;
    let (stop, under_load) = load(&stage, "/", 50);
    stage.desire(|app| app.revisions[0].epoch = 1);
    stage
        .until("another replica", |status| {
            let names: Vec<&str> =
                status.apps[0].revisions[0].replicas.iter().map(|replica| replica.name.as_str()).collect();
            names.len() == 1 && names[0] != before
        })
        .await;
    stop.send(true).unwrap();
    assert_eq!(under_load.await.unwrap().1, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_labels_and_hosts_lead_to_revisions() {
    let stage = Arc::new(stage());
    stage.desire(|app| app.single = false);
    stage.add(workload("web--a", &[("VERSION", "a")]));
    stage.add(workload("web--b", &[("VERSION", "b")]));
    stage.ready("web--a").await;
    stage.ready("web--b").await;
    assert_eq!(stage.get("/").await.0, 404, "no weights, no traffic");
    stage.desire(|app| {
        let ingress = app.ingress.as_mut().unwrap();
        ingress.traffic = vec![("web--a".into(), 75), ("web--b".into(), 25)];
        ingress.hosts.insert("web---canary.x.azurecontainerapps.localhost".into(), Some("web--b".into()));
    });
    stage.until("weights", |status| !status.apps[0].traffic.is_empty()).await;
    let mut share = 0;
    for _ in 0..400 {
        share += usize::from(stage.get("/").await.1 == "b");
    }
    assert!((60..=140).contains(&share), "{share} of 400 for a weight of 25");
    let peer: SocketAddr = "127.0.0.1:5555".parse().unwrap();
    for _ in 0..10 {
        let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
        let answer = stage
            .runtime
            .serve(Door::Host("web---canary.x.azurecontainerapps.localhost"), request, via(peer, true))
            .await;
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "b");
    }
    let request = Request::get("/").body(Full::<Bytes>::default()).unwrap();
    let answer = stage
        .runtime
        .serve(Door::Host("nobody.x.azurecontainerapps.localhost"), request, via(peer, true))
        .await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_streamed_and_connections_upgraded() {
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let stage = Arc::new(stage());
    stage.add(workload("web--v1", &[]));
    stage.ready("web--v1").await;
    let body = vec![3u8; 5 << 20];
    let request = Request::post("/echo").body(Full::new(Bytes::from(body))).unwrap();
    assert_eq!(stage.send(request).await, (200, format!("{} bytes, sum {}", 5 << 20, 15 << 20)));

    // A connection of a real client, since an upgrade needs one.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = stage.clone();
    tokio::spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |request| {
            let stage = serving.clone();
            async move {
                Ok::<_, std::convert::Infallible>(
                    stage.runtime.serve(Door::App(APP), request, via(peer, false)).await,
                )
            }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
    });
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET /ws HTTP/1.1\r\nhost: web\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    client.write_all(b"to and fro").await.unwrap();
    let mut back = [0; 10];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"to and fro");
    assert_eq!(stage.runtime.status().await.apps[0].revisions[0].concurrent, 1, "it holds its place");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_told_and_followed() {
    let stage = stage();
    stage.add(workload("web--v1", &[]));
    stage.ready("web--v1").await;
    let replica = stage.runtime.status().await.apps[0].revisions[0].replicas[0].name.clone();
    let query = LogQuery {
        app: APP.into(),
        revision: Some("web--v1".into()),
        replica: Some(replica),
        container: Some("web".into()),
        tail: 20,
        follow: true,
        json: true,
        system: false,
    };
    let mut body = stage.runtime.logs(&query).into_body();
    let mut lines = Vec::new();
    stage.get("/crash").await;
    while !lines.iter().any(|line: &String| line.contains("crashing as asked")) {
        let frame =
            tokio::time::timeout(Duration::from_secs(5), body.frame()).await.unwrap().unwrap().unwrap();
        lines.push(String::from_utf8_lossy(&frame.into_data().unwrap()).into_owned());
    }
    let first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(first["Log"], "Connecting to the container 'web'...");
    assert!(lines.iter().any(|line| line.contains("started with default")), "{lines:?}");
    let system = stage.runtime.logs(&LogQuery { system: true, follow: false, json: false, ..query.clone() });
    let text = system.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&text).contains("Revision web--v1 is ready."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quickstart_image_is_a_page_of_its_own() {
    let stage = stage();
    let mut quick = workload("web--v1", &[]);
    quick.containers[0].image = "mcr.microsoft.com/k8se/quickstart:latest".into();
    stage.add(quick);
    stage.ready("web--v1").await;
    let (status, page) = stage.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("Azure Container Apps"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_ingress_works_when_it_stays() {
    let stage = stage();
    stage.desire(|app| app.ingress = None);
    let mut worker = workload("web--v1", &[("MODE", "idle")]);
    worker.containers[0].probes.clear();
    stage.add(worker);
    stage.ready("web--v1").await;
    let mut broken = workload("web--v2", &[("MODE", "exit")]);
    broken.containers[0].probes.clear();
    stage.add(broken);
    assert!(stage.failed("web--v2").await.1.contains("exit code '3'"));
}

const JOB: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.app/jobs/tidy";

fn run(execution: &str, env: &[(&str, &str)]) -> Run {
    let mut containers = workload("tidy", env).containers;
    containers[0].probes.clear();
    Run {
        job: JOB.into(),
        name: "tidy".into(),
        execution: execution.into(),
        domain: "x.azurecontainerapps.localhost".into(),
        init: Vec::new(),
        containers,
        volumes: Vec::new(),
        parallelism: 1,
        completions: 1,
        retries: 0,
        timeout: Duration::from_secs(30),
    }
}

impl Stage {
    fn begin(&self, run: Run) {
        self.fake.desired.lock().unwrap().runs.push(run);
        self.fake.version.send_modify(|version| *version += 1);
    }

    /// Why an execution failed, and how many replicas it had.
    async fn finished(&self, execution: &str) -> (Option<String>, usize) {
        let failure = self
            .see(execution, "Finished", |seen| match seen {
                Seen::Finished { failure } => Some(failure.clone()),
                _ => None,
            })
            .await;
        let seen = self.fake.seen.lock().unwrap();
        let begun =
            |it: &&Observation| it.revision == execution && matches!(it.seen, Seen::ReplicaStarted { .. });
        (failure, seen.iter().filter(begun).count())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_of_jobs_run_to_their_end() {
    let stage = stage();
    // The built-in sample ends well; three must, two at a time.
    let mut sample = run("tidy-ok", &[]);
    sample.containers[0].image = "mcr.microsoft.com/k8se/quickstart-jobs:latest".into();
    (sample.parallelism, sample.completions) = (2, 3);
    stage.begin(sample);
    assert_eq!(stage.finished("tidy-ok").await, (None, 3));
    let query =
        LogQuery { app: JOB.into(), revision: Some("tidy-ok".into()), tail: 20, ..LogQuery::default() };
    let said = stage.runtime.logs(&query).into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&said).contains("Finished processing"));

    // A program that fails is tried again as often as it may be.
    let mut failing = run("tidy-bad", &[("MODE", "exit")]);
    failing.retries = 2;
    stage.begin(failing);
    let (why, replicas) = stage.finished("tidy-bad").await;
    assert!(why.unwrap().starts_with("BackoffLimitExceeded: Container 'web' was terminated with exit code"));
    assert_eq!(replicas, 3);

    // One that does not end is ended.
    let mut endless = run("tidy-slow", &[("MODE", "idle")]);
    endless.timeout = Duration::from_secs(2);
    stage.begin(endless);
    let (why, _) = stage.finished("tidy-slow").await;
    assert!(why.unwrap().starts_with("DeadlineExceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_is_stopped_leaves_nothing_running() {
    let stage = stage();
    stage.begin(run("tidy-stop", &[("MODE", "idle"), ("MARK", "stopped-job-mark")]));
    stage
        .see("tidy-stop", "ReplicaStarted", |seen| matches!(seen, Seen::ReplicaStarted { .. }).then_some(()))
        .await;
    let running = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter(|entry| {
            std::fs::read(entry.path().join("environ"))
                .is_ok_and(|environ| environ.windows(16).any(|part| part == b"stopped-job-mark"))
        })
        .count()
    };
    let limit = Instant::now() + Duration::from_secs(10);
    while running() == 0 {
        assert!(Instant::now() < limit, "it never ran");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.fake.desired.lock().unwrap().runs.clear();
    stage.fake.version.send_modify(|version| *version += 1);
    while running() > 0 {
        assert!(Instant::now() < limit, "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exposed_port_carries_what_is_no_http() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let stage = stage();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    stage.desire(|app| {
        app.ingress.as_mut().unwrap().tcp = vec![(port, None)];
        app.revisions.push(workload("web--tcp", &[]));
    });
    stage.ready("web--tcp").await;
    let limit = Instant::now() + Duration::from_secs(10);
    let answer = loop {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = vec![0; 12];
            if stream.read_exact(&mut answer).await.is_ok() {
                break answer;
            }
        }
        assert!(Instant::now() < limit, "the port does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(&answer, b"HTTP/1.1 200");
    stage.desire(|app| app.ingress.as_mut().unwrap().tcp.clear());
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(Instant::now() < limit, "the port stays open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_in_use_asks_for_replicas() {
    let stage = stage();
    let mut hungry = workload("web--mem", &[]);
    hungry.scale.concurrency = None;
    // Whatever a program uses is more than this.
    hungry.scale.memory = Some(Target::Average(0.1));
    stage.add(hungry);
    stage.ready("web--mem").await;
    let wanted = stage.see("web--mem", "Scaled", |seen| match seen {
        Seen::Scaled { replicas } => Some(*replicas),
        _ => None,
    });
    assert_eq!(wanted.await, 3, "as many as there may be");
}
