//! Urlencoded forms: reading, validating, and showing again what was typed.
//!
//! A [`Form`] keeps the values as they were typed and one message for each field that is wrong, so a
//! template can show both. It refuses nothing by itself: the handler asks, the form remembers. Invariant:
//! values come back trimmed, with
//! `\n` line ends only and without other control characters, which feeds could not carry. Called by handlers and templates.

/// A form's values, and what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
}

impl Form {
    /// An empty form, for a new thing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A form with these values.
    pub fn from_pairs(values: Vec<(String, String)>) -> Self {
        Self { values, errors: Vec::new() }
    }

    /// Sets a value, as when an existing thing is edited.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.retain(|(own, _)| own != name);
        self.values.push((name.to_owned(), value.into()));
        self
    }

    /// The value as typed, or empty. The first, where there are several.
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of this name, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether a checkbox was ticked, or a button of this name pressed.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(own, _)| own == name)
    }

    /// The message for a field, if something is wrong with it.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(own, _)| own == name).map(|(_, text)| text.as_str())
    }

    /// All messages, as (field, message).
    pub fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    /// Whether nothing is wrong so far.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Says what is wrong with a field. The first message of a field stays.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        if self.error(name).is_none() {
            self.errors.push((name.to_owned(), message.into()));
        }
    }

    /// Text of at most `max` characters, which may be empty.
    pub fn optional(&mut self, name: &str, max: usize) -> String {
        let text = self.value(name).trim().replace("\r\n", "\n").replace('\r', "\n");
        let text = text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "");
        if text.chars().count() > max {
            self.refuse(name, format!("Please use at most {max} characters."));
        }
        text
    }

    /// Text of 1 to `max` characters; `message` says what is missing.
    pub fn required(&mut self, name: &str, max: usize, message: &str) -> String {
        let text = self.optional(name, max);
        if text.is_empty() {
            self.refuse(name, message);
        }
        text
    }

    /// An e-mail address, checked for its shape only: whether it is read is for a mail to find out.
    pub fn email(&mut self, name: &str, message: &str) -> String {
        let text = self.required(name, 254, message);
        let shaped = text.split_once('@').is_some_and(|(local, domain)| {
            let dotted = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
            !local.is_empty() && dotted && !domain.contains('@')
        });
        if !shaped || text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"()".contains(c)) {
            self.refuse(name, message);
        }
        text
    }

    /// A value that parses as `T`; `message` says what is expected.
    pub fn parse<T: std::str::FromStr>(&mut self, name: &str, message: &str) -> Option<T> {
        let parsed = self.value(name).trim().parse().ok();
        if parsed.is_none() {
            self.refuse(name, message);
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_trimmed_counted_and_kept() {
        let mut form = Form::new().with("title", "  Grüße \r\n").with("long", "äää");
        assert_eq!(form.required("title", 5, "missing"), "Grüße");
        assert!(form.is_valid());
        form.optional("long", 2);
        assert_eq!(form.error("long"), Some("Please use at most 2 characters."));
        assert_eq!(form.value("title"), "  Grüße \r\n");
        form.required("none", 5, "missing");
        assert_eq!(form.error("none"), Some("missing"));
        assert_eq!(form.errors().len(), 2);
    }

    #[test]
    fn e_mail_addresses_are_checked_for_shape() {
        for good in ["a@example.org", "first.last+tag@sub.example.co"] {
            let mut form = Form::new().with("email", good);
            form.email("email", "wrong");
            assert!(form.is_valid(), "{good}");
        }
        for bad in
            ["", "a", "a@b", "@example.org", "a@@example.org", "a b@example.org", "a@example.org\nBcc: x@y.z"]
        {
            let mut form = Form::new().with("email", bad);
            form.email("email", "wrong");
            assert!(!form.is_valid(), "{bad}");
        }
    }

    #[test]
    fn numbers_parse_or_are_refused() {
        let mut form = Form::new().with("n", " 12 ").with("m", "x");
        assert_eq!(form.parse::<u8>("n", "a number"), Some(12));
        assert_eq!(form.parse::<u8>("m", "a number"), None);
        assert_eq!(form.error("m"), Some("a number"));
    }
}
