//! Tags of records and fields. Those of types that come from references belong
//! to the schemas that define them.

use std::collections::HashMap;

use super::schema::{Attributes, Definition, NamedId, Types};
use crate::schema::InvalidSchema;
use crate::tags::{
    EntityType, SchemaEntity, SchemaTags, TagChanges, TaggedEntities, of_attributes,
};

pub(super) fn tagged_entities(types: &Types) -> Result<Vec<SchemaTags>, InvalidSchema> {
    let mut tagged = TaggedEntities::default();
    for id in types.own() {
        let named = types.get(id);
        let Definition::Record { fields, .. } = &named.definition else { continue };
        let name = named.full_name.as_str();
        tagged.note(&[name], EntityType::Record, of_attributes(&named.attributes))?;
        for field in fields {
            let tags = of_attributes(&field.attributes);
            tagged.note(&[name, ".", &field.name], EntityType::Field, tags)?;
        }
    }
    Ok(tagged.into_found())
}

/// The types with other tags.
pub(super) fn changed(types: &Types, changes: &TagChanges) -> Result<Types, InvalidSchema> {
    let mut by_name: HashMap<&str, NamedId> = HashMap::new();
    for id in types.own().rev() {
        let named = types.get(id);
        if matches!(named.definition, Definition::Record { .. }) {
            by_name.insert(&named.name.simple, id);
        }
    }
    for id in types.own() {
        let named = types.get(id);
        if matches!(named.definition, Definition::Record { .. }) {
            by_name.insert(&named.full_name, id);
        }
    }
    let mut changed = types.clone();
    for change in changes.each()? {
        let entity = change.entity();
        let attributes = attributes_of(&mut changed, &by_name, entity);
        change.apply_to_attributes(attributes.ok_or_else(|| entity.not_found())?);
    }
    Ok(changed)
}

/// Where the tags of a part are. The name of a record may do without its
/// namespace; of several the first is meant.
fn attributes_of<'a>(
    types: &'a mut Types,
    by_name: &HashMap<&str, NamedId>,
    entity: &SchemaEntity,
) -> Option<&'a mut Attributes> {
    let (record, field) = match entity.entity_type {
        EntityType::Record => (entity.path(), None),
        EntityType::Field => {
            let (record, field) = entity.path().rsplit_once('.')?;
            (record, Some(field))
        }
    };
    let named = types.get_mut(*by_name.get(record)?)?;
    let Some(field) = field else { return Some(&mut named.attributes) };
    let Definition::Record { fields, .. } = &mut named.definition else { return None };
    fields.iter_mut().find(|other| other.name == field).map(|field| &mut field.attributes)
}

#[cfg(test)]
mod tests {
    use crate::avro::AvroSchema;
    use crate::schema::Strictness;
    use crate::tags::{add, remove, shown};

    const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"int","confluent:tags":["KEY"]},{"name":"buyer","type":{"type":"record","name":"Person","namespace":"crm","fields":[{"name":"mail","type":["null",{"type":"array","items":"string"}]}]}}]}"#;

    #[test]
    fn tags_are_written_into_records_and_fields() {
        let schema = AvroSchema::parse(ORDER, &[], Strictness::New).unwrap();
        for (changes, expected) in [
            (add("shop.Order", false, "A"), r#"shop.Order=A shop.Order.id=KEY"#),
            (add("Order.id", true, "A"), r#"shop.Order.id=KEY,A"#),
            (add("crm.Person.mail", true, "A"), r#"shop.Order.id=KEY crm.Person.mail=A"#),
            (add("Person", false, "KEY"), r#"shop.Order.id=KEY crm.Person=KEY"#),
            (add("shop.Order.id", true, "KEY"), r#"shop.Order.id=KEY"#),
            (remove("shop.Order.id", true, "KEY"), ""),
            (remove("shop.Order.id", true, "OTHER"), r#"shop.Order.id=KEY"#),
        ] {
            let text = schema.with_tags(&changes).unwrap();
            let tagged = AvroSchema::parse(&text, &[], Strictness::New).unwrap();
            assert_eq!(tagged.canonical_text(), text);
            assert_eq!(shown(&tagged.tagged_entities().unwrap()), expected, "{changes:?}");
        }
        for changes in
            [add("Nobody", false, "A"), add("shop.Order.x", true, "A"), add("id", true, "A")]
        {
            assert!(schema.with_tags(&changes).unwrap_err().0.contains("No matching path"));
        }
    }

    #[test]
    fn nothing_else_changes() {
        let schema = AvroSchema::parse(ORDER, &[], Strictness::New).unwrap();
        let changed = schema.with_tags(&add("Person.mail", true, "A")).unwrap();
        let removed = AvroSchema::parse(&changed, &[], Strictness::New)
            .unwrap()
            .with_tags(&remove("Person.mail", true, "A"));
        assert_eq!(removed.unwrap(), ORDER);
    }
}
