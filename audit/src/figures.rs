//! The figures that count events. Each is one query of our own language, asked once over the period; the text of that
//! query is what the page links to, so a reader who follows the link sees the number again.

use chrono::{DateTime, Utc};
use monban_event::event::Field;
use monban_event::query::Query;
use monban_event::{EventStore, TimeRange};

use crate::model::{Amount, Figure, Part};
use crate::summarize::{AuditError, ParseQuery};
use crate::wording;

pub(crate) const ALL: &str = "*";
pub(crate) const UNPARSED: &str = "parse.status:raw";
pub(crate) const SUCCESS: &str = "monban.login:success";
pub(crate) const FAILURE: &str = "monban.login:failure";
pub(crate) const AFTER_HOURS: &str = "monban.login:success AND monban.after_hours:true";
const HOURS_KNOWN: &str = "monban.login:success AND monban.after_hours:*";
const NOT_ALLOWED: &str = "monban.login:success AND monban.login_kind:(vpn OR device) AND monban.allow_list_known:true AND monban.allow_listed:false";
const RETIRED: &str = "monban.login:success AND monban.account_state:retired";

/// Values of a field asked for in one table; a hospital has some dozens of sources and a dozen classes.
pub(crate) const TOP_MAX: usize = 1000;

/// The store, the language and the period of one audit.
pub(crate) struct Counter<'a> {
    pub(crate) store: &'a dyn EventStore,
    pub(crate) parse: &'a ParseQuery<'a>,
    pub(crate) range: TimeRange,
    pub(crate) now: DateTime<Utc>,
}

impl Counter<'_> {
    pub(crate) fn query(&self, text: &str) -> Result<Query, AuditError> {
        (self.parse)(text, self.now).ok_or_else(|| AuditError::Query { text: text.to_owned() })
    }

    pub(crate) fn count(&self, text: &str) -> Result<u64, AuditError> {
        let query = self.query(text)?;
        self.store.count(&query, self.range).map_err(|source| AuditError::Count { text: text.to_owned(), source })
    }

    /// Value and count, as the store orders them.
    pub(crate) fn top(&self, text: &str, field: Field) -> Result<Vec<(String, u64)>, AuditError> {
        let query = self.query(text)?;
        let top = self
            .store
            .top(&query, self.range, field, TOP_MAX)
            .map_err(|source| AuditError::Count { text: text.to_owned(), source })?;
        Ok(top.values)
    }
}

/// What the hospital has told us; without it some figures cannot be found out.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) roster: bool,
    pub(crate) allow_list: bool,
}

fn figure(id: &'static str, name_ja: &'static str, value: u64, definition_ja: &'static str, query: &str) -> Figure {
    Figure {
        id,
        name_ja,
        value: Some(Amount::Whole(value)),
        unit: "件",
        parts: Vec::new(),
        definition_ja,
        query: Some(query.to_owned()),
        note: None,
    }
}

pub(crate) fn received(counter: &Counter<'_>) -> Result<Figure, AuditError> {
    let definition = "期間内の時刻を持つ、保管されたログの件数（重複して届いた同じイベントは除く）";
    Ok(figure("N01", "収集件数", counter.count(ALL)?, definition, ALL))
}

pub(crate) fn unparsed(counter: &Counter<'_>, received: u64) -> Result<Figure, AuditError> {
    let definition = "原ログは保管したが、形式を読み取れなかったログの件数";
    let count = counter.count(UNPARSED)?;
    let mut figure = figure("N06", "解析不能", count, definition, UNPARSED);
    let permille = (count * 1000).checked_div(received).unwrap_or(0);
    figure.parts =
        vec![Part { label_ja: "収集件数に対して".to_owned(), value: Amount::Tenths(permille), unit: "%" }];
    Ok(figure)
}

pub(crate) fn login_success(counter: &Counter<'_>) -> Result<Figure, AuditError> {
    let definition = "ログインの成功。Windows は種別 2・3・7・8・9・10・11（コンピューターアカウントと匿名を除く）、\
                      VPN は接続の確立、装置は管理画面へのログイン。同じ試みの重ねての記録は数えない";
    let mut figure = figure("N08", "ログイン成功", counter.count(SUCCESS)?, definition, SUCCESS);
    figure.parts = kinds(&counter.top(SUCCESS, Field::LoginKind)?);
    Ok(figure)
}

pub(crate) fn login_failure(counter: &Counter<'_>) -> Result<Figure, AuditError> {
    let definition = "ログインの失敗。同じ試みがドメインコントローラーとサーバの両方に記録された場合は 1 件と数える";
    let mut figure = figure("N09", "ログイン失敗", counter.count(FAILURE)?, definition, FAILURE);
    figure.parts = kinds(&counter.top(FAILURE, Field::LoginKind)?);
    Ok(figure)
}

fn kinds(values: &[(String, u64)]) -> Vec<Part> {
    let part = |(kind, count): &(String, u64)| Part {
        label_ja: wording::login_kind(kind).to_owned(),
        value: Amount::Whole(*count),
        unit: "件",
    };
    values.iter().map(part).collect()
}

pub(crate) fn after_hours(counter: &Counter<'_>, successes: u64) -> Result<Figure, AuditError> {
    let definition = "N08 のうち、診療時間（病院カレンダー）の外のもの";
    let mut figure = figure("N11", "時間外ログイン", counter.count(AFTER_HOURS)?, definition, AFTER_HOURS);
    let judged = counter.count(HOURS_KNOWN)?;
    if judged == 0 && successes > 0 {
        figure.value = None;
        figure.note = Some("時間内か時間外かを判定できたログインがありません。".to_owned());
    } else if judged < successes {
        let rest = wording::count(successes - judged);
        figure.note = Some(format!("{rest} 件は時間内か時間外かを判定できていません。"));
    }
    Ok(figure)
}

pub(crate) fn not_allowed(counter: &Counter<'_>, known: Known) -> Result<Figure, AuditError> {
    let definition = "許可した接続元の一覧にない接続元からの、VPN と装置の管理画面へのログインの成功";
    let count = counter.count(NOT_ALLOWED)?;
    let mut figure = figure("N15", "許可外からの成功", count, definition, NOT_ALLOWED);
    if !known.allow_list && count == 0 {
        figure.value = None;
        figure.note = Some("許可した接続元の一覧が登録されていません。".to_owned());
    }
    Ok(figure)
}

pub(crate) fn retired(counter: &Counter<'_>, known: Known) -> Result<Figure, AuditError> {
    let definition = "名簿の退職日（当日を含む）より後のログインの成功";
    let count = counter.count(RETIRED)?;
    let mut figure = figure("N19", "退職者のログイン成功", count, definition, RETIRED);
    if !known.roster && count == 0 {
        figure.value = None;
        figure.note = Some("職員・アカウント名簿が登録されていません。".to_owned());
    }
    Ok(figure)
}
