//! Filters that would run for ever, or fill the memory, are stopped.

use super::fake::{Fake, fixed, plan};
use crate::Body;

/// What a filter makes of a leg `.a`.
fn made(filter: &str, leg: &'static str) -> Result<String, String> {
    let plan = plan(vec![fixed("a", leg)], Some(filter));
    let results = Fake::default().finish(&plan, "/");
    Ok(String::from_utf8(results.body()?).unwrap())
}

#[test]
fn a_filter_comes_to_an_end() {
    let mut wrong = Vec::new();
    let (long, deep, large) = ("takes too long", "goes too deep", "more than 64 MiB");
    for (filter, fault) in [
        ("def f: f; f", long),
        ("def f: 1 + f; f", deep),
        ("def f: [f]; f", deep),
        ("def f: .a | f; f", long),
        ("def f($x): f([$x]); f(1)", long),
        // What is not its text, but what it leaves to be cleared away, goes deep.
        ("def f(g): f(g | .); f(.)", long),
        ("path(def f: .x | f; f)", long),
        (".a.x | [path(repeat(.[0:]))]", long),
        ("reduce range(1e12) as $i (0; [.])", long),
        ("range(1e12)", "several values"),
        ("[range(1e12)]", long),
        ("last(range(1e12))", long),
        ("[limit(1e9; repeat(1))]", long),
        ("[repeat(.)] | length", long),
        ("[recurse(. + 1; true)]", "cannot"),
        ("0 | [recurse(. + 1)]", long),
        ("0 | until(. < 0; . + 1)", long),
        ("0 | [while(true; . + 1)]", long),
        ("isempty(empty, (repeat(1) | select(. > 1)))", long),
        ("\"x\" * 1e9", large),
        ("\"x\" * 60000000 | length", long),
        ("reduce range(40) as $i (\"x\"; . + .)", long),
        ("reduce range(40) as $i ([1]; . + .)", long),
        // Small while its parts are shared, and large when it is written, compared or hashed.
        ("reduce range(60) as $i (1; [., .])", large),
        ("reduce range(60) as $i (1; {a: ., b: .}) | tojson", large),
        ("reduce range(60) as $i ({}; {a: ., b: .} * {a: .})", long),
        ("reduce range(25) as $i (1; [., .]) | . == .", long),
        (
            "reduce range(22) as $i (1; [., .]) | [., .] | sort | unique | 1",
            long,
        ),
        (
            "[range(9000)] as $x | [$x[] | $x] | flatten | length",
            large,
        ),
        (".a.x | [combinations(30)] | length", long),
        ("[range(300)] | [combinations(3)] | length", long),
        (
            "[range(1000000) | tojson | test(\"^(a+)+$\")] | length",
            long,
        ),
        (
            "[range(1000000) | \"(a{50}){50}\" as $re | \"a\" | test($re)] | length",
            long,
        ),
        ("[splits(\",\"; \"g\")]", "cannot"),
        ("input", "no filter"),
    ] {
        let leg = "{\"x\":[1,2,3]}";
        let error = match Body::parse(filter, &["a"]) {
            Ok(_) => made(filter, leg).err(),
            Err(fault) => Some(fault.message),
        };
        match error {
            Some(error) if error.contains(fault) && error.len() < 500 => {}
            other => wrong.push((filter, fault, other)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_path_that_a_service_gives_goes_no_deeper_than_there_is_room() {
    let path = "[".to_owned() + &"\"x\",".repeat(200_000) + "\"x\"]";
    let leg: &'static str = path.leak();
    let filter = ". as $all | null | [setpath($all.a; 1)] | length";
    match made(filter, leg) {
        Ok(text) => assert_eq!(text, "1"),
        Err(error) => assert!(error.contains("too"), "{error}"),
    }
}

#[test]
fn what_is_usual_fits() {
    let list: String = (0..10_000)
        .map(|n| format!("{{\"id\":{n},\"p\":1.5}},"))
        .collect();
    let leg: &'static str = format!("[{}null]", list).leak();
    for (filter, expected) in [
        ("[.a[] | select(. != null) | .id + 1] | length", "10000"),
        ("[.a[]?.p // 0] | add", "15000.0"),
        (
            "reduce .a[] as $x ({}; . + {($x.id // 0 | tostring): $x.p}) | length",
            "10000",
        ),
        (".a | map(.id) | sort | reverse | .[0]", "9999"),
        (".a | group_by(.p) | map(length)", "[1,10000]"),
        ("[.a[0:3][] | to_entries | from_entries | .id]", "[0,1,2]"),
        (
            "def fac: if . <= 1 then 1 else . * (. - 1 | fac) end; 20 | fac",
            "2432902008176640000",
        ),
        ("[limit(3; .a[].id)]", "[0,1,2]"),
        (
            "0 | [recurse(if . < 500 then . + 1 else empty end)] | length",
            "501",
        ),
        ("[.a[:2][] | {id}] | tojson | fromjson | .[1].id", "1"),
        ("[.. | numbers] | length", "20000"),
    ] {
        let made = made(filter, leg);
        assert_eq!(made.as_deref(), Ok(expected), "{filter}");
    }
}

#[test]
fn values_behave_as_jq_says() {
    // Each by jq's manual: https://jqlang.org/manual/.
    let mut wrong = Vec::new();
    for (filter, expected) in [
        (
            "[\"a,b\" / \",\", (\"abc\" / \"\")]",
            "[[\"a\",\"b\"],[\"a\",\"b\",\"c\"]]",
        ),
        ("[1,2,3,1] - [1]", "[2,3]"),
        ("{a:{b:1}} * {a:{c:2}}", "{\"a\":{\"b\":1,\"c\":2}}"),
        ("[\"ab\" * 2, \"ab\" * 0]", "[\"abab\",null]"),
        (
            "[\"héllo\"[1:3], ([1,2,3,4] | .[-2:], .[:1])]",
            "[\"él\",[3,4],[1]]",
        ),
        (
            "[[1,2,1,2] | indices(1), indices([1,2]), .[[2]]]",
            "[[0,2],[0,2],[1,3]]",
        ),
        ("\"éa,éa\" | indices(\"a\")", "[1,4]"),
        (
            "[\"foobar\" | contains(\"bar\"), contains(\"x\")]",
            "[true,false]",
        ),
        (
            "{foo:[1,{a:\"xyz\"}]} | contains({foo:[{a:\"y\"}]})",
            "true",
        ),
        (
            "[{a:1} | has(\"a\"), has(\"b\")] + [[1] | has(0), has(1)]",
            "[true,false,true,false]",
        ),
        ("[[1,3] | bsearch(3), bsearch(2), bsearch(9)]", "[1,-2,-3]"),
        (
            "[{b:1,a:2} | keys, keys_unsorted] ",
            "[[\"a\",\"b\"],[\"b\",\"a\"]]",
        ),
        ("[-5, \"é\", [1], {a:1}, null | length]", "[5,1,1,1,0]"),
        (
            "[{}, [], \"a\", 1, true, false, null] | sort",
            "[null,false,true,1,\"a\",[],{}]",
        ),
        (
            "[{a:2,b:1},{b:1,a:1}] | sort",
            "[{\"b\":1,\"a\":1},{\"a\":2,\"b\":1}]",
        ),
        ("{a:1,b:2} == {b:2,a:1}", "true"),
        (
            "{a:[1,2,3]} | .a[1] = 9 | .a[1:] |= map(. + 1) | del(.a[0])",
            "{\"a\":[10,4]}",
        ),
        (
            "{a:1} | .b = 2 | del(.a) | .c.d = 1",
            "{\"b\":2,\"c\":{\"d\":1}}",
        ),
        ("{a:{}} | .a.b = 1 | .a.b |= . + 1", "{\"a\":{\"b\":2}}"),
        ("[1,2] | .[5]", "null"),
        ("[1,2] | .[5] = 1", "!"),
        ("9007199254740993 + 1", "9007199254740994"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("[.a.x[] as [$p] | $p]", "!"),
        ("reduce range(200) as $i (2; . * .) | isinfinite", "true"),
        ("[5 % 3, -5 % 3, 5.5 % 2]", "[2,-2,1.5]"),
        ("[1 / 0 | isinfinite]", "[true]"),
        ("1 % 0", "!"),
        ("[\"a1b22\" | scan(\"[0-9]+\")]", "[\"1\",\"22\"]"),
        ("\"a-b\" | gsub(\"-\"; \"+\")", "\"a+b\""),
        ("\"test\" | sub(\"(?<x>t)\"; \"<\\(.x)>\")", "\"<t>est\""),
        ("\"x\" | @base64, . | @base64d?", "\"x\""),
        (
            "[\"aGk=\" | @base64d, (\"a b\" | @uri), (\"<\" | @html)]",
            "[\"hi\",\"a%20b\",\"&lt;\"]",
        ),
        ("[1, [2, [3]]] | flatten", "[1,2,3]"),
        ("[{name:\"a\",value:1}] | from_entries", "!"),
        ("[[\"a\",1] | {(.[0]): .[1]}]", "[{\"a\":1}]"),
        ("[paths] | length", "5"),
        (
            "[.a.x | first, last, (map(select(. > 1)) | length)]",
            "[1,3,2]",
        ),
        ("\"2015-03-05T23:51:47Z\" | fromdate", "1425599507"),
        ("[\"  a \" | trim, ltrim, rtrim]", "[\"a\",\"a \",\"  a\"]"),
        ("\"\\(1)\\([2])\\({a:null})\"", "\"1[2]{\\\"a\\\":null}\""),
        (
            "[\"abc\" | (explode | implode), ascii_upcase, startswith(\"a\"), ltrimstr(\"a\")]",
            "[\"abc\",\"ABC\",true,\"bc\"]",
        ),
    ] {
        let made = made(filter, "{\"x\":[1,2,3]}");
        match expected {
            "!" if made.is_err() => {}
            expected if made.as_deref() == Ok(expected) => {}
            expected => wrong.push((filter, expected, made)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_made_is_read_back() {
    let filter = ".a | [., tojson, (tojson | fromjson)] | .[0] == .[2]";
    assert_eq!(
        made(filter, "{\"x\":[1,-2.5e3,\"é\\u0000\\\\\",null,true]}").as_deref(),
        Ok("true")
    );
}
