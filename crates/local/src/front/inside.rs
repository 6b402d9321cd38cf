//! An address for each environment, at which its apps reach each other by name: `http://api`, and host names without a
//! port, those of internal apps too. It is one of loopback's many (127.64.0.0/10), with HTTP at 80 and HTTPS at 443;
//! where those may not be opened, apps find each other at the HTTPS port only.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::listen::{self, Settings};
use super::router::{Front, Inside, chain};
use crate::world::container_apps;

/// Keeps an address open for every environment, until `stop` turns true. `port` is that of HTTPS from outside.
pub(crate) async fn follow(
    front: Arc<Front>,
    tls: Arc<dyn Settings>,
    port: u16,
    mut stop: watch::Receiver<bool>,
) {
    let mut changes = front.host.changes();
    let mut open: BTreeMap<String, watch::Sender<bool>> = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let wanted = front.host.read(container_apps::environment_domains);
        open.retain(|domain, stop| {
            let stays = wanted.contains(domain);
            if !stays {
                let _ = stop.send(true);
            }
            stays
        });
        for domain in wanted {
            if open.contains_key(&domain) {
                continue;
            }
            let (sender, stopped) = watch::channel(false);
            let address = front.runtime.address_of(&domain);
            let handler = Inside { front: front.clone(), domain: domain.clone() };
            tokio::spawn(listen::serve(bind(address, 80).await, None, handler.clone(), stopped.clone()));
            for secure in [443, port] {
                let listeners = bind(address, secure).await;
                tokio::spawn(listen::serve(listeners, Some(tls.clone()), handler.clone(), stopped.clone()));
            }
            open.insert(domain, sender);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = listen::stopped(&mut stop) => return,
        }
    }
}

async fn bind(address: Ipv4Addr, port: u16) -> Vec<TcpListener> {
    match TcpListener::bind((address, port)).await {
        Ok(listener) => vec![listener],
        Err(error) => {
            tracing::debug!(error = chain(&error), %address, port, "an environment's address is not open");
            Vec::new()
        }
    }
}
