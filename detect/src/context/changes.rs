//! What a new version of the files says of days gone by. Owns the difference between what has a date, which holds from
//! that date however late it is entered, and what has none, which holds from its entry on.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use monban_event::time::jst_date;

use super::roster::Person;
use super::{AllowEntry, Context, Ticket, Vendor};

/// From one day to another, both included.
pub type Days = (NaiveDate, NaiveDate);

impl Context {
    /// The days that `newer` tells otherwise than this version did; `None` where nothing that has a date was changed.
    pub fn days_told_otherwise(&self, newer: &Self) -> Option<Days> {
        let people = people_changed(&self.people, &newer.people);
        let tickets = |context: &Self| context.tickets.clone().unwrap_or_default();
        let tickets = changed(&tickets(self), &tickets(newer)).iter().filter_map(ticket_days).collect::<Vec<_>>();
        let allowed = changed(&self.allowed, &newer.allowed).iter().filter_map(allowed_days).collect::<Vec<_>>();
        let vendors = changed(&self.vendors, &newer.vendors).iter().filter_map(vendor_days).collect::<Vec<_>>();
        let nights = changed(&self.calendar.duties(), &newer.calendar.duties());
        let nights = nights.iter().filter_map(|(day, _)| Some((*day, day.succ_opt()?)));
        let all = people.into_iter().chain(tickets).chain(allowed).chain(vendors).chain(nights);
        all.reduce(|(from, to), (other_from, other_to)| (from.min(other_from), to.max(other_to)))
    }

    /// `newer`, as it speaks of days before it came: an account that it calls disabled, without saying since when, was
    /// what this version called it.
    #[must_use]
    pub fn backdated(&self, newer: &Self) -> Self {
        let mut backdated = newer.clone();
        for person in &mut backdated.people {
            let before = self.people.iter().rfind(|known| known.accounts == person.accounts);
            person.disabled = person.disabled && before.is_some_and(|known| known.disabled);
        }
        backdated
    }
}

/// What stands in one of the lists only.
fn changed<T: PartialEq + Clone>(before: &[T], after: &[T]) -> Vec<T> {
    let gone = before.iter().filter(|entry| !after.contains(entry));
    let new = after.iter().filter(|entry| !before.contains(entry));
    gone.chain(new).cloned().collect()
}

/// Since the earliest date that was entered, taken out or changed, until whenever.
fn people_changed(before: &[Person], after: &[Person]) -> Option<Days> {
    let mut rows: BTreeMap<Vec<String>, Vec<Person>> = BTreeMap::new();
    for person in changed(before, after) {
        rows.entry(person.accounts.clone()).or_default().push(person);
    }
    let earliest = rows.values().filter_map(|versions| match versions.as_slice() {
        [one, other] => {
            changed(&dates(one), &dates(other)).into_iter().chain(changed(&[one.hired], &[other.hired])).flatten().min()
        }
        several => several.iter().flat_map(|person| [dates(person), vec![person.hired]].concat()).flatten().min(),
    });
    Some((earliest.min()?, NaiveDate::MAX))
}

fn dates(person: &Person) -> Vec<Option<NaiveDate>> {
    let (leave, back) = person.leave.map_or((None, None), |(from, until)| (Some(from), until));
    vec![person.retired, leave, back]
}

fn ticket_days(ticket: &Ticket) -> Option<Days> {
    let day = |time: DateTime<Utc>| jst_date(time);
    // Whoever came too early or stayed too long did so about these days.
    Some((day(ticket.from).pred_opt()?, day(ticket.until).succ_opt()?))
}

fn allowed_days(entry: &AllowEntry) -> Option<Days> {
    dated(entry.from, entry.until)
}

fn vendor_days(vendor: &Vendor) -> Option<Days> {
    dated(vendor.from, vendor.until)
}

/// What has only an end was valid since whenever: of that the change says nothing, but of what came after the end it does.
fn dated(from: Option<NaiveDate>, until: Option<NaiveDate>) -> Option<Days> {
    Some((from.or(until)?, NaiveDate::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::ContextTexts;

    fn context(roster: &str, tickets: &str) -> Context {
        let given = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        Context::read(&ContextTexts { roster: given(roster), tickets: given(tickets), ..ContextTexts::default() }).0
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    const HEAD: &str = "氏名,ADアカウント,採用日,退職日,有効\n";

    #[test]
    fn a_date_entered_late_tells_the_days_since() {
        let before = context(&format!("{HEAD}山田,yamada,2015-04-01,,はい\n佐藤,sato,2020-04-01,,はい\n"), "");
        let after = context(&format!("{HEAD}山田,yamada,2015-04-01,2026-10-07,はい\n佐藤,sato,2020-04-01,,はい\n"), "");
        assert_eq!(before.days_told_otherwise(&after), Some((day("2026-10-07"), NaiveDate::MAX)));
        assert_eq!(before.days_told_otherwise(&before), None);
    }

    #[test]
    fn what_has_no_date_holds_from_its_entry_on() {
        let before = context(&format!("{HEAD}山田,yamada,2015-04-01,,はい\n"), "");
        let after = context(&format!("{HEAD}山田,yamada,2015-04-01,,無効\n"), "");
        assert_eq!(before.days_told_otherwise(&after), None);
        let state = |context: &Context| context.people[0].state_on(day("2026-10-01")).as_str();
        assert_eq!((state(&after), state(&before.backdated(&after))), ("disabled", "active"));
    }

    #[test]
    fn a_ticket_tells_its_own_days() {
        let ticket =
            "申請番号,事業者,予定開始,予定終了,承認日\nT-1,山田電子,2026-10-20 21:00,2026-10-20 23:00,2026-10-22\n";
        let days = context("", "").days_told_otherwise(&context("", ticket));
        assert_eq!(days, Some((day("2026-10-19"), day("2026-10-21"))));
    }
}
