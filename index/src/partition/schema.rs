//! Which fields of an event are columns, and how they are stored.
//!
//! A column of its own costs 1–3 µs an event, and most fields of a log are words of small vocabularies that come in
//! few combinations. So those share three *groups*: one string holds the values of all fields of a group, and a
//! dictionary of combinations (hundreds for a hospital) stands for them. A test of a grouped field is asked of each
//! combination once, then answered from the postings of those that pass; facets count combinations and add up.
//! Values are stored as written; comparing folds both sides, accounts by their key. Addresses are IPv6 columns, so
//! networks are ranges. No field norms, no document store.

use std::sync::LazyLock;

use monban_event::Field;
use tantivy::schema::{
    Field as Slot, INDEXED, IndexRecordOption, IpAddrOptions, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};

/// Raised when the columns or the tokenizer change: partitions of another version are rebuilt from the journal.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Separates values inside a group.
pub(crate) const GROUP_SEPARATOR: char = '\u{1f}';

/// Longest value of a column, in bytes; longer ones compare by what is kept. Names end far below it, and a hostile
/// value must not fill the dictionaries.
pub(crate) const COLUMN_BYTES_MAX: usize = 256;

/// Name of the tokenizer of [`super::text`] in the schema on disk.
pub(crate) const TOKENIZER: &str = "curated_v1";

const KIND: &[Field] = &[
    Field::Module,
    Field::Dataset,
    Field::ObserverVendor,
    Field::ObserverProduct,
    Field::Code,
    Field::Category,
    Field::Action,
    Field::Outcome,
    Field::ParseStatus,
    Field::Login,
    Field::LoginKind,
    Field::VpnType,
    Field::WinlogLogonType,
    Field::WinlogChannel,
];
const PLACE: &[Field] = &[Field::SourceId, Field::ObserverHostname, Field::HostName];
const CONTEXT: &[Field] = &[
    Field::AccountClass,
    Field::AccountState,
    Field::AfterHours,
    Field::Night,
    Field::Holiday,
    Field::SourceZone,
    Field::AllowListed,
    Field::AllowListKnown,
    Field::Vendor,
    Field::SourceCountry,
];

/// The groups: name of the column, and its members in stored order.
pub(crate) const GROUPS: [(&str, &[Field]); 3] = [("kind", KIND), ("place", PLACE), ("context", CONTEXT)];

const TEXTS: [Field; 9] = [
    Field::UserName,
    Field::UserTargetName,
    Field::UserRaw,
    Field::Reason,
    Field::VpnSessionId,
    Field::VpnTunnel,
    Field::VpnGroup,
    Field::SourceDomain,
    Field::ProcessName,
];
const ADDRESSES: [Field; 3] = [Field::SourceIp, Field::DestinationIp, Field::VpnAssignedIp];
const NUMBERS: [Field; 5] =
    [Field::SourcePort, Field::DestinationPort, Field::SourceBytes, Field::DestinationBytes, Field::Duration];

/// Where a field of an event stands in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The event's time in microseconds since 1970.
    Time,
    /// Member `index` of a group.
    Grouped {
        group: usize,
        index: usize,
        slot: Slot,
    },
    Text(Slot),
    Address(Slot),
    Number(Slot),
}

/// The schema and its fields.
pub(crate) struct Columns {
    pub(crate) schema: Schema,
    pub(crate) time: Slot,
    pub(crate) record: Slot,
    pub(crate) offset: Slot,
    pub(crate) text: Slot,
    pub(crate) groups: [Slot; GROUPS.len()],
    pub(crate) texts: [Slot; TEXTS.len()],
    pub(crate) addresses: [Slot; ADDRESSES.len()],
    pub(crate) numbers: [Slot; NUMBERS.len()],
}

impl Columns {
    pub(crate) const TEXTS: [Field; TEXTS.len()] = TEXTS;
    pub(crate) const ADDRESSES: [Field; ADDRESSES.len()] = ADDRESSES;
    pub(crate) const NUMBERS: [Field; NUMBERS.len()] = NUMBERS;

    fn build() -> Self {
        let mut schema = Schema::builder();
        let number = || NumericOptions::default().set_fast();
        let word = || {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer("raw")
                .set_index_option(IndexRecordOption::Basic)
                .set_fieldnorms(false);
            TextOptions::default().set_indexing_options(indexing).set_fast("raw")
        };
        let curated = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions)
            .set_fieldnorms(false);
        let address = IpAddrOptions::from(INDEXED).set_fast();
        Self {
            time: schema.add_i64_field("time", number()),
            record: schema.add_u64_field("record", number()),
            offset: schema.add_u64_field("offset", number()),
            groups: GROUPS.map(|(name, _)| schema.add_text_field(name, word())),
            texts: TEXTS.map(|field| schema.add_text_field(&column_name(field), word())),
            addresses: ADDRESSES.map(|field| schema.add_ip_addr_field(&column_name(field), address.clone())),
            numbers: NUMBERS.map(|field| schema.add_i64_field(&column_name(field), number())),
            text: schema.add_text_field("text", TextOptions::default().set_indexing_options(curated)),
            schema: schema.build(),
        }
    }
}

/// Tantivy reads a dot as a path into JSON, so columns are named with underscores.
fn column_name(field: Field) -> String {
    field.name().replace('.', "_")
}

pub(crate) fn columns() -> &'static Columns {
    static COLUMNS: LazyLock<Columns> = LazyLock::new(Columns::build);
    &COLUMNS
}

/// The column of a field; `None` where only whole events know it.
pub(crate) fn column_of(field: Field) -> Option<Column> {
    if field == Field::EventTime {
        return Some(Column::Time);
    }
    let columns = columns();
    for (group, ((_, members), &slot)) in GROUPS.iter().zip(&columns.groups).enumerate() {
        if let Some(index) = members.iter().position(|&member| member == field) {
            return Some(Column::Grouped { group, index, slot });
        }
    }
    let find = |fields: &[Field], slots: &[Slot]| {
        fields.iter().position(|&member| member == field).and_then(|at| slots.get(at).copied())
    };
    find(&TEXTS, &columns.texts)
        .map(Column::Text)
        .or_else(|| find(&ADDRESSES, &columns.addresses).map(Column::Address))
        .or_else(|| find(&NUMBERS, &columns.numbers).map(Column::Number))
}

/// What a column keeps of a text.
pub(crate) fn cut_value(text: &str) -> &str {
    if text.len() <= COLUMN_BYTES_MAX {
        return text;
    }
    text.get(..text.floor_char_boundary(COLUMN_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_pages_list_are_columns() {
        for field in
            [Field::EventTime, Field::UserName, Field::SourceIp, Field::Action, Field::Outcome, Field::AfterHours]
        {
            assert!(column_of(field).is_some(), "{}", field.name());
        }
        assert_eq!(column_of(Field::Message), None);
    }

    #[test]
    fn cut_keeps_whole_characters() {
        let long = "あ".repeat(200);
        assert_eq!(cut_value(&long).chars().count(), COLUMN_BYTES_MAX / 3);
        assert_eq!(cut_value("短い"), "短い");
    }
}
