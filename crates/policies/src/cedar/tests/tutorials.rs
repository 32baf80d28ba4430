//! Who may do what as the tutorials of the language tell it; the policies are written anew.

use super::*;

/// The first example of the crate's own page: one principal, one action, one file.
#[test]
fn the_first_example() {
    let policy =
        r#"permit (principal == User::"alice", action == Action::"view", resource == File::"93");"#;
    let cedar = built(
        policy,
        json!({
            "action": { "id": "request.headers[\"x-action\"]" },
            "resource": { "type": "File", "id": "claims.file" },
        }),
    );
    let ask = |who: &str, action: &str, file: &str| {
        let request = Request::get("/").header("x-action", action);
        let mut exchange = of(json!({ "sub": who, "file": file }), request);
        asked(&cedar, &mut exchange).is_ok()
    };
    assert!(ask("alice", "view", "93"));
    assert!(!ask("bob", "view", "93"));
    assert!(!ask("alice", "edit", "93"));
    assert!(!ask("alice", "view", "94"));
}

/// TinyTodo: everybody makes lists; an owner does everything with a list, its editors change it, its
/// readers see it; admins do everything, and interns make no lists.
const LISTS: &str = r#"
    @id("make")
    permit (principal is User, action in [Action::"CreateList", Action::"GetLists"], resource is Application);
    @id("own")
    permit (principal, action, resource is List) when { resource.owner == principal };
    @id("see")
    permit (principal, action == Action::"GetList", resource is List)
    when { principal in resource.readers || principal in resource.editors };
    @id("change")
    permit (principal, action in [Action::"UpdateList", Action::"CreateTask", Action::"DeleteTask"], resource is List)
    when { principal in resource.editors };
    @id("admins")
    permit (principal in Team::"admin", action, resource);
    @id("interns")
    forbid (principal in Team::"interns", action == Action::"CreateList", resource);
"#;

const SCHEMA: &str = r#"
    entity Application;
    entity Team in [Team];
    entity User in [Team];
    entity List { owner: User, readers: Team, editors: Team };
    action CreateList, GetLists appliesTo { principal: User, resource: Application };
    action GetList, UpdateList, DeleteList, CreateTask, DeleteTask appliesTo { principal: User, resource: List };
"#;

const ENTITIES: &str = r#"[
    { "uid": { "type": "List", "id": "0" }, "parents": [], "attrs": {
        "owner": { "__entity": { "type": "User", "id": "andrew" } },
        "readers": { "__entity": { "type": "Team", "id": "readers-of-0" } },
        "editors": { "__entity": { "type": "Team", "id": "editors-of-0" } } } },
    { "uid": { "type": "Team", "id": "temp" }, "parents": [{ "type": "Team", "id": "readers-of-0" }], "attrs": {} }
]"#;

#[test]
fn lists_of_tasks() {
    let with = |resource: Value| {
        built(
            LISTS,
            json!({
                "schema": SCHEMA,
                "entities": ENTITIES,
                // Teams as a token names them.
                "principal": { "type": "User", "id": "claims.sub", "parents": { "Team": "claims.teams" } },
                "action": { "id": "request.headers[\"x-action\"]" },
                "resource": resource,
            }),
        )
    };
    let application = with(json!({ "type": "Application", "id": "'TinyTodo'" }));
    let lists = with(json!({ "type": "List", "id": "claims.list" }));
    let ask = |who: &str, teams: &[&str], action: &str| {
        let cedar = match action {
            "CreateList" | "GetLists" => &application,
            _ => &lists,
        };
        let claims = json!({ "sub": who, "teams": teams, "list": "0" });
        let request = Request::get("/").header("x-action", action);
        asked(cedar, &mut of(claims, request))
    };
    let nobody = Err("no policy permits it".to_owned());
    for (who, teams, permitted) in [
        (
            "andrew",
            &[][..],
            "CreateList GetLists GetList UpdateList DeleteList CreateTask DeleteTask",
        ),
        ("aaron", &[], "CreateList GetLists"),
        ("kesha", &["readers-of-0"], "CreateList GetLists GetList"),
        // By another team, which reads.
        ("kesha", &["temp"], "CreateList GetLists GetList"),
        (
            "emina",
            &["editors-of-0"],
            "CreateList GetLists GetList UpdateList CreateTask DeleteTask",
        ),
        (
            "emina",
            &["admin"],
            "CreateList GetLists GetList UpdateList DeleteList CreateTask DeleteTask",
        ),
        ("aaron", &["interns"], "GetLists"),
        (
            "aaron",
            &["interns", "admin"],
            "GetLists GetList UpdateList DeleteList CreateTask DeleteTask",
        ),
    ] {
        for action in
            "CreateList GetLists GetList UpdateList DeleteList CreateTask DeleteTask".split(' ')
        {
            let answer = ask(who, teams, action);
            let expected = permitted.split(' ').any(|one| one == action);
            assert_eq!(
                answer.is_ok(),
                expected,
                "{who} {teams:?} {action}: {answer:?}"
            );
            match answer {
                Err(_) if teams.contains(&"interns") && action == "CreateList" => {
                    assert_eq!(answer, Err("forbidden by own.cedar/interns".to_owned()));
                }
                Err(_) => assert_eq!(answer, nobody),
                Ok(()) => {}
            }
        }
    }
}
