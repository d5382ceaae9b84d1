//! The samples of a rule, and their way from receipt to findings, as the program takes it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use monban_detect::{Context, ContextTexts, Detector, RuleSet, enrich};
#[cfg(test)]
use monban_event::act::ContextName;
use monban_event::act::Deed;
use monban_event::{
    Act, FilePosition, Finding, Format, Origin, Record, RecordId, RecordParser, SimulatedClock, Transport,
};
use monban_ingest::syslog::RecordMaker;
use monban_ingest::{Parsers, TextSettings};
use serde::Deserialize;
use serde_json::Value;

/// Who sends where a sample does not say.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200)), 514);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    #[error("read sample {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}:{line}")]
    Form { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("the context of a sample line: {0}")]
    Context(String),
    #[error("sample {path} is empty")]
    Empty { path: PathBuf },
}

/// A line of a sample.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(super) received_at: DateTime<Utc>,
    peer: Option<SocketAddr>,
    raw: Option<String>,
    evtx_json: Option<Value>,
    /// How often it comes; an event of Windows each time with the next number.
    times: Option<u16>,
    /// The file it stands in, where it is handed in and not received.
    file: Option<Arc<str>>,
    #[serde(default)]
    pub(super) tick: bool,
    /// What a person or the program decided.
    pub(super) act: Option<ActGiven>,
    pub(super) context: Option<ContextGiven>,
    /// Other rules that rightly speak of the sample.
    #[serde(default)]
    pub(super) also: Vec<String>,
}

impl Line {
    /// How many numbers of a journal it takes.
    pub(super) fn numbers(&self) -> u64 {
        let is_record = self.raw.is_some() || self.evtx_json.is_some();
        u64::from(self.act.is_some()) + if is_record { self.times.unwrap_or(1).into() } else { 0 }
    }

    /// What a receiver makes of it.
    pub(super) fn records(&self, maker: &RecordMaker) -> Vec<Record> {
        (0..self.times.unwrap_or(1)).filter_map(|place| self.record(maker, place)).collect()
    }

    fn record(&self, maker: &RecordMaker, place: u16) -> Option<Record> {
        let peer = self.peer.unwrap_or(PEER);
        let mut record = match (&self.evtx_json, &self.raw) {
            (Some(json), _) => {
                let bytes = numbered(json, place).to_string().into_bytes();
                maker.whole(Some(peer), Transport::Http, Format::Json, bytes)
            }
            (None, raw) => maker.datagram(peer, raw.as_ref()?.as_bytes())?,
        };
        if let Some(path) = &self.file {
            (record.origin, record.transport, record.peer) = (Origin::Import, Transport::File, None);
            let place = FilePosition { import: RecordId(0), path: Arc::clone(path), index: place.into(), hints: None };
            record.file = Some(place);
        }
        Some(record)
    }

    #[cfg(test)]
    pub(super) fn of_raw(received_at: DateTime<Utc>, raw: &str) -> Self {
        let raw = Some(raw.to_owned());
        Self {
            received_at,
            peer: None,
            raw,
            evtx_json: None,
            times: None,
            file: None,
            tick: false,
            act: None,
            context: None,
            also: Vec::new(),
        }
    }
}

/// The event with a number that is so much higher.
fn numbered(json: &Value, place: u16) -> Value {
    let mut json = json.clone();
    if let Some(number) = json.pointer_mut("/Event/System/EventRecordID") {
        *number = number.as_u64().map_or_else(|| number.clone(), |first| (first + u64::from(place)).into());
    }
    json
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActGiven {
    pub(super) by: String,
    pub(super) deed: Deed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextGiven {
    roster: Option<String>,
    allow: Option<String>,
    vendors: Option<String>,
    calendar: Option<String>,
    tickets: Option<String>,
    duty: Option<String>,
}

#[cfg(test)]
impl ContextGiven {
    /// Every file that a sample may give, and its text.
    pub(super) fn files(&self) -> [(ContextName, &str); 6] {
        [
            (ContextName::Roster, self.roster.as_deref()),
            (ContextName::Allow, self.allow.as_deref()),
            (ContextName::Vendors, self.vendors.as_deref()),
            (ContextName::Calendar, self.calendar.as_deref()),
            (ContextName::Tickets, self.tickets.as_deref()),
            (ContextName::Duty, self.duty.as_deref()),
        ]
        .map(|(name, text)| (name, text.unwrap_or_default()))
    }
}

/// The lines of a sample file.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, SampleError> {
    let text = std::fs::read_to_string(path).map_err(|source| SampleError::Read { path: path.to_owned(), source })?;
    let line = |(number, line): (usize, &str)| {
        let place = |source| SampleError::Form { path: path.to_owned(), line: number + 1, source };
        serde_json::from_str(line).map_err(place)
    };
    let lines: Vec<Line> = text.lines().enumerate().map(line).collect::<Result<_, _>>()?;
    if lines.is_empty() { Err(SampleError::Empty { path: path.to_owned() }) } else { Ok(lines) }
}

/// What each rule finds in the lines.
pub(super) fn found(rules: &Arc<RuleSet>, lines: &[Line]) -> Result<BTreeMap<String, Vec<Finding>>, SampleError> {
    let mut way = Way::new(rules);
    lines.iter().try_for_each(|line| way.take(line))?;
    let mut by_rule: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for finding in way.detector.take().findings {
        by_rule.entry(finding.rule_id.to_string()).or_default().push(finding);
    }
    Ok(by_rule)
}

struct Way {
    clock: SimulatedClock,
    maker: RecordMaker,
    parsers: Parsers,
    detector: Detector,
    next: RecordId,
}

impl Way {
    fn new(rules: &Arc<RuleSet>) -> Self {
        let clock = SimulatedClock::at(DateTime::UNIX_EPOCH);
        Self {
            maker: RecordMaker { clock: Arc::new(clock.clone()), origin: Origin::Live },
            clock,
            parsers: Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) },
            detector: Detector::new(Arc::clone(rules), Arc::new(Context::default())),
            next: RecordId(1),
        }
    }

    fn take(&mut self, line: &Line) -> Result<(), SampleError> {
        self.clock.set(line.received_at);
        if let Some(given) = &line.context {
            self.set_context(given)?;
        }
        if line.tick {
            self.detector.tick(line.received_at);
        }
        if let Some(given) = &line.act {
            let act = Act { at: line.received_at, by: given.by.clone(), deed: given.deed.clone() };
            self.detector.observe_act(self.next, &act);
            self.next = self.next.next();
        }
        for record in line.records(&self.maker) {
            let mut events = Vec::new();
            self.parsers.parse(self.next, &record, &mut events);
            self.next = self.next.next();
            for mut event in events {
                enrich(self.detector.context(), &mut event);
                let others = self.detector.expand(&mut event).unwrap_or_default();
                for mut event in std::iter::once(event).chain(others) {
                    self.detector.observe(&mut event, &mut Vec::new());
                    self.detector.witness(&event);
                }
            }
        }
        Ok(())
    }

    fn set_context(&mut self, given: &ContextGiven) -> Result<(), SampleError> {
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let texts = ContextTexts {
            roster: bytes(&given.roster),
            allow: bytes(&given.allow),
            vendors: bytes(&given.vendors),
            calendar: bytes(&given.calendar),
            tickets: bytes(&given.tickets),
            duty: bytes(&given.duty),
        };
        let (context, complaints) = Context::read(&texts);
        if !complaints.is_empty() {
            return Err(SampleError::Context(format!("{complaints:?}")));
        }
        self.detector.set_context(Arc::new(context));
        Ok(())
    }
}
