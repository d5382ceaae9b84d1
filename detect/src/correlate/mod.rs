//! Correlations: what single events cannot say. Owns the four kinds of Sigma (event count, value count, temporal,
//! temporal in order) over matches of rules or of other correlations.
//!
//! A match at event *c* is a fact about the window `[c − span, c]`, both ends included, events ordered by (time, id):
//! the event *completes* the correlation when the window that ends with it satisfies the condition. Evidence is what
//! stands in such a window. That is a function of the set of events, not of the order they came in: an event that
//! comes late is put in its place, and every window that holds it is judged again. Nothing is ever taken back, because
//! conditions only grow true (`gte` and `gt`; the others are refused on loading).
//!
//! What keeps memory bounded makes it a little less than that, and is said at the constants.

mod plan;
mod state;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use plan::{Draft, Plan, WindowTest};
pub(crate) use state::{Completion, Correlator, Hit};

/// How late an event may come and still be joined with everything it belongs to. Live sources are seconds late; ten
/// minutes cover a router that was asked for its queue. Hits are kept by our clock for a window and this.
pub(crate) const LATENESS_US: i64 = 10 * 60 * 1_000_000;

/// Hits kept of one key of one correlation. Thresholds may be set up to half of it; in a flood above it the hits that
/// came first go first, and a late event may then not find the ones it belonged with.
pub(crate) const KEY_HITS_MAX: usize = 1_024;

/// Hits kept of one correlation, all keys together; some 200 bytes each. Above it the keys heard of longest ago go.
pub(crate) const NODE_HITS_MAX: usize = 50_000;
