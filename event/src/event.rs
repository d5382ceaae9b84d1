//! The normalized form of what one record says: who did what, from where, to what, with what outcome.
//!
//! One table below is the closed list of fields. From it come the struct, the [`Field`] names that queries, columns
//! and rules speak, and the JSON form, so the four cannot disagree. Native fields stand beside them.

use std::borrow::Cow;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number};

use crate::id::EventId;
use crate::native::NativeFields;
use crate::time::{TimeRule, rfc3339};

/// A closed vocabulary: an enum whose every member has one written form.
macro_rules! vocabulary {
    ($($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal,)+ })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$member_doc])* #[serde(rename = $text)] $member,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$member,)+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }

            /// The member of that written form, exactly.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$member),)+ _ => None }
            }
        }

        impl FieldValue for $name {
            const KIND: FieldKind = FieldKind::Word;
            fn value(&self) -> Value<'_> { Value::Text(Cow::Borrowed(self.as_str())) }
            fn from_text(text: &str) -> Option<Self> { Self::parse(text) }
        }
    )*};
}

vocabulary! {
    /// `event.category`.
    Category {
        Authentication = "authentication", Session = "session", Network = "network", Configuration = "configuration",
        Iam = "iam", File = "file", Malware = "malware", Process = "process", Host = "host",
    }
    /// `event.action`: what was done; whether it succeeded is [`Outcome`]. The vendor's own word stays native.
    Action {
        Login = "login", Logout = "logout", SessionStart = "session-start", SessionEnd = "session-end",
        AddressAssigned = "address-assigned", Elevate = "elevate", ConfigChange = "config-change",
        AccountChange = "account-change", Allow = "allow", Deny = "deny", Detect = "detect",
        /// A log was cleared (Windows 1102, 104).
        LogClear = "log-clear",
        Other = "other",
    }
    Outcome { Success = "success", Failure = "failure", Unknown = "unknown", }
    /// How much of the record was understood: the whole, its header only, or nothing.
    ParseStatus { Full = "full", Header = "header", Raw = "raw", }
    /// An attempt to log in, as figures N08 and N09 count it. Set by enrichment.
    Login { Success = "success", Failure = "failure",
        /// The same attempt reported by a second machine within 2 s; not counted again.
        Repeat = "repeat", }
    LoginKind { Windows = "windows", Vpn = "vpn", Device = "device", Host = "host", }
    /// Where `source.ip` lies, by the hospital's own ranges. Set by enrichment.
    SourceZone { Inside = "inside", VpnPool = "vpn_pool", Allowed = "allowed", Outside = "outside", }
}

impl FieldValue for TimeRule {
    const KIND: FieldKind = FieldKind::Word;
    fn value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self.as_str()))
    }
    fn from_text(text: &str) -> Option<Self> {
        [Self::Epoch, Self::Offset, Self::Local, Self::YearAssumed, Self::Receive]
            .into_iter()
            .find(|rule| rule.as_str() == text)
    }
}

/// The value of a field, borrowed from its event.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Text(Cow<'a, str>),
    Ip(IpAddr),
    Number(i64),
    Flag(bool),
    Time(DateTime<Utc>),
}

impl Value<'_> {
    /// As written in JSON strings, query results and CSV.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Ip(ip) => Cow::Owned(ip.to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Time(time) => Cow::Owned(rfc3339(*time)),
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Number(number) => serde_json::Value::Number(Number::from(*number)),
            Self::Flag(flag) => serde_json::Value::Bool(*flag),
            other => serde_json::Value::String(other.to_text().into_owned()),
        }
    }
}

/// What kind of values a field holds; decides its column and which tests a query may ask of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Text of a closed vocabulary.
    Word,
    Ip,
    Number,
    Flag,
    Time,
}

/// A Rust type that can be the value of a field.
pub trait FieldValue: Sized {
    const KIND: FieldKind;
    fn value(&self) -> Value<'_>;
    fn from_text(text: &str) -> Option<Self>;
    /// Whether the value says nothing.
    fn is_empty(&self) -> bool {
        false
    }
}

impl FieldValue for String {
    const KIND: FieldKind = FieldKind::Text;
    fn value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl FieldValue for IpAddr {
    const KIND: FieldKind = FieldKind::Ip;
    fn value(&self) -> Value<'_> {
        Value::Ip(*self)
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FieldValue for i64 {
    const KIND: FieldKind = FieldKind::Number;
    fn value(&self) -> Value<'_> {
        Value::Number(*self)
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FieldValue for bool {
    const KIND: FieldKind = FieldKind::Flag;
    fn value(&self) -> Value<'_> {
        Value::Flag(*self)
    }
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FieldValue for DateTime<Utc> {
    const KIND: FieldKind = FieldKind::Time;
    fn value(&self) -> Value<'_> {
        Value::Time(*self)
    }
    fn from_text(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $member:ident: $kind:ty = $variant:ident, $name:literal;)+) => {
        /// One event. A field without a value is `None`, never an empty string.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Event {
            pub id: EventId,
            $($(#[$doc])* pub $member: Option<$kind>,)+
            /// The fields as the device named them.
            pub native: NativeFields,
        }

        /// The name of a field of [`Event`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($variant,)+ }

        impl Field {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The dotted ECS name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The field of that dotted name, exactly.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            pub fn kind(self) -> FieldKind {
                match self { $(Self::$variant => <$kind as FieldValue>::KIND,)+ }
            }
        }

        impl Event {
            pub fn get(&self, field: Field) -> Option<Value<'_>> {
                match field { $(Field::$variant => self.$member.as_ref().map(FieldValue::value),)+ }
            }

            fn drop_empty(&mut self) {
                $(if self.$member.as_ref().is_some_and(FieldValue::is_empty) {
                    self.$member = None;
                })+
            }

            /// Sets a field from its written form; `false` (and no change) when the text is not such a value.
            pub fn set_text(&mut self, field: Field, text: &str) -> bool {
                match field { $(Field::$variant => match FieldValue::from_text(text) {
                    Some(value) => { self.$member = Some(value); true }
                    None => false,
                },)+ }
            }
        }
    };
}

fields! {
    /// What the device said, corrected only by a configured zone; our receipt where it said nothing.
    event_time: DateTime<Utc> = EventTime, "@timestamp";
    /// Our clock at receipt.
    ingested: DateTime<Utc> = Ingested, "event.ingested";
    time_rule: TimeRule = TimeSource, "time.source";
    timezone: String = Timezone, "event.timezone";
    /// Vendor family, for example `fortinet`, `cisco`, `yamaha`, `windows`, `linux`.
    module: String = Module, "event.module";
    /// Product, for example `fortinet.fortigate`, `windows.security`.
    dataset: String = Dataset, "event.dataset";
    /// The vendor's message id: logid, 113039, `EventID`.
    code: String = Code, "event.code";
    category: Category = Category, "event.category";
    action: Action = Action, "event.action";
    outcome: Outcome = Outcome, "event.outcome";
    /// The vendor's text or code.
    reason: String = Reason, "event.reason";
    /// Nanoseconds.
    duration_ns: i64 = Duration, "event.duration";
    start: DateTime<Utc> = Start, "event.start";
    end: DateTime<Utc> = End, "event.end";
    /// The account key of [`crate::account`].
    user_name: String = UserName, "user.name";
    user_domain: String = UserDomain, "user.domain";
    /// The account as written.
    user_raw: String = UserRaw, "user.raw";
    user_id: String = UserId, "user.id";
    /// The account that was changed, where one account changes another.
    user_target_name: String = UserTargetName, "user.target.name";
    source_ip: IpAddr = SourceIp, "source.ip";
    source_port: i64 = SourcePort, "source.port";
    source_mac: String = SourceMac, "source.mac";
    /// Name of the machine the actor sat at, where the device gives one (Windows `WorkstationName`).
    source_domain: String = SourceDomain, "source.domain";
    source_country: String = SourceCountry, "source.geo.country_iso_code";
    source_as_number: i64 = SourceAsNumber, "source.as.number";
    destination_ip: IpAddr = DestinationIp, "destination.ip";
    destination_port: i64 = DestinationPort, "destination.port";
    destination_domain: String = DestinationDomain, "destination.domain";
    /// From the remote user's side.
    source_bytes: i64 = SourceBytes, "source.bytes";
    destination_bytes: i64 = DestinationBytes, "destination.bytes";
    observer_vendor: String = ObserverVendor, "observer.vendor";
    observer_product: String = ObserverProduct, "observer.product";
    observer_hostname: String = ObserverHostname, "observer.hostname";
    observer_ip: IpAddr = ObserverIp, "observer.ip";
    /// The transport's sender.
    observer_peer_ip: IpAddr = ObserverPeerIp, "observer.peer_ip";
    /// The machine that acted: Windows and Linux servers.
    host_name: String = HostName, "host.name";
    vpn_session_id: String = VpnSessionId, "vpn.session_id";
    /// `ssl`, `ipsec`, `l2tp`, `openvpn`, `softether`.
    vpn_type: String = VpnType, "vpn.type";
    vpn_assigned_ip: IpAddr = VpnAssignedIp, "vpn.assigned_ip";
    vpn_tunnel: String = VpnTunnel, "vpn.tunnel";
    vpn_client: String = VpnClient, "vpn.client";
    vpn_group: String = VpnGroup, "vpn.group";
    process_name: String = ProcessName, "process.name";
    process_pid: i64 = ProcessPid, "process.pid";
    process_command_line: String = ProcessCommandLine, "process.command_line";
    process_parent_name: String = ProcessParentName, "process.parent.name";
    process_parent_command_line: String = ProcessParentCommandLine, "process.parent.command_line";
    winlog_channel: String = WinlogChannel, "winlog.channel";
    winlog_computer: String = WinlogComputer, "winlog.computer";
    winlog_event_id: i64 = WinlogEventId, "winlog.event_id";
    winlog_record_id: i64 = WinlogRecordId, "winlog.record_id";
    winlog_provider: String = WinlogProvider, "winlog.provider";
    /// Windows logon type, 2 interactive, 3 network, 10 remote desktop.
    winlog_logon_type: i64 = WinlogLogonType, "winlog.logon.type";
    /// What the record says, decoded; cut at [`crate::limits::MESSAGE_BYTES_MAX`].
    message: String = Message, "message";
    /// The encoding the bytes were in, where it was not UTF-8.
    original_encoding: String = OriginalEncoding, "event.original_encoding";
    file_path: String = FilePath, "log.file.path";
    parse_status: ParseStatus = ParseStatus, "parse.status";
    /// `low` where joined lines may belong to different clients.
    parse_confidence: String = ParseConfidence, "parse.confidence";
    /// The parser and the form it recognised, for example `fortigate.kv`.
    parse_rule: String = ParseRule, "parse.rule";
    /// What was odd about the record, in words: cut, damaged, recovered.
    parse_note: String = ParseNote, "parse.note";
    /// The source this event is counted under ([`crate::SourceId`]).
    source_id: String = SourceId, "monban.source";
    login: Login = Login, "monban.login";
    login_kind: LoginKind = LoginKind, "monban.login_kind";
    /// Of the roster: `staff`, `doctor`, `visiting_doctor`, `duty_shared`, `kiosk`, `admin`, `vendor`, `service`,
    /// `emergency`, `system`, `unknown`.
    account_class: String = AccountClass, "monban.account_class";
    /// `active`, `retired`, `on_leave`, `disabled`, `unlisted`.
    account_state: String = AccountState, "monban.account_state";
    after_hours: bool = AfterHours, "monban.after_hours";
    /// 22:00–5:00 JST.
    night: bool = Night, "monban.night";
    holiday: bool = Holiday, "monban.holiday";
    source_zone: SourceZone = SourceZone, "monban.source_zone";
    allow_listed: bool = AllowListed, "monban.allow_listed";
    /// Whether an allow-list exists at all: without one nothing is "outside" it.
    allow_list_known: bool = AllowListKnown, "monban.allow_list_known";
    vendor: String = Vendor, "monban.vendor";
    /// How a company's connection stands to its work tickets: `matched`, `afterwards`, `overrun`, `none`.
    ticket: String = Ticket, "monban.ticket";
    /// Whether an approved ticket is about the machine now.
    maintenance: bool = Maintenance, "monban.maintenance";
    /// What the machine is for: `core`, `department`, `admin`, `jump`.
    host_role: String = HostRole, "monban.host_role";
    /// What the machine at the source address is for.
    source_role: String = SourceRole, "monban.source_role";
    /// Whether the way from a department's machine to a core one was never declared.
    undeclared_way: bool = UndeclaredWay, "monban.undeclared_way";
    /// Whether the duty table has the account that night.
    on_duty: bool = OnDuty, "monban.on_duty";
}

impl Event {
    /// Takes out what no event may say: empty texts, ports that no protocol has, negative amounts. Every parser ends with
    /// it, so that what follows never asks again.
    pub fn drop_nonsense(&mut self) {
        self.drop_empty();
        for port in [&mut self.source_port, &mut self.destination_port] {
            *port = port.filter(|port| (0..=i64::from(u16::MAX)).contains(port));
        }
        for amount in [&mut self.source_bytes, &mut self.destination_bytes, &mut self.duration_ns] {
            *amount = amount.filter(|amount| *amount >= 0);
        }
    }

    /// When it happened: what the device said, else our receipt.
    pub fn time(&self) -> DateTime<Utc> {
        self.event_time.or(self.ingested).unwrap_or_default()
    }

    /// The machine or device the event is about: the acting host, else the observing device.
    pub fn device(&self) -> Option<&str> {
        self.host_name.as_deref().or(self.observer_hostname.as_deref())
    }

    /// Every account named, key form, without repeats, in field order.
    pub fn related_users(&self) -> Vec<&str> {
        distinct([self.user_name.as_deref(), self.user_target_name.as_deref()])
    }

    /// Every address named except the transport's, without repeats, in field order.
    pub fn related_ips(&self) -> Vec<IpAddr> {
        distinct([self.source_ip, self.destination_ip, self.vpn_assigned_ip])
    }

    /// The flat JSON form of every place where an event leaves the program: dotted names, absent fields left out,
    /// native fields under `native.`, the record's number as `record.id`.
    pub fn to_json(&self) -> Map<String, serde_json::Value> {
        let mut object = Map::new();
        for &field in Field::ALL {
            if let Some(value) = self.get(field) {
                object.insert(field.name().to_owned(), value.to_json());
            }
        }
        if self.id.record.0 > 0 {
            object.insert("event.id".to_owned(), self.id.to_string().into());
            object.insert("record.id".to_owned(), self.id.record.0.into());
        }
        insert_list(&mut object, "related.user", self.related_users().into_iter().map(str::to_owned));
        insert_list(&mut object, "related.ip", self.related_ips().into_iter().map(|ip| ip.to_string()));
        for (name, value) in self.native.iter() {
            object.entry(format!("native.{name}")).or_insert_with(|| value.into());
        }
        object
    }
}

fn distinct<T: PartialEq, const N: usize>(candidates: [Option<T>; N]) -> Vec<T> {
    let mut found = Vec::with_capacity(N);
    for candidate in candidates.into_iter().flatten() {
        if !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found
}

fn insert_list(object: &mut Map<String, serde_json::Value>, name: &str, values: impl Iterator<Item = String>) {
    let values: Vec<serde_json::Value> = values.map(Into::into).collect();
    if !values.is_empty() {
        object.insert(name.to_owned(), values.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_name_finds_its_field() {
        for &field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(field));
        }
    }

    #[test]
    fn json_is_flat_and_leaves_absent_fields_out() {
        let event = Event {
            user_name: Some("tanaka".to_owned()),
            source_ip: Some(IpAddr::from([203, 0, 113, 9])),
            source_port: Some(443),
            action: Some(Action::SessionStart),
            native: [("tunnelid", "7")].into_iter().collect(),
            ..Event::default()
        };
        let json = serde_json::Value::Object(event.to_json());
        let expected = serde_json::json!({
            "user.name": "tanaka", "source.ip": "203.0.113.9", "source.port": 443, "event.action": "session-start",
            "related.user": ["tanaka"], "related.ip": ["203.0.113.9"], "native.tunnelid": "7",
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn text_sets_only_what_it_can_mean() {
        let mut event = Event::default();
        assert!(event.set_text(Field::SourceIp, "2001:db8::1"));
        assert!(!event.set_text(Field::SourceIp, "10.1.2.300"));
        assert!(!event.set_text(Field::Outcome, "maybe"));
        assert_eq!(
            event.get(Field::SourceIp).map(|value| value.to_text().into_owned()).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(event.outcome, None);
    }

    #[test]
    fn what_no_event_may_say_is_taken_out() {
        let mut event = Event {
            reason: Some(String::new()),
            source_port: Some(65_536),
            destination_port: Some(443),
            source_bytes: Some(-1),
            ..Event::default()
        };
        event.drop_nonsense();
        assert_eq!(event, Event { destination_port: Some(443), ..Event::default() });
    }
}
