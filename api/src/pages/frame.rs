//! What surrounds every page: the menu of what this person may open, the hospital's name, the time, the way out.

use monban_audit::wording;
use monban_event::TimeRange;

use crate::app::Visit;
use crate::auth::role::Scope;
use crate::problem::Problem;

/// The pages of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Dashboard,
    Search,
    Findings,
    Exceptions,
    Sources,
    Audits,
    Trail,
    Health,
}

const MENU: [(Page, &str, &str, Scope); 8] = [
    (Page::Dashboard, "/", "ダッシュボード", Scope::FindingsRead),
    (Page::Search, "/search", "検索", Scope::EventsRead),
    (Page::Findings, "/findings", "検知", Scope::FindingsRead),
    (Page::Exceptions, "/exceptions", "例外と災害モード", Scope::FindingsRead),
    (Page::Sources, "/sources", "機器とログ一覧", Scope::InventoryRead),
    (Page::Audits, "/audits", "月次監査", Scope::AuditsRead),
    (Page::Trail, "/trail", "監査証跡", Scope::AuditsRead),
    (Page::Health, "/health", "健全性", Scope::InventoryRead),
];

pub(crate) struct Entry {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
    /// A number that wants attention, with what it counts.
    pub(crate) badge: Option<(String, &'static str)>,
    /// A line above it.
    pub(crate) parted: bool,
}

pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) hospital: String,
    pub(crate) now_text: String,
    pub(crate) now_iso: String,
    pub(crate) who: String,
    pub(crate) role: &'static str,
    pub(crate) menu: Vec<Entry>,
    /// Machines have no session to leave.
    pub(crate) may_leave: bool,
}

impl Frame {
    pub(crate) fn of(visit: &Visit, title: &str, page: Page) -> Result<Self, Problem> {
        let now = visit.app.now();
        let entries = MENU.into_iter().filter(|(_, _, _, scope)| visit.who.may(*scope));
        let mut menu = Vec::new();
        for (entry, href, label, _) in entries {
            let parted = matches!(entry, Page::Audits | Page::Trail);
            menu.push(Entry { href, label, current: entry == page, badge: badge(visit, entry)?, parted });
        }
        Ok(Self {
            title: title.to_owned(),
            hospital: visit.app.services.settings.hospital.clone(),
            now_text: format!("{} JST", wording::stamp(now).rsplit_once(':').map_or("", |(minute, _)| minute)),
            now_iso: wording::iso(now),
            who: visit.who.display.clone(),
            role: visit.who.role.map_or("トークン", crate::auth::role::Role::japanese),
            menu,
            may_leave: visit.who.session.is_some(),
        })
    }
}

fn badge(visit: &Visit, page: Page) -> Result<Option<(String, &'static str)>, Problem> {
    let (count, what) = match page {
        Page::Findings => (visit.app.ledger()?.finding_counts()?.first().copied().unwrap_or(0), "未確認"),
        Page::Sources => {
            let now = visit.app.now();
            let silences = visit.app.ledger()?.silences(TimeRange { from: Some(now), to: None })?;
            (silences.iter().filter(|silence| silence.ended.is_none()).count() as u64, "停止")
        }
        _ => (0, ""),
    };
    Ok((count > 0).then(|| (wording::count(count), what)))
}
