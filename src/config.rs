//! The configuration: one TOML file as written, taken to what is meant in one pass that gathers every complaint, so
//! that a person mends the file once. Nothing here opens a socket or a directory.

mod retention;
mod source;
mod syslog;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use monban_audit::{AuditSettings, Edition};
use monban_detect::{LEARNING_DAYS, LEARNING_DAYS_RANGE};
use monban_event::act::ContextName;
use monban_index::journal::Receipt;
use monban_ingest::TextSettings;
use monban_ingest::sources::SourceTable;
use toml::{Table, Value};

pub(crate) use retention::Retention;
pub(crate) use source::Source;
pub(crate) use syslog::SyslogTls;

pub(crate) const DEFAULT_DATA_DIR: &str = "./monban-data";
/// Stamps without a zone are Japanese local time unless the file says otherwise, never the server's zone.
pub(crate) const DEFAULT_ZONE: Tz = Tz::Asia__Tokyo;
const DEFAULT_SYSLOG: &str = "127.0.0.1:5514";
const DEFAULT_PAGES: &str = "127.0.0.1:8080";
const OFF: &str = "off";
/// Copies over a slow network pause; a file that is taken half is only taken again, but twice the work.
const DEFAULT_SETTLE: Duration = Duration::from_secs(10);
const SETTLE_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// What the program runs by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) hospital: String,
    /// Edition of the ministry's checklist that reports cite.
    pub(crate) checklist: String,
    /// `None`: switched off.
    pub(crate) pages: Option<SocketAddr>,
    pub(crate) syslog_udp: Option<SocketAddr>,
    pub(crate) syslog_tcp: Option<SocketAddr>,
    pub(crate) syslog_tls: Option<SyslogTls>,
    /// Lines a second that one source may send; `None`: as many as it likes.
    pub(crate) syslog_lines_per_second: Option<NonZeroU32>,
    pub(crate) zone: Tz,
    pub(crate) context: ContextPaths,
    /// Folders of Sigma rules that run beside the built-in ones.
    pub(crate) sigma: Vec<PathBuf>,
    /// From the first record received live; rules about what is new run one level lower in them.
    pub(crate) learning_days: u32,
    /// What is said of single senders.
    pub(crate) sources: Vec<Source>,
    pub(crate) watch: Vec<WatchFolder>,
    pub(crate) retention: Retention,
}

/// A folder whose logs are taken in as they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchFolder {
    pub(crate) folder: PathBuf,
    /// A file that nobody has written to for so long is complete.
    pub(crate) settle: Duration,
    /// Name of the machine where the records name none.
    pub(crate) host: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContextPaths {
    pub(crate) roster: Option<PathBuf>,
    pub(crate) allow: Option<PathBuf>,
    pub(crate) vendors: Option<PathBuf>,
    pub(crate) calendar: Option<PathBuf>,
    pub(crate) tickets: Option<PathBuf>,
    pub(crate) duty: Option<PathBuf>,
}

impl ContextPaths {
    pub(crate) fn named(&self) -> [(ContextName, Option<&Path>); 6] {
        [
            (ContextName::Roster, self.roster.as_deref()),
            (ContextName::Allow, self.allow.as_deref()),
            (ContextName::Vendors, self.vendors.as_deref()),
            (ContextName::Calendar, self.calendar.as_deref()),
            (ContextName::Tickets, self.tickets.as_deref()),
            (ContextName::Duty, self.duty.as_deref()),
        ]
    }
}

impl Default for Config {
    fn default() -> Self {
        let address = |text: &str| text.parse().ok();
        Self {
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            hospital: "（施設名未設定）".to_owned(),
            checklist: "R6".to_owned(),
            pages: address(DEFAULT_PAGES),
            syslog_udp: address(DEFAULT_SYSLOG),
            syslog_tcp: address(DEFAULT_SYSLOG),
            syslog_tls: None,
            syslog_lines_per_second: None,
            zone: DEFAULT_ZONE,
            context: ContextPaths::default(),
            sigma: Vec::new(),
            learning_days: LEARNING_DAYS,
            sources: Vec::new(),
            watch: Vec::new(),
            retention: Retention::default(),
        }
    }
}

impl Config {
    pub(crate) fn audit_settings(&self, receipt: Option<Receipt>) -> AuditSettings {
        let edition = Edition::named(&self.checklist).expect("the reader takes only editions there are");
        AuditSettings { hospital: self.hospital.clone(), edition, receipt }
    }

    /// How lines are read.
    pub(crate) fn text_settings(&self) -> TextSettings {
        let entries = self.sources.iter().map(|source| (source.sender.clone(), source.settings.clone()));
        TextSettings { zone: self.zone, sources: Arc::new(SourceTable::new(entries)) }
    }
}

/// Everything that is wrong with the file, a line each: file, key, what is wrong, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaints(pub(crate) Vec<String>);

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "設定ファイルに {} 件の誤りがあります。直してからもう一度実行してください。", self.0.len())?;
        self.0.iter().try_for_each(|complaint| write!(f, "\n  {complaint}"))
    }
}

impl std::error::Error for Complaints {}

impl Config {
    /// Reads the text of the file `name`. Relative paths in it are relative to `base`.
    pub(crate) fn read(name: &str, text: &str, base: &Path) -> Result<Self, Complaints> {
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| Complaints(vec![syntax_complaint(name, text, &error)]))?;
        let mut reader = Reader { file: name, complaints: Vec::new() };
        let config = reader.config(table, base);
        if reader.complaints.is_empty() { Ok(config) } else { Err(Complaints(reader.complaints)) }
    }
}

fn syntax_complaint(name: &str, text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    format!("{name}: {line} 行目: TOML として読めません（{}）。", error.message().replace('\n', " "))
}

/// Takes keys out of tables; what is left over is unknown.
struct Reader<'a> {
    file: &'a str,
    complaints: Vec<String>,
}

impl Reader<'_> {
    fn config(&mut self, mut root: Table, base: &Path) -> Config {
        let mut config = Config::default();
        if let Some(path) = self.text(&mut root, "", "data_dir") {
            config.data_dir = base.join(path);
        }
        if let Some(zone) = self.text(&mut root, "", "zone") {
            config.zone = self.zone("zone", &zone).unwrap_or(config.zone);
        }
        self.site(&mut root, &mut config);
        config.pages = self.listener(&mut root, "pages", config.pages);
        self.refuse_open_pages(config.pages);
        self.syslog(&mut root, base, &mut config);
        config.context = self.context(&mut root, base);
        self.rules(&mut root, base, &mut config);
        config.sources = self.sources(&mut root);
        config.watch = self.watch(&mut root, base);
        self.retention(&mut root, &mut config);
        let known = ["data_dir", "zone", "site", "pages", "syslog", "context", "rules", "source", "watch", "retention"];
        self.leftovers("", &root, &known);
        config
    }

    fn site(&mut self, root: &mut Table, config: &mut Config) {
        let mut site = self.table(root, "", "site");
        if let Some(name) = self.text(&mut site, "site", "name") {
            config.hospital = name;
        }
        if let Some(edition) = self.text(&mut site, "site", "checklist") {
            if Edition::names().contains(&edition.as_str()) {
                config.checklist = edition;
            } else {
                self.complain(
                    "site.checklist",
                    &edition,
                    "という版はありません。\"R5\" \"R6\" \"R7\" のどれかを書いてください。",
                );
            }
        }
        self.leftovers("site", &site, &["name", "checklist"]);
    }

    fn context(&mut self, root: &mut Table, base: &Path) -> ContextPaths {
        let mut table = self.table(root, "", "context");
        let mut path = |key| self.text(&mut table, "context", key).map(|path| base.join(path));
        let (roster, allow, vendors, calendar) = (path("roster"), path("allow"), path("vendors"), path("calendar"));
        let (tickets, duty) = (path("tickets"), path("duty"));
        self.leftovers("context", &table, &["roster", "allow", "vendors", "calendar", "tickets", "duty"]);
        ContextPaths { roster, allow, vendors, calendar, tickets, duty }
    }

    fn rules(&mut self, root: &mut Table, base: &Path, config: &mut Config) {
        let mut table = self.table(root, "", "rules");
        config.sigma = self.sigma(&mut table, base);
        config.learning_days = self.learning_days(&mut table).unwrap_or(config.learning_days);
        self.leftovers("rules", &table, &["sigma", "learning_days"]);
    }

    fn learning_days(&mut self, table: &mut Table) -> Option<u32> {
        let value = table.remove("learning_days")?;
        let days = value.as_integer().and_then(|days| u32::try_from(days).ok());
        let days = days.filter(|days| LEARNING_DAYS_RANGE.contains(days));
        if days.is_none() {
            let (least, most) = (LEARNING_DAYS_RANGE.start(), LEARNING_DAYS_RANGE.end());
            let told = format!("は {least} から {most} までの日数で書いてください。");
            self.complain("rules.learning_days", &value.to_string(), &told);
        }
        days
    }

    fn sigma(&mut self, table: &mut Table, base: &Path) -> Vec<PathBuf> {
        let folders = match table.remove("sigma") {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => vec![other],
        };
        let mut paths = Vec::new();
        for folder in folders {
            match folder {
                Value::String(path) => paths.push(base.join(path)),
                other => self.complain(
                    "rules.sigma",
                    &other.to_string(),
                    "はフォルダ名ではありません。[\"フォルダ\"] の形で書いてください。",
                ),
            }
        }
        paths
    }

    fn watch(&mut self, root: &mut Table, base: &Path) -> Vec<WatchFolder> {
        let items = match root.remove("watch") {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => vec![other],
        };
        let mut folders = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let key = format!("watch[{index}]");
            match item {
                Value::Table(table) => folders.extend(self.watch_folder(&key, table, base)),
                other => {
                    self.complain(&key, &other.to_string(), "は表ではありません。[[watch]] の下に書いてください。");
                }
            }
        }
        folders
    }

    fn watch_folder(&mut self, key: &str, mut table: Table, base: &Path) -> Option<WatchFolder> {
        let folder = self.text(&mut table, key, "folder");
        let host = self.text(&mut table, key, "host").filter(|host| !host.trim().is_empty());
        let settle = self.seconds(&mut table, key, "settle_seconds").unwrap_or(DEFAULT_SETTLE);
        self.leftovers(key, &table, &["folder", "settle_seconds", "host"]);
        if folder.is_none() {
            self.complaints.push(format!("{}: {key}.folder: 監視するフォルダを書いてください。", self.file));
        }
        Some(WatchFolder { folder: base.join(folder?), settle, host })
    }

    fn seconds(&mut self, table: &mut Table, prefix: &str, key: &str) -> Option<Duration> {
        let value = table.remove(key)?;
        let seconds = value.as_integer().and_then(|seconds| u64::try_from(seconds).ok());
        let duration = seconds.map(Duration::from_secs).filter(|duration| SETTLE_RANGE.contains(duration));
        if duration.is_none() {
            self.complain(&join(prefix, key), &value.to_string(), "は 1 から 3600 までの秒数で書いてください。");
        }
        duration
    }

    fn listener(&mut self, parent: &mut Table, name: &str, default: Option<SocketAddr>) -> Option<SocketAddr> {
        self.nested_listener(parent, "", name, default)
    }

    fn nested_listener(
        &mut self,
        parent: &mut Table,
        prefix: &str,
        name: &str,
        default: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let mut table = self.table(parent, prefix, name);
        let path = join(prefix, name);
        let listen = self.text(&mut table, &path, "listen");
        self.leftovers(&path, &table, &["listen"]);
        self.address(&join(&path, "listen"), listen.as_deref(), default)
    }

    fn address(&mut self, key: &str, text: Option<&str>, default: Option<SocketAddr>) -> Option<SocketAddr> {
        match text {
            None => default,
            Some(OFF) => None,
            Some(text) => text.parse().ok().or_else(|| {
                self.complain(key, text, "は待ち受けるアドレスとして読めません。\"127.0.0.1:5514\" のように番号まで書くか、使わないなら \"off\" と書いてください。");
                default
            }),
        }
    }

    /// Cookies of pages beyond loopback need TLS, and passwords must not cross the hospital's network in the clear.
    fn refuse_open_pages(&mut self, pages: Option<SocketAddr>) {
        if let Some(address) = pages.filter(|address| !address.ip().is_loopback()) {
            self.complain(
                "pages.listen",
                &address.to_string(),
                "ではパスワードが平文で流れます。127.0.0.1 で待ち受け、外へは TLS の中継（リバースプロキシ）を置いてください。",
            );
        }
    }

    fn zone(&mut self, key: &str, text: &str) -> Option<Tz> {
        let zone = text.parse().ok();
        if zone.is_none() {
            self.complain(key, text, "という時間帯はありません。\"Asia/Tokyo\" か \"UTC\" のように書いてください。");
        }
        zone
    }

    fn table(&mut self, parent: &mut Table, prefix: &str, key: &str) -> Table {
        match parent.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                let path = join(prefix, key);
                self.complain(
                    &path,
                    &other.to_string(),
                    &format!("は表ではありません。[{path}] の下に書いてください。"),
                );
                Table::new()
            }
        }
    }

    fn text(&mut self, table: &mut Table, prefix: &str, key: &str) -> Option<String> {
        match table.remove(key)? {
            Value::String(text) => Some(text),
            other => {
                self.complain(
                    &join(prefix, key),
                    &other.to_string(),
                    "は文字列ではありません。\" \" で囲んで書いてください。",
                );
                None
            }
        }
    }

    fn leftovers(&mut self, prefix: &str, table: &Table, allowed: &[&str]) {
        for key in table.keys() {
            let allowed = allowed.join(" ");
            self.complaints.push(format!(
                "{}: {}: この項目はありません。書けるのは: {allowed}",
                self.file,
                join(prefix, key)
            ));
        }
    }

    fn complain(&mut self, key: &str, value: &str, what: &str) {
        let value = value.trim_matches('"');
        self.complaints.push(format!("{}: {key}: \"{value}\" {what}", self.file));
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Vec<String>> {
        Config::read("monban.toml", text, Path::new("/etc/monban")).map_err(|complaints| complaints.0)
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(read(""), Ok(Config::default()));
    }

    #[test]
    fn the_sample_is_the_default_and_names_every_key() {
        let sample = include_str!("../monban.sample.toml");
        let config = Config::read("monban.sample.toml", sample, Path::new("")).unwrap();
        let expected =
            Config { hospital: "○○病院".to_owned(), data_dir: PathBuf::from("monban-data"), ..Config::default() };
        assert_eq!(config, expected);
        for key in [
            "data_dir",
            "zone",
            "name",
            "checklist",
            "listen",
            "roster",
            "allow",
            "vendors",
            "calendar",
            "tickets",
            "duty",
            "sigma",
            "learning_days",
            "address",
            "host",
            "certificate",
            "encoding",
            "vendor",
            "folder",
            "settle_seconds",
            "host",
            "max_lines_per_second_per_source",
            "certificate",
            "key",
            "client_ca",
            "client_certificates",
            "searchable_months",
            "records_months",
            "reports_months",
        ] {
            let written =
                sample.lines().any(|line| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} =")));
            assert!(written, "{key}");
        }
    }

    #[test]
    fn everything_can_be_said() {
        let config = read(
            "data_dir = \"data\"\nzone = \"UTC\"\n[site]\nname = \"みなと\"\nchecklist = \"R7\"\n[pages]\nlisten = \"off\"\n\
             [syslog.udp]\nlisten = \"0.0.0.0:514\"\n[syslog.tcp]\nlisten = \"off\"\n[context]\nroster = \"roster.csv\"\n\
             [rules]\nsigma = [\"/opt/sigma\", \"more\"]\nlearning_days = 30\n[[watch]]\nfolder = \"drop\"\n[[watch]]\nfolder = \"/srv/logs\"\n\
             settle_seconds = 60\nhost = \"gw01\"\n",
        )
        .unwrap();
        let drop = WatchFolder { folder: "/etc/monban/drop".into(), settle: DEFAULT_SETTLE, host: None };
        let minute = Duration::from_mins(1);
        let logs = WatchFolder { folder: "/srv/logs".into(), settle: minute, host: Some("gw01".to_owned()) };
        assert_eq!(config.watch, [drop, logs]);
        assert_eq!(config.data_dir, Path::new("/etc/monban/data"));
        assert_eq!((config.pages, config.syslog_tcp), (None, None));
        assert_eq!(config.syslog_udp, "0.0.0.0:514".parse().ok());
        assert_eq!(config.context.roster.as_deref(), Some(Path::new("/etc/monban/roster.csv")));
        assert_eq!(config.sigma, [Path::new("/opt/sigma"), Path::new("/etc/monban/more")]);
        assert_eq!((config.zone, config.learning_days), (Tz::UTC, 30));
    }

    #[test]
    fn days_of_learning_have_bounds() {
        for days in ["91", "-1", "\"14\""] {
            let complaints = read(&format!("[rules]\nlearning_days = {days}")).unwrap_err();
            assert!(
                complaints[0].contains("rules.learning_days") && complaints[0].contains("0 から 90"),
                "{complaints:?}"
            );
        }
        assert_eq!(read("[rules]\nlearning_days = 0").unwrap().learning_days, 0);
    }

    #[test]
    fn all_complaints_come_at_once() {
        let complaints = read(
            "dat_dir = \"x\"\nzone = \"Mars/Base\"\nsyslog = 3\n[site]\nchecklist = \"R1\"\nname = 5\n[pages]\nlisten = \"8080\"\n[context]\nrooster = \"a\"\n",
        )
        .unwrap_err();
        let keys: Vec<&str> = complaints.iter().filter_map(|line| line.split(": ").nth(1)).collect();
        assert_eq!(
            keys,
            ["zone", "site.name", "site.checklist", "pages.listen", "syslog", "context.rooster", "dat_dir"]
        );
        assert!(complaints.iter().all(|line| line.starts_with("monban.toml: ")), "{complaints:?}");
    }

    #[test]
    fn complaints_about_watched_folders() {
        let complaints = read("watch = 3")
            .unwrap_err()
            .into_iter()
            .chain(read("[[watch]]\nsettle_seconds = 0\nhst = \"x\"").unwrap_err());
        let keys: Vec<String> = complaints.filter_map(|line| Some(line.split(": ").nth(1)?.to_owned())).collect();
        assert_eq!(keys, ["watch[0]", "watch[0].settle_seconds", "watch[0].hst", "watch[0].folder"]);
    }

    #[test]
    fn pages_beyond_loopback_are_refused_without_tls() {
        assert_eq!(read("[pages]\nlisten = \"0.0.0.0:8080\"").unwrap_err().len(), 1);
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let complaints = read("[site]\nname = \n").unwrap_err();
        assert!(complaints[0].starts_with("monban.toml: 2 行目"), "{complaints:?}");
    }
}
