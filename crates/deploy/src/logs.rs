//! What the services print: the replicas' log streams, as Azure serves them.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::Error;
use crate::target::Target;

/// The version of `Microsoft.App` that the streams are found with.
const APP: &str = "2026-01-01";
/// A line longer than this is cut: nobody reads it, and memory is finite.
const LINE_MAX: usize = 64 * 1024;

/// One line of one replica.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The container app.
    pub app: String,
    /// The revision.
    pub revision: String,
    /// The replica.
    pub replica: String,
    /// What it printed.
    pub text: String,
}

/// One replica's container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica {
    /// The container app's name.
    pub app: String,
    /// Its ARM id.
    pub app_id: String,
    /// The revision.
    pub revision: String,
    /// The replica.
    pub name: String,
    /// The container.
    pub container: String,
}

/// The replicas of an app: of one revision, or of all active ones.
///
/// # Errors
/// What Azure refused.
pub async fn replicas(target: &Target, app_id: &str, revision: Option<&str>) -> Result<Vec<Replica>, Error> {
    let app = app_id.rsplit('/').next().unwrap_or_default().to_owned();
    let revisions = match revision {
        Some(revision) => vec![revision.to_owned()],
        None => target
            .arm
            .list(&format!("{app_id}/revisions"), APP)
            .await
            .map_err(Error::azure(format!("list the revisions of {app}")))?
            .iter()
            .filter(|revision| revision["properties"]["active"] == Value::Bool(true))
            .filter_map(|revision| revision["name"].as_str().map(str::to_owned))
            .collect(),
    };
    let mut found = Vec::new();
    for revision in revisions {
        let listed = target
            .arm
            .list(&format!("{app_id}/revisions/{revision}/replicas"), APP)
            .await
            .map_err(Error::azure(format!("list the replicas of {revision}")))?;
        for replica in listed {
            let Some(name) = replica["name"].as_str() else { continue };
            for container in replica["properties"]["containers"].as_array().into_iter().flatten() {
                found.push(Replica {
                    app: app.clone(),
                    app_id: app_id.to_owned(),
                    revision: revision.clone(),
                    name: name.to_owned(),
                    container: container["name"].as_str().unwrap_or("main").to_owned(),
                });
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The last lines of all replicas of a revision.
///
/// # Errors
/// What Azure refused.
pub async fn tail(target: &Target, app_id: &str, revision: &str, lines: u32) -> Result<Vec<String>, Error> {
    let mut printed = Vec::new();
    for replica in replicas(target, app_id, Some(revision)).await? {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        // A stream that does not end by itself must not hold up the report of a failure.
        let reading = stream(target, &replica, lines, false, send);
        let _ = tokio::time::timeout(Duration::from_secs(5), reading).await;
        while let Ok(line) = receive.try_recv() {
            printed.push(line.text);
        }
    }
    let keep = printed.len().saturating_sub(lines as usize);
    Ok(printed.split_off(keep))
}

/// Sends the lines of one replica: the last `lines` of them, then, when `follow`ing, each new one until the
/// replica ends or nobody listens.
///
/// # Errors
/// What Azure refused.
pub async fn stream(
    target: &Target,
    replica: &Replica,
    lines: u32,
    follow: bool,
    to: UnboundedSender<Line>,
) -> Result<(), Error> {
    let doing = format!("read the log of {}", replica.name);
    let app = target
        .arm
        .get(&replica.app_id, APP)
        .await
        .map_err(Error::azure(doing.clone()))?
        .ok_or_else(|| Error::other(format!("the container app {} is gone", replica.app)))?;
    let endpoint = app["properties"]["eventStreamEndpoint"].as_str().unwrap_or_default();
    // The endpoint is that of the app's events; the streams lie beside it.
    let Some(base) = endpoint.find("/subscriptions/").map(|at| &endpoint[..at]) else {
        return Err(Error::other(format!("Azure names no log stream for {}", replica.app)));
    };
    let answer = target
        .arm
        .post(&format!("{}/getAuthToken", replica.app_id), APP, None)
        .await
        .map_err(Error::azure(doing.clone()))?;
    let token = answer["properties"]["token"].as_str().unwrap_or_default();
    // Unlike ARM's, the stream's path names no provider.
    let app_path = replica.app_id.replace("/providers/Microsoft.App", "");
    let url = format!(
        "{base}{app_path}/revisions/{}/replicas/{}/containers/{}/logstream?follow={follow}&output=text&tailLines={lines}",
        replica.revision, replica.name, replica.container
    );
    let refused = |why: String| Error::other(format!("cannot {doing}: {why}"));
    let client = target.cloud.http_for_uploads().map_err(Error::azure(doing.clone()))?;
    let response = client
        .get(&url)
        .bearer_auth(token)
        .send()
        .await
        .map_err(|error| refused(error.without_url().to_string()))?;
    if !response.status().is_success() {
        return Err(refused(format!("the stream answered {}", response.status())));
    }
    let mut bytes = response.bytes_stream();
    let mut rest = Vec::new();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| refused(error.without_url().to_string()))?;
        for byte in chunk {
            if byte != b'\n' && rest.len() < LINE_MAX {
                rest.push(byte);
            } else if !send(&to, replica, &mut rest) {
                return Ok(());
            }
        }
    }
    if !rest.is_empty() {
        send(&to, replica, &mut rest);
    }
    Ok(())
}

/// Sends what was gathered as one line; false when nobody listens any more.
fn send(to: &UnboundedSender<Line>, replica: &Replica, rest: &mut Vec<u8>) -> bool {
    let text = String::from_utf8_lossy(rest).trim_end_matches('\r').to_owned();
    rest.clear();
    to.send(Line {
        app: replica.app.clone(),
        revision: replica.revision.clone(),
        replica: replica.name.clone(),
        text,
    })
    .is_ok()
}
