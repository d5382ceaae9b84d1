//! The demo hospital: what was planted is found, by the rules that there are.

use crate::support::Site;
use crate::support::journal;

/// Findings beside the planted ones that need a person, in a month: five a week are what a clerk answers.
const OTHERS_MAX: usize = 22;

/// Accounts unused for long are told at the month's first moment, not on the day on which somebody dealt with them.
const ONCE_A_MONTH: &str = "AC-02";

#[test]
fn every_planted_incident_is_listed_and_found_by_the_rules_in_force() {
    let site = Site::new();
    let data = site.path("demo");
    let demo = ["demo", "--data-dir", data.to_str().unwrap()];
    let made = site.run(demo.iter().copied().chain(["--small", "--no-serve"])).ok();
    assert!(made.err.contains("検索できるようになりました"), "{made:#?}");
    let list = site.run(demo.iter().copied().chain(["--list"])).ok();
    let (table, judged): (Vec<&str>, Vec<&str>) = list.out.lines().partition(|line| !line.contains("日  検知済 "));
    let planted = table.iter().filter(|line| line.starts_with(|letter: char| letter.is_ascii_digit())).count();
    assert!(planted >= 10, "{}", list.out);
    assert_eq!(judged.len(), planted, "each incident is judged");
    let in_force: Vec<String> =
        monban_detect::RuleSet::hospital().rules().iter().map(|rule| rule.id.to_string()).collect();
    let missing = judged.iter().filter_map(|line| line.split("未検知 ").nth(1)).flat_map(|rules| rules.split(' '));
    let missed: Vec<&str> =
        missing.filter(|rule| *rule != ONCE_A_MONTH && in_force.iter().any(|known| known == rule)).collect();
    assert!(missed.is_empty(), "planted and not found: {missed:?}\n{}", list.out);
    // And the other way: what is found beside the planted is listed, and little enough for a clerk.
    let others = list.out.lines().filter(|line| line.starts_with("  それ以外 ")).count();
    assert!(list.out.contains(&format!("、それ以外 {others} 件")), "{}", list.out);
    assert!(others <= OTHERS_MAX, "{}", list.out);
    let found = journal::findings(&data);
    for rule in ["VP-01", "VP-03", "VP-08", "VP-09", "AU-01", "DE-01", "LG-01", ONCE_A_MONTH] {
        assert!(found.iter().any(|(id, _)| id == rule), "{rule} found nothing");
    }
}

#[test]
fn the_demo_never_touches_a_real_directory() {
    let site = Site::new();
    let log = site.write("a.log", "<13>Oct 25 12:00:00 gw01 app: 本物\n");
    site.import(&[&log]).ok();
    let data = site.data();
    let said = site.run(["demo", "--small", "--no-serve", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.status, 2, "{said:#?}");
    assert_eq!(site.count("本物"), 1);
}
