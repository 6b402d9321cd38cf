//! Local Azure's figures.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::azure::Azure;
use crate::report::{Figure, Report, Wanted, median};
use crate::{Failure, Scale, ingress, load};

/// Starts for the median; each is a process.
const STARTS: usize = 5;
/// Connections at once that Resource Manager is asked over.
const CLIENTS: usize = 4;

/// Measures everything.
pub async fn run(scale: Scale) -> Result<Report, Failure> {
    let mut report = Report::default();
    starts(&mut report).await?;
    reads(scale, &mut report).await?;
    template(scale, &mut report).await?;
    images(scale, &mut report).await?;
    ingress::measure(scale, &mut report).await?;
    Ok(report)
}

/// From the command to every plane answering, and what it holds then.
async fn starts(report: &mut Report) -> Result<(), Failure> {
    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let azure = Azure::start().await?;
        ready.push(azure.started.as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(300)).await;
        resident.push(azure.resident()?);
    }
    report.figures.push(Figure {
        name: "ready after `local start`",
        unit: "ms",
        ours: median(ready),
        peer: None,
        wanted: Wanted::Below(150.0),
    });
    report.figures.push(Figure {
        name: "memory at rest",
        unit: "MB",
        ours: median(resident),
        peer: None,
        wanted: Wanted::Below(60.0),
    });
    Ok(())
}

/// `GET` of a resource.
async fn reads(scale: Scale, report: &mut Report) -> Result<(), Failure> {
    let azure = Azure::start().await?;
    let group = azure.group().await?;
    let target = azure.get(&format!("{group}?api-version=2024-11-01"))?;
    let (mut rates, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let load = load::run(&target, CLIENTS, scale.load).await?;
        rates.push(load.rate());
        slow.push(load.percentile(99));
    }
    report.figures.push(Figure {
        name: "ARM GET, p99",
        unit: "ms",
        ours: median(slow),
        peer: None,
        wanted: Wanted::Below(2.0),
    });
    report.figures.push(Figure {
        name: "ARM GET, requests",
        unit: "/s",
        ours: median(rates),
        peer: None,
        wanted: Wanted::AtLeast(3000.0),
    });
    Ok(())
}

/// A template of many resources, to its end.
async fn template(scale: Scale, report: &mut Report) -> Result<(), Failure> {
    let azure = Azure::start().await?;
    let group = azure.group().await?;
    let mut times = Vec::new();
    for round in 0..scale.rounds {
        let resource = json!({
            "type": "Microsoft.Network/networkSecurityGroups", "apiVersion": "2024-05-01",
            "name": format!("[format('nsg{round}-{{0}}', copyIndex())]"), "location": "westeurope",
            "copy": {"name": "all", "count": scale.resources}, "properties": {},
        });
        let template = json!({
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "resources": [resource],
        });
        let body = json!({"properties": {"mode": "Incremental", "template": template}});
        let path =
            format!("{group}/providers/Microsoft.Resources/deployments/bench{round}?api-version=2024-11-01");
        let begun = Instant::now();
        azure.put(&path, &body).await?;
        times.push(begun.elapsed().as_secs_f64());
    }
    report.figures.push(Figure {
        name: "a template of 500 resources",
        unit: "s",
        ours: median(times),
        peer: None,
        wanted: Wanted::Below(2.0),
    });
    Ok(())
}

/// A layer into a registry and out of it.
async fn images(scale: Scale, report: &mut Report) -> Result<(), Failure> {
    let azure = Azure::start().await?;
    let registry = Registry::new(&azure, "benchreg").await?;
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for round in 0..scale.rounds {
        let layer = noise(scale.blob, round as u64);
        let digest = digest(&layer);
        let begun = Instant::now();
        registry.upload("layers", layer.clone(), &digest).await?;
        up.push(megabytes(scale.blob, begun.elapsed()));
        let begun = Instant::now();
        let read = registry.download("layers", &digest).await?;
        down.push(megabytes(read, begun.elapsed()));
        if read != scale.blob {
            return Err(format!("{read} bytes came back of {}", scale.blob).into());
        }
    }
    for (name, values) in [("upload of a layer", up), ("pull of a layer", down)] {
        report.figures.push(Figure {
            name,
            unit: "MB/s",
            ours: median(values),
            peer: None,
            wanted: Wanted::AtLeast(300.0),
        });
    }
    Ok(())
}

fn megabytes(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

/// Bytes that no compression shortens, different for each seed.
fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64.wrapping_add(seed);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length / 8).flat_map(|_| next()).collect()
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A registry with its admin user.
pub struct Registry<'a> {
    azure: &'a Azure,
    /// Host and port.
    pub host: String,
    /// The admin's name and password.
    pub admin: (String, String),
}

impl<'a> Registry<'a> {
    /// Makes one.
    pub async fn new(azure: &'a Azure, name: &str) -> Result<Registry<'a>, Failure> {
        let id = format!("{}/providers/Microsoft.ContainerRegistry/registries/{name}", azure.group().await?);
        let body = json!({"location": "westeurope", "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": true}});
        azure.put(&format!("{id}?api-version=2025-11-01"), &body).await?;
        let shown = azure
            .arm(Method::POST, &format!("{id}/listCredentials?api-version=2025-11-01"), Some(&json!({})))
            .await?;
        let password = shown["passwords"][0]["value"].as_str().unwrap_or_default().to_owned();
        let host = format!("{name}{}", azure.env("ACR_SUFFIX"));
        Ok(Registry { azure, host, admin: (name.to_owned(), password) })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("https://{}{path}", self.host);
        self.azure.http().request(method, url).basic_auth(&self.admin.0, Some(&self.admin.1))
    }

    /// Pushes a blob in one piece.
    pub async fn upload(&self, repository: &str, bytes: Bytes, digest: &str) -> Result<(), Failure> {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.request(Method::POST, &path).body(bytes).send().await?.error_for_status()?;
        Ok(())
    }

    /// Pulls a blob; how many bytes came.
    pub async fn download(&self, repository: &str, digest: &str) -> Result<usize, Failure> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let mut answer = self.request(Method::GET, &path).send().await?.error_for_status()?;
        let mut read = 0;
        while let Some(chunk) = answer.chunk().await? {
            read += chunk.len();
        }
        Ok(read)
    }

    /// Pushes a manifest under a tag.
    pub async fn tag(&self, repository: &str, tag: &str, manifest: &Value) -> Result<(), Failure> {
        let kind = manifest["mediaType"].as_str().unwrap_or_default();
        let request = self.request(Method::PUT, &format!("/v2/{repository}/manifests/{tag}"));
        request.header("content-type", kind).body(manifest.to_string()).send().await?.error_for_status()?;
        Ok(())
    }
}
