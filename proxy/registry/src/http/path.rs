//! Paths and queries of requests: decoding, contexts, aliases.

use crate::error::Error;
use crate::subject::{Subject, context_prefix, is_qualified};

/// The segments of a path, each decoded once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

impl Path {
    /// Takes the path of a URL apart. A slash at its end does not count.
    ///
    /// # Errors
    /// 400 for empty segments, control characters and what is no UTF-8.
    pub(super) fn parse(path: &str) -> Result<Self, Error> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let segment = |segment: &str| {
            let decoded = decode(segment, false).ok_or(Error::BadRequest)?;
            if decoded.is_empty() || decoded.chars().any(|letter| letter.is_ascii_control()) {
                return Err(Error::BadRequest);
            }
            Ok(decoded)
        };
        path.split('/').map(segment).collect::<Result<_, _>>().map(Self)
    }

    /// The path that `/contexts/{context}/…` stands for: subjects, prefixes of
    /// subjects and settings get the context before their names.
    ///
    /// # Errors
    /// 400 for a context that cannot be one.
    pub(super) fn within_contexts(self, query: &mut Query) -> Result<Self, Error> {
        let [first, context, rest @ ..] = &*self.0 else { return Ok(self) };
        if first != "contexts" {
            return Ok(self);
        }
        let prefix =
            context_prefix(context).ok_or_else(|| Error::ColonInContext(context.clone()))?;
        let qualified = |name: &str| {
            if is_qualified(name) { name.to_owned() } else { format!("{prefix}{name}") }
        };
        let mut segments: Vec<String> = Vec::with_capacity(rest.len() + 1);
        let mut is_subject = false;
        for (index, segment) in rest.iter().enumerate() {
            if std::mem::take(&mut is_subject) {
                segments.push(qualified(segment));
                continue;
            }
            is_subject = match segment.as_str() {
                "subjects" => true,
                "config" | "mode" => index == 0,
                _ => false,
            };
            segments.push(segment.clone());
        }
        match rest.first().map(String::as_str) {
            None if prefix.is_empty() => {}
            None => segments.extend(["contexts".to_owned(), prefix]),
            Some("config" | "mode") if rest.len() == 1 && !prefix.is_empty() => {
                segments.push(prefix)
            }
            Some("schemas") if rest.get(1).is_some_and(|segment| segment == "ids") => {
                query.set("subject", qualified(query.text("subject").unwrap_or_default()));
            }
            Some("schemas" | "subjects") if rest.len() == 1 => {
                query.set(
                    "subjectPrefix",
                    qualified(query.text("subjectPrefix").unwrap_or_default()),
                );
            }
            Some(_) => {}
        }
        Ok(Self(segments))
    }

    /// The path with subjects in place of their aliases.
    pub(super) fn with_aliases(
        mut self,
        query: &mut Query,
        alias: impl Fn(&Subject) -> Option<Subject>,
    ) -> Self {
        let mut is_subject = false;
        for segment in &mut self.0 {
            if std::mem::take(&mut is_subject) {
                if let Some(subject) = alias(&Subject::parse(segment)) {
                    *segment = subject.to_string();
                }
            } else {
                is_subject = segment == "subjects";
            }
        }
        let is_id =
            matches!(&*self.0, [first, second, ..] if first == "schemas" && second == "ids");
        if is_id
            && let Some(subject) = query.text("subject").map(Subject::parse)
            && let Some(subject) = alias(&subject)
        {
            query.set("subject", subject.to_string());
        }
        self
    }

    pub(super) fn segments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// The parameters behind the question mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Takes them apart; what cannot be decoded is left out.
    pub(super) fn parse(text: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).filter_map(pair).collect())
    }

    fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), value));
    }

    /// The first value of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// `true` in any case; everything else is false.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn integer(&self, name: &str, default: i32) -> Result<i32, Error> {
        match self.text(name) {
            None | Some("") => Ok(default),
            Some(text) => text.parse().map_err(|_| Error::NotFound),
        }
    }

    /// The part of a list that `offset` and `limit` ask for.
    ///
    /// # Errors
    /// 404 for what is no number, as it is for paths; 422 for an offset below 0.
    pub(super) fn page(&self) -> Result<(usize, i32), Error> {
        let offset = self.integer("offset", 0)?;
        let limit = self.integer("limit", -1)?;
        let offset = usize::try_from(offset)
            .map_err(|_| Error::Invalid(format!("offset must not be negative (was {offset})")))?;
        Ok((offset, limit))
    }
}

/// Decodes `%XX`, and in queries `+`. `None` where that gives no UTF-8.
fn decode(text: &str, is_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let value = digit(high)? * 16 + digit(low)?;
                bytes.push(u8::try_from(value).ok()?);
                rest = tail;
            }
            (b'%', _) => return None,
            (b'+', _) if is_query => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<Vec<String>> {
        Path::parse(path).ok().map(|path| path.0)
    }

    #[test]
    fn segments_are_decoded_once() {
        for (path, expected) in [
            ("/", Some(vec![])),
            ("/subjects/", Some(vec!["subjects"])),
            ("/subjects/a%2Fb/versions", Some(vec!["subjects", "a/b", "versions"])),
            ("/subjects/a+b", Some(vec!["subjects", "a+b"])),
            ("/subjects/a%2525b", Some(vec!["subjects", "a%25b"])),
            ("/subjects/%3A.ctx%3As", Some(vec!["subjects", ":.ctx:s"])),
            ("/subjects/%C3%BC", Some(vec!["subjects", "ü"])),
            ("/subjects/.", Some(vec!["subjects", "."])),
            ("//subjects", None),
            ("/subjects//versions", None),
            ("/subjects/a%01b", None),
            ("/subjects/%FF", None),
            ("/subjects/%2", None),
        ] {
            let expected =
                expected.map(|segments| segments.into_iter().map(str::to_owned).collect());
            assert_eq!(parse(path), expected, "{path}");
        }
    }

    #[test]
    fn contexts_of_a_path_go_before_names() {
        for (path, expected, subject, prefix) in [
            ("/subjects/a", "subjects/a", None, None),
            ("/contexts", "contexts", None, None),
            ("/contexts/.ctx", "contexts/:.ctx:", None, None),
            ("/contexts/.", "", None, None),
            ("/contexts/ctx/subjects", "subjects", None, Some(":.ctx:")),
            ("/contexts/./subjects?subjectPrefix=r", "subjects", None, Some("r")),
            ("/contexts/.ctx/subjects?subjectPrefix=:.d:x", "subjects", None, Some(":.d:x")),
            ("/contexts/:.ctx:/subjects/a/versions", "subjects/:.ctx:a/versions", None, None),
            ("/contexts/.ctx/subjects/:.d:a/versions", "subjects/:.d:a/versions", None, None),
            (
                "/contexts/.ctx/subjects/subjects/versions",
                "subjects/:.ctx:subjects/versions",
                None,
                None,
            ),
            (
                "/contexts/.ctx/compatibility/subjects/a/versions/1",
                "compatibility/subjects/:.ctx:a/versions/1",
                None,
                None,
            ),
            ("/contexts/.ctx/config", "config/:.ctx:", None, None),
            ("/contexts/./config", "config", None, None),
            ("/contexts/.ctx/mode/a", "mode/:.ctx:a", None, None),
            ("/contexts/.ctx/schemas/ids/1", "schemas/ids/1", Some(":.ctx:"), None),
            (
                "/contexts/.ctx/schemas/ids/1/subjects?subject=a",
                "schemas/ids/1/subjects",
                Some(":.ctx:a"),
                None,
            ),
            ("/contexts/.ctx/schemas", "schemas", None, Some(":.ctx:")),
        ] {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let mut query = Query::parse(query);
            let rewritten = Path::parse(path).unwrap().within_contexts(&mut query).unwrap();
            assert_eq!(rewritten.0.join("/"), expected, "{path}");
            assert_eq!(query.text("subject"), subject, "{path}");
            assert_eq!(query.text("subjectPrefix"), prefix, "{path}");
        }
        let refused =
            Path::parse("/contexts/a:b/subjects").unwrap().within_contexts(&mut Query::default());
        assert_eq!(refused.unwrap_err().to_string(), "Context name 'a:b' cannot contain a colon");
    }

    #[test]
    fn aliases_are_replaced_behind_subjects() {
        let alias = |subject: &Subject| (subject.name() == "al").then(|| Subject::parse("target"));
        for (path, expected) in [
            ("/subjects/al/versions/1", "subjects/target/versions/1"),
            ("/compatibility/subjects/al/versions", "compatibility/subjects/target/versions"),
            ("/config/al", "config/al"),
            ("/subjects/other", "subjects/other"),
        ] {
            let path = Path::parse(path).unwrap().with_aliases(&mut Query::default(), alias);
            assert_eq!(path.0.join("/"), expected);
        }
        let mut query = Query::parse("subject=al");
        Path::parse("/schemas/ids/1").unwrap().with_aliases(&mut query, alias);
        assert_eq!(query.text("subject"), Some("target"));
    }

    #[test]
    fn parameters_are_read_leniently_where_the_reference_does() {
        let query = Query::parse("a=TRUE&b=1&c&offset=2&limit=x&d=x+y%20z");
        assert!(query.flag("a"));
        assert!(!query.flag("b") && !query.flag("c") && !query.flag("e"));
        assert_eq!(query.text("d"), Some("x y z"));
        assert!(matches!(query.page(), Err(Error::NotFound)));
        assert_eq!(Query::parse("offset=2&limit=3").page().unwrap(), (2, 3));
        assert_eq!(Query::parse("").page().unwrap(), (0, -1));
        assert!(matches!(Query::parse("offset=-1").page(), Err(Error::Invalid(_))));
    }
}
