//! `monban rules explain`: a rule's conditions in Japanese, and how near events of a file come to them.

use std::path::PathBuf;

use monban_detect::sigma::explain::{Explained, ExplainedDetection, Holds, explain};
use monban_detect::{Context, RuleSet, enrich};
use monban_event::time::jst_text;
use monban_event::{Clock, Event, RecordId, RecordParser, SystemClock};
use monban_ingest::file::{self, FileRecords, Receipt};
use monban_ingest::{Parsers, TextSettings};

use super::{Answer, EXIT_NOTHING, EXIT_OK};

/// Events shown for each document: those that come nearest to it.
const NEAREST: usize = 3;
/// A message is recognised by its beginning.
const MESSAGE_CHARS: usize = 100;

pub(super) fn run(rule: &str, logs: &[PathBuf]) -> anyhow::Result<Answer> {
    let own = RuleSet::hospital_texts();
    let text = match own.iter().find(|(file, _)| file.trim_end_matches(".yml").eq_ignore_ascii_case(rule)) {
        Some((_, text)) => (*text).to_owned(),
        None => match std::fs::read_to_string(rule) {
            Ok(text) => text,
            Err(error) => {
                let told = format!(
                    "「{rule}」という番号のルールも、ルールのファイルもありません（{error}）。monban rules list で一覧を表示できます。"
                );
                return Ok((vec![told], EXIT_NOTHING));
            }
        },
    };
    let explained = match explain(&text) {
        Ok(explained) => explained,
        Err(error) => return Ok((vec![format!("「{rule}」はルールとして読めません: {error}")], EXIT_NOTHING)),
    };
    let mut lines: Vec<String> = explained.detections.iter().flat_map(detection_lines).collect();
    lines.extend(explained.correlations.iter().map(|sentence| format!("■ 検知する条件: {sentence}")));
    if !logs.is_empty() {
        lines.extend(nearest(&explained, logs)?);
    }
    Ok((lines, EXIT_OK))
}

fn detection_lines(detection: &ExplainedDetection) -> Vec<String> {
    let mut lines = vec![format!("■ {}", detection.name), format!("  見る記録: {}", detection.source)];
    for selection in &detection.selections {
        lines.push(format!("  {}:", selection.name));
        lines.extend(selection.parts.iter().map(|part| format!("    ・{}", part.text)));
    }
    lines.push(format!("  条件: {}", detection.condition));
    lines
}

/// Events of a document's log that come nearest to it: by how many of its parts hold.
struct Nearest<'a> {
    detection: &'a ExplainedDetection,
    seen: u64,
    held: u64,
    /// Best first.
    best: Vec<(usize, Event)>,
}

impl Nearest<'_> {
    fn look_at(&mut self, event: &Event) {
        if !self.detection.concerns(event) {
            return;
        }
        self.seen += 1;
        self.held += u64::from(self.detection.holds(event));
        let parts = self.detection.selections.iter().flat_map(|selection| &selection.parts);
        let count = parts.filter(|part| part.holds(event) == Holds::Yes).count();
        let place = self.best.partition_point(|(known, _)| *known >= count);
        if place < NEAREST {
            self.best.insert(place, (count, event.clone()));
            self.best.truncate(NEAREST);
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!(
                "■ {}: 見る記録 {} 件のうち、1 件だけで条件を満たすもの {} 件",
                self.detection.name, self.seen, self.held
            ),
        ];
        if self.seen == 0 {
            lines.push(
                "  このログには、このルールが見る記録がありません。取り込むログの種類を確かめてください。".to_owned(),
            );
        }
        for (_, event) in &self.best {
            lines.push(format!("  {} {}", jst_text(event.time()), beginning(event)));
            for selection in &self.detection.selections {
                lines.extend(selection.parts.iter().map(|part| {
                    let mark = match part.holds(event) {
                        Holds::Yes => "○",
                        Holds::No => "×",
                        Holds::Depends => "△（前の記録による）",
                    };
                    format!("    {mark} {}: {}", selection.name, part.text)
                }));
            }
        }
        lines
    }
}

fn beginning(event: &Event) -> String {
    let message = event.message.as_deref().unwrap_or("");
    let code = event.code.as_deref().unwrap_or("");
    let line = message.lines().next().unwrap_or("");
    format!("{code} {}", line.chars().take(MESSAGE_CHARS).collect::<String>())
}

fn nearest(explained: &Explained, logs: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let parsers = Parsers { settings: TextSettings::in_zone(chrono_tz::Asia::Tokyo) };
    let context = Context::default();
    let mut nearest: Vec<Nearest<'_>> = explained
        .detections
        .iter()
        .map(|detection| Nearest { detection, seen: 0, held: 0, best: Vec::new() })
        .collect();
    let found = file::find(logs)?;
    let mut lines: Vec<String> = found.refused.iter().map(|(shown, reason)| format!("{shown}: {reason}")).collect();
    let receipt = Receipt { received_at: SystemClock.now(), ..Receipt::default() };
    let mut events = Vec::new();
    for input in &found.files {
        for record in FileRecords::open(input, receipt.clone())?.by_ref() {
            let damage = parsers.parse(RecordId(0), &record?, &mut events);
            lines.extend(damage.into_iter().map(|note| format!("{}: {note}", input.shown)));
            for mut event in events.drain(..) {
                enrich(&context, &mut event);
                nearest.iter_mut().for_each(|nearest| nearest.look_at(&event));
            }
        }
    }
    lines.extend(nearest.iter().flat_map(Nearest::lines));
    lines.push("△ は、それより前の記録がないと決まりません。名簿・暦などの病院のファイルも使っていません。".to_owned());
    Ok(lines)
}
