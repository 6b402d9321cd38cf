//! Ports of apps that speak something else than HTTP: each exposed port is one at the environment's own address, where
//! its other apps find it, and one of the machine's loopback when the app is reachable from outside. A connection picks its revision by weight, waits while that has no replica yet, and holds its place
//! in the replica until it ends.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Shared;
use super::logs::Stream;
use super::pool::Turn;
use super::proxy::{self, Routes};

/// Listeners by port.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    open: BTreeMap<(Ipv4Addr, u16), Open>,
}

/// The app's id, its own port unless it is the main one, and the task that listens.
type Open = (String, Option<u16>, JoinHandle<()>);

impl Doors {
    /// Opens and closes ports as the routes ask.
    pub fn follow(&mut self, shared: &Arc<Shared>, routes: &Routes) {
        let mut wanted = BTreeMap::new();
        for (app, route) in &routes.apps {
            let mut addresses = vec![shared.address_of(&route.domain)];
            if route.ingress.external {
                addresses.push(Ipv4Addr::LOCALHOST);
            }
            for (port, target) in &route.ingress.tcp {
                for address in &addresses {
                    wanted.entry((*address, *port)).or_insert((app.clone(), *target));
                }
            }
        }
        self.open.retain(|door, (app, target, task)| {
            let stays = wanted.get(door).is_some_and(|wanted| wanted.0 == *app && wanted.1 == *target);
            if !stays {
                task.abort();
            }
            stays
        });
        for (door, (app, target)) in wanted {
            self.open.entry(door).or_insert_with(|| {
                let task = tokio::spawn(listen(shared.clone(), app.clone(), door, target));
                (app, target, task)
            });
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.open.values().for_each(|(_, _, task)| task.abort());
    }
}

async fn listen(shared: Arc<Shared>, app: String, door: (Ipv4Addr, u16), target: Option<u16>) {
    let mut said = false;
    let listener = loop {
        match TcpListener::bind(door).await {
            Ok(listener) => break listener,
            Err(error) => {
                if !said {
                    let text =
                        format!("The exposed port {} cannot be opened on this machine: {error}", door.1);
                    shared.logs.system(&app).add(Stream::System, &text);
                    said = true;
                }
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    };
    loop {
        let Ok((client, peer)) = listener.accept().await else { continue };
        tokio::spawn(carry(shared.clone(), app.clone(), client, peer, target));
    }
}

async fn carry(
    shared: Arc<Shared>,
    app: String,
    mut client: TcpStream,
    peer: SocketAddr,
    target: Option<u16>,
) {
    loop {
        let routes = shared.routes();
        let Some(route) = routes.apps.get(&app) else { return };
        if !proxy::allowed(&route.ingress, peer.ip()) {
            return;
        }
        let chosen = proxy::choose(&route.ingress.traffic, rand::random_range(0..100));
        let Some(pool) = chosen.and_then(|revision| route.pools.get(revision)) else { return };
        let lease = match pool.hold(None, shared.settings.hold).await {
            None => return,
            Some(Turn::Go(lease)) => lease,
            Some(Turn::Retired | Turn::Wait) => continue,
        };
        let mut address = lease.endpoint.address;
        if let Some(target) = target {
            address.set_port(lease.endpoint.own_ports.place(target));
        }
        let Ok(mut replica) = TcpStream::connect(address).await else { return };
        let _ = tokio::io::copy_bidirectional(&mut client, &mut replica).await;
        return;
    }
}
