//! Records to status: the one table of transitions, used while running and when resuming alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::ms;
use crate::failure::Failure;
use crate::graph::OperationKey;
use crate::report::{Ended, OperationStatus};

/// One line of the journal: something that happened to an operation. Its JSON is what is stored, so a change here
/// is a change of the journal's format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Record {
    /// Its hands are about to move.
    Begun,
    /// The other side has taken it on; `token` finds it again.
    Accepted { token: Value },
    /// An attempt failed; another follows `after` it.
    Retried {
        failure: Failure,
        #[serde(rename = "afterMs", with = "ms")]
        after: Duration,
    },
    /// Carried out.
    Done { output: Value },
    /// Given up.
    Failed {
        failure: Failure,
        #[serde(default, rename = "borneMs", with = "ms::option", skip_serializing_if = "Option::is_none")]
        borne: Option<Duration>,
    },
    /// Will not be begun: `because` failed.
    Skipped { because: OperationKey },
    /// Will not go on: the run was cancelled.
    Cancelled {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// Where an operation stands. Nothing but records moves it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Status {
    /// Not begun.
    Waiting,
    /// Begun so many times; how the last went is not known, or it failed and may be tried again.
    Begun { attempts: u32 },
    /// Begun so many times, and taken on by the other side.
    Accepted { attempts: u32, token: Value },
    /// At its end.
    Ended(Ended),
}

/// A record that does not fit the status it meets: the journal or the engine is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{record}` does not follow on `{status}`")]
pub(crate) struct OutOfOrder {
    status: &'static str,
    record: &'static str,
}

impl Status {
    /// The status after `record`. What is not listed is refused.
    pub(crate) fn next(&self, record: &Record) -> Result<Self, OutOfOrder> {
        match (self, record) {
            (Self::Waiting, Record::Begun) => Ok(Self::Begun { attempts: 1 }),
            (Self::Waiting, Record::Skipped { because }) => {
                Ok(Self::Ended(Ended::Skipped { because: because.clone() }))
            }
            (Self::Waiting, Record::Cancelled { failure }) => {
                Ok(Self::Ended(Ended::Cancelled { begun: false, failure: failure.clone() }))
            }

            // Once more: after a failure, or after a crash.
            (Self::Begun { attempts }, Record::Begun) => Ok(Self::Begun { attempts: attempts + 1 }),
            (Self::Begun { attempts }, Record::Retried { .. }) => Ok(Self::Begun { attempts: *attempts }),
            (Self::Begun { .. }, Record::Cancelled { failure }) => {
                Ok(Self::Ended(Ended::Cancelled { begun: true, failure: failure.clone() }))
            }

            // A second token replaces the first.
            (Self::Begun { attempts } | Self::Accepted { attempts, .. }, Record::Accepted { token }) => {
                Ok(Self::Accepted { attempts: *attempts, token: token.clone() })
            }
            // What was accepted is over: there is nothing left to follow.
            (Self::Accepted { attempts, .. }, Record::Retried { failure, .. }) if failure.over => {
                Ok(Self::Begun { attempts: *attempts })
            }
            (Self::Accepted { .. }, Record::Retried { .. }) => Ok(self.clone()),

            (Self::Begun { .. } | Self::Accepted { .. }, Record::Done { .. }) => Ok(Self::Ended(Ended::Done)),
            (Self::Begun { .. } | Self::Accepted { .. }, Record::Failed { failure, borne }) => {
                Ok(Self::Ended(Ended::Failed { failure: failure.clone(), borne: *borne }))
            }

            (status, record) => Err(OutOfOrder { status: status.word().as_str(), record: record.name() }),
        }
    }

    /// The status in a word.
    pub(crate) fn word(&self) -> OperationStatus {
        match self {
            Self::Waiting => OperationStatus::Waiting,
            Self::Begun { .. } => OperationStatus::Begun,
            Self::Accepted { .. } => OperationStatus::Accepted,
            Self::Ended(Ended::Done) => OperationStatus::Done,
            Self::Ended(Ended::Failed { .. }) => OperationStatus::Failed,
            Self::Ended(Ended::Skipped { .. }) => OperationStatus::Skipped,
            Self::Ended(Ended::Cancelled { .. }) => OperationStatus::Cancelled,
        }
    }
}

impl Record {
    /// Its name, as stored.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Accepted { .. } => "accepted",
            Self::Retried { .. } => "retried",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::Class;

    fn records() -> Vec<Record> {
        let failure = Failure::new(Class::Transient, "reset");
        vec![
            Record::Begun,
            Record::Accepted { token: json!(1) },
            Record::Retried { failure: failure.clone(), after: Duration::ZERO },
            Record::Retried { failure: failure.clone().over(), after: Duration::ZERO },
            Record::Done { output: json!(2) },
            Record::Failed { failure, borne: None },
            Record::Skipped { because: "a".into() },
            Record::Cancelled { failure: None },
        ]
    }

    /// The whole table, as people would draw it: rows are statuses, columns are the records above.
    #[test]
    fn every_status_meets_every_record() {
        let statuses = [
            Status::Waiting,
            Status::Begun { attempts: 1 },
            Status::Accepted { attempts: 1, token: json!(0) },
            Status::Ended(Ended::Done),
            Status::Ended(Ended::Failed { failure: Failure::fatal("no"), borne: None }),
            Status::Ended(Ended::Skipped { because: "a".into() }),
            Status::Ended(Ended::Cancelled { begun: true, failure: None }),
        ];
        let mut table = String::new();
        for status in &statuses {
            let row: Vec<_> = records()
                .iter()
                .map(|record| status.next(record).map_or("-", |next| next.word().as_str()))
                .collect();
            table += &format!("{:9} | {}\n", status.word().as_str(), row.join(" "));
        }
        let expected = "\
waiting   | begun - - - - - skipped cancelled
begun     | begun accepted begun begun done failed - cancelled
accepted  | - accepted accepted begun done failed - -
done      | - - - - - - - -
failed    | - - - - - - - -
skipped   | - - - - - - - -
cancelled | - - - - - - - -
";
        assert_eq!(table, expected);
    }

    #[test]
    fn attempts_are_counted_over_failures_and_acceptance() {
        let over =
            Record::Retried { failure: Failure::new(Class::Busy, "gone").over(), after: Duration::ZERO };
        let mut status = Status::Waiting;
        for record in
            [Record::Begun, Record::Begun, Record::Accepted { token: json!(1) }, over, Record::Begun]
        {
            status = status.next(&record).unwrap();
        }
        assert_eq!(status, Status::Begun { attempts: 3 });
    }

    /// The stored form is read by later versions: changing it breaks journals that exist.
    #[test]
    fn records_are_stored_so() {
        let stored: Vec<_> = records().iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        assert_eq!(
            stored,
            [
                r#"{"record":"begun"}"#,
                r#"{"record":"accepted","token":1}"#,
                r#"{"record":"retried","failure":{"class":"transient","message":"reset"},"afterMs":0}"#,
                r#"{"record":"retried","failure":{"class":"transient","message":"reset","over":true},"afterMs":0}"#,
                r#"{"record":"done","output":2}"#,
                r#"{"record":"failed","failure":{"class":"transient","message":"reset"}}"#,
                r#"{"record":"skipped","because":"a"}"#,
                r#"{"record":"cancelled"}"#,
            ]
        );
        for (record, text) in records().into_iter().zip(stored) {
            assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }
}
