//! The plan: what is wanted against what is live.
//!
//! A pure comparison of a [`landfall_blueprint::Blueprint`] with the live bodies of its resources and with
//! what was last applied. It compares only what the blueprint *says*: a property the blueprint does not
//! mention is Azure's business, or somebody else's.
//!
//! This room does *not* know how live state is read, how a change is carried out, or who consents to it.
//!
//! In reading order:
//! - [`live`]: what is passed in;
//! - [`mod@plan`]: the comparison of whole resources, and [`change`]: what comes out;

//! - [`compare`]: one body against another, and [`habits`]: what Azure does to bodies, as one table;
//! - [`immutable`]: properties that only a new resource can change, as one table;
//! - [`revision`]: when a container app gets a new revision, and what it is called;
//! - [`render`]: a plan on one screen.

pub mod change;
pub mod live;
pub mod plan;
pub mod render;
pub mod revision;

pub use change::{Action, Cause, Change, Plan, PropertyChange, Summary};
pub use live::{Live, SoftDeleted, Stray};
pub use plan::plan;
pub use render::{Detail, render};
