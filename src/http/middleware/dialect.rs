//! Restates errors in the form of the protocol that a route follows, for clients that read no problem details.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::{Fault, Problem};
use crate::http::request::accept::JSON;

const REQUEST_ERROR: &str = "invalid_request_error";
const SERVER_ERROR: &str = "server_error";

/// A protocol whose errors are no problem details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    /// The Open Inference Protocol.
    Inference,
}

/// An error in the form of `OpenAI`'s.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAiError<'a> {
    #[schema(inline)]
    error: OpenAiDetails<'a>,
}

#[derive(Serialize, ToSchema)]
struct OpenAiDetails<'a> {
    /// A description for people.
    message: String,
    /// `invalid_request_error`, `server_error`, or what a rate limit counts: `requests` or `images`.
    r#type: &'static str,
    /// The faulty part of the request, such as `input[2]`.
    param: Option<&'a str>,
    /// A code for programs. It never changes.
    code: &'static str,
}

/// An error in the form of the Open Inference Protocol.
#[derive(Serialize, ToSchema)]
pub(crate) struct InferenceError {
    /// A description for people. It begins with the faulty part of the request, if one part is at fault.
    error: String,
}

/// Restates the error of a route that follows another protocol. Its status and its headers stay.
pub(crate) async fn restate(request: Request, next: Next) -> Response {
    let dialect = Dialect::of(request.uri().path());
    let mut response = next.run(request).await;
    if let Some(dialect) = dialect
        && let Some(problem) = response.extensions().get::<Arc<Problem>>()
    {
        *response.body_mut() = dialect.error(problem, response.status()).into();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    response
}

impl Dialect {
    /// The protocol of a path; `None` for paths of this server's own API.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "v1" => Some(Self::OpenAi),
            "v2" => Some(Self::Inference),
            _ => None,
        }
    }

    /// A problem as the body of a response.
    fn error(self, problem: &Problem, status: StatusCode) -> String {
        let Problem { fault, field } = problem;
        let body = match self {
            Self::OpenAi => serde_json::to_string(&OpenAiError {
                error: OpenAiDetails {
                    message: fault.to_string(),
                    r#type: match fault {
                        // The type names what the limit counts.
                        Fault::RateLimited(limited) => limited.rate.as_str(),
                        _ if status.is_server_error() => SERVER_ERROR,
                        _ => REQUEST_ERROR,
                    },
                    param: field.as_deref(),
                    code: open_ai_code(fault.code()),
                },
            }),
            Self::Inference => serde_json::to_string(&InferenceError {
                error: match field {
                    Some(field) => format!("{field}: {fault}"),
                    None => fault.to_string(),
                },
            }),
        };
        body.expect("an error is plain text")
    }
}

/// The code of `OpenAI` for a problem's code.
pub(crate) fn open_ai_code(code: &'static str) -> &'static str {
    match code {
        "model_unknown" => "model_not_found",
        "unauthorized" => "invalid_api_key",
        "rate_limited" => "rate_limit_exceeded",
        code => code,
    }
}
