//! The lines that are sent: a `FortiGate`'s, one week of them, 2,000 users, 50,000 addresses, half in RFC 3164 and half
//! in RFC 5424, octet counted (RFC 6587 §3.4.1). The same lines in every run.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};

pub(super) const DAYS: u64 = 7;
const FIRST_DAY: u64 = 5;
/// 2026-10-05T00:00:00+09:00.
const FIRST_SECOND: u64 = 1_791_126_000;
const USERS: f64 = 2000.0;
const ADDRESSES: u64 = 50_000;
/// 198.18.0.0/15 is set aside for measuring (RFC 2544) and holds more addresses than are used here.
const FIRST_ADDRESS: u32 = 0xC612_0000;
/// The rare word stands in one line of this many.
const RARE: u64 = 50_000;
pub(super) const RARE_WORD: &str = "kakapo";

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
}

/// Writes `count` frames; gives the bytes of the lines alone.
pub(super) fn write(path: &Path, count: u64) -> Result<u64> {
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    let (mut out, mut dice, mut bytes) = (BufWriter::with_capacity(1 << 20, file), Dice(1), 0);
    for number in 0..count {
        let line = line(&mut dice, number, count);
        bytes += line.len() as u64;
        write!(out, "{} {line}", line.len())?;
    }
    out.flush().with_context(|| format!("write {}", path.display()))?;
    Ok(bytes)
}

/// The same lines as a file that somebody kept.
pub(super) fn write_lines(path: &Path, count: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    let (mut out, mut dice) = (BufWriter::with_capacity(1 << 20, file), Dice(1));
    for number in 0..count {
        writeln!(out, "{}", line(&mut dice, number, count))?;
    }
    out.flush().with_context(|| format!("write {}", path.display()))
}

fn line(dice: &mut Dice, number: u64, count: u64) -> String {
    let second = number * DAYS * 86_400 / count;
    let (day, clock) = (FIRST_DAY + second / 86_400, second % 86_400);
    let time = format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
    let header = if number.is_multiple_of(2) {
        format!("<134>Oct {day:>2} {time} fw01 ")
    } else {
        format!("<134>1 2026-10-{day:02}T{time}+09:00 fw01 - - - - ")
    };
    let nanoseconds = (FIRST_SECOND + second) * 1_000_000_000 + dice.below(1_000_000_000);
    let mut line = format!(
        "{header}date=2026-10-{day:02} time={time} devname=\"fw01\" devid=\"FGT60F0000000001\" \
         eventtime={nanoseconds} tz=\"+0900\" "
    );
    let body = match dice.below(100) {
        0..=4 => tunnel(dice, "0101039424", "tunnel-up", "SSL VPN tunnel up", "SSL tunnel established"),
        5..=9 => tunnel(dice, "0101039425", "tunnel-down", "SSL VPN tunnel down", "SSL tunnel shutdown"),
        10..=12 => tunnel(dice, "0101039426", "ssl-login-fail", "SSL VPN login fail", "SSL user failed to logged in"),
        _ => traffic(dice),
    };
    line.push_str(&body);
    if number % RARE == RARE / 2 {
        // Into the message, which stands last and ends with its quote.
        line.pop();
        write!(line, " {RARE_WORD}\"").expect("a string takes text");
    }
    line
}

/// Few users are busy and most are rarely seen.
fn user(dice: &mut Dice) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of 2,000"
    )]
    let index = ((dice.below(1 << 20) as f64 / f64::from(1 << 20)).powi(2) * USERS) as u32;
    format!("user{index:04}")
}

fn address(dice: &mut Dice) -> Ipv4Addr {
    let index = u32::try_from(dice.below(ADDRESSES)).unwrap_or_default();
    Ipv4Addr::from_bits(FIRST_ADDRESS + index)
}

fn tunnel(dice: &mut Dice, logid: &str, action: &str, title: &str, message: &str) -> String {
    format!(
        "logid=\"{logid}\" type=\"event\" subtype=\"vpn\" level=\"information\" vd=\"root\" logdesc=\"{title}\" \
         action=\"{action}\" tunneltype=\"ssl-tunnel\" tunnelid={} remip={} srccountry=\"Japan\" tunnelip=10.212.134.{} \
         user=\"{}\" group=\"vpn-staff\" dst_host=\"N/A\" nextstat=600 duration={} sentbyte={} rcvdbyte={} \
         fctuid=\"00000000000000000000000000000000\" policyname=\"remote-work-to-inside\" reason=\"N/A\" msg=\"{message}\"",
        dice.below(1 << 31),
        address(dice),
        dice.below(200) + 10,
        user(dice),
        dice.below(30_000),
        dice.below(5_000_000),
        dice.below(50_000_000),
    )
}

fn traffic(dice: &mut Dice) -> String {
    format!(
        "logid=\"0000000013\" type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip={} srcport={} \
         srcintf=\"ssl.root\" srcintfrole=\"undefined\" dstip=10.20.{}.{} dstport=443 dstintf=\"internal\" \
         dstintfrole=\"lan\" sessionid={} proto=6 action=\"close\" policyid={} policytype=\"policy\" service=\"HTTPS\" \
         user=\"{}\" group=\"vpn-staff\" trandisp=\"noop\" duration={} sentbyte={} rcvdbyte={} sentpkt={} rcvdpkt={} \
         crscore=5 msg=\"session closed by client\"",
        address(dice),
        dice.below(64_000) + 1024,
        dice.below(16),
        dice.below(250) + 1,
        dice.below(1 << 31),
        dice.below(40) + 1,
        user(dice),
        dice.below(3600),
        dice.below(5_000_000),
        dice.below(50_000_000),
        dice.below(4000),
        dice.below(40_000),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn frames_carry_their_length_and_the_lines_are_as_long_as_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("traffic");
        let bytes = write(&path, 1000).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let (mut rest, mut lines) = (text.as_str(), 0);
        while let Some((length, behind)) = rest.split_once(' ') {
            let line = behind.get(..length.parse().unwrap()).unwrap();
            assert!(line.starts_with("<134>"), "{line}");
            rest = behind.get(line.len()..).unwrap();
            lines += 1;
        }
        assert_eq!((lines, rest), (1000, ""));
        let mean = bytes / lines;
        assert!((610..=624).contains(&mean), "{mean} bytes a line");
    }

    #[test]
    fn the_week_is_seven_days_and_the_rare_word_is_rare() {
        let mut dice = Dice(1);
        let lines: Vec<String> = (0..RARE).map(|number| line(&mut dice, number, RARE)).collect();
        assert!(lines[0].contains("date=2026-10-05 time=00:00:00"));
        assert!(lines.last().unwrap().contains("date=2026-10-11 time=23:59:"));
        assert_eq!(lines.iter().filter(|line| line.contains(RARE_WORD)).count(), 1);
    }
}
