//! Spans in OTLP's JSON format, which all collectors read.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::Resource;
use super::context::{SpanId, TraceId};
use super::span::Value;

/// A request's span and the spans of its stages.
pub(super) struct Spans(pub(super) Vec<Span>);

pub(super) type Attribute = (&'static str, Value);

pub(super) struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    /// Start and end, in nanoseconds since the epoch.
    pub(super) times: [u64; 2],
    pub(super) failed: bool,
    pub(super) attributes: Vec<Attribute>,
}

/// The numbers of OTLP's definition.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Internal = 1,
    Server = 2,
}

/// The body of a request to a collector.
pub(super) fn body(resource: &Resource, batch: &[Spans]) -> Vec<u8> {
    let spans: Vec<&Span> = batch.iter().flat_map(|spans| &spans.0).collect();
    let attributes = resource.attributes();
    let attributes: Vec<Json> =
        attributes.map(|(key, value)| attribute(key, &Value::Text(value.to_owned()))).collect();
    let request = json!({
        "resourceSpans": [{
            "resource": {"attributes": attributes},
            "scopeSpans": [{"scope": {"name": env!("CARGO_PKG_NAME")}, "spans": spans}],
        }],
    });
    serde_json::to_vec(&request).expect("text keys and whole numbers")
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const ERROR: u8 = 2;
        let attributes: Vec<Json> =
            self.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
        let [begun, ended] = self.times;
        let mut span = json!({
            "traceId": self.trace.to_string(),
            "spanId": self.id.to_string(),
            "name": self.name,
            "kind": self.kind as u8,
            // Protobuf's JSON represents 64-bit integers as text.
            "startTimeUnixNano": begun.to_string(),
            "endTimeUnixNano": ended.to_string(),
            "attributes": attributes,
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = parent.to_string().into();
        }
        if self.failed {
            span["status"] = json!({"code": ERROR});
        }
        span.serialize(serializer)
    }
}

fn attribute(key: &str, value: &Value) -> Json {
    let value = match value {
        Value::Text(text) => json!({"stringValue": text}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
    };
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_otlp_s_format() {
        let span = Span {
            trace: TraceId(0xabc),
            id: SpanId(1),
            parent: Some(SpanId(2)),
            name: "GET /livez".into(),
            kind: Kind::Server,
            times: [1_700_000_000_000_000_000, 1_700_000_000_000_000_001],
            failed: true,
            attributes: vec![("http.response.status_code", Value::Number(500))],
        };
        let resource = Resource::read(None, "service.instance.id=7,service.version=1");
        let body = body(&resource.expect("a resource"), &[Spans(vec![span])]);
        insta::assert_snapshot!(
            String::from_utf8(body).expect("text"),
            @r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.instance.id","value":{"stringValue":"7"}},{"key":"service.name","value":{"stringValue":"siamese"}},{"key":"service.version","value":{"stringValue":"1"}}]},"scopeSpans":[{"scope":{"name":"siamese"},"spans":[{"attributes":[{"key":"http.response.status_code","value":{"intValue":"500"}}],"endTimeUnixNano":"1700000000000000001","kind":2,"name":"GET /livez","parentSpanId":"0000000000000002","spanId":"0000000000000001","startTimeUnixNano":"1700000000000000000","status":{"code":2},"traceId":"00000000000000000000000000000abc"}]}]}]}"#
        );
    }
}
