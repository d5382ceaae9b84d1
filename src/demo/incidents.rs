//! The incidents of the month, line by line, and what has to be found of each. Independent of scale and dice: the same
//! lines in every run of a month.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};

use super::everyday::{
    asa_session, kitchen_dial, kitchen_logon, reading_dial, remote_desktop, staff_dial, vpn_session,
};
use super::hospital::{
    ADMIN_PC, BK01, DC01, DOMAIN, Device, EMR01, FGT_HONKAN, FILE01, IJI01, Job, KYUSHOKU01, PACS01, PRINTER, Person,
};
use super::line::Part;
use super::moment::{At, DAY, Day, HOUR, MINUTE, SECOND};
use super::windows::{self, Logon};
use super::wire::{self, Dial};
use super::{Item, Out, Planted, World};

/// The attacker's address, and what the VPN gave to it.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
const ATTACKER_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 212, 134, 23);

/// All incidents: their lines by receipt, and the list.
pub(super) fn plant(world: &World) -> (Vec<Item>, Vec<Planted>) {
    let scenes: [fn(&World, &mut Out) -> Planted; 11] = [
        kitchen_support_on_a_sunday,
        retired_clerk,
        duty_account_without_duty,
        slow_spraying,
        power_cut,
        shared_account_twice,
        domain_admins,
        back_from_leave,
        the_attack,
        disabled_accounts,
        unknown_printer,
    ];
    let (mut items, mut planted) = (Vec::new(), Vec::new());
    for scene in scenes {
        let mut out = Out::new(world, Vec::new());
        planted.push(scene(world, &mut out));
        items.extend(out.items);
    }
    items.sort_by_key(|item: &Item| item.at);
    (items, planted)
}

fn range(from: At, to: At) -> (DateTime<Utc>, DateTime<Utc>) {
    (from.utc(), to.utc())
}

fn day_number(day: &Day) -> u32 {
    u32::try_from(day.number).unwrap_or(0)
}

fn logon_of(person: &Person, from: Ipv4Addr, id: u64) -> Logon<'_> {
    let rid = 1100 + person.number;
    Logon { user: &person.account, domain: DOMAIN, rid, kind: 3, from, workstation: &person.pc, id }
}

fn kitchen_support_on_a_sunday(world: &World, out: &mut Out) -> Planted {
    let day = world.day(4);
    let start = day.at(2, 14, 8);
    let dial = Dial { tunnel_id: 411_900_417, ..kitchen_dial() };
    vpn_session(out, start, &dial, 2220, (12_400_000, 900_000));
    let logon = Logon { domain: "IJI01", ..kitchen_logon(0x4a2_1177, dial.assigned) };
    remote_desktop(out, &IJI01, day.at(2, 21, 30), &logon, 25 * MINUTE);
    Planted {
        day: day_number(&day),
        at_range: range(start.minus(MINUTE), day.at(2, 52, 0)),
        text_ja: "給食サポートが日曜 02:14 に申請なしで接続し、02:21 に医事会計サーバへリモートデスクトップ（翌日に事後承認）",
        // A vendor's hour does not matter, its ticket does: so VP-10 and not VP-09.
        rules: vec!["VP-10"],
        query: "user:(kyushoku-sup OR kyushoku)",
    }
}

fn retired_clerk(world: &World, out: &mut Out) -> Planted {
    let day = world.day(6);
    let sato = world.hospital.person("sato_k");
    for (turn, (hour, minute)) in (0_u64..).zip([(8, 5), (12, 31), (17, 12), (19, 24)]) {
        let at = day.at(hour, minute, 17);
        let dial = Dial { tunnel_id: 420_600_000 + turn, ..staff_dial(sato) };
        vpn_session(out, at, &dial, 900, (6_000_000, 500_000));
        let logon = logon_of(sato, sato.pool, 0x51a_0000 + turn);
        out.windows(windows::logon(&IJI01, at.plus(MINUTE), &logon));
        out.windows(windows::logoff(&IJI01, at.plus(12 * MINUTE), &logon));
    }
    Planted {
        day: day_number(&day),
        at_range: range(day.at(8, 5, 0), day.at(19, 40, 0)),
        text_ja: "退職した sato_k が自宅から VPN に4回接続",
        rules: vec!["VP-11", "AC-01"],
        query: "user:sato_k",
    }
}

fn duty_account_without_duty(world: &World, out: &mut Out) -> Planted {
    let day = world.day(9);
    let duty = world.hospital.person("touchoku");
    let at = day.at(20, 31, 5);
    for (turn, after) in [0, 90 * MINUTE, 4 * HOUR].into_iter().enumerate() {
        let logon = logon_of(duty, duty.pc_ip, 0x61c_0000 + turn as u64);
        out.windows(windows::logon(&EMR01, at.plus(after), &logon));
        out.windows(windows::logoff(&EMR01, at.plus(after + 12 * MINUTE), &logon));
    }
    Planted {
        day: day_number(&day),
        at_range: range(at, at.plus(5 * HOUR)),
        text_ja: "当直表に記載のない夜に touchoku を使用",
        rules: vec!["AU-17"],
        query: "user:touchoku",
    }
}

/// Fourteen accounts in twenty hours, from one network, never more than three tries at one; then the one that gives in.
fn slow_spraying(world: &World, out: &mut Out) -> Planted {
    let day = world.day(11);
    let start = day.at(0, 12, 40);
    let targets: Vec<&Person> = world.hospital.with_job(Job::Doctor).take(14).collect();
    for (turn, person) in (0_u64..).zip(targets.iter().rev()) {
        for again in 0..2 {
            let at = start.plus(turn * 86 * MINUTE + again * 19 * MINUTE);
            let dial = sprayed(person, turn);
            out.syslog(&FGT_HONKAN, at, wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_permission_denied"));
        }
    }
    let end = start.plus(20 * HOUR);
    if let Some(weak) = targets.first() {
        let dial = sprayed(weak, 15);
        for left in 1..=6 {
            let at = end.minus(left * 4 * MINUTE);
            out.syslog(&FGT_HONKAN, at, wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_permission_denied"));
        }
        vpn_session(out, end, &dial, 340, (900_000, 120_000));
    }
    Planted {
        day: day_number(&day),
        at_range: range(start, end.plus(6 * MINUTE)),
        text_ja: "1つのネットワークから20時間かけて14人のパスワードを試行し、1人で成功",
        rules: vec!["VP-02", "VP-03", "VP-08"],
        query: "src_ip:192.0.2.64/27",
    }
}

fn sprayed(person: &Person, turn: u64) -> Dial<'_> {
    let last = 64 + u8::try_from(turn % 30).unwrap_or(0);
    Dial {
        from: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        country: "Japan",
        tunnel_id: 430_011_000 + turn,
        ..staff_dial(person)
    }
}

/// The last and first lines of three servers; between them nothing.
fn power_cut(world: &World, out: &mut Out) -> Planted {
    let (from, to) = super::power_cut(world);
    let halting = from.minus(70 * SECOND);
    for (place, server) in (0_u64..).zip([&PACS01, &FILE01, &BK01]) {
        let off = halting.plus(place * 15 * SECOND);
        out.syslog(server, off, wire::bsd(server, off, 29, &[&"upsd[611]: UPS on battery, system is shutting down"]));
        let on = to.plus((20 + place * 40) * SECOND);
        out.syslog(server, on, wire::bsd(server, on, 30, &[&"systemd[1]: Startup finished"]));
    }
    Planted {
        day: 14,
        at_range: range(halting, to.plus(3 * MINUTE)),
        text_ja: "放射線部門の停電で3台のサーバが約10時間沈黙（暦に登録済み）",
        rules: vec!["LG-01", "RW-06"],
        query: "host:(PACS01 OR FILE01 OR BK01)",
    }
}

fn shared_account_twice(world: &World, out: &mut Out) -> Planted {
    let day = world.day(17);
    let start = day.at(10, 2, 11);
    asa_session(out, start, &reading_dial(Ipv4Addr::new(203, 0, 113, 20), 41), 4200, 210_000_000);
    asa_session(out, start.plus(21 * MINUTE), &reading_dial(Ipv4Addr::new(203, 0, 113, 36), 42), 3500, 160_000_000);
    Planted {
        day: day_number(&day),
        at_range: range(start, start.plus(90 * MINUTE)),
        text_ja: "共有アカウント radinet を2か所から同時に使用",
        rules: vec!["VP-07"],
        query: "user:radinet",
    }
}

fn domain_admins(world: &World, out: &mut Out) -> Planted {
    let day = world.day(19);
    let start = day.at(14, 5, 0);
    let admins: Vec<&Person> = world.hospital.with_job(Job::Admin).take(4).collect();
    if let [ito, colleague, third, ..] = admins.as_slice() {
        let by = Logon { kind: 10, ..logon_of(ito, ADMIN_PC, 0x71d_0001) };
        out.windows(windows::made_domain_admin(&DC01, start, &by, &logon_of(ito, ADMIN_PC, 1)));
        out.windows(windows::made_domain_admin(&DC01, start.plus(50 * SECOND), &by, &logon_of(colleague, ADMIN_PC, 1)));
        let late = start.plus(3 * HOUR);
        out.windows(windows::made_domain_admin(&DC01, late, &by, &logon_of(third, ADMIN_PC, 1)));
    }
    Planted {
        day: day_number(&day),
        at_range: range(start, start.plus(4 * HOUR)),
        text_ja: "管理者が自分と同僚を Domain Admins に追加（申請あり）、3人目は申請なし",
        rules: vec!["AC-06"],
        query: "event_id:4728",
    }
}

fn back_from_leave(world: &World, out: &mut Out) -> Planted {
    let day = world.day(22);
    let suzuki = world.hospital.person("suzuki_m");
    let at = day.at(8, 21, 44);
    let new_pc = Logon { workstation: "PC-0311", ..logon_of(suzuki, Ipv4Addr::new(10, 20, 18, 11), 0x81e_0001) };
    out.windows(windows::ticket_granted(&DC01, at.minus(3 * SECOND), &new_pc));
    out.windows(windows::logon(&EMR01, at, &new_pc));
    out.windows(windows::logoff(&EMR01, at.plus(35 * MINUTE), &new_pc));
    Planted {
        day: day_number(&day),
        at_range: range(at.minus(MINUTE), at.plus(40 * MINUTE)),
        text_ja: "74日使われなかった suzuki_m が新しい端末から電子カルテにログオン（育休明け、名簿に記載）",
        rules: vec!["AC-04"],
        query: "user:suzuki_m",
    }
}

fn the_attack(world: &World, out: &mut Out) -> Planted {
    let day = world.day(25);
    attack_enters(&day, out);
    attack_crosses(&day, out);
    attack_prepares(&day, out);
    Planted {
        day: day_number(&day),
        at_range: range(day.at(1, 28, 0), day.at(3, 21, 0)),
        text_ja: "攻撃: 国外から 31 回失敗の後 medsys-mnt2 で VPN 成功、4台へ横断、防御停止・復旧妨害・ログ消去、2.1 GB 送出",
        rules: vec![
            "VP-01", "VP-03", "VP-05", "VP-08", "VP-10", "VP-14", "VP-17", "VP-19", "AU-16", "LM-01", "LM-03", "DE-01",
            "DE-04", "RW-01",
        ],
        query: "user:medsys-mnt2 OR src_ip:203.0.113.77 OR src_ip:10.212.134.23 OR src_ip:10.20.1.24",
    }
}

/// 31 failures, one success, and the session until 03:20.
fn attack_enters(day: &Day, out: &mut Out) {
    let start = day.at(1, 48, 12);
    let dial = Dial {
        user: "medsys-mnt2",
        group: "SSLVPN_MAINT",
        from: IpAddr::V4(ATTACKER),
        country: "Netherlands",
        tunnel_id: 446_250_148,
        assigned: ATTACKER_INSIDE,
    };
    for left in 1..=31 {
        let at = start.minus(left * 36 * SECOND);
        out.syslog(&FGT_HONKAN, at, wire::vpn_fail(&FGT_HONKAN, at, &dial, "sslvpn_login_permission_denied"));
    }
    // From 01:48:12 to 03:20:40, and 2.1 GB sent to the remote side.
    vpn_session(out, start, &dial, 5548, (2_254_857_830, 48_120_311));
    let admin = day.at(2, 40, 9);
    let from = IpAddr::V4(ATTACKER);
    let gate = Ipv4Addr::new(203, 0, 113, 2);
    out.syslog(&FGT_HONKAN, admin, wire::device_login(&FGT_HONKAN, admin, "admin", from, gate));
    let leave = day.at(2, 52, 30);
    out.syslog(&FGT_HONKAN, leave, wire::device_logout(&FGT_HONKAN, leave, "admin", from, 741));
}

/// One password on every server: the local Administrator, from the VPN's address and from server to server.
fn attack_crosses(day: &Day, out: &mut Out) {
    let hops: [(&'static Device, &str, (u64, u64)); 4] = [
        (&KYUSHOKU01, "KYUSHOKU01", (1, 55)),
        (&IJI01, "IJI01", (2, 7)),
        (&EMR01, "EMR01", (2, 19)),
        (&DC01, DOMAIN, (2, 31)),
    ];
    for (turn, (server, domain, (hour, minute))) in (0_u64..).zip(hops) {
        let at = day.at(hour, minute, 20);
        let logon = Logon {
            user: "Administrator",
            domain,
            rid: 500,
            kind: 10,
            from: ATTACKER_INSIDE,
            workstation: server.name,
            id: 0x9aa_0000 + turn,
        };
        if server != &KYUSHOKU01 {
            let hop = Logon { kind: 3, from: KYUSHOKU01.ip, workstation: "KYUSHOKU01", id: logon.id + 100, ..logon };
            out.windows(windows::logon(server, at.minus(40 * SECOND), &hop));
            out.windows(windows::logoff(server, at.minus(30 * SECOND), &hop));
        }
        remote_desktop(out, server, at, &logon, 18 * MINUTE);
        out.windows(windows::privileges(server, at, &logon));
    }
}

fn attack_prepares(day: &Day, out: &mut Out) {
    let by = |domain: &'static str, id| Logon {
        user: "Administrator",
        domain,
        rid: 500,
        kind: 10,
        from: ATTACKER_INSIDE,
        workstation: domain,
        id,
    };
    out.windows(windows::defender_off(&IJI01, day.at(2, 34, 3)));
    let image = "C:\\\\Windows\\\\System32\\\\vssadmin.exe";
    let command = "vssadmin delete shadows /all /quiet";
    out.windows(windows::process(&IJI01, day.at(2, 36, 11), &by("IJI01", 0x9aa_0001), image, command));
    out.windows(windows::process(&EMR01, day.at(2, 36, 48), &by("EMR01", 0x9aa_0002), image, command));
    out.windows(windows::log_cleared(&KYUSHOKU01, day.at(2, 37, 25), &by("KYUSHOKU01", 0x9aa_0000)));
}

/// Accounts that nobody used for 90 days: an administrator disables twelve of the 37.
fn disabled_accounts(world: &World, out: &mut Out) -> Planted {
    let day = world.day(27);
    let start = day.at(15, 10, 0);
    if let Some(admin) = world.hospital.with_job(Job::Admin).nth(1) {
        let by = Logon { kind: 10, ..logon_of(admin, ADMIN_PC, 0xa1f_0001) };
        for (turn, person) in (0_u64..).zip(world.hospital.disabled_on_the_27th()) {
            let target = logon_of(person, person.pc_ip, 1);
            out.windows(windows::account_changed(&DC01, start.plus(turn * 25 * SECOND), 4725, &by, &target));
        }
    }
    Planted {
        day: day_number(&day),
        // The list of unused accounts is drawn up on the first of the month; the clearing up follows on this day.
        at_range: range(world.day(1).at(0, 0, 0), start.plus(6 * MINUTE)),
        text_ja: "90日使われていない37アカウントのうち12を無効化",
        rules: vec!["AC-02"],
        query: "event_id:4725",
    }
}

fn unknown_printer(world: &World, out: &mut Out) -> Planted {
    let day = world.day(28);
    let start = day.at(10, 12, 3);
    let mut says = |at: At, text: &str| {
        let parts: &[&dyn Part] = &[&"printer: ", &text];
        out.syslog(&PRINTER, at, wire::bsd(&PRINTER, at, 134, parts));
    };
    for (turn, text) in (0_u64..).zip(["warming up", "network ready", "job 1 printed 2 pages", "toner low"]) {
        says(start.plus(turn * 11 * MINUTE), text);
    }
    // It stays, or its silence would be one more thing to look at.
    let end = day.start.plus((world.days.len() as u64 + 1 - day.number) * DAY);
    let mut at = start.plus(4 * HOUR);
    while at < end {
        says(at, "idle");
        at = at.plus(4 * HOUR);
    }
    Planted {
        day: day_number(&day),
        at_range: range(start, start.plus(34 * MINUTE)),
        text_ja: "台帳にない機器（プリンター）が 514 番へ送信を開始",
        rules: vec!["LG-09"],
        query: "host:PRN-3F-EAST",
    }
}
