//! Ninety simulated days of a hospital under the noise of the internet: how fast the detector is, how large what it
//! remembers grows, and that a snapshot read back in the middle changes nothing. The same events in every run.
//!
//! `cargo run --release -p monban-detect --example ninety_days [EVENTS]`
#![expect(clippy::print_stdout, reason = "it prints its measurements")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use monban_detect::{Context, Detector, RuleSet, enrich};
use monban_event::{Action, Category, Event, EventId, Outcome, RecordId};

const DAYS: u64 = 90;
/// Beyond this a state is told as it grows.
const TOLD_EVERY: u64 = 15;
/// One that is read back every so many days.
const RESTORED_EVERY: u64 = 30;
/// Events of one step of the pipeline.
const STEP: u64 = 4_000;
const PEOPLE: u64 = 900;
const MACHINES: u64 = 60;
/// Of a thousand events so many come late, up to three hours.
const LATE_PERMILLE: u64 = 10;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, even, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// 198.18.0.0/15 is set aside for measuring (RFC 2544).
    fn stranger(&mut self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0xC612_0000 + u32::try_from(self.below(1 << 17)).unwrap_or(0)))
    }

    fn inside(&mut self) -> IpAddr {
        let host = self.below(2_000);
        let part = |value: u64| u8::try_from(value).unwrap_or(0);
        IpAddr::V4(Ipv4Addr::new(10, 20, part(host / 250), part(host % 250 + 1)))
    }

    fn person(&mut self) -> String {
        // Few people do much.
        let bound = self.below(PEOPLE) + 1;
        format!("shokuin{:03}", self.below(bound))
    }
}

fn windows(dice: &mut Dice, number: i64) -> Event {
    let machine = format!("SV{:02}.minato.example", dice.below(MACHINES));
    let failed = number == 4625;
    Event {
        module: Some("windows".to_owned()),
        dataset: Some("windows.security".to_owned()),
        code: Some(number.to_string()),
        category: Some(Category::Authentication),
        action: (number != 4672).then_some(Action::Login),
        outcome: Some(if failed { Outcome::Failure } else { Outcome::Success }),
        reason: failed.then(|| "0xc000006a".to_owned()),
        user_name: Some(dice.person()),
        source_ip: (number != 4672).then(|| dice.inside()),
        winlog_channel: Some("Security".to_owned()),
        winlog_computer: Some(machine.clone()),
        winlog_event_id: Some(number),
        winlog_logon_type: Some(3),
        source_id: Some(format!("host:{machine}")),
        host_name: Some(machine),
        ..Event::default()
    }
}

fn firewall(dice: &mut Dice) -> Event {
    Event {
        category: Some(Category::Network),
        outcome: Some(if dice.below(3) == 0 { Outcome::Failure } else { Outcome::Success }),
        source_ip: Some(dice.inside()),
        destination_ip: Some(dice.stranger()),
        destination_port: Some(443),
        ..device()
    }
}

fn device() -> Event {
    Event {
        module: Some("fortinet".to_owned()),
        dataset: Some("fortinet.fortigate".to_owned()),
        observer_hostname: Some("FGT-HOSP01".to_owned()),
        source_id: Some("host:FGT-HOSP01".to_owned()),
        ..Event::default()
    }
}

/// A log-in at the VPN: of people from few lines, of strangers from anywhere under names that nobody has.
fn vpn(dice: &mut Dice, stranger: bool) -> Event {
    let person = if stranger { format!("guess{}", dice.roll()) } else { dice.person() };
    let home = 0xC612_0000 + u32::try_from(person.len() as u64 * 131 + dice.below(3)).unwrap_or(0);
    Event {
        category: Some(Category::Authentication),
        action: Some(Action::Login),
        outcome: Some(if stranger { Outcome::Failure } else { Outcome::Success }),
        vpn_type: Some("ssl".to_owned()),
        vpn_session_id: (!stranger).then(|| dice.below(1 << 30).to_string()),
        vpn_assigned_ip: (!stranger).then(|| dice.inside()),
        source_ip: Some(if stranger { dice.stranger() } else { IpAddr::V4(Ipv4Addr::from(home)) }),
        user_name: Some(person),
        ..device()
    }
}

fn event(dice: &mut Dice, number: u64, events: u64) -> Event {
    let start: DateTime<Utc> = "2026-08-01T00:00:00+09:00".parse().unwrap_or_default();
    let ms = (u128::from(DAYS * 86_400_000) * u128::from(number) / u128::from(events)).try_into().unwrap_or(i64::MAX);
    let arrival = start + TimeDelta::milliseconds(ms);
    let mut event = match dice.below(100) {
        0..60 => firewall(dice),
        60..76 => windows(dice, 4624),
        76..82 => windows(dice, 4672),
        82..86 => windows(dice, 4625),
        86..90 => vpn(dice, false),
        90..96 => vpn(dice, true),
        _ => windows(dice, 4688),
    };
    let late = if dice.below(1000) < LATE_PERMILLE { dice.below(3 * 3600) } else { 0 };
    event.id = EventId::new(RecordId(number + 1), 0);
    event.event_time = Some(arrival - TimeDelta::seconds(late.cast_signed()));
    event.ingested = Some(arrival);
    event
}

/// What a run came to.
#[derive(PartialEq, Eq, Debug)]
struct Outcome90 {
    findings: u64,
    /// Of everything that was found, in order.
    digest: u64,
}

fn run(rules: &Arc<RuleSet>, events: u64, restoring: bool) -> Result<Outcome90, Box<dyn Error>> {
    let context = Arc::new(Context::default());
    let new = || Detector::new(Arc::clone(rules), Arc::clone(&context));
    let (mut detector, mut dice, mut digest) = (new(), Dice(1), DefaultHasher::new());
    let (mut findings, mut tick, started) = (0, DateTime::<Utc>::MIN_UTC, Instant::now());
    for number in 0..events {
        let mut event = event(&mut dice, number, events);
        enrich(&context, &mut event);
        let now = event.ingested.unwrap_or_default();
        if now >= tick {
            detector.tick(now);
            tick = now + TimeDelta::minutes(1);
        }
        detector.expand(&mut event);
        detector.observe(&mut event, &mut Vec::new());
        detector.witness(&event);
        if number % STEP == STEP - 1 || number == events - 1 {
            for finding in detector.take().findings {
                findings += 1;
                serde_json::to_string(&finding)?.hash(&mut digest);
            }
        }
        let is_day = |days: u64| (number + 1) % (events / DAYS * days) == 0;
        if restoring && is_day(RESTORED_EVERY) {
            let snapshot = snapshot(&detector)?;
            detector = new();
            detector.restore(&mut snapshot.as_slice())?;
        } else if !restoring && is_day(TOLD_EVERY) {
            tell(&detector, number + 1, events, findings, started)?;
        }
    }
    Ok(Outcome90 { findings, digest: digest.finish() })
}

fn snapshot(detector: &Detector) -> Result<Vec<u8>, std::io::Error> {
    let mut snapshot = Vec::new();
    detector.write_snapshot(&mut snapshot)?;
    Ok(snapshot)
}

fn tell(detector: &Detector, done: u64, events: u64, findings: u64, started: Instant) -> Result<(), std::io::Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("").trim().to_owned();
    let bytes = snapshot(detector)?.len();
    println!(
        "day {:3}: {done:9} events, {findings:7} additions to findings, state {:6.1} MB as text, {resident} resident, {:.0} events/s",
        done * DAYS / events,
        bytes as f64 / 1e6,
        done as f64 / started.elapsed().as_secs_f64(),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let events = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    let rules = Arc::new(RuleSet::hospital());
    println!("{} rules, {events} events, {DAYS} days", rules.rules().len());
    let undisturbed = run(&rules, events, false)?;
    let restored = run(&rules, events, true)?;
    println!("undisturbed {undisturbed:?}");
    println!("read back every {RESTORED_EVERY} days {restored:?}");
    if undisturbed == restored { Ok(()) } else { Err("a snapshot that was read back changed what is found".into()) }
}
