//! Keeps an issuer's keys fresh, for as long as somebody uses them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use lintel_upstream::Backoff;
use tokio::time::{self, Instant};

use super::{
    fetch::fetch,
    published::Published,
    source::{Source, Terms},
    story::Story,
};

/// Pauses between tries at an issuer that does not answer, jittered so that replicas do not come
/// back to it together.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long keys hold where the issuer does not say it.
const USUAL_AGE: Duration = Duration::from_secs(600);

/// Refresh after refresh: ahead of the end of the keys' age, and when a token asks.
pub(super) async fn keep_fresh(source: Source, published: Arc<Published>, story: Story) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut good: Option<Instant> = None;
    loop {
        published.begin();
        let mut pause = match fetch(&source).await {
            Ok(fetched) => {
                good = Some(Instant::now());
                backoff.reset();
                let changed = published.publish(fetched.keys, fetched.endpoints);
                let keys = published.keys();
                story.fetched(keys.as_deref().filter(|_| changed), &fetched.left_out);
                ahead(fetched.age, &source.terms, fastrand::f64())
            }
            Err(error) => {
                story.failed(&error);
                backoff.pause()
            }
        };
        if let (Some(since), Some(longest)) = (good, source.terms.max_stale) {
            let left = longest.saturating_sub(since.elapsed());
            if left.is_zero() {
                good = None;
                published.withdraw();
                story.withdrawn();
            } else {
                pause = pause.min(left);
            }
        }
        published.end();
        story.next(SystemTime::now() + pause);
        tokio::select! {
            () = time::sleep(pause) => {}
            () = published.asked() => {}
        }
    }
}

/// When to refresh keys of an age: after 75 to 90 % of it. `random` is from 0.0 to 1.0.
fn ahead(age: Option<Duration>, terms: &Terms, random: f64) -> Duration {
    let age = age.unwrap_or(USUAL_AGE);
    let age = age.min(terms.max_age).max(terms.min_age);
    age.mul_f64(random.mul_add(0.15, 0.75))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_refreshed_ahead_of_their_end_and_within_bounds() {
        let terms = Terms {
            ca: None,
            plaintext: false,
            timeout: Duration::from_secs(1),
            min_age: Duration::from_secs(60),
            max_age: Duration::from_secs(3600),
            cooldown: Duration::from_secs(30),
            max_stale: None,
        };
        for (age, bounded) in [
            (Some(0), 60),
            (Some(600), 600),
            (Some(1 << 40), 3600),
            (None, 600),
        ] {
            let age = age.map(Duration::from_secs);
            let (first, last) = (ahead(age, &terms, 0.0), ahead(age, &terms, 1.0));
            let whole = Duration::from_secs(bounded);
            assert_eq!(first, whole.mul_f64(0.75), "{age:?}");
            assert!(
                last <= whole.mul_f64(0.901) && last > first,
                "{age:?}: {last:?}"
            );
        }
    }
}
