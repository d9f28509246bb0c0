//! From what went wrong to RFC 9457 problem details: the only table of statuses and codes.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use siamese_core::model::ModelError;
use siamese_core::preprocessing::DecodeError;
use siamese_core::score::InvalidEmbedding;
use strum::{EnumDiscriminants, VariantArray};
use thiserror::Error;
use utoipa::ToSchema;

/// What is wrong, and with which part of the request.
#[derive(Clone, Debug, Error)]
#[error("{fault}")]
pub(crate) struct Problem {
    pub(crate) fault: Fault,
    /// `a`, `images[2]`: the culprit, where there is one.
    pub(crate) field: Option<String>,
}

/// Everything an answer can complain of. The text is the problem's `detail`: for people, and
/// without a path or a library's words.
#[derive(Clone, Debug, Error, EnumDiscriminants)]
#[strum_discriminants(name(Kind), vis(pub(crate)), derive(VariantArray))]
pub(crate) enum Fault {
    #[error("{0}")]
    BodyMalformed(String),
    #[error("the part is missing")]
    PartMissing,
    #[error("there is no such part here")]
    PartUnexpected,
    #[error("the part is there twice")]
    PartRepeated,
    #[error("{0}")]
    QueryInvalid(String),
    #[error("a valid key is needed, as Authorization: Bearer KEY")]
    Unauthorized,
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path does not take this method")]
    MethodNotAllowed,
    #[error("the answer comes as {0}, which Accept rules out")]
    NotAcceptable(&'static str),
    #[error("the head has more than the {0} fields allowed")]
    HeadTooLarge(usize),
    #[error("the body did not arrive within {} ms", .0.as_millis())]
    BodyTimeout(Duration),
    #[error("the embedding was made by another model; this one is {0}")]
    ModelMismatch(String),
    #[error("the body has more than the {0} bytes allowed")]
    BodyTooLarge(usize),
    #[error("decoding the image would take more pixels, memory or CPU time than is allowed")]
    ImageTooLarge,
    #[error("{0}")]
    MediaTypeUnsupported(&'static str),
    #[error("{0}")]
    ImageFormatUnsupported(String),
    #[error("the image has no bytes")]
    ImageEmpty,
    #[error("the image can't be decoded: it is damaged or cut off")]
    ImageCorrupt(#[source] DecodeError),
    #[error("the text is not base64")]
    Base64Invalid,
    #[error("{0}")]
    EmbeddingInvalid(String),
    #[error("{0}")]
    OperatingPointUnsupported(String),
    #[error("{0}")]
    BatchTooLarge(String),
    #[error("the request could not be served; its id finds the cause in the log")]
    Internal(#[source] Cause),
    #[error("the server has more work than it can do; try again after the time given")]
    Overloaded { status: u16, retry_after: Duration },
    #[error("{0}")]
    NotReady(String),
    #[error("of transfer codings only chunked is decoded")]
    TransferCodingUnsupported,
    #[error("the work could not be done before the request's deadline")]
    DeadlineExceeded,
}

/// Why an answer is 500.
#[derive(Clone, Debug, Error)]
pub(crate) enum Cause {
    #[error("the model failed")]
    Model(#[source] Arc<ModelError>),
    #[error("the model panicked")]
    ModelPanicked,
    #[error("the model's output is no embedding")]
    Output(#[source] InvalidEmbedding),
    #[error("a handler panicked: {0}")]
    Panicked(String),
    #[error("an image could not be decoded")]
    Decoder(#[source] DecodeError),
}

/// A problem as it stands in an answer (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// For people.
    detail: String,
    /// For programs: it never changes.
    code: &'static str,
    /// The culprit: `a`, `images[2]`, `pairs[3].b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Fault {
    /// Names the culprit.
    pub(crate) fn of(self, field: impl Into<String>) -> Problem {
        Problem { fault: self, field: Some(field.into()) }
    }

    /// The kind's status, or the one that the settings have for an overload.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Overloaded { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            fault => Kind::from(fault).answer().0,
        }
    }

    /// The code that never changes.
    pub(crate) fn code(&self) -> &'static str {
        Kind::from(self).answer().1
    }
}

/// What it takes for a fault to arise. A route's document names the faults of all that its handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There is no such route, which no route's document tells.
    NoRoute,
    /// Any request.
    Any,
    /// A key is asked for.
    Key,
    /// The route tells whether the service is ready.
    Health,
    /// A body is read, and the model asked.
    Work,
    /// Pairs are judged.
    Judging,
    /// Stored embeddings are taken.
    Stored,
    /// A list is taken, or would be one too many.
    List,
    /// A source is bad, and the request with it.
    Source,
}

impl Kind {
    /// The status, the code, and where such a fault comes from.
    pub(crate) const fn answer(self) -> (StatusCode, &'static str, &'static [Origin]) {
        use Origin::{Any, Health, Judging, Key, List, NoRoute, Source, Stored, Work};
        use StatusCode as S;

        match self {
            Self::BodyMalformed => (S::BAD_REQUEST, "body_malformed", &[Work]),
            Self::PartMissing => (S::BAD_REQUEST, "part_missing", &[Work]),
            Self::PartUnexpected => (S::BAD_REQUEST, "part_unexpected", &[Work]),
            Self::PartRepeated => (S::BAD_REQUEST, "part_repeated", &[Work]),
            Self::QueryInvalid => (S::BAD_REQUEST, "query_invalid", &[Work]),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", &[Key]),
            Self::NotFound => (S::NOT_FOUND, "not_found", &[NoRoute]),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed", &[NoRoute]),
            Self::NotAcceptable => (S::NOT_ACCEPTABLE, "not_acceptable", &[Work]),
            Self::HeadTooLarge => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", &[Any]),
            Self::BodyTimeout => (S::REQUEST_TIMEOUT, "body_timeout", &[Work]),
            Self::ModelMismatch => (S::CONFLICT, "model_mismatch", &[Stored]),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", &[Work]),
            Self::ImageTooLarge => (S::PAYLOAD_TOO_LARGE, "image_too_large", &[Work]),
            Self::MediaTypeUnsupported => {
                (S::UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported", &[Work])
            }
            Self::ImageFormatUnsupported => {
                (S::UNSUPPORTED_MEDIA_TYPE, "image_format_unsupported", &[Work])
            }
            Self::ImageEmpty => (S::UNPROCESSABLE_ENTITY, "image_empty", &[Source]),
            Self::ImageCorrupt => (S::UNPROCESSABLE_ENTITY, "image_corrupt", &[Source]),
            Self::Base64Invalid => (S::UNPROCESSABLE_ENTITY, "base64_invalid", &[Source]),
            Self::EmbeddingInvalid => (S::UNPROCESSABLE_ENTITY, "embedding_invalid", &[Source]),
            Self::OperatingPointUnsupported => {
                (S::UNPROCESSABLE_ENTITY, "operating_point_unsupported", &[Judging])
            }
            Self::BatchTooLarge => (S::UNPROCESSABLE_ENTITY, "batch_too_large", &[List]),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", &[Any]),
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", &[Work]),
            Self::NotReady => (S::SERVICE_UNAVAILABLE, "not_ready", &[Health, Work]),
            Self::TransferCodingUnsupported => {
                (S::NOT_IMPLEMENTED, "transfer_coding_unsupported", &[Work])
            }
            Self::DeadlineExceeded => (S::GATEWAY_TIMEOUT, "deadline_exceeded", &[Work]),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self { fault, field: None }
    }
}

impl From<DecodeError> for Fault {
    fn from(err: DecodeError) -> Self {
        match err {
            DecodeError::Empty => Self::ImageEmpty,
            DecodeError::UnknownFormat => Self::ImageFormatUnsupported(
                "the bytes are no JPEG, PNG, WebP, GIF, BMP, TIFF or PNM".into(),
            ),
            DecodeError::Unsupported(_) => Self::ImageFormatUnsupported(
                "the image is of a kind of its format that is not decoded here".into(),
            ),
            DecodeError::UnsupportedKind { .. } => Self::ImageFormatUnsupported(err.to_string()),
            DecodeError::TooLarge | DecodeError::TooCostly(_) => Self::ImageTooLarge,
            DecodeError::Corrupt(_) | DecodeError::CutShort => Self::ImageCorrupt(err),
            DecodeError::DecoderFailed(_) => Self::Internal(Cause::Decoder(err)),
            DecodeError::NoDecoder(_) => Self::NotReady(err.to_string()),
        }
    }
}

impl Problem {
    /// Names what the culprit stands in.
    pub(crate) fn within(self, outer: &str) -> Self {
        let field = match self.field {
            Some(field) => format!("{outer}.{field}"),
            None => outer.to_owned(),
        };
        self.fault.of(field)
    }

    /// Whether it is a part of one of these names that is not expected.
    pub(crate) fn is_unexpected(&self, names: &[&str]) -> bool {
        let name = self.field.as_deref().unwrap_or_default();
        matches!(self.fault, Fault::PartUnexpected) && names.contains(&name)
    }

    /// The problem as an item of a list, and as an answer's body.
    pub(crate) fn details(&self) -> Details<'_> {
        let status = self.fault.status();
        Details {
            // RFC 9457, 4.2.1: with about:blank, the title is the status's own phrase.
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.fault.to_string(),
            code: self.fault.code(),
            field: self.field.as_deref(),
        }
    }
}

/// The answer carries its problem along, for the one layer that logs it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.details()).expect("a problem is plain text");
        let content_type = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (self.fault.status(), [content_type], body).into_response();
        if let Fault::Overloaded { retry_after, .. } = self.fault {
            let seconds = retry_after.as_secs_f64().ceil().max(1.0);
            let value = HeaderValue::from_str(&seconds.to_string()).expect("a number is a value");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if matches!(self.fault, Fault::Unauthorized) {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_rfc_9457_says() {
        let problem = Fault::PartMissing.of("b");
        insta::assert_snapshot!(
            serde_json::to_string(&problem.details()).expect("JSON"),
            @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"the part is missing","code":"part_missing","field":"b"}"#
        );
    }

    #[test]
    fn an_overload_says_when_to_come_back() {
        let retry_after = Duration::from_millis(1200);
        let response =
            Problem::from(Fault::Overloaded { status: 429, retry_after }).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
