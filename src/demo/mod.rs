//! The demo hospital: a month of みなと中央病院 (invented, 200 beds) as the lines its devices would have sent, from a
//! seed. Owns who works there, what an ordinary day looks like and which incidents are planted; must never know how
//! records are parsed, kept or judged. What it gives are [`Delivery`]s in the order of their receipt, which take the
//! same way as those of real devices.
//!
//! A month is some 900,000 records, made a day at a time, so memory holds one day.

#[macro_use]
mod line;

mod background;
mod context;
mod everyday;
mod hospital;
mod incidents;
mod list;
mod moment;
mod rng;
mod windows;
mod wire;

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use monban_event::time::Month;
use monban_event::{Format, Transport};

pub(crate) use context::ContextFiles;
use hospital::{Device, FGT_HONKAN, FILE01, Framing, Hospital, KYUSHOKU01, PACS01};
pub(crate) use list::print_list;
use moment::{At, Day, SECOND};
use windows::{Log, Numbered};

/// Some bytes that reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Our clock at receipt.
    pub(crate) at: DateTime<Utc>,
    pub(crate) peer: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) format: Format,
    /// With the framing of its transport: over TCP a line feed after the message or an octet count before it.
    pub(crate) bytes: Vec<u8>,
}

/// How much of the everyday is played. The incidents are always whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// The hospital as it is: some 900,000 records a month.
    Full,
    /// About a fiftieth of the bulk, for tests.
    Small,
}

impl Scale {
    /// So many of what comes in bulk.
    fn bulk(self, count: u64) -> u64 {
        match self {
            Self::Full => count,
            Self::Small => count.div_ceil(50),
        }
    }

    /// The interval of regular signs of life: longer when small, but below the silences that count as an outage.
    fn interval(self, full: u64, small: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Small => small,
        }
    }
}

/// An incident that was put into the month, and what has to be found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planted {
    /// Day of the month.
    pub(crate) day: u32,
    /// First and last line of it.
    pub(crate) at_range: (DateTime<Utc>, DateTime<Utc>),
    pub(crate) text_ja: &'static str,
    /// Ids of the rules that have to fire.
    pub(crate) rules: Vec<&'static str>,
    /// Finds its events within `at_range`, in our own query language.
    pub(crate) query: &'static str,
}

/// A month of the demo hospital.
#[derive(Clone, Debug)]
pub(crate) struct Demo {
    world: World,
    /// The incidents' lines, by receipt.
    incidents: Vec<Item>,
    planted: Vec<Planted>,
}

/// What everything is made from.
#[derive(Clone, Debug)]
struct World {
    month: Month,
    seed: u64,
    scale: Scale,
    hospital: Hospital,
    days: Vec<Day>,
}

impl World {
    /// A day of the month; every month has the 28 that the incidents need.
    fn day(&self, number: usize) -> Day {
        self.days.get(number - 1).copied().expect("every month has 28 days")
    }
}

impl Demo {
    pub(crate) fn new(month: Month, seed: u64, scale: Scale) -> Self {
        let world = World { month, seed, scale, hospital: Hospital::new(), days: moment::days(month) };
        let (incidents, planted) = incidents::plant(&world);
        Self { world, incidents, planted }
    }

    /// Everything that reaches the receivers in the month, in the order of receipt.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = Delivery> {
        let numbers = [[FIRST_RECORD_NUMBER; Log::ALL.len()]; hospital::WINDOWS.len()];
        Deliveries { demo: self, next_day: 0, today: Vec::new().into_iter(), carried: Vec::new(), numbers }
    }

    pub(crate) fn planted(&self) -> &[Planted] {
        &self.planted
    }

    /// The files an administrator of this hospital would have given.
    pub(crate) fn context_files(&self) -> ContextFiles {
        context::files(&self.world)
    }
}

/// Event logs did not begin with the month.
const FIRST_RECORD_NUMBER: u64 = 184_001;

/// A line on its way, before it is known whether and in which order it arrives.
#[derive(Clone, Debug)]
struct Item {
    /// Receipt.
    at: At,
    device: &'static Device,
    bytes: Vec<u8>,
    /// The log whose next record number completes the bytes.
    log: Option<Log>,
}

/// Gathers the lines of a day. Drops those of a device that is down, so that the everyday need not ask.
struct Out {
    items: Vec<Item>,
    outages: [Outage; 4],
}

/// A device sends nothing between these moments.
#[derive(Clone, Copy, Debug)]
struct Outage {
    device: &'static str,
    from: At,
    to: At,
}

impl Out {
    fn new(world: &World, items: Vec<Item>) -> Self {
        let (from, to) = power_cut(world);
        let cut = |device| Outage { device, from, to };
        let (down, up) = firmware_update(world);
        let update = Outage { device: FGT_HONKAN.name, from: down, to: up };
        Self { items, outages: [cut(PACS01.name), cut(FILE01.name), cut(hospital::BK01.name), update] }
    }

    /// A line that says `at`, or is about it.
    fn syslog(&mut self, device: &'static Device, at: At, bytes: Vec<u8>) {
        if !self.is_down(device, at) {
            self.items.push(Item { at: device.receipt(at), device, bytes, log: None });
        }
    }

    fn windows(&mut self, event: Numbered) {
        let Numbered { device, log, at, bytes } = event;
        self.items.push(Item { at: device.receipt(at), device, bytes, log: Some(log) });
    }

    fn is_down(&self, device: &Device, at: At) -> bool {
        let covers = |outage: &Outage| outage.device == device.name && (outage.from..outage.to).contains(&at);
        self.outages.iter().any(covers)
    }
}

/// 放射線部門 without power, from the 14th, 22:10, to the 15th, 08:35.
fn power_cut(world: &World) -> (At, At) {
    (world.day(14).at(22, 10, 0), world.day(15).at(8, 35, 0))
}

/// The `FortiGate` of the main building restarts with a new firmware on the 20th.
fn firmware_update(world: &World) -> (At, At) {
    (world.day(20).at(5, 30, 20), world.day(20).at(5, 34, 10))
}

struct Deliveries<'a> {
    demo: &'a Demo,
    next_day: usize,
    today: std::vec::IntoIter<Delivery>,
    /// Lines of sessions that end after midnight.
    carried: Vec<Item>,
    /// The next record number of each log of each Windows server.
    numbers: [[u64; Log::ALL.len()]; hospital::WINDOWS.len()],
}

impl Iterator for Deliveries<'_> {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.today.next() {
                return Some(delivery);
            }
            let day = *self.demo.world.days.get(self.next_day)?;
            self.next_day += 1;
            self.today = self.play(&day).into_iter();
        }
    }
}

impl Deliveries<'_> {
    fn play(&mut self, day: &Day) -> Vec<Delivery> {
        let world = &self.demo.world;
        let mut out = Out::new(world, std::mem::take(&mut self.carried));
        background::play(world, day, &mut out);
        everyday::play(world, day, &mut out);
        let (start, end) = (day.start, day.at(24, 0, 0));
        out.items.extend(self.demo.incidents.iter().filter(|item| (start..end).contains(&item.at)).cloned());
        out.items.sort_by_key(|item| item.at);
        let tomorrow = out.items.partition_point(|item| item.at < end);
        self.carried = out.items.split_off(tomorrow);
        let mut deliveries: Vec<Delivery> = out.items.into_iter().map(|item| self.deliver(item)).collect();
        if day.number == TWICE_DAY {
            deliver_twice(day, &mut deliveries);
        }
        deliveries
    }

    fn deliver(&mut self, item: Item) -> Delivery {
        let Item { at, device, mut bytes, log } = item;
        if let Some(log) = log {
            windows::finish(&mut bytes, self.record_number(device, log));
        }
        match device.framing {
            Framing::Whole => {}
            Framing::Line => bytes.push(b'\n'),
            Framing::Counted => bytes = [format!("{} ", bytes.len()).into_bytes(), bytes].concat(),
        }
        let format = if log.is_some() { Format::Json } else { Format::Syslog };
        Delivery { at: at.utc(), peer: device.peer(), transport: device.transport, format, bytes }
    }

    fn record_number(&mut self, device: &Device, log: Log) -> u64 {
        let machine = hospital::WINDOWS.iter().position(|known| known == device);
        let place = Log::ALL.iter().position(|known| *known == log);
        let next = machine.zip(place).and_then(|(machine, place)| self.numbers.get_mut(machine)?.get_mut(place));
        next.map_or(0, |next| {
            *next += 1;
            *next
        })
    }
}

/// The day on which the 給食 server's log is handed in a second time.
const TWICE_DAY: u64 = 13;

/// What the 給食 server sent before noon comes once more in the evening: somebody ran the export twice.
fn deliver_twice(day: &Day, deliveries: &mut Vec<Delivery>) {
    let (noon, evening) = (day.at(12, 0, 0).utc(), day.at(18, 5, 0));
    let again = |delivery: &&Delivery| {
        delivery.peer == KYUSHOKU01.peer() && delivery.format == Format::Json && delivery.at < noon
    };
    let again: Vec<Delivery> = deliveries.iter().filter(again).cloned().collect();
    let late =
        |(place, delivery): (u64, Delivery)| Delivery { at: evening.plus(place * SECOND / 100).utc(), ..delivery };
    deliveries.extend((0..).zip(again).map(late));
    deliveries.sort_by_key(|delivery| delivery.at);
}

#[cfg(test)]
mod tests;
