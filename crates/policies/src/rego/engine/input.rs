//! What policies see of a request: the members that OPA's plugin for Envoy gives, and ours.

use std::collections::BTreeMap;

use lintel_kernel::Exchange;
use percent_encoding::percent_decode_str;
use regorus::Value;

use crate::form;

/// The input without a request.
pub(super) fn nothing() -> Value {
    object([])
}

/// The input for a request.
pub(super) fn of(exchange: &Exchange) -> Value {
    let query = exchange.request.uri.query();
    object([
        ("attributes", Some(attributes(exchange, query))),
        ("parsed_path", Some(parsed_path(exchange.path()))),
        ("parsed_query", Some(parsed_query(query.unwrap_or("")))),
        ("path", Some(params(exchange))),
        ("route", Some(exchange.route_name().into())),
        ("claims", claims(exchange)),
        ("scopes", scopes(exchange)),
        ("consumer", consumer(exchange)),
        ("auth", auth(exchange)),
    ])
}

fn attributes(exchange: &Exchange, query: Option<&str>) -> Value {
    let request = &exchange.request;
    let path = match query {
        Some(query) => format!("{}?{query}", exchange.path()).into(),
        None => exchange.path().into(),
    };
    let http = object([
        ("id", Some(exchange.id.as_str().into())),
        ("method", Some(request.method.as_str().into())),
        ("path", Some(path)),
        ("host", Some(exchange.host().into())),
        (
            "scheme",
            Some(if exchange.secure { "https" } else { "http" }.into()),
        ),
        (
            "protocol",
            Some(match request.version {
                http::Version::HTTP_2 => "HTTP/2".into(),
                http::Version::HTTP_10 => "HTTP/1.0".into(),
                _ => "HTTP/1.1".into(),
            }),
        ),
        ("headers", Some(headers(exchange))),
    ]);
    let address = object([("address", Some(exchange.client.to_string().into()))]);
    let socket = object([("socketAddress", Some(address))]);
    object([
        ("request", Some(object([("http", Some(http))]))),
        ("source", Some(object([("address", Some(socket))]))),
    ])
}

/// Fields by their names in lower case; several of a name are one text with commas between (RFC
/// 9110 §5.2).
fn headers(exchange: &Exchange) -> Value {
    let all = &exchange.request.headers;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let fields = all.keys().map(|name| {
        let values: Vec<String> = all.get_all(name).iter().map(text).collect();
        (name.as_str().into(), values.join(",").into())
    });
    Value::from(fields.collect::<BTreeMap<Value, Value>>())
}

/// The segments of a path, each decoded by itself.
fn parsed_path(path: &str) -> Value {
    let segments = path.trim_start_matches('/').split('/');
    let decoded = segments.map(|text| Value::from(&*percent_decode_str(text).decode_utf8_lossy()));
    Value::from(decoded.collect::<Vec<_>>())
}

/// The values of each parameter. What is no text is left out.
fn parsed_query(query: &str) -> Value {
    let mut parameters: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (form::decoded(name), form::decoded(value)) {
            let values = parameters.entry(Value::from(&*name)).or_default();
            values.push(Value::from(&*value));
        }
    }
    let parameters = parameters.into_iter();
    let parameters = parameters.map(|(name, values)| (name, Value::from(values)));
    Value::from(parameters.collect::<BTreeMap<_, _>>())
}

fn params(exchange: &Exchange) -> Value {
    let names = exchange.names.params(exchange.params.names).iter();
    let values = names.filter_map(|name| Some(((&**name).into(), exchange.param(name)?.into())));
    Value::from(values.collect::<BTreeMap<Value, Value>>())
}

fn claims(exchange: &Exchange) -> Option<Value> {
    let claims = &exchange.identity.as_ref()?.claims;
    Some(json_object(claims))
}

fn scopes(exchange: &Exchange) -> Option<Value> {
    let scopes = exchange.identity.as_ref()?.scopes.iter();
    let scopes: Vec<Value> = scopes.map(|scope| (&**scope).into()).collect();
    Some(scopes.into())
}

fn consumer(exchange: &Exchange) -> Option<Value> {
    let consumer = exchange.consumer()?;
    let groups: Vec<Value> = consumer
        .groups
        .iter()
        .map(|group| (&**group).into())
        .collect();
    Some(object([
        ("name", Some((&*consumer.name).into())),
        ("plan", consumer.plan.as_deref().map(Value::from)),
        ("groups", Some(groups.into())),
    ]))
}

fn auth(exchange: &Exchange) -> Option<Value> {
    let identity = exchange.identity.as_ref()?;
    Some(object([
        ("method", Some(identity.method.into())),
        (
            "credential",
            identity.credential.as_deref().map(Value::from),
        ),
    ]))
}

/// An object without the members that are not there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter();
    let members = members.filter_map(|(name, value)| Some((name.into(), value?)));
    Value::from(members.collect::<BTreeMap<Value, Value>>())
}

fn json_object(members: &serde_json::Map<String, serde_json::Value>) -> Value {
    let members = members.iter();
    let members = members.map(|(name, value)| (name.as_str().into(), json(value)));
    Value::from(members.collect::<BTreeMap<Value, Value>>())
}

fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.as_f64().map_or(Value::Null, Value::from),
        },
        serde_json::Value::String(text) => text.as_str().into(),
        serde_json::Value::Array(values) => {
            Value::from(values.iter().map(json).collect::<Vec<_>>())
        }
        serde_json::Value::Object(members) => json_object(members),
    }
}
