//! What happened to the world, on disk before it is acknowledged; snapshots and replay.
//!
//! The state folder holds `world.db` (SQLite): one snapshot of the world, and every input that changed it since,
//! each in the order it was applied and with the time it was applied at. As [`World::apply`] is deterministic, the
//! same inputs on the same snapshot give the same world. An input is committed before its answer leaves, so what
//! was acknowledged survives `kill -9`: the system has the pages, and a write-ahead log recovers by itself.
//!
//! Every record carries a checksum. A folder that is not whole is refused ([`Error::Damaged`]), never guessed at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::world::arm::types::Catalogue;
use crate::world::{Input, World};

/// Goes up when a snapshot or journal of before can no longer be read.
const FORMAT: u32 = 1;

/// A snapshot is written after so many journalled inputs …
const INPUTS_MAX: u64 = 2_000;
/// … or bytes of them, so that replaying takes well under a second.
const BYTES_MAX: u64 = 16 << 20;

/// Where inputs are kept.
#[derive(Debug)]
pub(crate) enum Store {
    /// In a state folder.
    Disk(Disk),
    /// Nowhere: a world that ends with its process.
    Memory,
}

/// The journal of a state folder.
#[derive(Debug)]
pub(crate) struct Disk {
    database: Connection,
    folder: PathBuf,
    /// Number of the last input, through all snapshots.
    last: i64,
    /// The folder of the types that inputs since the snapshot were checked against.
    types: Option<PathBuf>,
    /// Inputs since the snapshot, and their bytes.
    inputs: u64,
    bytes: u64,
}

impl Store {
    /// Opens the journal of `folder`: the world it holds, or `None` when the folder is new. Inputs are replayed with
    /// the catalogue of types that they were first applied with: `types` reads it from the folder it was in.
    pub(crate) fn open(
        folder: &Path,
        types: impl FnOnce(&Path) -> Result<Types, Error>,
    ) -> Result<(Store, Option<World>), Error> {
        let file = folder.join("world.db");
        if !file.exists() {
            return Ok((Store::Disk(Disk::make(folder, &file)?), None));
        }
        let mut disk = Disk::open(folder, &file)?;
        let noted: Option<String> = disk
            .database
            .query_row("select types from snapshot", [], |row| row.get(0))
            .optional()
            .map_err(|e| disk.unreadable(e))?
            .flatten();
        disk.types = noted.map(PathBuf::from);
        let types = disk.types.as_deref().map(types).transpose()?;
        let world = disk.load(types)?;
        Ok((Store::Disk(disk), world))
    }

    /// Keeps an input; it is on disk when this returns.
    pub(crate) fn append(&mut self, input: &[u8], at: Timestamp) -> Result<(), Error> {
        match self {
            Store::Memory => Ok(()),
            Store::Disk(disk) => disk.append(input, at),
        }
    }

    /// Whether the journal has grown enough for a snapshot.
    pub(crate) fn wants_snapshot(&self) -> bool {
        matches!(self, Store::Disk(disk) if disk.inputs >= INPUTS_MAX || disk.bytes >= BYTES_MAX)
    }

    /// Replaces snapshot and journal by a snapshot of `world`.
    pub(crate) fn snapshot(&mut self, world: &World) -> Result<(), Error> {
        match self {
            Store::Memory => Ok(()),
            Store::Disk(disk) => disk.snapshot(world),
        }
    }

    /// Begins anew from `world`, whose bodies are from now on checked against the types in `types`.
    pub(crate) fn begin(&mut self, world: &World, types: Option<&Path>) -> Result<(), Error> {
        if let Store::Disk(disk) = self {
            disk.types = types.map(Path::to_owned);
        }
        self.snapshot(world)
    }

    /// The world as the journal has it; `None` when nothing is kept.
    pub(crate) fn reload(&mut self, types: Option<Types>) -> Result<Option<World>, Error> {
        match self {
            Store::Memory => Ok(None),
            Store::Disk(disk) => disk.load(types),
        }
    }
}

/// A catalogue of Azure's types.
pub(crate) type Types = Arc<Catalogue>;

/// An input as [`Store::append`] takes it.
pub(crate) fn encode(input: &Input) -> Vec<u8> {
    serde_json::to_vec(input).expect("inputs are JSON")
}

impl Disk {
    /// An empty journal. It gets its name when it is whole, so that a file of that name is never a beginning.
    fn make(folder: &Path, file: &Path) -> Result<Disk, Error> {
        let part = folder.join("world.db.new");
        match std::fs::remove_file(&part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::File { action: "remove", path: part, source: e });
            }
            _ => {}
        }
        let database = Connection::open(&part).map_err(Error::Journal)?;
        database
            .execute_batch(&format!(
                "create table meta (name text primary key, value integer not null) without rowid;
                 create table snapshot (id integer primary key check (id = 1), through integer not null,
                                        world blob not null, checksum blob not null, types text);
                 create table input (seq integer primary key, at integer not null, input blob not null,
                                     checksum blob not null);
                 insert into meta values ('format', {FORMAT});"
            ))
            .map_err(Error::Journal)?;
        database.close().map_err(|(_, e)| Error::Journal(e))?;
        std::fs::rename(&part, file).map_err(|source| Error::File {
            action: "write",
            path: file.to_owned(),
            source,
        })?;
        Disk::open(folder, file)
    }

    fn open(folder: &Path, file: &Path) -> Result<Disk, Error> {
        let database = Connection::open(file).map_err(Error::Journal)?;
        let disk = Disk { database, folder: folder.to_owned(), last: 0, types: None, inputs: 0, bytes: 0 };
        // Not EXTRA or FULL: those are for a machine that loses power, and cost each request a flush of the disk.
        disk.database
            .pragma_update(None, "journal_mode", "wal")
            .and_then(|()| disk.database.pragma_update(None, "synchronous", "normal"))
            .map_err(|e| disk.unreadable(e))?;
        let check: String = disk
            .database
            .query_row("pragma quick_check(1)", [], |row| row.get(0))
            .map_err(|e| disk.unreadable(e))?;
        if check != "ok" {
            return Err(disk.damaged(check));
        }
        let found: u32 = disk
            .database
            .query_row("select value from meta where name = 'format'", [], |row| row.get(0))
            .map_err(|e| disk.unreadable(e))?;
        if found != FORMAT {
            return Err(Error::Format { folder: folder.to_owned(), found, known: FORMAT });
        }
        Ok(disk)
    }

    fn append(&mut self, input: &[u8], at: Timestamp) -> Result<(), Error> {
        // One row is one transaction: committed when this returns.
        self.database
            .prepare_cached("insert into input (seq, at, input, checksum) values (?, ?, ?, ?)")
            .and_then(|mut insert| {
                insert.execute(params![self.last + 1, nanoseconds(at), input, checksum(input)])
            })
            .map_err(Error::Journal)?;
        self.last += 1;
        self.inputs += 1;
        self.bytes += input.len() as u64;
        Ok(())
    }

    fn snapshot(&mut self, world: &World) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec(world).map_err(|e| self.damaged(format!("the world is no JSON: {e}")))?;
        let types = self.types.as_ref().map(|path| path.to_string_lossy().into_owned());
        let transaction = self.database.transaction().map_err(Error::Journal)?;
        transaction
            .execute(
                "insert or replace into snapshot (id, through, world, checksum, types) values (1, ?, ?, ?, ?)",
                params![self.last, bytes, checksum(&bytes), types],
            )
            .and_then(|_| transaction.execute("delete from input", []))
            .map_err(Error::Journal)?;
        transaction.commit().map_err(Error::Journal)?;
        (self.inputs, self.bytes) = (0, 0);
        Ok(())
    }

    /// The snapshot with all later inputs applied.
    fn load(&mut self, types: Option<Types>) -> Result<Option<World>, Error> {
        let snapshot: Option<(i64, Vec<u8>, Vec<u8>)> = self
            .database
            .query_row("select through, world, checksum from snapshot", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .map_err(|e| self.unreadable(e))?;
        let Some((through, bytes, sum)) = snapshot else { return Ok(None) };
        if checksum(&bytes) != sum {
            return Err(self.damaged("the snapshot's checksum is wrong".into()));
        }
        let mut world: World = serde_json::from_slice(&bytes)
            .map_err(|e| self.damaged(format!("the snapshot cannot be read: {e}")))?;
        world.types = types;
        let (mut inputs, mut length, mut last) = (0, 0, through);
        let mut select = self
            .database
            .prepare("select seq, at, input, checksum from input order by seq")
            .map_err(|e| self.unreadable(e))?;
        let mut rows = select.query([]).map_err(|e| self.unreadable(e))?;
        while let Some(row) = rows.next().map_err(|e| self.unreadable(e))? {
            let read = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))();
            let (seq, at, input, sum): (i64, i64, Vec<u8>, Vec<u8>) = read.map_err(|e| self.unreadable(e))?;
            if checksum(&input) != sum {
                return Err(self.damaged(format!("the checksum of input {seq} is wrong")));
            }
            if seq != last + 1 {
                return Err(self.damaged(format!("the journal goes from input {last} to {seq}")));
            }
            let at = Timestamp::from_nanosecond(i128::from(at))
                .map_err(|e| self.damaged(format!("input {seq} has no time: {e}")))?;
            let decoded: Input = serde_json::from_slice(&input)
                .map_err(|e| self.damaged(format!("input {seq} cannot be read: {e}")))?;
            world.apply(decoded, at);
            inputs += 1;
            length += input.len() as u64;
            last = seq;
        }
        drop(rows);
        drop(select);
        (self.last, self.inputs, self.bytes) = (last, inputs, length);
        Ok(Some(world))
    }

    fn damaged(&self, reason: String) -> Error {
        Error::Damaged { folder: self.folder.clone(), reason }
    }

    /// A disk that is full or forbidden is not damage; anything else that cannot be read is.
    fn unreadable(&self, error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly};
        match error.sqlite_error_code() {
            Some(CannotOpen | DiskFull | PermissionDenied | ReadOnly) => Error::Journal(error),
            _ => self.damaged(format!("world.db: {error}")),
        }
    }
}

/// Nanoseconds since 1970, within what SQLite holds until the year 2262.
fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

fn checksum(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes)[..8].to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use serde_json::{Value, json};

    use super::*;
    use crate::world::http::Segment;
    use crate::world::{Body, Config, Method, Plane, Request, Response};

    /// A world with its journal, driven by a clock of its own.
    struct Live {
        world: World,
        store: Store,
        clock: Timestamp,
    }

    impl Live {
        fn apply(&mut self, input: Input) -> Option<Response> {
            let encoded = encode(&input);
            let outcome = self.world.apply(input, self.clock);
            if outcome.changed {
                self.store.append(&encoded, self.clock).unwrap();
            }
            if self.store.wants_snapshot() {
                self.store.snapshot(&self.world).unwrap();
            }
            outcome.response
        }

        fn ask(&mut self, plane: Plane, method: Method, target: &str, token: &str, body: Body) -> Response {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let request = Request {
                origin: match &plane {
                    Plane::Registry { name } => format!("https://{name}.azurecr.localhost:1"),
                    Plane::Blob { account } => format!("https://{account}.blob.core.localhost:1"),
                    _ => "https://localhost:1".into(),
                },
                plane,
                method,
                path: path.into(),
                query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
                headers: BTreeMap::from([
                    ("authorization".into(), format!("Bearer {token}")),
                    ("content-type".into(), "application/json".into()),
                    ("x-ms-version".into(), "2024-11-04".into()),
                    ("x-ms-blob-type".into(), "BlockBlob".into()),
                ]),
                body,
                id: "request".into(),
            };
            self.apply(Input::Request(request)).unwrap_or_default()
        }

        fn token(&mut self, audience: &str) -> String {
            let config = self.world.config.clone();
            let form = format!(
                "client_id={}&client_secret={}&grant_type=client_credentials&scope={audience}/.default",
                config.client_id, config.client_secret
            );
            let path = format!("/{}/oauth2/v2.0/token", config.tenant);
            let answer = self.ask(Plane::Arm, Method::Post, &path, "", Body::Bytes(form.into_bytes()));
            let Body::Bytes(bytes) = answer.body else { panic!("no token") };
            serde_json::from_slice::<Value>(&bytes).unwrap()["access_token"].as_str().unwrap().to_owned()
        }
    }

    /// Everything a world is, as of one moment.
    fn whole(world: &mut World, at: Timestamp) -> Value {
        world.apply(Input::Tick, at);
        serde_json::to_value(&*world).unwrap()
    }

    fn random_run(seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let begun = Timestamp::from_second(1_800_000_000).unwrap();
        let world = World::new(Config::new(seed, 0.05, 1), begun);
        let (mut store, none) = Store::open(folder.path(), |_| unreachable!()).unwrap();
        assert!(none.is_none());
        store.begin(&world, None).unwrap();
        let mut live = Live { world, store, clock: begun };
        let (arm, storage) =
            (live.token("https://management.azure.com"), live.token("https://storage.azure.com"));
        let subscription = format!("/subscriptions/{}", live.world.config.subscription);
        let mut changed = 0;
        for step in 0..400 {
            live.clock += SignedDuration::from_millis(random.random_range(0..3_000));
            let n = random.random_range(0..4);
            let group = format!("{subscription}/resourceGroups/rg{n}");
            let json = |value: Value| Body::Bytes(value.to_string().into_bytes());
            let located = || json(json!({"location": "westeurope", "tags": {"step": step.to_string()}}));
            let stored = || {
                Body::Stored(vec![Segment {
                    key: format!("{step:032x}"),
                    offset: 0,
                    length: 7,
                    ..Segment::default()
                }])
            };
            let (plane, method, target, token, body) = match random.random_range(0..11) {
                0 | 1 => {
                    (Plane::Arm, Method::Put, format!("{group}?api-version=2024-11-01"), &arm, located())
                }
                2 => {
                    (Plane::Arm, Method::Delete, format!("{group}?api-version=2024-11-01"), &arm, Body::Empty)
                }
                3 | 4 => {
                    let id =
                        format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id{n}");
                    (Plane::Arm, Method::Put, format!("{id}?api-version=2023-01-31"), &arm, located())
                }
                5 => {
                    let id = format!("{group}/providers/Microsoft.Storage/storageAccounts/account{n}");
                    let body = json!({"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}});
                    (Plane::Arm, Method::Put, format!("{id}?api-version=2023-05-01"), &arm, json(body))
                }
                6 => {
                    let id = format!("{group}/providers/Microsoft.KeyVault/vaults/vault-{n}");
                    let body = json!({"location": "westeurope", "properties": {
                        "tenantId": live.world.config.tenant, "sku": {"family": "A", "name": "standard"},
                        "enableRbacAuthorization": true}});
                    (Plane::Arm, Method::Put, format!("{id}?api-version=2023-07-01"), &arm, json(body))
                }
                7 => {
                    let plane = Plane::Blob { account: format!("account{n}") };
                    (plane, Method::Put, "/box1?restype=container".into(), &storage, Body::Empty)
                }
                8 => {
                    let plane = Plane::Blob { account: format!("account{n}") };
                    (plane, Method::Put, format!("/box1/blob{}", step % 5), &storage, stored())
                }
                9 => {
                    let body = json(json!({"advance": "30s"}));
                    (Plane::Control, Method::Post, "/_local/clock".into(), &arm, body)
                }
                _ => (
                    Plane::Arm,
                    Method::Get,
                    format!("{group}/resources?api-version=2024-11-01"),
                    &arm,
                    Body::Empty,
                ),
            };
            let answer = live.ask(plane, method, &target, token, body);
            changed += u32::from((200..300).contains(&answer.status) && method != Method::Get);
            if step == 250 {
                live.store.snapshot(&live.world).unwrap();
            }
        }
        assert!(changed > 50, "seed {seed}: only {changed} changes were accepted");
        // Nothing is closed or flushed here: what another process finds now is what a kill would leave.
        let (_, found) = Store::open(folder.path(), |_| unreachable!()).unwrap();
        let mut found = found.expect("a world");
        let later = live.clock + SignedDuration::from_hours(1);
        let (live, found) = (whole(&mut live.world, later), whole(&mut found, later));
        if live != found {
            for (part, value) in live.as_object().unwrap() {
                assert_eq!(value, &found[part], "seed {seed}: {part} differs after replay");
            }
        }
    }

    #[test]
    fn what_is_journalled_gives_the_same_world() {
        for seed in [1, 2, 3, 4] {
            random_run(seed);
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_journal_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(Config::new(1, 0.0, 1), Timestamp::UNIX_EPOCH);
        let (mut store, _) = Store::open(folder.path(), |_| unreachable!()).unwrap();
        store.begin(&world, None).unwrap();
        let Store::Disk(disk) = &mut store else { panic!("on disk") };
        // As good as a full disk: the database may not grow any more.
        disk.database.pragma_update(None, "max_page_count", 1).unwrap();
        let large = vec![b' '; 1 << 20];
        assert!(matches!(store.append(&large, Timestamp::UNIX_EPOCH), Err(Error::Journal(_))));
        assert!(store.reload(None).unwrap().is_some(), "it can still be read");
        let Store::Disk(disk) = &mut store else { panic!("on disk") };
        disk.database.pragma_update(None, "max_page_count", 1 << 20).unwrap();
        let tick = serde_json::to_vec(&Input::Tick).unwrap();
        store.append(&tick, Timestamp::UNIX_EPOCH).unwrap();
        assert!(store.reload(None).unwrap().is_some());
    }
}
