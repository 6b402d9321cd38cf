//! A plan carried out: what is live is read, a plan is made of operations, and the engine runs them on Azure.
//!
//! This room joins the pure rooms (manifest, blueprint, plan) with the two doors (engine, azure) and the builder.
//! Both the command line and a control plane use it. It does *not* know terminals, arguments or questions: what
//! needs somebody's consent comes back as a list of [`Question`]s, and what cannot work as a list of
//! [`Obstacle`]s, before anything is written.
//!
//! In reading order:
//! - [`target`]: an Azure, a subscription, and who we are there;
//! - [`source`]: services that are built, and how an image of theirs is known;
//! - [`survey`]: what is live, and the plan that follows from it;
//! - [`consent`]: what the plan needs a person's word for;
//! - [`preflight`]: everything that can be known to fail before the first write;
//! - [`work`]: a plan as a graph of operations;
//! - [`hands`]: how each operation is carried out;
//! - [`destroy`]: everything an application made, taken away again;
//! - [`site`]: all of it for one application and environment: survey, apply, resume, settle;
//! - [`secrets`]: values into the vault, versions out of it;
//! - [`status`]: services and resources as they are;
//! - [`logs`]: what the services print;
//! - [`error`]: why any of it did not work.

pub mod consent;
pub mod destroy;
pub mod error;
pub mod hands;
pub mod logs;
pub mod preflight;
pub mod secrets;
pub mod site;
pub mod source;
pub mod status;
pub mod survey;
pub mod target;
pub mod work;

pub use consent::{Consent, Question, SoftDeletedChoice};
pub use error::Error;
pub use preflight::Obstacle;
pub use site::{Site, Watch};
pub use source::Build;
pub use survey::{Elsewhere, Survey};
pub use target::Target;
