//! みなと中央病院: who works there, from where, on which machines. All of it is invented; addresses are from the ranges
//! kept for documentation and from 10.20.0.0/16. The people are made by a rule, so that every month has the same ones.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use monban_event::Transport;

use super::moment::{At, SECOND};

/// The Windows domain, as accounts are written.
pub(super) const DOMAIN: &str = "MINATO";

/// A device or server that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// As it calls itself on the wire.
    pub(super) name: &'static str,
    /// As Windows calls it; members of the domain carry its suffix.
    pub(super) computer: &'static str,
    pub(super) ip: Ipv4Addr,
    pub(super) transport: Transport,
    pub(super) port: u16,
    pub(super) framing: Framing,
    /// From the event to its receipt. Constant, so that receipt keeps the device's own order.
    delay: u64,
}

/// How a message is told apart from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One datagram, one request.
    Whole,
    /// TCP with a line feed after each message.
    Line,
    /// TCP with the octet count before each message.
    Counted,
}

impl Device {
    const fn syslog(name: &'static str, ip: [u8; 4], delay: u64) -> Self {
        let [a, b, c, d] = ip;
        let ip = Ipv4Addr::new(a, b, c, d);
        Self { name, computer: name, ip, transport: Transport::Udp, port: 514, framing: Framing::Whole, delay }
    }

    const fn over_tcp(self, framing: Framing) -> Self {
        Self { transport: Transport::Tcp, port: 40_514, framing, ..self }
    }

    const fn windows(name: &'static str, computer: &'static str, ip: [u8; 4], delay: u64) -> Self {
        let [a, b, c, d] = ip;
        let ip = Ipv4Addr::new(a, b, c, d);
        Self { name, computer, ip, transport: Transport::Http, port: 52_100, framing: Framing::Whole, delay }
    }

    pub(super) fn peer(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.ip), self.port)
    }

    /// When a line about `at` reaches us.
    pub(super) fn receipt(&self, at: At) -> At {
        at.plus(self.delay)
    }
}

const MS: u64 = SECOND / 1000;

pub(super) const FGT_HONKAN: Device = Device::syslog("FGT-HONKAN", [10, 20, 0, 1], 35 * MS);
pub(super) const FGT_KENSHIN: Device = Device::syslog("FGT-KENSHIN", [10, 20, 0, 2], 60 * MS);
pub(super) const RTX_REHA: Device = Device::syslog("RTX-REHA", [10, 20, 0, 3], 5 * MS);
pub(super) const ASA_PACS: Device = Device::syslog("ASA-PACS", [10, 20, 0, 4], 20 * MS);
pub(super) const DC01: Device = Device::windows("DC01", "DC01.minato-hp.local", [10, 20, 1, 11], 1200 * MS);
pub(super) const DC02: Device = Device::windows("DC02", "DC02.minato-hp.local", [10, 20, 1, 12], 1400 * MS);
pub(super) const EMR01: Device = Device::windows("EMR01", "EMR01.minato-hp.local", [10, 20, 1, 21], 1500 * MS);
pub(super) const IJI01: Device = Device::windows("IJI01", "IJI01.minato-hp.local", [10, 20, 1, 22], 1700 * MS);
/// A workgroup server of a vendor; its own log says little.
pub(super) const KYUSHOKU01: Device = Device::windows("KYUSHOKU01", "KYUSHOKU01", [10, 20, 1, 24], 2100 * MS);
/// The program on the same machine sends syslog in the old Japanese Windows encoding.
pub(super) const KYUSHOKU_APP: Device = Device::syslog("KYUSHOKU01", [10, 20, 1, 24], 300 * MS);
pub(super) const PACS01: Device = Device::syslog("PACS01", [10, 20, 1, 23], 40 * MS);
pub(super) const FILE01: Device = Device::syslog("FILE01", [10, 20, 1, 31], 80 * MS);
pub(super) const BK01: Device = Device::syslog("BK01", [10, 20, 1, 32], 45 * MS).over_tcp(Framing::Counted);
pub(super) const AV01: Device = Device::syslog("AV01", [10, 20, 1, 33], 90 * MS).over_tcp(Framing::Line);
/// Nobody registered it.
pub(super) const PRINTER: Device = Device::syslog("PRN-3F-EAST", [10, 20, 9, 77], 10 * MS);

/// What writes a Windows event log here, in the order of its record numbers' counters.
pub(super) const WINDOWS: [Device; 5] = [DC01, DC02, EMR01, IJI01, KYUSHOKU01];

/// The scanner that looks for weak spots on Sundays.
pub(super) const SCANNER: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 60);
/// The administrators' desk.
pub(super) const ADMIN_PC: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 50);

/// Work of a kind: decides hours, tools and what the roster says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Doctor,
    VisitingDoctor,
    Nurse,
    Pharmacist,
    Technician,
    Clerk,
    Contractor,
    Therapist,
    Admin,
    Service,
    Kiosk,
    /// 当直 doctors share one account.
    DutyShared,
}

impl Job {
    pub(super) fn is_person(self) -> bool {
        !matches!(self, Self::Service | Self::Kiosk | Self::DutyShared)
    }

    /// 職種, 雇用区分 and アカウント区分 of the roster.
    pub(super) fn roster_words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Doctor => ("医師", "常勤", ""),
            Self::VisitingDoctor => ("医師", "派遣", ""),
            Self::Nurse => ("看護師", "常勤", ""),
            Self::Pharmacist => ("薬剤師", "常勤", ""),
            Self::Technician => ("診療放射線技師", "常勤", ""),
            Self::Clerk => ("事務", "常勤", ""),
            Self::Contractor => ("事務", "委託", ""),
            Self::Therapist => ("理学療法士", "常勤", ""),
            Self::Admin => ("システム管理者", "常勤", "管理者"),
            Self::Service => ("", "", "サービス"),
            Self::Kiosk => ("", "", "共用端末"),
            Self::DutyShared => ("", "", "当直共有"),
        }
    }

    fn departments(self) -> &'static [&'static str] {
        match self {
            Self::Doctor | Self::VisitingDoctor => &["内科", "外科", "整形外科", "循環器内科", "小児科"],
            Self::Nurse => &["2階病棟", "3階東病棟", "3階西病棟", "4階病棟", "外来", "手術室", "訪問看護室"],
            Self::Pharmacist => &["薬剤科"],
            Self::Technician => &["放射線科", "検査科"],
            Self::Clerk => &["医事課", "総務課", "経理課", "地域連携室"],
            Self::Contractor => &["医事課受付", "清掃管理室", "物流センター"],
            Self::Therapist => &["リハビリテーション科", "栄養科", "健診センター"],
            Self::Admin => &["情報システム係"],
            Self::Service | Self::Kiosk | Self::DutyShared => &[""],
        }
    }
}

/// An account and who is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) kana: String,
    pub(super) account: String,
    pub(super) job: Job,
    pub(super) department: &'static str,
    pub(super) has_vpn: bool,
    pub(super) pc: String,
    pub(super) pc_ip: Ipv4Addr,
    /// Where they sit when they connect from outside.
    pub(super) home: Ipv4Addr,
    /// What the VPN gives them.
    pub(super) pool: Ipv4Addr,
    /// Not used for more than 90 days when the month begins.
    pub(super) unused: bool,
    /// Day of the month that is the last day of work; 0 is the month's last.
    pub(super) retires: Option<u64>,
    pub(super) leave: Option<Leave>,
}

/// A 育休.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// That day of the month is its last.
    Until(u64),
    /// Its end lies beyond the month.
    Open,
}

impl Person {
    /// Whether they come to work on that day at all.
    pub(super) fn works_on(&self, day: u64) -> bool {
        let left = self.retires.is_some_and(|last| last != 0 && last < day);
        let away = match self.leave {
            Some(Leave::Until(last)) => day <= last,
            Some(Leave::Open) => true,
            None => false,
        };
        !(self.unused || left || away)
    }
}

/// The 300 accounts.
#[derive(Clone, Debug)]
pub(super) struct Hospital {
    pub(super) people: Vec<Person>,
}

/// How many of each.
const STAFF: [(Job, u64); 12] = [
    (Job::Doctor, 24),
    (Job::VisitingDoctor, 12),
    (Job::Nurse, 110),
    (Job::Pharmacist, 8),
    (Job::Technician, 14),
    (Job::Clerk, 40),
    (Job::Contractor, 30),
    (Job::Therapist, 41),
    (Job::Admin, 5),
    (Job::Service, 9),
    (Job::Kiosk, 6),
    (Job::DutyShared, 1),
];

/// Accounts nobody has used for 90 days, of each job.
const UNUSED: [(Job, u64); 6] = [
    (Job::VisitingDoctor, 3),
    (Job::Nurse, 9),
    (Job::Technician, 2),
    (Job::Clerk, 5),
    (Job::Contractor, 12),
    (Job::Therapist, 6),
];

const FAMILIES: [(&str, &str, &str); 48] = [
    ("佐藤", "サトウ", "sato"),
    ("鈴木", "スズキ", "suzuki"),
    ("高橋", "タカハシ", "takahashi"),
    ("田中", "タナカ", "tanaka"),
    ("伊藤", "イトウ", "ito"),
    ("渡辺", "ワタナベ", "watanabe"),
    ("山本", "ヤマモト", "yamamoto"),
    ("中村", "ナカムラ", "nakamura"),
    ("小林", "コバヤシ", "kobayashi"),
    ("加藤", "カトウ", "kato"),
    ("吉田", "ヨシダ", "yoshida"),
    ("山田", "ヤマダ", "yamada"),
    ("佐々木", "ササキ", "sasaki"),
    ("山口", "ヤマグチ", "yamaguchi"),
    ("松本", "マツモト", "matsumoto"),
    ("井上", "イノウエ", "inoue"),
    ("木村", "キムラ", "kimura"),
    ("林", "ハヤシ", "hayashi"),
    ("斎藤", "サイトウ", "saito"),
    ("清水", "シミズ", "shimizu"),
    ("山崎", "ヤマザキ", "yamazaki"),
    ("森", "モリ", "mori"),
    ("池田", "イケダ", "ikeda"),
    ("橋本", "ハシモト", "hashimoto"),
    ("阿部", "アベ", "abe"),
    ("石川", "イシカワ", "ishikawa"),
    ("山下", "ヤマシタ", "yamashita"),
    ("中島", "ナカジマ", "nakajima"),
    ("石井", "イシイ", "ishii"),
    ("小川", "オガワ", "ogawa"),
    ("前田", "マエダ", "maeda"),
    ("岡田", "オカダ", "okada"),
    ("長谷川", "ハセガワ", "hasegawa"),
    ("藤田", "フジタ", "fujita"),
    ("後藤", "ゴトウ", "goto"),
    ("近藤", "コンドウ", "kondo"),
    ("村上", "ムラカミ", "murakami"),
    ("遠藤", "エンドウ", "endo"),
    ("青木", "アオキ", "aoki"),
    ("坂本", "サカモト", "sakamoto"),
    ("福田", "フクダ", "fukuda"),
    ("太田", "オオタ", "ota"),
    ("西村", "ニシムラ", "nishimura"),
    ("藤井", "フジイ", "fujii"),
    ("金子", "カネコ", "kaneko"),
    ("岡本", "オカモト", "okamoto"),
    ("藤原", "フジワラ", "fujiwara"),
    ("三浦", "ミウラ", "miura"),
];

const GIVEN: [(&str, &str, &str); 25] = [
    ("健一", "ケンイチ", "k"),
    ("美咲", "ミサキ", "m"),
    ("翔太", "ショウタ", "s"),
    ("陽子", "ヨウコ", "y"),
    ("直樹", "ナオキ", "n"),
    ("恵子", "ケイコ", "k"),
    ("大輔", "ダイスケ", "d"),
    ("愛", "アイ", "a"),
    ("拓也", "タクヤ", "t"),
    ("由美", "ユミ", "y"),
    ("隆", "タカシ", "t"),
    ("さくら", "サクラ", "s"),
    ("誠", "マコト", "m"),
    ("裕子", "ユウコ", "y"),
    ("浩", "ヒロシ", "h"),
    ("千尋", "チヒロ", "c"),
    ("亮", "リョウ", "r"),
    ("彩", "アヤ", "a"),
    ("雄太", "ユウタ", "y"),
    ("玲奈", "レナ", "r"),
    ("淳", "ジュン", "j"),
    ("香織", "カオリ", "k"),
    ("悟", "サトル", "s"),
    ("奈緒", "ナオ", "n"),
    ("剛", "ツヨシ", "t"),
];

const SERVICES: [&str; 9] =
    ["svc_backup", "svc_av", "svc_emr", "svc_iji", "svc_pacs", "svc_ldap", "svc_print", "svc_asset", "svc_monitor"];

impl Hospital {
    pub(super) fn new() -> Self {
        let mut maker = Maker { people: Vec::with_capacity(300), taken: BTreeMap::new(), names: 0 };
        for (job, count) in STAFF {
            for index in 0..count {
                maker.add(job, index);
            }
        }
        let mut people = maker.people;
        mark_the_planted(&mut people);
        mark_unused(&mut people);
        Self { people }
    }

    /// The person of an account. The demo only asks for accounts it made.
    pub(super) fn person(&self, account: &str) -> &Person {
        self.people.iter().find(|person| person.account == account).expect("the demo asks for its own people")
    }

    pub(super) fn with_job(&self, job: Job) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(move |person| person.job == job)
    }

    /// The accounts that an administrator disables on the 27th.
    pub(super) fn disabled_on_the_27th(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.unused && person.job == Job::Contractor)
    }
}

struct Maker {
    people: Vec<Person>,
    taken: BTreeMap<String, u64>,
    /// Names given so far; the pairs below do not repeat for 1,200 of them.
    names: usize,
}

impl Maker {
    fn add(&mut self, job: Job, index: u64) {
        let number = self.people.len() as u64 + 1;
        let (name, kana, account) = match job {
            Job::Service => {
                things("サービス", SERVICES.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or("svc"))
            }
            Job::Kiosk => things("共用端末", &format!("kiosk{:02}", index + 1)),
            Job::DutyShared => things("当直", "touchoku"),
            _ => self.name(),
        };
        let low = u8::try_from(number % 200).unwrap_or(0);
        let high = u8::try_from(number / 200).unwrap_or(0);
        let departments = job.departments();
        let place = usize::try_from(index).unwrap_or(0);
        self.people.push(Person {
            number,
            name,
            kana,
            account,
            job,
            department: departments.get(place % departments.len()).copied().unwrap_or_default(),
            has_vpn: has_vpn(job, index),
            pc: format!("PC-{number:04}"),
            pc_ip: Ipv4Addr::new(10, 20, 16 + high, 10 + low),
            home: Ipv4Addr::new(198, 51, 100, 10 + low),
            pool: Ipv4Addr::new(10, 212, 134, 50 + low),
            unused: false,
            retires: None,
            leave: None,
        });
    }

    /// The next pair of names and the account it makes; a second `sato_k` becomes `sato_k2`.
    fn name(&mut self) -> (String, String, String) {
        let family = FAMILIES.get(self.names % FAMILIES.len()).copied().unwrap_or_default();
        let given = GIVEN.get(self.names % GIVEN.len()).copied().unwrap_or_default();
        self.names += 1;
        let wanted = format!("{}_{}", family.2, given.2);
        let used = self.taken.entry(wanted.clone()).or_default();
        *used += 1;
        let account = if *used == 1 { wanted } else { format!("{wanted}{used}") };
        (format!("{} {}", family.0, given.0), format!("{} {}", family.1, given.1), account)
    }
}

fn things(name: &str, account: &str) -> (String, String, String) {
    (format!("{name} {account}"), String::new(), account.to_owned())
}

/// Doctors and administrators, eight clerks, four technicians, four of the therapists, and the home-visit nurses.
fn has_vpn(job: Job, index: u64) -> bool {
    match job {
        Job::Doctor | Job::Admin => true,
        Job::Clerk => index < 8,
        Job::Nurse => index % 7 == 6 && index < 42,
        Job::Technician | Job::Therapist => index < 4,
        _ => false,
    }
}

/// The people of the planted incidents: `sato_k`, a clerk who left on the 2nd, and `suzuki_m`, a nurse back from 育休.
fn mark_the_planted(people: &mut [Person]) {
    cast(people, Job::Clerk, 0, ("佐藤 健一", "サトウ ケンイチ", "sato_k"));
    cast(people, Job::Nurse, 3, ("鈴木 美咲", "スズキ ミサキ", "suzuki_m"));
    for person in people.iter_mut() {
        match person.account.as_str() {
            "sato_k" => person.retires = Some(2),
            "suzuki_m" => person.leave = Some(Leave::Until(21)),
            _ => {}
        }
    }
    let mut nurses = people.iter_mut().filter(|person| person.job == Job::Nurse && person.account != "suzuki_m");
    for retires in [10, 0] {
        if let Some(nurse) = nurses.nth(9) {
            nurse.retires = Some(retires);
        }
    }
    if let Some(nurse) = nurses.next() {
        nurse.leave = Some(Leave::Open);
    }
    if let Some(clerk) = people.iter_mut().filter(|person| person.job == Job::Contractor).nth(20) {
        clerk.retires = Some(15);
    }
}

/// Gives one place of a job the name the incident needs, and whoever had it the name of that place.
fn cast(people: &mut [Person], job: Job, index: usize, (name, kana, account): (&str, &str, &str)) {
    let before = people.iter().position(|person| person.account == account);
    let Some(place) = people.iter().enumerate().filter(|(_, person)| person.job == job).map(|(at, _)| at).nth(index)
    else {
        return;
    };
    let freed = people
        .get_mut(place)
        .map(|person| {
            let freed = (person.name.clone(), person.kana.clone(), person.account.clone());
            (person.name, person.kana, person.account) = (name.to_owned(), kana.to_owned(), account.to_owned());
            freed
        })
        .filter(|_| before != Some(place));
    if let (Some(freed), Some(other)) = (freed, before.and_then(|before| people.get_mut(before))) {
        (other.name, other.kana, other.account) = freed;
    }
}

fn mark_unused(people: &mut [Person]) {
    for (job, count) in UNUSED {
        let plain = |person: &&mut Person| {
            person.job == job && person.retires.is_none() && person.leave.is_none() && !person.has_vpn
        };
        // From the end: the first of each job are the ones the everyday speaks of.
        people.iter_mut().rev().filter(plain).take(usize::try_from(count).unwrap_or(0)).for_each(|person| {
            person.unused = true;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_three_hundred_accounts_all_different() {
        let hospital = Hospital::new();
        let accounts: BTreeSet<&str> = hospital.people.iter().map(|person| person.account.as_str()).collect();
        assert_eq!((hospital.people.len(), accounts.len()), (300, 300));
        for (job, count) in STAFF {
            assert_eq!(hospital.with_job(job).count() as u64, count);
        }
        let addresses: BTreeSet<Ipv4Addr> = hospital.people.iter().map(|person| person.pc_ip).collect();
        assert_eq!(addresses.len(), 300);
    }

    #[test]
    fn the_planted_people_are_who_the_story_says() {
        let hospital = Hospital::new();
        let sato = hospital.person("sato_k");
        assert_eq!(
            (sato.name.as_str(), sato.job, sato.retires, sato.has_vpn),
            ("佐藤 健一", Job::Clerk, Some(2), true)
        );
        let suzuki = hospital.person("suzuki_m");
        assert!(!suzuki.works_on(21) && suzuki.works_on(22));
        let count = |wanted: fn(&Person) -> bool| hospital.people.iter().filter(|person| wanted(person)).count();
        assert_eq!(count(|person| person.retires.is_some()), 4);
        assert_eq!(count(|person| person.leave.is_some()), 2);
        assert_eq!(count(|person| person.unused), 37);
        assert_eq!(hospital.disabled_on_the_27th().count(), 12);
    }
}
