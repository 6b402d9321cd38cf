//! Records to what is known of a run: statuses, times, outputs, and what the time went into.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Refusal;
use crate::clock::between;
use crate::graph::Graph;
use crate::report::{Bound, Ended, OperationReport, Report, RunState, RunSummary, Session};
use crate::status::{Record, Status};

/// A run as its records tell it.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) graph: Arc<Graph>,
    /// By position.
    pub(crate) operations: Vec<OperationHistory>,
    last: Option<Timestamp>,
}

/// One operation as its records tell it.
#[derive(Debug)]
pub(crate) struct OperationHistory {
    pub(crate) status: Status,
    pub(crate) begun: Option<Timestamp>,
    pub(crate) output: Option<Value>,
    ended: Option<Timestamp>,
    retries: u32,
    rested: Duration,
    /// Since when it waits to begin again.
    resting: Option<Timestamp>,
}

impl History {
    /// Of a run that nothing has happened in.
    pub(crate) fn new(graph: Graph) -> Self {
        let new = || OperationHistory {
            status: Status::Waiting,
            begun: None,
            output: None,
            ended: None,
            retries: 0,
            rested: Duration::ZERO,
            resting: None,
        };
        Self {
            operations: graph.operations().iter().map(|_| new()).collect(),
            graph: Arc::new(graph),
            last: None,
        }
    }

    /// Takes in the next record.
    pub(crate) fn take_in(&mut self, position: usize, at: Timestamp, record: Record) -> Result<(), Refusal> {
        let Some(operation) = self.operations.get_mut(position) else {
            return Err(Refusal::Unreadable(format!(
                "a record of operation {position}, which the run does not have"
            )));
        };
        let key = &self.graph.operations()[position].key;
        operation.take_in(at, record).map_err(|error| Refusal::Unreadable(format!("`{key}`: {error}")))?;
        // Another process's clock may be behind.
        self.last = self.last.max(Some(at));
        Ok(())
    }

    /// What there is to tell of the run.
    pub(crate) fn report(self, summary: RunSummary, detail: Value, sessions: Vec<Session>) -> Report {
        let started = sessions.first().map_or(summary.created, |session| session.at);
        let last = match summary.state {
            RunState::Ended { at, .. } => at,
            RunState::Running { .. } | RunState::Interrupted => self.last.unwrap_or(started),
        };
        let critical = self.critical_path();
        let operations: Vec<_> = (0..self.operations.len())
            .map(|at| self.operation_report(at, started, last, critical.contains(&at)))
            .collect();
        let mut bound = Bound::default();
        for operation in operations.iter().filter(|operation| operation.critical) {
            bound.work += operation.worked;
            bound.retries += operation.rested;
            bound.queue += operation.waited;
        }
        Report { summary, detail, sessions, operations, took: between(started, last), bound }
    }

    fn operation_report(
        &self,
        at: usize,
        started: Timestamp,
        last: Timestamp,
        critical: bool,
    ) -> OperationReport {
        let operation = &self.graph.operations()[at];
        let OperationHistory { status, begun, output: _, ended, retries, rested, resting } =
            &self.operations[at];
        // The moment it could have begun; `None` when that never came.
        let ready = self.graph.needs(at).iter().try_fold(started, |latest, &need| {
            let need = &self.operations[need];
            (need.status == Status::Ended(Ended::Done)).then(|| latest.max(need.ended.unwrap_or(latest)))
        });
        let until = ended.unwrap_or(last);
        let rested = *rested + resting.map_or(Duration::ZERO, |since| between(since, until));
        OperationReport {
            operation: operation.key.clone(),
            address: operation.subject.clone(),
            kind: operation.kind.clone(),
            status: status.word(),
            end: match status {
                Status::Ended(how) => Some(how.clone()),
                Status::Waiting | Status::Begun { .. } | Status::Accepted { .. } => None,
            },
            begun: *begun,
            ended: *ended,
            waited: ready.map_or(Duration::ZERO, |ready| between(ready, begun.unwrap_or(until))),
            worked: begun.map_or(Duration::ZERO, |begun| between(begun, until)).saturating_sub(rested),
            rested,
            retries: *retries,
            critical,
        }
    }

    /// From the operation that ended last, each time by the need that ended last, back to one without needs.
    fn critical_path(&self) -> Vec<usize> {
        let ended =
            |&at: &usize| self.operations[at].begun.and(self.operations[at].ended).map(|ended| (ended, at));
        let latest = |among: &mut dyn Iterator<Item = usize>| among.filter_map(|at| ended(&at)).max();
        let mut path = Vec::new();
        let mut next = latest(&mut (0..self.operations.len()));
        while let Some((_, at)) = next {
            path.push(at);
            next = latest(&mut self.graph.needs(at).iter().copied());
        }
        path
    }
}

impl OperationHistory {
    fn take_in(&mut self, at: Timestamp, record: Record) -> Result<(), crate::status::OutOfOrder> {
        self.status = self.status.next(&record)?;
        if let Some(since) = self.resting.take() {
            self.rested += between(since, at);
        }
        match record {
            Record::Begun => {
                self.retries += u32::from(self.begun.is_some());
                self.begun.get_or_insert(at);
            }
            Record::Accepted { .. } => {}
            Record::Retried { .. } if !matches!(self.status, Status::Accepted { .. }) => {
                self.resting = Some(at);
            }
            // Another look; what is looked at goes on meanwhile.
            Record::Retried { .. } => self.retries += 1,
            Record::Done { output } => {
                self.output = Some(output);
                self.ended = Some(at);
            }
            Record::Failed { .. } | Record::Skipped { .. } | Record::Cancelled { .. } => {
                self.ended = Some(at)
            }
        }
        Ok(())
    }
}
