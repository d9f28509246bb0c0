//! From what went wrong to RFC 9457 problem details: the only table of statuses and codes.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use siamese_core::model::TowerError;
use siamese_core::picture::PictureError;
use siamese_core::score::InvalidEmbedding;
use thiserror::Error;
use utoipa::ToSchema;

/// What is wrong, and with which part of the request.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) fault: Fault,
    /// `a`, `images[2]`: the culprit, where there is one.
    pub(crate) field: Option<String>,
}

/// Everything an answer can complain of. The text is the problem's `detail`: for people, and
/// without a path or a library's words.
#[derive(Clone, Debug, Error)]
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
    #[error("the embedding was made by another tower; this one is {0}")]
    ModelMismatch(String),
    #[error("the body has more than the {0} bytes allowed")]
    BodyTooLarge(usize),
    #[error("decoding the picture would take more pixels, memory or CPU time than is allowed")]
    PictureTooLarge,
    #[error("{0}")]
    MediaTypeUnsupported(&'static str),
    #[error("{0}")]
    PictureFormatUnsupported(&'static str),
    #[error("the picture has no bytes")]
    PictureEmpty,
    #[error("the picture can't be decoded: it is damaged or cut off")]
    PictureCorrupt(#[source] PictureError),
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
    #[error("the tower failed")]
    Tower(#[source] Arc<TowerError>),
    #[error("the tower panicked")]
    TowerPanicked,
    #[error("the tower's output is no embedding")]
    Output(#[source] InvalidEmbedding),
    #[error("a handler panicked: {0}")]
    Panicked(String),
    #[error("a picture could not be decoded")]
    Decoder(#[source] PictureError),
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

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BodyMalformed(_)
            | Self::PartMissing
            | Self::PartUnexpected
            | Self::PartRepeated
            | Self::QueryInvalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::HeadTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::ModelMismatch(_) => StatusCode::CONFLICT,
            Self::BodyTooLarge(_) | Self::PictureTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaTypeUnsupported(_) | Self::PictureFormatUnsupported(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::PictureEmpty
            | Self::PictureCorrupt(_)
            | Self::Base64Invalid
            | Self::EmbeddingInvalid(_)
            | Self::OperatingPointUnsupported(_)
            | Self::BatchTooLarge(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::TransferCodingUnsupported => StatusCode::NOT_IMPLEMENTED,
            Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The code that never changes.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::BodyMalformed(_) => "body_malformed",
            Self::PartMissing => "part_missing",
            Self::PartUnexpected => "part_unexpected",
            Self::PartRepeated => "part_repeated",
            Self::QueryInvalid(_) => "query_invalid",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable(_) => "not_acceptable",
            Self::HeadTooLarge(_) => "head_too_large",
            Self::BodyTimeout(_) => "body_timeout",
            Self::ModelMismatch(_) => "model_mismatch",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::PictureTooLarge => "picture_too_large",
            Self::MediaTypeUnsupported(_) => "media_type_unsupported",
            Self::PictureFormatUnsupported(_) => "picture_format_unsupported",
            Self::PictureEmpty => "picture_empty",
            Self::PictureCorrupt(_) => "picture_corrupt",
            Self::Base64Invalid => "base64_invalid",
            Self::EmbeddingInvalid(_) => "embedding_invalid",
            Self::OperatingPointUnsupported(_) => "operating_point_unsupported",
            Self::BatchTooLarge(_) => "batch_too_large",
            Self::Internal(_) => "internal",
            Self::Overloaded { .. } => "overloaded",
            Self::TransferCodingUnsupported => "transfer_coding_unsupported",
            Self::NotReady(_) => "not_ready",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self { fault, field: None }
    }
}

impl From<PictureError> for Fault {
    fn from(err: PictureError) -> Self {
        match err {
            PictureError::Empty => Self::PictureEmpty,
            PictureError::UnknownFormat => Self::PictureFormatUnsupported(
                "the bytes are no JPEG, PNG, WebP, GIF, BMP, TIFF or PNM",
            ),
            PictureError::Unsupported(_) => Self::PictureFormatUnsupported(
                "the picture is of a kind of its format that is not decoded here",
            ),
            PictureError::TooLarge | PictureError::TooCostly(_) => Self::PictureTooLarge,
            PictureError::Corrupt(_) | PictureError::CutShort => Self::PictureCorrupt(err),
            PictureError::DecoderFailed(_) => Self::Internal(Cause::Decoder(err)),
            PictureError::NoDecoder(_) => Self::NotReady(err.to_string()),
        }
    }
}

impl Problem {
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
