//! One audit, top to bottom.

use chrono::{DateTime, Utc};
use monban_event::act::ContextName;
use monban_event::query::Query;
use monban_event::store::StoreError;
use monban_event::time::Month;
use monban_event::{EventStore, FindingStatus, Severity, TimeRange, VpnSession};
use monban_index::journal::{JournalError, Receipt};
use monban_index::ledger::{Ledger, LedgerError, LedgerReader};

use crate::checklist::Edition;
use crate::conclusion;
use crate::exceptions;
use crate::figures::{self, Counter, Known};
use crate::model::{
    Amount, AuditSummary, CarryOver, Comparison, Figure, FindingLine, Header, Part, SourceLine, Undetectable,
    VpnClassLine,
};
use crate::policies::{self, Diagnosis, PolicyStanding, Standing};
use crate::tables::{self, Coverage, Span};
use crate::wording;

/// Reads a query of our own language; `None` when it is not one.
pub type ParseQuery<'a> = dyn Fn(&str, DateTime<Utc>) -> Option<Query> + 'a;

/// What the hospital is called and which checklist it answers.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    pub hospital: String,
    pub edition: Edition,
    /// What the last signature of the month vouches for: it stands on the paper.
    pub receipt: Option<Receipt>,
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("count \"{text}\"")]
    Count { text: String, source: StoreError },
    #[error("\"{text}\" is not a query of this program")]
    Query { text: String },
    #[error("look at what came of each audit policy")]
    Policies(#[source] StoreError),
    #[error("read the ledger for an audit")]
    Ledger(#[from] LedgerError),
    #[error("read the journal's proofs")]
    Journal(#[from] JournalError),
    #[error("render the sheets")]
    Render(#[from] askama::Error),
}

/// The audit of `month` as known at `now`. The same store, ledger and `now` give the same bytes.
pub fn summarize(
    store: &dyn EventStore,
    ledger: &Ledger,
    parse: &ParseQuery<'_>,
    month: Month,
    settings: &AuditSettings,
    now: DateTime<Utc>,
) -> Result<AuditSummary, AuditError> {
    let reader = ledger.read()?;
    let counter = Counter { store, parse, range: month.range(), now };
    let before = Counter { store, parse, range: month.previous().range(), now };
    let span = Span::of(month, now);
    let known = known(&reader)?;
    let (sources, coverage) = tables::sources(&counter, &reader, month, span)?;
    let sessions = reader.sessions(month.range())?;
    let vpn_by_class = tables::vpn_by_class(&sessions, span);
    let (findings, carry_over) = tables::findings(&reader, span, now)?;
    let mut figures = event_figures(&counter, known)?;
    figures.extend(ledger_figures(&sources, coverage, &vpn_by_class, &findings, carry_over));
    figures.sort_by_key(|figure| figure.id);
    let previous = compare(&figures, &before, known)?;
    let so_far = TimeRange { to: month.range().to.map(|end| end.min(now)), ..month.range() };
    let audits = policies::diagnose(store, so_far, true).map_err(AuditError::Policies)?;
    let mut summary = AuditSummary {
        header: header(&reader, month, settings, now)?,
        conclusion: Vec::new(),
        figures,
        previous,
        sources,
        logins_by_class: tables::logins_by_class(&counter)?,
        logins_by_kind: tables::logins_by_kind(&counter)?,
        vpn_by_class,
        findings,
        carry_over,
        exceptions: exceptions::exceptions(&reader, span)?,
        disasters: exceptions::disasters(&reader, span)?,
        trail: tables::trail(&reader, month.range())?,
        undetectable: undetectable(known, &sessions, &audits),
    };
    summary.conclusion = conclusion::sentences(&summary);
    Ok(summary)
}

fn known(reader: &LedgerReader<'_>) -> Result<Known, AuditError> {
    let has = |name| reader.context(name).map(|found| found.is_some());
    Ok(Known { roster: has(ContextName::Roster)?, allow_list: has(ContextName::Allow)? })
}

fn header(
    reader: &LedgerReader<'_>,
    month: Month,
    settings: &AuditSettings,
    now: DateTime<Utc>,
) -> Result<Header, AuditError> {
    let epoch = tables::epoch(reader)?;
    Ok(Header {
        hospital: settings.hospital.clone(),
        period: month.to_string(),
        period_ja: wording::era_period(month),
        from: month.start(),
        to: month.next().start(),
        created: now,
        unfinished: now < month.next().start(),
        cut_off_position: reader.position()?.0,
        report_number: format!("ALR-{month}-01"),
        program_version: epoch.as_ref().map(|(program, _)| program.clone()),
        rule_set_version: epoch.map(|(_, rules)| rules),
        checklist: settings.edition.clone(),
        receipt: settings.receipt.clone(),
    })
}

fn event_figures(counter: &Counter<'_>, known: Known) -> Result<Vec<Figure>, AuditError> {
    let received = figures::received(counter)?;
    let success = figures::login_success(counter)?;
    Ok(vec![
        figures::unparsed(counter, whole(&received))?,
        figures::login_failure(counter)?,
        figures::after_hours(counter, whole(&success))?,
        figures::not_allowed(counter, known)?,
        figures::retired(counter, known)?,
        received,
        success,
    ])
}

fn whole(figure: &Figure) -> u64 {
    match figure.value {
        Some(Amount::Whole(number)) => number,
        _ => 0,
    }
}

/// The event figures again, a month earlier; nothing where that month has no records, because a zero of a month before
/// the beginning would read as a quiet one.
fn compare(current: &[Figure], before: &Counter<'_>, known: Known) -> Result<Vec<Comparison>, AuditError> {
    let previous = event_figures(before, known)?;
    if previous.iter().any(|figure| figure.id == "N01" && whole(figure) == 0) {
        return Ok(Vec::new());
    }
    let pair = |figure: &Figure| {
        let earlier = previous.iter().find(|earlier| earlier.id == figure.id)?;
        Some(Comparison {
            id: figure.id,
            name_ja: figure.name_ja,
            unit: figure.unit,
            current: figure.value,
            previous: earlier.value,
        })
    };
    Ok(current.iter().filter_map(pair).collect())
}

fn plain(
    id: &'static str,
    name_ja: &'static str,
    value: u64,
    unit: &'static str,
    definition_ja: &'static str,
) -> Figure {
    let value = Some(Amount::Whole(value));
    Figure { id, name_ja, value, unit, parts: Vec::new(), definition_ja, query: None, note: None }
}

fn part(label_ja: impl Into<String>, value: u64, unit: &'static str) -> Part {
    Part { label_ja: label_ja.into(), value: Amount::Whole(value), unit }
}

fn ledger_figures(
    sources: &[SourceLine],
    coverage: Coverage,
    vpn: &[VpnClassLine],
    findings: &[FindingLine],
    carry: CarryOver,
) -> [Figure; 7] {
    [
        source_figure(sources),
        coverage_figure(coverage),
        silence_figure(coverage),
        vpn_figure(vpn),
        finding_figure(findings),
        judgement_figure(findings),
        status_figure(findings, carry),
    ]
}

fn source_figure(sources: &[SourceLine]) -> Figure {
    let definition =
        "期間の終わりまでに記録のあった機器の数。収集中は、期間内に 1 件以上の記録があり、月末に途絶していない機器";
    let mut figure = plain("N02", "対象機器数", sources.len() as u64, "台", definition);
    let count = |test: fn(&SourceLine) -> bool| sources.iter().filter(|line| test(line)).count() as u64;
    figure.parts = vec![part("収集中", count(|line| line.collecting), "台")];
    let unlisted = count(|line| !line.listed);
    if unlisted > 0 {
        figure.note = Some(format!("うち {unlisted} 台はログリストに名前が登録されていません。"));
    }
    figure
}

fn coverage_figure(coverage: Coverage) -> Figure {
    let definition =
        "（途絶していない時間 ÷ 対象の時間）×100。小数第 2 位以下切り捨て。ファイルで取り込んだ機器は含まない";
    let mut figure = plain("N03", "収集率", 0, "%", definition);
    let covered = coverage.scope_seconds.saturating_sub(coverage.silent_seconds);
    figure.value = (covered * 1000).checked_div(coverage.scope_seconds).map(Amount::Tenths);
    if figure.value.is_none() {
        figure.note = Some("自分でログを送ってくる機器がまだありません。".to_owned());
    }
    figure
}

fn silence_figure(coverage: Coverage) -> Figure {
    let definition = "機器ごとのふだんの間隔を超えて記録が届かなかった区間。最後の記録から次の記録まで";
    let mut figure = plain("N04", "途絶", coverage.silences, "回", definition);
    figure.parts = vec![part("合計", coverage.silent_seconds / 60, "分")];
    figure
}

fn vpn_figure(vpn: &[VpnClassLine]) -> Figure {
    let definition = "期間内に始まった VPN 接続。開始と終了の記録を組にしたもの。通信量は病院から見た向き";
    let sum = |value: fn(&VpnClassLine) -> u64| vpn.iter().map(value).sum::<u64>();
    let mut figure = plain("N14", "VPN接続", sum(|line| line.sessions), "回", definition);
    figure.parts = vec![
        part("合計時間", sum(|line| line.seconds_total) / 60, "分"),
        part("院内へ", sum(|line| line.bytes_in), "バイト"),
        part("院外へ", sum(|line| line.bytes_out), "バイト"),
        part("終了不明", sum(|line| line.open), "回"),
    ];
    figure
}

fn finding_figure(findings: &[FindingLine]) -> Figure {
    let definition = "期間内に初めて現れた検知（同じルール・主体・対象は正午から正午までを 1 件にまとめる）";
    let mut figure = plain("N24", "検知件数", findings.len() as u64, "件", definition);
    let of = |severity: Severity| findings.iter().filter(|line| line.severity == severity.as_str()).count() as u64;
    figure.parts =
        Severity::ALL.into_iter().rev().map(|severity| part(severity.japanese(), of(severity), "件")).collect();
    figure
}

fn judgement_figure(findings: &[FindingLine]) -> Figure {
    let definition = "N24 のうち、人の判断を要するもの（中以上の重大度で、登録した例外に当たらないもの）。自動分類は、例外に当たるものと、低・情報の重大度のもの";
    let of = |test: fn(&FindingLine) -> bool| findings.iter().filter(|line| test(line)).count() as u64;
    let mut figure = plain("N25", "要判断件数", of(|line| line.needs_person), "件", definition);
    figure.parts = vec![
        part("自動分類", of(|line| !line.needs_person), "件"),
        part("うち例外", of(|line| line.classified.is_some()), "件"),
    ];
    figure
}

fn status_figure(findings: &[FindingLine], carry: CarryOver) -> Figure {
    let definition = "未処理（未確認・要対応）で次月に繰り越した検知。前月繰越＋発生−完了＝次月繰越。内訳は N24 の検知の、作成日時での状態";
    let mut figure = plain("N27", "次月繰越", carry.carried_out, "件", definition);
    let of = |status: FindingStatus| findings.iter().filter(|line| line.status == status).count() as u64;
    figure.parts = FindingStatus::decided().map(|status| part(status.japanese(), of(status), "件")).collect();
    figure
}

/// Names of machines on the sheet; the page of the diagnosis names all.
const MACHINES_NAMED: usize = 5;

/// What is not recorded can neither be found nor looked up.
fn blind(standing: &PolicyStanding) -> Option<Undetectable> {
    let machines = standing.on(Standing::Off);
    let named: Vec<&str> = machines.iter().take(MACHINES_NAMED).copied().collect();
    let more = if machines.len() > named.len() { format!("ほか計 {} 台", machines.len()) } else { String::new() };
    (!machines.is_empty()).then(|| Undetectable {
        what_ja: format!("「{}」の監査の記録に頼る検知（{}{more}）", standing.policy.title(), named.join("、")),
        reason_ja: format!(
            "Windows の監査ポリシー「{}」が切られているとみられます。設定のしかたは「監査ポリシー診断」の画面にあります。",
            standing.policy.path
        ),
    })
}

fn undetectable(known: Known, sessions: &[VpnSession], audits: &Diagnosis) -> Vec<Undetectable> {
    let entry = |what: &str, reason: &str| Undetectable { what_ja: what.to_owned(), reason_ja: reason.to_owned() };
    let mut list = Vec::new();
    if !known.roster {
        list.push(entry(
            "退職者・名簿にないアカウント・長期未使用のアカウントの利用",
            "職員・アカウント名簿が登録されていません。",
        ));
    }
    if !known.allow_list {
        list.push(entry("許可した接続元以外からの接続", "許可した接続元の一覧が登録されていません。"));
    }
    if sessions.is_empty() {
        list.push(entry(
            "VPN の接続時間と通信量",
            "期間内に VPN 接続の開始の記録がありません。VPN 装置がログを送っているかを確認してください。",
        ));
    }
    list.extend(audits.policies.iter().filter_map(blind));
    list.push(entry(
        "電子カルテの中で開いた診療録",
        "VPN 装置と Windows のログには記録されません。電子カルテの操作履歴で確認してください。",
    ));
    list
}
