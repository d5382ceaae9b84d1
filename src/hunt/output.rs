//! The forms in which a hunt's results leave it, but for the page: text for people, JSON lines for programs, CSV for
//! spreadsheets.

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use monban_detect::RuleHit;
use monban_event::time::jst_text;
use monban_event::{Event, Field, Finding};
use monban_index::export::{Columns, csv_line};
use monban_ingest::file::InputFile;
use serde_json::{Map, Value};

use super::Show;
use super::evidence::Places;
use super::page::Page;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Text,
    Jsonl,
    /// 表計算ソフト用（UTF-8、見出しつき）
    Csv,
    /// ブラウザで開く報告書。検知・根拠・ログオン・イベントの種類を一つのファイルにまとめる
    Html,
}

/// What the output shows of the event that matched.
const SHOWN: [Field; 6] =
    [Field::FilePath, Field::EventTime, Field::Code, Field::HostName, Field::UserName, Field::SourceIp];

/// The same in a spreadsheet, where there is room.
const COLUMNS: &str = "日時,機器,利用者,操作,結果,接続元,番号,本文,log.file.path,winlog.record_id";
const MATCH_HEADS: [&str; 13] = [
    "重大度",
    "ルール",
    "題名",
    "日時",
    "機器",
    "利用者",
    "操作",
    "結果",
    "接続元",
    "番号",
    "本文",
    "ファイル",
    "記録番号",
];
const FINDING_HEADS: [&str; 12] =
    ["重大度", "ルール", "版", "題名", "対象", "相手", "件数", "最初", "最後", "説明", "ファイル", "id"];

pub(super) struct Output<'a> {
    form: Form,
    columns: Columns,
    writer: BufWriter<&'a mut dyn Write>,
}

impl<'a> Output<'a> {
    pub(super) fn new(form: Form, writer: &'a mut dyn Write) -> Self {
        let columns = Columns::read(COLUMNS).expect("these columns are all known");
        Self { form, columns, writer: BufWriter::new(writer) }
    }

    /// What stands before the first match or finding.
    pub(super) fn begin(&mut self, show: Show) -> io::Result<()> {
        match (self.form, show) {
            (Form::Csv, Show::EachMatch) => self.heads(&MATCH_HEADS),
            (Form::Csv, Show::Findings) => self.heads(&FINDING_HEADS),
            _ => Ok(()),
        }
    }

    fn heads(&mut self, heads: &[&str]) -> io::Result<()> {
        let heads = heads.iter().map(|&head| head.to_owned()).collect();
        self.csv(&crate::search::with_mark(heads))
    }

    fn csv(&mut self, cells: &[String]) -> io::Result<()> {
        self.writer.write_all(csv_line(cells).as_bytes())
    }

    pub(super) fn matched(&mut self, hit: &RuleHit, event: &Event) -> io::Result<()> {
        if self.form == Form::Csv {
            let rule = [hit.severity.japanese(), hit.rule.as_str(), &hit.title].map(str::to_owned);
            return self.csv(&[&rule[..], &self.columns.cells(event)].concat());
        }
        let mut object = Map::new();
        object.insert("rule.id".to_owned(), hit.rule.as_str().into());
        object.insert("rule.title".to_owned(), hit.title.clone().into());
        object.insert("severity".to_owned(), hit.severity.as_str().into());
        for field in SHOWN {
            if let Some(value) = event.get(field) {
                object.insert(field.name().to_owned(), value.to_json());
            }
        }
        if self.form == Form::Jsonl {
            return writeln!(self.writer, "{}", Value::Object(object));
        }
        let words = object.values().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        writeln!(self.writer, "{}", plain(&words.collect::<Vec<_>>().join("  ")))
    }

    pub(super) fn findings(&mut self, findings: &[Finding], places: &Places, files: &[InputFile]) -> io::Result<()> {
        for finding in findings {
            let file = finding.evidence.first().and_then(|event| places.of(event.record));
            let file = file.and_then(|(file, _)| files.get(file)).map_or("", |file| file.shown.as_str());
            match self.form {
                Form::Jsonl => writeln!(self.writer, "{}", serde_json::to_string(finding)?)?,
                Form::Csv => self.csv(&finding_cells(finding, file))?,
                Form::Text | Form::Html => self.finding_text(finding, file)?,
            }
        }
        Ok(())
    }

    fn finding_text(&mut self, finding: &Finding, file: &str) -> io::Result<()> {
        writeln!(
            self.writer,
            "【{}】{}  {}  {} 件  {} 〜 {}\n    {}\n    根拠: {}",
            finding.severity.japanese(),
            plain(&finding.rule_title),
            plain(&finding.subject),
            finding.count,
            jst_text(finding.first),
            jst_text(finding.last),
            plain(&finding.summary),
            plain(file),
        )
    }

    /// A table in the form that is asked for: `rows` for people and spreadsheets, `objects` for programs.
    pub(super) fn table<const N: usize>(
        &mut self,
        heads: &[&str; N],
        rows: &[[String; N]],
        objects: &[Value],
    ) -> io::Result<()> {
        match self.form {
            Form::Jsonl => objects.iter().try_for_each(|object| writeln!(self.writer, "{object}")),
            Form::Csv => {
                self.heads(heads)?;
                rows.iter().try_for_each(|row| self.csv(row))
            }
            Form::Text | Form::Html => {
                let head = heads.iter().map(|&head| head.to_owned()).collect();
                let rows = std::iter::once(head).chain(rows.iter().map(|row| row.to_vec())).collect::<Vec<_>>();
                crate::search::table(&rows).iter().try_for_each(|line| writeln!(self.writer, "{line}"))
            }
        }
    }

    pub(super) fn page(&mut self, page: &Page<'_>) -> io::Result<()> {
        page.write_to(&mut self.writer)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// On one line, and without what a terminal would take for a command.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

fn finding_cells(finding: &Finding, file: &str) -> [String; 12] {
    [
        finding.severity.japanese().to_owned(),
        finding.rule_id.to_string(),
        finding.rule_version.clone(),
        finding.rule_title.clone(),
        finding.subject.clone(),
        finding.object.clone(),
        finding.count.to_string(),
        jst_text(finding.first),
        jst_text(finding.last),
        finding.summary.clone(),
        file.to_owned(),
        finding.id.to_string(),
    ]
}
