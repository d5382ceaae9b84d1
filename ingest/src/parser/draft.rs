//! An event being filled. Owns the rules that hold for every format: null words are nobody, addresses must be addresses,
//! which of several times counts, what a record is counted under, and how long a message may be.

use std::net::IpAddr;

use chrono_tz::Tz;
use monban_event::{
    Action, Category, Event, EventId, Origin, ParseStatus, Record, RecordId, TimeRule, account, limits,
};

use crate::header::{Header, HeaderTime};
use crate::hints;
use crate::stamp::{Instant, Stamp};
use crate::text;

/// A time that stands in the body.
#[derive(Clone, Debug)]
pub(super) enum PayloadTime {
    Instant(Instant),
    Stamp(Stamp),
}

pub(super) struct Draft<'r> {
    pub event: Event,
    pub record: &'r Record,
    /// The device's own time, where the body has one.
    pub time: Option<PayloadTime>,
    notes: Vec<&'static str>,
}

impl<'r> Draft<'r> {
    pub(super) fn new(id: RecordId, record: &'r Record) -> Self {
        let event = Event {
            id: EventId::new(id, 0),
            ingested: Some(record.received_at),
            observer_peer_ip: record.peer.map(|peer| peer.ip().to_canonical()),
            file_path: record.file.as_ref().map(|file| file.path.to_string()),
            ..Event::default()
        };
        let mut draft = Self { event, record, time: None, notes: Vec::new() };
        if record.cut {
            draft.note("cut");
        }
        draft
    }

    /// A word about what was odd; each once.
    pub(super) fn note(&mut self, word: &'static str) {
        if !self.notes.contains(&word) {
            self.notes.push(word);
        }
    }

    /// Who made the log, in the closed words of the inventory.
    pub(super) fn product(&mut self, module: &str, dataset: &str, vendor: &str, product: &str) {
        self.event.module = Some(module.to_owned());
        self.event.dataset = Some(dataset.to_owned());
        self.event.observer_vendor = Some(vendor.to_owned());
        self.event.observer_product = Some(product.to_owned());
    }

    pub(super) fn rule(&mut self, rule: &str) {
        self.event.parse_rule = Some(rule.to_owned());
    }

    pub(super) fn kind(&mut self, category: Category, action: Action) {
        self.event.category = Some(category);
        self.event.action = Some(action);
    }

    /// The acting account, unless the word means nobody. Later calls do not replace an earlier account.
    pub(super) fn user(&mut self, raw: &str) {
        if self.event.user_name.is_some() {
            return;
        }
        if let Some(name) = account::parse(raw) {
            self.event.user_name = Some(name.key);
            self.event.user_domain = name.domain;
            self.event.user_raw = Some(raw.trim().to_owned());
        }
    }

    /// The account that is changed or become, unless the word means nobody.
    pub(super) fn target_user(&mut self, raw: &str) {
        self.event.user_target_name = account::parse(raw).map(|name| name.key);
    }

    /// The first address given counts.
    pub(super) fn source(&mut self, text: &str) {
        if self.event.source_ip.is_none() {
            self.event.source_ip = address(text);
        }
    }

    pub(super) fn destination(&mut self, text: &str) {
        if self.event.destination_ip.is_none() {
            self.event.destination_ip = address(text);
        }
    }

    pub(super) fn assigned(&mut self, text: &str) {
        if self.event.vpn_assigned_ip.is_none() {
            self.event.vpn_assigned_ip = address(text);
        }
    }

    pub(super) fn reason(&mut self, text: &str) {
        if !account::is_null_word(text) {
            self.event.reason = Some(text.trim().to_owned());
        }
    }

    pub(super) fn native(&mut self, name: &str, value: &str) {
        if self.event.native.len() < limits::NATIVE_FIELDS_MAX {
            self.event.native.push(name, value);
        } else {
            self.note("fields cut");
        }
    }

    /// Program and pid of the header.
    pub(super) fn process(&mut self, header: &Header<'_>) {
        self.event.process_name = header.app.map(str::to_owned);
        self.event.process_pid = header.pid.and_then(|pid| pid.parse().ok());
    }

    pub(super) fn finish(mut self, header: &Header<'_>, status: ParseStatus, zone: Tz) -> Event {
        self.event.parse_status = Some(status);
        self.set_time(header, zone);
        self.set_source_id(header);
        // A parser that had to take a secret out of the text has set what is left of it.
        let text = self.event.message.take();
        self.set_message(text.as_deref().unwrap_or(header.body));
        if header.bad_priority {
            self.note("bad priority");
        }
        if !self.notes.is_empty() {
            self.event.parse_note = Some(self.notes.join(", "));
        }
        self.event.drop_nonsense();
        self.event
    }

    /// Epoch, then a stamp with offset (body before header), then the body's local time, then the header's, then ours.
    fn set_time(&mut self, header: &Header<'_>, zone: Tz) {
        let received_at = self.record.received_at;
        // Whoever handed a file in may have said which year its stamps without one mean.
        let as_of = hints::as_of(self.record, zone);
        let body = match self.time.take() {
            Some(PayloadTime::Instant(instant)) => Some(instant),
            Some(PayloadTime::Stamp(stamp)) if stamp.offset.is_some() || !header_has_offset(header) => {
                stamp.resolve(zone, as_of)
            }
            _ => None,
        };
        let instant = body.or_else(|| match header.time.as_ref()? {
            HeaderTime::Epoch(instant) => Some(instant.clone()),
            HeaderTime::Stamp(stamp) => stamp.resolve(zone, as_of),
        });
        let instant = instant.unwrap_or(Instant { time: received_at, rule: TimeRule::Receive, timezone: None });
        self.event.event_time = Some(instant.time);
        self.event.time_rule = Some(instant.rule);
        self.event.timezone = self.event.timezone.take().or(instant.timezone);
    }

    /// What [`monban_event::SourceId`] says: verified name, peer, then header host, then payload host, then file name.
    fn set_source_id(&mut self, header: &Header<'_>) {
        if let Some(identity) = &self.record.identity {
            self.event.source_id = Some(format!("cert:{}", account::fold(identity)));
            return;
        }
        let peer = self.event.observer_peer_ip.filter(|_| self.record.origin != Origin::Import);
        let host = header.host.or(self.event.observer_hostname.as_deref()).or(self.event.host_name.as_deref());
        self.event.source_id = match (peer, host) {
            (Some(peer), _) => Some(format!("ip:{peer}")),
            (None, Some(host)) => Some(format!("host:{}", account::fold(host))),
            (None, None) => self.file_name().map(|name| format!("file:{name}")),
        };
    }

    fn file_name(&self) -> Option<&str> {
        let path = self.record.file.as_ref()?.path.as_ref();
        path.rsplit(['/', '\\']).next()
    }

    fn set_message(&mut self, text: &str) {
        let text = text::readable(text);
        let end = text.floor_char_boundary(limits::MESSAGE_BYTES_MAX);
        if end < text.len() {
            self.note("message cut");
        }
        self.event.message = text.get(..end).filter(|text| !text.is_empty()).map(str::to_owned);
    }
}

fn header_has_offset(header: &Header<'_>) -> bool {
    header.time.as_ref().is_some_and(HeaderTime::has_offset)
}

/// An address that means a machine: not `0.0.0.0` and not `::`, which devices write for none. `::ffff:192.0.2.9` is what a
/// socket for both families calls 192.0.2.9.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plausible = (2..=45).contains(&text.len()) && text.bytes().any(|byte| matches!(byte, b'.' | b':'));
    let ip: IpAddr = plausible.then(|| text.parse().ok())??;
    let ip = ip.to_canonical();
    (!ip.is_unspecified()).then_some(ip)
}
