//! One `<Event>` element, the form in which Windows itself writes a record, as forwarders put it into a line: into the
//! same names as the log file. Owns just enough of XML for that: elements, attributes, text and the five entities.
//! What is no such element is `None`; a record that was cut keeps what came before the cut.

use std::borrow::Cow;

use super::flatten::WindowsFields;

/// Most tags read of one record: a record has some fifty, a hostile line as many as fit.
const TAGS_MAX: usize = 4096;

/// How deep elements are followed; `UserData` nests four levels.
const DEPTH_MAX: usize = 16;

/// The fields of the first `<Event …>` of `text`.
pub(crate) fn read(text: &str) -> Option<WindowsFields> {
    let start = text.find("<Event ").or_else(|| text.find("<Event>"))?;
    let mut found = WindowsFields::default();
    let mut path: Vec<Open<'_>> = Vec::new();
    let mut rest = text.get(start..)?;
    for _ in 0..TAGS_MAX {
        let Some((before, tag, behind)) = next_tag(rest) else { break };
        if let Some(open) = path.last_mut() {
            open.text = before;
        }
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            close(&mut path, local(name), &mut found);
            if path.is_empty() {
                break;
            }
        } else if !tag.starts_with(['?', '!']) {
            open(&mut path, tag, &mut found);
        }
        if path.len() > DEPTH_MAX {
            break;
        }
    }
    found.fields.get("EventID").is_some().then_some(found)
}

struct Open<'a> {
    name: &'a str,
    /// The attribute `Name` of a `Data` element.
    label: Option<Cow<'a, str>>,
    text: &'a str,
    has_children: bool,
}

/// The text before the next tag, the inside of the tag, and what follows it.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('<')?;
    let (tag, behind) = rest.split_once('>')?;
    Some((before, tag, behind))
}

/// Without a name space's prefix.
fn local(name: &str) -> &str {
    let name = name.trim();
    name.rsplit(':').next().unwrap_or(name)
}

fn open<'a>(path: &mut Vec<Open<'a>>, tag: &'a str, found: &mut WindowsFields) {
    let inner = tag.trim_end().trim_end_matches('/');
    let (name, attributes) = inner.split_once([' ', '\t', '\r', '\n']).unwrap_or((inner, ""));
    let name = local(name);
    if let Some(parent) = path.last_mut() {
        parent.has_children = true;
    }
    let is_system = path.last().is_some_and(|parent| parent.name == "System");
    let mut label = None;
    for (key, value) in Attributes(attributes) {
        if is_system {
            found.push_system(&format!("{name}_{key}"), &value);
        } else if key == "Name" {
            label = Some(value);
        }
    }
    let opened = Open { name, label, text: "", has_children: false };
    if tag.trim_end().ends_with('/') {
        return;
    }
    path.push(opened);
}

fn close(path: &mut Vec<Open<'_>>, name: &str, found: &mut WindowsFields) {
    let Some(open) = path.pop_if(|open| open.name == name) else { return };
    let text = unescape(open.text);
    let value = text.trim();
    if open.has_children || value.is_empty() {
        return;
    }
    let within = |name| path.iter().any(|open| open.name == name);
    if within("System") {
        found.push_system(open.name, value);
    } else if within("EventData") || within("UserData") {
        found.push_data(open.label.as_deref().unwrap_or(open.name), value);
    }
}

/// `name="value"` or `name='value'`, entities undone.
struct Attributes<'a>(&'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_once('=')?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, behind) = rest.strip_prefix(quote)?.split_once(quote)?;
        self.0 = behind;
        Some((local(name), unescape(value)))
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Cow::Owned(text.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_as_in_the_log_file() {
        let found = read(
            "<Event xmlns='http://schemas.example/event'><System><Provider Name='Maker &amp; Co' Guid='{0a}'/><EventID \
             Qualifiers='7'>4625</EventID><TimeCreated SystemTime='2026-03-03T00:00:00.5Z'/><Channel>Security</Channel>\
             <Computer>DC01.hospital.example</Computer><Security/></System><EventData><Data Name='TargetUserName'>佐藤\
             </Data><Data Name=\"IpAddress\">192.0.2.7</Data><Data>x</Data><Data Name='E'/></EventData></Event> tail",
        )
        .expect("an event");
        assert_eq!(
            found.fields.iter().collect::<Vec<_>>(),
            [
                ("Provider_Name", "Maker & Co"),
                ("Provider_Guid", "{0a}"),
                ("EventID_Qualifiers", "7"),
                ("EventID", "4625"),
                ("TimeCreated_SystemTime", "2026-03-03T00:00:00.5Z"),
                ("Channel", "Security"),
                ("Computer", "DC01.hospital.example"),
                ("TargetUserName", "佐藤"),
                ("IpAddress", "192.0.2.7"),
                ("Data", "x"),
            ]
        );
        assert_eq!(found.system, 7);
    }

    #[test]
    fn cut_and_broken_elements() {
        assert!(read("<Event><System><EventID>1</EventID><Chan").is_some());
        assert!(read("<Event><System><EventID>").is_none());
        assert!(read("<Events>").is_none());
        assert!(read(&"<Event >".repeat(100_000)).is_none());
    }
}
