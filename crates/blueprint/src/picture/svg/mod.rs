//! A blueprint as an SVG of our own: boxes in columns, edges at right angles between them.
//!
//! In reading order:
//! - [`layout`]: where boxes stand;
//! - [`route`]: how edges run between them;
//! - [`draw`]: both as XML;
//! - [`measure`]: how wide texts are.
//!
//! All lengths are whole pixels, so the same blueprint gives the same bytes everywhere.

mod draw;
mod layout;
pub mod measure;
mod route;

use crate::Blueprint;
use crate::picture::sketch::sketch;

/// The drawing: a whole document with no fonts, scripts or links, legible on light and dark ground.
pub fn svg(blueprint: &Blueprint) -> String {
    let sketch = sketch(blueprint);
    let mut layout = layout::Layout::new(&sketch);
    let routes = route::route(&sketch, &mut layout);
    draw::draw(&sketch, &layout, &routes)
}
