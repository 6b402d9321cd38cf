//! Servers on loopback. In reading order:
//!
//! - `router`: from a host name and a path to who answers; [`doors`] knows the host names.
//! - `gate`: HTTP made into requests of the world and back; `content`: bodies on disk.
//! - `host`: the one world, applied under a lock and journalled before anybody is told.
//! - `platform`: the world as the runtime of applications sees it; `plain`: a plain port for each application.
//! - `inside`: an address for each environment, from which its apps reach each other.
//! - `listen`, `tls`, `ports`, `identity`: sockets, certificates, which ports, who may ask for tokens.
//! - `page`: what a browser sees. `client`: how another process asks. `issuer`: who else signs assertions.
//!
//! [`serve`] puts them together.

pub(crate) mod client;
mod content;
mod doors;
mod gate;
mod host;
mod identity;
mod inside;
mod issuer;
mod listen;
mod page;
mod plain;
mod platform;
mod ports;
mod router;
mod spelling;
mod tls;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::control::{Hold, Status, make_folder};
use crate::runtime::{Runtime, Settings};
use crate::store::{Store, Types};
use crate::world::arm::types::Catalogue;
use crate::world::{Body, Config, Input, Method, Plane, Request, World, entra};
use crate::{DEFAULT_SPEED, Error, Options, State};

use self::content::Contents;
use self::host::Host;
use self::identity::Passes;
use self::platform::FrontPlatform;
use self::ports::Ports;
use self::router::{Front, IdentityEndpoint, Main, chain};
use self::tls::{Certificates, EdgeTls};

/// Where a local Azure answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// What [`crate::control::status`] tells of it: URLs by plane, seed, speed, and the names for clients.
    pub status: Status,
    /// `https://localhost:PORT`: ARM and Entra.
    pub arm: String,
    /// The HTTPS port.
    pub port: u16,
    /// The certificate of its CA.
    pub ca_file: PathBuf,
}

/// Serves until `stop` is done; `ready` is called once every plane answers. What is under way is then drained,
/// applications are ended and the state is written down.
///
/// # Errors
/// [`Error`] when it cannot start, or cannot write its state at the end (nothing acknowledged is lost then either).
pub async fn serve(
    options: Options,
    ready: impl FnOnce(&Address),
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let Options { state, seed, speed, port, faults, types } = options;
    if let Some(speed) = speed
        && !(speed.is_finite() && speed >= 0.0)
    {
        return Err(Error::Option(format!("the speed is {speed}; it must be 0 or more (1 is Azure's pace)")));
    }
    let home = Home::of(&state)?;
    let hold = Hold::take(&home.folder)?;
    let (certificates, ca_file) = Certificates::of(&home.folder)?;
    let mut ports = Ports::of(&home.folder);
    let main = ports.https(port).await?;
    let identity = ports.identity().await?;
    let (port, identity_port) = (ports::port(&main)?, ports::port(&identity)?);

    let contents = Contents::open(home.contents.clone())?;
    let catalogue = types.as_deref().map(read_types).transpose()?;
    let (mut store, kept) = match &state {
        State::Folder(folder) => Store::open(folder, read_types)?,
        State::Memory(_) => (Store::Memory, None),
    };
    let mut world = match kept {
        Some(world) => resume(world, seed, speed, &home.folder)?,
        None => {
            let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
            World::new(Config::new(seed, speed.unwrap_or(DEFAULT_SPEED), port), Timestamp::now())
        }
    };
    if let Some(key) = contents.missing(world.registries.segments().chain(world.blobs.segments())) {
        return Err(Error::Damaged {
            folder: home.folder.clone(),
            reason: format!("the content {key} is missing"),
        });
    }
    world.config.authority = format!("localhost:{port}");
    world.config.port = port;
    world.types = catalogue;
    store.begin(&world, types.as_deref())?;

    let config = world.config.clone();
    // The first token is asked for as soon as every plane answers.
    let seed = config.seed;
    tokio::task::spawn_blocking(move || entra::warm(seed));
    let host = Arc::new(Host::new(world, store, contents));
    host.sweep();
    if let Some(file) = &faults {
        load_faults(&host, &config, file)?;
    }
    let passes = Arc::new(Passes::new());
    let endpoint = format!("http://127.0.0.1:{identity_port}/msi/token");
    let platform = Arc::new(FrontPlatform::new(host.clone(), passes.clone(), endpoint.clone()));
    let authority = std::fs::read_to_string(&ca_file).map_err(|source| Error::File {
        action: "read",
        path: ca_file.clone(),
        source,
    })?;
    let settings = Settings {
        salt: port,
        authority: authority.into(),
        ..Settings::new(home.runtime.clone(), config.speed)
    };
    let runtime = Runtime::start(platform, settings).map_err(|source| Error::File {
        action: "write",
        path: home.runtime.clone(),
        source,
    })?;
    let status = status(&config, &ca_file, endpoint, runtime.isolation(), &state);
    let front = Arc::new(Front::new(host.clone(), runtime.clone(), passes, status.clone()));

    let edge: Arc<dyn listen::Settings> = EdgeTls::new(certificates, runtime.clone())?;
    let (stopping, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(listen::serve(main, Some(edge.clone()), Main(front.clone()), stopped.clone()));
    tasks.spawn(listen::serve(identity, None, IdentityEndpoint(front.clone()), stopped.clone()));
    tasks.spawn(tick(host.clone(), stopped.clone()));
    tasks.spawn(plain::follow(front.clone(), ports, stopped.clone()));
    tasks.spawn(inside::follow(front.clone(), edge, port, stopped.clone()));

    let address = Address { arm: config.origin(), port, ca_file, status };
    hold.say(&address.status)?;
    tracing::info!(url = address.arm, seed = config.seed, "local Azure answers");
    ready(&address);

    stop.await;
    tracing::info!("local Azure stops");
    // Receivers are gone only when their tasks have ended already.
    let _ = stopping.send(true);
    runtime.stop().await;
    while tasks.join_next().await.is_some() {}
    let settled = host.close();
    drop(home);
    drop(hold);
    settled
}

/// The folders of one local Azure; those of a world in memory go with it.
#[derive(Debug)]
struct Home {
    folder: PathBuf,
    contents: PathBuf,
    runtime: PathBuf,
    /// Removed at the end.
    passing: Option<PathBuf>,
    _temporary: Option<tempfile::TempDir>,
}

impl Home {
    fn of(state: &State) -> Result<Home, Error> {
        let temporary = match state {
            State::Memory(None) => Some(
                tempfile::Builder::new()
                    .prefix("landfall-local-")
                    .tempdir()
                    .map_err(|source| Error::File { action: "make", path: std::env::temp_dir(), source })?,
            ),
            _ => None,
        };
        let folder = match (state, &temporary) {
            (State::Folder(folder) | State::Memory(Some(folder)), _) => folder.clone(),
            (State::Memory(None), Some(temporary)) => temporary.path().to_owned(),
            (State::Memory(None), None) => std::env::temp_dir(),
        };
        let folder = std::path::absolute(&folder).map_err(|source| Error::File {
            action: "find",
            path: folder,
            source,
        })?;
        make_folder(&folder)?;
        // A world in memory may be started beside one that is kept: their contents must not mix.
        let passing = matches!(state, State::Memory(_)).then(|| folder.join("memory"));
        let base = passing.clone().unwrap_or_else(|| folder.clone());
        let (contents, runtime) = (base.join("content"), base.join("runtime"));
        Ok(Home { folder, contents, runtime, passing, _temporary: temporary })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(passing) = &self.passing {
            // What a crash leaves is removed by the next start's sweep.
            let _ = std::fs::remove_dir_all(passing);
        }
    }
}

/// A world of before, with what was asked for now.
fn resume(mut world: World, seed: Option<u64>, speed: Option<f64>, folder: &Path) -> Result<World, Error> {
    let had = world.config.seed;
    if let Some(seed) = seed.filter(|seed| *seed != had) {
        return Err(Error::Option(format!(
            "the state in {} was begun with seed {had} and cannot go on with seed {seed}: leave `--seed` out, or move the folder aside to begin anew",
            folder.display()
        )));
    }
    if let Some(speed) = speed {
        world.config.speed = speed;
    }
    Ok(world)
}

fn read_types(folder: &Path) -> Result<Types, Error> {
    Catalogue::load(folder)
        .map(Arc::new)
        .map_err(|e| Error::Option(format!("the types in {} cannot be read: {e}", folder.display())))
}

/// Replaces the faults by those of a file.
fn load_faults(host: &Host, config: &Config, file: &Path) -> Result<(), Error> {
    let text = std::fs::read(file).map_err(|source| Error::File {
        action: "read",
        path: file.to_owned(),
        source,
    })?;
    let bad = |why: String| Error::Option(format!("{} is no list of faults: {why}", file.display()));
    let list: Vec<serde_json::Value> = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
    let send = |method, body: Body| {
        host.apply(Input::Request(Request {
            plane: Plane::Control,
            method,
            origin: config.origin(),
            path: "/_local/faults".into(),
            query: Vec::new(),
            headers: BTreeMap::from([("content-type".into(), "application/json".into())]),
            body,
            id: uuid::Uuid::new_v4().to_string(),
        }))
    };
    send(Method::Delete, Body::Empty)?;
    for (place, fault) in list.iter().enumerate() {
        let answer =
            send(Method::Post, Body::Bytes(fault.to_string().into_bytes()))?.response.unwrap_or_default();
        if answer.status >= 300 {
            let said = match &answer.body {
                Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => answer.status.to_string(),
            };
            return Err(bad(format!("number {}: {said}", place + 1)));
        }
    }
    Ok(())
}

/// Lets what is due happen when it is due, with or without requests.
async fn tick(host: Arc<Host>, mut stop: watch::Receiver<bool>) {
    let mut changes = host.changes();
    loop {
        changes.borrow_and_update();
        let due = async {
            match host.due() {
                Some(due) => {
                    let left = due.duration_since(Timestamp::now());
                    tokio::time::sleep(left.try_into().unwrap_or_default()).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                if let Err(error) = host.apply(Input::Tick) {
                    tracing::error!(error = chain(&error), "time does not go on");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
            changed = changes.changed() => if changed.is_err() { return },
            () = listen::stopped(&mut stop) => return,
        }
    }
}

fn status(config: &Config, ca_file: &Path, identity: String, runtime: String, state: &State) -> Status {
    let Config { port, seed, speed, .. } = *config;
    let origin = config.origin();
    let urls = [
        ("arm", origin.clone()),
        ("entra", origin.clone()),
        ("vault", format!("https://NAME.vault.localhost:{port}")),
        ("registry", format!("https://NAME.azurecr.localhost:{port}")),
        ("blob", format!("https://NAME.blob.core.localhost:{port}")),
        ("apps", format!("https://NAME.azurecontainerapps.localhost:{port}")),
        ("logs", origin.clone()),
        ("identity", identity),
    ];
    let env = [
        ("ARM_URL", origin.clone()),
        ("AUTH_URL", origin.clone()),
        ("CA_FILE", ca_file.display().to_string()),
        ("TENANT_ID", config.tenant.clone()),
        ("CLIENT_ID", config.client_id.clone()),
        ("CLIENT_SECRET", config.client_secret.clone()),
        ("SUBSCRIPTION_ID", config.subscription.clone()),
        ("KEYVAULT_SUFFIX", format!(".vault.localhost:{port}")),
        ("ACR_SUFFIX", format!(".azurecr.localhost:{port}")),
        ("BLOB_SUFFIX", format!(".blob.core.localhost:{port}")),
        ("APPS_URL", origin.clone()),
        ("LOGS_URL", origin),
    ];
    let state = match state {
        State::Folder(folder) => {
            std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string()
        }
        State::Memory(_) => "memory".into(),
    };
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    Status {
        pid: std::process::id(),
        urls: urls.into_iter().map(owned).collect(),
        seed,
        speed,
        runtime,
        state,
        ca_file: ca_file.to_owned(),
        env: env.into_iter().map(owned).collect(),
    }
}
