//! The vocabulary of Monban: what a record, an event, an act and a finding are, and the traits through which the
//! other rooms meet. Nothing here reads or writes anything, nothing here is async, and nothing here fails on input.
//!
//! Field names are ECS 8.x, as a closed subset, plus a small `vpn.*` and `monban.*` group of our own.

pub mod account;
pub mod act;
pub mod clock;
pub mod event;
pub mod exception;
pub mod finding;
pub mod id;
pub mod limits;
pub mod native;
pub mod query;
pub mod record;
pub mod redact;
pub mod session;
pub mod sink;
pub mod store;
pub mod time;

pub use act::Act;
pub use clock::{Clock, SimulatedClock, SystemClock};
pub use event::{Action, Category, Event, Field, FieldKind, Login, LoginKind, Outcome, ParseStatus, SourceZone, Value};
pub use exception::{Disaster, Scope};
pub use finding::{Finding, FindingStatus, Severity};
pub use id::{EventId, FindingId, RecordId, RuleId, SourceId};
pub use native::NativeFields;
pub use record::{FileHints, FilePosition, Format, Origin, Record, RecordParser, Transport};
pub use session::VpnSession;
pub use sink::{ActSink, Lane, RecordSink, SinkRefused};
pub use store::EventStore;
pub use time::{TimeRange, TimeRule};
