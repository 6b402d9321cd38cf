//! One application in one environment on one target: survey, apply, resume, settle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use landfall_blueprint::{Address, Blueprint};
use landfall_engine::{
    Cancel, Ended, Event, Graph, Journal, Lease, LeaseError, OperationKey, Options, Owner, Patience, Report,
    RunId, RunSummary,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::consent::Consent;
use crate::error::Error;
use crate::hands;
use crate::preflight::Preflight;
use crate::source::Build;
use crate::survey::{Survey, elsewhere, read};
use crate::target::Target;
use crate::work;

/// Under which the journal keeps that a deployment was intended.
const INTENT: &str = "intent";

/// A world without delays still takes a moment to answer: tries must not follow each other without a pause.
const PACE_MIN: f64 = 0.02;

/// Where an application's runs take place, and where their journal is.
#[derive(Clone)]
pub struct Site {
    /// The Azure.
    pub target: Target,
    /// The journal of all runs here.
    pub journal: Journal,
    /// `app/environment`: what runs exclude each other on.
    pub scope: String,
    /// Where layers of images are kept between builds.
    pub scratch: PathBuf,
}

/// How a run is watched and stopped.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Where its events go.
    pub events: UnboundedSender<Event>,
    /// What cancels it.
    pub cancel: Cancel,
}

impl Site {
    /// The site of `app` in `environment`; the journal is at `journal`.
    ///
    /// # Errors
    /// When the journal cannot be opened.
    pub fn open(
        target: Target,
        app: &str,
        environment: &str,
        journal: &Path,
        scratch: impl Into<PathBuf>,
    ) -> Result<Site, Error> {
        let journal = Journal::open(journal)?;
        Ok(Site { target, journal, scope: format!("{app}/{environment}"), scratch: scratch.into() })
    }

    /// Reads what is live and plans.
    ///
    /// # Errors
    /// What Azure refused.
    pub async fn survey(
        &self,
        blueprint: Blueprint,
        builds: BTreeMap<String, Build>,
        adopt: &BTreeSet<Address>,
    ) -> Result<Survey, Error> {
        let live = read(&self.target, &blueprint, &builds, &self.journal, &self.scope, adopt).await?;
        let plan = landfall_plan::plan(&blueprint, &live);
        let elsewhere = elsewhere(&self.target, &blueprint, &live).await?;
        Ok(Survey { blueprint, live, plan, builds, elsewhere })
    }

    /// Takes the environment for this process.
    ///
    /// # Errors
    /// [`Error::Lease`] says who has it, after waiting for at most `wait`.
    pub async fn lease(&self, command: &str, wait: std::time::Duration) -> Result<Lease, Error> {
        let owner = Owner::this_process(command);
        let begun = tokio::time::Instant::now();
        loop {
            match self.journal.acquire(&self.scope, &owner) {
                Ok(lease) => return Ok(lease),
                Err(LeaseError::Held { .. }) if begun.elapsed() < wait => {
                    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Records that this process is about to deploy, or has come to the end of it: a crash between two runs, or before
    /// the first, is then known to have left something undone.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn intend(&self, lease: &Lease, deploying: bool) -> Result<(), Error> {
        let intent = json!(true);
        Ok(lease.set_output(&OperationKey::new(INTENT), deploying.then_some(&intent))?)
    }

    /// Whether a process that was about to deploy came to no end.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn intended(&self) -> Result<bool, Error> {
        Ok(self.journal.last_output(&self.scope, &OperationKey::new(INTENT))?.is_some())
    }

    /// The run that a crash left unfinished, if there is one.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn unfinished(&self) -> Result<Option<RunSummary>, Error> {
        Ok(self.journal.unfinished(&self.scope)?)
    }

    /// Carries out `survey`'s plan. The report tells the truth of each operation, failed ones included.
    ///
    /// # Errors
    /// When the journal fails or the lease is lost: what cannot be recorded is not done.
    pub async fn apply(
        &self,
        lease: &Lease,
        title: &str,
        survey: &Survey,
        preflight: &Preflight,
        consent: &Consent,
        watch: Watch,
    ) -> Result<Report, Error> {
        let graph = work::graph(survey, &preflight.register, consent.soft_deleted)
            .map_err(|error| Error::other(format!("the plan makes no sound graph: {error}")))?;
        self.run(lease, title, &json!({"plan": survey.plan.summary}), &graph, watch).await
    }

    /// Records and carries out a graph of operations.
    ///
    /// # Errors
    /// As [`Site::apply`].
    pub async fn run(
        &self,
        lease: &Lease,
        title: &str,
        detail: &Value,
        graph: &Graph,
        watch: Watch,
    ) -> Result<Report, Error> {
        let run = lease.create_run(title, detail, graph)?;
        self.go_on(lease, &run, watch).await
    }

    /// Goes on with a run: from its beginning, or from where a crash left it.
    ///
    /// # Errors
    /// As [`Site::apply`].
    pub async fn go_on(&self, lease: &Lease, run: &RunId, watch: Watch) -> Result<Report, Error> {
        let hands = hands::shared(self.target.clone(), self.scratch.clone());
        let options = Options {
            patience: Patience::default().scaled(self.target.speed.max(PACE_MIN)),
            ..Options::default()
        };
        let report = landfall_engine::run(lease, run, hands, options, watch.events, watch.cancel)
            .await
            .map_err(|error| match error {
                landfall_engine::Error::Journal(error) => Error::Journal(error),
                // A contradiction in the journal, told by the engine in full.
                other => Error::other(other.to_string()),
            })?;
        self.forget_deleted(lease, &report)?;
        Ok(report)
    }

    /// Forgets what was applied to whatever `report`'s run deleted, so that its absence is no drift.
    fn forget_deleted(&self, lease: &Lease, report: &Report) -> Result<(), Error> {
        let deleted: BTreeSet<&str> = report
            .operations
            .iter()
            .filter(|operation| operation.kind == "delete" && operation.end == Some(Ended::Done))
            .map(|operation| operation.address.as_str())
            .collect();
        let everything = deleted.iter().any(|address| address.starts_with("resourceGroup."));
        for key in self.journal.last_outputs(&self.scope)?.into_keys() {
            let Some(address) = key.as_str().strip_prefix("put ") else { continue };
            if everything || deleted.contains(address) {
                lease.set_output(&key, None)?;
            }
        }
        Ok(())
    }

    /// Brings an unfinished run to an end without starting anything new: what Azure had accepted is followed, so
    /// that a new plan sees a world at rest.
    ///
    /// # Errors
    /// As [`Site::apply`].
    pub async fn settle(
        &self,
        lease: &Lease,
        run: &RunId,
        events: UnboundedSender<Event>,
    ) -> Result<Report, Error> {
        let cancel = Cancel::new();
        cancel.cancel();
        self.go_on(lease, run, Watch { events, cancel }).await
    }
}

impl Survey {
    /// Leaves only what `wanted` and its dependencies take.
    pub fn restrict(&mut self, wanted: &[Address]) {
        let mut keep: BTreeSet<Address> = wanted.iter().cloned().collect();
        let mut open = wanted.to_vec();
        while let Some(address) = open.pop() {
            let Some(change) = self.plan.get(&address) else { continue };
            for need in &change.depends_on {
                if keep.insert(need.clone()) {
                    open.push(need.clone());
                }
            }
        }
        self.plan.changes.retain(|change| keep.contains(&change.address));
        self.plan.soft_deleted.retain(|deleted| keep.contains(&deleted.address));
        self.plan.missing_secrets.retain(|missing| keep.contains(&missing.address));
    }
}
