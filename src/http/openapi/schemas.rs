//! Brings the schemas into the form of which generators make the fewest types.

use utoipa::Modify;
use utoipa::openapi::schema::{AllOf, Components, Object, Schema};
use utoipa::openapi::{self, Ref, RefOr};

/// Merges the parts of each schema into one object, and removes schemas that nothing refers to.
///
/// A structure that is flattened into another one is a part of it. Without this, it would also be a type of its own.
pub(crate) struct Schemas;

impl Modify for Schemas {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let merged = components.schemas.iter().map(|(name, schema)| {
            let schema = match schema {
                RefOr::T(Schema::AllOf(parts)) => merge(parts, components).into(),
                schema => schema.clone(),
            };
            (name.clone(), schema)
        });
        components.schemas = merged.collect();
        while remove_unused(document) {}
    }
}

/// One object with the properties of all parts.
fn merge(parts: &AllOf, components: &Components) -> Object {
    let mut whole = Object::new();
    for part in &parts.items {
        let Object { properties, required, .. } = object(part, components);
        whole.properties.extend(properties);
        whole.required.extend(required);
    }
    whole.description.clone_from(&parts.description);
    whole
}

/// The object that a part is, or that it refers to.
fn object(part: &RefOr<Schema>, components: &Components) -> Object {
    match part {
        RefOr::T(Schema::Object(object)) => object.clone(),
        RefOr::T(Schema::AllOf(parts)) => merge(parts, components),
        RefOr::Ref(Ref { ref_location, .. }) => {
            let name = ref_location.rsplit('/').next().unwrap_or_default();
            object(&components.schemas[name], components)
        }
        RefOr::T(_) => unreachable!("only structures are flattened into structures"),
    }
}

/// Removes the schemas that nothing refers to; returns whether there were any.
fn remove_unused(document: &mut openapi::OpenApi) -> bool {
    let text = document.to_json().expect("text keys, finite numbers");
    let schemas = &mut document.components.get_or_insert_default().schemas;
    let count = schemas.len();
    schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
    schemas.len() < count
}
