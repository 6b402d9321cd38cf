//! How each operation is carried out.
//!
//! Every one is idempotent: begun again after a crash, with the same input, it leaves Azure as if it had been
//! begun once. Azure's own long-running operations are handed back as tokens, so that another process follows
//! them instead of repeating them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use landfall_azure::{Begun, Followed, Method, Progress, Push, Registration, Tracking};
use landfall_blueprint::{Address, Body, Expression};
use landfall_build::{Image, Spec};
use landfall_engine::{Class, Context, Failure, Hands, Operation, Step};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::logs;
use crate::status;
use crate::survey::put_key;
use crate::target::Target;
use crate::work::{Source, Work, image_key};

/// Carries operations out on one target.
#[derive(Clone, Debug)]
pub struct AzureHands {
    target: Target,
    /// Where layers are kept between builds.
    scratch: PathBuf,
}

/// What has to be known to go on after Azure took something on; journalled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "wait", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Token {
    /// An operation of Azure's.
    Azure {
        tracking: Box<Tracking>,
        /// What was sent, secrets as fingerprints; becomes part of the output.
        #[serde(default)]
        applied: Value,
        /// The resource is on its way out and has to be written when it is gone.
        #[serde(default)]
        replacing: bool,
    },
    /// A provider's registration.
    Registration,
    /// A revision that is coming up.
    Revision,
}

impl AzureHands {
    /// Hands on `target` that keep layers of images in `scratch`.
    pub fn new(target: Target, scratch: impl Into<PathBuf>) -> AzureHands {
        AzureHands { target, scratch: scratch.into() }
    }
}

#[async_trait]
impl Hands for AzureHands {
    async fn begin(&self, operation: &Operation, context: &Context) -> Result<Step, Failure> {
        let work = work(operation)?;
        match &work {
            Work::Register { namespace } => self.register(namespace).await,
            Work::Recover { id, api_version, location } => self.recover(id, api_version, location).await,
            Work::Purge { name, location } => self.purge(name, location).await,
            Work::Build { source } => build(&self.scratch, source, context).await.map(|(image, _)| {
                Step::Done(json!({"digest": image.digest, "tag": image.tag, "unchanged": image.unchanged}))
            }),
            Work::Image { source, registry, repository, tag } => {
                self.image(source, registry, repository, tag, context).await
            }
            Work::Put { replace: true, id, api_version, .. } if self.exists(id, api_version).await? => {
                context.report("deleting what it replaces", None);
                match self.target.arm.begin(Method::Delete, id, api_version, None).await.map_err(failure)? {
                    Begun::Done(_) => self.put(&work, context).await,
                    Begun::Accepted(tracking) => {
                        let after = tracking.after();
                        Ok(accepted(
                            Token::Azure {
                                tracking: Box::new(tracking),
                                applied: Value::Null,
                                replacing: true,
                            },
                            after,
                        ))
                    }
                }
            }
            Work::Put { .. } => self.put(&work, context).await,
            Work::Ready { id, api_version } => self.ready(id, api_version, context).await,
            Work::Delete { id, api_version } => self.delete(id, api_version).await,
        }
    }

    async fn follow(&self, operation: &Operation, token: &Value, context: &Context) -> Result<Step, Failure> {
        let work = work(operation)?;
        let token: Token = serde_json::from_value(token.clone())
            .map_err(|error| Failure::fatal(format!("the journal's token cannot be read: {error}")).over())?;
        match (token, &work) {
            (Token::Azure { tracking, applied, replacing }, _) => {
                self.follow_azure(&work, tracking, applied, replacing, context).await
            }
            (Token::Registration, Work::Register { namespace }) => self.registered(namespace).await,
            (Token::Revision, Work::Ready { id, api_version }) => self.ready(id, api_version, context).await,
            (token, _) => {
                Err(Failure::fatal(format!("the journal's token {token:?} is not of this operation")).over())
            }
        }
    }
}

fn work(operation: &Operation) -> Result<Work, Failure> {
    serde_json::from_value(operation.input.clone()).map_err(|error| {
        Failure::fatal(format!("the journal's input of `{}` cannot be read: {error}", operation.key))
    })
}

/// An id whose last part is still in braces, with `name` in its place.
fn named_id(id: &str, name: Option<String>) -> Option<String> {
    let (parent, last) = id.rsplit_once('/')?;
    match (last.starts_with('{'), name) {
        (false, _) => Some(id.to_owned()),
        (true, Some(name)) => Some(format!("{parent}/{name}")),
        (true, None) => None,
    }
}

fn accepted(token: Token, after: Duration) -> Step {
    Step::Accepted { token: serde_json::to_value(token).expect("a token has string keys"), after }
}

impl AzureHands {
    async fn exists(&self, id: &str, api_version: &str) -> Result<bool, Failure> {
        Ok(self.target.arm.get(id, api_version).await.map_err(failure)?.is_some())
    }

    async fn register(&self, namespace: &str) -> Result<Step, Failure> {
        let state = self.target.arm.register(&self.target.subscription, namespace).await.map_err(failure)?;
        Ok(registration(&state, self.target.speed))
    }

    async fn registered(&self, namespace: &str) -> Result<Step, Failure> {
        let provider =
            self.target.arm.provider(&self.target.subscription, namespace).await.map_err(failure)?;
        Ok(registration(&provider.registration, self.target.speed))
    }

    async fn recover(&self, id: &str, api_version: &str, location: &str) -> Result<Step, Failure> {
        if self.exists(id, api_version).await? {
            return Ok(Step::Done(Value::Null));
        }
        // A recovery takes the tenant and SKU that a creation takes; Azure keeps those the vault had.
        let body = json!({"location": location, "properties": {"createMode": "recover",
            "tenantId": self.target.caller.tenant, "sku": {"family": "A", "name": "standard"}}});
        let begun =
            self.target.arm.begin(Method::Put, id, api_version, Some(&body)).await.map_err(failure)?;
        Ok(step(begun, Value::Null))
    }

    async fn purge(&self, name: &str, location: &str) -> Result<Step, Failure> {
        let subscription = &self.target.subscription;
        if self.target.arm.deleted_vault(subscription, location, name).await.map_err(failure)?.is_none() {
            return Ok(Step::Done(Value::Null));
        }
        let begun = self.target.arm.purge_vault(subscription, location, name).await.map_err(failure)?;
        Ok(step(begun, Value::Null))
    }

    async fn delete(&self, id: &str, api_version: &str) -> Result<Step, Failure> {
        match self.target.arm.begin(Method::Delete, id, api_version, None).await {
            Ok(begun) => Ok(step(begun, Value::Null)),
            Err(error) if error.status() == Some(404) => Ok(Step::Done(Value::Null)),
            Err(error) => Err(failure(error)),
        }
    }

    async fn image(
        &self,
        source: &Source,
        registry: &str,
        repository: &str,
        tag: &str,
        context: &Context,
    ) -> Result<Step, Failure> {
        let client = self.target.registry(registry).map_err(other)?;
        let named =
            |digest: &str| Step::Done(json!({"image": format!("{}/{repository}@{digest}", client.host())}));
        if let Some(digest) = client.digest(repository, tag).await.map_err(failure)? {
            return Ok(named(&digest));
        }
        // Named after the source that was built: it may have been edited since the plan was made.
        let (image, tag) = build(&self.scratch, source, context).await?;
        let push = Push {
            repository: repository.to_owned(),
            layers: image
                .layers
                .iter()
                .map(|layer| landfall_azure::Blob {
                    digest: layer.digest.clone(),
                    size: layer.size,
                    path: layer.path.clone(),
                })
                .collect(),
            config: image.config.clone(),
            manifest: image.manifest.clone(),
            manifest_media_type: image.manifest_media_type.to_owned(),
            tags: vec![image.tag.clone(), tag],
            mount_from: None,
        };
        let total: u64 = push.layers.iter().map(|layer| layer.size).sum();
        let sent = std::sync::Mutex::new(BTreeMap::<String, u64>::new());
        let progress = |progress: Progress| {
            let (digest, bytes) = match progress {
                Progress::Present { digest, size } | Progress::Mounted { digest, size } => (digest, size),
                Progress::Sent { digest, sent, .. } => (digest, sent),
                Progress::Tagged { .. } => return,
            };
            let mut sent = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            sent.insert(digest, bytes);
            let done: u64 = sent.values().sum();
            #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
            let share = (total > 0).then(|| (done as f32 / total as f32).min(1.0));
            context.report(format!("pushing {} of {}", megabytes(done.min(total)), megabytes(total)), share);
        };
        let digest = client.push(&push, &progress).await.map_err(failure)?;
        Ok(named(&digest))
    }

    async fn put(&self, work: &Work, context: &Context) -> Result<Step, Failure> {
        let Work::Put { id, resource_type, api_version, body, latest_revision, named, keys_of, .. } = work
        else {
            return Err(Failure::fatal("not a write"));
        };
        let keys = self.keys(body, keys_of).await?;
        let lookup = |expression: &Expression| self.value(expression, &keys, context);
        let sent =
            landfall_plan::revision::finish(body, latest_revision.as_deref(), &lookup).map_err(|error| {
                Failure::fatal(format!("the body of {id} cannot be completed: {error}"))
                    .with_help("this is a mistake of Landfall's; please report it with the manifest")
            })?;
        let applied = landfall_plan::revision::applied(body, &sent);
        let id = &match named {
            None => id.clone(),
            Some(named) => {
                let name = self.value(named, &keys, context);
                let name = name.as_ref().and_then(Value::as_str).map(str::to_owned);
                // When the plan knew it, the id has it already.
                named_id(id, name).ok_or_else(|| Failure::fatal(format!("the name of {id} is not known")))?
            }
        };
        match self.target.arm.begin(Method::Put, id, api_version, Some(&sent)).await {
            Ok(begun) => Ok(step(begun, applied)),
            // The same assignment under another name does what we want.
            Err(error) if error.code() == Some("RoleAssignmentExists") => {
                Ok(Step::Done(json!({"resource": null, "applied": applied})))
            }
            Err(error) => Err(self.explain(failure(error), resource_type, id, api_version).await),
        }
    }

    /// Keys are read at the moment they are sent and kept nowhere.
    async fn keys(
        &self,
        body: &Body,
        keys_of: &BTreeMap<Address, (String, String)>,
    ) -> Result<BTreeMap<Address, Value>, Failure> {
        let mut keys = BTreeMap::new();
        for (address, (id, api_version)) in keys_of {
            if let Some((_, name)) = id.split_once("/Microsoft.KeyVault/vaults/") {
                keys.insert(address.clone(), self.secret_values(body, address, name).await?);
                continue;
            }
            // A workspace's keys have a name of their own.
            let action =
                if id.contains("/Microsoft.OperationalInsights/") { "sharedKeys" } else { "listKeys" };
            let answer =
                self.target.arm.post(&format!("{id}/{action}"), api_version, None).await.map_err(failure)?;
            keys.insert(address.clone(), answer);
        }
        Ok(keys)
    }

    /// The secrets of a vault that a body has the values of, by name.
    async fn secret_values(&self, body: &Body, of: &Address, name: &str) -> Result<Value, Failure> {
        let mut expressions = Vec::new();
        body.expressions(&mut expressions);
        let vault = self.target.vault(name).map_err(|error| Failure::fatal(error.to_string()))?;
        let mut values = serde_json::Map::new();
        for expression in expressions {
            let Expression::SecretValue { vault: there, secret } = expression else { continue };
            if there != of {
                continue;
            }
            let Some((_, value)) = vault.get(secret, None).await.map_err(failure)? else {
                return Err(Failure::fatal(format!("the vault {name} has no secret `{secret}`")).with_help(
                    format!("set it with `landfall secrets set {secret}` and go on with `landfall resume`"),
                ));
            };
            values.insert(secret.clone(), value.expose_secret().into());
        }
        Ok(values.into())
    }

    fn value(
        &self,
        expression: &Expression,
        keys: &BTreeMap<Address, Value>,
        context: &Context,
    ) -> Option<Value> {
        match expression {
            Expression::Property { of, path } => {
                let output = context.output(&put_key(of))?;
                at(&output["resource"], path).cloned()
            }
            Expression::ListKeys { of, path } => at(keys.get(of)?, path).cloned(),
            Expression::SecretValue { vault, secret } => keys.get(vault)?.get(secret).cloned(),
            Expression::Image { service } => {
                context.output(&image_key(service)).map(|output| output["image"].clone())
            }
            Expression::Tenant => Some(json!(self.target.caller.tenant)),
            // Ids and pinned secrets were settled by the plan; the suffix comes last, in `finish`.
            Expression::Id { .. }
            | Expression::SecretUri { .. }
            | Expression::RevisionSuffix { .. }
            | Expression::Concat { .. } => None,
        }
        .filter(|value: &Value| !value.is_null())
    }

    async fn follow_azure(
        &self,
        work: &Work,
        tracking: Box<Tracking>,
        applied: Value,
        replacing: bool,
        context: &Context,
    ) -> Result<Step, Failure> {
        match self.target.arm.follow(&tracking).await {
            Ok(Followed::Running { after, percent, status, moved }) => {
                context.report(status, percent.map(|percent| percent / 100.0));
                let tracking = moved.map_or(tracking, Box::new);
                Ok(accepted(Token::Azure { tracking, applied, replacing }, after))
            }
            Ok(Followed::Done(_)) if replacing => self.put(work, context).await,
            Ok(Followed::Done(resource)) => Ok(Step::Done(json!({"resource": resource, "applied": applied}))),
            Err(error) => {
                let over =
                    error.kind() == landfall_azure::error::Kind::Operation || error.status() == Some(404);
                let mut failure = failure(error);
                failure.over = over;
                match work {
                    Work::Put { id, resource_type, api_version, .. } if over => {
                        Err(self.explain(failure, resource_type, id, api_version).await)
                    }
                    _ => Err(failure),
                }
            }
        }
    }

    /// Adds what a container app last printed to the failure of its revision.
    async fn explain(
        &self,
        mut failure: Failure,
        resource_type: &str,
        id: &str,
        api_version: &str,
    ) -> Failure {
        let pulls =
            [landfall_blueprint::resource::CONTAINER_APP, landfall_blueprint::services::container_job::TYPE];
        if !pulls.contains(&resource_type) {
            return failure;
        }
        if failure.class == Class::Fatal && is_waiting_for_a_role(&failure.message) {
            // A role that was assigned a moment ago takes up to ten minutes to work.
            failure.class = Class::NotYetConsistent;
            return failure;
        }
        if resource_type == landfall_blueprint::resource::CONTAINER_APP
            && let Ok(Some(app)) = self.target.arm.get(id, api_version).await
            && let Some(revision) = app["properties"]["latestRevisionName"].as_str()
        {
            let printed = logs::tail(&self.target, id, revision, 10).await.unwrap_or_default();
            let new: Vec<&String> =
                printed.iter().filter(|line| !failure.message.contains(line.as_str())).collect();
            if !new.is_empty() {
                failure.message.push_str("\nit last printed:");
                for line in new {
                    failure.message.push_str(&format!("\n  {line}"));
                }
            }
        }
        failure
    }

    /// Whether the app's newest revision takes requests.
    async fn ready(&self, id: &str, api_version: &str, context: &Context) -> Result<Step, Failure> {
        let app = self.target.arm.get(id, api_version).await.map_err(failure)?;
        let Some(app) = app else { return Err(Failure::fatal(format!("{id} is gone")).over()) };
        let properties = &app["properties"];
        let latest = properties["latestRevisionName"].as_str().unwrap_or_default().to_owned();
        if properties["latestReadyRevisionName"].as_str() == Some(latest.as_str()) && !latest.is_empty() {
            let url = status::url(&self.target, &app);
            return Ok(Step::Done(json!({"revision": latest, "url": url})));
        }
        let revision = format!("{id}/revisions/{latest}");
        let state =
            self.target.arm.get(&revision, api_version).await.map_err(failure)?.unwrap_or(Value::Null);
        let state = &state["properties"];
        if state["provisioningState"] == "Failed" || state["runningState"] == "Failed" {
            let why = state["provisioningError"].as_str().unwrap_or("its containers do not come up");
            let failed = Failure::fatal(format!("the revision {latest} failed: {why}")).over();
            return Err(self
                .explain(failed, landfall_blueprint::resource::CONTAINER_APP, id, api_version)
                .await);
        }
        context.report(format!("{latest}: {}", state["runningState"].as_str().unwrap_or("starting")), None);
        Ok(accepted(Token::Revision, Duration::from_secs(2).mul_f64(self.target.speed.clamp(0.05, 1.0))))
    }
}

/// Whether a container app failed because its identity may not do something yet.
fn is_waiting_for_a_role(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let pull = message.contains("unable to pull image using managed identity")
        || (message.contains("azurecr") && (message.contains("unauthorized") || message.contains("denied")));
    let secret = message.contains("unable to get value using managed identity")
        || (message.contains("vault") && message.contains("forbidden"));
    pull || secret
}

fn registration(state: &Registration, speed: f64) -> Step {
    match state {
        Registration::Registered => Step::Done(Value::Null),
        _ => accepted(Token::Registration, Duration::from_secs(5).mul_f64(speed.clamp(0.02, 1.0))),
    }
}

fn step(begun: Begun, applied: Value) -> Step {
    match begun {
        Begun::Done(resource) => Step::Done(json!({"resource": resource, "applied": applied})),
        Begun::Accepted(tracking) => {
            let after = tracking.after();
            accepted(Token::Azure { tracking: Box::new(tracking), applied, replacing: false }, after)
        }
    }
}

/// Builds on a thread of its own; what the tools print becomes progress. With the image comes the tag of the source as
/// it was when the build began.
async fn build(scratch: &Path, source: &Source, context: &Context) -> Result<(Image, String), Failure> {
    let spec = Spec {
        service: source.service.clone(),
        dir: source.dir.clone(),
        port: source.port,
        command: source.command.clone(),
        static_server: std::env::current_exe().ok(),
    };
    let tag = crate::source::tag(&spec).await.map_err(other)?;
    let (scratch, report) = (scratch.to_owned(), context.clone());
    let image = tokio::task::spawn_blocking(move || {
        landfall_build::build(&spec, &scratch, &mut |line| report.report(line, None))
    })
    .await
    .map_err(|_| Failure::fatal("the build was cut off"))?
    .map_err(|error| {
        let help = error.help();
        let mut failure = Failure::fatal(chain(&error));
        failure.help = help;
        failure
    })?;
    Ok((image, tag))
}

/// The value at a dotted path.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Azure's refusal as the engine's failure.
fn failure(error: landfall_azure::Error) -> Failure {
    let class = match error.class() {
        landfall_azure::Class::Throttled => Class::Throttled,
        landfall_azure::Class::Transient => Class::Transient,
        landfall_azure::Class::Busy => Class::Busy,
        landfall_azure::Class::NotYetConsistent => Class::NotYetConsistent,
        landfall_azure::Class::Fatal => Class::Fatal,
    };
    let mut failure = Failure::new(class, error.to_string());
    failure.code = error.code().map(str::to_owned);
    failure.help = error.remedy().map(str::to_owned);
    failure.retry_after = error.retry_after();
    failure
}

fn other(error: crate::Error) -> Failure {
    let help = error.help();
    let mut failure = Failure::fatal(chain(&error));
    failure.help = help;
    failure
}

/// Hands as the engine takes them.
pub fn shared(target: Target, scratch: impl Into<PathBuf>) -> Arc<dyn Hands> {
    Arc::new(AzureHands::new(target, scratch))
}
