//! Flattens one Windows record, as the EVTX reader renders it, into names and values the way Sigma's rules speak of
//! them: the elements of `System` by name (`EventID`, `Channel`), their attributes as `Element_Attribute`
//! (`Provider_Name`, `Execution_ProcessID`), `EventData` by its names, unnamed data as `Data`, and the children of
//! `UserData` by element name. Values without content are left out, so that a rule asking for null finds none.
//!
//! One pass over the text, without a tree in between: this runs once for every event of a file. Passwords on command
//! lines are blotted out here, before anything else sees them.

use std::borrow::Cow;
use std::fmt;

use monban_event::NativeFields;
use monban_event::limits::NATIVE_FIELDS_MAX;
use monban_event::redact::redact_field;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A record as names and values, those of `System` first.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowsFields {
    pub(crate) fields: NativeFields,
    /// How many of them belong to `System`; the rest is what the event says.
    pub(crate) system: usize,
}

impl WindowsFields {
    pub(crate) fn push_system(&mut self, name: &str, value: &str) {
        self.push_data(name, value);
        self.system = self.fields.len();
    }

    pub(crate) fn push_data(&mut self, name: &str, value: &str) {
        if self.fields.len() < NATIVE_FIELDS_MAX {
            self.fields.push(name, &redact_field(name, value));
        }
    }

    /// The value of a field, `None` also for the words that Windows writes for nothing.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(str::trim).filter(|value| !value.is_empty() && *value != "-")
    }

    pub(crate) fn data(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().skip(self.system)
    }
}

/// Reads the JSON rendering of one record: `{"Event": {"System": {…}, "EventData": {…}}}`.
pub(crate) fn read_json(json: &[u8]) -> Result<WindowsFields, serde_json::Error> {
    let mut found = WindowsFields::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let node = Node { name: "", place: Place::Outside, found: &mut found };
    node.deserialize(&mut deserializer)?;
    Ok(found)
}

/// Where in the record a value stands; decides what its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Above `System` and the event's own data: nothing to keep but the way down.
    Outside,
    System,
    Data,
}

struct Node<'a> {
    name: &'a str,
    place: Place,
    found: &'a mut WindowsFields,
}

impl Node<'_> {
    fn keep(self, value: &str) {
        match self.place {
            Place::Outside => {}
            Place::System => self.found.push_system(self.name, value),
            Place::Data => self.found.push_data(self.name, value),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a Windows record")
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.keep(value);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.keep(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.keep(&value.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Node { found: &mut *self.found, ..self })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key_seed(Key)? {
            match key.as_ref() {
                "#text" => members.next_value_seed(Node { found: &mut *self.found, ..self })?,
                "#attributes" => {
                    let attributes = Attributes { element: self.name, place: self.place, found: &mut *self.found };
                    members.next_value_seed(attributes)?;
                }
                name => {
                    let place = below(self.place, self.name, name);
                    members.next_value_seed(Node { name, place, found: &mut *self.found })?;
                }
            }
        }
        Ok(())
    }
}

/// `Event` is above both; what stands in it beside `System` is data.
fn below(place: Place, parent: &str, name: &str) -> Place {
    match (place, parent, name) {
        (Place::Outside, "", "Event") => Place::Outside,
        (Place::Outside, _, "System") => Place::System,
        (Place::Outside, _, _) => Place::Data,
        (place, _, _) => place,
    }
}

/// The attributes of an element, named `Element_Attribute`. Name spaces say nothing about the event.
struct Attributes<'a> {
    element: &'a str,
    place: Place,
    found: &'a mut WindowsFields,
}

impl<'de> DeserializeSeed<'de> for Attributes<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Attributes<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the attributes of an element")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key_seed(Key)? {
            let place = if key.starts_with("xmlns") { Place::Outside } else { self.place };
            let name = format!("{}_{key}", self.element);
            members.next_value_seed(Node { name: &name, place, found: &mut *self.found })?;
        }
        Ok(())
    }
}

/// A member's name, borrowed where it holds no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &[(&str, &str)]) {
        let found = read_json(json.as_bytes()).expect("the sample is JSON");
        assert_eq!(found.fields.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn system_and_event_data_are_named_as_rules_name_them() {
        check(
            r##"{"Event":{"#attributes":{"xmlns":"http://schemas.example/event"},"System":{
                "Provider":{"#attributes":{"Name":"Maker-Product","Guid":"{0a}"}},
                "EventID":{"#attributes":{"Qualifiers":16384},"#text":7045},"Correlation":null,
                "Execution":{"#attributes":{"ProcessID":4}},"Channel":"System"},
              "EventData":{"ServiceName":"予約\\受付","Enabled":true,"Empty":"","Nothing":null,"Count":-3}}}"##,
            &[
                ("Provider_Name", "Maker-Product"),
                ("Provider_Guid", "{0a}"),
                ("EventID_Qualifiers", "16384"),
                ("EventID", "7045"),
                ("Execution_ProcessID", "4"),
                ("Channel", "System"),
                ("ServiceName", "予約\\受付"),
                ("Enabled", "true"),
                ("Empty", ""),
                ("Count", "-3"),
            ],
        );
    }

    #[test]
    fn unnamed_data_repeats_and_user_data_is_flat() {
        check(
            r##"{"Event":{"System":{"EventID":1},"EventData":{"Data":{"#text":["a","b"]}}}}"##,
            &[("EventID", "1"), ("Data", "a"), ("Data", "b")],
        );
        check(
            r##"{"Event":{"System":{"EventID":1149},"UserData":{"EventXML":{"#attributes":{"xmlns":"Event_NS"},
                "Param1":"sato","Param2":null,"Part":{"#attributes":{"kind":"x"}}}}}}"##,
            &[("EventID", "1149"), ("Param1", "sato"), ("Part_kind", "x")],
        );
    }

    #[test]
    fn the_number_of_fields_is_bounded() {
        let members: Vec<String> = (0..2 * NATIVE_FIELDS_MAX).map(|n| format!("\"f{n}\":1")).collect();
        let json = format!("{{\"Event\":{{\"EventData\":{{{}}}}}}}", members.join(","));
        assert_eq!(read_json(json.as_bytes()).expect("JSON").fields.len(), NATIVE_FIELDS_MAX);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        assert!(read_json(b"{\"Event\":{\"System\":").is_err());
    }
}
