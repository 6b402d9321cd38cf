//! The plan: what is wanted against what is live.
//!
//! A pure comparison of a [`landfall_blueprint::Blueprint`] with the live bodies of its resources and with
//! what was last applied. It compares only what the blueprint *says*: a property the blueprint does not
//! mention is Azure's business, or somebody else's, and is sent back as it was found.
//!
//! This room does *not* know how live state is read, how a change is carried out, or who consents to it.
//!
//! In reading order:
//! - [`live`]: what is passed in;
//! - [`mod@plan`]: the comparison of whole resources, and [`change`]: what comes out;
//! - [`compare`]: one body against another, with what was last applied as the third;
//! - [`habits`]: what Azure does to bodies and never allows to change, type by type, as one table;
//! - [`keep`]: what others set, carried over;
//! - [`revision`]: when a container app gets a new revision, what it is called, and what is remembered;
//! - [`mod@render`]: a plan on one screen.

pub mod change;
pub mod compare;
pub mod habits;
pub mod keep;
pub mod live;
pub mod plan;
pub mod render;
pub mod revision;

pub use change::{Action, Cause, Change, MissingSecret, Plan, PropertyChange, SECRET, Summary, UNKNOWN};
pub use live::{Live, SoftDeleted, Stray};
pub use plan::plan;
pub use render::{Detail, render};
