use smallvec::SmallVec;

use crate::Router;

/// A byte range of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// Paths are far below 4 GiB; a longer one would capture nothing rather than something wrong.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Self { start, end },
            _ => Self::UNSET,
        }
    }

    /// A capture group that took no part in the match.
    pub(crate) const UNSET: Self = Self {
        start: u32::MAX,
        end: u32::MAX,
    };
}

/// Four captures lie inline: more are rare, and they cost an allocation.
pub(crate) type Spans = SmallVec<[Span; 4]>;

/// What a path pattern captured: byte ranges of the path that was matched, whose names the [`Router`] knows.
///
/// Look values up with the router and the path of the request that produced it; up to four need no allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    pub(crate) names: u32,
    pub(crate) spans: Spans,
}

impl Params {
    /// The value of the parameter `name`; `None` if the pattern has none of that name, or it is an optional group of
    /// a regular expression that took no part.
    pub fn get<'p>(&self, router: &Router, path: &'p str, name: &str) -> Option<&'p str> {
        self.iter(router, path)
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// Names and values in the order of the pattern.
    pub fn iter<'a, 'p>(
        &'a self,
        router: &'a Router,
        path: &'p str,
    ) -> impl Iterator<Item = (&'a str, &'p str)> + use<'a, 'p> {
        let names = router.param_names(self.names);
        names.iter().zip(&self.spans).filter_map(|(name, span)| {
            let value = path.get(span.start as usize..span.end as usize)?;
            Some((&**name, value))
        })
    }

    /// The id of the list of names (see [`Router::param_names`]) and, in the same order, where each
    /// value starts and ends in the path. An optional group that took no part has a span outside
    /// any path.
    pub fn into_parts(self) -> (u32, SmallVec<[(u32, u32); 4]>) {
        let spans = self
            .spans
            .iter()
            .map(|span| (span.start, span.end))
            .collect();
        (self.names, spans)
    }

    /// Whether the pattern captured nothing.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}
