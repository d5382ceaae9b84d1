//! Lines per second of one core, per format: `cargo run --release --example speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use monban_event::{Format, Origin, Record, RecordId, Transport};
use monban_ingest::{TextSettings, parse_syslog};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Long enough that the clock's grain and the first, cold lines do not show.
const RUN: Duration = Duration::from_secs(2);

const SAMPLES: [(&str, &str); 7] = [
    (
        "fortigate traffic",
        concat!(
            r#"<189>date=2026-03-03 time=09:00:00 devname="FGT-HOSP01" devid="FGT60FTK20000001" "#,
            r#"eventtime=1772496000000000001 tz="+0900" logid="0000000013" type="traffic" subtype="forward" "#,
            r#"level="notice" vd="root" srcip=192.0.2.17 srcport=51514 srcintf="lan" srcintfrole="lan" "#,
            r#"dstip=198.51.100.80 dstport=443 dstintf="wan1" dstintfrole="wan" srccountry="Reserved" "#,
            r#"dstcountry="Japan" sessionid=4001900 proto=6 action="close" policyid=18 policytype="policy" "#,
            r#"service="HTTPS" trandisp="snat" transip=203.0.113.2 transport=51514 duration=6 sentbyte=1500 "#,
            r#"rcvdbyte=5200 sentpkt=12 rcvdpkt=11 appcat="unscanned""#,
        ),
    ),
    (
        "fortigate ssl-vpn",
        concat!(
            r#"<190>date=2026-03-03 time=02:14:08 devname="FGT-HOSP01" devid="FGT60FTK20000001" "#,
            r#"eventtime=1772471648000000001 tz="+0900" logid="0101039947" type="event" subtype="vpn" "#,
            r#"level="information" vd="root" logdesc="SSL VPN tunnel up" action="tunnel-up" "#,
            r#"tunneltype="ssl-tunnel" tunnelid=307687111 remip=203.0.113.45 tunnelip=10.212.134.200 "#,
            r#"user="vendor01" group="SSLVPN_MAINT" dst_host="N/A" reason="N/A" msg="SSL tunnel established""#,
        ),
    ),
    ("yamaha filter", "<133>PP[01] Rejected at IN(200032) filter: TCP 203.0.113.99:54321 > 198.51.100.7:3389"),
    (
        "cisco asa",
        "<166>Mar 03 2026 02:14:05 asa1 : %ASA-6-302013: Built inbound TCP connection 18002 for outside:203.0.113.9/40454 \
         (203.0.113.9/40454) to dmz:192.0.2.7/443 (192.0.2.7/443)",
    ),
    (
        "sshd",
        "<38>Mar  3 09:00:00 db01 sshd[2477]: Failed password for invalid user sato from 192.0.2.9 port 5022 ssh2",
    ),
    (
        "windows json",
        concat!(
            r#"<13>Mar  3 09:00:00 dc01 {"EventTime":"2026-03-03 09:00:00","Hostname":"dc01.hospital.example","#,
            r#""EventID":4625,"Channel":"Security","SourceName":"Microsoft-Windows-Security-Auditing","#,
            r#""SubjectUserSid":"S-1-0-0","SubjectUserName":"-","TargetUserName":"sato","TargetDomainName":"HOSP","#,
            r#""Status":"0xc000006d","SubStatus":"0xc000006a","LogonType":3,"WorkstationName":"PC-017","#,
            r#""IpAddress":"192.0.2.17","IpPort":"50022","LogonProcessName":"NtLmSsp","#,
            r#""AuthenticationPackageName":"NTLM"}"#,
        ),
    ),
    (
        "unknown",
        "<30>Mar  3 09:00:00 printer03 spoold[311]: queue 4 is empty again after 118 pages, next check in 30 minutes",
    ),
];

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() {
    for (name, line) in SAMPLES {
        println!("{name:20} {:>9.0} lines/s", lines_per_second(line));
    }
}

fn lines_per_second(line: &str) -> f64 {
    let record = Record {
        received_at: chrono::DateTime::from_timestamp(1_772_496_000, 0).unwrap_or_default(),
        origin: Origin::Live,
        transport: Transport::Udp,
        peer: Some(([192, 0, 2, 1], 514).into()),
        identity: None,
        format: Format::Syslog,
        file: None,
        bytes: line.as_bytes().to_vec(),
        cut: false,
    };
    let settings = TextSettings::default();
    let start = Instant::now();
    let mut lines = 0_u32;
    while start.elapsed() < RUN {
        for _ in 0..1_000 {
            black_box(parse_syslog(RecordId(1), black_box(&record), &settings));
        }
        lines += 1_000;
    }
    f64::from(lines) / start.elapsed().as_secs_f64()
}
