use std::{collections::BTreeMap, time::Duration as StdDuration};

use lintel_kernel::{ByteSize, Duration, Fault, config};

use super::{Format, Hmac, aws::Aws, message::Messages, nonces::Nonces, reject::Refusals};
use crate::{Context, challenge, described, forward::Forward};

/// Which signatures will do, and what the upstream is told of who signed. The keys belong to
/// `consumers` (`signing_keys`).
#[config]
#[schemars(rename = "Hmac")]
pub struct Config {
    /// How requests are signed.
    #[serde(default)]
    pub format: FormatName,

    /// What a signature must cover, as RFC 9421 names it: derived components such as `@method`, and
    /// header fields such as `date`. `@target-uri` covers `@authority`, `@path` and `@query` too.
    /// Default: `@method`, `@authority`, `@path` and `@query`.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["@method", "@target-uri", "content-type"])]
    pub components: Option<Vec<String>>,

    /// The `tag` that signatures must have, which tells those for this API from others. Default: any.
    #[serde(default)]
    #[schemars(example = &"orders-api")]
    pub tag: Option<String>,

    /// Whether a signature must have a `nonce`, which is accepted once. The last 100,000 nonces that
    /// may come again are remembered, by this replica alone.
    #[serde(default)]
    pub nonce: bool,

    /// How old a signature may be. Default: `5m`; with `aws_sigv4`, `15m`.
    #[serde(default)]
    pub max_age: Option<Duration>,

    /// How far the clocks of caller and gateway may disagree.
    #[serde(default = "leeway")]
    pub leeway: Duration,

    /// Whether content may come that is not signed: without a covered `Content-Digest`, or with
    /// `UNSIGNED-PAYLOAD`.
    #[serde(default)]
    pub unsigned_content: bool,

    /// The most content that is held while it is compared with what was signed. More is answered
    /// with 413.
    #[serde(default = "max_content")]
    pub max_content: ByteSize,

    /// What AWS calls the scope of a signature; for `aws_sigv4`.
    #[serde(default)]
    pub aws: Option<AwsConfig>,

    /// Header fields that tell the upstream who is calling: names, and the expressions that give
    /// their values. What clients send under these names is always removed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-Consumer": "consumer.name" }))]
    pub forward: BTreeMap<String, String>,

    /// Whether the upstream gets the signature too.
    #[serde(default)]
    pub keep_signature: bool,

    /// What signatures are for, as a 401 tells callers.
    #[serde(default = "realm")]
    pub realm: String,
}

/// A way to sign requests.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
pub enum FormatName {
    /// HTTP message signatures (RFC 9421): `Signature-Input` and `Signature`.
    #[default]
    Rfc9421,
    /// AWS Signature Version 4: `Authorization: AWS4-HMAC-SHA256 …`.
    AwsSigv4,
}

/// The scope of signatures that AWS defines.
#[config]
#[schemars(rename = "HmacAws")]
pub struct AwsConfig {
    /// The region in the scope.
    #[schemars(example = &"eu-central-1")]
    pub region: String,

    /// The service in the scope. With `s3`, paths are signed as they are.
    #[schemars(example = &"execute-api")]
    pub service: String,

    /// Whether signatures in the query are accepted (presigned URLs). They can be passed on by
    /// whoever sees them, for as long as they say.
    #[serde(default)]
    pub presigned: bool,
}

const fn leeway() -> Duration {
    Duration::from_secs(30)
}

const fn max_content() -> ByteSize {
    ByteSize::bytes(1 << 20)
}

fn realm() -> String {
    "api".to_owned()
}

const USUAL: [&str; 4] = ["@method", "@authority", "@path", "@query"];
const DERIVED: [&str; 7] = [
    "@method",
    "@target-uri",
    "@authority",
    "@scheme",
    "@request-target",
    "@path",
    "@query",
];
const LONGEST_AGE: StdDuration = StdDuration::from_secs(86_400);
const LONGEST_LEEWAY: StdDuration = StdDuration::from_secs(3600);

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Hmac, Vec<Fault>> {
        let mut faults = self.contradictions();
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.extend(found));
        let max_age = self.max_age().map_err(|fault| faults.push(fault));
        let components = self.components().map_err(|found| faults.extend(found));
        let scheme = match self.format {
            FormatName::Rfc9421 => "Signature",
            FormatName::AwsSigv4 => lintel_httpsig::sigv4::SCHEME,
        };
        let refusals = Refusals::new(scheme, &self.realm);
        if refusals.is_none() {
            faults.push(challenge::unquotable("realm"));
        }
        let (Ok(forward), Ok(max_age), Ok(components), Some(refusals), true) =
            (forward, max_age, components, refusals, faults.is_empty())
        else {
            return Err(faults);
        };
        let leeway = self.leeway.to_std().as_secs();
        let format = match &self.aws {
            Some(aws) => Format::Aws(Aws {
                region: aws.region.clone(),
                service: aws.service.clone(),
                presigned: aws.presigned,
                unsigned_content: self.unsigned_content,
                max_age,
                leeway,
            }),
            None => Format::Message(Messages {
                components,
                tag: self.tag.clone(),
                nonces: self
                    .nonce
                    .then(|| Nonces::new(max_age + 2 * leeway))
                    .flatten(),
                unsigned_content: self.unsigned_content,
                max_age,
                leeway,
            }),
        };
        Ok(Hmac {
            format,
            roll: context.roll(),
            max_content: self.max_content.as_usize(),
            refusals,
            forward,
            keep_signature: self.keep_signature,
        })
    }

    fn contradictions(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut wrong = |key: &str, message: &str, hint: &str| {
            faults.push(Fault::new(message).with_hint(hint).under(key));
        };
        match (self.format, &self.aws) {
            (FormatName::AwsSigv4, None) => wrong(
                "format",
                "signatures of AWS have a scope, which is not set",
                "add `aws: { region: eu-central-1, service: execute-api }`, as callers sign it",
            ),
            (FormatName::AwsSigv4, Some(aws)) => {
                for (key, text) in [("region", &aws.region), ("service", &aws.service)] {
                    let fit = |byte: u8| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
                    };
                    if text.is_empty() || !text.bytes().all(fit) {
                        let fault = Fault::new(format!("`{text}` can't be a part of the scope"));
                        let fault = fault
                            .with_hint("use letters, digits and dashes, such as `eu-central-1`");
                        faults.push(fault.under(key).under("aws"));
                    }
                }
                let given = [
                    ("components", self.components.is_some()),
                    ("tag", self.tag.is_some()),
                    ("nonce", self.nonce),
                ];
                for (key, _) in given.iter().filter(|(_, is)| *is) {
                    let fault = Fault::new(format!("signatures of AWS have no `{key}`"));
                    faults.push(fault.with_hint(format!("remove `{key}`")).under(*key));
                }
            }
            (FormatName::Rfc9421, Some(_)) => wrong(
                "aws",
                "RFC 9421 has no scope",
                "remove `aws`, or write `format: aws_sigv4`",
            ),
            (FormatName::Rfc9421, None) => {}
        }
        faults
    }

    fn max_age(&self) -> Result<u64, Fault> {
        let usual = match self.format {
            FormatName::Rfc9421 => StdDuration::from_secs(300),
            FormatName::AwsSigv4 => StdDuration::from_secs(900),
        };
        let age = self.max_age.map_or(usual, Duration::to_std);
        if self.leeway.to_std() > LONGEST_LEEWAY {
            return Err(
                Fault::new("clocks that disagree by more than an hour tell nothing")
                    .with_hint("write a time such as `30s`")
                    .under("leeway"),
            );
        }
        if age < StdDuration::from_secs(1) || age > LONGEST_AGE {
            return Err(Fault::new("a signature is good for a second to a day")
                .with_hint("write a time such as `5m`")
                .under("max_age"));
        }
        Ok(age.as_secs())
    }

    fn components(&self) -> Result<Vec<Box<str>>, Vec<Fault>> {
        let Some(wanted) = &self.components else {
            return Ok(USUAL.iter().map(|name| Box::from(*name)).collect());
        };
        let field = |name: &str| {
            !name.bytes().any(|byte| byte.is_ascii_uppercase())
                && name.parse::<http::HeaderName>().is_ok()
        };
        let mut faults = Vec::new();
        for (at, name) in wanted.iter().enumerate() {
            if !(DERIVED.contains(&name.as_str()) || field(name)) {
                faults.push(
                    Fault::new(format!("`{name}` can't be demanded of a signature"))
                        .with_hint(format!(
                            "write one of `{}`, or a header field in lower case",
                            DERIVED.join("`, `")
                        ))
                        .under(at.to_string())
                        .under("components"),
                );
            }
        }
        if wanted.is_empty() {
            let fault = Fault::new("a signature that covers nothing is good for every request");
            faults.push(
                fault
                    .with_hint("write what it must cover, such as `@method` and `@target-uri`")
                    .under("components"),
            );
        }
        if faults.is_empty() {
            Ok(wanted.iter().map(|name| name.as_str().into()).collect())
        } else {
            Err(faults)
        }
    }
}
