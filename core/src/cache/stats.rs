//! What is worth counting of the upkeep.

/// Counts since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests served at once by what this worker held, no older than `cache.fresh`.
    pub fresh: u64,
    /// Requests served by what this worker held, older than that or not to be confirmed.
    pub stale: u64,
    /// Requests refused at once because it was known that there is no such record.
    pub denied: u64,
    /// Requests that waited for a search that was under way already.
    pub joined: u64,
    /// Searches that were begun, for requests or to renew what is held.
    pub searched: u64,
    /// Searches that ended with what another worker had fetched.
    pub shared: u64,
    /// Requests for which it could not be known.
    pub refused: u64,
    /// Records that had to make room for others.
    pub evicted: u64,
}

impl Stats {
    /// Each count by its name.
    #[must_use]
    pub fn counts(self) -> [(&'static str, u64); 8] {
        let Self { fresh, stale, denied, joined, searched, shared, refused, evicted } = self;
        [
            ("fresh", fresh),
            ("stale", stale),
            ("denied", denied),
            ("joined", joined),
            ("searched", searched),
            ("shared", shared),
            ("refused", refused),
            ("evicted", evicted),
        ]
    }
}
