//! The cases of the well-known types in protobuf's own suite, as in `conformance`.

use super::conformance::check;

#[test]
fn well_known_types() {
    check(&[
        (
            "Wrappers",
            r#"{"boolValue": false, "int32Value": 0, "int64Value": "1", "doubleValue": 1.5, "stringValue": "", "bytesValue": "AQI="}"#,
            r#"{"boolValue":false,"int32Value":0,"int64Value":"1","doubleValue":1.5,"stringValue":"","bytesValue":"AQI="}"#,
        ),
        (
            "RepeatedWrapper",
            r#"{"repeatedInt32Value": [0, 1]}"#,
            r#"{"repeatedInt32Value":[0,1]}"#,
        ),
        (
            "DurationMinValue",
            r#"{"duration": "-315576000000.999999999s"}"#,
            r#"{"duration":"-315576000000.999999999s"}"#,
        ),
        (
            "DurationMaxValue",
            r#"{"duration": "315576000000.999999999s"}"#,
            r#"{"duration":"315576000000.999999999s"}"#,
        ),
        (
            "DurationNegative",
            r#"{"duration": "-0.5s"}"#,
            r#"{"duration":"-0.500s"}"#,
        ),
        (
            "DurationHas6FractionalDigits",
            r#"{"duration": "1.000010s"}"#,
            r#"{"duration":"1.000010s"}"#,
        ),
        ("DurationMissingS", r#"{"duration": "1"}"#, ""),
        (
            "DurationJsonInputTooLarge",
            r#"{"duration": "315576000001.000000000s"}"#,
            "",
        ),
        (
            "TimestampMinValue",
            r#"{"timestamp": "0001-01-01T00:00:00Z"}"#,
            r#"{"timestamp":"0001-01-01T00:00:00Z"}"#,
        ),
        (
            "TimestampMaxValue",
            r#"{"timestamp": "9999-12-31T23:59:59.999999999Z"}"#,
            r#"{"timestamp":"9999-12-31T23:59:59.999999999Z"}"#,
        ),
        (
            "TimestampWithPositiveOffset",
            r#"{"timestamp": "1970-01-01T08:00:01+08:00"}"#,
            r#"{"timestamp":"1970-01-01T00:00:01Z"}"#,
        ),
        (
            "TimestampRepeatedValue",
            r#"{"repeatedTimestamp": ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00.01Z"]}"#,
            r#"{"repeatedTimestamp":["0001-01-01T00:00:00Z","1970-01-01T00:00:00.010Z"]}"#,
        ),
        (
            "TimestampJsonInputTooLarge",
            r#"{"timestamp": "10000-01-01T00:00:00Z"}"#,
            "",
        ),
        (
            "TimestampJsonInputMissingZ",
            r#"{"timestamp": "0001-01-01T00:00:00"}"#,
            "",
        ),
        (
            "TimestampJsonInputLowercaseT",
            r#"{"timestamp": "0001-01-01t00:00:00Z"}"#,
            "",
        ),
        (
            "FieldMask",
            r#"{"mask": "foo,barBaz,a.b9C"}"#,
            r#"{"mask":"foo,barBaz,a.b9C"}"#,
        ),
        ("EmptyFieldMask", r#"{"mask": ""}"#, r#"{"mask":""}"#),
        (
            "FieldMaskInvalidCharacter",
            r#"{"mask": "foo,bar_bar"}"#,
            "",
        ),
        (
            "Struct",
            r#"{"structure": {"nullValue": null, "intValue": 1234, "boolValue": true, "doubleValue": 1234.5678, "stringValue": "Hello world!", "listValue": [1234, "5678", []], "objectValue": {"value": {}}}}"#,
            r#"{"structure": {"nullValue": null, "intValue": 1234.0, "boolValue": true, "doubleValue": 1234.5678, "stringValue": "Hello world!", "listValue": [1234.0, "5678", []], "objectValue": {"value": {}}}}"#,
        ),
        (
            "StructWithEmptyListValue",
            r#"{"structure": {"listValue": []}}"#,
            r#"{"structure":{"listValue":[]}}"#,
        ),
        ("ValueAcceptInteger", r#"{"value": 1}"#, r#"{"value":1.0}"#),
        ("ValueAcceptNull", r#"{"value": null}"#, r#"{"value":null}"#),
        (
            "ValueAcceptList",
            r#"{"value": [0, "hello", null]}"#,
            r#"{"value":[0.0,"hello",null]}"#,
        ),
        (
            "RepeatedValue",
            r#"{"repeatedValue": [null, 1, {}]}"#,
            r#"{"repeatedValue":[null,1.0,{}]}"#,
        ),
        (
            "ListValue",
            r#"{"list": [null, [1]]}"#,
            r#"{"list":[null,[1.0]]}"#,
        ),
        ("NullValueInNormalMessage", r#"{"nullValue": null}"#, "{}"),
        ("Empty", r#"{"empty": {}}"#, r#"{"empty":{}}"#),
        (
            "Any",
            r#"{"any": {"@type": "type.googleapis.com/lintel.test.All", "optionalInt32": 12345}}"#,
            r#"{"any": {"@type": "type.googleapis.com/lintel.test.All", "optionalInt32": 12345}}"#,
        ),
        ("AnyWithNoType", r#"{"any": {}}"#, r#"{"any":{}}"#),
        (
            "AnyNested",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": {"@type": "type.googleapis.com/lintel.test.All", "optionalInt32": 1}}}"#,
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": {"@type": "type.googleapis.com/lintel.test.All", "optionalInt32": 1}}}"#,
        ),
        (
            "AnyUnorderedTypeTag",
            r#"{"any": {"optionalInt32": 12345, "@type": "type.googleapis.com/lintel.test.All"}}"#,
            r#"{"any": {"@type": "type.googleapis.com/lintel.test.All", "optionalInt32": 12345}}"#,
        ),
        (
            "AnyWithDuration",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.5s"}}"#,
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}}"#,
        ),
        (
            "AnyWithInt32ValueWrapper",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 12345}}"#,
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 12345}}"#,
        ),
        (
            "AnyWithStruct",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"foo": 1}}}"#,
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"foo": 1.0}}}"#,
        ),
        (
            "AnyWithValueForInteger",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Value", "value": 1}}"#,
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Value", "value": 1.0}}"#,
        ),
        (
            "AnyWktRepresentationWithBadTypeURL",
            r#"{"any": {"@type": "type.googleapis.com/not.Known", "value": ""}}"#,
            "",
        ),
        (
            "AnyWktRepresentationWithEmptyTypeAndValue",
            r#"{"any": {"@type": "", "value": ""}}"#,
            "",
        ),
        (
            "AnyTypeTwice",
            r#"{"any": {"@type": "type.googleapis.com/lintel.test.All", "@type": "type.googleapis.com/lintel.test.All"}}"#,
            "",
        ),
        (
            "AnyWithoutValue",
            r#"{"any": {"@type": "type.googleapis.com/google.protobuf.Duration"}}"#,
            "",
        ),
    ]);
}
