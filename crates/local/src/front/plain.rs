//! A plain `http://127.0.0.1:PORT` for each application that is reachable from outside, since many resolvers know
//! no name under `.localhost`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::listen;
use super::ports::Ports;
use super::router::{Front, PlainApp, PlainPort, chain};
use crate::world::container_apps;

struct Open {
    app: PlainApp,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Keeps a port open for every application that has external ingress, until `stop` turns true.
pub(crate) async fn follow(front: Arc<Front>, mut ports: Ports, mut stop: watch::Receiver<bool>) {
    let mut changes = front.host.changes();
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let wanted = front.host.read(container_apps::reachable);
        for id in open.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect::<Vec<_>>() {
            close(&mut open, &id);
        }
        for (id, (name, fqdn)) in wanted {
            if open.get(&id).is_some_and(|open| open.app.fqdn == fqdn) {
                continue;
            }
            close(&mut open, &id);
            match ports.app(&id).await {
                Ok((port, listeners)) => {
                    let app = PlainApp {
                        id: id.clone(),
                        name,
                        fqdn: fqdn.clone(),
                        url: format!("http://127.0.0.1:{port}"),
                    };
                    let (sender, receiver) = watch::channel(false);
                    let handler = PlainPort { front: front.clone(), app: id.clone() };
                    let task = tokio::spawn(listen::serve(listeners, None, handler, receiver));
                    open.insert(id, Open { app, stop: sender, task });
                }
                Err(error) => tracing::warn!(error = chain(&error), app = id, "no plain port"),
            }
        }
        *front.plain.write().unwrap_or_else(PoisonError::into_inner) =
            open.iter().map(|(id, open)| (id.clone(), open.app.clone())).collect();
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            () = listen::stopped(&mut stop) => break,
        }
    }
    for (_, open) in open {
        let _ = open.stop.send(true);
        // Its own limit ends it.
        let _ = open.task.await;
    }
}

fn close(open: &mut BTreeMap<String, Open>, id: &str) {
    if let Some(open) = open.remove(id) {
        let _ = open.stop.send(true);
    }
}
