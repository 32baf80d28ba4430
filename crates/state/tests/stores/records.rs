//! Named texts that replicas share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use lintel_state::store::{Changed, News, NotChanged, Record, RecordTerms, Records};

use crate::server::{PATIENT, Place as _, Server, until};

/// What a replica has been told.
#[derive(Default)]
struct Told(Mutex<BTreeMap<String, String>>);

impl News for Told {
    fn take(&self, changed: Vec<Record>, whole: bool) {
        let mut told = self.0.lock().unwrap();
        assert!(!whole || told.is_empty(), "once");
        for record in changed {
            match record.text {
                Some(text) => told.insert(record.name.to_string(), text.to_string()),
                None => told.remove(&*record.name),
            };
        }
    }
}

struct Replica {
    told: Arc<Told>,
    records: Records,
}

impl Replica {
    fn start(server: &Server, poll: Duration, room: usize) -> Self {
        let told = Arc::<Told>::default();
        let terms = RecordTerms {
            store: Arc::new(server.store(PATIENT)),
            name: "things",
            poll,
            room,
        };
        let records = Records::new(terms, Arc::clone(&told) as _);
        records.start();
        Self { told, records }
    }

    async fn write(
        &self,
        name: &str,
        text: Option<&str>,
        expected: Option<u64>,
    ) -> Result<u64, NotChanged> {
        let change = Changed {
            name: name.into(),
            text: text.map(Into::into),
            expected,
        };
        self.records.change(change).await
    }

    fn knows(&self) -> Vec<(String, String)> {
        let told = self.told.0.lock().unwrap();
        told.iter()
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect()
    }

    async fn until_knows(&self, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        until("it is known", || self.knows() == expected).await;
    }
}

const SOON: Duration = Duration::from_millis(100);
/// A replica that asks nobody but when it changes something.
const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_change_is_told_to_all_and_none_is_lost_to_another() {
    let server = Server::start();
    let (one, other) = (
        Replica::start(&server, SOON, 3),
        Replica::start(&server, SOON, 3),
    );
    assert_eq!(one.write("a", Some("1"), None).await, Ok(1));
    assert_eq!(one.knows(), [("a".to_owned(), "1".to_owned())], "at once");
    other.until_knows(&[("a", "1")]).await;
    assert_eq!(other.write("a", Some("2"), Some(1)).await, Ok(2));
    assert_eq!(
        one.write("a", Some("3"), Some(1)).await,
        Err(NotChanged::Other)
    );
    assert_eq!(one.write("b", Some("1"), Some(0)).await, Ok(3));
    assert_eq!(
        other.write("b", Some("2"), Some(0)).await,
        Err(NotChanged::Other)
    );
    assert_eq!(one.write("c", None, None).await, Err(NotChanged::Unknown));
    assert_eq!(one.write("c", Some("1"), None).await, Ok(4));
    assert_eq!(one.write("d", Some("1"), None).await, Err(NotChanged::Full));
    assert_eq!(one.write("b", None, None).await, Ok(5));
    assert_eq!(one.write("d", Some("1"), None).await, Ok(6));
    for replica in [&one, &other] {
        replica
            .until_knows(&[("a", "2"), ("c", "1"), ("d", "1")])
            .await;
    }
    // One that was removed is none, whatever its number.
    assert_eq!(
        other.write("b", Some("9"), Some(5)).await,
        Err(NotChanged::Other)
    );
}

#[tokio::test]
async fn a_store_that_was_emptied_is_told_and_what_was_removed_stays_away() {
    let mut server = Server::start();
    let sleeper = Replica::start(&server, NEVER, 10);
    let (one, other) = (
        Replica::start(&server, SOON, 10),
        Replica::start(&server, SOON, 10),
    );
    for name in ["a", "b", "c"] {
        assert!(sleeper.write(name, Some("old"), None).await.is_ok());
    }
    assert!(one.write("a", Some("new"), None).await.is_ok());
    assert!(one.write("b", None, None).await.is_ok());
    let all = [("a", "new"), ("c", "old")];
    one.until_knows(&all).await;
    other.until_knows(&all).await;
    assert_eq!(sleeper.knows().len(), 3, "it has not asked");

    server.restart();
    // Who has slept tells what it knows, and brings back neither the old text nor what is gone. Its
    // first question may go to the connection that was.
    let mut written = Err(NotChanged::Away);
    while written == Err(NotChanged::Away) {
        written = sleeper.write("d", Some("1"), None).await;
    }
    assert!(written.is_ok());
    let all = [("a", "new"), ("c", "old"), ("d", "1")];
    for replica in [&one, &other] {
        replica.until_knows(&all).await;
    }
    until("the store knows the newer ones", || {
        server
            .ask(&["hget", "lintel:{things}:texts", "a"])
            .contains("new")
            && !server
                .ask(&["hkeys", "lintel:{things}:texts"])
                .contains('b')
    })
    .await;
    let late = Replica::start(&server, SOON, 10);
    late.until_knows(&all).await;
}

#[tokio::test]
async fn who_has_missed_more_removals_than_are_remembered_is_told_anew() {
    let server = Server::start();
    let sleeper = Replica::start(&server, NEVER, 50_000);
    assert!(sleeper.write("gone", Some("1"), None).await.is_ok());
    assert!(sleeper.write("kept", Some("1"), None).await.is_ok());
    let one = Replica::start(&server, SOON, 50_000);
    one.until_knows(&[("gone", "1"), ("kept", "1")]).await;
    assert!(one.write("gone", None, None).await.is_ok());
    // As the script would after ten thousand more.
    server.ask(&["zrem", "lintel:{things}:numbers", "gone"]);
    server.ask(&["del", "lintel:{things}:gone"]);
    server.ask(&["hset", "lintel:{things}", "floor", "3"]);
    assert!(sleeper.write("late", Some("1"), None).await.is_ok());
    sleeper.until_knows(&[("kept", "1"), ("late", "1")]).await;
    one.until_knows(&[("kept", "1"), ("late", "1")]).await;
}

#[tokio::test]
async fn many_are_told_in_parts() {
    let server = Server::start();
    let one = Replica::start(&server, NEVER, 10_000);
    assert!(one.write("first", Some("1"), None).await.is_ok());
    let fill = "for i = 1, 2500 do local name = string.format('n%04d', i) \
                redis.call('ZADD', KEYS[1], redis.call('HINCRBY', KEYS[2], 'last', 1), name) \
                redis.call('HSET', KEYS[3], name, string.rep('x', 1000)) end";
    let [numbers, head, texts] =
        [":numbers", "", ":texts"].map(|part| format!("lintel:{{things}}{part}"));
    server.ask(&["eval", fill, "3", &numbers, &head, &texts]);
    assert!(one.write("last", Some("1"), None).await.is_ok());
    assert_eq!(one.knows().len(), 2502);
    let late = Replica::start(&server, NEVER, 10_000);
    assert_eq!(late.knows(), one.knows(), "all before the first request");
}
