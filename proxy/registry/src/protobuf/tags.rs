//! Tags of messages and fields: `tags` of the options `confluent.message_meta`
//! and `confluent.field_meta`.

use super::syntax::{Field, File, Import, ImportKind, Message, OptionEntry, OptionValue};
use crate::schema::InvalidSchema;
use crate::tags::{EntityType, SchemaTags, TagChanges, TaggedEntities};

const MESSAGE_OPTION: &str = "confluent.message_meta";
const FIELD_OPTION: &str = "confluent.field_meta";
const TAGS: &str = "tags";
/// Where the options are declared.
const DECLARATION: &str = "confluent/meta.proto";

pub(super) fn tagged_entities(file: &File) -> Result<Vec<SchemaTags>, InvalidSchema> {
    let mut tagged = TaggedEntities::default();
    note(&mut tagged, &file.messages, &mut String::new())?;
    Ok(tagged.into_found())
}

fn note(
    tagged: &mut TaggedEntities,
    messages: &[Message],
    scope: &mut String,
) -> Result<(), InvalidSchema> {
    for message in messages {
        let length = scope.len();
        scope.push_str(&message.name);
        tagged.note(&[scope], EntityType::Record, tags_of(MESSAGE_OPTION, &message.options))?;
        let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
        for field in in_oneofs.chain(&message.fields) {
            let tags = tags_of(FIELD_OPTION, &field.options);
            tagged.note(&[scope, ".", &field.name], EntityType::Field, tags)?;
        }
        scope.push('.');
        note(tagged, &message.messages, scope)?;
        scope.truncate(length);
    }
    Ok(())
}

/// The file with other tags.
pub(super) fn changed(file: &File, changes: &TagChanges) -> Result<File, InvalidSchema> {
    let mut changed = file.clone();
    for change in changes.each()? {
        let entity = change.entity();
        let (message, field) = match entity.entity_type {
            EntityType::Record => (entity.path(), None),
            EntityType::Field => match entity.path().rsplit_once('.') {
                Some((message, field)) => (message, Some(field)),
                None => return Err(entity.not_found()),
            },
        };
        let message = find_message(&mut changed.messages, message);
        let message = message.ok_or_else(|| entity.not_found())?;
        let (name, options) = match field {
            None => (MESSAGE_OPTION, &mut message.options),
            Some(field) => {
                let field = find_field(message, field).ok_or_else(|| entity.not_found())?;
                (FIELD_OPTION, &mut field.options)
            }
        };
        let mut tags = tags_of(name, options);
        change.apply(&mut tags);
        set_tags(name, options, tags);
    }
    // Without it a compiler does not know the options.
    let is_import = |import: &Import| import.path == DECLARATION;
    if has_tags(&changed.messages) && !changed.imports.iter().any(is_import) {
        let path = DECLARATION.to_owned();
        changed.imports.push(Import { path, kind: ImportKind::Plain });
    }
    Ok(changed)
}

fn has_tags(messages: &[Message]) -> bool {
    messages.iter().any(|message| {
        let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
        !tags_of(MESSAGE_OPTION, &message.options).is_empty()
            || (in_oneofs.chain(&message.fields))
                .any(|field| !tags_of(FIELD_OPTION, &field.options).is_empty())
            || has_tags(&message.messages)
    })
}

fn find_message<'a>(messages: &'a mut [Message], path: &str) -> Option<&'a mut Message> {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let message = messages.iter_mut().find(|message| message.name == name)?;
    if rest.is_empty() { Some(message) } else { find_message(&mut message.messages, rest) }
}

fn find_field<'a>(message: &'a mut Message, name: &str) -> Option<&'a mut Field> {
    let in_oneofs = message.oneofs.iter_mut().flat_map(|oneof| &mut oneof.fields);
    in_oneofs.chain(&mut message.fields).find(|field| field.name == name)
}

fn is_option(option: &OptionEntry, name: &str) -> bool {
    option.is_custom && option.name.trim_start_matches('.') == name
}

fn tags_of(name: &str, options: &[OptionEntry]) -> Vec<String> {
    let mut tags = Vec::new();
    let mut add = |value: &OptionValue| {
        let items = match value {
            OptionValue::List(items) => items.as_slice(),
            item => std::slice::from_ref(item),
        };
        for item in items {
            if let OptionValue::String(text) = item {
                let tag = String::from_utf8_lossy(text).into_owned();
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
    };
    for option in options.iter().filter(|option| is_option(option, name)) {
        match &option.value {
            OptionValue::Inner(inner) if !inner.is_custom && inner.name == TAGS => {
                add(&inner.value);
            }
            OptionValue::Map(entries) => {
                entries.iter().filter(|(key, _)| key == TAGS).for_each(|(_, value)| add(value));
            }
            _ => {}
        }
    }
    tags
}

/// Writes an option once, with these tags and whatever else it says.
fn set_tags(name: &str, options: &mut Vec<OptionEntry>, tags: Vec<String>) {
    let place = options.iter().position(|option| is_option(option, name));
    let mut entries: Vec<(String, OptionValue)> = Vec::new();
    options.retain(|option| {
        let is_option = is_option(option, name);
        match &option.value {
            _ if !is_option => {}
            OptionValue::Map(more) => entries.extend(more.iter().cloned()),
            OptionValue::Inner(inner) if inner.is_custom => {
                entries.push((format!("[{}]", inner.name), inner.value.clone()));
            }
            OptionValue::Inner(inner) => entries.push((inner.name.clone(), inner.value.clone())),
            _ => {}
        }
        !is_option
    });
    let at = entries.iter().position(|(key, _)| key == TAGS).unwrap_or(entries.len());
    entries.retain(|(key, _)| key != TAGS);
    if !tags.is_empty() {
        let tags = tags.into_iter().map(|tag| OptionValue::String(tag.into_bytes()));
        let at = at.min(entries.len());
        entries.insert(at, (TAGS.to_owned(), OptionValue::List(tags.collect())));
    }
    if !entries.is_empty() {
        let value = OptionValue::Map(entries);
        let option = OptionEntry { name: name.to_owned(), is_custom: true, value };
        options.insert(place.unwrap_or(options.len()), option);
    }
}

#[cfg(test)]
mod tests {
    use crate::protobuf::ProtobufSchema;
    use crate::schema::Strictness;
    use crate::tags::{add, remove, shown};

    const ORDER: &str = r#"syntax = "proto3";
package shop;

import "confluent/meta.proto";

message Order {
  int32 id = 1 [
    (confluent.field_meta).doc = "the id",
    (confluent.field_meta).tags = "KEY"
  ];
  oneof who {
    Person buyer = 2;
  }

  message Person {
    string mail = 1;
  }
}
"#;

    #[test]
    fn tags_are_written_into_messages_and_fields() {
        let schema = ProtobufSchema::parse(ORDER, &[], Strictness::New).unwrap();
        for (changes, expected) in [
            (add("Order", false, "A"), "Order=A Order.id=KEY"),
            (add(".Order.id", true, "A"), "Order.id=KEY,A"),
            (add("Order.buyer", true, "A"), "Order.buyer=A Order.id=KEY"),
            (add("Order.Person.mail", true, "A"), "Order.id=KEY Order.Person.mail=A"),
            (remove("Order.id", true, "KEY"), ""),
        ] {
            let text = schema.with_tags(&changes).unwrap();
            let tagged = ProtobufSchema::parse(&text, &[], Strictness::New).unwrap();
            assert_eq!(tagged.canonical_text(), text);
            assert_eq!(shown(&tagged.tagged_entities().unwrap()), expected, "{changes:?}");
            assert!(text.contains("the id"), "{text}");
        }
        for path in ["shop.Order.id", "Order.x", "id", ""] {
            let refused = schema.with_tags(&add(path, true, "A")).unwrap_err();
            assert!(refused.0.contains("No matching path"), "{path}");
        }
    }

    #[test]
    fn a_file_that_gets_tags_imports_what_declares_them() {
        let text = "message A {\n  optional int32 a = 1;\n}\n";
        let schema = ProtobufSchema::parse(text, &[], Strictness::New).unwrap();
        let tagged = schema.with_tags(&add("A.a", true, "X")).unwrap();
        ProtobufSchema::parse(&tagged, &[], Strictness::New).unwrap();
        assert!(tagged.contains(r#"(confluent.field_meta) = {"#), "{tagged}");
    }
}
