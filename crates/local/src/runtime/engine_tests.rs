//! The engine's rung against a stand-in for Docker's API on a Unix socket, which writes down what it is asked.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::*;
use crate::runtime::image::Config;

/// One request as the stand-in saw it, its API version cut off.
#[derive(Clone, Debug)]
struct Asked {
    what: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// A Docker with no images, whose containers end when told to.
struct Docker {
    asked: Mutex<Vec<Asked>>,
    imported: Mutex<bool>,
    exit: watch::Sender<Option<i64>>,
    kernel: String,
}

impl Docker {
    /// Listens in a folder; the socket.
    fn listen(folder: &Path, kernel: &str) -> (Arc<Docker>, PathBuf) {
        let socket = folder.join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let docker = Arc::new(Docker {
            asked: Mutex::default(),
            imported: Mutex::new(false),
            exit: watch::Sender::new(None),
            kernel: kernel.to_owned(),
        });
        let own = docker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                let service = service_fn(move |request| {
                    let own = own.clone();
                    async move { Ok::<_, std::convert::Infallible>(own.answer(request).await) }
                });
                tokio::spawn(async move {
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                });
            }
        });
        (docker, socket)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let path = match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
            Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => format!("/{rest}"),
            _ => path,
        };
        let what = format!("{} {path}", request.method());
        let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let query = query.into_owned().collect();
        let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
        self.asked.lock().unwrap().push(Asked { what: what.clone(), query, body });
        let json = |status: u16, value: Value| {
            Response::builder()
                .status(StatusCode::from_u16(status).unwrap())
                .header("content-type", "application/json")
                .body(Full::from(value.to_string()))
                .unwrap()
        };
        match what.as_str() {
            "GET /version" => json(
                200,
                json!({"Version": "28.0.1", "ApiVersion": "1.48", "MinAPIVersion": "1.24", "Components": [{"Name": "Engine", "Version": "28.0.1"}]}),
            ),
            "GET /info" => json(200, json!({"KernelVersion": self.kernel})),
            "GET /containers/json" => json(200, json!([{"Id": "left-behind"}])),
            "POST /images/create" => {
                *self.imported.lock().unwrap() = true;
                json(200, json!({"status": "sha256:1"}))
            }
            "POST /containers/create" => json(201, json!({"Id": "c1", "Warnings": []})),
            "POST /containers/c1/start" | "POST /containers/c1/stop" => json(204, Value::Null),
            "GET /containers/c1/json" => json(200, json!({"Id": "c1", "State": {"Pid": std::process::id()}})),
            "GET /containers/c1/logs" => {
                let frame = |stream: u8, text: &str| {
                    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
                    [&[stream, 0, 0, 0][..], &length, text.as_bytes()].concat()
                };
                let frames = [frame(1, "hel"), frame(2, "oh dear\n"), frame(1, "lo\n")].concat();
                Response::new(Full::from(frames))
            }
            "POST /containers/c1/wait" => {
                let mut exit = self.exit.subscribe();
                let code = exit.wait_for(Option::is_some).await.unwrap().unwrap();
                json(200, json!({"StatusCode": code}))
            }
            "DELETE /containers/c1" | "DELETE /containers/left-behind" => json(204, Value::Null),
            _ if what.starts_with("GET /images/") && *self.imported.lock().unwrap() => {
                json(200, json!({"Id": "sha256:1"}))
            }
            _ if what.starts_with("DELETE /images/") => json(200, json!([])),
            _ => json(404, json!({"message": format!("no such thing: {what}")})),
        }
    }

    fn asked(&self, what: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.what == what).cloned().collect()
    }
}

fn unpacked(folder: &Path) -> Image {
    let root = folder.join("rootfs");
    std::fs::create_dir_all(root.join("app")).unwrap();
    std::fs::write(root.join("app/server"), "a program").unwrap();
    std::os::unix::fs::symlink("server", root.join("app/link")).unwrap();
    let config = Config { workdir: "/app".into(), user: "web".into(), ..Default::default() };
    Image { digest: "sha256:00ff".into(), root, config }
}

fn launch<'a>(image: &'a Image, scratch: &'a Path, mounts: &'a [Mounted]) -> Launch<'a> {
    Launch {
        image,
        scratch,
        command: vec!["/app/server".into(), "--quiet".into()],
        env: vec![("PORT".into(), "40000".into())],
        hosts: "127.0.0.1 localhost web\n10.0.0.1 other.internal\n".into(),
        mounts,
        hostname: "web".into(),
        authority: "",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_made_of_an_imported_folder_and_ends_as_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (docker, socket) = Docker::listen(folder.path(), "");
    let engine = Engine::connect(&socket, folder.path()).await.unwrap();
    assert_eq!(engine.describe(), "Docker 28.0.1 (own files and processes; the machine's network)");
    let image = unpacked(folder.path());
    let data =
        Mounted { source: "/srv/data".into(), path: "/data".into(), read_only: true, files: Vec::new() };
    let mounts = [data];
    let log = Log::new(None);
    let mut container = engine.start(&launch(&image, folder.path(), &mounts), log.clone()).await.unwrap();
    assert_eq!(container.pid, std::process::id());

    let imported = docker.asked("POST /images/create").remove(0);
    assert_eq!((imported.query["repo"].as_str(), imported.query["tag"].as_str()), (REPOSITORY, "00ff"));
    assert_eq!(imported.query["fromSrc"], "-");
    let mut archive = tar::Archive::new(imported.body.as_slice());
    let mut entries: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    entries.sort();
    assert!(entries.iter().any(|path| path.ends_with("app/server")), "{entries:?}");
    assert!(entries.iter().any(|path| path.ends_with("app/link")), "a link is kept as one: {entries:?}");

    let made: Value = serde_json::from_slice(&docker.asked("POST /containers/create")[0].body).unwrap();
    assert_eq!((&made["Entrypoint"], &made["Cmd"]), (&json!(["/app/server"]), &json!(["--quiet"])));
    assert_eq!(made["Env"], json!(["PORT=40000"]));
    assert_eq!((&made["User"], &made["WorkingDir"]), (&json!("web"), &json!("/app")));
    assert_eq!(made["Labels"][OWNER], folder.path().display().to_string());
    assert_eq!(made["HostConfig"]["NetworkMode"], "host");
    assert_eq!(made["HostConfig"]["ExtraHosts"], json!(["web:127.0.0.1", "other.internal:10.0.0.1"]));

    assert_eq!(made["HostConfig"]["Binds"], json!(["/srv/data:/data:ro"]));

    docker.exit.send_replace(Some(7));
    assert_eq!(container.wait().await.unwrap().code(), Some(7));
    let lines: Vec<(Stream, String)> =
        log.tail(10).into_iter().map(|line| (line.stream, line.text.to_string())).collect();
    assert!(
        lines.contains(&(Stream::Stdout, "hello".into())),
        "pieces of a line are put together: {lines:?}"
    );
    assert!(lines.contains(&(Stream::Stderr, "oh dear".into())), "{lines:?}");
    container.end(Duration::from_secs(3)).await;
    assert_eq!(docker.asked("POST /containers/c1/stop")[0].query["t"], "3");
    assert_eq!(docker.asked("DELETE /containers/c1")[0].query["force"], "true");

    // The same image again is there already.
    drop(engine.start(&launch(&image, folder.path(), &mounts), log).await.unwrap());
    assert_eq!(docker.asked("POST /images/create").len(), 1);
    let limit = std::time::Instant::now() + Duration::from_secs(5);
    while docker.asked("DELETE /containers/c1").len() < 2 {
        assert!(std::time::Instant::now() < limit, "a container that is dropped is removed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_tried_before_it_is_trusted() {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (docker, socket) = Docker::listen(folder.path(), kernel.trim());
    docker.exit.send_replace(Some(0));
    Engine::on_trial(&socket, folder.path()).await.unwrap();
    assert_eq!(
        docker.asked("DELETE /containers/left-behind").len(),
        1,
        "what an earlier run left is removed"
    );
    assert!(!folder.path().join("trial").exists());

    let failing = tempfile::tempdir().unwrap();
    let (docker, socket) = Docker::listen(failing.path(), kernel.trim());
    docker.exit.send_replace(Some(127));
    let why = Engine::on_trial(&socket, failing.path()).await.unwrap_err();
    assert!(why.contains("127"), "{why}");

    let elsewhere = tempfile::tempdir().unwrap();
    let (docker, socket) = Docker::listen(elsewhere.path(), "6.10.14-linuxkit");
    let why = Engine::on_trial(&socket, elsewhere.path()).await.unwrap_err();
    assert!(why.contains("another kernel"), "{why}");
    assert!(docker.asked("POST /containers/create").is_empty());
    assert!(Engine::connect(&elsewhere.path().join("none.sock"), elsewhere.path()).await.is_err());
}
