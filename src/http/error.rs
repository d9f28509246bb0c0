//! From errors to RFC 9457 problem details. This file holds the only table of statuses and codes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use siamese_core::model::ModelError;
use siamese_core::preprocessing::{DecodeError, FORMATS};
use siamese_core::score::{InvalidEmbedding, InvalidMap};
use strum::{EnumDiscriminants, VariantArray};
use thiserror::Error;
use utoipa::ToSchema;

use crate::engine::pipeline::NotCompared;
use crate::ops::keys::Limited;

/// An error, and the part of the request that causes it.
#[derive(Clone, Debug, Error)]
#[error("{fault}")]
pub(crate) struct Problem {
    pub(crate) fault: Fault,
    /// The path of the faulty part, such as `a` or `images[2]`, if one part is at fault.
    pub(crate) field: Option<String>,
}

/// Every error that a response can report. The text becomes the problem's `detail`. It is for people, and contains no
/// path of the server and no text of a library.
#[derive(Clone, Debug, Error, EnumDiscriminants)]
#[strum_discriminants(name(Kind), vis(pub(crate)), derive(VariantArray))]
pub(crate) enum Fault {
    #[error("{0}")]
    BodyMalformed(String),
    #[error("this part is required")]
    PartMissing,
    #[error("this part is not allowed here")]
    PartUnexpected,
    #[error("this part is given more than once")]
    PartRepeated,
    #[error("{0}")]
    QueryInvalid(String),
    #[error("a valid API key is required: send Authorization: Bearer KEY")]
    Unauthorized,
    #[error(
        "the limit of {} per second of this API key is reached; retry after the time in the Retry-After header",
        .0.rate.as_str()
    )]
    RateLimited(Limited),
    #[error("no resource exists at this path")]
    NotFound,
    #[error("{0}")]
    ModelUnknown(String),
    #[error("this path does not support this method")]
    MethodNotAllowed,
    #[error("the response is {0}, which the Accept header rules out")]
    NotAcceptable(&'static str),
    #[error("the request has more than the allowed {0} header fields")]
    HeadTooLarge(usize),
    #[error("the body did not arrive within {} ms", .0.as_millis())]
    BodyTimeout(Duration),
    #[error("another model made this embedding; the digest of this server's model is {0}")]
    ModelMismatch(String),
    #[error("the body is larger than the allowed {0} bytes")]
    BodyTooLarge(usize),
    #[error("decoding the image would need more pixels, memory or CPU time than allowed")]
    ImageTooLarge,
    #[error("{0}")]
    MediaTypeUnsupported(&'static str),
    #[error(
        "the body has the Content-Encoding {0}, and the server reads none; send the body as it is"
    )]
    ContentCodingUnsupported(String),
    #[error("{0}")]
    ImageFormatUnsupported(String),
    #[error("the image is empty")]
    ImageEmpty,
    #[error("the image cannot be decoded: it is damaged or incomplete")]
    ImageCorrupt(#[source] DecodeError),
    #[error(
        "no face was found in the image; send a photograph that shows the face larger and upright"
    )]
    FaceNotFound,
    #[error("{0}; send an image of one face, or ask for the largest by faces=largest")]
    FaceAmbiguous(DecodeError),
    #[error("this model embeds whole images, so it has no face detector")]
    NoFaceDetector,
    #[error(
        "this model aligns faces, so it cannot compare images place by place; use a model of whole images: GET /models lists those without aligns_faces, and /models/NAME/changes is the path"
    )]
    NotForChanges,
    #[error(transparent)]
    AlignmentFailed(NotCompared),
    #[error(transparent)]
    SizesDiffer(NotCompared),
    #[error(transparent)]
    NothingToCompare(NotCompared),
    #[error("the text is not an image in base64: {0}")]
    Base64Invalid(Cow<'static, str>),
    #[error("{0}")]
    EmbeddingInvalid(String),
    #[error("{0}")]
    OperatingPointUnsupported(String),
    #[error("{0}")]
    BatchTooLarge(String),
    #[error(
        "the server failed to process the request; the server's log has the cause, under the request ID"
    )]
    Internal(#[source] Cause),
    #[error("the server is overloaded; retry after the time in the Retry-After header")]
    Overloaded { status: u16, retry_after: Duration },
    #[error("{0}")]
    NotReady(String),
    #[error("the only supported transfer coding is chunked")]
    TransferCodingUnsupported,
    #[error("the request did not finish before its deadline")]
    DeadlineExceeded,
}

/// The cause of a response with status 500.
#[derive(Clone, Debug, Error)]
pub(crate) enum Cause {
    #[error("the model failed")]
    Model(#[source] Arc<ModelError>),
    #[error("the model panicked")]
    ModelPanicked,
    #[error("the model's output is not an embedding")]
    Output(#[source] InvalidEmbedding),
    #[error("the model's output is not a map")]
    Map(#[source] InvalidMap),
    #[error("a handler panicked: {0}")]
    Panicked(String),
    #[error("an image could not be decoded")]
    Decoder(#[source] DecodeError),
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// A description for people.
    detail: String,
    /// A code for programs. It never changes.
    code: &'static str,
    /// The faulty part of the request, such as `a`, `images[2]` or `pairs[3].b`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// An item of a list that failed, in place of its result.
#[derive(Serialize, ToSchema)]
#[schema(as = FailedItem)]
pub(crate) struct Failed<'a> {
    error: Details<'a>,
}

impl<'a> From<&'a Problem> for Failed<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self { error: problem.details() }
    }
}

impl Fault {
    /// Names the faulty part.
    pub(crate) fn of(self, field: impl Into<String>) -> Problem {
        Problem { fault: self, field: Some(field.into()) }
    }

    /// The status of this kind; for an overload, the status that the settings choose.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Overloaded { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
            }
            fault => Kind::from(fault).definition().0,
        }
    }

    /// The code, which never changes.
    pub(crate) fn code(&self) -> &'static str {
        Kind::from(self).definition().1
    }
}

/// What a route must do for a fault to be possible. A route's documentation lists the faults of everything it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No route matches, so no route's documentation lists it.
    NoRoute,
    /// Possible for every request.
    Any,
    /// The route requires a key.
    Key,
    /// The request names a model.
    Named,
    /// The route reports readiness.
    Health,
    /// The route reads a body and runs the model.
    Work,
    /// The route decides on pairs.
    Judging,
    /// The route accepts stored embeddings.
    Stored,
    /// The route accepts a list, or rejects one.
    List,
    /// The route finds faces.
    Faces,
    /// The route finds changes.
    Changes,
    /// One faulty source fails the whole request.
    Source,
}

impl Kind {
    /// The status, the code and the origins.
    pub(crate) const fn definition(self) -> (StatusCode, &'static str, &'static [Origin]) {
        use Origin::{
            Any, Changes, Faces, Health, Judging, Key, List, Named, NoRoute, Source, Stored, Work,
        };
        use StatusCode as S;

        match self {
            Self::BodyMalformed => (S::BAD_REQUEST, "body_malformed", &[Work]),
            Self::PartMissing => (S::BAD_REQUEST, "part_missing", &[Work]),
            Self::PartUnexpected => (S::BAD_REQUEST, "part_unexpected", &[Work]),
            Self::PartRepeated => (S::BAD_REQUEST, "part_repeated", &[Work]),
            Self::QueryInvalid => (S::BAD_REQUEST, "query_invalid", &[Work]),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", &[Key]),
            Self::RateLimited => (S::TOO_MANY_REQUESTS, "rate_limited", &[Key]),
            Self::NotFound => (S::NOT_FOUND, "not_found", &[NoRoute]),
            Self::ModelUnknown => (S::NOT_FOUND, "model_unknown", &[Named]),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed", &[NoRoute]),
            Self::NotAcceptable => (S::NOT_ACCEPTABLE, "not_acceptable", &[Work]),
            Self::HeadTooLarge => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", &[Any]),
            Self::BodyTimeout => (S::REQUEST_TIMEOUT, "body_timeout", &[Work]),
            Self::ModelMismatch => (S::CONFLICT, "model_mismatch", &[Stored]),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large", &[Work]),
            Self::ImageTooLarge => (S::PAYLOAD_TOO_LARGE, "image_too_large", &[Work]),
            Self::MediaTypeUnsupported | Self::ContentCodingUnsupported => {
                (S::UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported", &[Work])
            }
            Self::ImageFormatUnsupported => {
                (S::UNSUPPORTED_MEDIA_TYPE, "image_format_unsupported", &[Work])
            }
            Self::ImageEmpty => (S::UNPROCESSABLE_ENTITY, "image_empty", &[Source]),
            Self::ImageCorrupt => (S::UNPROCESSABLE_ENTITY, "image_corrupt", &[Source]),
            Self::FaceNotFound => (S::UNPROCESSABLE_ENTITY, "face_not_found", &[Source]),
            Self::FaceAmbiguous => (S::UNPROCESSABLE_ENTITY, "face_ambiguous", &[Source]),
            Self::NoFaceDetector => (S::UNPROCESSABLE_ENTITY, "no_face_detector", &[Faces]),
            Self::NotForChanges => (S::UNPROCESSABLE_ENTITY, "not_for_changes", &[Changes]),
            Self::AlignmentFailed => (S::UNPROCESSABLE_ENTITY, "alignment_failed", &[Changes]),
            Self::SizesDiffer => (S::UNPROCESSABLE_ENTITY, "sizes_differ", &[Changes]),
            Self::NothingToCompare => (S::UNPROCESSABLE_ENTITY, "nothing_to_compare", &[Changes]),
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
            DecodeError::UnknownFormat => {
                Self::ImageFormatUnsupported(format!("the data is not a {FORMATS} image"))
            }
            DecodeError::Unsupported(_) => Self::ImageFormatUnsupported(
                "this variant of the image format is not supported".into(),
            ),
            DecodeError::NotDecoded(_) | DecodeError::UnsupportedKind { .. } => {
                Self::ImageFormatUnsupported(err.to_string())
            }
            DecodeError::TooLarge | DecodeError::TooCostly(_) => Self::ImageTooLarge,
            DecodeError::FaceNotFound => Self::FaceNotFound,
            DecodeError::FaceAmbiguous(_) => Self::FaceAmbiguous(err),
            DecodeError::Corrupt(_) | DecodeError::CutShort => Self::ImageCorrupt(err),
            DecodeError::DecoderFailed(_) => Self::Internal(Cause::Decoder(err)),
            DecodeError::NoDecoder(_) => Self::NotReady(err.to_string()),
        }
    }
}

impl Problem {
    /// Prefixes the path of the faulty part with the part that contains it.
    pub(crate) fn within(self, outer: &str) -> Self {
        let field = match self.field {
            Some(field) => format!("{outer}.{field}"),
            None => outer.to_owned(),
        };
        self.fault.of(field)
    }

    /// Whether it reports one of these names as an unexpected part.
    pub(crate) fn is_unexpected(&self, names: &[&str]) -> bool {
        let name = self.field.as_deref().unwrap_or_default();
        matches!(self.fault, Fault::PartUnexpected) && names.contains(&name)
    }

    /// The problem as it appears in a response body or in an item of a list.
    pub(crate) fn details(&self) -> Details<'_> {
        let status = self.fault.status();
        Details {
            // RFC 9457, 4.2.1: with about:blank, the title is the phrase of the HTTP status.
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.fault.to_string(),
            code: self.fault.code(),
            field: self.field.as_deref(),
        }
    }
}

/// The response carries its problem, for the middleware that logs it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.details()).expect("a problem is plain text");
        let content_type = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (self.fault.status(), [content_type], body).into_response();
        let remedy = match self.fault {
            Fault::Unauthorized => Some((header::WWW_AUTHENTICATE, "Bearer")),
            // RFC 9110, 12.5.3: it distinguishes this refusal from that of a media type.
            Fault::ContentCodingUnsupported(_) => Some((header::ACCEPT_ENCODING, "identity")),
            _ => None,
        };
        if let Fault::Overloaded { retry_after: wait, .. }
        | Fault::RateLimited(Limited { wait, .. }) = self.fault
        {
            let seconds = wait.as_secs_f64().ceil().max(1.0);
            let value = HeaderValue::from_str(&seconds.to_string()).expect("a number is a value");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if let Some((name, value)) = remedy {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_follows_rfc_9457() {
        let problem = Fault::PartMissing.of("b");
        insta::assert_snapshot!(
            serde_json::to_string(&problem.details()).expect("JSON"),
            @r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"this part is required","code":"part_missing","field":"b"}"#
        );
    }

    #[test]
    fn an_overload_tells_when_to_retry() {
        let retry_after = Duration::from_millis(1200);
        let response =
            Problem::from(Fault::Overloaded { status: 429, retry_after }).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
