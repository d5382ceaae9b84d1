//! The windows: per correlation and key the hits in their order, and which of them complete the condition.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use monban_event::{EventId, RecordId};
use serde::{Deserialize, Serialize};

use super::plan::{Input, Kind, Node, Plan, WindowTest};
use super::window::{Hits, Key, Place};
use super::{KEY_HITS_MAX, LATENESS_US, NODE_HITS_MAX};
use crate::fields::{Values, first};
use crate::pairs;

/// Looking through all correlations costs as much as taking an event.
const FORGET_ALL_EVERY_US: i64 = 60 * 1_000_000;

/// An event that some correlation holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hit {
    pub(crate) time_us: i64,
    /// Our clock at its receipt, µs; what forgetting goes by, because a device's clock may lie.
    pub(crate) arrival_us: i64,
    pub(crate) values: Values,
    /// Windows that hold it.
    holders: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "KeptWindow")]
struct Window {
    hits: Hits,
    /// Those of the hits that complete it.
    #[serde(skip_serializing)]
    complete: BTreeSet<Place>,
    /// Arrival of the latest hit.
    touched_us: i64,
}

/// What a snapshot keeps of a [`Window`].
#[derive(Deserialize)]
struct KeptWindow {
    hits: Hits,
    touched_us: i64,
}

impl From<KeptWindow> for Window {
    fn from(kept: KeptWindow) -> Self {
        let complete = kept.hits.completed().collect();
        Self { hits: kept.hits, complete, touched_us: kept.touched_us }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "KeptNode")]
struct NodeState {
    #[serde(with = "pairs")]
    windows: BTreeMap<Key, Window>,
    /// Every window once, by a time at which it was touched; it may have been touched since, which is looked up when its
    /// turn comes.
    touched: BTreeSet<(i64, Key)>,
    hits: usize,
    /// Hits of all windows that complete the condition.
    #[serde(skip_serializing)]
    complete: usize,
}

/// What a snapshot keeps of a [`NodeState`].
#[derive(Deserialize)]
struct KeptNode {
    #[serde(with = "pairs")]
    windows: BTreeMap<Key, Window>,
    touched: BTreeSet<(i64, Key)>,
    hits: usize,
}

impl From<KeptNode> for NodeState {
    fn from(kept: KeptNode) -> Self {
        let complete = kept.windows.values().map(|window| window.complete.len()).sum();
        Self { windows: kept.windows, touched: kept.touched, hits: kept.hits, complete }
    }
}

impl NodeState {
    /// The window of a key, made where there is none.
    fn window(&mut self, key: &str, arrival_us: i64) -> &mut Window {
        if !self.windows.contains_key(key) {
            let key = Key::from(key.to_owned());
            self.touched.insert((arrival_us, key.clone()));
            self.windows.insert(key, Window { touched_us: arrival_us, ..Window::default() });
        }
        self.windows.get_mut(key).expect("it was put there a line above")
    }
}

/// The state of all correlations of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Correlator {
    /// By node name, so that a changed rule set keeps what is still meant.
    nodes: BTreeMap<String, NodeState>,
    #[serde(with = "pairs")]
    hits: BTreeMap<EventId, Hit>,
    forget_all_at_us: i64,
}

/// An event completed a correlation, or joined the window of one that was complete.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Completion {
    pub(crate) node: usize,
    /// The completing event: it decides subject, object and day.
    pub(crate) at: EventId,
    /// Events of the window with their times (µs), in order: all of it, or what came on top of windows that were
    /// reported as the same finding before.
    pub(crate) evidence: Vec<(i64, EventId)>,
}

/// What one hit changed.
#[derive(Debug, Default)]
struct News {
    /// Events that complete the condition only now.
    complete: BTreeSet<EventId>,
    /// Events whose window was complete, and what came late into it, with its step.
    joined: BTreeMap<(EventId, usize), BTreeSet<EventId>>,
}

/// An event that goes into a correlation.
#[derive(Clone, Copy, Debug)]
struct Feed {
    input: Input,
    event: EventId,
    /// It stands there already: only what is behind it has grown.
    again: bool,
}

/// Whether two completing events of a node are one finding: same subject, object and day.
pub(crate) type SameFinding<'a> = dyn Fn(usize, &Hit, &Hit) -> bool + 'a;

impl Correlator {
    /// Takes one event that matched `rules`, and answers what it completes. `arrival_us` never falls.
    pub(crate) fn observe(
        &mut self,
        plan: &Plan,
        rules: &[usize],
        (id, hit): (EventId, Hit),
        same: &SameFinding<'_>,
    ) -> Vec<Completion> {
        let mut completions = Vec::new();
        let arrival = hit.arrival_us;
        let mut feeds: Vec<Feed> =
            rules.iter().map(|&rule| Feed { input: Input::Rule(rule), event: id, again: false }).collect();
        if !feeds.iter().any(|feed| plan.takes(feed.input)) {
            return completions;
        }
        self.hits.insert(id, hit);
        self.forget_all(plan, arrival);
        // Inner nodes stand before outer ones, so one pass in node order sees all inputs of each.
        for (index, node) in plan.nodes.iter().enumerate() {
            if !feeds.iter().any(|feed| node.steps().any(|step| node.takes(step, feed.input))) {
                continue;
            }
            self.forget(node, arrival);
            let news = self.feed(node, &feeds);
            if plan.takes(Input::Node(index)) {
                let feed = |again| move |&event: &EventId| Feed { input: Input::Node(index), event, again };
                let again: BTreeSet<EventId> = news.joined.values().flatten().copied().collect();
                feeds.extend(again.difference(&news.complete).map(feed(true)));
                feeds.extend(news.complete.iter().map(feed(false)));
            }
            if node.emits {
                completions.extend(self.completions(plan, index, &news, same));
            }
            self.forget(node, arrival);
        }
        self.hits.retain_unheld(id);
        completions
    }

    /// Puts what feeds the node into its windows.
    fn feed(&mut self, node: &Node, feeds: &[Feed]) -> News {
        let mut news = News::default();
        if !self.nodes.contains_key(&node.name) {
            self.nodes.insert(node.name.clone(), NodeState::default());
        }
        for step in node.steps() {
            let again = feeds.iter().filter(|feed| feed.again && node.takes(step, feed.input));
            self.tell_again(node, step, &again.map(|feed| feed.event).collect::<Vec<_>>(), &mut news);
        }
        for feed in feeds.iter().filter(|feed| !feed.again) {
            for step in node.steps().filter(|&step| node.takes(step, feed.input)) {
                self.insert(node, step, feed.event, &mut news);
            }
        }
        news
    }

    /// Gives the values of all hits the numbers that their fields have now.
    pub(crate) fn renumber(&mut self, number: &dyn Fn(usize) -> Option<usize>) {
        self.hits.values_mut().for_each(|hit| hit.values = hit.values.renumbered(number));
    }

    pub(crate) fn values(&self, event: EventId) -> Option<&Values> {
        self.hits.get(&event).map(|hit| &hit.values)
    }

    /// Events held, over all windows.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.hits.len()
    }

    pub(crate) fn time_us(&self, event: EventId) -> Option<i64> {
        self.hits.get(&event).map(|hit| hit.time_us)
    }

    /// Puts the hit in its place; `news` takes every completing event whose window now holds something new.
    fn insert(&mut self, node: &Node, step: usize, event: EventId, news: &mut News) {
        let Some(hit) = self.hits.get_mut(&event) else { return };
        let Some(key) = key(node, step, &hit.values) else { return };
        let place = (hit.time_us, event, step);
        let Some(state) = self.nodes.get_mut(&node.name) else { return };
        let window = state.window(key.as_str(), hit.arrival_us);
        if !window.hits.insert(place) {
            return;
        }
        hit.holders += 1;
        window.touched_us = window.touched_us.max(hit.arrival_us);
        let until = last_place(node, place);
        let late_for: BTreeSet<EventId> = window.complete.range(place..=until).map(|at| at.1).collect();
        if !late_for.is_empty() {
            news.joined.insert((event, step), late_for);
        }
        let may_complete = may_complete(node, &window.hits, &self.hits, place);
        let incomplete = window.hits.range(place, until).iter().filter(|(_, complete)| may_complete && !*complete);
        let complete: Vec<Place> = incomplete
            .map(|&(candidate, _)| candidate)
            .filter(|&candidate| is_complete(node, &window.hits, &self.hits, candidate))
            .collect();
        for &candidate in &complete {
            window.hits.complete(candidate);
            window.complete.insert(candidate);
            news.complete.insert(candidate.1);
        }
        state.hits += 1;
        state.complete += complete.len();
        self.bound_key(node, &key);
    }

    /// Events that stand in their windows already, behind which something has come. The latest of them in a window tells
    /// what the others would tell.
    fn tell_again(&self, node: &Node, step: usize, events: &[EventId], news: &mut News) {
        let Some(state) = self.nodes.get(&node.name).filter(|state| state.complete > 0) else { return };
        let mut hits: Vec<(i64, EventId, &Values)> = events
            .iter()
            .filter_map(|&event| self.hits.get(&event).map(|hit| (hit.time_us, event, &hit.values)))
            .collect();
        hits.sort_unstable();
        let mut told: BTreeMap<Key, Place> = BTreeMap::new();
        for (time, event, values) in hits.into_iter().rev() {
            let Some(key) = key(node, step, values) else { continue };
            let Some(window) = state.windows.get(key.as_str()) else { continue };
            let place = (time, event, step);
            let until = last_place(node, place);
            let end = told.get(key.as_str()).map_or(Bound::Included(until), |&told| Bound::Excluded(told.min(until)));
            let late_for: BTreeSet<EventId> =
                window.complete.range((Bound::Included(place), end)).map(|at| at.1).collect();
            if !late_for.is_empty() {
                news.joined.insert((event, step), late_for);
            }
            told.insert(key.into(), place);
        }
    }

    /// In a flood the hits of a key that came first go first, a quarter at a time so that it costs little per event.
    fn bound_key(&mut self, node: &Node, key: &str) {
        let Some(state) = self.nodes.get_mut(&node.name) else { return };
        let Some(window) = state.windows.get_mut(key) else { return };
        if window.hits.len() <= KEY_HITS_MAX {
            return;
        }
        let mut by_arrival: Vec<(EventId, Place)> = window.hits.places().map(|place| (place.1, place)).collect();
        by_arrival.sort_unstable();
        for (event, place) in by_arrival.into_iter().take(KEY_HITS_MAX / 4) {
            window.hits.remove(place);
            state.complete -= usize::from(window.complete.remove(&place));
            state.hits -= 1;
            self.hits.release(event);
        }
    }

    /// Correlations that nothing feeds any more let go too, once a minute of our clock.
    fn forget_all(&mut self, plan: &Plan, now_us: i64) {
        if now_us >= self.forget_all_at_us {
            self.forget_all_at_us = now_us.saturating_add(FORGET_ALL_EVERY_US);
            plan.nodes.iter().for_each(|node| self.forget(node, now_us));
        }
    }

    /// Lets go of keys that no event within the lateness can join any more, and of the longest untouched above the bound.
    fn forget(&mut self, node: &Node, now_us: i64) {
        let Some(state) = self.nodes.get_mut(&node.name) else { return };
        let horizon = now_us.saturating_sub(node.span_us).saturating_sub(LATENESS_US);
        while let Some((touched, _)) = state.touched.first()
            && (*touched < horizon || state.hits > NODE_HITS_MAX)
        {
            let Some((told, key)) = state.touched.pop_first() else { return };
            let Some(window) = state.windows.get(&key) else { continue };
            if window.touched_us > told {
                state.touched.insert((window.touched_us, key));
                continue;
            }
            let Some(window) = state.windows.remove(&key) else { continue };
            state.hits -= window.hits.len();
            state.complete -= window.complete.len();
            window.hits.places().for_each(|place| self.hits.release(place.1));
        }
    }

    fn completions(&self, plan: &Plan, index: usize, news: &News, same: &SameFinding<'_>) -> Vec<Completion> {
        let Some(node) = plan.nodes.get(index) else { return Vec::new() };
        let complete = news.complete.iter().filter_map(|&at| {
            let hit = self.hits.get(&at)?;
            let told_before =
                |earlier: EventId| self.hits.get(&earlier).is_some_and(|earlier| same(index, earlier, hit));
            let mut evidence = Evidence::default();
            self.window_of(plan, node, at, &told_before, &mut evidence);
            Some((at, evidence))
        });
        let joined = news.joined.iter().flat_map(|(&(joined, step), late_for)| {
            let told = self.without_echoes(index, late_for, same);
            told.into_iter().filter(move |&at| node.is_evidence(step, joined == at)).filter_map(move |at| {
                let mut evidence = Evidence::default();
                self.add(plan, node, step, (self.time_us(joined)?, joined), &mut evidence);
                Some((at, evidence))
            })
        });
        let completion = |(at, evidence): (EventId, Evidence)| Completion {
            node: index,
            at,
            evidence: evidence.events.into_iter().collect(),
        };
        complete.chain(joined).map(completion).collect()
    }

    /// A late event joins every window that ends within its span: thousands in a flood, all of them one finding. Told
    /// once, with the last of them, it costs the same as an event in time.
    fn without_echoes(&self, index: usize, late_for: &BTreeSet<EventId>, same: &SameFinding<'_>) -> Vec<EventId> {
        let mut kept: Vec<(EventId, &Hit)> = Vec::new();
        for (at, hit) in late_for.iter().filter_map(|at| Some((*at, self.hits.get(at)?))) {
            match kept.last_mut() {
                Some(last) if same(index, last.1, hit) => *last = (at, hit),
                _ => kept.push((at, hit)),
            }
        }
        kept.into_iter().map(|(at, _)| at).collect()
    }

    /// The events of the window that ends at `at`, back to the first completion that was told before.
    fn window_of(
        &self,
        plan: &Plan,
        node: &Node,
        at: EventId,
        told_before: &dyn Fn(EventId) -> bool,
        evidence: &mut Evidence,
    ) {
        let (Some(hit), Some((_, window))) = (self.hits.get(&at), self.window(node, at)) else { return };
        let start = (hit.time_us.saturating_sub(node.span_us), EventId::default(), 0);
        let places = window.hits.range(start, (hit.time_us, at, usize::MAX)).iter().rev();
        for &((time, event, step), done) in places {
            if done && event != at && told_before(event) {
                break;
            }
            if node.is_evidence(step, event == at) {
                self.add(plan, node, step, (time, event), evidence);
            }
        }
    }

    /// One hit, and where it is a completion of an inner correlation, what stands behind it.
    fn add(&self, plan: &Plan, node: &Node, step: usize, (time, event): (i64, EventId), evidence: &mut Evidence) {
        evidence.events.insert((time, event));
        let Some(Input::Node(inner)) = node.inputs.get(step) else { return };
        let Some(inner_node) = plan.nodes.get(*inner) else { return };
        // Windows of one key overlap almost wholly; where a later one was taken, only what lies before it is new.
        let Some((key, window)) = self.window(inner_node, event) else { return };
        let start = (time.saturating_sub(inner_node.span_us), EventId::default(), 0);
        let taken = evidence.taken.entry((*inner, key)).or_insert((i64::MAX, event, 0));
        let end = (*taken).min((time, event, usize::MAX));
        *taken = (*taken).min(start);
        if start >= end {
            return;
        }
        for &((time, event, step), _) in window.hits.range(start, end) {
            if step < inner_node.inputs.len() && evidence.events.insert((time, event)) {
                self.add(plan, inner_node, step, (time, event), evidence);
            }
        }
    }

    /// The window of the node that holds the event.
    fn window(&self, node: &Node, event: EventId) -> Option<(Key, &Window)> {
        let (hit, state) = (self.hits.get(&event)?, self.nodes.get(&node.name)?);
        (0..node.inputs.len()).find_map(|step| {
            let key = key(node, step, &hit.values)?;
            let (key, window) = state.windows.get_key_value(key.as_str())?;
            window.hits.contains((hit.time_us, event, step)).then(|| (key.clone(), window))
        })
    }

    /// Distinct counted values in the window that ends at `at`.
    pub(crate) fn distinct(&self, plan: &Plan, index: usize, at: EventId) -> u64 {
        let Some(node) = plan.nodes.get(index) else { return 0 };
        let (Some(hit), Some((_, window))) = (self.hits.get(&at), self.window(node, at)) else { return 0 };
        let places = in_window(node, &window.hits, (hit.time_us, at)).filter(|place| place.2 < node.inputs.len());
        let values: BTreeSet<&str> = places.filter_map(|place| first(self.values(place.1)?, &node.value)).collect();
        values.len() as u64
    }
}

/// Events behind a completion, as they are gathered.
#[derive(Default)]
struct Evidence {
    events: BTreeSet<(i64, EventId)>,
    /// Per inner correlation and key the place down to which its window was taken.
    taken: BTreeMap<(usize, Key), Place>,
}

impl Hit {
    pub(crate) fn new(time_us: i64, arrival_us: i64, values: Values) -> Self {
        Self { time_us, arrival_us, values, holders: 0 }
    }
}

/// What holds hits by event, and drops those that no window holds any more.
trait Held {
    fn release(&mut self, event: EventId);
    fn retain_unheld(&mut self, event: EventId);
}

impl Held for BTreeMap<EventId, Hit> {
    fn release(&mut self, event: EventId) {
        if let Some(hit) = self.get_mut(&event) {
            hit.holders = hit.holders.saturating_sub(1);
        }
        self.retain_unheld(event);
    }

    /// An event that entered no window (its key had no value) is not kept.
    fn retain_unheld(&mut self, event: EventId) {
        if self.get(&event).is_some_and(|hit| hit.holders == 0) {
            self.remove(&event);
        }
    }
}

/// The last place of a window that holds the hit at `place`.
fn last_place(node: &Node, place: Place) -> Place {
    (place.0.saturating_add(node.span_us), EventId::new(RecordId(u64::MAX), u32::MAX), usize::MAX)
}

/// `None` where a field of the key has no value: such events cannot be told apart and are left out.
fn key(node: &Node, step: usize, values: &Values) -> Option<String> {
    Key::text(node.key_slots(step).iter().map(|&slot| values.get(slot)))
}

/// The places of the window that ends with the event `end`, latest first.
fn in_window<'a>(
    node: &Node,
    hits: &'a Hits,
    end: (i64, EventId),
) -> impl Iterator<Item = &'a Place> + Clone + use<'a> {
    let start = (end.0.saturating_sub(node.span_us), EventId::default(), 0);
    hits.range(start, (end.0, end.1, usize::MAX)).iter().rev().map(|(place, _)| place)
}

fn is_complete(node: &Node, hits: &Hits, table: &BTreeMap<EventId, Hit>, end: Place) -> bool {
    if end.2 >= node.inputs.len() {
        return false;
    }
    let enough = match node.kind {
        Kind::EventCount => enough_events(node, hits, end),
        Kind::ValueCount => enough_values(node, in_window(node, hits, (end.0, end.1)), table),
        Kind::Temporal => every_step(node, hits, end),
        Kind::Ordered => steps_in_order(node, hits, end),
    };
    enough && passes_tests(node, &in_window(node, hits, (end.0, end.1)), table) && passes_ratio(node, hits, end)
}

fn enough_events(node: &Node, hits: &Hits, end: Place) -> bool {
    let mut seen = None;
    let mut count = 0;
    for &(_, event, step) in in_window(node, hits, (end.0, end.1)) {
        if step < node.inputs.len() && seen.replace(event) != Some(event) {
            count += 1;
            if count >= node.gte {
                return true;
            }
        }
    }
    false
}

/// Whether a window that holds the place can be complete at all: what all of them together lack, each of them lacks. So a
/// late event does not have each of a flood's windows counted for nothing.
fn may_complete(node: &Node, hits: &Hits, table: &BTreeMap<EventId, Hit>, place: Place) -> bool {
    let earliest = (place.0.saturating_sub(node.span_us), EventId::default(), 0);
    let all = hits.range(earliest, last_place(node, place)).iter().map(|(place, _)| place);
    (node.kind != Kind::ValueCount || enough_values(node, all.clone(), table)) && passes_tests(node, &all, table)
}

fn enough_values<'a>(node: &Node, places: impl Iterator<Item = &'a Place>, table: &BTreeMap<EventId, Hit>) -> bool {
    let mut distinct = BTreeSet::new();
    for &(_, event, step) in places {
        let value = table.get(&event).and_then(|hit| first(&hit.values, &node.value));
        if let Some(value) = value.filter(|_| step < node.inputs.len()) {
            distinct.insert(value);
            if distinct.len() as u64 >= node.gte {
                return true;
            }
        }
    }
    false
}

fn every_step(node: &Node, hits: &Hits, end: Place) -> bool {
    let mut missing: BTreeSet<usize> = (0..node.inputs.len()).collect();
    in_window(node, hits, (end.0, end.1)).any(|place| {
        missing.remove(&place.2);
        missing.is_empty()
    })
}

/// Walks back from the end, taking the latest hit of each earlier step: if any chain fits the window, this one does.
fn steps_in_order(node: &Node, hits: &Hits, end: Place) -> bool {
    if end.2 != node.last_step() {
        return false;
    }
    let (mut wanted, mut before) = (end.2, (end.0, end.1));
    for &(time, event, step) in in_window(node, hits, (end.0, end.1)) {
        if wanted == 0 {
            return true;
        }
        if (time, event) < before && step + 1 == wanted {
            (wanted, before) = (step, (time, event));
        }
    }
    wanted == 0
}

fn passes_tests<'a>(
    node: &Node,
    places: &(impl Iterator<Item = &'a Place> + Clone),
    table: &'a BTreeMap<EventId, Hit>,
) -> bool {
    let values_of = |slot: usize| {
        let counted = places.clone().filter(|place| place.2 < node.inputs.len());
        counted.filter_map(move |place| table.get(&place.1)?.values.get(slot))
    };
    node.any_of.is_empty()
        || node.any_of.iter().any(|test| match test {
            WindowTest::Holds { slot, values } => {
                values_of(*slot).any(|value| values.iter().any(|wanted| wanted == value))
            }
            WindowTest::Distinct { slot, gte } => {
                let mut distinct = BTreeSet::new();
                values_of(*slot).any(|value| {
                    distinct.insert(value);
                    distinct.len() as u64 >= *gte
                })
            }
        })
}

/// The one condition that may turn false again: successes that come later than the failures lower the share. It is
/// judged on what had come; a finding that was given out is not taken back.
fn passes_ratio(node: &Node, hits: &Hits, end: Place) -> bool {
    let Some(ratio) = &node.ratio else { return true };
    let (mut counted, mut all) = (0.0_f64, 0.0_f64);
    for place in in_window(node, hits, (end.0, end.1)) {
        all += 1.0;
        counted += if place.2 < node.inputs.len() { 1.0 } else { 0.0 };
    }
    all > 0.0 && counted / all >= ratio.gte
}
