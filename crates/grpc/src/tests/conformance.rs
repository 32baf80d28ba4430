//! The cases of protobuf's own suite for JSON (conformance/binary_json_conformance_suite.cc), by
//! their names there; the fields are those of `all_types.proto`.

use super::round;

/// `Ok` and what comes back; an empty text where it is refused.
pub(super) fn check(cases: &[(&str, &str, &str)]) {
    for (name, input, expected) in cases {
        match (round(input), expected.is_empty()) {
            (Ok(text), false) => {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
                assert_eq!(value, expected, "{name}: {input}");
            }
            (Err(_), true) => {}
            (Ok(text), true) => panic!("{name}: {input} was taken, as {text}"),
            (Err(error), false) => panic!("{name}: {input} was refused: {error}"),
        }
    }
}

#[test]
fn names_of_fields() {
    check(&[
        (
            "HelloWorld",
            r#"{"optionalString":"Hello, World!"}"#,
            r#"{"optionalString":"Hello, World!"}"#,
        ),
        (
            "FieldNameInSnakeCase",
            r#"{"fieldname1": 1, "fieldName2": 2, "FieldName3": 3, "FieldName8": 8}"#,
            r#"{"fieldname1":1,"fieldName2":2,"FieldName3":3,"FieldName8":8}"#,
        ),
        (
            "OriginalProtoFieldName",
            r#"{"fieldname1": 1, "field_name2": 2, "_field_name3": 3}"#,
            r#"{"fieldname1":1,"fieldName2":2,"FieldName3":3}"#,
        ),
        (
            "FieldNameEscaped",
            r#"{"fieldn\u0061me1": 1}"#,
            r#"{"fieldname1":1}"#,
        ),
        (
            "CustomName",
            r#"{"other \" name": 5}"#,
            r#"{"other \" name":5}"#,
        ),
        ("NameWithSpaces", r#"{" fieldname1": 1}"#, ""),
        (
            "FieldNameDuplicate",
            r#"{"optionalInt32": 1, "optionalInt32": 2}"#,
            "",
        ),
        (
            "FieldNameDuplicateDifferentCasing1",
            r#"{"optional_int32": 1, "optionalInt32": 2}"#,
            "",
        ),
        ("FieldNameNotQuoted", r#"{fieldname1: 1}"#, ""),
        ("FieldNameSingleQuoted", r"{'fieldname1': 1}", ""),
        ("TrailingCommaInAnObject", r#"{"fieldname1":1,}"#, ""),
        (
            "MissingCommaMultiline",
            "{\"fieldname1\":1\n\"fieldName2\":1}",
            "",
        ),
        (
            "JsonWithComments",
            "{\n// This is a comment.\n\"fieldname1\": 1\n}",
            "",
        ),
        (
            "StringEndsWithEscapeChar",
            "{\"optionalString\": \"abc\\",
            "",
        ),
        ("RejectTopLevelNull", "null", ""),
        ("TrailingText", "{} {}", ""),
        ("NothingAtAll", "", ""),
        ("UnknownField", r#"{"unknown": 1}"#, ""),
        (
            "WhiteSpace",
            " {\t\"fieldname1\"\r\n:1 } ",
            r#"{"fieldname1":1}"#,
        ),
    ]);
}

#[test]
fn integers() {
    check(&[
        (
            "Int32FieldMaxValue",
            r#"{"optionalInt32": 2147483647}"#,
            r#"{"optionalInt32":2147483647}"#,
        ),
        (
            "Int32FieldMinValue",
            r#"{"optionalInt32": -2147483648}"#,
            r#"{"optionalInt32":-2147483648}"#,
        ),
        (
            "Uint32FieldMaxValue",
            r#"{"optionalUint32": 4294967295}"#,
            r#"{"optionalUint32":4294967295}"#,
        ),
        (
            "Int64FieldMaxValue",
            r#"{"optionalInt64": "9223372036854775807"}"#,
            r#"{"optionalInt64":"9223372036854775807"}"#,
        ),
        (
            "Int64FieldMaxValueNotQuoted",
            r#"{"optionalInt64": 9223372036854775807}"#,
            r#"{"optionalInt64":"9223372036854775807"}"#,
        ),
        (
            "Int64FieldMinValue",
            r#"{"optionalInt64": "-9223372036854775808"}"#,
            r#"{"optionalInt64":"-9223372036854775808"}"#,
        ),
        (
            "Uint64FieldMaxValue",
            r#"{"optionalUint64": "18446744073709551615"}"#,
            r#"{"optionalUint64":"18446744073709551615"}"#,
        ),
        (
            "Int32FieldStringValue",
            r#"{"optionalInt32": "2147483647"}"#,
            r#"{"optionalInt32":2147483647}"#,
        ),
        (
            "Int32FieldStringValueEscaped",
            r#"{"optionalInt32": "2\u003147483647"}"#,
            r#"{"optionalInt32":2147483647}"#,
        ),
        (
            "Int32FieldExponentialFormat",
            r#"{"optionalInt32": 1e5}"#,
            r#"{"optionalInt32":100000}"#,
        ),
        (
            "Int32FieldMaxFloatValue",
            r#"{"optionalInt32": 2.147483647e9}"#,
            r#"{"optionalInt32":2147483647}"#,
        ),
        (
            "Int32FieldFloatTrailingZero",
            r#"{"optionalInt32": 100000.000}"#,
            r#"{"optionalInt32":100000}"#,
        ),
        (
            "Int32FieldQuotedExponentialValue",
            r#"{"optionalInt32": "1e5"}"#,
            r#"{"optionalInt32":100000}"#,
        ),
        (
            "Uint32FieldMaxFloatValue",
            r#"{"optionalUint32": 4.294967295e9}"#,
            r#"{"optionalUint32":4294967295}"#,
        ),
        (
            "Sint",
            r#"{"optionalSint32": -5, "optionalSint64": "-6"}"#,
            r#"{"optionalSint32":-5,"optionalSint64":"-6"}"#,
        ),
        (
            "Fixed",
            r#"{"optionalFixed32": 1, "optionalFixed64": 2, "optionalSfixed32": -1, "optionalSfixed64": -2}"#,
            r#"{"optionalFixed32":1,"optionalFixed64":"2","optionalSfixed32":-1,"optionalSfixed64":"-2"}"#,
        ),
        ("Int32FieldTooLarge", r#"{"optionalInt32": 2147483648}"#, ""),
        (
            "Int32FieldTooSmall",
            r#"{"optionalInt32": -2147483649}"#,
            "",
        ),
        (
            "Uint32FieldTooLarge",
            r#"{"optionalUint32": 4294967296}"#,
            "",
        ),
        ("Uint32FieldNegative", r#"{"optionalUint32": -1}"#, ""),
        (
            "Int64FieldTooLarge",
            r#"{"optionalInt64": "9223372036854775808"}"#,
            "",
        ),
        (
            "Uint64FieldTooLarge",
            r#"{"optionalUint64": "18446744073709551616"}"#,
            "",
        ),
        ("Int32FieldNotInteger", r#"{"optionalInt32": 0.5}"#, ""),
        ("Int32FieldNotNumber", r#"{"optionalInt32": "3x3"}"#, ""),
        ("Int32FieldPlusSign", r#"{"optionalInt32": +1}"#, ""),
        ("Int32FieldLeadingZero", r#"{"optionalInt32": 01}"#, ""),
        (
            "Int32FieldNegativeWithLeadingZero",
            r#"{"optionalInt32": -01}"#,
            "",
        ),
        ("Int32FieldLeadingSpace", r#"{"optionalInt32": " 1"}"#, ""),
        ("Int32FieldTrailingSpace", r#"{"optionalInt32": "1 "}"#, ""),
        ("Int32FieldEmptyString", r#"{"optionalInt32": ""}"#, ""),
        ("Int32FieldBool", r#"{"optionalInt32": true}"#, ""),
    ]);
}

#[test]
fn other_scalars() {
    check(&[
        (
            "BoolFieldTrue",
            r#"{"optionalBool":true}"#,
            r#"{"optionalBool":true}"#,
        ),
        ("BoolFieldFalse", r#"{"optionalBool":false}"#, "{}"),
        ("BoolFieldIntegerZero", r#"{"optionalBool":0}"#, ""),
        ("BoolFieldCamelCaseTrue", r#"{"optionalBool":True}"#, ""),
        (
            "BoolFieldDoubleQuotedTrue",
            r#"{"optionalBool":"true"}"#,
            "",
        ),
        (
            "FloatFieldMinPositiveValue",
            r#"{"optionalFloat": 1.175494e-38}"#,
            r#"{"optionalFloat":1.175494e-38}"#,
        ),
        (
            "FloatFieldMaxNegativeValue",
            r#"{"optionalFloat": -3.402823e+38}"#,
            r#"{"optionalFloat":-3.402823e38}"#,
        ),
        (
            "FloatFieldQuotedValue",
            r#"{"optionalFloat": "1"}"#,
            r#"{"optionalFloat":1.0}"#,
        ),
        (
            "FloatFieldNan",
            r#"{"optionalFloat": "NaN"}"#,
            r#"{"optionalFloat":"NaN"}"#,
        ),
        (
            "FloatFieldInfinity",
            r#"{"optionalFloat": "Infinity"}"#,
            r#"{"optionalFloat":"Infinity"}"#,
        ),
        (
            "FloatFieldNegativeInfinity",
            r#"{"optionalFloat": "-Infinity"}"#,
            r#"{"optionalFloat":"-Infinity"}"#,
        ),
        ("FloatFieldNanNotQuoted", r#"{"optionalFloat": NaN}"#, ""),
        (
            "FloatFieldInfinityNotQuoted",
            r#"{"optionalFloat": Infinity}"#,
            "",
        ),
        (
            "FloatFieldTooLarge",
            r#"{"optionalFloat": 3.502823e+38}"#,
            "",
        ),
        (
            "FloatFieldTooSmall",
            r#"{"optionalFloat": -3.502823e+38}"#,
            "",
        ),
        (
            "DoubleFieldMaxPositiveValue",
            r#"{"optionalDouble": 1.79769e+308}"#,
            r#"{"optionalDouble":1.79769e308}"#,
        ),
        (
            "DoubleFieldMinPositiveValue",
            r#"{"optionalDouble": 2.22507e-308}"#,
            r#"{"optionalDouble":2.22507e-308}"#,
        ),
        (
            "DoubleFieldQuotedValue",
            r#"{"optionalDouble": "1"}"#,
            r#"{"optionalDouble":1.0}"#,
        ),
        (
            "DoubleFieldTooLarge",
            r#"{"optionalDouble": 1.89769e+308}"#,
            "",
        ),
        ("DoubleFieldNanNotQuoted", r#"{"optionalDouble": NaN}"#, ""),
        (
            "EnumField",
            r#"{"optionalColour": "RED"}"#,
            r#"{"optionalColour":"RED"}"#,
        ),
        (
            "EnumFieldWithAlias",
            r#"{"optionalAlias": "UNO"}"#,
            r#"{"optionalAlias":"ONE"}"#,
        ),
        (
            "EnumFieldNumericValueNonZero",
            r#"{"optionalColour": 2}"#,
            r#"{"optionalColour":"BLUE"}"#,
        ),
        (
            "EnumFieldNumericValueZero",
            r#"{"optionalColour": 0}"#,
            "{}",
        ),
        (
            "EnumFieldNegative",
            r#"{"optionalColour": "MINUS"}"#,
            r#"{"optionalColour":"MINUS"}"#,
        ),
        (
            "EnumFieldUnknownValue",
            r#"{"optionalColour": 123}"#,
            r#"{"optionalColour":123}"#,
        ),
        ("EnumFieldNotQuoted", r#"{"optionalColour": RED}"#, ""),
        ("EnumFieldUnknownName", r#"{"optionalColour": "GREEN"}"#, ""),
        (
            "StringField",
            r#"{"optionalString": "Hello world!"}"#,
            r#"{"optionalString":"Hello world!"}"#,
        ),
        (
            "StringFieldUnicode",
            r#"{"optionalString": "谷歌"}"#,
            r#"{"optionalString":"谷歌"}"#,
        ),
        (
            "StringFieldEscape",
            r#"{"optionalString": "\"\\\/\b\f\n\r\t"}"#,
            r#"{"optionalString":"\"\\/\b\f\n\r\t"}"#,
        ),
        (
            "StringFieldUnicodeEscapeWithLowercaseHexLetters",
            r#"{"optionalString": "\u8c37\u6B4C"}"#,
            r#"{"optionalString":"谷歌"}"#,
        ),
        (
            "StringFieldSurrogatePair",
            r#"{"optionalString": "\uD83D\uDE01"}"#,
            r#"{"optionalString":"😁"}"#,
        ),
        (
            "StringFieldEmbeddedNull",
            r#"{"optionalString": "Hello\u0000world!"}"#,
            r#"{"optionalString":"Hello\u0000world!"}"#,
        ),
        (
            "StringFieldUnpairedHighSurrogate",
            r#"{"optionalString": "\uD800"}"#,
            "",
        ),
        (
            "StringFieldUnpairedLowSurrogate",
            r#"{"optionalString": "\uDC00"}"#,
            "",
        ),
        (
            "StringFieldInvertedSurrogatePair",
            r#"{"optionalString": "\uDE01\uD83D"}"#,
            "",
        ),
        (
            "StringFieldUppercaseEscapeLetter",
            r#"{"optionalString": "\U8C37"}"#,
            "",
        ),
        (
            "StringFieldInvalidEscape",
            r#"{"optionalString": "\uXXXX\u6B4C"}"#,
            "",
        ),
        (
            "StringFieldUnterminatedEscape",
            r#"{"optionalString": "\u8C3"}"#,
            "",
        ),
        ("StringFieldNotAString", r#"{"optionalString": 12345}"#, ""),
        (
            "StringFieldControlCharacter",
            "{\"optionalString\": \"a\u{1}\"}",
            "",
        ),
        (
            "BytesField",
            r#"{"optionalBytes": "AQI="}"#,
            r#"{"optionalBytes":"AQI="}"#,
        ),
        (
            "BytesFieldNoPadding",
            r#"{"optionalBytes": "AQI"}"#,
            r#"{"optionalBytes":"AQI="}"#,
        ),
        (
            "BytesFieldBase64Url",
            r#"{"optionalBytes": "-_"}"#,
            r#"{"optionalBytes":"+w=="}"#,
        ),
        ("BytesFieldBoth", r#"{"optionalBytes": "+_8="}"#, ""),
        (
            "BytesFieldInvalidBase64Characters",
            r#"{"optionalBytes": "@@@@"}"#,
            "",
        ),
    ]);
}

#[test]
fn lists_maps_and_oneofs() {
    check(&[
        (
            "PrimitiveRepeatedField",
            r#"{"repeatedInt32": [1, 2, 3, 4]}"#,
            r#"{"repeatedInt32":[1,2,3,4]}"#,
        ),
        (
            "LooseRepeatedField",
            r#"{"looseInt32": [1, 0]}"#,
            r#"{"looseInt32":[1,0]}"#,
        ),
        (
            "EnumRepeatedField",
            r#"{"repeatedColour": ["RED", 2, "NONE"]}"#,
            r#"{"repeatedColour":["RED","BLUE","NONE"]}"#,
        ),
        (
            "StringRepeatedField",
            r#"{"repeatedString": ["a", ""]}"#,
            r#"{"repeatedString":["a",""]}"#,
        ),
        (
            "MessageRepeatedField",
            r#"{"repeatedInner": [{"a": 1}, {}]}"#,
            r#"{"repeatedInner":[{"a":1},{}]}"#,
        ),
        (
            "RepeatedFieldEmpty",
            r#"{"repeatedInt32": [], "repeatedInner": []}"#,
            "{}",
        ),
        (
            "RepeatedFieldWrongElementTypeExpectingIntegersGotBool",
            r#"{"repeatedInt32": [1, false, 3]}"#,
            "",
        ),
        (
            "RepeatedFieldWrongElementTypeExpectingIntegersGotString",
            r#"{"repeatedInt32": [1, "name", 3]}"#,
            "",
        ),
        (
            "RepeatedFieldWrongElementTypeExpectingMessagesGotInt",
            r#"{"repeatedInner": [{"a": 1}, 2]}"#,
            "",
        ),
        (
            "RepeatedFieldTrailingComma",
            r#"{"repeatedInt32": [1,]}"#,
            "",
        ),
        (
            "RepeatedFieldPrimitiveElementIsNull",
            r#"{"repeatedInt32": [1, null]}"#,
            "",
        ),
        (
            "RepeatedFieldMessageElementIsNull",
            r#"{"repeatedInner": [{}, null]}"#,
            "",
        ),
        (
            "Int32MapField",
            r#"{"mapInt32": {"1": 2, "-3": 0}}"#,
            r#"{"mapInt32":{"1":2,"-3":0}}"#,
        ),
        (
            "Int64MapField",
            r#"{"mapInt64": {"9223372036854775807": "x"}}"#,
            r#"{"mapInt64":{"9223372036854775807":"x"}}"#,
        ),
        (
            "BoolMapField",
            r#"{"mapBool": {"true": true, "false": false}}"#,
            r#"{"mapBool":{"true":true,"false":false}}"#,
        ),
        (
            "MessageMapField",
            r#"{"mapInner": {"hello": {"a": 1}, "": {}}}"#,
            r#"{"mapInner":{"hello":{"a":1},"":{}}}"#,
        ),
        (
            "EnumMapField",
            r#"{"mapColour": {"a": "RED"}}"#,
            r#"{"mapColour":{"a":"RED"}}"#,
        ),
        (
            "BoolMapEscapedKey",
            r#"{"mapBool": {"tr\u0075e": true}}"#,
            r#"{"mapBool":{"true":true}}"#,
        ),
        ("Int32MapFieldKeyNotQuoted", r#"{"mapInt32": {1: 2}}"#, ""),
        (
            "BoolMapFieldKeyNotQuoted",
            r#"{"mapBool": {true: true}}"#,
            "",
        ),
        ("MapFieldValueIsNull", r#"{"mapInt32": {"0": null}}"#, ""),
        (
            "MapFieldKeyTwice",
            r#"{"mapString": {"a": "1", "a": "2"}}"#,
            "",
        ),
        (
            "OneofFieldDuplicate",
            r#"{"choiceUint32": 1, "choiceString": "test"}"#,
            "",
        ),
        (
            "OneofFieldNullFirst",
            r#"{"choiceUint32": null, "choiceString": "test"}"#,
            r#"{"choiceString":"test"}"#,
        ),
        (
            "OneofFieldNullSecond",
            r#"{"choiceString": "test", "choiceUint32": null}"#,
            r#"{"choiceString":"test"}"#,
        ),
        (
            "OneofZeroUint32",
            r#"{"choiceUint32": 0}"#,
            r#"{"choiceUint32":0}"#,
        ),
        (
            "OneofZeroMessage",
            r#"{"choiceInner": {}}"#,
            r#"{"choiceInner":{}}"#,
        ),
        (
            "OneofZeroString",
            r#"{"choiceString": ""}"#,
            r#"{"choiceString":""}"#,
        ),
        (
            "OneofNullValue",
            r#"{"choiceNull": null}"#,
            r#"{"choiceNull":null}"#,
        ),
        (
            "ExplicitPresence",
            r#"{"explicitInt32": 0, "explicitString": ""}"#,
            r#"{"explicitInt32":0,"explicitString":""}"#,
        ),
        (
            "AllFieldAcceptNull",
            r#"{"optionalInt32": null, "optionalInner": null, "repeatedInt32": null, "mapString": null, "optionalColour": null, "boolValue": null, "timestamp": null, "structure": null}"#,
            "{}",
        ),
    ]);
}
