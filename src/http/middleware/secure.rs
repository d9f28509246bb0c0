//! Security headers for browsers and caches.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use tower_http::set_header::HeaderMetadata;
use tower_http::set_header::response::SetMultipleResponseHeadersLayer;

/// For every response: browsers must not guess its type, and caches must not store it, because images can be private.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// For pages: only the server's own scripts and styles, no embedding in other sites' frames, and no referrer.
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

/// Adds these headers to a response that does not set them itself.
pub(crate) fn layer() -> SetMultipleResponseHeadersLayer<Response> {
    let always = ALWAYS.into_iter().map(HeaderMetadata::from);
    let pages = PAGES.into_iter().map(|(name, value)| {
        (name, move |response: &Response| is_page(response).then(|| value.clone())).into()
    });
    SetMultipleResponseHeadersLayer::if_not_present(always.chain(pages).collect())
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::extract::Request;
    use axum::response::{Html, IntoResponse};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    /// The response as the client receives it.
    async fn secured(response: impl IntoResponse + Clone) -> Response {
        let service = service_fn(move |_: Request| {
            let response = response.clone().into_response();
            async { Ok::<_, Infallible>(response) }
        });
        layer().layer(service).oneshot(Request::default()).await.expect("a response")
    }

    #[tokio::test]
    async fn a_page_has_a_strict_policy() {
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
    async fn a_response_keeps_its_own_headers() {
        let kept = [(header::CACHE_CONTROL, "max-age=60"), (header::CONTENT_TYPE, "text/css")];
        let kept = secured((kept, "")).await;
        assert_eq!(kept.headers()[header::CACHE_CONTROL], "max-age=60");
        assert!(!kept.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    }
}
