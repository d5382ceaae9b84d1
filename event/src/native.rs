//! The fields as the device named them (`EventData` names, `FortiGate` keys), kept beside ours because Sigma rules and
//! incident responders speak those names. One buffer holds all of them: an event has some thirty, and a million
//! events an hour should not cost thirty million allocations.

/// Room made with the first field: what a firewall's line needs, so that it does not grow step by step.
const FIRST_BYTES: usize = 512;
const FIRST_FIELDS: usize = 32;

/// Native names and values in the order in which they came. A name may occur more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeFields {
    buffer: String,
    /// Byte lengths of a name and of its value; they stand in `buffer` one after the other.
    entries: Vec<(u32, u32)>,
}

/// See [`NativeFields::all`]. Rules look up hundreds of names an event, so this is a loop and no chain of closures.
struct Values<'a, 'n> {
    fields: &'a NativeFields,
    name: &'n str,
    next: usize,
    /// Where the next entry's name begins.
    at: usize,
}

impl<'a> Iterator for Values<'a, '_> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        for &(name_length, value_length) in self.fields.entries.get(self.next..)? {
            let (start, middle) = (self.at, self.at + name_length as usize);
            self.next += 1;
            self.at = middle + value_length as usize;
            // Most names differ in their length already, which is seen without reading them.
            if name_length as usize == self.name.len() && self.fields.buffer.get(start..middle) == Some(self.name) {
                return self.fields.buffer.get(middle..self.at);
            }
        }
        None
    }
}

impl NativeFields {
    /// Appends a field. Names and values longer than 4 GiB cannot occur: a record is bounded far below that.
    pub fn push(&mut self, name: &str, value: &str) {
        if self.entries.is_empty() {
            self.buffer.reserve(FIRST_BYTES);
            self.entries.reserve(FIRST_FIELDS);
        }
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.buffer.push_str(name);
        self.buffer.push_str(value);
        self.entries.push((length(name), length(value)));
    }

    /// Makes room for about so many fields and bytes, so that they need not be moved as more come.
    pub fn reserve(&mut self, fields: usize, bytes: usize) {
        self.entries.reserve(fields);
        self.buffer.reserve(bytes);
    }

    /// The value of the first field of that name; names compare exactly.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        Values { fields: self, name, next: 0, at: 0 }
    }

    /// The value of the first field of that name, ASCII case ignored.
    pub fn get_ignoring_case(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(candidate, value)| candidate.eq_ignore_ascii_case(name).then_some(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut at = 0;
        self.entries.iter().map(move |&(name, value)| {
            let middle = at + name as usize;
            let end = middle + value as usize;
            let pair = (self.buffer.get(at..middle).unwrap_or(""), self.buffer.get(middle..end).unwrap_or(""));
            at = end;
            pair
        })
    }

    /// The lengths of the names, in bytes.
    pub fn name_lengths(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().map(|&(name, _)| name as usize)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for NativeFields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in pairs {
            fields.push(name.as_ref(), value.as_ref());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_repeats() {
        let fields: NativeFields = [("user", "山田"), ("ip", ""), ("user", "佐藤")].into_iter().collect();
        assert_eq!(fields.get("user"), Some("山田"));
        assert_eq!(fields.get("ip"), Some(""));
        assert_eq!(fields.get("USER"), None);
        assert_eq!(fields.get_ignoring_case("USER"), Some("山田"));
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("user", "山田"), ("ip", ""), ("user", "佐藤")]);
    }
}
