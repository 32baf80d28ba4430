//! Which differences are right, and why: `expected.txt`.

use std::fmt;

use crate::{Outcome, inputs::Input, origin::Request};

/// How what Lintel forwarded compares with what another proxy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The same requests.
    Identical,
    /// Lintel forwarded fewer.
    Stricter,
    /// Lintel forwarded more.
    Lenient,
    /// Both forwarded something, and not the same.
    Different,
}

impl Verdict {
    pub(crate) fn of(ours: &[Request], theirs: &[Request]) -> Self {
        let same = ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| a.essence() == b.essence());
        match ours.len().cmp(&theirs.len()) {
            _ if !same => Self::Different,
            std::cmp::Ordering::Equal => Self::Identical,
            std::cmp::Ordering::Less => Self::Stricter,
            std::cmp::Ordering::Greater => Self::Lenient,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identical => "identical",
            Self::Stricter => "stricter",
            Self::Lenient => "lenient",
            Self::Different => "different",
        })
    }
}

/// The list.
pub(crate) struct Expected(Vec<Line>);

struct Line {
    verdict: String,
    proxy: String,
    what: String,
}

impl Expected {
    pub(crate) fn read() -> Self {
        let lines = include_str!("expected.txt").lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Line::read).collect())
    }

    /// Whether a difference is in the list.
    pub(crate) fn allows(&self, found: &Found<'_>) -> bool {
        let verdict = found.verdict.to_string();
        found.verdict == Verdict::Identical
            || self.0.iter().any(|line| {
                line.verdict == verdict
                    && (line.proxy == "any" || line.proxy == found.proxy)
                    && line.fits(found)
            })
    }
}

/// A difference.
pub(crate) struct Found<'a> {
    pub(crate) verdict: Verdict,
    pub(crate) proxy: &'a str,
    pub(crate) input: &'a Input,
    pub(crate) ours: &'a Outcome,
    pub(crate) theirs: &'a Outcome,
}

impl Found<'_> {
    /// The method and the target, as far as the first line has any.
    fn start(&self) -> (String, String) {
        let text = crate::text(&self.input.bytes);
        let mut words = text.trim_start().split([' ', '\r', '\n']);
        let mut word = || words.next().unwrap_or_default().to_owned();
        (word(), word())
    }

    /// Whether the request is of the kind that the list names.
    fn is(&self, kind: &str) -> bool {
        let (method, target) = self.start();
        let text = crate::text(&self.input.bytes).to_ascii_lowercase();
        match kind {
            "absolute-form" => target.starts_with("http:") || target.starts_with("https:"),
            "asterisk-form" => target == "*",
            "unusual method" => !method
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || b"-_".contains(&byte)),
            "upgrade" => text.contains("\nupgrade:"),
            "several expectations" => text.matches("\nexpect:").count() > 1,
            "tab before a value" => text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .any(|(_, value)| value.trim_start_matches(' ').starts_with('\t')),
            "host of dots" => text.contains("\nhost: ."),
            "future address" => text.contains("host: [v"),
            "length in the trailers" => text
                .split_once("\r\n0\r\n")
                .is_some_and(|(_, trailers)| trailers.contains("content-length")),
            "path not canonical" => self.differs_in_path_alone(),
            _ => panic!("expected.txt names an unknown kind: {kind}"),
        }
    }

    fn differs_in_path_alone(&self) -> bool {
        let pairs = self.ours.requests.iter().zip(&self.theirs.requests);
        pairs.clone().all(|(ours, theirs)| {
            let path = theirs.target.split('?').next().unwrap();
            let plain = !path.contains("//") && !path.contains("/.") && !path.contains('%');
            let query = |request: &Request| {
                request
                    .target
                    .split_once('?')
                    .map(|(_, query)| query.to_owned())
            };
            let rest =
                |request: &Request| (request.host.clone(), request.body.clone(), query(request));
            ours.method == theirs.method
                && rest(ours) == rest(theirs)
                && (ours.target == theirs.target || !plain)
        })
    }
}

impl Line {
    fn read(line: &str) -> Self {
        let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [verdict, proxy, what, reason] = parts[..] else {
            panic!("not `verdict | proxy | what | reason`: {line}")
        };
        assert!(!reason.is_empty(), "no reason: {line}");
        Self {
            verdict: verdict.to_owned(),
            proxy: proxy.to_owned(),
            what: what.to_owned(),
        }
    }

    fn fits(&self, found: &Found<'_>) -> bool {
        if let Some(words) = self.what.strip_prefix("refused: ") {
            return found.verdict == Verdict::Stricter && found.ours.answer.contains(words);
        }
        match self.what.strip_prefix("kind: ") {
            Some(kind) => found.is(kind),
            None => self.what == found.input.name,
        }
    }
}
