//! Waiting for a state, the only way these tests wait.

use std::time::{Duration, Instant};

/// Far longer than anything takes on a busy machine: it only decides how long a failure takes to be told.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// Between two looks, so that looking does not take the processor from what is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Looks until `state` holds; after [`DEADLINE`] the test fails with what it waited for.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut state: impl FnMut() -> bool) {
    let started = Instant::now();
    while !state() {
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {what}");
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
}

/// Looks until `look` gives what is wanted; after [`DEADLINE`] the test fails with what was there instead.
#[track_caller]
pub(crate) fn wait_for<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, mut look: impl FnMut() -> T) {
    let started = Instant::now();
    loop {
        let found = look();
        if found == *wanted {
            return;
        }
        assert!(
            started.elapsed() < DEADLINE,
            "waited {DEADLINE:?} for {what}: wanted {wanted:?}, last found {found:?}"
        );
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
}
