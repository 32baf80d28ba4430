//! Named texts that replicas share.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::spawn_blocking};

use super::{
    Redis,
    paged::{self, Mark, News as Heard, Page, Paged, fresh_name, something_else},
    polled::{Keeper, Polled},
    script::Script,
};

/// Named texts in a store: asked for news again and again, and changed through any replica. While the
/// store does not answer, the last ones hold; one that comes back without its data is given them again.
pub struct Records {
    terms: RecordTerms,
    news: Arc<dyn News>,
    polled: Polled<Order>,
}

/// Where records are, and what holds for them.
#[derive(Clone)]
pub struct RecordTerms {
    /// Where they are.
    pub store: Arc<Redis>,
    /// What they are called there, all together.
    pub name: &'static str,
    /// How often news are asked for.
    pub poll: Duration,
    /// How many there may be.
    pub room: usize,
}

/// What has become of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: Arc<str>,
    /// Of its changes and those of all others the how manieth this was.
    pub number: u64,
    /// What it says; `None` where it is gone.
    pub text: Option<Arc<str>>,
}

/// Who is told of changes. Called on a thread that may block, one call after the other.
pub trait News: Send + Sync + 'static {
    /// Records that have changed since the last call, of each the last change alone; the first time,
    /// `whole`, all there are.
    fn take(&self, changed: Vec<Record>, whole: bool);
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The record.
    pub name: Arc<str>,
    /// What it says from now on; `None` to remove it.
    pub text: Option<Arc<str>>,
    /// The number that it must have before, 0 where there must be none; `None` for any.
    pub expected: Option<u64>,
}

/// Why nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    /// There is no room for another record.
    Full,
    /// Somebody else has changed it before.
    Other,
    /// There is no such record.
    Unknown,
    /// The store does not answer, or not in time: then it may have changed.
    Away,
}

/// How long the first answer may take: all records are in it.
const FIRST: Duration = Duration::from_secs(10);
/// Records that one script writes, or tells; and about how many bytes of text.
const AT_ONCE: usize = 1_000;
const BYTES: usize = 1 << 20;
/// Removals that are remembered, so that who has slept does not bring back what is gone.
const REMOVALS: usize = 10_000;

struct Order {
    change: Changed,
    tell: oneshot::Sender<Result<u64, NotChanged>>,
}

impl Records {
    /// Some of which nothing is known before the [start](Self::start).
    pub fn new(terms: RecordTerms, news: Arc<dyn News>) -> Self {
        Self {
            terms,
            news,
            polled: Polled::default(),
        }
    }

    /// Where they are, and what holds for them.
    pub const fn terms(&self) -> &RecordTerms {
        &self.terms
    }

    /// Begins to ask, unless that has begun before, and waits for the first answer. It ends when this
    /// is dropped. Blocks.
    pub fn start(&self) {
        let (terms, news) = (self.terms.clone(), Arc::clone(&self.news));
        self.polled.start(self.terms.poll, FIRST, || List {
            terms,
            news,
            writing: Script::new(include_str!("lua/record.lua").to_owned()),
            reading: Script::new(include_str!("lua/records.lua").to_owned()),
            known: Known::default(),
            records: BTreeMap::new(),
            told: false,
            forgotten: 0,
        });
    }

    /// Changes a record, for all replicas; its new number. Here it holds when this returns.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn change(&self, change: Changed) -> Result<u64, NotChanged> {
        // Before and after it, news are asked for.
        let patience = self.terms.store.patience().saturating_mul(4);
        let done = self.polled.order(patience, |tell| Order { change, tell });
        done.await.unwrap_or(Err(NotChanged::Away))
    }

    /// When the store was last heard of, in seconds since 1970, and why it fails since.
    pub fn status(&self) -> (Option<u64>, Option<String>) {
        self.polled.status()
    }
}

/// What of the list is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    id: String,
    last: u64,
    floor: u64,
}

struct List {
    terms: RecordTerms,
    news: Arc<dyn News>,
    writing: Script,
    reading: Script,
    known: Known,
    /// All of them, and what is gone as far as the store remembers.
    records: BTreeMap<Arc<str>, Record>,
    /// Whether anybody has been told of them.
    told: bool,
    /// Up to which number removals are forgotten here.
    forgotten: u64,
}

impl Keeper for List {
    type Order = Order;

    async fn follow(&mut self, order: Order) -> Result<(), String> {
        let Order { change, tell } = order;
        let outcome = self.change(&change).await;
        let done = match &outcome {
            Ok(done) => *done,
            Err(_) => Err(NotChanged::Away),
        };
        // Whoever asked may have left.
        let _ = tell.send(done);
        outcome.map(|_| ())
    }

    /// Hears what is new; a store that has lost something is told first.
    async fn renew(&mut self) -> Result<(), String> {
        let Heard { known, anew, items } = paged::news(self).await?;
        self.known = known;
        self.take_over(anew, items).await;
        Ok(())
    }

    fn note(&self, failing: Option<&str>) {
        let (store, what) = (&**self.terms.store.name(), self.terms.name);
        match failing {
            None => tracing::info!(store, what, "the store tells again what has changed"),
            Some(error) => tracing::warn!(
                store,
                what,
                error,
                "the store does not tell what has changed; what was known last holds"
            ),
        }
    }
}

impl List {
    /// What is lost is given back before the next number is given, so that no number is given twice.
    async fn change(&mut self, change: &Changed) -> Result<Result<u64, NotChanged>, String> {
        self.renew().await?;
        let mut call = self.writing(None);
        let text = change.text.as_deref().unwrap_or_default();
        let expected = change.expected.map(|number| number.to_string());
        call.0.extend([
            change.name.to_string(),
            String::new(),
            expected.unwrap_or_default(),
        ]);
        call.0.push(text.to_owned());
        let numbers = self.write(call).await?;
        let done = match numbers.as_slice() {
            [number] if *number > 0 => Ok(number.unsigned_abs()),
            [0] => Err(NotChanged::Full),
            [-1] => Err(NotChanged::Other),
            [-2] => Err(NotChanged::Unknown),
            _ => return Err(something_else()),
        };
        self.renew().await?;
        Ok(done)
    }

    async fn take_over(&mut self, anew: bool, news: Vec<Record>) {
        let whole = !std::mem::replace(&mut self.told, true);
        let mut changed = match anew {
            true => self.missing(&news),
            false => Vec::new(),
        };
        let known = &self.records;
        let other = |record: &Record| known.get(&record.name) != Some(record);
        changed.extend(news.into_iter().filter(other));
        if changed.is_empty() && !whole {
            return;
        }
        for record in &changed {
            self.records
                .insert(Arc::clone(&record.name), record.clone());
        }
        self.forget();
        let news = Arc::clone(&self.news);
        if spawn_blocking(move || news.take(changed, whole))
            .await
            .is_err()
        {
            tracing::error!("what has changed was not taken over: a bug");
        }
    }

    /// What was there, and is not told any more.
    fn missing(&self, told: &[Record]) -> Vec<Record> {
        let told: std::collections::HashSet<&str> = told.iter().map(|one| &*one.name).collect();
        let known = self.records.values();
        let missing = known.filter(|one| one.text.is_some() && !told.contains(&*one.name));
        let gone = missing.map(|one| Record {
            text: None,
            ..one.clone()
        });
        gone.collect()
    }

    /// Removals that the store has forgotten too.
    fn forget(&mut self) {
        let floor = self.known.floor;
        if floor == self.forgotten {
            return;
        }
        self.forgotten = floor;
        self.records
            .retain(|_, record| record.text.is_some() || record.number > floor);
    }

    /// The beginning of what is written.
    fn writing(&self, records: Option<usize>) -> Writing {
        let mut arguments = Vec::with_capacity(3 + 4 * records.unwrap_or(1));
        arguments.extend([
            fresh_name(),
            self.terms.room.to_string(),
            REMOVALS.to_string(),
        ]);
        Writing(arguments)
    }

    async fn write(&self, writing: Writing) -> Result<Vec<i64>, String> {
        let keys = self.keys();
        let mut call = self.writing.call();
        for key in &keys {
            call.key(key);
        }
        for argument in writing.0 {
            call.arg(argument);
        }
        self.terms.store.ask(&call).await
    }

    fn keys(&self) -> [String; 4] {
        let parts = ["", ":texts", ":numbers", ":gone"];
        paged::keys(&self.terms.store, self.terms.name, parts)
    }
}

impl Paged for List {
    type Item = Record;
    type Known = Known;

    fn known(&self) -> &Known {
        &self.known
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    async fn page(&self, known: &Known) -> Result<Option<Page<Known, Record>>, String> {
        let keys = self.keys();
        let mut call = self.reading.call();
        for key in &keys {
            call.key(key);
        }
        call.arg(&known.id).arg(known.last).arg(known.floor);
        call.arg(AT_ONCE).arg(BYTES);
        let texts: Vec<String> = self.terms.store.ask(&call).await?;
        Ok(read(texts))
    }

    /// Gives the store what was known before. Of what others give it, the newer holds.
    async fn restore(&mut self) -> Result<(), String> {
        let all: Vec<&Record> = self.records.values().collect();
        for some in all.chunks(AT_ONCE) {
            let mut call = self.writing(Some(some.len()));
            for record in some {
                call.0
                    .extend([record.name.to_string(), record.number.to_string()]);
                let text = record.text.as_deref().unwrap_or_default();
                call.0.extend([String::new(), text.to_owned()]);
            }
            self.write(call).await?;
        }
        tracing::warn!(
            store = &**self.terms.store.name(),
            what = self.terms.name,
            records = all.len(),
            "the store has lost records, and is told them again"
        );
        Ok(())
    }
}

impl Mark for Known {
    fn id(&self) -> &str {
        &self.id
    }

    fn last(&self) -> u64 {
        self.last
    }

    /// Not where removals were forgotten that are not known yet.
    fn adds_to(&self, before: &Self) -> bool {
        before.last >= self.floor || before.floor == self.floor
    }
}

/// Arguments of the script that writes.
struct Writing(Vec<String>);

/// Reads what the script answers.
fn read(texts: Vec<String>) -> Option<Page<Known, Record>> {
    let mut texts = texts.into_iter();
    let number = |text: Option<String>| text?.parse::<u64>().ok();
    let id = texts.next()?;
    let (told, last) = (number(texts.next())?, number(texts.next())?);
    let floor = number(texts.next())?;
    let mut items = Vec::new();
    while let Some(name) = texts.next() {
        let number = number(texts.next())?;
        let text = texts.next()?;
        items.push(Record {
            name: name.into(),
            number,
            text: (!text.is_empty()).then(|| text.into()),
        });
    }
    let known = Known {
        id,
        last: told,
        floor,
    };
    Some(Page { known, last, items })
}

impl PartialEq for RecordTerms {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.store, &other.store)
            && (self.name, self.poll, self.room) == (other.name, other.poll, other.room)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("name", &self.terms.name)
            .finish_non_exhaustive()
    }
}
