//! What happened around an event: to the same account, from the same address, on the same device, in the same session.

use chrono::TimeDelta;
use monban_event::query::{Query, QueryField, Test};
use monban_event::store::{Cursor, EventStore, Order, SearchRequest, StoreError};
use monban_event::{Event, Field, TimeRange};
use monban_index::query::print;

/// How far pages look to either side.
pub(crate) const MINUTES: u32 = 5;

/// The events nearest to one, on either side.
pub(crate) struct Around {
    /// What they have in common with it, as a query.
    pub(crate) query: String,
    /// Both oldest first.
    pub(crate) before: Vec<Event>,
    pub(crate) after: Vec<Event>,
    /// There are further ones between these and the end of the period.
    pub(crate) before_more: bool,
    pub(crate) after_more: bool,
}

/// At most `each` events on either side within so many minutes, the nearest ones.
pub(crate) fn find(store: &dyn EventStore, event: &Event, minutes: u32, each: usize) -> Result<Around, StoreError> {
    let query = in_common(event);
    let reach = TimeDelta::minutes(i64::from(minutes));
    let range = TimeRange {
        from: event.time().checked_sub_signed(reach),
        // The last moment is part of it.
        to: event.time().checked_add_signed(reach + TimeDelta::microseconds(1)),
    };
    let here = Cursor { time: event.time(), id: event.id };
    let look = |order| {
        let request = SearchRequest::new(query.clone(), range, each);
        store.search(&SearchRequest { order, after: Some(here), whole: true, total: false, ..request })
    };
    let (mut before, after) = (look(Order::NewestFirst)?, look(Order::OldestFirst)?);
    before.events.reverse();
    Ok(Around {
        query: print(&query),
        before_more: before.next.is_some(),
        after_more: after.next.is_some(),
        before: before.events,
        after: after.events,
    })
}

/// Whatever shares a name with the event; everything where it names nothing.
fn in_common(event: &Event) -> Query {
    let equals = |field: QueryField, value: &str| Query::Field(field, Test::Equals(value.to_owned()));
    let mut shared = Vec::new();
    shared.extend(event.user_name.as_deref().map(|user| equals(QueryField::AnyUser, user)));
    shared.extend(event.source_ip.map(|ip| equals(QueryField::AnyIp, &ip.to_string())));
    shared.extend(event.device().map(|device| equals(QueryField::Device, device)));
    shared
        .extend(event.vpn_session_id.as_deref().map(|session| equals(QueryField::Known(Field::VpnSessionId), session)));
    if shared.is_empty() { Query::All } else { Query::Or(shared) }
}
