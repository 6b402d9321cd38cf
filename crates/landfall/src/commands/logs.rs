//! `landfall logs`: what the services print.

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_deploy::Target;
use landfall_deploy::logs::{self, Line};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::cli::{Global, LogsArgs};
use crate::commands::support;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::target;
use crate::ui::Ui;

/// How often new replicas are looked for while following.
const LOOK: Duration = Duration::from_secs(2);

/// Prints the lines of all replicas, the past first, then new ones as they come.
pub async fn run(global: &Global, args: &LogsArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, None)?;
    let app = project.app(global, ui)?;
    if let Some(service) = &args.service
        && !app.services.contains_key(service)
    {
        let known: Vec<&str> = app.services.keys().map(String::as_str).collect();
        return Err(Failure::usage(format!("there is no service `{service}`"))
            .help(format!("the services are: {}", known.join(", "))));
    }
    let site = target::site(global, &project, &app, ui).await?;
    let blueprint = support::blueprint(&project, &app, &site.target.subscription)?;
    let apps: Vec<String> = app
        .services
        .keys()
        .filter(|service| args.service.as_ref().is_none_or(|wanted| wanted == *service))
        .filter_map(|service| blueprint.service(service))
        .filter(|resource| resource.resource_type == landfall_blueprint::resource::CONTAINER_APP)
        .map(|resource| resource.id())
        .collect();
    if apps.is_empty() {
        ui.note("only services on container-apps have logs that can be followed yet");
    }
    let (send, mut lines) = unbounded_channel();
    let reading = tokio::spawn(read(site.target.clone(), apps, args.tail, args.follow, send));
    let mut printed = 0_usize;
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => printed += usize::from(print(&line, args.grep.as_deref(), ui)),
                None => break,
            },
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
    match reading.await {
        Ok(result) => result?,
        Err(_) => return Err(Failure::failed("reading the logs was cut off")),
    }
    if printed == 0 {
        ui.note("no replica has printed anything; a service that is scaled to zero has none");
    }
    Ok(Exit::Done)
}

/// Streams every replica; while following, replicas that come up later too.
async fn read(
    target: Target,
    apps: Vec<String>,
    tail: u32,
    follow: bool,
    to: UnboundedSender<Line>,
) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    loop {
        let mut streams = Vec::new();
        for app in &apps {
            for replica in logs::replicas(&target, app, None).await.map_err(target::failure)? {
                if known.insert(replica.clone()) {
                    let (target, to) = (target.clone(), to.clone());
                    streams.push(tokio::spawn(async move {
                        logs::stream(&target, &replica, tail, follow, to).await
                    }));
                }
            }
        }
        if !follow {
            for stream in streams {
                if let Ok(Err(error)) = stream.await {
                    return Err(target::failure(error));
                }
            }
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
        if to.is_closed() {
            return Ok(());
        }
    }
}

fn print(line: &Line, grep: Option<&str>, ui: &Ui) -> bool {
    if grep.is_some_and(|wanted| !line.text.contains(wanted)) {
        return false;
    }
    if ui.json {
        ui.document(line);
    } else {
        // Revision and replica end alike for all of an app; the last part tells them apart.
        let replica = line.replica.rsplit('-').next().unwrap_or(&line.replica);
        ui.out(&format!("{} {replica}  {}", line.revision, line.text));
    }
    true
}
