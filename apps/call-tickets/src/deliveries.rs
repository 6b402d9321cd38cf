//! Deliveries before work: ElevenLabs waits for an answer, nobody waits for a ticket within the second.
//!
//! Both share processors and disk. While many deliveries are under way the workers take only so few events that none
//! of them waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};

/// As many deliveries at once are a rush. The scale rule adds replicas at ten each; fewer than this are no rush, so that
/// calls become tickets while they come in.
const RUSH: usize = 16;

/// Counts the authentic deliveries that are not answered yet.
#[derive(Debug, Default)]
pub struct Deliveries(AtomicUsize);

/// One delivery that is under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a Deliveries);

impl Deliveries {
    /// Counts one more until what is returned is dropped.
    #[must_use]
    pub fn begin(&self) -> UnderWay<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Whether there are so many that work had better wait.
    pub fn rush(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= RUSH
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_ends_with_its_deliveries() {
        let deliveries = Deliveries::default();
        let mut under_way: Vec<_> = (0..RUSH).map(|_| deliveries.begin()).collect();
        assert!(deliveries.rush());
        under_way.pop();
        assert!(!deliveries.rush());
    }
}
