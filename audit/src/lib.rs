//! The month: the figures of an audit, what they rest on, and the sheets they are printed on. Everything here is
//! computed from the event store and the ledger and can be computed again; nothing here is kept, and no figure is
//! counted a second way beside the query that it links to.

pub mod checklist;
mod conclusion;
mod exceptions;
mod figures;
mod html;
mod model;
pub mod policies;
mod summarize;
mod tables;
pub mod wording;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use checklist::Edition;
pub use exceptions::{DisasterLine, ExceptionLine, scope_text};
pub use html::{Links, SHEET_CSS, percent, render_sheets, render_standalone};
pub use model::{
    Amount, AuditSummary, CarryOver, Comparison, Figure, FindingLine, Header, LoginClassLine, LoginKindLine, Part,
    ReviewLine, SilenceLine, SourceLine, TrailLine, Undetectable, VpnClassLine,
};
pub use summarize::{AuditError, AuditSettings, ParseQuery, summarize};
