#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod tutorials;

use std::rc::Rc;

use http::Request;
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow, Identity};
use serde_json::{Value, json};

use super::{Cedar, Config};
use crate::{Context, Policy as _, testing};

/// Photos, as in the tutorial of the language.
const SCHEMA: &str = r#"
    entity Team;
    entity User in [Team] { department?: String, level?: Long };
    entity Album { public: Bool };
    entity Photo in [Album];
    action GET, DELETE appliesTo { principal: User, resource: [Photo, Album], context: {
        source?: ipaddr, tenant?: String, score?: decimal, groups?: Set<String>
    } };
"#;

const ENTITIES: &str = r#"[
    { "uid": { "type": "User", "id": "ada" }, "attrs": {}, "parents": [{ "type": "Team", "id": "staff" }] },
    { "uid": { "type": "Photo", "id": "/sea" }, "attrs": {}, "parents": [{ "type": "Album", "id": "summer" }] },
    { "uid": { "type": "Album", "id": "summer" }, "attrs": { "public": false }, "parents": [] }
]"#;

fn config(policies: &str, more: Value) -> Config {
    let mut all = json!({
        "policies": { "own.cedar": policies },
        "principal": { "type": "User", "id": "claims.sub" },
        "resource": { "type": "Photo", "id": "request.path" },
    });
    let more = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(more);
    serde_json::from_value(all).unwrap()
}

fn built(policies: &str, more: Value) -> Cedar {
    Cedar::build(&config(policies, more), &Context::default()).unwrap()
}

fn of(claims: Value, request: http::request::Builder) -> Exchange {
    let Value::Object(claims) = claims else {
        panic!("an object")
    };
    Exchange {
        identity: Some(Rc::new(Identity {
            claims,
            ..Identity::default()
        })),
        ..testing::of(request)
    }
}

/// Whether a request passes, and if not, why.
fn asked(cedar: &Cedar, exchange: &mut Exchange) -> Result<(), String> {
    match cedar.on_request(exchange, &mut Body::empty()) {
        Flow::Next => Ok(()),
        Flow::Refuse(rejection) => {
            assert_eq!((rejection.status.as_u16(), rejection.code), (403, "denied"));
            let told = format!("{rejection:?}");
            let cause = exchange.cause.take().unwrap().into_string();
            assert!(!told.contains(&cause), "{told}");
            Err(cause)
        }
        _ => panic!("neither passed nor refused"),
    }
}

fn ada(path: &str) -> Exchange {
    of(json!({ "sub": "ada" }), Request::get(path))
}

#[test]
fn what_no_policy_permits_is_refused_and_what_one_forbids() {
    let policies = r#"
        @id("staff-sees")
        permit (principal in Team::"staff", action == Action::"GET", resource in Album::"summer");
        @id("not-the-sea")
        forbid (principal, action, resource == Photo::"/sea")
        when { context has tenant && context.tenant == "acme" };
        permit (principal == User::"root", action, resource);
    "#;
    for more in [json!({}), json!({ "schema": SCHEMA })] {
        let mut all = json!({ "entities": ENTITIES, "context": { "tenant": "claims.tenant" } });
        let more = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(more);
        let cedar = built(policies, all);
        let none = Err("no policy permits it".to_owned());
        assert_eq!(asked(&cedar, &mut ada("/sea")), Ok(()));
        assert_eq!(asked(&cedar, &mut ada("/hills")), none);
        let claims = json!({ "sub": "bob" });
        assert_eq!(asked(&cedar, &mut of(claims, Request::get("/sea"))), none);
        let delete = Request::delete("/sea");
        assert_eq!(
            asked(&cedar, &mut of(json!({ "sub": "ada" }), delete)),
            none
        );
        let claims = json!({ "sub": "root" });
        let delete = Request::delete("/sea");
        assert_eq!(asked(&cedar, &mut of(claims, delete)), Ok(()));
        for sub in ["ada", "root"] {
            let claims = json!({ "sub": sub, "tenant": "acme" });
            let forbidden = Err("forbidden by own.cedar/not-the-sea".to_owned());
            assert_eq!(
                asked(&cedar, &mut of(claims, Request::get("/sea"))),
                forbidden
            );
        }
    }
}

#[test]
fn nobody_is_no_principal() {
    let cedar = built("permit (principal, action, resource);", json!({}));
    let told = asked(&cedar, &mut testing::get()).unwrap_err();
    assert_eq!(told, "there is no principal: claims.sub has no value");
    // A name is a name, whatever stands in it.
    let cedar = built(
        r#"permit (principal == User::"ada", action, resource);"#,
        json!({}),
    );
    for sub in [r#"ada" || "#, r#"User::"ada"#, "ada\0", "Ada"] {
        let told = asked(&cedar, &mut of(json!({ "sub": sub }), Request::get("/")));
        assert_eq!(told.unwrap_err(), "no policy permits it", "{sub}");
    }
}

#[test]
fn groups_and_attributes_of_a_token() {
    let policies = r#"
        permit (principal in Team::"staff", action, resource)
        when { principal has level && principal.level > 2 };
    "#;
    let principal = json!({
        "type": "User", "id": "claims.sub",
        "parents": { "Team": "claims.groups" },
        "attributes": { "level": "claims.level" },
    });
    for more in [
        json!({ "principal": principal }),
        json!({ "principal": principal, "schema": SCHEMA }),
        json!({ "principal": principal, "schema": SCHEMA, "entities": ENTITIES }),
    ] {
        let cedar = built(policies, more);
        for (claims, permitted) in [
            (
                json!({ "sub": "eve", "groups": ["ops", "staff"], "level": 3 }),
                true,
            ),
            (json!({ "sub": "eve", "groups": "staff", "level": 3 }), true),
            (
                json!({ "sub": "eve", "groups": ["staff"], "level": 2 }),
                false,
            ),
            (json!({ "sub": "eve", "groups": ["staff"] }), false),
            (
                json!({ "sub": "eve", "groups": ["ops"], "level": 3 }),
                false,
            ),
            (
                json!({ "sub": "eve", "groups": [["staff"], null, 7], "level": 3 }),
                false,
            ),
            // What `entities` says of ada does not count: her token names no group.
            (json!({ "sub": "ada", "level": 3 }), false),
            (
                json!({ "sub": "eve", "groups": ["staff"], "level": "3" }),
                false,
            ),
        ] {
            let told = asked(&cedar, &mut of(claims.clone(), Request::get("/sea")));
            assert_eq!(told.is_ok(), permitted, "{claims}: {told:?}");
        }
    }
}

#[test]
fn what_is_in_the_entities_is_there_beside_what_the_request_says() {
    let policies = r#"permit (principal in Team::"staff", action, resource in Album::"summer");"#;
    let principal =
        json!({ "type": "User", "id": "claims.sub", "parents": { "Team": "claims.groups" } });
    let cedar = built(
        policies,
        json!({ "principal": principal, "entities": ENTITIES }),
    );
    let eve = || json!({ "sub": "eve", "groups": ["staff"] });
    assert_eq!(asked(&cedar, &mut of(eve(), Request::get("/sea"))), Ok(()));
    assert!(asked(&cedar, &mut of(eve(), Request::get("/hills"))).is_err());
    // The next request has nothing of the one before.
    let claims = json!({ "sub": "eve" });
    assert!(asked(&cedar, &mut of(claims, Request::get("/sea"))).is_err());
}

#[test]
fn what_context_says_has_types() {
    let policies = r#"
        permit (principal, action, resource) when {
            context.source.isInRange(ip("192.0.2.0/24")) &&
            context.score.lessThan(decimal("0.6")) &&
            context.groups.contains("staff")
        };
    "#;
    let context = json!({
        "source": "client.ip", "score": "claims.score", "groups": "claims.groups",
        "tenant": "claims.tenant",
    });
    let cedar = built(policies, json!({ "context": context }));
    for (claims, permitted) in [
        (
            json!({ "sub": "ada", "score": 0.5, "groups": ["staff"], "tenant": null }),
            true,
        ),
        (
            json!({ "sub": "ada", "score": 0.75, "groups": ["staff"] }),
            false,
        ),
        (json!({ "sub": "ada", "score": 0.5, "groups": [] }), false),
        // No such number in Cedar, and none of these kinds.
        (
            json!({ "sub": "ada", "score": 0.123_456_789, "groups": ["staff"] }),
            false,
        ),
        (
            json!({ "sub": "ada", "score": 1e300, "groups": ["staff"] }),
            false,
        ),
        (
            json!({ "sub": "ada", "score": u64::MAX, "groups": ["staff"] }),
            false,
        ),
        (
            json!({ "sub": "ada", "score": "0.5", "groups": ["staff"] }),
            false,
        ),
    ] {
        let told = asked(&cedar, &mut of(claims.clone(), Request::get("/")));
        assert_eq!(told.is_ok(), permitted, "{claims}: {told:?}");
    }
}

#[test]
fn a_claim_is_never_taken_for_an_entity_or_a_call() {
    let policies = r#"permit (principal, action, resource)
        when { context.tenant == Team::"staff" || context.tenant == ip("192.0.2.1") };"#;
    let cedar = built(
        policies,
        json!({ "context": { "tenant": "claims.tenant" } }),
    );
    for tenant in [
        json!({ "__entity": { "type": "Team", "id": "staff" } }),
        json!({ "type": "Team", "id": "staff" }),
        json!({ "__extn": { "fn": "ip", "arg": "192.0.2.1" } }),
        json!({ "__expr": "Team::\"staff\"" }),
        json!("Team::\"staff\""),
    ] {
        let claims = json!({ "sub": "ada", "tenant": tenant });
        let told = asked(&cedar, &mut of(claims.clone(), Request::get("/")));
        assert!(told.is_err(), "{claims}");
    }
}

#[test]
fn a_request_that_does_not_fit_the_schema_is_refused() {
    let context = json!({ "tenant": "claims.tenant" });
    let all = json!({ "schema": SCHEMA, "context": context });
    let cedar = built("permit (principal, action, resource);", all);
    assert_eq!(asked(&cedar, &mut ada("/sea")), Ok(()));
    for (claims, request) in [
        (json!({ "sub": "ada" }), Request::put("/sea")),
        (json!({ "sub": "ada", "tenant": 7 }), Request::get("/sea")),
    ] {
        let told = asked(&cedar, &mut of(claims, request)).unwrap_err();
        assert!(told.contains("does not fit"), "{told}");
    }
}

#[test]
fn a_policy_that_can_not_be_evaluated_does_not_count() {
    let policies = r"
        permit (principal, action, resource);
        forbid (principal, action, resource) when { context.absent };
        permit (principal, action, resource) when { principal.level > 1 };
    ";
    assert_eq!(asked(&built(policies, json!({})), &mut ada("/")), Ok(()));
}

#[test]
fn a_dry_run_refuses_nothing() {
    let cedar = built(
        "forbid (principal, action, resource);",
        json!({ "dry_run": true }),
    );
    let mut exchange = ada("/");
    assert_eq!(asked(&cedar, &mut exchange), Ok(()));
    assert_eq!(exchange.cause, None);
    assert_eq!(
        cedar.describe(),
        [
            "asks whether claims.sub may request.method request.path",
            "dry run: refuses nothing, counts what it would"
        ]
    );
}

#[test]
fn a_schema_in_json_does_as_well() {
    let schema = json!({ "": {
        "entityTypes": { "User": {}, "Photo": {} },
        "actions": { "GET": { "appliesTo": { "principalTypes": ["User"], "resourceTypes": ["Photo"] } } }
    }});
    let all = json!({ "schema": schema.to_string() });
    let cedar = built("permit (principal, action, resource);", all);
    assert_eq!(asked(&cedar, &mut ada("/sea")), Ok(()));
}

#[test]
fn mistakes_say_where_and_what() {
    let fine = "permit (principal, action, resource);";
    let entity = |of: Value| json!({ "principal": of });
    for (policies, more, path, words) in [
        (
            "",
            json!({ "policies": {} }),
            "policies",
            "there is no policy",
        ),
        (
            "hello",
            json!({}),
            "policies.own.cedar",
            "nothing is permitted",
        ),
        (
            "permit (principal, action);",
            json!({}),
            "policies.own.cedar",
            "own.cedar:1:",
        ),
        (
            "permit (principal, action, resource)\nwhen { principal.name = 1 };",
            json!({}),
            "policies.own.cedar",
            "own.cedar:2:8: ",
        ),
        (
            "permit (principal == ?principal, action, resource);",
            json!({}),
            "policies.own.cedar",
            "a template is no policy",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
            json!({}),
            "policies.own.cedar",
            "two policies are called `a`",
        ),
        (
            "permit (principal, action, resource)\nwhen { principal.age > 18 };",
            json!({ "schema": SCHEMA }),
            "policies.own.cedar",
            "own.cedar:2:8: ",
        ),
        (
            "permit (principal, action == Action::\"PUT\", resource);",
            json!({ "schema": SCHEMA }),
            "policies.own.cedar",
            "own.cedar:1:",
        ),
        (
            fine,
            json!({ "schema": "entity User in [Nothing];" }),
            "schema",
            "schema",
        ),
        (
            fine,
            json!({ "schema": "entity User" }),
            "schema",
            "schema:1:",
        ),
        (
            fine,
            json!({ "schema": "s3cr3t" }),
            "schema",
            "declares no entity",
        ),
        (
            fine,
            json!({ "entities": "{}" }),
            "entities",
            "no list of entities",
        ),
        (
            fine,
            json!({ "entities": "[{}]" }),
            "entities",
            "entities: ",
        ),
        (
            fine,
            json!({ "schema": SCHEMA, "entities":
                r#"[{ "uid": { "type": "Album", "id": "a" }, "attrs": { "public": 1 }, "parents": [] }]"# }),
            "entities",
            "public",
        ),
        (
            fine,
            entity(json!({ "type": "a b", "id": "claims.sub" })),
            "principal.type",
            "not the name of a type",
        ),
        (
            fine,
            entity(json!({ "type": "User", "id": "claims.sub ==" })),
            "principal.id",
            "CEL",
        ),
        (
            fine,
            entity(
                json!({ "type": "User", "id": "claims.sub", "parents": { "a b": "claims.groups" } }),
            ),
            "principal.parents.a b",
            "not the name of a type",
        ),
        (
            fine,
            entity(json!({ "type": "User", "id": "claims.sub", "attributes": { "a": "nope" } })),
            "principal.attributes.a",
            "no attribute",
        ),
        (
            fine,
            json!({ "schema": SCHEMA, "resource": { "type": "Film", "id": "request.path" } }),
            "resource.type",
            "no action with a resource of type `Film`",
        ),
        (
            fine,
            json!({ "context": { "a": "response.status" } }),
            "context.a",
            "not known yet",
        ),
    ] {
        let shown = more.to_string();
        let faults = config(policies, more)
            .build(&Context::default())
            .err()
            .unwrap_or_default();
        let found = faults.iter().any(|fault| {
            fault.path.join(".") == path && fault.message.contains(words) && fault.hint.is_some()
        });
        assert!(found, "{policies} {shown}: {faults:?}");
    }
}

#[test]
fn entities_that_are_copied_for_each_request_are_not_too_many() {
    let many: Vec<Value> = (0..101)
        .map(|at| json!({ "uid": { "type": "User", "id": at.to_string() }, "attrs": {}, "parents": [] }))
        .collect();
    let many = json!(many).to_string();
    let policies = r#"permit (principal == User::"7", action, resource);"#;
    built(policies, json!({ "entities": many }));
    let made = json!({
        "entities": many,
        "principal": { "type": "User", "id": "claims.sub", "parents": { "Team": "claims.groups" } },
    });
    let faults = config(policies, made)
        .build(&Context::default())
        .err()
        .unwrap();
    assert!(faults[0].message.contains("101 entities"), "{faults:?}");
}
