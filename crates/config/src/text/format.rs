//! The formats: what reads them, and what they are called.

use std::str::FromStr;

use lintel_kernel::{Allotment, ByteSize, Duration, Rate, Share};

use super::*;

/// Whether a text is fit for a format; `None` if there is no such format.
pub(crate) fn check(format: &str, text: &str) -> Option<Result<(), TextError>> {
    Some(match format {
        "duration" => unit::<Duration>(text),
        "size" => unit::<ByteSize>(text),
        "rate" => unit::<Rate>(text),
        "share" => unit::<Share>(text),
        "allotment" => unit::<Allotment>(text),
        Bind::FORMAT => text.parse::<Bind>().map(drop),
        Cidr::FORMAT => text.parse::<Cidr>().map(drop),
        IpAddress::FORMAT => text.parse::<IpAddress>().map(drop),
        Endpoint::FORMAT => text.parse::<Endpoint>().map(drop),
        HostRule::FORMAT => text.parse::<HostRule>().map(drop),
        FilePath::FORMAT => text.parse::<FilePath>().map(drop),
        LogTarget::FORMAT => text.parse::<LogTarget>().map(drop),
        FileMode::FORMAT => text.parse::<FileMode>().map(drop),
        FieldName::FORMAT => text.parse::<FieldName>().map(drop),
        FieldValue::FORMAT => text.parse::<FieldValue>().map(drop),
        MethodName::FORMAT => text.parse::<MethodName>().map(drop),
        Name::FORMAT => text.parse::<Name>().map(drop),
        StatusPattern::FORMAT => text.parse::<StatusPattern>().map(drop),
        RetryOn::FORMAT => text.parse::<RetryOn>().map(drop),
        HedgeAfter::FORMAT => text.parse::<HedgeAfter>().map(drop),
        Host::FORMAT => text.parse::<Host>().map(drop),
        Path::FORMAT => text.parse::<Path>().map(drop),
        Regex::FORMAT => text.parse::<Regex>().map(drop),
        ServerAddress::FORMAT => text.parse::<ServerAddress>().map(drop),
        StoreAddress::FORMAT => text.parse::<StoreAddress>().map(drop),
        TestUrl::FORMAT => text.parse::<TestUrl>().map(drop),
        TemplateText::FORMAT => text.parse::<TemplateText>().map(drop),
        ExprText::FORMAT => text.parse::<ExprText>().map(drop),
        StatusRange::FORMAT => text.parse::<StatusRange>().map(drop),
        LegStatus::FORMAT => text.parse::<LegStatus>().map(drop),
        RpcMethod::FORMAT => text.parse::<RpcMethod>().map(drop),
        QueryText::FORMAT => text.parse::<QueryText>().map(drop),
        RequestPath::FORMAT => text.parse::<RequestPath>().map(drop),
        CookieName::FORMAT => text.parse::<CookieName>().map(drop),
        Cause::FORMAT => text.parse::<Cause>().map(drop),
        KubernetesName::FORMAT => text.parse::<KubernetesName>().map(drop),
        PortRef::FORMAT => text.parse::<PortRef>().map(drop),
        RpcName::FORMAT => text.parse::<RpcName>().map(drop),
        Origin::FORMAT => text.parse::<Origin>().map(drop),
        RpcPath::FORMAT => text.parse::<RpcPath>().map(drop),
        RpcCode::FORMAT => text.parse::<RpcCode>().map(drop),
        HostSuffix::FORMAT => text.parse::<HostSuffix>().map(drop),
        LegName::FORMAT => text.parse::<LegName>().map(drop),
        LegTemplate::FORMAT => text.parse::<LegTemplate>().map(drop),
        LegExpr::FORMAT => text.parse::<LegExpr>().map(drop),
        Filter::FORMAT => text.parse::<Filter>().map(drop),
        _ => return None,
    })
}

fn unit<T: FromStr<Err = String>>(text: &str) -> Result<(), TextError> {
    text.parse::<T>().map(drop).map_err(TextError::from)
}

/// What a format is called in messages, with its article.
pub(crate) fn noun(format: &str) -> &'static str {
    match format {
        "duration" => "a duration",
        "size" => "a size in bytes",
        "rate" => "a rate",
        "share" => "a share",
        "allotment" => "a quota",
        "secret" => "a secret text",
        Bind::FORMAT => "an address to listen on",
        Cidr::FORMAT => "an address range",
        IpAddress::FORMAT => "an IP address",
        Endpoint::FORMAT => "the URL of an endpoint",
        HostRule::FORMAT => "`preserve`, `endpoint` or a host",
        FilePath::FORMAT => "the path of a file",
        LogTarget::FORMAT => "`stdout`, `stderr` or the path of a file",
        FileMode::FORMAT => "the mode of a file",
        FieldName::FORMAT => "the name of a header field",
        FieldValue::FORMAT => "the value of a header field",
        MethodName::FORMAT => "a request method",
        Name::FORMAT => "a name",
        StatusPattern::FORMAT => "a status such as `404` or `5xx`",
        RetryOn::FORMAT => "something to try again on",
        HedgeAfter::FORMAT => "a duration or a percentile",
        Host::FORMAT => "a host",
        Path::FORMAT => "a path",
        Regex::FORMAT => "a regular expression",
        ServerAddress::FORMAT => "the address of a name server",
        StoreAddress::FORMAT => "the address of a server",
        TestUrl::FORMAT => "a URL or a path",
        TemplateText::FORMAT => "a text",
        ExprText::FORMAT => "an expression",
        StatusRange::FORMAT | LegStatus::FORMAT => "a status",
        RpcMethod::FORMAT => "a method",
        QueryText::FORMAT => "a query",
        RequestPath::FORMAT => "a path",
        CookieName::FORMAT => "the name of a cookie",
        Cause::FORMAT => "a failure or a status",
        KubernetesName::FORMAT => "a name in Kubernetes",
        PortRef::FORMAT => "the name or number of a port",
        RpcName::FORMAT => "a name of a `.proto` file",
        Origin::FORMAT => "an origin",
        RpcPath::FORMAT => "a path with fields in it",
        RpcCode::FORMAT => "a status of gRPC",
        HostSuffix::FORMAT => "the end of a label",
        LegName::FORMAT => "the name of a leg",
        LegTemplate::FORMAT => "a text with values of the request and the legs",
        LegExpr::FORMAT => "an expression over the request and the legs",
        Filter::FORMAT => "a jq filter",
        _ => "a text",
    }
}
