use lintel_config::{Loaded, model::Expectation};
use serde::Serialize;

/// One expectation and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What it is called.
    pub name: String,
    /// The file it is written in.
    pub file: String,
    /// Its line there, from 1.
    pub line: usize,
    /// What is not as expected; empty if it holds.
    pub mismatches: Vec<Mismatch>,
}

impl Outcome {
    /// That of the test at an index.
    pub(super) fn new(
        loaded: &Loaded,
        at: usize,
        expectation: &Expectation,
        mismatches: Vec<Mismatch>,
    ) -> Self {
        let span = loaded.locate(&["tests", &at.to_string()]);
        let request = &expectation.request;
        let name = expectation
            .name
            .clone()
            .unwrap_or_else(|| format!("{} {}", request.method, request.url));
        let masked = |text: &String| loaded.masked(text);
        Self {
            name: loaded.masked(&name),
            file: loaded
                .sources
                .get(span.source)
                .map_or_else(String::new, |source| source.name()),
            line: loaded.sources.position(span.source, span.start).line,
            mismatches: mismatches
                .iter()
                .map(|found| Mismatch {
                    what: found.what.clone(),
                    expected: masked(&found.expected),
                    actual: masked(&found.actual),
                    why: found.why.iter().map(masked).collect(),
                })
                .collect(),
        }
    }

    /// Whether everything is as expected.
    pub fn holds(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Something that is not as expected. Values that came from outside are `***`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What: "status", "header `location`".
    pub what: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// Sentences that explain it, such as which routes were considered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
}
