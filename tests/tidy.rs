//! What no compiler checks: that the rooms of the house keep to themselves, that documents name what is there, that
//! rules come with their samples, and that nothing comes in under a licence or a name we do not want.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// Who may know whom. What is not here is not allowed.
const MAY_KNOW: [(&str, &[&str]); 8] = [
    ("monban-event", &[]),
    ("monban-ingest", &["monban-event"]),
    ("monban-index", &["monban-event"]),
    ("monban-detect", &["monban-event"]),
    ("monban-audit", &["monban-detect", "monban-event", "monban-index"]),
    ("monban-api", &["monban-audit", "monban-detect", "monban-event", "monban-index"]),
    ("monban", &["monban-api", "monban-audit", "monban-detect", "monban-event", "monban-index", "monban-ingest"]),
    ("xtask", &[]),
];

/// Folders that are made, not written.
const MADE: [&str; 5] = ["target", ".git", "monban-data", "monban-demo", "node_modules"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files of the repository, in order.
fn files() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let is_made = MADE.iter().any(|made| entry.file_name() == *made);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !is_made => folders.push(entry.path()),
                kind if kind.is_file() && !is_made => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Name and text of every file that is text.
fn texts() -> Vec<(String, String)> {
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    files().iter().filter_map(|path| Some((name(path), fs::read_to_string(path).ok()?))).collect()
}

fn sources() -> Vec<(String, String)> {
    texts().into_iter().filter(|(name, _)| Path::new(name).extension() == Some("rs".as_ref())).collect()
}

/// What cargo knows of everything that is built here. It asks nobody outside.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let words = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host];
    let output = Command::new(env!("CARGO")).args(words).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
});

fn packages() -> impl Iterator<Item = &'static Value> {
    METADATA["packages"].as_array().unwrap().iter()
}

fn text(value: &'static Value) -> &'static str {
    value.as_str().unwrap_or_default()
}

/// Our own crates: those that come from no registry.
fn own() -> BTreeMap<&'static str, &'static Value> {
    packages().filter(|package| package["source"].is_null()).map(|package| (text(&package["name"]), package)).collect()
}

#[test]
fn rooms_know_only_whom_they_may_know() {
    let own = own();
    let listed: BTreeSet<&str> = MAY_KNOW.iter().map(|(name, _)| *name).collect();
    assert_eq!(own.keys().copied().collect::<BTreeSet<_>>(), listed, "the crates of the workspace and this list");
    for (name, may_know) in MAY_KNOW {
        let dependencies = own[name]["dependencies"].as_array().unwrap();
        // What a room's tests use does not enter the program.
        let known = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
        for known in known.map(|dependency| text(&dependency["name"])).filter(|name| own.contains_key(name)) {
            assert!(may_know.contains(&known), "{name} must not know {known}");
        }
    }
}

/// Libraries that belong to one room: whoever else wants what they do asks that room.
#[test]
fn each_library_is_known_in_its_room_only() {
    let rooms = [
        ("tantivy", "monban-index"),
        ("rusqlite", "monban-index"),
        ("evtx", "monban-ingest"),
        ("rsigma-eval", "monban-detect"),
        ("rsigma-parser", "monban-detect"),
        ("tower-http", "monban-api"),
        ("x509-parser", "monban-ingest"),
        ("argon2", "monban-api"),
    ];
    for (library, room) in rooms {
        for (name, package) in own() {
            let mut dependencies = package["dependencies"].as_array().unwrap().iter();
            let knows =
                dependencies.any(|dependency| text(&dependency["name"]) == library && dependency["kind"].is_null());
            assert!(!knows || name == room, "{name} uses {library}, which belongs to {room}");
        }
    }
}

#[test]
fn every_crate_is_under_the_common_lints() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"forbid\""));
    for (name, package) in own() {
        let manifest = fs::read_to_string(text(&package["manifest_path"])).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}

/// The quoted words of a list in deny.toml.
fn listed(key: &str) -> BTreeSet<String> {
    let file = read("deny.toml");
    let list = file.split_once(&format!("\n{key} = [")).unwrap().1;
    let (list, _) = list.split_once("\n]").unwrap();
    list.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn every_licence_is_one_we_allow() {
    let allowed = listed("allow");
    for package in packages().filter(|package| !package["source"].is_null()) {
        let licence = text(&package["license"]);
        assert!(is_allowed(licence, &allowed), "{}: {licence:?}", text(&package["name"]));
    }
}

/// Reads an SPDX expression: of alternatives one has to be allowed, of what holds together everything. The older `/`
/// stands for `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (allowed, rest) = alternatives(&words, allowed);
    allowed && rest.is_empty()
}

fn alternatives<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut any, mut rest) = together(words, allowed);
    while let ["OR", behind @ ..] = rest {
        let (next, behind) = together(behind, allowed);
        (any, rest) = (any | next, behind);
    }
    (any, rest)
}

fn together<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut all, mut rest) = one(words, allowed);
    while let ["AND", behind @ ..] = rest {
        let (next, behind) = one(behind, allowed);
        (all, rest) = (all & next, behind);
    }
    (all, rest)
}

fn one<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inside @ ..] => match alternatives(inside, allowed) {
            (held, [")", rest @ ..]) => (held, rest),
            (_, rest) => (false, rest),
        },
        [licence, "WITH", exception, rest @ ..] => (allowed.contains(&format!("{licence} WITH {exception}")), rest),
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => (false, words),
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for held in
        ["MIT", "GPL-3.0 OR MIT", "(GPL-3.0 OR MIT) AND BSD-3-Clause", "GPL-3.0/MIT", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(is_allowed(held, &allowed), "{held}");
    }
    for refused in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR BSD-3-Clause) AND GPL-3.0", "Apache-2.0", "(MIT", "MIT MIT"]
    {
        assert!(!is_allowed(refused, &allowed), "{refused}");
    }
}

#[test]
fn nothing_banned_comes_in_and_all_comes_from_the_registry() {
    let banned = listed("deny");
    assert_eq!(banned.len(), 4, "{banned:?}");
    for package in packages() {
        let (name, source) = (text(&package["name"]), &package["source"]);
        assert!(!banned.contains(name), "{name} is banned");
        let from_registry = text(source).starts_with("registry+");
        assert!(source.is_null() || from_registry, "{name} comes from {source}");
    }
}

/// Words that mean unfinished or unchecked. They are put together here so that this file does not find itself.
#[test]
fn nothing_is_left_for_later() {
    let words =
        [["to", "do!("], ["unimple", "mented!("], ["db", "g!("], ["#[ign", "ore"], ["unsa", "fe {"], ["unsa", "fe fn"]];
    for (name, source) in sources() {
        for word in words.map(|parts| parts.concat()) {
            assert!(!source.contains(&word), "{name}: {word}");
        }
    }
}

#[test]
fn no_file_names_a_developers_machine() {
    let places = [["/wo", "rk/"], ["/tm", "p/w"], ["/home/", "runner"], ["/Use", "rs/"]];
    for (name, text) in texts() {
        for place in places.map(|parts| parts.concat()) {
            assert!(!text.contains(&place), "{name}: {place}");
        }
    }
}

/// The messages of our own log: `(file, message)`.
fn log_messages() -> Vec<(String, String)> {
    let mut messages = Vec::new();
    for (name, source) in sources().into_iter().filter(|(name, _)| !name.starts_with("tests/")) {
        for (at, _) in source.match_indices("tracing::") {
            let call = source.get(at + "tracing::".len()..).unwrap();
            let level =
                ["error!(", "warn!(", "info!(", "debug!(", "trace!("].iter().find(|level| call.starts_with(**level));
            let Some(level) = level else { continue };
            let arguments = call.get(level.len()..).unwrap();
            let (arguments, _) = arguments.split_once(");").unwrap_or((arguments, ""));
            // The message stands last; fields come before it.
            let message = arguments.trim_end().trim_end_matches(',').rsplit('"').nth(1);
            messages.push((name.clone(), message.unwrap_or_default().to_owned()));
        }
    }
    messages
}

#[test]
fn log_messages_have_one_form_and_no_room_for_record_text() {
    let messages = log_messages();
    assert!(messages.len() >= 20, "only {} messages were found: has the log another name now?", messages.len());
    for (file, message) in messages {
        let first = message.split_whitespace().next().unwrap_or_default();
        let is_acronym = first.len() > 1 && first.chars().all(|letter| letter.is_ascii_uppercase());
        assert!(is_acronym || first.starts_with(|letter: char| letter.is_ascii_lowercase()), "{file}: {message:?}");
        assert!(!message.ends_with(['.', '。', '!']), "{file}: {message:?} ends like a sentence");
        assert!(!message.contains(['{', '}']), "{file}: {message:?}: values belong into fields");
    }
}

/// Ids of the hospital's rules, by their files.
fn rule_ids() -> BTreeSet<String> {
    let files = fs::read_dir(root().join("rules/hospital")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(".yml")?.to_owned())).collect()
}

#[test]
fn every_rule_has_samples_that_it_finds_and_samples_that_it_leaves() {
    for id in rule_ids() {
        for kind in ["match", "nomatch"] {
            let name = format!("rules/hospital/{id}.{kind}.jsonl");
            let lines: Vec<Value> = read(&name)
                .lines()
                .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}")))
                .collect();
            assert!(!lines.is_empty(), "{name} is empty");
        }
    }
}

/// The rows of README's two tables of rules: `| VP-01 | …`.
#[test]
fn readme_lists_every_rule_in_both_languages_and_no_other() {
    let readme = read("README.md");
    let (japanese, english) = readme.split_once("\n# Monban").expect("README has an English half");
    for half in [japanese, english] {
        let rows = half.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let listed: BTreeSet<String> = rows.filter(|cell| is_rule_id(cell)).map(str::to_owned).collect();
        assert_eq!(listed, rule_ids());
    }
}

fn is_rule_id(cell: &str) -> bool {
    matches!(cell.as_bytes(), [a, b, b'-', c, d] if [a, b].iter().all(|x| x.is_ascii_uppercase()) && [c, d].iter().all(|x| x.is_ascii_digit()))
}

#[test]
fn readme_and_ci_run_the_same_command() {
    let command = "cargo xtask test";
    assert_eq!(read("README.md").matches(command).count(), 2, "once in each language");
    let last = read(".ci/run").lines().last().unwrap().to_owned();
    assert_eq!(last, format!("exec {command}"));
}

/// The words in backticks of a document, without its fenced blocks.
fn code_words(document: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in document.split("```").enumerate() {
        if index % 2 == 0 {
            words.extend(part.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    words
}

fn is_path(word: &str) -> bool {
    let written = word.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
    let is_file = Path::new(word).extension().is_some_and(|end| ["rs", "md", "toml"].iter().any(|known| end == *known));
    written && !word.starts_with('/') && (word.contains('/') || is_file)
}

#[test]
fn architecture_names_only_what_is_there() {
    let words = code_words(&read("ARCHITECTURE.md"));
    let paths: Vec<&String> = words.iter().filter(|word| is_path(word)).collect();
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        assert!(root().join(path).try_exists().unwrap(), "ARCHITECTURE.md names {path}, which is not there");
    }
}

#[test]
fn architecture_names_every_top_level_folder() {
    let architecture = read("ARCHITECTURE.md");
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() && !name.starts_with('.') && !MADE.contains(&name.as_str()) {
            assert!(architecture.contains(&format!("`{name}/`")), "ARCHITECTURE.md does not name {name}/");
        }
    }
}

#[test]
fn the_documents_everybody_looks_for_are_there() {
    for (name, word) in [("CONTRIBUTING.md", "rules/hospital"), ("CHANGELOG.md", "## "), ("LICENSE", "Apache License")]
    {
        assert!(read(name).contains(word), "{name}");
    }
}
