//! `landfall build`: the images, without deploying them.

use serde_json::json;

use crate::cli::{DirArgs, Global};
use crate::commands::detect::build_failure;
use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::ui::Ui;

/// Builds each service's image into the cache of layers.
pub fn run(global: &Global, args: &DirArgs, ui: &Ui) -> Result<Exit, Failure> {
    let project = Project::find(global, args.dir.as_deref())?;
    let app = project.app(global, ui)?;
    let mut built = Vec::new();
    for (service, spec) in landfall_deploy::source::specs(&app, &project.folder) {
        let image = landfall_build::build(&spec, &project.hidden().join("build"), &mut |line| {
            ui.note(&format!("{service}: {line}"));
        })
        .map_err(build_failure)?;
        let size: u64 = image.layers.iter().map(|layer| layer.size).sum();
        if !ui.json {
            ui.out(&format!("{service}  {}  {} bytes  tag {}", image.digest, size, image.tag));
        }
        built.push(json!({"service": service, "digest": image.digest, "tag": image.tag, "bytes": size,
            "unchanged": image.unchanged}));
    }
    if ui.json {
        ui.document(&json!({"schema": 1, "images": built}));
    } else if built.is_empty() {
        ui.out("no service is built from source");
    }
    Ok(Exit::Done)
}

/// Serves files, as the images of static sites do.
pub async fn serve_static(root: &std::path::Path, spa: bool) -> Result<Exit, Failure> {
    let port = match std::env::var("PORT") {
        Err(_) => 8080,
        Ok(text) => {
            text.parse().map_err(|_| Failure::usage(format!("PORT is `{text}`, which is not a port")))?
        }
    };
    let options = landfall_build::static_server::Options { root: root.to_owned(), port, spa };
    landfall_build::static_server::serve(options).await.map_err(|error| {
        Failure::failed(format!("cannot serve {} on port {port}", root.display())).because(error)
    })?;
    Ok(Exit::Done)
}
