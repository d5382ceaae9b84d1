//! When two spellings are the same person: `CORP\Tanaka`, `tanaka@corp.local` and `ｔａｎａｋａ` are `tanaka`.

use unicode_normalization::UnicodeNormalization;

/// Words that devices write where they know no user; never indexed as one.
const NULL_WORDS: [&str; 9] = ["", "-", "--", "---", "n/a", "(null)", "unknown", "<unknown>", "*****"];

/// An account name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// The key accounts compare by: NFKC, lower case, without its domain.
    pub key: String,
    /// The domain or realm as written, lower case, where one was given.
    pub domain: Option<String>,
}

/// Takes an account as written apart. `None` for the words that mean nobody.
pub fn parse(raw: &str) -> Option<AccountName> {
    let folded = fold(raw.trim());
    if NULL_WORDS.contains(&folded.as_str()) {
        return None;
    }
    let (domain, name) = split_domain(&folded);
    if NULL_WORDS.contains(&name) {
        return None;
    }
    Some(AccountName { key: name.to_owned(), domain: domain.map(str::to_owned) })
}

/// The comparison key alone; the folded text itself where the name means nobody.
pub fn key(raw: &str) -> String {
    parse(raw).map_or_else(|| fold(raw.trim()), |account| account.key)
}

/// Whether the text is one of the words devices write for "nobody" or "nothing".
pub fn is_null_word(text: &str) -> bool {
    let text = text.trim();
    NULL_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// NFKC and lower case; ASCII, by far the most common, takes a short path. What was folded folds to itself.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    // A mark that had no letter to join may have one in lower case: İ becomes a letter and a mark itself.
    if folded.contains(|char| ('\u{300}'..='\u{36f}').contains(&char)) { folded.nfkc().collect() } else { folded }
}

fn split_domain(name: &str) -> (Option<&str>, &str) {
    if let Some((domain, user)) = name.split_once('\\') {
        return (Some(domain).filter(|domain| !domain.is_empty()), user);
    }
    match name.split_once('@') {
        Some((user, domain)) if !user.is_empty() && !domain.is_empty() => (Some(domain), user),
        _ => (None, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_person_share_a_key() {
        for raw in ["CORP\\Tanaka", "tanaka@corp.local", "ＴＡＮＡＫＡ", " tanaka "] {
            assert_eq!(key(raw), "tanaka", "{raw}");
        }
        assert_eq!(parse("CORP\\Tanaka").and_then(|account| account.domain).as_deref(), Some("corp"));
    }

    #[test]
    fn what_was_folded_folds_to_itself() {
        for text in ["İ\u{ff9e}", "Ϊ\u{301}", "Ὰ\u{345}", "ﾛｸﾞ", "か\u{3099}", "ＡÉ\u{327}", "㍿"] {
            let folded = fold(text);
            assert_eq!(fold(&folded), folded, "{text}");
        }
        assert_eq!(fold("ﾛｸﾞｵﾝ Ｅrror"), "ログオン error");
    }

    #[test]
    fn words_for_nobody_are_nobody() {
        for raw in ["", "-", "N/A", "(null)", "unknown", "*****", "CORP\\-", "<Unknown>"] {
            assert_eq!(parse(raw), None, "{raw}");
        }
    }
}
