use std::collections::BTreeMap;

use lintel_compose::query::Operation;
use lintel_kernel::{ByteSize, Duration, config};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{GrpcJson, Respond, Table};
use crate::text::{
    ExprText, FieldName, Filter, LegExpr, LegName, LegStatus, LegTemplate, LegValue, Name,
    QueryText, RpcMethod,
};

/// Makes one answer of several calls. The calls, its legs, run side by side; a leg that reads what
/// another one brings waits for it.
#[config]
pub struct Compose {
    /// The legs by name. Expressions read what they bring as `legs.NAME.body.MEMBER`,
    /// `legs.NAME.status`, `legs.NAME.headers["NAME"]` and `legs.NAME.error`.
    #[schemars(extend("minProperties" = 1))]
    pub legs: Table<LegName, Leg>,

    /// The body of the answer: a jq filter over the values of the legs, in which `.profile` is what
    /// the leg `profile` has brought, and `$legs.profile` has its `status`, `error` and `body`.
    /// Default: an object of all legs.
    #[serde(default)]
    pub body: Option<Filter>,

    /// The status of the answer: a number, or an expression over the legs. Default: `200`.
    #[serde(default)]
    #[schemars(example = &"legs.profile.status")]
    pub status: Option<LegExpr>,

    /// Header fields of the answer. One without a value is left out.
    #[serde(default)]
    pub headers: Table<FieldName, LegTemplate>,

    /// What the client gets when a required leg fails, whatever the others bring. Its `status` is
    /// 503 unless it says otherwise. Default: problem details with 504 for `timeout`, 503 for
    /// `unavailable` and 502 for anything else.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "json": { "error": "home_unavailable" } }))]
    pub error: Option<ComposeError>,

    /// A name in the answer, where it is an object, under which failed legs are listed: each with
    /// `leg` and `code`. Default: they are not listed.
    #[serde(default)]
    #[schemars(example = &"_errors")]
    pub errors: Option<String>,

    /// The header field that tells which legs failed, and why: `recs=timeout`. It is left out where
    /// none has.
    #[serde(default = "partial")]
    pub header: FieldName,

    /// Header fields of the client's request, as policies left it, that go along to all legs which
    /// do not say otherwise.
    #[serde(default)]
    #[schemars(example = ["authorization", "accept-language"])]
    pub forward: Vec<FieldName>,

    /// Lets requests that are the same and come at the same time be answered by one run of the legs:
    /// `GET` and `HEAD` without a body, of one worker. Default: each runs its own.
    #[serde(default)]
    pub coalesce: Option<Coalesce>,

    /// How much all legs together may bring. The leg that goes beyond fails as `too_large`.
    #[serde(default = "eight_mebibytes")]
    pub max_body: ByteSize,

    /// How large the client's body may be, where something reads it: `request.body` in expressions,
    /// `$request.body` in filters. It is to be JSON. Beyond that the client gets 413.
    #[serde(default = "one_mebibyte")]
    pub max_request: ByteSize,
}

impl Compose {
    /// The services that the legs ask, with the name of the leg.
    pub fn services(&self) -> impl Iterator<Item = (&LegName, &Name)> {
        let legs = self.legs.iter();
        legs.filter_map(|(name, leg)| Some((name, leg.service.as_ref()?)))
    }
}

/// A part of a composition: a call of a service, or a fixed value.
#[config]
pub struct Leg {
    /// The service that is asked.
    #[serde(default)]
    pub service: Option<Name>,

    /// Asks with `GET` for this path and query. What `${…}` stands for is escaped; a value in the
    /// path that is absent or empty lets the leg fail as `no_value`.
    #[serde(default)]
    #[schemars(example = &"/users/${claims.sub}")]
    pub get: Option<LegTemplate>,

    /// Asks with `POST`.
    #[serde(default)]
    pub post: Option<LegTemplate>,

    /// Asks with `PUT`.
    #[serde(default)]
    pub put: Option<LegTemplate>,

    /// Asks with `PATCH`.
    #[serde(default)]
    pub patch: Option<LegTemplate>,

    /// Asks with `DELETE`.
    #[serde(default)]
    pub delete: Option<LegTemplate>,

    /// Calls this method of the service, which speaks gRPC (`protocol: grpc`) and whose `descriptors`
    /// or `reflection` say what its methods are. One message goes there, and one comes back.
    #[serde(default)]
    pub grpc: Option<RpcMethod>,

    /// The message of a call of gRPC, as JSON has it. Texts may have `${…}` in them; one that is an
    /// expression alone stands for its value with its type. A member is left out where the client has
    /// left out the parameter, field, cookie or part of its body that it is; any other absent value
    /// lets the leg fail as `no_value`. `body` makes the message by a filter. Default: an empty one.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "user_id": "${claims.sub}" }))]
    pub message: Option<LegValue>,

    /// How the answer to a call of gRPC is written as JSON. Default: as protobuf's own mapping has it.
    #[serde(default)]
    pub json: Option<GrpcJson>,

    /// Asks with a query of GraphQL; the `data` of the response is the value of the leg.
    #[serde(default)]
    pub graphql: Option<LegQuery>,

    /// Asks nobody: this is the value of the leg.
    #[serde(default, deserialize_with = "present")]
    pub value: Option<Value>,

    /// Parameters of the query. One without a value is left out.
    #[serde(default)]
    pub query: BTreeMap<String, LegTemplate>,

    /// Header fields of the call. One without a value is left out.
    #[serde(default)]
    pub headers: Table<FieldName, LegTemplate>,

    /// Header fields of the client's request that go along, in place of those that the composition
    /// says. Those that tell of the client's address and of the trace always do.
    #[serde(default)]
    pub forward: Option<Vec<FieldName>>,

    /// The body of the call: a jq filter over the legs and what the client sent (`$request.body`), sent
    /// as JSON.
    #[serde(default)]
    #[schemars(example = &"{ ids: [.orders[].id] }")]
    pub body: Option<Filter>,

    /// Makes the leg once for every element of a list: a jq filter over the legs, such as
    /// `[.orders[].product]`. Expressions read the element as `item` or `item.MEMBER`, filters as
    /// `$item`. The value of the leg is the list of what the calls bring.
    #[serde(default)]
    #[schemars(example = &"[.orders[].product]")]
    pub for_each: Option<Filter>,

    /// How many elements of `for_each` go into one call, for services that can be asked for several:
    /// `item` is then a list, `${item}` its elements with commas between. Elements that are `null` or
    /// come twice are left out. What the calls bring is put together: lists joined, objects merged.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch: Option<u32>,

    /// Most elements of `for_each`. A longer list lets the leg fail as `too_many`.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1))]
    pub max_items: u32,

    /// How many calls of `for_each` are under way at a time.
    #[serde(default = "eight")]
    #[schemars(range(min = 1))]
    pub parallel: u32,

    /// What stands in the place of an element of `for_each` whose call fails. Default: the leg fails.
    #[serde(default, deserialize_with = "present")]
    pub missing: Option<Value>,

    /// Legs that it waits for, beside those that it reads.
    #[serde(default)]
    pub after: Vec<LegName>,

    /// Whether the leg is made: a condition. Where it does not hold, its value is that of
    /// `fallback`, or `null`.
    #[serde(default)]
    #[schemars(example = &"request.query[\"full\"] == \"1\"")]
    pub when: Option<LegExpr>,

    /// How long it may take until all of the answer is there, within the route's own timeout.
    /// Default: that is all.
    #[serde(default)]
    #[schemars(example = &"300ms")]
    pub timeout: Option<Duration>,

    /// Whether the answer can do without it: if it fails, its value is `null`.
    #[serde(default)]
    pub optional: Option<bool>,

    /// The value of a leg that fails or is not made. With it the leg is optional.
    #[serde(default, deserialize_with = "present")]
    #[schemars(example = serde_json::json!([]))]
    pub fallback: Option<Value>,

    /// Lets the last good answer to the same request stand in the place of the leg where its service
    /// has none: for `timeout`, `unreachable`, `unavailable`, `too_large`, `not_json`, `not_grpc`, and
    /// `status` with 5xx, 408 or 429. `fallback` stands in where there is no such answer. The same
    /// request is one with the same method, path, query, body and host, and the same header fields of the leg's
    /// own and of `forward`: where the answer depends on who asks, the leg has to say who asks.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "max_age": "10m" }))]
    pub last_good: Option<LastGood>,

    /// Statuses that count as success, beside 2xx, and what the leg brings then: `body` for the body
    /// of the answer, or else this value. `{ 404: null }` makes nothing of what is not there; so does
    /// `{ NOT_FOUND: null }` where a method of gRPC is called.
    #[serde(default)]
    pub expect: Table<LegStatus, Value>,

    /// Largest body of its answer. With a larger one it fails as `too_large`. Default: `1MiB`; a leg
    /// that is the whole answer (`body: .NAME`) and that nothing else waits for streams through, of
    /// any size and type, unless it says this.
    #[serde(default)]
    #[schemars(example = &"64KiB")]
    pub max_body: Option<ByteSize>,
}

impl Leg {
    /// How large its answer may be, in bytes.
    pub fn most(&self) -> usize {
        self.max_body.unwrap_or(one_mebibyte()).as_usize()
    }

    /// The ways to ask that it names.
    pub fn targets(&self) -> Vec<(&'static str, http::Method, &LegTemplate)> {
        let all = [
            ("get", http::Method::GET, &self.get),
            ("post", http::Method::POST, &self.post),
            ("put", http::Method::PUT, &self.put),
            ("patch", http::Method::PATCH, &self.patch),
            ("delete", http::Method::DELETE, &self.delete),
        ];
        let all = all.into_iter();
        all.filter_map(|(key, method, target)| Some((key, method, target.as_ref()?)))
            .collect()
    }

    /// The keys by which it asks.
    pub fn asks(&self) -> Vec<&'static str> {
        let targets = self.targets().into_iter().map(|(key, ..)| key);
        let grpc = self.grpc.as_ref().map(|_| "grpc");
        let graphql = self.graphql.as_ref().map(|_| "graphql");
        targets.chain(grpc).chain(graphql).collect()
    }

    /// The values in it that have places, and the keys that lead to them.
    pub fn values(&self) -> impl Iterator<Item = (Vec<&str>, &LegValue)> {
        let message = self.message.iter();
        let message = message.map(|message| (vec!["message"], message));
        let variables = self.graphql.iter().flat_map(|query| &query.variables);
        let variables =
            variables.map(|(name, value)| (vec!["graphql", "variables", name.as_str()], value));
        message.chain(variables)
    }

    /// Whether the answer can do without it.
    pub fn is_optional(&self) -> bool {
        self.fallback.is_some() || self.optional == Some(true)
    }
}

/// Which requests are the same.
#[config]
pub struct Coalesce {
    /// Expressions that have the same values for them. Default: host, path and query, and whatever
    /// expressions of the composition read. In both cases they are of the same caller (consumer,
    /// credential, claims), and the fields of `forward` are alike.
    #[serde(default)]
    #[schemars(length(min = 1), example = ["path.id", "request.headers[\"accept-language\"]"])]
    pub by: Option<Vec<ExprText>>,

    /// Whether requests of different callers are the same, if they are alike otherwise: where the
    /// answer depends on nothing but `by`.
    #[serde(default)]
    pub across_callers: bool,

    /// How many requests may wait for one. Those beyond run their own legs.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1))]
    pub max_waiting: u32,
}

/// Which last good answers are kept.
#[config]
pub struct LastGood {
    /// How old one may be.
    #[serde(default = "ten_minutes")]
    pub max_age: Duration,

    /// How much memory those of the leg may take, for all workers together. The least used go first.
    #[serde(default = "eight_mebibytes")]
    pub max_size: ByteSize,
}

/// A question in GraphQL, sent by `POST` as JSON.
#[config]
pub struct LegQuery {
    /// The operation, with the fragments that it needs. It is the same for every request: what changes
    /// goes into `variables`.
    pub query: QueryText,

    /// The variables, as `message` has its members.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "id": "${claims.sub}" }))]
    pub variables: BTreeMap<String, LegValue>,

    /// The name of the operation that is asked for, where `query` has several.
    #[serde(default)]
    pub operation: Option<String>,

    /// Where the service takes queries.
    #[serde(default = "slash_graphql")]
    pub path: LegTemplate,

    /// Whether `data` counts where the response lists `errors`, too. Without it the leg fails as
    /// `graphql_errors` then.
    #[serde(default)]
    pub partial: bool,
}

impl LegQuery {
    /// The operation that is asked for; none where that is not clear.
    pub fn asked(&self) -> Option<Operation> {
        let mut all = self.query.operations();
        match &self.operation {
            Some(name) => {
                let mut all = all.into_iter();
                all.find(|operation| operation.name.as_ref() == Some(name))
            }
            None if all.len() == 1 => all.pop(),
            None => None,
        }
    }
}

/// What a client gets when a required leg fails.
#[config]
pub struct ComposeError {
    /// The status.
    #[serde(default = "unavailable")]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,

    /// The body as a value that is written as `application/json`.
    #[serde(default)]
    pub json: Option<Value>,

    /// Header fields of the answer.
    #[serde(default)]
    pub headers: Table<FieldName, crate::text::TemplateText>,
}

impl ComposeError {
    /// The same as an answer of any route.
    pub fn respond(&self) -> Respond {
        Respond {
            status: self.status,
            body: None,
            json: self.json.clone(),
            template: None,
            headers: self.headers.clone(),
        }
    }
}

/// A value that is there, even if it is `null`.
fn present<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reader).map(Some)
}

const fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

const fn thousand() -> u32 {
    1000
}

#[expect(clippy::unwrap_used, reason = "a path without expressions compiles")]
fn slash_graphql() -> LegTemplate {
    "/graphql".parse().unwrap()
}

const fn hundred() -> u32 {
    100
}

const fn eight() -> u32 {
    8
}

const fn unavailable() -> u16 {
    503
}

fn partial() -> FieldName {
    FieldName(http::HeaderName::from_static("x-partial"))
}

const fn one_mebibyte() -> ByteSize {
    ByteSize::bytes(1 << 20)
}

const fn eight_mebibytes() -> ByteSize {
    ByteSize::bytes(8 << 20)
}
