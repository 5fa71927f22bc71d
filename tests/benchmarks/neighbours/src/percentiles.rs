//! What of many figures is told.

use serde_json::{Value, json};

/// How many there are, and what half, 99 % and 99.9 % of them do not exceed, and none.
pub(crate) fn of(mut figures: Vec<u64>) -> Value {
    figures.sort_unstable();
    let at = |share: usize| {
        let last = figures.len().saturating_sub(1);
        figures.get((figures.len() * share / 1000).min(last)).copied().unwrap_or(0)
    };
    json!({
        "count": figures.len(), "p50": at(500), "p99": at(990), "p999": at(999), "most": at(1000),
    })
}
