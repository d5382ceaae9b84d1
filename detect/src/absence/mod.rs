//! Absence: what did not happen. One more kind of correlation, with the clock given from outside: sources that fell
//! silent, accounts that nobody uses. A rule says under `monban.absence` what should have happened, by its selection,
//! and after how long it is missed.

mod silence;
mod unused;

use chrono::{DateTime, Utc};

pub use silence::Silence;
pub(crate) use silence::Silences;
pub(crate) use unused::Unused;

use crate::context::Context;
use crate::fields::Slots;
use crate::rule::{Absence, Voice};

/// What evaluating an absence needs to know of its rule and of the world.
#[derive(Clone, Copy)]
pub(crate) struct Missing<'a> {
    pub(crate) context: &'a Context,
    pub(crate) slots: &'a Slots,
    pub(crate) voice: &'a Voice,
    pub(crate) absence: &'a Absence,
}

fn from_us(time_us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time_us).unwrap_or_default()
}
