//! Lists of which a store tells the news page by page, and which it is told again where it has lost them.

use super::Redis;

/// Such a list.
pub(super) trait Paged {
    /// What it holds.
    type Item;
    /// How much of it is known.
    type Known: Mark;

    /// How much of it is known.
    fn known(&self) -> &Self::Known;

    /// Whether nothing is known that a store could lose.
    fn is_empty(&self) -> bool;

    /// Asks the store for what comes next.
    async fn page(
        &self,
        known: &Self::Known,
    ) -> Result<Option<Page<Self::Known, Self::Item>>, String>;

    /// Gives the store what was known before.
    async fn restore(&mut self) -> Result<(), String>;
}

/// How much of a list is known.
pub(super) trait Mark: Clone + Default {
    /// What the list is called; another name is another list.
    fn id(&self) -> &str;

    /// The number of the last change.
    fn last(&self) -> u64;

    /// Whether what the store tells up to here may be added to what was known before, if it is of the
    /// same list and not of an earlier state.
    fn adds_to(&self, before: &Self) -> bool;
}

/// A part of a list.
pub(super) struct Page<K, T> {
    /// How much is known with it.
    pub(super) known: K,
    /// The number of the last change there is.
    pub(super) last: u64,
    pub(super) items: Vec<T>,
}

/// What is new.
pub(super) struct News<K, T> {
    /// How much is known with it.
    pub(super) known: K,
    /// Whether that is all there is, and not what came after the last.
    pub(super) anew: bool,
    pub(super) items: Vec<T>,
}

/// Hears what is new; a store that has lost something is told first.
pub(super) async fn news<L: Paged>(list: &mut L) -> Result<News<L::Known, L::Item>, String> {
    let mut restored = false;
    let mut news = News {
        known: list.known().clone(),
        anew: false,
        items: Vec::new(),
    };
    loop {
        let page = list.page(&news.known).await?.ok_or_else(something_else)?;
        if !page.follows(&news.known) {
            if !restored && is_lost(list, &page) {
                list.restore().await?;
                (restored, news.known) = (true, L::Known::default());
                continue;
            }
            news.anew = true;
            news.items.clear();
        }
        let complete = page.known.last() >= page.last;
        news.known = page.known;
        news.items.extend(page.items);
        if complete {
            return Ok(news);
        }
    }
}

impl<K: Mark, T> Page<K, T> {
    /// Whether it goes on where that has ended.
    fn follows(&self, known: &K) -> bool {
        self.known.id() == known.id() && known.last() <= self.last && self.known.adds_to(known)
    }
}

/// Whether the store knows less than it did.
fn is_lost<L: Paged>(list: &L, page: &Page<L::Known, L::Item>) -> bool {
    let known = list.known();
    let other = known.id() != page.known.id() || known.last() > page.last;
    other && !list.is_empty()
}

/// A name for a list that is not there yet.
pub(super) fn fresh_name() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(20)
        .collect()
}

/// The keys of a list, all in one slot of a cluster: prefixes have no braces.
pub(super) fn keys(store: &Redis, name: &str, parts: [&str; 4]) -> [String; 4] {
    let prefix = store.prefix();
    parts.map(|part| format!("{prefix}:{{{name}}}{part}"))
}

pub(super) fn something_else() -> String {
    "the script has answered something else".to_owned()
}
