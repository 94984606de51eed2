//! Metadata and rule sets: what a subject's config adds to those of a schema,
//! and which rules clients could not run.

use std::collections::BTreeSet;

use crate::content::{Metadata, Rule, RuleMode, RuleSet};
use crate::error::Error;
use crate::store::SubjectConfig;

/// The metadata property that holds the version of a schema.
const VERSION: &str = "confluent:version";
const MAX_NAME_LENGTH: usize = 256;

/// What is registered where a schema has these, the version before it those,
/// and the config its own: defaults, then the schema's or else the previous
/// ones, then overrides. `version` is stamped if there is one to stamp.
pub(super) fn effective(
    config: &SubjectConfig,
    own: (Option<Metadata>, Option<RuleSet>),
    previous: Option<(Option<Metadata>, Option<RuleSet>)>,
    stamp: impl FnOnce(Option<&Metadata>) -> Option<i32>,
) -> (Option<Metadata>, Option<RuleSet>) {
    let (previous_metadata, previous_rules) = previous.unwrap_or_default();
    let metadata = own.0.or(previous_metadata);
    let metadata = merge_metadata(config.default_metadata.clone(), metadata);
    let mut metadata = merge_metadata(metadata, config.override_metadata.clone());
    let rules = own.1.or(previous_rules);
    let rules = merge_rules(config.default_rule_set.clone(), rules);
    let rules = merge_rules(rules, config.override_rule_set.clone());
    if let Some(version) = stamp(metadata.as_ref()) {
        let properties = &mut metadata.get_or_insert_default().properties;
        properties.insert(VERSION.to_owned(), version.to_string());
    }
    (metadata, rules)
}

/// The version that metadata hold.
pub(super) fn stamped_version(metadata: Option<&Metadata>) -> Option<&str> {
    metadata?.properties.get(VERSION).map(String::as_str)
}

/// Metadata without the version they hold.
pub(super) fn without_version(metadata: Option<&Metadata>) -> Option<Metadata> {
    let mut metadata = metadata?.clone();
    metadata.properties.remove(VERSION);
    Some(metadata)
}

fn merge_metadata(below: Option<Metadata>, above: Option<Metadata>) -> Option<Metadata> {
    match (below, above) {
        (Some(mut below), Some(above)) => {
            for (path, tags) in above.tags {
                below.tags.entry(path).or_default().extend(tags);
            }
            below.properties.extend(above.properties);
            below.sensitive.extend(above.sensitive);
            Some(below)
        }
        (below, above) => above.or(below),
    }
}

/// Rules together; those above replace those below that have the same name.
pub(super) fn merge_rules(below: Option<RuleSet>, above: Option<RuleSet>) -> Option<RuleSet> {
    match (below, above) {
        (Some(below), Some(above)) => Some(RuleSet {
            migration_rules: merge_lists(below.migration_rules, above.migration_rules),
            domain_rules: merge_lists(below.domain_rules, above.domain_rules),
            encoding_rules: merge_lists(below.encoding_rules, above.encoding_rules),
            enable_at: above.enable_at.or(below.enable_at),
        }),
        (below, above) => above.or(below),
    }
}

/// The rules but for those with these names.
pub(super) fn without_rules(rules: Option<RuleSet>, names: &[String]) -> Option<RuleSet> {
    let mut rules = rules?;
    for list in [&mut rules.migration_rules, &mut rules.domain_rules, &mut rules.encoding_rules] {
        list.retain(|rule| rule.name.as_ref().is_none_or(|name| !names.contains(name)));
    }
    Some(rules)
}

/// A rule replaces one of the same name.
fn merge_lists(mut below: Vec<Rule>, above: Vec<Rule>) -> Vec<Rule> {
    below.retain(|old| above.iter().all(|new| new.name != old.name));
    below.extend(above);
    below
}

/// Checks the rules of a request.
///
/// # Errors
/// [`Error::InvalidRuleSet`], which names the rule.
pub(super) fn check_rules(rules: &RuleSet) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for (list, is_migration, modes) in [
        (&rules.migration_rules, true, "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN"),
        (&rules.domain_rules, false, "Domain rules can only be WRITE, READ, WRITEREAD"),
        (&rules.encoding_rules, false, "Encoding rules can only be WRITE, READ, WRITEREAD"),
    ] {
        for rule in list {
            let name = check_name(rule)?;
            let refuse = |what: &str| Err(Error::InvalidRuleSet(format!("{what} (rule '{name}')")));
            if !names.insert(name) {
                return refuse("Found rule with duplicate name");
            }
            if rule.rule_type.is_none() {
                return refuse("Missing rule type");
            }
            let takes_two = matches!(rule.mode, RuleMode::WriteRead | RuleMode::UpDown);
            let has_two =
                |action: &Option<String>| action.as_ref().is_some_and(|text| text.contains(','));
            if !takes_two && (has_two(&rule.on_success) || has_two(&rule.on_failure)) {
                return refuse("Multiple actions only valid with WRITEREAD and UPDOWN");
            }
            if rule.mode.is_migration() != is_migration {
                return refuse(modes);
            }
        }
    }
    Ok(())
}

fn check_name(rule: &Rule) -> Result<&str, Error> {
    let refuse = |what: String| Err(Error::InvalidRuleSet(what));
    let Some(name) = rule.name.as_deref() else {
        return refuse("Missing rule name".to_owned());
    };
    let mut letters = name.chars();
    let Some(first) = letters.next() else {
        return refuse("Empty rule name".to_owned());
    };
    if name.chars().count() > MAX_NAME_LENGTH {
        return refuse("Rule name too long".to_owned());
    }
    if !(first.is_alphabetic() || first == '_') {
        return refuse(format!("Illegal initial character in rule name: {name}"));
    }
    if !letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-')) {
        return refuse(format!("Illegal character in rule name: {name}"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> RuleSet {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn rules_that_clients_could_not_run_are_refused() {
        let long = format!(r#"{{"domainRules":[{{"name":"{}","type":"CEL"}}]}}"#, "a".repeat(257));
        for (text, expected) in [
            (r#"{}"#, None),
            (r#"{"domainRules":[{"name":"r1","mode":"WRITE","type":"CEL"}]}"#, None),
            (r#"{"domainRules":[{"mode":"WRITE","type":"CEL"}]}"#, Some("Missing rule name")),
            (r#"{"domainRules":[{"name":"","type":"CEL"}]}"#, Some("Empty rule name")),
            (r#"{"domainRules":[{"name":"1","type":"CEL"}]}"#, Some("Illegal initial")),
            (r#"{"domainRules":[{"name":"a b","type":"CEL"}]}"#, Some("Illegal character")),
            (&long, Some("too long")),
            (r#"{"domainRules":[{"name":"r"}]}"#, Some("Missing rule type")),
            (
                r#"{"domainRules":[{"name":"r","type":"CEL"}],"migrationRules":[{"name":"r","mode":"UPGRADE","type":"X"}]}"#,
                Some("duplicate"),
            ),
            (r#"{"migrationRules":[{"name":"r","mode":"WRITE","type":"X"}]}"#, Some("Migration")),
            (r#"{"encodingRules":[{"name":"r","mode":"UPGRADE","type":"X"}]}"#, Some("Encoding")),
            (
                r#"{"domainRules":[{"name":"r","mode":"WRITE","type":"X","onFailure":"A,B"}]}"#,
                Some("Multiple actions"),
            ),
            (
                r#"{"domainRules":[{"name":"r","mode":"WRITEREAD","type":"X","onFailure":"A,B"}]}"#,
                None,
            ),
        ] {
            let message = check_rules(&rules(text)).err().map(|error| error.to_string());
            match (&message, expected) {
                (None, None) => {}
                (Some(message), Some(part)) => assert!(message.contains(part), "{text}: {message}"),
                _ => panic!("{text}: {message:?}"),
            }
        }
    }

    #[test]
    fn configs_add_to_what_a_schema_says() {
        let metadata = |text: &str| Some(serde_json::from_str::<Metadata>(text).unwrap());
        let config = SubjectConfig {
            default_metadata: metadata(
                r#"{"properties":{"a":"default","b":"default"},"tags":{"x":["1"]}}"#,
            ),
            override_metadata: metadata(r#"{"properties":{"c":"override"},"tags":{"x":["2"]}}"#),
            default_rule_set: Some(rules(
                r#"{"domainRules":[{"name":"r","type":"A"},{"name":"s","type":"A"}]}"#,
            )),
            override_rule_set: Some(rules(r#"{"domainRules":[{"name":"r","type":"B"}]}"#)),
            ..SubjectConfig::default()
        };
        let own = (metadata(r#"{"properties":{"b":"own","c":"own"}}"#), None);
        let previous = (metadata(r#"{"properties":{"z":"previous"}}"#), None);
        let (merged, merged_rules) = effective(&config, own, Some(previous.clone()), |_| None);
        assert_eq!(
            merged,
            metadata(
                r#"{"properties":{"a":"default","b":"own","c":"override"},"tags":{"x":["1","2"]}}"#
            )
        );
        let types: Vec<_> = merged_rules
            .unwrap()
            .domain_rules
            .into_iter()
            .map(|rule| (rule.name.unwrap(), rule.rule_type.unwrap()))
            .collect();
        assert_eq!(types, [("s".into(), "A".into()), ("r".into(), "B".into())]);
        let plain = SubjectConfig::default();
        let copied = effective(&plain, (None, None), Some(previous.clone()), |_| Some(3)).0;
        assert_eq!(stamped_version(copied.as_ref()), Some("3"));
        assert_eq!(without_version(copied.as_ref()), previous.0);
        assert_eq!(effective(&plain, (None, None), None, |_| None), (None, None));
    }
}
