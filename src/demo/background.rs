//! What runs by itself, day and night: traffic through firewalls, signs of life, nightly jobs, and the noise of the
//! internet. By far the most lines, and none of them a person's doing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::hospital::{
    ASA_PACS, AV01, BK01, DC01, DC02, DOMAIN, Device, EMR01, FGT_HONKAN, FGT_KENSHIN, FILE01, IJI01, KYUSHOKU_APP,
    KYUSHOKU01, PACS01, RTX_REHA, SCANNER,
};
use super::line::{Part, Two};
use super::moment::{At, DAY, Day, DayKind, HOUR, MINUTE, SECOND};
use super::rng::Rng;
use super::windows::{self, Logon};
use super::wire::{self, Dial, Flow, RTX_INFO};
use super::{Out, World};

/// How busy each hour of the day is.
const BUSY: [u64; 24] = [2, 2, 2, 2, 2, 3, 4, 7, 14, 18, 18, 17, 12, 15, 16, 16, 15, 11, 7, 5, 4, 3, 3, 2];

pub(super) fn play(world: &World, day: &Day, out: &mut Out) {
    let mut player = Player { world, day, rng: Rng::new(world.seed, day.number, 1), out };
    player.firewalls();
    player.rehabilitation_router();
    player.imaging_line();
    player.signs_of_life();
    player.domain_machines();
    player.internet_noise();
    player.nightly_backup();
    player.virus_patterns();
    player.kitchen();
    if day.weekday == 6 {
        player.vulnerability_scan();
    }
}

/// A moment of the day, by how busy its hours are.
pub(super) fn busy_moment(rng: &mut Rng, day: &Day) -> At {
    let mut ticket = rng.below(BUSY.iter().sum());
    let mut hour = 0;
    for weight in BUSY {
        if ticket < weight {
            break;
        }
        ticket -= weight;
        hour += 1;
    }
    day.start.plus(hour * HOUR + rng.below(HOUR))
}

struct Player<'a> {
    world: &'a World,
    day: &'a Day,
    rng: Rng,
    out: &'a mut Out,
}

impl Player<'_> {
    /// So many of a weekday's bulk as this day has.
    fn share(&self, weekday_count: u64) -> u64 {
        let per_mille = match self.day.kind {
            DayKind::Weekday => 1000,
            DayKind::Saturday => 600,
            DayKind::Closed => 350,
        };
        self.world.scale.bulk(weekday_count * per_mille / 1000)
    }

    /// Moments of a regular sign: `full` apart, or `small` in the small demo, with some seconds of play.
    fn every(&mut self, full: u64, small: u64) -> Vec<At> {
        let step = self.world.scale.interval(full, small);
        let first = self.rng.below(step / 4);
        let start = self.day.start;
        (0..DAY / step).map(|turn| start.plus(first + turn * step + self.rng.below(5 * SECOND))).collect()
    }

    fn flow(&mut self, from_net: u8, service: (&'static str, u64)) -> Flow<'static> {
        let inside = |rng: &mut Rng| u8::try_from(rng.between(10, 240)).unwrap_or(10);
        let outside = u8::try_from(self.rng.between(60, 120)).unwrap_or(80);
        Flow {
            from: Ipv4Addr::new(10, 20, from_net, inside(&mut self.rng)),
            from_port: self.rng.between(49_152, 65_000),
            to: IpAddr::V4(Ipv4Addr::new(198, 51, 100, outside)),
            to_port: service.1,
            service: service.0,
            session: self.rng.between(100_000, 9_999_999),
            seconds: self.rng.between(1, 190),
            bytes: self.rng.between(600, 90_000),
        }
    }

    fn firewalls(&mut self) {
        const SERVICES: [(&str, u64); 5] =
            [("HTTPS", 443), ("HTTPS", 443), ("HTTPS", 443), ("HTTP", 80), ("SMTPS", 465)];
        for (device, net, count) in [(&FGT_HONKAN, 16, 5000), (&FGT_KENSHIN, 30, 1900)] {
            for _ in 0..self.share(count) {
                let at = busy_moment(&mut self.rng, self.day);
                let service = *self.rng.pick(&SERVICES);
                let flow = self.flow(net, service);
                self.out.syslog(device, at, wire::traffic(device, at, &flow));
            }
            for at in self.every(5 * MINUTE, 20 * MINUTE) {
                let (cpu, sessions) = (self.rng.between(1, 14), self.rng.between(180, 2400));
                self.out.syslog(device, at, wire::performance(device, at, cpu, sessions));
            }
        }
        for at in self.every(10 * MINUTE, 30 * MINUTE) {
            let bytes = self.rng.between(40_000, 9_000_000);
            let line = wire::ipsec_statistics(&FGT_HONKAN, at, Ipv4Addr::new(203, 0, 113, 130), "to-KENSHIN", bytes);
            self.out.syslog(&FGT_HONKAN, at, line);
        }
    }

    /// INSPECT and filter lines are the bulk of a Yamaha router; repeats it folds itself.
    fn rehabilitation_router(&mut self) {
        for _ in 0..self.share(7_900) {
            let at = busy_moment(&mut self.rng, self.day);
            let flow = self.flow(40, ("", 443));
            self.out.syslog(&RTX_REHA, at, wire::rtx_inspect(at, &flow));
        }
        for _ in 0..self.world.scale.bulk(4000) {
            let at = self.day.start.plus(self.rng.below(DAY));
            self.rejected(at);
        }
        for _ in 0..self.world.scale.bulk(40) {
            let at = self.day.start.plus(self.rng.below(DAY));
            self.rejected(at);
            let times = self.rng.between(2, 60);
            let after = at.plus(10 * SECOND);
            let line = wire::rtx(RTX_INFO, &[&"same message repeated ", &times, &" times"]);
            self.out.syslog(&RTX_REHA, after, line);
        }
        for at in self.every(5 * MINUTE, 20 * MINUTE) {
            let host = self.rng.between(20, 90);
            let mac = Two(self.rng.below(100));
            let line = wire::rtx(
                RTX_INFO,
                &[&"[DHCPD] LAN1(port1) Allocates 10.20.40.", &host, &": 00:a0:de:5e:", &mac, &":01"],
            );
            self.out.syslog(&RTX_REHA, at, line);
        }
    }

    fn rejected(&mut self, at: At) {
        let from = Ipv4Addr::new(192, 0, 2, u8::try_from(self.rng.between(100, 250)).unwrap_or(100));
        let (from_port, to_port) = (self.rng.between(1024, 65_000), *self.rng.pick(&[22, 23, 445, 3389, 8080, 5060]));
        self.out.syslog(&RTX_REHA, at, wire::rtx_rejected(from, from_port, to_port));
    }

    fn imaging_line(&mut self) {
        for _ in 0..self.share(1500) {
            let at = busy_moment(&mut self.rng, self.day);
            let mut flow = self.flow(1, ("", 11_112));
            flow.from = PACS01.ip;
            self.out.syslog(&ASA_PACS, at, wire::asa_built(at, &flow));
            let end = at.plus(flow.seconds * SECOND);
            self.out.syslog(&ASA_PACS, end, wire::asa_teardown(end, &flow));
        }
        for at in self.every(10 * MINUTE, 20 * MINUTE) {
            let mut flow = self.flow(1, ("", 123));
            flow.from = PACS01.ip;
            self.out.syslog(&ASA_PACS, at, wire::asa_built(at, &flow));
        }
    }

    fn signs_of_life(&mut self) {
        for hour in 0..24 {
            let at = self.day.at(hour, 17, 1);
            let shown = shown_by_pacs(self.day, at);
            let job: &[&dyn Part] =
                &[&"CRON[", &self.rng.between(900, 32_000), &"]: (root) CMD (run-parts /etc/cron.hourly)"];
            self.out.syslog(&PACS01, at, wire::bsd(&PACS01, shown, 78, job));
            self.out.syslog(&BK01, at, wire::bsd(&BK01, at, 78, job));
            let at = at.plus(90 * SECOND);
            self.out.syslog(&FILE01, at, wire::bsd(&FILE01, at, 14, &[&"System: Volume 1 is normal."]));
            let beat = wire::cef(&AV01, at, ("SERVER_ALIVE", "Server status", 1), &[&"act=Heartbeat outcome=success"]);
            self.out.syslog(&AV01, at, beat);
            self.service_logon(&EMR01, "svc_av", at.plus(7 * SECOND));
            self.service_logon(&IJI01, "svc_av", at.plus(9 * SECOND));
        }
        for hour in [1, 5, 9, 13, 17, 21] {
            let at = self.day.at(hour, 40, 12);
            self.out.windows(windows::service_state(&KYUSHOKU01, at, "Windows Time"));
        }
    }

    fn service_logon(&mut self, device: &'static Device, user: &str, at: At) {
        let account = self.world.hospital.person(user);
        let id = self.rng.between(0x10_0000, 0xffff_ffff);
        let from = if user == "svc_backup" { BK01.ip } else { AV01.ip };
        let logon = Logon { user, domain: DOMAIN, rid: 1100 + account.number, kind: 3, from, workstation: "-", id };
        self.out.windows(windows::logon(device, at, &logon));
        self.out.windows(windows::logoff(device, at.plus(4 * SECOND), &logon));
    }

    /// The servers' own accounts keep asking the domain controllers.
    fn domain_machines(&mut self) {
        const MACHINES: [(&str, &Device); 3] = [("EMR01$", &EMR01), ("IJI01$", &IJI01), ("FILE01$", &FILE01)];
        for dc in [&DC01, &DC02] {
            for at in self.every(3 * MINUTE, 12 * MINUTE) {
                let (user, machine) = *self.rng.pick(&MACHINES);
                let id = self.rng.between(0x10_0000, 0xffff_ffff);
                let logon = Logon { user, domain: DOMAIN, rid: 1009, kind: 3, from: machine.ip, workstation: "-", id };
                self.out.windows(windows::logon(dc, at, &logon));
                self.out.windows(windows::logoff(dc, at.plus(12 * SECOND), &logon));
            }
        }
    }

    /// Strangers try names that do not exist, a few each, from sixty countries.
    fn internet_noise(&mut self) {
        for _ in 0..self.world.scale.bulk(645) {
            let at = self.day.start.plus(self.rng.below(DAY));
            let (from, country) = self.stranger();
            let user = self.unknown_name();
            let dial = Dial { user: &user, group: "N/A", from, country, tunnel_id: 0, assigned: Ipv4Addr::UNSPECIFIED };
            self.out.syslog(&FGT_HONKAN, at, wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_unknown_user"));
        }
    }

    fn stranger(&mut self) -> (IpAddr, &'static str) {
        let place = self.rng.below(COUNTRIES.len() as u64);
        let country = usize::try_from(place).ok().and_then(|place| COUNTRIES.get(place)).copied().unwrap_or("Reserved");
        if self.rng.per_mille(250) {
            // Each country has its own few addresses of 192.0.2.128–247.
            let last = u8::try_from(128 + 2 * place + self.rng.below(2)).unwrap_or(250);
            return (IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), country);
        }
        let net = u16::try_from(0x100 + place).unwrap_or(0x100);
        let host = u16::try_from(self.rng.between(1, 4000)).unwrap_or(1);
        (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host)), country)
    }

    fn unknown_name(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "vpnuser", "sslvpn", "remote", "office", "info", "sales", "scan", "backup", "support", "temp", "john",
            "michael",
        ];
        format!("{}{}", self.rng.pick(&WORDS), self.rng.below(40))
    }

    fn nightly_backup(&mut self) {
        let start = self.day.at(1, 0, self.rng.below(30));
        if self.out.is_down(&BK01, start) {
            return;
        }
        for (place, server) in (1_u64..).zip([&DC01, &DC02, &EMR01, &IJI01]) {
            let at = start.plus(place * 11 * MINUTE);
            self.service_logon(server, "svc_backup", at);
            let gigabytes = self.rng.between(18, 140);
            let text: &[&dyn Part] =
                &[&"backup[2201]: job=nightly host=", &server.name, &" result=ok size_gb=", &gigabytes];
            let end = at.plus(9 * MINUTE);
            self.out.syslog(&BK01, end, wire::bsd(&BK01, end, 30, text));
        }
    }

    fn virus_patterns(&mut self) {
        for _ in 0..self.world.scale.bulk(250) {
            let at = self.day.at(6, 0, 0).plus(self.rng.below(40 * MINUTE));
            let pc = self.rng.between(1, 300);
            let version = 19_100 + self.day.number;
            let extension: &[&dyn Part] = &[
                &"shost=PC-",
                &Two(pc / 100),
                &Two(pc % 100),
                &" cs1Label=Pattern cs1=",
                &version,
                &" act=Updated outcome=success",
            ];
            let line = wire::cef(&AV01, at, ("PATTERN_UPDATE", "Pattern updated", 1), extension);
            self.out.syslog(&AV01, at, line);
        }
    }

    /// The kitchen's program writes the old Japanese encoding.
    fn kitchen(&mut self) {
        for hour in [5, 10, 15] {
            let at = self.day.at(hour, 30, self.rng.below(50));
            let meals = self.rng.between(150, 190);
            self.out.syslog(&KYUSHOKU_APP, at, wire::menu_sent(&KYUSHOKU_APP, at, meals));
            let at = at.plus(40 * SECOND);
            self.out.syslog(&KYUSHOKU_APP, at, wire::allergies_received(&KYUSHOKU_APP, at));
        }
    }

    fn vulnerability_scan(&mut self) {
        for server in [&PACS01, &BK01] {
            for _ in 0..self.world.scale.bulk(100) {
                let at = self.day.at(10, 0, 0).plus(self.rng.below(2 * HOUR));
                let (pid, port) = (self.rng.between(900, 32_000), self.rng.between(20_000, 60_000));
                let text: &[&dyn Part] =
                    &[&"sshd[", &pid, &"]: Connection closed by ", &SCANNER, &" port ", &port, &" [preauth]"];
                self.out.syslog(server, at, wire::bsd(server, at, 86, text));
            }
        }
    }
}

/// On the 8th and 9th the imaging server has lost its zone and writes UTC, nine hours behind.
pub(super) fn shown_by_pacs(day: &Day, at: At) -> At {
    if (8..=9).contains(&day.number) { at.minus(9 * HOUR) } else { at }
}

/// As a firewall names them.
const COUNTRIES: [&str; 60] = [
    "Argentina",
    "Armenia",
    "Australia",
    "Austria",
    "Azerbaijan",
    "Bangladesh",
    "Belarus",
    "Belgium",
    "Bolivia",
    "Brazil",
    "Bulgaria",
    "Cambodia",
    "Canada",
    "Chile",
    "China",
    "Colombia",
    "Croatia",
    "Czech Republic",
    "Denmark",
    "Ecuador",
    "Egypt",
    "Estonia",
    "Finland",
    "France",
    "Georgia",
    "Germany",
    "Greece",
    "Hong Kong",
    "Hungary",
    "India",
    "Indonesia",
    "Iran",
    "Ireland",
    "Israel",
    "Italy",
    "Kazakhstan",
    "Kenya",
    "Korea, Republic of",
    "Latvia",
    "Lithuania",
    "Malaysia",
    "Mexico",
    "Moldova",
    "Netherlands",
    "Nigeria",
    "Norway",
    "Pakistan",
    "Peru",
    "Poland",
    "Romania",
    "Russian Federation",
    "Serbia",
    "Singapore",
    "South Africa",
    "Spain",
    "Sweden",
    "Thailand",
    "Turkey",
    "Ukraine",
    "Viet Nam",
];
