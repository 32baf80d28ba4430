//! What is counted while requests end.

use std::{cell::RefCell, fmt::Write as _, sync::Arc};

use lintel_kernel::{
    Ending, Exchange,
    expr::{Expr, Scope},
    wall::time_at,
};
use lintel_state::{
    Local,
    ledger::{Account, Book, Period},
};
use lintel_telemetry::metrics::{
    PolicyCounter,
    family::{USAGE_BYTES, USAGE_OVERFLOW, USAGE_REQUESTS},
};
use rustc_hash::FxHashMap;

/// Requests, bytes of their bodies, bytes of the bodies of their answers.
pub(super) const FIGURES: usize = 3;

/// Longest name of a caller that is told apart.
const LONGEST: usize = 200;

/// Counts by caller, route and class of status, hour by hour.
pub(super) struct Meter {
    per: Expr,
    book: Arc<Book<FIGURES>>,
    /// The counters that metrics show, by account.
    shown: Local<FxHashMap<usize, Shown>>,
    overflow: PolicyCounter,
}

/// What metrics show of one account.
struct Shown {
    requests: PolicyCounter,
    received: PolicyCounter,
    sent: PolicyCounter,
}

impl Meter {
    pub(super) fn new(per: Expr, book: Arc<Book<FIGURES>>) -> Self {
        Self {
            per,
            book,
            shown: Local::new(),
            overflow: PolicyCounter::new(&USAGE_OVERFLOW, &[]),
        }
    }

    pub(super) const fn book(&self) -> &Arc<Book<FIGURES>> {
        &self.book
    }

    pub(super) fn count(&self, exchange: &Exchange, ending: &Ending) {
        thread_local! {
            static NAME: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let caller = self.per.text(Scope::request(exchange)).unwrap_or_default();
        let caller = match caller.len() {
            ..=LONGEST => &*caller,
            _ => "(too long)",
        };
        let (route, class) = (exchange.route_name(), class(exchange.status));
        let account = NAME.with_borrow_mut(|name| {
            name.clear();
            // Neither a class nor a route has a line break. Writing to a String can't fail.
            let _ = write!(name, "{class}\n{route}\n{caller}");
            self.book.ledger().account(name)
        });
        let now = time_at(std::time::Instant::now());
        let since = now.duration_since(std::time::UNIX_EPOCH);
        let hour = hour(since.map_or(0, |since| since.as_secs()));
        for (figure, by) in [1, ending.bytes_in, ending.bytes_out]
            .into_iter()
            .enumerate()
        {
            if by > 0 {
                // Fails at 2^64 alone.
                let _ = account.add(figure, hour, by, u64::MAX);
            }
        }
        let overflown = self.book.ledger().is_overflow(&account);
        if overflown {
            self.overflow.inc();
        }
        let labels = match overflown {
            true => [account.name(), "", ""],
            false => [caller, route, class],
        };
        self.show(&account, labels, ending);
    }

    fn show(&self, account: &Arc<Account<FIGURES>>, labels: [&str; 3], ending: &Ending) {
        // Accounts live as long as their book, so none ever has the address of another.
        let place = Arc::as_ptr(account).addr();
        self.shown.with(FxHashMap::default, |shown| {
            let shown = shown.entry(place).or_insert_with(|| Shown::new(labels));
            shown.requests.inc();
            shown.received.add(ending.bytes_in);
            shown.sent.add(ending.bytes_out);
        });
    }
}

impl Shown {
    fn new([caller, route, class]: [&str; 3]) -> Self {
        let bytes = |way| PolicyCounter::new(&USAGE_BYTES, &[caller, route, class, way]);
        Self {
            requests: PolicyCounter::new(&USAGE_REQUESTS, &[caller, route, class]),
            received: bytes("received"),
            sent: bytes("sent"),
        }
    }
}

const fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// The hour of a time in seconds since 1970.
fn hour(now: u64) -> Period {
    let number = now / 3_600;
    Period {
        start: (number * 3_600).max(1),
        end: (number + 1) * 3_600,
        number,
    }
}
