//! Where a value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::app::Tier;

/// Where each value of an App came from, by dotted path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins(pub BTreeMap<String, Origin>);

impl Origins {
    /// The origin of the value at `path`, or of the nearest thing around it.
    pub fn nearest(&self, path: &str) -> Option<&Origin> {
        let mut path = path;
        loop {
            if let Some(origin) = self.0.get(path) {
                return Some(origin);
            }
            path = &path[..path.rfind('.')?];
        }
    }

    /// The place in the file to underline for `path`: that of the value, or of the nearest thing written around it.
    pub fn span(&self, path: &str) -> Option<Range<usize>> {
        let mut path = path;
        loop {
            if let Some(Origin::Written { span, .. }) = self.0.get(path) {
                return Some(span.clone());
            }
            path = &path[..path.rfind('.')?];
        }
    }
}

/// Where one value came from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Nobody wrote it.
    Default {
        /// The tier, when the default differs between tiers.
        tier: Option<Tier>,
        /// Why this is the default.
        why: String,
    },
    /// It stands in the file.
    Written {
        /// The file as it was named to [`crate::load`].
        file: String,
        /// Line, from 1.
        line: usize,
        /// The bytes of the value.
        span: Range<usize>,
        /// The environment whose overlay says it, if not the base.
        environment: Option<String>,
    },
    /// It was asked for on the command line.
    Asked,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default { tier: None, .. } => f.write_str("default"),
            Origin::Default { tier: Some(tier), .. } => write!(f, "default for {tier}"),
            Origin::Written { file, line, environment: None, .. } => write!(f, "{file}:{line}"),
            Origin::Written { file, line, environment: Some(environment), .. } => {
                write!(f, "{file}:{line} (environment {environment})")
            }
            Origin::Asked => f.write_str("asked for"),
        }
    }
}
