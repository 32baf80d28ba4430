//! The `Date` field, formatted once a second.

use std::{
    cell::RefCell,
    time::{Instant, SystemTime},
};

use http::HeaderValue;
use lintel_kernel::wall;

thread_local! {
    static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
}

/// The date at `moment`, which is the present, as an IMF-fixdate (RFC 9110 §5.6.7).
pub(crate) fn at(moment: Instant) -> HeaderValue {
    let time = wall::time_at(moment);
    let second = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(at, value)| {
        if *at != second {
            *at = second;
            // An IMF-fixdate is always a valid field value.
            *value = HeaderValue::from_str(&httpdate::fmt_http_date(time))
                .unwrap_or(HeaderValue::from_static(""));
        }
        value.clone()
    })
}
