//! Examples in Markdown that are tests: fenced `yaml`, `http request`, `upstream` and
//! `http response` blocks. Where several services take part, a block is `upstream NAME`; what the body
//! is that reaches the upstream is told in an `upstream body` block.

use crate::{
    client::Reply,
    message::{Fields, Seen},
};

/// A configuration and what is asked of it.
#[derive(Debug, Default)]
pub struct Scenario {
    /// The configuration, in which a word such as `upstream` stands for the URL of an endpoint.
    pub yaml: String,
    /// One request after the other.
    pub exchanges: Vec<Exchange>,
}

/// A request, what the upstream has to see of it, and what the client has to get.
#[derive(Debug, Default)]
pub struct Exchange {
    /// The request, ready to be sent.
    pub request: Vec<u8>,
    /// Start line (`METHOD TARGET`) and fields that reach the upstream; without it nothing may.
    pub upstream: Option<Expected>,
    /// What the upstream answers.
    pub answer: Message,
    /// Upstreams by name: what reaches each, and what it answers.
    pub named: Vec<(String, Expected, Message)>,
    /// Status, fields and body that the client gets.
    pub response: Expected,
}

/// A message that is sent: start line, fields and body.
#[derive(Debug, Default, Clone)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// The fields.
    pub fields: Vec<(String, String)>,
    /// What follows the empty line.
    pub body: Option<String>,
}

/// What a message must be like. A value that ends in `…` stands for all that begin so.
#[derive(Debug, Default)]
pub struct Expected {
    /// The first line.
    pub start: String,
    /// The value `*` stands for whatever is there, once.
    present: Vec<(String, String)>,
    absent: Vec<String>,
    body: Option<String>,
}

/// The scenarios of a page. A `yaml` block begins one.
///
/// # Panics
/// When a block stands where it makes no sense, or the page has nothing to run.
pub fn scenarios(page: &str) -> Vec<Scenario> {
    let mut found: Vec<Scenario> = Vec::new();
    for (kind, text) in blocks(page) {
        if kind == "yaml" {
            found.push(Scenario {
                yaml: text,
                ..Scenario::default()
            });
            continue;
        }
        let scenario = found.last_mut().expect("a `yaml` block comes first");
        scenario.add(&kind, &text);
    }
    let runs = found.iter().any(|scenario| !scenario.exchanges.is_empty());
    assert!(runs, "a page has at least one `http request` block");
    found
}

impl Scenario {
    /// The configuration with URLs in the place of the words that stand for endpoints.
    pub fn configuration(&self, origins: &[(&str, &str)]) -> String {
        let lines = self.yaml.lines().map(|line| {
            let Some((before, after)) = line.split_once("endpoints: [") else {
                return line.to_owned();
            };
            let (word, after) = after.split_once(']').expect("endpoints on one line");
            let url = origins.iter().find(|(known, _)| *known == word);
            let (_, url) = url.unwrap_or_else(|| panic!("no origin is called `{word}`"));
            format!("{before}endpoints: [\"{url}\"]{after}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The names of all upstreams that are called by one.
    pub fn names(&self) -> Vec<&str> {
        let named = self.exchanges.iter().flat_map(|exchange| &exchange.named);
        let mut names: Vec<&str> = named.map(|(name, ..)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn add(&mut self, kind: &str, text: &str) {
        if kind == "http request" {
            self.exchanges.push(Exchange {
                request: Message::parse(text).request(),
                ..Exchange::default()
            });
            return;
        }
        let exchange = self.exchanges.last_mut();
        let exchange = exchange.expect("an `http request` block comes before its answer");
        let told = || {
            let parts = text.split_once("\n\n");
            let (seen, answer) = parts.expect("an answer after a blank line");
            (Expected::parse(seen), Message::parse(answer))
        };
        if kind == "upstream body" {
            let seen = exchange.upstream.as_mut();
            let seen = seen.expect("an `upstream` block comes before its body");
            seen.body = Some(text.to_owned());
            return;
        }
        if let Some(name) = kind.strip_prefix("upstream ") {
            let (seen, answer) = told();
            exchange.named.push((name.to_owned(), seen, answer));
            return;
        }
        match kind {
            "upstream" => {
                let (seen, answer) = told();
                (exchange.upstream, exchange.answer) = (Some(seen), answer);
            }
            "http response" => exchange.response = Expected::parse(text),
            other => panic!("a runner knows no `{other}` blocks"),
        }
    }
}

impl Message {
    /// The status, when this is an answer.
    pub fn status(&self) -> u16 {
        self.start.parse().expect("a status in the first line")
    }

    fn parse(text: &str) -> Self {
        let (head, body) = match text.split_once("\n\n") {
            Some((head, body)) => (head, Some(body.trim_end_matches('\n').to_owned())),
            None => (text.trim_end(), None),
        };
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default().trim().to_owned();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field as `Name: value`");
            (name.trim().to_owned(), value.trim().to_owned())
        });
        Self {
            start,
            fields: fields.collect(),
            body,
        }
    }

    fn request(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(self.body.as_deref().unwrap_or_default());
        text.into_bytes()
    }
}

impl Expected {
    fn parse(text: &str) -> Self {
        let (absent, rest): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.starts_with('!'));
        let message = Message::parse(&rest.join("\n"));
        let absent = absent.iter().map(|line| line[1..].trim().to_owned());
        Self {
            start: message.start,
            present: message.fields,
            absent: absent.collect(),
            body: message.body,
        }
    }

    /// Whether it is `*`: any number of requests, whatever they are.
    pub fn is_any(&self) -> bool {
        self.start == "*"
    }

    /// Holds a request that reached the upstream to this.
    pub fn assert_request(&self, seen: &Seen) {
        assert_eq!(format!("{} {}", seen.method, seen.target), self.start);
        self.assert_rest(&seen.fields, &seen.body);
    }

    /// Holds an answer to this.
    pub fn assert_reply(&self, reply: &Reply) {
        assert_eq!(reply.status.to_string(), self.start, "{}", reply.text());
        assert!(reply.complete, "the answer broke off: {reply:?}");
        self.assert_rest(&reply.fields, &reply.body);
    }

    fn assert_rest(&self, fields: &Fields, body: &[u8]) {
        for (name, value) in &self.present {
            let all: Vec<_> = fields.all(name).collect();
            let fits = |own: &&str| match value.strip_suffix('…') {
                Some(beginning) => own.starts_with(beginning),
                None => own == value,
            };
            let fits = all.iter().any(fits) || (value == "*" && all.len() == 1);
            assert!(fits, "{name}: {all:?}, not {value}");
        }
        for name in &self.absent {
            assert_eq!(fields.first(name), None, "{name} must be absent");
        }
        if let Some(expected) = &self.body {
            assert_eq!(&String::from_utf8_lossy(body), expected);
        }
    }
}

/// The fenced blocks that say what they are, in order.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let known = matches!(kind, "yaml" | "http request" | "upstream" | "http response");
        if known || kind.starts_with("upstream ") {
            found.push((kind.to_owned(), text.join("\n")));
        }
    }
    found
}
