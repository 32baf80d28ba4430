#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;

fn mapping(names: Names) -> Mapping {
    Mapping {
        names,
        paths: Paths::default(),
        item: "item".into(),
        depth: 32,
    }
}

fn known(all: &[(&str, &str)]) -> Names {
    let pair = |(prefix, uri): &(&str, &str)| ((*prefix).into(), (*uri).into());
    Names::Known(all.iter().map(pair).collect())
}

fn json_of(mapping: &Mapping, xml: &str) -> Result<String, String> {
    let document = Document::read(xml, mapping.depth).map_err(|error| error.describe(xml))?;
    let mut out = Vec::new();
    let written = mapping.write_json(document.root().unwrap(), None, &mut out);
    written.map_err(|error| error.describe(xml))?;
    Ok(String::from_utf8(out).unwrap())
}

fn xml_of(mapping: &Mapping, json: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let written = mapping.write_xml(json, None, &[], &mut out);
    written.map_err(|error| error.describe(json))?;
    Ok(String::from_utf8(out).unwrap())
}

/// What becomes of the one becomes the other again.
#[test]
fn there_and_back() {
    for (xml, json) in [
        ("<a/>", r#"{"a":""}"#),
        ("<a>x</a>", r#"{"a":"x"}"#),
        ("<a> x\n</a>", r#"{"a":" x\n"}"#),
        (r#"<a id="1">x</a>"#, r##"{"a":{"@id":"1","#text":"x"}}"##),
        (r#"<a id="1"/>"#, r#"{"a":{"@id":"1"}}"#),
        ("<a><b>1</b><c/></a>", r#"{"a":{"b":"1","c":""}}"#),
        ("<a><b>1</b><b>2</b></a>", r#"{"a":{"b":["1","2"]}}"#),
        ("<a>&amp;&lt;&gt;'\"ü𝄞&#13;</a>", r#"{"a":"&<>'\"ü𝄞\r"}"#),
        (
            r#"<a t="&#9;&#10;&quot;&lt;">x</a>"#,
            r##"{"a":{"@t":"\t\n\"<","#text":"x"}}"##,
        ),
        (
            r#"<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><b xsi:nil="true"/></a>"#,
            r#"{"a":{"b":null}}"#,
        ),
        (
            "<_x0031_st><a_x0020_b/></_x0031_st>",
            r#"{"1st":{"a b":""}}"#,
        ),
        (
            r#"<a xml:lang="de">x</a>"#,
            r##"{"a":{"@xml:lang":"de","#text":"x"}}"##,
        ),
    ] {
        let mapping = mapping(Names::Drop);
        assert_eq!(json_of(&mapping, xml).unwrap(), json);
        assert_eq!(xml_of(&mapping, json).unwrap(), xml);
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    let mapping = mapping(Names::Drop);
    for (xml, json) in [
        (
            "<?xml version=\"1.0\"?>\n<!-- c --><a>\n <b/> <?pi x?>\n</a>\n",
            r#"{"a":{"b":""}}"#,
        ),
        ("<a><![CDATA[<x>&]]>y</a>", r#"{"a":"<x>&y"}"#),
        ("<a>x<b/>y</a>", r##"{"a":{"b":"","#text":"xy"}}"##),
        (
            "<a><b>1</b><c/><b>2</b></a>",
            r#"{"a":{"b":["1","2"],"c":""}}"#,
        ),
        (
            r#"<p:a xmlns:p="urn:p" p:x="1" x="2"/>"#,
            r#"{"a":{"@x":"1"}}"#,
        ),
    ] {
        assert_eq!(json_of(&mapping, xml).unwrap(), json);
    }
    let many: String = (0..40)
        .map(|n| format!("<n{0}>{n}</n{0}>", n % 20))
        .collect();
    let value: serde_json::Value =
        serde_json::from_str(&json_of(&mapping, &format!("<a>{many}</a>")).unwrap()).unwrap();
    assert_eq!(value["a"].as_object().unwrap().len(), 20);
    assert_eq!(value["a"]["n19"], serde_json::json!(["19", "39"]));
}

#[test]
fn namespaces_by_rule() {
    let xml = r#"<x:a xmlns:x="urn:a" xmlns="urn:b"><b x:at="1" at="2"/><c xmlns="urn:c"/></x:a>"#;
    for (names, json) in [
        (Names::Drop, r#"{"a":{"b":{"@at":"1"},"c":""}}"#),
        (
            Names::Keep,
            r#"{"x:a":{"@xmlns:x":"urn:a","@xmlns":"urn:b","b":{"@x:at":"1","@at":"2"},"c":{"@xmlns":"urn:c"}}}"#,
        ),
        (
            known(&[("", "urn:a"), ("two", "urn:b")]),
            r#"{"a":{"two:b":{"@at":"1"},"c":""}}"#,
        ),
    ] {
        assert_eq!(json_of(&mapping(names), xml).unwrap(), json);
    }
    let kept = mapping(Names::Keep);
    assert_eq!(xml_of(&kept, &json_of(&kept, xml).unwrap()).unwrap(), xml);
    let escaped = r#"{"p:a'":{"@xmlns:p":"urn:p","@p:b ":"1"}}"#;
    let xml = xml_of(&kept, escaped).unwrap();
    assert_eq!(json_of(&kept, &xml).unwrap(), escaped, "{xml}");
    let own = mapping(known(&[("", "urn:a"), ("o", "urn:o")]));
    assert_eq!(
        xml_of(&own, r#"{"a":{"o:b":null,"x:c":"1"}}"#).unwrap(),
        r#"<a xmlns="urn:a" xmlns:o="urn:o" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><o:b xsi:nil="true"/><x_x003A_c>1</x_x003A_c></a>"#
    );
}

#[test]
fn kinds_and_arrays_by_path() {
    let mut mapping = mapping(Names::Drop);
    for path in ["/o/item", "//tag"] {
        mapping.paths.array(path).unwrap();
    }
    for (path, kind) in [
        ("/o/item/@n", Kind::Integer),
        ("/o/*/price", Kind::Number),
        ("/o/item/free", Kind::Boolean),
        ("//qty", Kind::Integer),
        ("//tag/@n", Kind::Integer),
    ] {
        mapping.paths.kind(path, kind).unwrap();
    }
    let xml = r#"<o><item n="007"><price> 1.50 </price><free>1</free><tag n="1">t</tag><qty/></item></o>"#;
    assert_eq!(
        json_of(&mapping, xml).unwrap(),
        r##"{"o":{"item":[{"@n":7,"price":1.50,"free":true,"tag":[{"@n":1,"#text":"t"}],"qty":null}]}}"##
    );
    assert_eq!(
        json_of(&mapping, "<o><item><qty>many</qty></item></o>").unwrap_err(),
        "`/o/item/0/qty`: an integer is expected, and another text is there."
    );
    for bad in ["o", "/", "//", "/a//b", ""] {
        assert!(mapping.paths.array(bad).is_err(), "{bad}");
    }
}

#[test]
fn roots_are_taken_off_and_put_on() {
    let mapping = mapping(known(&[("o", "urn:o")]));
    let mut out = Vec::new();
    let fields = [("id", Cow::Borrowed("<7>")), ("lang", Cow::Borrowed("de"))];
    let root = Some("o:Get");
    mapping
        .write_xml(r#"{"id":1,"all":true}"#, root, &fields, &mut out)
        .unwrap();
    let written = String::from_utf8(out).unwrap();
    assert_eq!(
        written,
        r#"<o:Get xmlns:o="urn:o"><id>&lt;7&gt;</id><all>true</all><lang>de</lang></o:Get>"#
    );
    let document = Document::read(&written, 9).unwrap();
    let mut out = Vec::new();
    mapping
        .write_json(document.root().unwrap(), root, &mut out)
        .unwrap();
    assert_eq!(out, br#"{"id":"<7>","all":"true","lang":"de"}"#);
    let other = mapping.write_json(document.root().unwrap(), Some("Get"), &mut Vec::new());
    assert!(other.unwrap_err().detail().contains("`Get` is expected"));
    for (json, xml) in [
        ("", "<r/>"),
        (
            "[1,[2]]",
            "<r><item>1</item><item><item>2</item></item></r>",
        ),
        ("5", "<r>5</r>"),
    ] {
        let mut out = Vec::new();
        let plain = self::mapping(Names::Drop);
        plain.write_xml(json, Some("r"), &[], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), xml);
    }
}

#[test]
fn what_is_no_xml_is_refused_with_its_place() {
    let wide = format!(
        "<a {}/>",
        (0..300).map(|n| format!("a{n}='' ")).collect::<String>()
    );
    let deep = "<a>".repeat(40) + &"</a>".repeat(40);
    for (xml, told) in [
        ("", "there is no element"),
        ("x", "text outside"),
        ("<a>", "not closed"),
        ("<a></b>", "expected `</a>`"),
        ("<a/><b/>", "Line 1, column 5: there is a second root"),
        ("<a/>x", "text outside"),
        ("<a>\n<1/></a>", "Line 2, column 1: this is not the name"),
        ("<a b='1' b='2'/>", "there twice"),
        ("<a b='<'/>", "`<` stands"),
        ("<a b=1/>", ""),
        ("<p:a/>", "not declared"),
        ("<a p:b=''/>", "not declared"),
        ("<a xmlns:p=''/>", "can't be declared"),
        ("<a xmlns:xml='urn:x'/>", "can't be declared"),
        ("<a:b:c xmlns:a='x'/>", "not the name"),
        ("<a>\u{1}</a>", "none of XML"),
        ("<a>&#1;</a>", "no such entity"),
        ("<a b='&#0;'/>", ""),
        ("<a>&x;</a>", "no such entity"),
        ("<a b='&x;'/>", "no such entity"),
        ("<!DOCTYPE a><a/>", "document types"),
        (
            "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
            "document types",
        ),
        ("<?xml version='1.1'?><a/>", "XML 1.0 is expected"),
        (" <?xml version='1.0'?><a/>", "from the first byte"),
        (&wide, "too many attributes"),
        (&deep, "more than 32 deep"),
    ] {
        let error = Document::read(xml, 32).unwrap_err().describe(xml);
        assert!(error.contains(told), "{xml}: {error}");
    }
    let scopes = (0..2).map(|n| {
        let all: String = (0..200).map(|m| format!("xmlns:p{n}-{m}='u' ")).collect();
        format!("<a {all}>")
    });
    let scopes: String = scopes.collect();
    let error = Document::read(&scopes, 32).unwrap_err();
    assert_eq!(error.detail(), "too many namespaces are declared");
    let amps = format!("<a b='{0}'>{0}</a>", "&amp;".repeat(500));
    let read = Document::read(&amps, 32).unwrap();
    assert_eq!(
        read.root().unwrap().attribute(None, "b").unwrap(),
        "&".repeat(500)
    );
}

#[test]
fn what_has_no_writing_in_xml_is_refused_with_its_place() {
    let mapping = mapping(Names::Keep);
    for (json, told) in [
        ("{}", "one member"),
        ("[]", "one member"),
        (r#"{"a":[1]}"#, "one member"),
        (r#"{"@a":1}"#, "one member"),
        (r#"{"a":1,"b":2}"#, "one member"),
        (
            r#"{"a":{"b":1,"b":2}}"#,
            "`/a/b`: this member is there twice",
        ),
        (r#"{"a":{"b":"\u0000"}}"#, "`/a/b`: XML has no writing"),
        (r#"{"a":{"@b":{}}}"#, "`/a/@b`: an attribute holds a text"),
        (r##"{"a":{"#text":[]}}"##, "`/a/#text`: text is expected"),
        (r#"{"a":{"":1}}"#, "no name"),
        (r#"{"a":{"@xmlns:p":""}}"#, "can't be declared"),
        (r#"{"a":{"@xsi:nil":"true"}}"#, "`null` says that"),
        (r#"{"a":}"#, "a value is expected"),
    ] {
        let error = xml_of(&mapping, json).unwrap_err();
        assert!(error.contains(told), "{json}: {error}");
    }
    let deep = "[".repeat(40) + &"]".repeat(40);
    let error = mapping.write_xml(&deep, Some("a"), &[], &mut Vec::new());
    assert!(error.unwrap_err().detail().contains("too deep"));
    let declared = xml_of(&self::mapping(Names::Drop), r#"{"a":{"@xmlns":"urn:x"}}"#);
    assert!(declared.unwrap_err().contains("not declared here"));
}

#[test]
fn envelopes() {
    use soap::{Blame, Content, Version};
    for version in [Version::V1_1, Version::V1_2] {
        let mut out = Vec::new();
        let inside = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"<a>1</a>");
            Ok::<(), ()>(())
        };
        soap::envelope(version, &mut out, inside).unwrap();
        let text = String::from_utf8(out).unwrap();
        let document = Document::read(&text, 9).unwrap();
        let opened = soap::open(&document).unwrap();
        assert_eq!((opened.version, opened.must_understand), (version, false));
        let Content::Message(message) = opened.content else {
            panic!("{text}")
        };
        assert_eq!((message.local(), message.text()), ("a", "1"));

        let mut out = Vec::new();
        soap::envelope(version, &mut out, |out| {
            soap::write_fault(version, Blame::Client, "a < b", b"<d/>", out)
        })
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        let document = Document::read(&text, 9).unwrap();
        let Content::Fault(fault) = soap::open(&document).unwrap().content else {
            panic!("{text}")
        };
        let code = match version {
            Version::V1_1 => "Client",
            Version::V1_2 => "Sender",
        };
        assert_eq!((fault.codes, fault.reason), (vec![code], "a < b"));
        assert_eq!(fault.detail.unwrap().children().count(), 1);
    }
    for (xml, told) in [
        ("<Envelope/>", "no SOAP envelope"),
        (
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'/>",
            "no body",
        ),
        (
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body><a/><b/></e:Body></e:Envelope>",
            "several elements",
        ),
    ] {
        let document = Document::read(xml, 9).unwrap();
        assert!(soap::open(&document).unwrap_err().detail().contains(told));
    }
    let header = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header><s e:mustUnderstand='1'/></e:Header><e:Body/></e:Envelope>";
    let document = Document::read(header, 9).unwrap();
    let opened = soap::open(&document).unwrap();
    assert!(opened.must_understand && matches!(opened.content, Content::Nothing));
}

/// JSON that the mapping keeps: no empty objects or arrays, no arrays of one or in arrays, strings alone.
fn kept() -> impl Strategy<Value = serde_json::Value> {
    let text = "[ -~üé€𝄞\n\t]{0,8}";
    let leaf = prop_oneof![
        text.prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = "[@]?[a-zA-Z_0-9 :ü.-]{1,6}";
        let several = prop::collection::vec(inner.clone(), 2..4);
        let flat = several.prop_filter("no array in an array", |items| {
            !items.iter().any(serde_json::Value::is_array)
        });
        let held = prop_oneof![3 => inner, 1 => flat.prop_map(serde_json::Value::Array)];
        prop::collection::vec((name, held), 1..5).prop_map(|members| {
            let mut object = serde_json::Map::new();
            for (name, held) in members {
                let held = match name.starts_with('@') {
                    true => serde_json::Value::from(held.as_str().unwrap_or("x")),
                    false => held,
                };
                object.insert(name, held);
            }
            serde_json::Value::Object(object)
        })
    })
}

proptest! {
    #[test]
    fn json_comes_back_as_it_was(value in kept()) {
        let whole = serde_json::json!({ "root": value }).to_string();
        prop_assume!(!value.is_array());
        let mapping = mapping(Names::Drop);
        // Of members whose names differ in their place alone, attributes come first.
        let xml = xml_of(&mapping, &whole).unwrap();
        let back: serde_json::Value = serde_json::from_str(&json_of(&mapping, &xml).unwrap()).unwrap();
        prop_assert_eq!(back, serde_json::json!({ "root": value }), "{}", xml);
    }

    #[test]
    fn no_text_is_a_danger(text in "[<>/a\"'=! ?&;x:#\\[\\]-]{0,40}") {
        if let Ok(json) = json_of(&mapping(Names::Keep), &text) {
            let value: Result<serde_json::Value, _> = serde_json::from_str(&json);
            prop_assert!(value.is_ok(), "{}", json);
        }
    }
}
