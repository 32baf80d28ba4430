//! The same policies in Rego, asked the same, here and in Open Policy Agent's own engine.
//!
//! Who may do what, and what follows, is as OPA's documentation tells it, page by page; the policies
//! are written anew. A route beside the one that decides shows what policies see of a request and what
//! becomes of every rule: that input goes to the other engine, and all of it has to be equal.

use std::{fs, path::Path};

use lintel_testkit::Origin;
use serde_json::{Map, Value, json};

use crate::support::{Gateway, Peer, with_routes};

/// Policies, and requests with the status that follows from them.
struct Example {
    name: &'static str,
    policy: &'static str,
    data: &'static str,
    /// Method, target, header fields, status.
    requests: &'static [(&'static str, &'static str, &'static str, u16)],
}

const EXAMPLES: [Example; 5] = [SALARIES, PEOPLE, INGRESSES, SERVERS, LANGUAGE];

/// "HTTP API authorization": people see their own salaries and those of their direct reports.
const SALARIES: Example = Example {
    name: "salaries",
    policy: r#"package salaries

reports := {"bob": ["alice"], "betty": ["charlie"], "alice": [], "charlie": []}

caller := input.attributes.request.http.headers["x-user"]

whose := name if {
    input.attributes.request.http.method == "GET"
    input.parsed_path = ["finance", "salary", name]
}

default allow := false

allow if whose == caller

allow if whose in reports[caller]
"#,
    data: "{}",
    requests: &[
        ("GET", "/finance/salary/alice", "X-User: alice", 200),
        ("GET", "/finance/salary/alice", "X-User: bob", 200),
        ("GET", "/finance/salary/charlie", "X-User: bob", 403),
        ("GET", "/finance/salary/charlie", "X-User: betty", 200),
        ("GET", "/finance/salary/betty", "X-User: charlie", 403),
        ("POST", "/finance/salary/alice", "X-User: alice", 403),
        ("GET", "/finance/salary/alice/more", "X-User: alice", 403),
        ("GET", "/finance/salary/%61lice", "X-User: alice", 200),
        ("GET", "/finance/salary/alice", "X-Nobody: 1", 403),
    ],
};

/// "OPA-Envoy plugin": guests read people, admins also make them; decisions with more than a yes.
const PEOPLE: Example = Example {
    name: "people",
    policy: r#"package people

http := input.attributes.request.http

roles := {"alice": "guest", "bob": "admin"}

role := roles[http.headers["x-user"]]

permitted contains "GET /people/*" if role in {"guest", "admin"}

permitted contains "POST /people" if role == "admin"

default allow := {"allow": false, "status": 403, "headers": {"X-Reason": "no role permits it"}}

allow := {"allow": true, "headers": {"X-Role": role}} if {
    some rule in permitted
    [http.method, pattern] = split(rule, " ")
    glob.match(pattern, ["/"], http.path)
}
"#,
    data: "{}",
    requests: &[
        ("GET", "/people/7", "X-User: alice", 200),
        ("POST", "/people", "X-User: alice", 403),
        ("GET", "/people/7", "X-User: bob", 200),
        ("POST", "/people", "X-User: bob", 200),
        ("DELETE", "/people/7", "X-User: bob", 403),
        ("GET", "/people/7/orders", "X-User: alice", 403),
        ("GET", "/people/7", "X-User: eve", 403),
    ],
};

/// "Kubernetes admission control": the hosts of an ingress are among those of its namespace, and are
/// no other's.
const INGRESSES: Example = Example {
    name: "ingresses",
    policy: r#"package ingresses

review := data.known.reviews[input.parsed_path[0]]

globs := split(data.known.namespaces[review.namespace], ",")

deny contains message if {
    some host in review.hosts
    not fits(host)
    message := sprintf("invalid ingress host %q", [host])
}

deny contains message if {
    some namespace, names in data.known.ingresses
    some name, hosts in names
    {namespace, name} != {review.namespace, review.name}
    some host in hosts
    host in review.hosts
    message := sprintf("ingress host conflicts with %s/%s", [namespace, name])
}

fits(host) if {
    some pattern in globs
    regex.match(concat("", ["^", replace(replace(pattern, ".", "\\."), "*", ".*"), "$"]), host)
}

allow if {
    review
    count(deny) == 0
}
"#,
    data: r#"{ "known": {
  "namespaces": { "production": "*.acmecorp.com", "qa": "*.qa.acmecorp.com,*.internal.acmecorp.com", "staging": "*.acmecorp.com" },
  "ingresses": { "production": { "ingress-ok": ["signin.acmecorp.com"] } },
  "reviews": {
    "ok": { "namespace": "production", "name": "ingress-ok", "hosts": ["signin.acmecorp.com"] },
    "bad": { "namespace": "qa", "name": "ingress-bad", "hosts": ["acmecorp.com"] },
    "conflict": { "namespace": "staging", "name": "ingress-ok", "hosts": ["signin.acmecorp.com"] },
    "inner": { "namespace": "qa", "name": "inner", "hosts": ["a.qa.acmecorp.com", "b.internal.acmecorp.com"] }
  }
} }"#,
    requests: &[
        ("GET", "/ok", "X-A: 1", 200),
        ("GET", "/bad", "X-A: 1", 403),
        ("GET", "/conflict", "X-A: 1", 403),
        ("GET", "/inner", "X-A: 1", 200),
        ("GET", "/unknown", "X-A: 1", 403),
    ],
};

/// "Policy language", its first example: no server in the open speaks plain HTTP, and none speaks
/// telnet; `ci` and `busybox` do.
const SERVERS: Example = Example {
    name: "servers",
    policy: r#"package servers

open contains network.id if {
    some network in data.known.networks
    network.public
}

exposed contains server.id if {
    some server in data.known.servers
    some port in data.known.ports
    port.id in server.ports
    port.network in open
}

violation contains server.id if {
    some server in data.known.servers
    server.id in exposed
    "http" in server.protocols
}

violation contains server.id if {
    some server in data.known.servers
    "telnet" in server.protocols
}

allow if {
    every name in input.parsed_query.server { not name in violation }
}

as_documented if violation == {"ci", "busybox"}
"#,
    data: r#"{ "known": {
  "servers": [
    { "id": "app", "protocols": ["https", "ssh"], "ports": ["p1", "p2", "p3"] },
    { "id": "db", "protocols": ["mysql"], "ports": ["p3"] },
    { "id": "cache", "protocols": ["memcache"], "ports": ["p3"] },
    { "id": "ci", "protocols": ["http"], "ports": ["p1", "p2"] },
    { "id": "busybox", "protocols": ["telnet"], "ports": ["p1"] }
  ],
  "networks": [
    { "id": "net1", "public": false }, { "id": "net2", "public": false },
    { "id": "net3", "public": true }, { "id": "net4", "public": true }
  ],
  "ports": [{ "id": "p1", "network": "net1" }, { "id": "p2", "network": "net3" }, { "id": "p3", "network": "net2" }]
} }"#,
    requests: &[
        ("GET", "/?server=app", "X-A: 1", 200),
        ("GET", "/?server=db&server=cache", "X-A: 1", 200),
        ("GET", "/?server=ci", "X-A: 1", 403),
        ("GET", "/?server=app&server=busybox", "X-A: 1", 403),
    ],
};

/// A rule for each thing that policies of gateways do with a request.
const LANGUAGE: Example = Example {
    name: "language",
    policy: r#"package language

http := input.attributes.request.http

n := to_number(http.headers["x-number"])

rules.half := n / 2

rules.rest := n % 7

rules.power := n * n

rules.rounded := [round(n / 3), floor(n / 3), ceil(n / 3), abs(0 - n)]

rules.less := [n < 10, n <= 10, n == 10.0, n != 10]

rules.kinds := [type_name(x) | some x in [null, true, n, "a", [], {}, set()]]

rules.words := sort(split(lower(http.headers["x-words"]), " "))

rules.joined := concat("-", {w | some w in rules.words})

rules.counted := {w: c | some w in rules.words; c := count([1 | some v in rules.words; v == w])}

rules.cut := [substring(http.path, 1, 3), trim_prefix(http.path, "/"), indexof(http.path, "b"), upper(http.path)]

rules.text := sprintf("%s %d %v %x", [http.method, abs(n), rules.words, abs(n)])

rules.matches := [regex.match(`^/[a-z]+$`, http.path), glob.match("/*", ["/"], http.path), startswith(http.path, "/a")]

rules.groups := regex.find_all_string_submatch_n(`([a-z])([0-9])`, "a1b2c3", 2)

rules.ranges := numbers.range(n, n - 3)

rules.near := net.cidr_contains("127.0.0.0/8", input.attributes.source.address.socketAddress.address)

rules.sets := {"a", "b", "c"} & {"b", "c", "d"} | {"z"} - {"y"}

rules.nested := object.union({"a": {"b": 1}}, {"a": {"c": n}})

rules.reached := object.get({"a": {"b": n}}, ["a", "b"], "none")

rules.filtered := json.filter({"a": {"b": 1, "c": 2}, "d": 3}, ["a/b", "d"])

rules.encoded := [base64.encode("ü"), base64url.decode("w7w"), urlquery.encode("a b&c"), hex.encode("ü")]

rules.json := json.unmarshal(`{"a": [1, 2.5, "ü", null]}`)

rules.moment := time.parse_rfc3339_ns("2026-02-28T23:30:00Z")

rules.day := time.date(time.add_date(rules.moment, 0, 0, 1))

rules.all if every w in rules.words { count(w) > 0 }

rules.none if not "absent" in rules.words

rules.leaves := {p | walk({"a": [1, {"b": 2}]}, [p, v]); is_number(v)}

rules.later := semver.compare("1.10.0", "1.9.3")

rules.units := units.parse_bytes("10MiB")

rules.masked := bits.and(n, 12)

rules.replaced := found if {
    found := reach with input as {"deep": {"x": "swapped"}}
}

reach := input.deep.x

sum(list) := total if total := count(list) + n

rules.function := sum(rules.words)

rules.fallback := "small" if {
    n < 5
} else := "middle" if {
    n < 50
} else := "large"

rules.last := rules.words[count(rules.words) - 1]

allow if rules.fallback != "large"
"#,
    data: "{}",
    requests: &[
        (
            "GET",
            "/abc?b=2&a=1&b=",
            "X-Number: 10\r\nX-Words: The the cat",
            200,
        ),
        ("PUT", "/a/b", "X-Number: 3\r\nX-Words: one", 200),
        ("GET", "/", "X-Number: 77\r\nX-Words: b a", 403),
        ("GET", "/x", "X-Number: -9\r\nX-Words: \u{df}a \u{e9}", 200),
        ("GET", "/x", "X-Number: none\r\nX-Words: a", 500),
    ],
};

/// The routes of an example: one that decides, and one that shows the input and every rule.
fn routes(example: &Example, folder: &Path) -> String {
    let Example {
        name, policy, data, ..
    } = example;
    let file = |kind: &str, text: &str| {
        let path = folder.join(format!("{name}.{kind}"));
        fs::write(&path, text).unwrap();
        format!("\"${{file.{}}}\"", path.display())
    };
    let shown = format!(
        "package lintel\n\nallow := {{\"allow\": false, \"body\": json.marshal({{\"input\": input, \"rules\": data.{name}}})}}\n"
    );
    let (own, data, show) = (
        file("rego", policy),
        file("json", data),
        file("show.rego", &shown),
    );
    format!(
        "  {name}-shown:\n    match: {{ path: \"/*\", headers: {{ X-Case: {name}, X-Shown: {{ present: true }} }} }}\n\
         \x20   policies: {{ rego: {{ policies: {{ own.rego: {own}, show.rego: {show} }}, data: [{data}] }} }}\n    to: origin\n\
         \x20 {name}:\n    match: {{ path: \"/*\", headers: {{ X-Case: {name} }} }}\n\
         \x20   policies: {{ rego: {{ policies: {{ own.rego: {own} }}, data: [{data}], query: data.{name}.allow, upstream_headers: [X-Role] }} }}\n    to: origin\n"
    )
}

/// What the other engine says of a document: none where it has no value.
fn asked(opa: &mut Peer, example: &Example, document: &str, input: &Value) -> Option<Value> {
    let data: Value = serde_json::from_str(example.data).unwrap();
    let question = json!({
        "policies": { "own.rego": example.policy }, "data": data, "ask": document, "input": input,
    });
    let said = opa.order(&question.to_string());
    match said.strip_prefix("value ") {
        Some(value) => Some(serde_json::from_str(value).unwrap()),
        None => {
            assert_eq!(said, "undefined", "{document}");
            None
        }
    }
}

fn allows(decision: Option<&Value>) -> bool {
    decision.is_some_and(|value| value == true || value["allow"] == true)
}

/// Numbers as such: `2` and `2.0` are one number to JSON, and two texts.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(all) => all.into_iter().map(plain).collect(),
        Value::Object(all) => {
            let all = all.into_iter().map(|(name, value)| (name, plain(value)));
            Value::Object(all.collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[test]
fn policies_decide_as_in_open_policy_agent() {
    let (folder, origin) = (tempfile::tempdir().unwrap(), Origin::saying("ok"));
    let all: String = EXAMPLES
        .iter()
        .map(|example| routes(example, folder.path()))
        .collect();
    let gateway = Gateway::start(&with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{}\"] }} }}\nroutes:\n{all}",
        origin.url()
    )));
    let mut opa = Peer::start("opa.py", &[]);
    for example in &EXAMPLES {
        for (method, target, fields, status) in example.requests {
            let name = example.name;
            let send = |more: &str| {
                let head = format!(
                    "{method} {target} HTTP/1.1\r\nHost: test\r\nX-Case: {name}\r\n{more}{fields}\r\n\r\n"
                );
                gateway.client().send(head).reply()
            };
            let case = format!("{name}: {method} {target} {fields}");
            let reply = send("");
            assert_eq!(reply.status, *status, "{case}: {}", reply.text());
            if *status == 500 {
                // Told in `rego/README.md`: a function that fails has no value there, and ends it here.
                continue;
            }
            let shown = send("X-Shown: 1\r\n");
            let mut shown: Value = serde_json::from_slice(&shown.body).expect(&case);
            let input = shown["input"].take();
            assert_eq!(input["attributes"]["request"]["http"]["method"], *method);
            let decision = asked(&mut opa, example, &format!("{name}.allow"), &input);
            assert_eq!(
                allows(decision.as_ref()),
                *status == 200,
                "{case}: {decision:?}"
            );
            let rules = asked(&mut opa, example, name, &input).expect("a package");
            assert_eq!(plain(shown["rules"].take()), plain(rules), "{case}");
        }
    }
}
