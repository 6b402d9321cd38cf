//! What answers cost, and the most that may be spent in a day.

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Usage;

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of a question.
    pub input: f64,
    /// Of the part of a question that came from a cache.
    pub cached: f64,
    /// Of an answer.
    pub output: f64,
}

/// List prices by the beginning of a model's name, as third parties quoted them in November 2026; the longest
/// beginning that fits counts. What is not here is priced by configuration, or as the dearest that is.
const LIST: &[(&str, Prices)] = &[
    ("gpt-4o-mini", Prices { input: 0.15, cached: 0.075, output: 0.60 }),
    ("gpt-4o", Prices { input: 2.50, cached: 1.25, output: 10.00 }),
    ("gpt-6-luna", Prices { input: 0.10, cached: 0.01, output: 0.50 }),
];

impl Prices {
    /// The list price of a model; an unknown one is taken for the dearest, so that a budget errs on the safe side.
    pub fn of(model: &str) -> Prices {
        let known =
            LIST.iter().filter(|(name, _)| model.starts_with(name)).max_by_key(|(name, _)| name.len());
        known.map_or(Prices { input: 2.50, cached: 2.50, output: 10.00 }, |(_, prices)| *prices)
    }

    /// What an answer cost, in US dollars.
    #[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn cost(&self, usage: Usage) -> f64 {
        let fresh = usage.input.saturating_sub(usage.cached) as f64;
        (fresh * self.input + usage.cached as f64 * self.cached + usage.output as f64 * self.output) / 1e6
    }
}

/// The most that may be spent in a UTC day; nothing is limited by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// US dollars.
    pub dollars: Option<f64>,
    /// Tokens, questions and answers together.
    pub tokens: Option<u64>,
}

impl Budget {
    /// Whether another question may be asked.
    pub fn allows(&self, spent: &Spent) -> bool {
        self.dollars.is_none_or(|limit| spent.dollars < limit)
            && self.tokens.is_none_or(|limit| spent.tokens < limit)
    }
}

/// What was spent in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// US dollars.
    pub dollars: f64,
    /// Tokens, questions and answers together.
    pub tokens: u64,
}

impl Spent {
    /// Both together. A service that lies about its tokens can exhaust a budget, and nothing worse.
    #[must_use]
    pub fn and(self, more: Spent) -> Spent {
        Spent { dollars: self.dollars + more.dollars, tokens: self.tokens.saturating_add(more.tokens) }
    }
}

/// The UTC day of a time.
pub fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Where what was spent is kept; shared by the replicas that share a budget.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// What was spent on a day. A ledger that cannot be read says that nothing was: calls matter more than cents.
    async fn spent(&self, day: Date) -> Spent;

    /// Adds to a day.
    async fn add(&self, day: Date, spent: Spent);
}

/// A ledger of one process, forgotten with it.
#[derive(Default)]
pub struct Memory(Mutex<Option<(Date, Spent)>>);

#[async_trait]
impl Ledger for Memory {
    async fn spent(&self, day: Date) -> Spent {
        let kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.filter(|(kept, _)| *kept == day).map(|(_, spent)| spent).unwrap_or_default()
    }

    async fn add(&self, day: Date, more: Spent) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = kept.filter(|(kept, _)| *kept == day).map(|(_, spent)| spent).unwrap_or_default();
        *kept = Some((day, before.and(more)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_that_fits_is_the_price() {
        assert_eq!(Prices::of("gpt-4o-mini-2024-07-18").input, 0.15);
        assert_eq!(Prices::of("gpt-4o-2024-11-20").output, 10.0);
        assert_eq!(Prices::of("somebody-elses").output, 10.0);
        let usage = Usage { input: 1_000_000, cached: 500_000, output: 100_000 };
        assert!((Prices::of("gpt-6-luna").cost(usage) - 0.105).abs() < 1e-9);
    }

    #[tokio::test]
    async fn a_day_has_a_budget_and_the_next_one_a_new_one() {
        let (ledger, budget) = (Memory::default(), Budget { dollars: Some(1.0), tokens: Some(100) });
        let today: Date = "2026-11-21".parse().expect("a date");
        assert!(budget.allows(&ledger.spent(today).await));
        ledger.add(today, Spent { dollars: 0.6, tokens: 10 }).await;
        assert!(budget.allows(&ledger.spent(today).await));
        ledger.add(today, Spent { dollars: 0.6, tokens: 10 }).await;
        assert!(!budget.allows(&ledger.spent(today).await));
        assert!(budget.allows(&ledger.spent(today.tomorrow().expect("a day")).await));
        assert!(!budget.allows(&Spent { dollars: 0.0, tokens: 100 }));
    }
}
