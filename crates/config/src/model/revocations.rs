use lintel_kernel::{Duration, Fault, config};
use lintel_state::revoked::{Entry, LONGEST_NAME, What};
use serde::Serialize;

/// Credentials that are taken back before they end: tokens of `jwt` and `oauth2_introspection`, and the
/// sessions of `oidc`. What is revoked is known to every worker; no request waits for a store.
#[config]
#[derive(PartialEq, Eq)]
pub struct Revocations {
    /// What is revoked, written out.
    #[serde(default)]
    pub entries: Vec<Revocation>,

    /// The same as text: one entry a line, in JSON. Meant for a file, which is watched: a line that
    /// is added holds after a reload. Empty lines and those that begin with `#` are passed over.
    #[serde(default)]
    #[schemars(example = &"${file.revoked.jsonl}")]
    pub list: Option<String>,

    /// The name of a store in `stores` that keeps what is revoked through the admin API
    /// (`POST /revocations`), for all replicas. While it does not answer, the last list holds; one that
    /// comes back without its data is given the list again.
    #[serde(default)]
    #[schemars(example = &"shared")]
    pub store: Option<String>,

    /// How often the store is asked what is new, at least `100ms`. So long it takes, and one answer of
    /// the store, until a revocation holds on the other replicas; it holds at once on the one that was
    /// told.
    #[serde(default = "poll")]
    pub poll: Duration,

    /// How long an entry is kept that does not say `until`: as long as tokens and sessions can last.
    #[serde(default = "keep")]
    pub keep: Duration,

    /// How many entries there may be in the store. Each takes about 300 bytes in each replica.
    #[serde(default = "max_entries")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_entries: u32,
}

/// One thing that is revoked: a token by its number, or all that somebody was given up to a time. Times
/// are seconds since 1970, as tokens have them.
#[config]
#[derive(PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// A token's number: its claim `jti`. For `oidc`, that of the ID token or of the session, as the
    /// access log has it (`credential`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"b7f1c2d0")]
    pub jti: Option<String>,

    /// Whom tokens speak for: their claim `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,

    /// With `sub`: what was issued in this second or before is revoked (`iat`; for `oidc`, the login).
    /// What does not say when it was issued is revoked too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,

    /// Whose tokens are meant: their claim `iss`. Without it those of any issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,

    /// When the entry may be forgotten: the token's `exp`, for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// The end of the year 9999: later times are taken for it.
const LATEST: u64 = 253_402_300_799;

impl Default for Revocations {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            list: None,
            store: None,
            poll: poll(),
            keep: keep(),
            max_entries: max_entries(),
        }
    }
}

impl Revocations {
    /// All that is written, in `entries` and `list`.
    ///
    /// # Errors
    /// Every mistake, each with its path below the section.
    pub fn written(&self) -> Result<Vec<Entry>, Vec<Fault>> {
        let (mut written, mut faults) = (Vec::new(), Vec::new());
        for (at, entry) in self.entries.iter().enumerate() {
            match entry.entry(None, LATEST) {
                Ok(entry) => written.push(entry),
                Err(fault) => faults.push(fault.under(at.to_string()).under("entries")),
            }
        }
        let lines = self.list.as_deref().unwrap_or_default().lines();
        for (at, line) in lines.enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = serde_json::from_str::<Revocation>(line);
            // A line is a text of its own to the parser.
            let words = |error: serde_json::Error| {
                error
                    .to_string()
                    .replace(" at line 1 column", " at character")
            };
            let read = read.map_err(|error| Fault::new(words(error)));
            match read.and_then(|entry| entry.entry(None, LATEST)) {
                Ok(entry) => written.push(entry),
                Err(fault) => faults.push(of_line(at + 1, &fault)),
            }
        }
        match faults.is_empty() {
            true => Ok(written),
            false => Err(faults),
        }
    }
}

impl Revocation {
    /// What is meant, with what holds where the entry itself says nothing of its times.
    ///
    /// # Errors
    /// It names nothing, or too much.
    pub fn entry(&self, before: Option<u64>, until: u64) -> Result<Entry, Fault> {
        let what = match (&self.jti, &self.sub) {
            (Some(jti), None) if self.before.is_none() => What::Token(named("jti", jti)?),
            (Some(_), None) => {
                return Err(Fault::new("a token is revoked whenever it was issued")
                    .with_hint("remove `before`, or name a `sub`")
                    .under("before"));
            }
            (None, Some(sub)) => {
                let before = self.before.or(before).ok_or_else(|| {
                    Fault::new("nothing says up to when").with_hint(
                        "add `before`: what was issued in this second or before is revoked; \
                         `date +%s` prints the present one",
                    )
                })?;
                What::Subject(named("sub", sub)?, before.min(LATEST))
            }
            (Some(_), Some(_)) => {
                return Err(Fault::new("an entry names a token or a subject, not both")
                    .with_hint("write an entry for each")
                    .under("sub"));
            }
            (None, None) => {
                return Err(Fault::new("an entry names what is revoked").with_hint(
                    "write `{ jti: b7f1c2d0 }` for a token, or `{ sub: ada, before: 1700000000 }`",
                ));
            }
        };
        let issuer = match &self.iss {
            Some(issuer) => named("iss", issuer)?,
            None => "".into(),
        };
        Ok(Entry {
            what,
            issuer,
            until: self.until.unwrap_or(until).min(LATEST),
        })
    }
}

impl From<&Entry> for Revocation {
    fn from(entry: &Entry) -> Self {
        let (jti, sub, before) = match &entry.what {
            What::Token(jti) => (Some(jti.to_string()), None, None),
            What::Subject(sub, before) => (None, Some(sub.to_string()), Some(*before)),
        };
        Self {
            jti,
            sub,
            before,
            iss: (!entry.issuer.is_empty()).then(|| entry.issuer.to_string()),
            until: (entry.until < LATEST).then_some(entry.until),
        }
    }
}

fn named(key: &str, name: &str) -> Result<Box<str>, Fault> {
    match name.len() {
        1..=LONGEST_NAME => Ok(name.into()),
        0 => Err(Fault::new(format!("`{key}` is empty"))
            .with_hint("write what stands in the token")
            .under(key)),
        _ => Err(
            Fault::new(format!("`{key}` has more than {LONGEST_NAME} bytes"))
                .with_hint("write what stands in the token")
                .under(key),
        ),
    }
}

/// A file's content is never shown; its lines can be counted.
fn of_line(number: usize, fault: &Fault) -> Fault {
    let message = format!("line {number} is no entry: {}", fault.message);
    let known = fault.hint.as_deref();
    Fault::new(message)
        .with_hint(known.unwrap_or("write one entry a line, such as `{\"jti\": \"b7f1c2d0\"}`"))
        .discreet()
        .under("list")
}

const fn poll() -> Duration {
    Duration::from_secs(1)
}

const fn keep() -> Duration {
    Duration::from_secs(86_400)
}

const fn max_entries() -> u32 {
    100_000
}
