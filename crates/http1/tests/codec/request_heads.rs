//! RFC 9112 §2–§5 and RFC 9110 §7, §10 as raw bytes: heads of requests.

use super::support::{cases::heads::*, check_requests};

#[tokio::test(start_paused = true)]
async fn start_lines() {
    check_requests(START_LINE).await;
}

#[tokio::test(start_paused = true)]
async fn targets() {
    check_requests(TARGET).await;
}

#[tokio::test(start_paused = true)]
async fn hosts() {
    check_requests(HOST).await;
}

#[tokio::test(start_paused = true)]
async fn fields() {
    check_requests(FIELDS).await;
}
