//! The keys of the tokens that tell services who is calling.

use axum::{http::header, response::IntoResponse};

/// The public ones. A key that is made here is published long before it signs, so that nobody misses
/// one who asks again after five minutes.
pub(super) async fn keys() -> impl IntoResponse {
    let fields = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (fields, lintel_policies::identity_keys().to_string())
}
