//! The resource: attributes that distinguish this deployment and process from others in a trace viewer.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::list::{InvalidList, entries};

const NAME: &str = "service.name";
const VERSION: &str = "service.version";
const INSTANCE: &str = "service.instance.id";

/// The attributes of all spans of this process.
///
/// Invariant: they contain the service's name, its version and the instance's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(BTreeMap<String, String>);

impl Resource {
    /// Reads `OTEL_SERVICE_NAME`, which has priority, and `OTEL_RESOURCE_ATTRIBUTES`. Without an instance id, a new
    /// one is generated.
    pub fn read(name: Option<String>, attributes: &str) -> Result<Self, InvalidList> {
        let mut found = BTreeMap::new();
        for entry in entries(attributes) {
            let entry = entry?;
            let key = percent_decode_str(entry.key).decode_utf8();
            let key =
                key.ok().filter(|key| !key.is_empty()).ok_or(InvalidList::Key(entry.number))?;
            let value =
                String::from_utf8(entry.value).map_err(|_| InvalidList::Value(entry.number))?;
            found.insert(key.into_owned(), value);
        }
        found.extend(name.map(|name| (NAME.to_owned(), name)));
        for (key, value) in [
            (NAME, env!("CARGO_PKG_NAME").to_owned()),
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            (INSTANCE, Uuid::new_v4().to_string()),
        ] {
            found.entry(key.to_owned()).or_insert(value);
        }
        Ok(Self(found))
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.0[NAME]
    }

    /// The id of this process among those of its service.
    pub fn instance(&self) -> &str {
        &self.0[INSTANCE]
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_name_and_an_id_of_its_own() {
        let [one, other] = [(); 2].map(|()| Resource::read(None, "").expect("a resource"));
        assert_eq!((one.service(), other.service()), ("siamese", "siamese"));
        assert_ne!(one.instance(), other.instance());
    }

    #[test]
    fn the_platforms_attributes_win_and_the_service_name_variable_most() {
        let attributes = "service.name=theirs,service.instance.id=pod-7,deployment.environment.name=a%2Cb%20%C3%BC";
        let resource = Resource::read(None, attributes).expect("a resource");
        assert_eq!((resource.service(), resource.instance()), ("theirs", "pod-7"));
        let environment = ("deployment.environment.name", "a,b ü");
        assert!(resource.attributes().any(|attribute| attribute == environment), "{resource:?}");
        let resource = Resource::read(Some("ours".to_owned()), attributes).expect("a resource");
        assert_eq!(resource.service(), "ours");
    }

    #[test]
    fn an_invalid_attribute_is_named_by_its_number() {
        for (attributes, expected) in [
            ("a=b,c", InvalidList::NoPair(2)),
            ("=b", InvalidList::Key(1)),
            ("a=%FF", InvalidList::Value(1)),
        ] {
            assert_eq!(Resource::read(None, attributes), Err(expected), "{attributes}");
        }
    }
}
