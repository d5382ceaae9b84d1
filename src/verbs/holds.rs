//! `monban hold`: what must not be deleted is on record with its reason, as is its end.

use monban_event::act::Deed;
use monban_event::{ActSink, TimeRange};
use monban_index::ledger::HoldRow;

use super::{CONSOLE, EXIT_NOTHING, EXIT_OK, failed, local};
use crate::control::Reply;
use crate::node::Node;

pub(super) fn add(
    node: &Node,
    name: &str,
    reason: &str,
    period: TimeRange,
    say: &mut dyn FnMut(Reply),
) -> Result<u8, String> {
    if name.trim().is_empty() || reason.trim().is_empty() {
        return Err("保全の名前と理由を書いてください。".to_owned());
    }
    if period.is_empty() {
        return Err("--from は --to より前の時刻にしてください。".to_owned());
    }
    if find(node, name)?.is_some() {
        return Err(format!(
            "「{name}」という保全はもうあります。別の名前にするか、monban hold release で解いてください。"
        ));
    }
    let deed = Deed::HoldAdded { name: name.to_owned(), reason: reason.to_owned(), period };
    node.record(CONSOLE, deed).map_err(|error| failed("保全を始められません")(&error))?;
    say(Reply::Out(format!("保全しました: {name}（{}）", span(period))));
    Ok(EXIT_OK)
}

pub(super) fn list(node: &Node, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    let holds = all(node)?;
    for HoldRow { name, reason, period, at, by } in &holds {
        say(Reply::Out(format!("{name}  {}  {reason}  {} {by}", span(*period), local(*at))));
    }
    say(Reply::Note(format!("保全中 {} 件", holds.len())));
    Ok(if holds.is_empty() { EXIT_NOTHING } else { EXIT_OK })
}

pub(super) fn release(node: &Node, name: &str, reason: &str, say: &mut dyn FnMut(Reply)) -> Result<u8, String> {
    if reason.trim().is_empty() {
        return Err("保全を解く理由を書いてください。".to_owned());
    }
    if find(node, name)?.is_none() {
        return Err(format!("「{name}」という保全はありません。monban hold list で確かめてください。"));
    }
    let deed = Deed::HoldReleased { name: name.to_owned(), reason: reason.to_owned() };
    node.record(CONSOLE, deed).map_err(|error| failed("保全を解けません")(&error))?;
    say(Reply::Out(format!("保全を解きました: {name}（期限を過ぎたものは次の夜に消えます）")));
    Ok(EXIT_OK)
}

fn find(node: &Node, name: &str) -> Result<Option<HoldRow>, String> {
    Ok(all(node)?.into_iter().find(|hold| hold.name == name))
}

fn all(node: &Node) -> Result<Vec<HoldRow>, String> {
    node.ledger.read().and_then(|reader| reader.holds()).map_err(|error| failed("保全を読めません")(&error))
}

fn span(period: TimeRange) -> String {
    let end = |time: Option<_>, open: &str| time.map_or_else(|| open.to_owned(), local);
    format!("{} 〜 {}", end(period.from, "最初"), end(period.to, "解除まで"))
}
