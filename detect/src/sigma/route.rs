//! Which events a rule's log source means. A rule is only shown events of its own log source: without that, a rule
//! that says no more than `EventID: 4` would fire on every log that has a number four.

use std::borrow::Cow;
use std::collections::HashMap;

use monban_event::Event;

use super::devices;
use super::load::SourceKey;
use super::windows::{self, Condition};
use crate::house::fact;

/// The log sources of a set of rules, by number.
pub(super) struct Routes {
    /// Channel, lower case, to what else is asked and the log sources that ask it.
    by_channel: HashMap<String, Vec<(Condition, usize)>>,
    /// Log sources that are not named by Windows channels, by their product: an event has few of them, and the rules of
    /// all the world have some hundred.
    by_product: HashMap<String, Vec<(SourceKey, usize)>>,
    /// Those without a product.
    general: Vec<(SourceKey, usize)>,
}

impl Routes {
    pub(super) fn new<'a>(sources: impl Iterator<Item = &'a SourceKey>) -> Self {
        let mut routes = Self { by_channel: HashMap::new(), by_product: HashMap::new(), general: Vec::new() };
        for (number, source) in sources.enumerate() {
            let conditions = windows_conditions(source);
            for condition in &conditions {
                for &channel in condition.channels {
                    routes.by_channel.entry(channel.to_owned()).or_default().push((*condition, number));
                }
            }
            // A category without a product also means devices that are not Windows.
            if conditions.is_empty() || source.product.is_none() {
                let list = match &source.product {
                    Some(product) => routes.by_product.entry(family(product).to_owned()).or_default(),
                    None => &mut routes.general,
                };
                list.push((source.clone(), number));
            }
        }
        routes
    }

    /// Calls `found` with every log source the event belongs to. One may be named twice.
    pub(super) fn visit(&self, event: &Event, found: &mut impl FnMut(usize)) {
        if let Some(channel) = &event.winlog_channel {
            let asked = self.by_channel.get(&channel.to_ascii_lowercase()).into_iter().flatten();
            asked.filter(|(condition, _)| meets(event, condition)).for_each(|&(_, number)| found(number));
        }
        let of_products = products(event).into_iter().flatten().filter_map(|name| self.by_product.get(name.as_ref()));
        let asked = of_products.flatten().chain(&self.general);
        asked.filter(|(source, _)| belongs(event, source)).for_each(|&(_, number)| found(number));
    }
}

/// Category and service together mean both.
fn windows_conditions(source: &SourceKey) -> Vec<Condition> {
    if source.product.as_deref().is_some_and(|product| product != "windows") {
        return Vec::new();
    }
    let channels = source.service.as_deref().map(windows::service);
    let Some(category) = source.category.as_deref() else {
        let channels = channels.unwrap_or_default();
        let all = Condition { channels, ids: &[], event_types: &[] };
        return if channels.is_empty() { Vec::new() } else { vec![all] };
    };
    let mut conditions = windows::category(category).to_vec();
    if let Some(channels) = channels {
        conditions.retain(|condition| condition.channels.iter().any(|channel| channels.contains(channel)));
    }
    conditions
}

fn meets(event: &Event, condition: &Condition) -> bool {
    let number = || event.winlog_event_id.is_some_and(|id| condition.ids.contains(&id));
    let kind = || event.native.get("EventType").is_some_and(|kind| condition.event_types.contains(&kind));
    (condition.ids.is_empty() || number()) && (condition.event_types.is_empty() || kind())
}

fn belongs(event: &Event, source: &SourceKey) -> bool {
    if source.is_of_facts() || fact::kind(event).is_some() {
        return source.is_of_facts() && source.service.as_deref() == fact::kind(event);
    }
    source.product.as_deref().is_none_or(|product| is_product(event, product))
        && source.service.as_deref().is_none_or(|service| is_service(event, source.product.as_deref(), service))
        && source.category.as_deref().is_none_or(|category| is_category(event, category))
}

/// The families whose log sources an event may belong to, each once: everything [`is_product`] accepts is of one of them.
fn products(event: &Event) -> [Option<Cow<'_, str>>; 6] {
    let dataset = event.dataset.as_deref();
    let observer = event.observer_product.as_deref().map(str::to_ascii_lowercase);
    let borrowed = |name| Cow::Borrowed(family(name));
    let mut names = [
        Some(Cow::Borrowed("monban")),
        event.module.as_deref().map(borrowed),
        observer.map(|name| Cow::Owned(family(&name).to_owned())),
        dataset.map(borrowed),
        dataset.map(last_part).map(borrowed),
        devices::is_unix_host(event).then_some(Cow::Borrowed("linux")),
    ];
    for place in 1..names.len() {
        let (before, rest) = names.split_at_mut(place);
        if let Some(name) = rest.first_mut().filter(|name| before.contains(name)) {
            *name = None;
        }
    }
    names
}

/// The name under which Sigma's names of one product are one.
fn family(product: &str) -> &str {
    match product {
        "fortigate" | "fortios" => "fortinet",
        other => other,
    }
}

/// The vendor family, the product, or a name Sigma uses for it. `monban` is every event: rules over what we computed.
fn is_product(event: &Event, product: &str) -> bool {
    match product {
        "monban" => return true,
        "linux" if devices::is_unix_host(event) => return true,
        _ => {}
    }
    event.module.as_deref() == Some(family(product))
        || event.observer_product.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(product))
        || event.dataset.as_deref().is_some_and(|name| name == product || last_part(name) == product)
}

/// What the service means of that product; else the last part of the dataset, the program that wrote the line, the
/// device's own `type`, or a Windows channel.
fn is_service(event: &Event, product: Option<&str>, service: &str) -> bool {
    if let Some(answer) = devices::service(event, product, service) {
        return answer;
    }
    let names = [
        event.dataset.as_deref().map(last_part),
        event.process_name.as_deref(),
        event.winlog_channel.as_deref(),
        event.native.get("type"),
        event.native.get("subtype"),
    ];
    names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(service))
}

fn is_category(event: &Event, category: &str) -> bool {
    let own = || event.category.is_some_and(|own| own.as_str() == category);
    devices::category(event, category).unwrap_or_else(own)
}

fn last_part(dataset: &str) -> &str {
    dataset.rsplit('.').next().unwrap_or(dataset)
}
