//! What is watched, and who is told: `[insights]`, `[[alert]]`, `[contact.NAME]`.
//!
//! In reading order: [`condition`], the small language of `error_rate > 5% for 5m`; [`metric`], its words and what
//! each can be asked of; [`alert`], [`contact`] and [`insights`], the tables; [`standard`], the alerts that nobody
//! has to write.

pub(crate) mod alert;
pub(crate) mod condition;
pub(crate) mod contact;
pub(crate) mod insights;
pub(crate) mod metric;
pub(crate) mod standard;

pub use alert::{Alert, Severity, Subject};
pub use condition::{Comparison, Condition, Quantity, Unit};
pub use contact::Contact;
pub use insights::{Availability, Insights, Logs, PLACES, Sampling};
pub use metric::{Metric, Nature};
