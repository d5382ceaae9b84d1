//! An event as tantivy takes it: one buffer for all texts and a list of values in schema order. Tantivy's own
//! documents cost a boxed value a field, five times as much as everything else about indexing a line.

use std::net::{IpAddr, Ipv6Addr};

use monban_event::{Event, EventId, Field, RecordId, Value};
use tantivy::columnar::{Column as FastColumn, StrColumn};
use tantivy::schema::Field as Slot;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::{DocId, SegmentReader};

use super::schema::{Columns, GROUP_SEPARATOR, GROUPS, columns, cut_value};
use super::text;

#[derive(Clone, Copy, Debug)]
enum Stored {
    /// Bytes of the buffer.
    Text {
        from: u32,
        to: u32,
    },
    Signed(i64),
    Unsigned(u64),
    Address(Ipv6Addr),
}

/// One event, ready to be indexed.
#[derive(Debug)]
pub(crate) struct Document {
    buffer: String,
    values: Vec<(Slot, Stored)>,
}

impl Document {
    pub(crate) fn new(event: &Event) -> Self {
        let columns = columns();
        let mut document = Self { buffer: String::with_capacity(512), values: Vec::with_capacity(20) };
        document.values.push((columns.time, Stored::Signed(event.time().timestamp_micros())));
        document.values.push((columns.record, Stored::Unsigned(event.id.record.0)));
        if event.id.offset > 0 {
            document.values.push((columns.offset, Stored::Unsigned(event.id.offset.into())));
        }
        for ((_, members), &slot) in GROUPS.iter().zip(&columns.groups) {
            document.push_group(slot, members, event);
        }
        for (&field, &slot) in Columns::TEXTS.iter().zip(&columns.texts) {
            document.push_field(slot, field, event);
        }
        for (&field, &slot) in Columns::ADDRESSES.iter().zip(&columns.addresses) {
            document.push_field(slot, field, event);
        }
        for (&field, &slot) in Columns::NUMBERS.iter().zip(&columns.numbers) {
            document.push_field(slot, field, event);
        }
        let from = document.buffer.len();
        text::curate(event, &mut document.buffer);
        document.push_text(columns.text, from);
        document
    }

    fn push_text(&mut self, slot: Slot, from: usize) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        if self.buffer.len() > from {
            self.values.push((slot, Stored::Text { from: place(from), to: place(self.buffer.len()) }));
        }
    }

    fn push_group(&mut self, slot: Slot, members: &[Field], event: &Event) {
        let from = self.buffer.len();
        let mut empty = true;
        for (index, &field) in members.iter().enumerate() {
            if index > 0 {
                self.buffer.push(GROUP_SEPARATOR);
            }
            if let Some(value) = event.get(field) {
                empty = false;
                push_member(&mut self.buffer, &value.to_text());
            }
        }
        if empty {
            self.buffer.truncate(from);
        }
        self.push_text(slot, from);
    }

    fn push_field(&mut self, slot: Slot, field: Field, event: &Event) {
        match event.get(field) {
            // Most accounts are written as their key; the written form is kept where it says more.
            Some(Value::Text(text)) if field == Field::UserRaw && event.user_name.as_deref() == Some(&text) => {}
            Some(Value::Text(text)) => {
                let from = self.buffer.len();
                self.buffer.push_str(cut_value(&text));
                self.push_text(slot, from);
            }
            Some(Value::Ip(ip)) => self.values.push((slot, Stored::Address(to_ipv6(ip)))),
            Some(Value::Number(number)) => self.values.push((slot, Stored::Signed(number))),
            Some(Value::Flag(_) | Value::Time(_)) | None => {}
        }
    }
}

fn push_member(buffer: &mut String, value: &str) {
    let value = cut_value(value);
    if value.contains(GROUP_SEPARATOR) {
        buffer.extend(value.chars().map(|char| if char == GROUP_SEPARATOR { ' ' } else { char }));
    } else {
        buffer.push_str(value);
    }
}

pub(crate) fn to_ipv6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// A value of a [`Document`], borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StoredRef<'a> {
    Text(&'a str),
    Signed(i64),
    Unsigned(u64),
    Address(Ipv6Addr),
}

impl<'a> tantivy::schema::Value<'a> for StoredRef<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Text(text) => ReferenceValueLeaf::Str(text),
            Self::Signed(number) => ReferenceValueLeaf::I64(number),
            Self::Unsigned(number) => ReferenceValueLeaf::U64(number),
            Self::Address(ip) => ReferenceValueLeaf::IpAddr(ip),
        })
    }
}

pub(crate) struct DocumentIter<'a> {
    document: &'a Document,
    at: usize,
}

impl<'a> Iterator for DocumentIter<'a> {
    type Item = (Slot, StoredRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let &(slot, stored) = self.document.values.get(self.at)?;
        self.at += 1;
        let value = match stored {
            Stored::Text { from, to } => {
                StoredRef::Text(self.document.buffer.get(from as usize..to as usize).unwrap_or(""))
            }
            Stored::Signed(number) => StoredRef::Signed(number),
            Stored::Unsigned(number) => StoredRef::Unsigned(number),
            Stored::Address(ip) => StoredRef::Address(ip),
        };
        Some((slot, value))
    }
}

impl tantivy::Document for Document {
    type Value<'a> = StoredRef<'a>;
    type FieldsValuesIter<'a> = DocumentIter<'a>;

    fn iter_fields_and_values(&self) -> DocumentIter<'_> {
        DocumentIter { document: self, at: 0 }
    }
}

/// The columns of one segment, read back into events.
pub(crate) struct EventColumns {
    time: FastColumn<i64>,
    record: FastColumn<u64>,
    offset: Option<FastColumn<u64>>,
    groups: Vec<(&'static [Field], StrColumn)>,
    texts: Vec<(Field, StrColumn)>,
    addresses: Vec<(Field, FastColumn<Ipv6Addr>)>,
    numbers: Vec<(Field, FastColumn<i64>)>,
}

impl EventColumns {
    pub(crate) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let columns = columns();
        let fast = reader.fast_fields();
        let name = |slot: Slot| columns.schema.get_field_name(slot);
        let mut opened = Self {
            time: fast.i64("time")?,
            record: fast.u64("record")?,
            offset: fast.column_opt("offset")?,
            groups: Vec::new(),
            texts: Vec::new(),
            addresses: Vec::new(),
            numbers: Vec::new(),
        };
        for ((group, members), _) in GROUPS.iter().zip(&columns.groups) {
            opened.groups.extend(fast.str(group)?.map(|column| (*members, column)));
        }
        for (&field, &slot) in Columns::TEXTS.iter().zip(&columns.texts) {
            opened.texts.extend(fast.str(name(slot))?.map(|column| (field, column)));
        }
        for (&field, &slot) in Columns::ADDRESSES.iter().zip(&columns.addresses) {
            opened.addresses.extend(fast.column_opt(name(slot))?.map(|column| (field, column)));
        }
        for (&field, &slot) in Columns::NUMBERS.iter().zip(&columns.numbers) {
            opened.numbers.extend(fast.column_opt(name(slot))?.map(|column| (field, column)));
        }
        Ok(opened)
    }

    pub(crate) fn id(&self, doc: DocId) -> EventId {
        let offset = self.offset.as_ref().and_then(|column| column.first(doc)).unwrap_or(0);
        EventId::new(RecordId(self.record.first(doc).unwrap_or(0)), u32::try_from(offset).unwrap_or(u32::MAX))
    }

    /// The event as far as the columns know it.
    pub(crate) fn event(&self, doc: DocId) -> tantivy::Result<Event> {
        let mut event = Event { id: self.id(doc), ..Event::default() };
        event.event_time = self.time.first(doc).and_then(chrono::DateTime::from_timestamp_micros);
        let mut text = String::new();
        for (members, column) in &self.groups {
            if read_text(column, doc, &mut text)? {
                for (&field, value) in members.iter().zip(text.split(GROUP_SEPARATOR)) {
                    if !value.is_empty() {
                        event.set_text(field, value);
                    }
                }
            }
        }
        for (field, column) in &self.texts {
            if read_text(column, doc, &mut text)? {
                event.set_text(*field, &text);
            }
        }
        for (field, column) in &self.addresses {
            if let Some(ip) = column.first(doc) {
                event.set_text(*field, &IpAddr::V6(ip).to_canonical().to_string());
            }
        }
        for (field, column) in &self.numbers {
            if let Some(number) = column.first(doc) {
                event.set_text(*field, &number.to_string());
            }
        }
        if event.user_raw.is_none() {
            event.user_raw.clone_from(&event.user_name);
        }
        Ok(event)
    }
}

fn read_text(column: &StrColumn, doc: DocId, text: &mut String) -> tantivy::Result<bool> {
    text.clear();
    let Some(ord) = column.ords().first(doc) else { return Ok(false) };
    Ok(column.ord_to_str(ord, text)?)
}
