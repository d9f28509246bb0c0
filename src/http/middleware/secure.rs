//! What browsers and caches must not do with an answer.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use tower_http::set_header::HeaderMetadata;
use tower_http::set_header::response::SetMultipleResponseHeadersLayer;

/// For every answer: it is what its type says, and nobody keeps it, as it is about somebody's pictures.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// For pages: what they show and run is ours, they stand in nobody's frame, and links tell nobody of them.
const PAGES: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
             connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Adds these headers where an answer does not have its own.
pub(crate) fn layer() -> SetMultipleResponseHeadersLayer<Response> {
    let always = ALWAYS.into_iter().map(HeaderMetadata::from);
    let pages = PAGES.into_iter().map(|(name, value)| {
        (name, move |answer: &Response| is_page(answer).then(|| value.clone())).into()
    });
    SetMultipleResponseHeadersLayer::if_not_present(always.chain(pages).collect())
}

fn is_page(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|it| it.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::extract::Request;
    use axum::response::{Html, IntoResponse};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    /// What an answer is to its client.
    async fn secured(answer: impl IntoResponse + Clone) -> Response {
        let service = service_fn(move |_: Request| {
            let answer = answer.clone().into_response();
            async { Ok::<_, Infallible>(answer) }
        });
        layer().layer(service).oneshot(Request::default()).await.expect("an answer")
    }

    #[tokio::test]
    async fn a_page_is_held_to_itself() {
        let page = secured(Html("")).await;
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'")
        );
        assert_eq!(page.headers()[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(page.headers()[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[tokio::test]
    async fn an_answers_own_headers_stay() {
        let kept = [(header::CACHE_CONTROL, "max-age=60"), (header::CONTENT_TYPE, "text/css")];
        let kept = secured((kept, "")).await;
        assert_eq!(kept.headers()[header::CACHE_CONTROL], "max-age=60");
        assert!(!kept.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
