//! Pictures of a blueprint: a tree for the terminal, DOT for Graphviz, and an SVG of our own for documents.
//!
//! In reading order:
//! - [`looks`]: how each Azure type looks and what its references mean, as two tables;
//! - [`sketch`]: boxes in boxes and the edges between them, the same for every format;
//! - [`mod@tree`], [`mod@dot`], [`mod@svg`]: the formats;
//! - [`facts`]: what is worth saying of a resource.

mod dot;
mod facts;
pub mod looks;
mod sketch;
pub mod svg;
mod tree;

pub use dot::dot;
pub use sketch::{Boxed, Edge, Form, Mark, Shown, Sketch, What, sketch};
pub use svg::svg;
pub use tree::{Ink, tree};
