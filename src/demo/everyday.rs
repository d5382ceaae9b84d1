//! What people do on an ordinary day: come to work, mistype passwords, open files, connect from home. Busy mornings,
//! quiet nights. Nobody here does anything that needs a person's judgement, except the few mistakes named as such.

use std::net::{IpAddr, Ipv4Addr};

use super::background::shown_by_pacs;
use super::hospital::{
    ADMIN_PC, ASA_PACS, DC01, DC02, DOMAIN, Device, EMR01, FGT_HONKAN, FILE01, IJI01, Job, KYUSHOKU01, PACS01, Person,
    RTX_REHA,
};
use super::line::Part;
use super::moment::{At, Day, DayKind, MINUTE, SECOND};
use super::rng::Rng;
use super::windows::{self, Logon};
use super::wire::{self, Dial, RTX_INFO};
use super::{Out, Scale, World};

pub(super) fn play(world: &World, day: &Day, out: &mut Out) {
    let mut player = Player { world, day, rng: Rng::new(world.seed, day.number, 2), out };
    for person in &world.hospital.people {
        if person.works_on(day.number) && player.is_played(person) {
            player.person(person);
        }
    }
    player.duty_doctor();
    player.vendors();
    player.named_mistakes();
}

/// Hours of work, from midnight in minutes; the end may lie beyond midnight.
#[derive(Clone, Copy)]
struct Shift {
    from: u64,
    to: u64,
}

const DAY_SHIFT: Shift = Shift { from: 8 * 60 + 30, to: 17 * 60 + 30 };
const EVENING_SHIFT: Shift = Shift { from: 16 * 60 + 30, to: 24 * 60 + 30 };
const NIGHT_SHIFT: Shift = Shift { from: 5, to: 8 * 60 + 45 };
const SATURDAY_SHIFT: Shift = Shift { from: 8 * 60 + 30, to: 12 * 60 + 30 };

struct Player<'a> {
    world: &'a World,
    day: &'a Day,
    rng: Rng,
    out: &'a mut Out,
}

impl Player<'_> {
    /// In the small demo everyone comes on every twentieth day only.
    fn is_played(&self, person: &Person) -> bool {
        self.world.scale == Scale::Full || (person.number + self.day.number).is_multiple_of(20)
    }

    fn person(&mut self, person: &Person) {
        match person.job {
            Job::Kiosk => self.kiosk(person),
            Job::Service => self.service(person),
            Job::DutyShared => {}
            _ => {
                if let Some(shift) = self.shift(person) {
                    self.work(person, shift);
                }
                self.connect_from_home(person);
            }
        }
    }

    fn shift(&mut self, person: &Person) -> Option<Shift> {
        let turn = person.number + self.day.number;
        match (person.job, self.day.kind) {
            (Job::Nurse, _) => match turn % 7 {
                0..=3 => Some(DAY_SHIFT),
                4 => Some(EVENING_SHIFT),
                5 => Some(NIGHT_SHIFT),
                _ => None,
            },
            (Job::Doctor | Job::Technician | Job::Pharmacist, DayKind::Closed) => {
                turn.is_multiple_of(8).then_some(DAY_SHIFT)
            }
            (_, DayKind::Closed) | (Job::VisitingDoctor | Job::Admin | Job::Therapist, DayKind::Saturday) => None,
            (_, DayKind::Saturday) => turn.is_multiple_of(2).then_some(SATURDAY_SHIFT),
            (Job::VisitingDoctor, DayKind::Weekday) => (turn % 5 < 2).then_some(DAY_SHIFT),
            (_, DayKind::Weekday) => (!self.rng.per_mille(80)).then_some(DAY_SHIFT),
        }
    }

    /// A moment of the day by minutes after midnight, with seconds of chance.
    fn minute(&mut self, minute: u64) -> At {
        self.day.start.plus(minute * MINUTE + self.rng.below(MINUTE))
    }

    fn logon<'a>(&mut self, person: &'a Person, kind: u64, from: Ipv4Addr) -> Logon<'a> {
        let id = self.rng.between(0x10_0000, 0xffff_ffff);
        let rid = 1100 + person.number;
        Logon { user: &person.account, domain: DOMAIN, rid, kind, from, workstation: &person.pc, id }
    }

    fn controller(&mut self) -> &'static Device {
        if self.rng.per_mille(550) { &DC01 } else { &DC02 }
    }

    /// A day at work: the logon in the morning, the record system now and then, files, and home.
    fn work(&mut self, person: &Person, shift: Shift) {
        let early = self.rng.below(25);
        let start = self.minute(shift.from.saturating_sub(early));
        self.forgotten_password(person, start);
        let logon = self.logon(person, 3, person.pc_ip);
        let dc = self.controller();
        self.out.windows(windows::ticket_granted(dc, start, &logon));
        self.out.windows(windows::service_ticket(dc, start.plus(SECOND / 5), &logon, &format!("{}$", person.pc)));
        self.out.windows(windows::logon(dc, start.plus(SECOND / 2), &logon));
        self.out.windows(windows::logoff(dc, start.plus(20 * SECOND), &logon));
        let times = self.rng.between(2, 7);
        for _ in 0..times {
            let minute = self.rng.between(shift.from + 5, shift.to);
            let at = self.minute(minute);
            self.use_of(record_system(person.job), person, at);
        }
        self.files(person, shift);
        if person.job == Job::Admin {
            self.administer(person);
        }
    }

    /// A stay in one of the systems: ticket, logon, logoff.
    fn use_of(&mut self, server: &'static Device, person: &Person, at: At) {
        let logon = self.logon(person, 3, person.pc_ip);
        let dc = self.controller();
        let stay = self.rng.between(2, 50) * MINUTE;
        self.out.windows(windows::service_ticket(dc, at.minus(SECOND / 4), &logon, &format!("{}$", server.name)));
        self.out.windows(windows::logon(server, at, &logon));
        self.out.windows(windows::logoff(server, at.plus(stay), &logon));
    }

    /// One try in forty is mistyped; many more on the 1st and 2nd, when passwords have just been changed.
    fn forgotten_password(&mut self, person: &Person, start: At) {
        let chance = if self.day.number <= 2 { 250 } else { 25 };
        if !self.rng.per_mille(chance) {
            return;
        }
        let locks = self.rng.per_mille(50);
        let tries = if locks { 5 } else { self.rng.between(1, 4) };
        let logon = self.logon(person, 3, person.pc_ip);
        let dc = self.controller();
        for left in 1..=tries {
            let at = start.minus(left * 14 * SECOND + if locks { 9 * MINUTE } else { 0 });
            self.out.windows(windows::ticket_refused(dc, at, &logon));
        }
        if locks {
            let locked = start.minus(9 * MINUTE - SECOND);
            self.out.windows(windows::locked_out(&DC01, locked, &logon));
            let admin = self.world.hospital.with_job(Job::Admin).nth(1);
            if let Some(admin) = admin {
                let by = self.logon(admin, 3, ADMIN_PC);
                self.out.windows(windows::account_changed(&DC01, start.minus(2 * MINUTE), 4767, &by, &logon));
            }
        }
    }

    fn files(&mut self, person: &Person, shift: Shift) {
        let share = share(person.job);
        let opened = self.rng.between(1, 21);
        let minute = self.rng.between(shift.from + 5, shift.to);
        let at = self.minute(minute);
        let line = wire::share_opened(&FILE01, at, &person.account, &person.pc, person.pc_ip, share);
        self.out.syslog(&FILE01, at, line);
        for _ in 0..opened {
            let minute = self.rng.between(shift.from + 5, shift.to);
            let at = self.minute(minute);
            let action = *self.rng.pick(&["read", "read", "read", "write", "rename"]);
            let document = *self.rng.pick(&DOCUMENTS);
            let path = format!("/{share}/{document}");
            let line = wire::file_access(&FILE01, at, action, &path, &person.account, person.pc_ip);
            self.out.syslog(&FILE01, at, line);
        }
    }

    /// Terminals in corridors log on by themselves every half hour.
    fn kiosk(&mut self, person: &Person) {
        for half_hour in 0..48 {
            let at = self.minute(half_hour * 30 + person.number % 7);
            let logon = self.logon(person, 3, person.pc_ip);
            self.out.windows(windows::ticket_granted(&DC02, at, &logon));
            self.out.windows(windows::logon(&EMR01, at.plus(2 * SECOND), &logon));
            self.out.windows(windows::logoff(&EMR01, at.plus(25 * MINUTE), &logon));
        }
    }

    /// Programs that ask the directory four times a day.
    fn service(&mut self, person: &Person) {
        for quarter in 0..4 {
            let at = self.minute(quarter * 360 + 7 * (person.number % 9));
            let mut logon = self.logon(person, 3, person.pc_ip);
            logon.workstation = "-";
            self.out.windows(windows::ticket_granted(&DC01, at, &logon));
            self.out.windows(windows::logon(&DC01, at.plus(SECOND), &logon));
        }
    }

    /// One remote session on a domain controller, and on Mondays a look at the firewall.
    fn administer(&mut self, person: &Person) {
        let minute = self.rng.between(9 * 60, 17 * 60);
        let at = self.minute(minute);
        let logon = self.logon(person, 10, ADMIN_PC);
        self.remote_desktop(&DC01, at, &logon, 20 * MINUTE);
        self.out.windows(windows::privileges(&DC01, at.plus(SECOND), &logon));
        if self.day.weekday == 0 && person.number.is_multiple_of(5) {
            let from = IpAddr::V4(ADMIN_PC);
            let at = at.plus(30 * MINUTE);
            self.out.syslog(&FGT_HONKAN, at, wire::device_login(&FGT_HONKAN, at, "admin", from, FGT_HONKAN.ip));
            let end = at.plus(7 * MINUTE);
            self.out.syslog(&FGT_HONKAN, end, wire::device_logout(&FGT_HONKAN, end, "admin", from, 420));
        }
    }

    fn remote_desktop(&mut self, server: &'static Device, at: At, logon: &Logon<'_>, stay: u64) {
        remote_desktop(self.out, server, at, logon, stay);
    }

    /// Connections from home and from patients' homes, within the hours that each may.
    fn connect_from_home(&mut self, person: &Person) {
        if !person.has_vpn {
            return;
        }
        let working = self.day.is_working();
        let (chance, from, to) = match (person.job, working) {
            (Job::Doctor, _) => (300, 18 * 60, 23 * 60 + 20),
            (Job::Nurse, true) => (800, 9 * 60 + 30, 16 * 60),
            (Job::Clerk, true) => (250, 8 * 60, 18 * 60),
            (Job::Technician, true) => (200, 9 * 60, 19 * 60),
            (Job::Therapist, true) => (400, 12 * 60, 18 * 60),
            (Job::Admin, true) => (150, 18 * 60, 20 * 60),
            _ => return,
        };
        if self.rng.per_mille(chance) {
            let minute = self.rng.between(from, to);
            let at = self.minute(minute);
            if person.job == Job::Therapist { self.router_session(person, at) } else { self.vpn_session(person, at) }
        }
    }

    fn vpn_session(&mut self, person: &Person, at: At) {
        let dial = Dial {
            user: &person.account,
            group: "SSLVPN_STAFF",
            from: IpAddr::V4(person.home),
            country: "Japan",
            tunnel_id: self.rng.between(1_000_000, 900_000_000),
            assigned: person.pool,
        };
        if self.rng.per_mille(40) {
            for left in 1..=self.rng.between(1, 4) {
                let at = at.minus(left * 20 * SECOND);
                let line = wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_permission_denied");
                self.out.syslog(&FGT_HONKAN, at, line);
            }
        }
        let stay = self.rng.between(300, 5400);
        let sent = self.rng.between(400_000, 40_000_000);
        vpn_session(self.out, at, &dial, stay, (sent, sent / 12));
        let logon = self.logon(person, 3, person.pool);
        self.out.windows(windows::logon(&EMR01, at.plus(40 * SECOND), &logon));
        self.out.windows(windows::logoff(&EMR01, at.plus(stay * SECOND).minus(20 * SECOND), &logon));
    }

    /// L2TP into the rehabilitation wing: a router that tells user and address on different lines.
    fn router_session(&mut self, person: &Person, at: At) {
        let slot = 1 + person.number % 4;
        let home = person.home;
        let remote = Ipv4Addr::new(10, 20, 40, 200 + u8::try_from(slot).unwrap_or(1));
        let stay = self.rng.between(600, 4000) * SECOND;
        let lines: [(u64, &[&dyn Part]); 7] = [
            (0, &[&"[IKE] respond ISAKMP phase to ", &home]),
            (SECOND, &[&"[L2TP] TUNNEL[", &slot, &"] connected from ", &home]),
            (SECOND + SECOND / 3, &[&"[L2TP] TUNNEL[", &slot, &"] tunnel 4021 established"]),
            (2 * SECOND, &[&"PP[ANONYMOUS0", &slot, &"] Call detected from user '", &person.account, &"'"]),
            (
                2 * SECOND + SECOND / 2,
                &[&"PP[ANONYMOUS0", &slot, &"] PPP/IPCP up  (Local: 10.20.40.1, Remote: ", &remote, &")"],
            ),
            (
                stay - SECOND,
                &[&"PP[ANONYMOUS0", &slot, &"] PPP/IPCP down  (Local: 10.20.40.1, Remote: ", &remote, &")"],
            ),
            (stay, &[&"[L2TP] TUNNEL[", &slot, &"] disconnect tunnel 4021 complete"]),
        ];
        for (after, parts) in lines {
            let at = at.plus(after);
            self.out.syslog(&RTX_REHA, at, wire::rtx(RTX_INFO, parts));
        }
    }

    /// The doctor of the night works under the shared account, and the one on call may connect at any hour.
    fn duty_doctor(&mut self) {
        let duty = self.world.hospital.person("touchoku");
        if self.day.number != 9 {
            for minute in [18 * 60, 21 * 60 + 40, 26 * 60, 29 * 60] {
                let minute = minute + self.rng.below(30);
                let at = self.minute(minute);
                self.use_of(&EMR01, duty, at);
            }
        }
        let night_of = self.day.number - 1;
        if self.rng.per_mille(450) {
            let on_call = on_call(self.world, night_of);
            let minute = self.rng.between(10, 330);
            let at = self.minute(minute);
            self.vpn_session(on_call, at);
        }
    }

    fn vendors(&mut self) {
        if self.day.is_working() {
            self.kitchen_support();
            self.reading_doctors();
        }
        if self.day.weekday == 2 {
            self.record_system_support("medsys-mnt1", Ipv4Addr::new(203, 0, 113, 10), 13);
        }
        if [8, 20].contains(&self.day.number) {
            self.record_system_support("medsys-mnt2", Ipv4Addr::new(203, 0, 113, 11), 10);
        }
    }

    /// 給食サポート, every working day: in by VPN, then remote desktop on its own server.
    fn kitchen_support(&mut self) {
        let at = self.minute(10 * 60 + 5);
        let dial = Dial { tunnel_id: self.rng.between(1_000_000, 900_000_000), ..kitchen_dial() };
        vpn_session(self.out, at, &dial, 2400, (9_000_000, 700_000));
        let id = self.rng.between(0x10_0000, 0xffff_ffff);
        let logon = kitchen_logon(id, dial.assigned);
        self.remote_desktop(&KYUSHOKU01, at.plus(3 * MINUTE), &logon, 30 * MINUTE);
    }

    /// ラジネット reads pictures in the evening, through the line of its own.
    fn reading_doctors(&mut self) {
        let at = self.minute(18 * 60 + 10);
        let dial = Dial { tunnel_id: 0, ..reading_dial(Ipv4Addr::new(203, 0, 113, 20), 41) };
        asa_session(self.out, at, &dial, 3000, 180_000_000);
        let at = at.plus(2 * MINUTE);
        let port = self.rng.between(20_000, 60_000);
        let text: &[&dyn Part] =
            &[&"sshd[4471]: Accepted password for radinet from ", &dial.assigned, &" port ", &port, &" ssh2"];
        self.out.syslog(&PACS01, at, wire::bsd(&PACS01, shown_by_pacs(self.day, at), 86, text));
    }

    fn record_system_support(&mut self, user: &str, from: Ipv4Addr, hour: u64) {
        let at = self.minute(hour * 60 + 3);
        let last = if user == "medsys-mnt1" { 21 } else { 23 };
        let dial = Dial {
            user,
            group: "SSLVPN_MAINT",
            from: IpAddr::V4(from),
            country: "Japan",
            tunnel_id: self.rng.between(1_000_000, 900_000_000),
            assigned: Ipv4Addr::new(10, 212, 134, last),
        };
        vpn_session(self.out, at, &dial, 5400, (30_000_000, 4_000_000));
        let id = self.rng.between(0x10_0000, 0xffff_ffff);
        let logon =
            Logon { user, domain: DOMAIN, rid: 2200, kind: 10, from: dial.assigned, workstation: "MEDSYS-PC", id };
        self.remote_desktop(&EMR01, at.plus(4 * MINUTE), &logon, 80 * MINUTE);
    }

    /// The few things of the month that are harmless and still worth a question.
    fn named_mistakes(&mut self) {
        match self.day.number {
            2 => self.old_password_in_a_tablet(),
            5 | 27 => self.password_after_six_tries(),
            7 | 16 | 21 => self.swapped_night(),
            20 => self.firmware(),
            _ => {}
        }
    }

    /// A tablet goes on with the password of last month: fourteen failures, forty seconds apart.
    fn old_password_in_a_tablet(&mut self) {
        let Some(doctor) = self.world.hospital.with_job(Job::Doctor).nth(4) else { return };
        let first = self.minute(9 * 60 + 10);
        let logon = self.logon(doctor, 3, doctor.pc_ip);
        for turn in 0..14 {
            let at = first.plus(turn * 40 * SECOND);
            self.out.windows(windows::logon_failed(&EMR01, at, &logon));
            self.out.windows(windows::ntlm_checked(&DC02, at.plus(SECOND / 10), &logon, false));
        }
    }

    fn password_after_six_tries(&mut self) {
        let nth = usize::try_from(self.day.number).unwrap_or(0) % 24;
        let Some(doctor) = self.world.hospital.with_job(Job::Doctor).nth(nth) else { return };
        let at = self.minute(20 * 60 + 12);
        let dial = Dial { tunnel_id: 0, ..staff_dial(doctor) };
        for left in 1..=6 {
            let at = at.minus(left * 75 * SECOND);
            let line = wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_permission_denied");
            self.out.syslog(&FGT_HONKAN, at, line);
        }
        self.vpn_session(doctor, at);
    }

    /// Two doctors changed their nights and told nobody.
    fn swapped_night(&mut self) {
        let doctor = on_call(self.world, self.day.number + 8);
        let at = self.minute(2 * 60 + 20);
        self.vpn_session(doctor, at);
    }

    fn firmware(&mut self) {
        let (down, up) = super::firmware_update(self.world);
        let from = IpAddr::V4(ADMIN_PC);
        let login = down.minus(10 * MINUTE);
        self.out.syslog(&FGT_HONKAN, login, wire::device_login(&FGT_HONKAN, login, "admin", from, FGT_HONKAN.ip));
        let last = down.minus(SECOND);
        self.out.syslog(&FGT_HONKAN, last, wire::rebooted(&FGT_HONKAN, last, "admin", from));
        self.out.syslog(&FGT_HONKAN, up, wire::started(&FGT_HONKAN, up));
        self.out.windows(windows::service_installed(
            &EMR01,
            self.day.at(10, 40, 2),
            "MedsysUpdate",
            "C:\\\\Program Files\\\\Medsys\\\\update.exe",
        ));
    }
}

/// Where people of a job do their work.
fn record_system(job: Job) -> &'static Device {
    if matches!(job, Job::Clerk | Job::Contractor) { &IJI01 } else { &EMR01 }
}

fn share(job: Job) -> &'static str {
    match job {
        Job::Doctor | Job::VisitingDoctor => "医局",
        Job::Nurse => "看護部",
        Job::Pharmacist => "薬剤科",
        Job::Technician => "放射線・検査",
        Job::Clerk | Job::Contractor => "医事課",
        _ => "共有",
    }
}

const DOCUMENTS: [&str; 10] = [
    "勤務表/10月.xlsx",
    "会議録/感染対策委員会.docx",
    "申し送り/病棟.xlsx",
    "様式/紹介状.docx",
    "研修/医療安全.pptx",
    "返戻一覧.xlsx",
    "在庫/棚卸し.xlsx",
    "写真/院内掲示.jpg",
    "マニュアル/停電時対応.pdf",
    "連絡先/緊急連絡網.xlsx",
];

/// The doctor who is on call in the night that begins on that day; 0 is the last night of the month before.
pub(super) fn on_call(world: &World, day: u64) -> &Person {
    let turn = usize::try_from(day % 24).unwrap_or(0);
    world.hospital.with_job(Job::Doctor).nth(turn).expect("there are 24 doctors")
}

pub(super) fn staff_dial(person: &Person) -> Dial<'_> {
    Dial {
        user: &person.account,
        group: "SSLVPN_STAFF",
        from: IpAddr::V4(person.home),
        country: "Japan",
        tunnel_id: 300_000_000 + person.number,
        assigned: person.pool,
    }
}

pub(super) fn kitchen_dial() -> Dial<'static> {
    Dial {
        user: "kyushoku-sup",
        group: "SSLVPN_MAINT",
        from: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 40)),
        country: "Japan",
        tunnel_id: 307_687_111,
        assigned: Ipv4Addr::new(10, 212, 134, 31),
    }
}

pub(super) fn kitchen_logon(id: u64, from: Ipv4Addr) -> Logon<'static> {
    Logon { user: "kyushoku", domain: "KYUSHOKU01", rid: 1002, kind: 10, from, workstation: "KYUSHOKU01", id }
}

/// ラジネット shares one account; its people come from two offices.
pub(super) fn reading_dial(from: Ipv4Addr, last: u8) -> Dial<'static> {
    Dial {
        user: "radinet",
        group: "PACS-VENDOR",
        from: IpAddr::V4(from),
        country: "Japan",
        tunnel_id: 0,
        assigned: Ipv4Addr::new(10, 212, 134, last),
    }
}

/// A session of the SSL-VPN from its first packet to its end; `bytes` are those sent to the user and received.
pub(super) fn vpn_session(out: &mut Out, at: At, dial: &Dial<'_>, seconds: u64, bytes: (u64, u64)) {
    let device = &FGT_HONKAN;
    let asked = at.minus(2 * SECOND);
    out.syslog(device, asked, wire::vpn_new_connection(device, asked, dial));
    out.syslog(device, at, wire::vpn_login(device, at, dial));
    let up = at.plus(3 * SECOND);
    out.syslog(device, up, wire::vpn_tunnel_up(device, up, dial));
    let down = at.plus(seconds * SECOND);
    out.syslog(device, down, wire::vpn_tunnel_down(device, down, dial, seconds, bytes.0, bytes.1));
}

/// A session of the imaging vendor's line.
pub(super) fn asa_session(out: &mut Out, at: At, dial: &Dial<'_>, seconds: u64, sent: u64) {
    out.syslog(&ASA_PACS, at, wire::asa_session_started(at, dial));
    let address = at.plus(SECOND);
    out.syslog(&ASA_PACS, address, wire::asa_address(address, dial));
    let end = at.plus(seconds * SECOND);
    out.syslog(&ASA_PACS, end, wire::asa_session_ended(end, dial, seconds, sent));
}

/// Remote desktop on a server: the connection, the logon, the session and its end.
pub(super) fn remote_desktop(out: &mut Out, server: &'static Device, at: At, logon: &Logon<'_>, stay: u64) {
    out.windows(windows::remote_connected(server, at.minus(SECOND), logon));
    out.windows(windows::logon(server, at, logon));
    out.windows(windows::remote_session(server, at.plus(SECOND), 21, logon));
    let end = at.plus(stay);
    out.windows(windows::remote_session(server, end, 23, logon));
    out.windows(windows::logoff(server, end.plus(SECOND), logon));
}
