//! The sentences on the first page: one fact each, zeros with what they are zero of, and never a verdict. A month whose
//! collection was not complete is described as what was looked at, not as free of anything.

use crate::model::{Amount, AuditSummary, Figure};
use crate::wording;

pub(crate) fn sentences(summary: &AuditSummary) -> Vec<String> {
    let mut list = Vec::new();
    if summary.header.unfinished {
        list.push("対象の月が終わっていないため、作成日時までの途中の数字です。".to_owned());
    }
    list.extend([collected(summary), found(summary)]);
    list.extend(not_allowed(summary));
    list.extend(retired(summary));
    list.push(silences(summary));
    list.push(unparsed(summary));
    list.extend(expiring(summary));
    list
}

fn figure<'a>(summary: &'a AuditSummary, id: &str) -> Option<&'a Figure> {
    summary.figures.iter().find(|figure| figure.id == id)
}

fn number(summary: &AuditSummary, id: &str) -> u64 {
    match figure(summary, id).and_then(|figure| figure.value) {
        Some(Amount::Whole(number)) => number,
        _ => 0,
    }
}

fn collected(summary: &AuditSummary) -> String {
    let logins = number(summary, "N08") + number(summary, "N09");
    format!(
        "{} 台の機器から {} 件のログを収集し、ログイン {} 件（成功 {}・失敗 {}）を点検しました。",
        wording::count(number(summary, "N02")),
        wording::count(number(summary, "N01")),
        wording::count(logins),
        wording::count(number(summary, "N08")),
        wording::count(number(summary, "N09")),
    )
}

fn found(summary: &AuditSummary) -> String {
    let all = summary.findings.len() as u64;
    if all == 0 {
        let logins = number(summary, "N08") + number(summary, "N09");
        return format!("点検した範囲（ログイン {} 件）では、検知は 0 件でした。", wording::count(logins));
    }
    let judged: Vec<_> = summary.findings.iter().filter(|line| line.needs_person).collect();
    let open = judged.iter().filter(|line| line.waits()).count() as u64;
    let tail = match (judged.len(), open) {
        (0, _) => "いずれも、人の判断を要しない重大度か、登録した例外に当たるものでした。".to_owned(),
        (_, 0) => "すべて確認を終えています。".to_owned(),
        (_, open) => format!("うち {} 件は確認または対応が終わっていません。", wording::count(open)),
    };
    let classified = summary.findings.iter().filter(|line| line.classified.is_some()).count() as u64;
    let excepted = match classified {
        0 => String::new(),
        some => format!("登録した例外により {} 件を自動分類しました（付録B）。", wording::count(some)),
    };
    let (all, judged) = (wording::count(all), wording::count(judged.len() as u64));
    format!("検知は {all} 件で、人の判断が必要なものは {judged} 件でした。{tail}{excepted}")
}

/// Whoever answers for an exception has to know before it ends.
fn expiring(summary: &AuditSummary) -> Option<String> {
    let soon: Vec<&str> =
        summary.exceptions.iter().filter(|line| line.expires_soon).map(|line| line.id.as_str()).collect();
    (!soon.is_empty()).then(|| {
        format!(
            "30 日以内に期限の切れる例外が {} 件あります（{}）。期限を過ぎると、当たる検知はまた人の判断が必要になります。",
            wording::count(soon.len() as u64),
            soon.join("、")
        )
    })
}

fn not_allowed(summary: &AuditSummary) -> Option<String> {
    let figure = figure(summary, "N15")?;
    Some(match figure.value {
        Some(value) => format!(
            "許可した接続元以外からのログインの成功は {} 件でした（ログイン成功 {} 件のうち）。",
            value.text(),
            wording::count(number(summary, "N08"))
        ),
        None => "許可した接続元以外からの接続は検知不可です（許可一覧が未登録）。".to_owned(),
    })
}

fn retired(summary: &AuditSummary) -> Option<String> {
    let figure = figure(summary, "N19")?;
    Some(match figure.value {
        Some(value) => format!("退職日より後のログインの成功は {} 件でした。", value.text()),
        None => "退職者のアカウントの利用は検知不可です（名簿が未登録）。".to_owned(),
    })
}

fn silences(summary: &AuditSummary) -> String {
    let silent: Vec<_> = summary.sources.iter().filter(|line| !line.silences.is_empty()).collect();
    let watched = summary.sources.iter().filter(|line| line.origin != "import").count() as u64;
    let Some(first) = silent.first() else {
        return format!("ログが途切れた機器は 0 台でした（対象 {} 台）。", wording::count(watched));
    };
    let when = first.silences.first().map_or_else(String::new, crate::model::SilenceLine::text);
    let others = match silent.len() {
        1 => String::new(),
        more => format!("、ほか {} 台", more - 1),
    };
    format!("ログが途切れた機器は {} 台です。{} {when}{others}。", silent.len(), first.name)
}

fn unparsed(summary: &AuditSummary) -> String {
    format!(
        "形式を読み取れなかったログは {} 件でした（収集 {} 件のうち）。原ログはすべて保管しています。",
        wording::count(number(summary, "N06")),
        wording::count(number(summary, "N01"))
    )
}
