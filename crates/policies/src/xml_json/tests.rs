#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{Exchange, Flow, Rejection};
use serde_json::json;
use tokio::time::Instant;

use crate::{Chain, Context, Depth, Wait, testing};

const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";

fn chain(config: serde_json::Value) -> Chain {
    testing::chain_of("xml_json", config, &Context::default())
}

fn post(media: &str, accept: Option<&str>) -> Exchange {
    let mut request = Request::post("/").header("content-type", media);
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    testing::of(request)
}

/// Sends a request through; its body as the service gets it.
async fn sent(
    chain: &Chain,
    depth: &mut Depth,
    exchange: &mut Exchange,
    body: &str,
) -> Result<String, Rejection> {
    let mut body = Body::from(bytes::Bytes::copy_from_slice(body.as_bytes()));
    let mut flow = chain.on_request(depth, exchange, &mut body);
    if matches!(flow, Flow::Wait) {
        let (timer, pools) = (Timer::new(), testing::pools());
        let deadline = Instant::now() + std::time::Duration::from_secs(30);
        let wait = Wait {
            timer: &timer,
            deadline,
            pools: &pools,
        };
        flow = chain.resume(depth, exchange, &mut body, &wait).await;
    }
    match flow {
        Flow::Refuse(rejection) => Err(rejection),
        _ => Ok(text(body).await),
    }
}

/// Sends an answer back; as the client gets it.
async fn answered(
    chain: &Chain,
    mut depth: Depth,
    exchange: &mut Exchange,
    (status, media, body): (u16, &str, &str),
) -> Result<(u16, String, String), Rejection> {
    let mut response = Response::new(Body::from(bytes::Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if !media.is_empty() {
        response
            .headers_mut()
            .insert("content-type", media.parse().unwrap());
        response
            .headers_mut()
            .insert("etag", "\"1\"".parse().unwrap());
        response
            .headers_mut()
            .insert("content-length", body.len().into());
    }
    while chain.on_response(&mut depth, exchange, &mut response) {
        chain.remake(depth, exchange, &mut response).await?;
        assert_eq!(response.headers().get("content-length"), None);
        assert!(
            response
                .headers()
                .get("etag")
                .is_none_or(|tag| tag == "W/\"1\"")
        );
    }
    let media = response.headers().get("content-type");
    let media = media.map_or("", |media| media.to_str().unwrap()).to_owned();
    let status = response.status().as_u16();
    Ok((status, media, text(response.into_body()).await))
}

async fn text(body: Body) -> String {
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_client_gets_what_it_prefers() {
    let chain = chain(json!({ "service": "xml" }));
    let xml = (200, "text/xml", "<a>1</a>");
    for (media, accept, body, goes, comes) in [
        (
            "application/json",
            None,
            r#"{"a":1}"#,
            "<a>1</a>",
            r#"{"a":"1"}"#,
        ),
        (
            "application/json",
            Some("*/*"),
            r#"{"a":1}"#,
            "<a>1</a>",
            r#"{"a":"1"}"#,
        ),
        (
            "application/x+json",
            Some("text/xml"),
            r#"{"a":1}"#,
            "<a>1</a>",
            "<a>1</a>",
        ),
        ("text/xml", None, "<b/>", "<b/>", "<a>1</a>"),
        (
            "text/xml; charset=utf-8",
            Some("*/*"),
            "<b/>",
            "<b/>",
            "<a>1</a>",
        ),
        (
            "application/soap+xml",
            Some("application/json"),
            "<b/>",
            "<b/>",
            r#"{"a":"1"}"#,
        ),
        (
            "text/xml",
            Some("application/json;q=0.5, application/xml;q=0.4"),
            "<b/>",
            "<b/>",
            r#"{"a":"1"}"#,
        ),
    ] {
        let (mut exchange, mut depth) = (post(media, accept), Depth::default());
        let request = sent(&chain, &mut depth, &mut exchange, body).await.unwrap();
        assert!(request.ends_with(goes), "{request}");
        let (.., body) = answered(&chain, depth, &mut exchange, xml).await.unwrap();
        assert_eq!(body, comes, "{media} {accept:?}");
    }
}

#[tokio::test]
async fn what_is_neither_passes_or_is_refused() {
    let chain = chain(json!({ "service": "xml", "max_body": 20 }));
    for (media, body, status) in [
        ("text/plain", "x", 415),
        ("application/json", "{", 400),
        ("application/json", r#"{"a":1,"b":2}"#, 400),
        ("application/json", "                      {\"a\":1}", 413),
    ] {
        let (mut exchange, mut depth) = (post(media, None), Depth::default());
        let refused = sent(&chain, &mut depth, &mut exchange, body)
            .await
            .unwrap_err();
        assert_eq!(refused.status.as_u16(), status, "{media} {body}");
    }
    let mut compressed = post("application/json", None);
    let headers = &mut compressed.request.headers;
    headers.insert("content-encoding", "gzip".parse().unwrap());
    let refused = sent(&chain, &mut Depth::default(), &mut compressed, "{}").await;
    assert_eq!(refused.unwrap_err().code, "unsupported_encoding");

    for (answer, code) in [
        ((200, "text/xml", "<a>"), Some("answer_unfit")),
        (
            (200, "text/xml", "<a>12345678901234567890</a>"),
            Some("answer_unfit"),
        ),
        ((200, "text/html", "<a>"), None),
        ((204, "", ""), None),
        ((200, "text/xml", ""), None),
    ] {
        let (mut exchange, mut depth) = (testing::get(), Depth::default());
        let _ = sent(&chain, &mut depth, &mut exchange, "").await.unwrap();
        let came = answered(&chain, depth, &mut exchange, answer).await;
        match code {
            Some(code) => assert_eq!(came.unwrap_err().code, code),
            None => assert_eq!(came.unwrap().2, answer.2),
        }
    }
}

#[tokio::test]
async fn clients_of_soap_get_envelopes_and_faults() {
    let chain = chain(json!({
        "service": "json", "soap": {}, "request": { "root": "Get" }, "response": { "root": "Got" },
    }));
    let problem = r#"{"type":"about:blank","detail":"no such order","status":404}"#;
    for (media, namespace, not_found, code) in [
        ("text/xml", SOAP11, 500, "soap:Client"),
        (
            "application/soap+xml; action=\"x\"",
            SOAP12,
            400,
            "soap:Sender",
        ),
    ] {
        let call = format!(
            "<s:Envelope xmlns:s='{namespace}'><s:Body><o:Get xmlns:o='urn:o'><id>7</id></o:Get></s:Body></s:Envelope>"
        );
        let (mut exchange, mut depth) = (post(media, None), Depth::default());
        let request = sent(&chain, &mut depth, &mut exchange, &call)
            .await
            .unwrap();
        assert_eq!(request, r#"{"id":"7"}"#);
        let found = (200, "application/json", r#"{"id":7}"#);
        let (status, _, body) = answered(&chain, depth, &mut exchange, found).await.unwrap();
        assert_eq!(status, 200);
        assert!(
            body.contains(namespace)
                && body.contains("<soap:Body><Got><id>7</id></Got></soap:Body>")
        );

        let lost = (404, "application/problem+json", problem);
        let (status, _, body) = answered(&chain, depth, &mut exchange, lost).await.unwrap();
        assert_eq!(status, not_found, "{body}");
        for part in [
            code,
            "no such order",
            "<problem xmlns=\"urn:ietf:rfc:7807\">",
        ] {
            assert!(body.contains(part), "{part}: {body}");
        }
        let html = (503, "text/html", "<p>");
        let (status, _, body) = answered(&chain, depth, &mut exchange, html).await.unwrap();
        assert!(
            status == 500 && body.contains("Service Unavailable"),
            "{body}"
        );
        let broken = (200, "application/json", "{");
        let (status, _, body) = answered(&chain, depth, &mut exchange, broken)
            .await
            .unwrap();
        assert!(
            status == 500 && body.contains("can't be translated"),
            "{body}"
        );
        let nothing = (204, "", "");
        let (status, _, body) = answered(&chain, depth, &mut exchange, nothing)
            .await
            .unwrap();
        assert!(
            status == 200 && body.contains("<soap:Body></soap:Body>"),
            "{body}"
        );
    }
    for bad in [
        "<Get/>".to_owned(),
        format!("<s:Envelope xmlns:s='{SOAP12}'><s:Body><Get/></s:Body></s:Envelope>"),
        format!(
            "<s:Envelope xmlns:s='{SOAP11}'><s:Header><a s:mustUnderstand='1'/></s:Header><s:Body><Get/></s:Body></s:Envelope>"
        ),
        format!("<s:Envelope xmlns:s='{SOAP11}'><s:Body><Other/></s:Body></s:Envelope>"),
    ] {
        let mut exchange = post("text/xml", None);
        let refused = sent(&chain, &mut Depth::default(), &mut exchange, &bad).await;
        assert_eq!(refused.unwrap_err().code, "body_unfit", "{bad}");
    }
}

#[tokio::test]
async fn faults_have_statuses() {
    let chain = chain(json!({
        "service": "xml",
        "soap": { "version": "1.2", "faults": { "NotFound": 404, "Busy": 503 } },
        "request": { "root": "Get" },
    }));
    let fault = |codes: &[&str], detail: &str| {
        let (mut open, mut close) = (String::new(), String::new());
        for (at, code) in codes.iter().enumerate() {
            let name = if at == 0 { "Code" } else { "Subcode" };
            open += &format!("<s:{name}><s:Value>s:{code}</s:Value>");
            close = format!("</s:{name}>{close}");
        }
        format!(
            "<s:Envelope xmlns:s='{SOAP12}'><s:Body><s:Fault>{open}{close}<s:Reason><s:Text>why</s:Text></s:Reason>{detail}</s:Fault></s:Body></s:Envelope>"
        )
    };
    for (codes, detail, http, status) in [
        (&["Sender"][..], "", 400, 400),
        (&["Receiver"], "", 503, 503),
        (&["Receiver"], "", 200, 500),
        (&["VersionMismatch"], "", 500, 502),
        (&["Sender", "Busy"], "", 400, 503),
        (&["Sender"], "<s:Detail><NotFound/></s:Detail>", 400, 404),
    ] {
        let (mut exchange, mut depth) = (testing::get(), Depth::default());
        let request = sent(&chain, &mut depth, &mut exchange, "").await.unwrap();
        assert!(
            request.contains("<soap:Body><Get/></soap:Body>"),
            "{request}"
        );
        assert_eq!(exchange.request.method, "POST");
        let text = fault(codes, detail);
        let answer = (http, "application/soap+xml", &*text);
        let (got, media, body) = answered(&chain, depth, &mut exchange, answer)
            .await
            .unwrap();
        assert_eq!(
            (got, &*media),
            (status, "application/problem+json"),
            "{codes:?}"
        );
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["detail"], "why");
        assert_eq!(problem["fault"]["codes"], json!(codes));
        assert_eq!(problem["fault"].get("detail").is_some(), !detail.is_empty());
    }
}

#[tokio::test]
async fn values_of_a_request_are_text_and_nothing_else() {
    let chain = chain(json!({
        "service": "xml",
        "soap": { "action": "urn:${request.query[\"do\"]}" },
        "request": { "root": "Get", "fields": { "id": "${request.query[\"id\"]}", "@v": "1" } },
    }));
    let of = |target: &str| testing::of(Request::get(target));
    let mut exchange = of("/?id=%3C%2Fid%3E%26&do=Get");
    let request = sent(&chain, &mut Depth::default(), &mut exchange, "")
        .await
        .unwrap();
    assert!(
        request.contains("<Get v=\"1\"><id>&lt;/id&gt;&amp;</id></Get>"),
        "{request}"
    );
    assert_eq!(exchange.request.headers["soapaction"], "\"urn:Get\"");
    for bad in ["/?id=1", "/?do=1", "/?id=1&do=%22", "/?id=1&do=%0d%0aX:1"] {
        let refused = sent(&chain, &mut Depth::default(), &mut of(bad), "").await;
        assert_eq!(refused.unwrap_err().code, "value_missing", "{bad}");
    }
}

#[tokio::test]
async fn one_direction_may_be_off() {
    let chain = chain(json!({ "service": "xml", "response": "off" }));
    let (mut exchange, mut depth) = (post("application/json", None), Depth::default());
    let request = sent(&chain, &mut depth, &mut exchange, r#"{"a":1}"#)
        .await
        .unwrap();
    assert!(request.ends_with("<a>1</a>"));
    assert_eq!(exchange.request.headers.get("accept"), None);
    let xml = (200, "text/xml", "<a/>");
    assert_eq!(
        answered(&chain, depth, &mut exchange, xml).await.unwrap().2,
        "<a/>"
    );
    let problems = testing::chain_of(
        "xml_json",
        json!({ "service": "json" }),
        &Context::default(),
    );
    let (mut exchange, mut depth) = (post("text/xml", None), Depth::default());
    let request = sent(&problems, &mut depth, &mut exchange, "<a><b/></a>")
        .await
        .unwrap();
    assert_eq!(request, r#"{"a":{"b":""}}"#);
    let problem = (404, "application/problem+json", r#"{"title":"x"}"#);
    let (_, media, body) = answered(&problems, depth, &mut exchange, problem)
        .await
        .unwrap();
    assert_eq!(media, "application/problem+xml");
    assert!(body.ends_with("<problem xmlns=\"urn:ietf:rfc:7807\"><title>x</title></problem>"));
}
