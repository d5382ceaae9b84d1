//! Rules and state: from parsed events to findings, sessions and silences. Pure: no clock, no network, and no file but
//! the rule folders it is told to load. Start reading at [`detector`].

mod absence;
pub mod again;
pub mod context;
mod correlate;
pub mod detector;
mod enrich;
mod fields;
mod gather;
mod house;
mod lockout;
mod pairs;
pub mod policy;
mod profile;
mod recall;
mod repeat;
mod rule;
pub mod ruleset;
mod season;
mod seen;
mod session;
pub mod sigma;

pub use absence::Silence;
pub use again::{Again, Changes, Knowledge};
pub use context::{Complaint, Context, ContextTexts};
pub use detector::{Detector, Observation, RuleHit, SnapshotError};
pub use enrich::enrich;
pub use rule::{RuleInfo, RuleTexts, Threshold};
pub use ruleset::{Foreseen, RuleSet};
pub use season::{LEARNING_DAYS, LEARNING_DAYS_RANGE, Seasons};
pub use sigma::{LoadReport, RuleFailure, SigmaLoadError};
