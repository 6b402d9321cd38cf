//! Operations and what they need: a graph that is known to be sound once it exists.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::ms;

/// The name of an operation, unique within its graph and stable from one run to the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationKey(String);

impl OperationKey {
    /// The key spelt so.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for OperationKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for OperationKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

/// One idempotent step: carried out twice, it leaves the world as if carried out once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name within the graph.
    pub key: OperationKey,
    /// What sort of step it is (`put`, `delete`, `build`, …); the engine only passes it on.
    pub kind: String,
    /// What it is about, for people: the address of a resource.
    pub subject: String,
    /// The operations that must be done before this one begins.
    #[serde(default)]
    pub needs: Vec<OperationKey>,
    /// How long it is expected to take; only the order of starting depends on it.
    #[serde(rename = "estimate_ms", with = "ms")]
    pub estimate: Duration,
    /// Operations with the same group never run at the same time: one writer per parent, where the other side
    /// would refuse two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// All that its hands have to know. It is journalled, so it holds no secret.
    #[serde(default)]
    pub input: Value,
}

impl Operation {
    /// An operation that needs nothing, has no input and is expected to take a second.
    pub fn new(key: impl Into<OperationKey>, kind: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            kind: kind.into(),
            subject: subject.into(),
            needs: Vec::new(),
            estimate: Duration::from_secs(1),
            group: None,
            input: Value::Null,
        }
    }

    /// The same, needing these as well.
    pub fn needing<K: Into<OperationKey>>(mut self, needs: impl IntoIterator<Item = K>) -> Self {
        self.needs.extend(needs.into_iter().map(Into::into));
        self
    }

    /// The same, expected to take this long.
    pub fn taking(mut self, estimate: Duration) -> Self {
        self.estimate = estimate;
        self
    }

    /// The same, never at the same time as others of this group.
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The same, with this input.
    pub fn with_input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }
}

/// Operations by need: every key is unique, every need exists, and nothing needs itself.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    operations: Vec<Operation>,
    /// By position: the positions it needs, each once.
    needs: Vec<Vec<usize>>,
    /// By position: the positions that need it.
    needed_by: Vec<Vec<usize>>,
    /// By position: its own estimate and that of the longest chain behind it.
    rank: Vec<Duration>,
}

/// Why a set of operations is no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two operations share a key.
    #[error("two operations are called `{0}`")]
    Twice(OperationKey),
    /// An operation needs one that is not there.
    #[error("`{key}` needs `{needs}`, which is not among the operations")]
    Missing {
        /// The operation that needs it.
        key: OperationKey,
        /// What is missing.
        needs: OperationKey,
    },
    /// Operations that need each other, in order; the last needs the first.
    #[error("operations need each other: {}", ring(.0))]
    Cycle(Vec<OperationKey>),
}

fn ring(keys: &[OperationKey]) -> String {
    let names: Vec<_> = keys.iter().chain(keys.first()).map(|key| format!("`{key}`")).collect();
    names.join(" needs ")
}

impl Graph {
    /// The graph of these operations, kept in their order.
    ///
    /// # Errors
    /// When two share a key, a need is missing, or some need each other.
    pub fn new(operations: Vec<Operation>) -> Result<Self, GraphError> {
        let mut positions = BTreeMap::new();
        for (position, operation) in operations.iter().enumerate() {
            if positions.insert(&operation.key, position).is_some() {
                return Err(GraphError::Twice(operation.key.clone()));
            }
        }
        let mut needs = Vec::with_capacity(operations.len());
        for operation in &operations {
            let mut found = Vec::with_capacity(operation.needs.len());
            for need in &operation.needs {
                let missing = || GraphError::Missing { key: operation.key.clone(), needs: need.clone() };
                found.push(*positions.get(need).ok_or_else(missing)?);
            }
            found.sort_unstable();
            found.dedup();
            needs.push(found);
        }
        let mut needed_by = vec![Vec::new(); operations.len()];
        for (position, found) in needs.iter().enumerate() {
            for &need in found {
                needed_by[need].push(position);
            }
        }
        let order = sorted(&needs, &needed_by).map_err(|cycle| {
            GraphError::Cycle(cycle.into_iter().map(|at| operations[at].key.clone()).collect())
        })?;
        let mut rank = vec![Duration::ZERO; operations.len()];
        for &position in order.iter().rev() {
            let behind = needed_by[position].iter().map(|&after| rank[after]).max().unwrap_or_default();
            rank[position] = operations[position].estimate.saturating_add(behind);
        }
        Ok(Self { operations, needs, needed_by, rank })
    }

    /// The operations, in the order they were given.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How long it is expected to take with nothing in the way: the longest chain of estimates.
    pub fn expected(&self) -> Duration {
        self.rank.iter().copied().max().unwrap_or_default()
    }

    /// The positions that the operation at `position` needs.
    pub(crate) fn needs(&self, position: usize) -> &[usize] {
        &self.needs[position]
    }

    /// The positions that need the operation at `position`.
    pub(crate) fn needed_by(&self, position: usize) -> &[usize] {
        &self.needed_by[position]
    }

    /// The estimate of the longest chain that starts at `position`; the greatest is started first.
    pub(crate) fn rank(&self, position: usize) -> Duration {
        self.rank[position]
    }
}

/// Positions with every need before what needs it, or the positions of one cycle.
fn sorted(needs: &[Vec<usize>], needed_by: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..needs.len()).filter(|&at| open[at] == 0).collect();
    let mut next = 0;
    while let Some(&position) = order.get(next) {
        next += 1;
        for &after in &needed_by[position] {
            open[after] -= 1;
            if open[after] == 0 {
                order.push(after);
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(cycle(needs, &open)) }
}

/// One cycle among the positions that are still `open`, each of which needs another open one.
fn cycle(needs: &[Vec<usize>], open: &[usize]) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at =
        open.iter().position(|&count| count > 0).expect("a graph that cannot be sorted has open positions");
    loop {
        if let Some(start) = path.iter().position(|&seen| seen == at) {
            return path.split_off(start);
        }
        path.push(at);
        at = *needs[at].iter().find(|&&need| open[need] > 0).expect("an open position needs an open one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(key: &str, needs: &[&str]) -> Operation {
        Operation::new(key, "put", key).needing(needs.iter().copied())
    }

    #[test]
    fn a_set_of_operations_that_is_no_graph_says_why() {
        let twice = Graph::new(vec![op("a", &[]), op("a", &[])]).unwrap_err();
        assert_eq!(twice.to_string(), "two operations are called `a`");
        let missing = Graph::new(vec![op("a", &["b"])]).unwrap_err();
        assert_eq!(missing.to_string(), "`a` needs `b`, which is not among the operations");
        let alone = Graph::new(vec![op("a", &["a"])]).unwrap_err();
        assert_eq!(alone.to_string(), "operations need each other: `a` needs `a`");
        // Only the ring is named: neither what leads into it nor what comes out of it.
        let ring =
            [op("in", &["a"]), op("a", &["b", "out"]), op("b", &["c"]), op("c", &["a"]), op("out", &[])];
        let ring = Graph::new(ring.to_vec()).unwrap_err();
        assert_eq!(ring.to_string(), "operations need each other: `a` needs `b` needs `c` needs `a`");
    }

    #[test]
    fn rank_is_the_longest_way_to_an_end() {
        let taking = |operation: Operation, seconds| operation.taking(Duration::from_secs(seconds));
        let graph = Graph::new(vec![
            taking(op("c", &["a", "b", "a"]), 4),
            taking(op("a", &[]), 1),
            taking(op("b", &["a"]), 2),
            taking(op("d", &["a"]), 30),
        ])
        .unwrap();
        let ranks: Vec<_> = (0..4).map(|at| graph.rank(at).as_secs()).collect();
        assert_eq!(ranks, [4, 31, 6, 30]);
        assert_eq!(graph.expected(), Duration::from_secs(31));
        assert_eq!((graph.needs(0), graph.needed_by(1)), (&[1, 2][..], &[0, 2, 3][..]), "each need once");
    }

    #[test]
    fn an_operation_is_stored_so() {
        let operation = op("a", &["b"]).in_group("net").with_input(serde_json::json!({ "x": 1 }));
        let stored = serde_json::to_string(&operation).unwrap();
        let expected = concat!(
            r#"{"key":"a","kind":"put","subject":"a","needs":["b"],"estimate_ms":1000,"#,
            r#""group":"net","input":{"x":1}}"#
        );
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_str::<Operation>(&stored).unwrap(), operation);
    }

    #[test]
    fn a_long_chain_is_no_deep_recursion() {
        let chain = (0..100_000).map(|at: usize| {
            let need = at.checked_sub(1).map(|need| format!("op{need}"));
            Operation::new(format!("op{at}"), "put", "x").needing(need)
        });
        assert_eq!(Graph::new(chain.collect()).unwrap().expected(), Duration::from_secs(100_000));
    }
}
