//! Where a value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::app::Tier;

/// Where each value of an App came from, by dotted path (`service.web.scale.min`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins {
    entries: BTreeMap<String, Entry>,
}

/// One path of [`Origins`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub origin: Origin,
    /// The value as one line of TOML; `None` for a table.
    pub value: Option<String>,
}

impl Origins {
    /// The origin of the value at `path`.
    pub fn get(&self, path: &str) -> Option<&Origin> {
        self.entries.get(path).map(|entry| &entry.origin)
    }

    /// The origin of the value at `path`, or of the nearest thing around it.
    pub fn nearest(&self, path: &str) -> Option<&Origin> {
        around(path).find_map(|path| self.get(path))
    }

    /// The bytes of the file to underline for `path`: those of the value, or of the nearest thing around it that
    /// somebody wrote.
    pub fn span(&self, path: &str) -> Option<Range<usize>> {
        around(path).find_map(|path| match self.get(path) {
            Some(Origin::Written { span, .. }) => Some(span.clone()),
            _ => None,
        })
    }

    pub(crate) fn insert(&mut self, path: String, entry: Entry) {
        self.entries.insert(path, entry);
    }

    /// All values, tables left out, by path.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str, &Origin)> {
        self.entries
            .iter()
            .filter_map(|(path, entry)| Some((path.as_str(), entry.value.as_deref()?, &entry.origin)))
    }
}

/// `a.b.c`, `a.b`, `a`.
fn around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind('.').map(|i| &path[..i]))
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
        /// The bytes of the value; of a table, those of its name.
        span: Range<usize>,
        /// The environment whose overlay says it, if not the base.
        environment: Option<String>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default { tier: None, why } => write!(f, "default: {why}"),
            Origin::Default { tier: Some(tier), why } => write!(f, "default for {tier}: {why}"),
            Origin::Written { file, line, environment: None, .. } => write!(f, "{file}:{line}"),
            Origin::Written { file, line, environment: Some(environment), .. } => {
                write!(f, "{file}:{line}, environment {environment}")
            }
        }
    }
}
