use super::{Lexer, is_plain, number_length};

#[test]
fn plain_is_told_at_a_glance_and_the_rest_left_to_a_parser() {
    for plain in [
        r#"{"a": [1, -0.5, true, false, null, "", {}, []], "b\"\/é": "0123456789"}"#,
        " \t\r\n[ ] ",
        "\"eight bytes and more, é\"",
    ] {
        assert!(is_plain(plain.as_bytes()), "{plain}");
    }
    // Sound or not: that is for the parser to say.
    for other in [
        "1e3",
        "1E400",
        r#""\ud83d\ude00""#,
        r#""\uD83D""#,
        r#""\u12""#,
        r#""\x""#,
        "\"\u{1f}\"",
        "01",
        "1.",
        "-",
        ".5",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\" 1}",
        "{1:1}",
        "\"a",
        "\u{feff}1",
    ] {
        assert!(!is_plain(other.as_bytes()), "{other}");
    }
    assert!(!is_plain("9".repeat(301).as_bytes()));
    assert!(!is_plain(b"\"\xc3\""));
}

#[test]
fn a_number_ends_where_rfc_8259_has_it_end() {
    for (text, length) in [
        ("0", Some(1)),
        ("-0,", Some(2)),
        ("10.25]", Some(5)),
        ("1e3 ", Some(3)),
        ("1.5E-07x", Some(7)),
        ("2e+1", Some(4)),
        ("", None),
        ("-", None),
        ("01", None),
        ("+1", None),
        (".5", None),
        ("1.", None),
        ("1.e3", None),
        ("1e", None),
        ("1e+", None),
    ] {
        assert_eq!(number_length(text), length, "{text}");
    }
}

#[test]
fn a_string_is_read_whatever_its_length() {
    // Eight bytes are looked at in one step, and the last few one by one.
    for length in 0..20 {
        let plain = "ab\u{e9}c".chars().cycle().take(length).collect::<String>();
        for (put, read) in [
            ("", ""),
            ("\\n", "\n"),
            ("\\\"", "\""),
            ("\\ud83d\\ude00", "\u{1f600}"),
        ] {
            let text = format!(" \"{plain}{put}{plain}\" 7");
            let mut lexer = Lexer::new(&text);
            assert_eq!(lexer.string().unwrap(), format!("{plain}{read}{plain}"));
            assert_eq!((lexer.number().unwrap(), lexer.peek()), ("7", None));
        }
        for broken in ["\u{1}\"", "", "\\x\"", "\\u12\"", "\\ud83d\""] {
            let text = format!("\"{plain}{broken}");
            let mismatch = Lexer::new(&text).string().unwrap_err();
            assert!(mismatch.offset() > plain.len(), "{text}: {mismatch}");
        }
    }
}
