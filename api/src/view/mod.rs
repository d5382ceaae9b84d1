//! How things look: words, links, periods, bars. Pure functions from data to text; nothing here asks the store.

pub(crate) mod chart;
pub(crate) mod describe;
pub(crate) mod link;
pub(crate) mod period;
pub(crate) mod raw;
pub(crate) mod words;
