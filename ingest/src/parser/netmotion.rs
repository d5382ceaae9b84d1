//! `NetMotion` Mobility (Absolute Secure Access): a VPN for mobile staff, told in RFC 5424 structured data alone.
//!
//! Format: `[nm_…@11912 key="value" …]`, the block's name is the table it was taken from and MSGID the report. Quirk: what a
//! table's columns are called depends on the release, so only the keys that mean the same everywhere are read; every
//! other stays native.

use monban_event::{Action, Category, Outcome};

use super::draft::Draft;
use super::generic;
use crate::header::{self, Header};

pub(super) fn parse(header: &Header<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(structured) = header.structured.filter(|text| text.starts_with("[nm_")) else { return false };
    draft.product("netmotion", "netmotion.mobility", "NetMotion", "Mobility");
    draft.rule("netmotion.sd");
    draft.process(header);
    draft.event.observer_hostname = header.host.map(str::to_owned);
    draft.event.code = header.message_id.map(str::to_owned);
    let pairs: Vec<(&str, &str)> =
        header::structured_parameters(structured).take(monban_event::limits::NATIVE_FIELDS_MAX).collect();
    if !generic::read(&pairs, draft) {
        for (name, value) in &pairs {
            draft.native(name, value);
        }
    }
    if draft.event.category.is_none() {
        draft.kind(Category::Host, Action::Other);
    }
    draft.event.outcome = draft.event.outcome.or(Some(Outcome::Unknown));
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn structured_data_alone() {
        check(
            "<29>1 2026-03-03T00:00:00Z nm1 nmreporting.exe 75 PoolStatus [nm_pool_status@11912 d_count=\"25\" pool_name=\"ward\"]",
            &[
                ("event.code", "PoolStatus"),
                ("observer.hostname", "nm1"),
                ("native.d_count", "25"),
                ("event.dataset", "netmotion.mobility"),
                ("user.name", "-"),
            ],
        );
        check(
            "<29>1 2026-03-03T00:00:00Z nm1 nmreporting.exe 75 X [nm_x@11912 user_name=\"sato\" client_ip=\"192.0.2.9\"]",
            &[("user.name", "sato"), ("source.ip", "192.0.2.9")],
        );
    }
}
