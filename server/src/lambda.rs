//! The router on Lambda's runtime API, without the Web Adapter.
//!
//! An event is turned into the very request that the adapter would make of it, with the same two headers, so that
//! nothing behind the router knows which of them was there (<https://github.com/awslabs/aws-lambda-web-adapter>,
//! "Request Context" and "Lambda Context").

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::{HeaderName, HeaderValue, Method, Request, Response, Uri, header},
};
use lambda_http::{
    Context, LambdaEvent,
    lambda_runtime::{self, FunctionResponse, MetadataPrelude, StreamResponse},
    request::LambdaRequest,
    service_fn,
};
use serde_json::Value;
use tower::ServiceExt;

const REQUEST_CONTEXT: HeaderName = HeaderName::from_static("x-amzn-request-context");
const LAMBDA_CONTEXT: HeaderName = HeaderName::from_static("x-amzn-lambda-context");
const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A page or a stream, byte by byte as it comes; or nothing, which is what a queue's event is answered with.
type Answer = FunctionResponse<Value, BodyDataStream>;

/// Answers events, one after the other, until the runtime API is gone.
///
/// # Errors
/// One line that says why it is gone.
pub async fn run(router: Router) -> Result<(), String> {
    let answered = lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let router = router.clone();
        async move { answer(router, event).await }
    }));
    answered.await.map_err(|e| format!("Lambda's runtime API does not answer ({e})"))
}

/// # Errors
/// Where a queue's message is to be delivered again: a function error. HTTP has its status codes.
async fn answer(router: Router, event: LambdaEvent<Value>) -> Result<Answer, lambda_http::Error> {
    let LambdaEvent { payload, context } = event;
    let http = payload.get("requestContext").is_some_and(|c| c.get("http").is_some());
    if !http {
        let response = call(router, posted(&payload, &context)?).await;
        return match response.status() {
            status if status.is_server_error() => Err(format!("the event was answered by {status}").into()),
            _ => Ok(FunctionResponse::BufferedResponse(Value::Null)),
        };
    }
    let request = requested(payload, &context)?;
    let (mut parts, body) = call(router, request).await.into_parts();
    let cookies = parts.headers.get_all(header::SET_COOKIE).into_iter();
    let cookies = cookies.filter_map(|c| c.to_str().ok().map(str::to_owned)).collect();
    parts.headers.remove(header::SET_COOKIE);
    let metadata_prelude = MetadataPrelude { status_code: parts.status, headers: parts.headers, cookies };
    Ok(FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream: body.into_data_stream() }))
}

async fn call(router: Router, request: Request<Body>) -> Response<Body> {
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// A request as a browser made it.
fn requested(payload: Value, context: &Context) -> Result<Request<Body>, lambda_http::Error> {
    let about = text(&payload["requestContext"].to_string())?;
    let event: LambdaRequest = serde_json::from_value(payload)?;
    let (mut parts, body) = lambda_http::Request::from(event).into_parts();
    // As it stands on a request's first line; the host has its header.
    parts.uri = Uri::from(parts.uri.path_and_query().cloned().ok_or("an event without a path")?);
    parts.extensions.clear();
    let mut request = Request::from_parts(parts, from_event(body));
    request.headers_mut().insert(REQUEST_CONTEXT, about);
    told(request, context)
}

/// Any other event, as a request to `/events`.
fn posted(payload: &Value, context: &Context) -> Result<Request<Body>, lambda_http::Error> {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/events")
        .header(header::CONTENT_TYPE, "application/json")
        .header(REQUEST_CONTEXT, "null")
        .body(Body::from(payload.to_string()))?;
    told(request, context)
}

/// What the invocation says of itself.
fn told(mut request: Request<Body>, context: &Context) -> Result<Request<Body>, lambda_http::Error> {
    let headers = request.headers_mut();
    headers.insert(LAMBDA_CONTEXT, text(&serde_json::to_string(context)?)?);
    if let Some(trace) = context.xray_trace_id.as_deref().and_then(|t| HeaderValue::from_str(t).ok()) {
        headers.insert(TRACE, trace);
    }
    Ok(request)
}

/// Any text as a header's value: what a client calls itself, and its path, may hold letters that ASCII has not.
fn text(value: &str) -> Result<HeaderValue, lambda_http::Error> {
    Ok(HeaderValue::from_bytes(value.as_bytes())?)
}

fn from_event(body: lambda_http::Body) -> Body {
    match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, extract::Request as Asked, response::IntoResponse, routing::any};
    use futures::StreamExt;
    use serde_json::json;

    use super::*;

    /// Says back what it was asked.
    fn echo() -> Router {
        Router::new().fallback(any(|req: Asked| async move {
            let (parts, body) = req.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap();
            let all = |name: &str| {
                let values = parts.headers.get_all(name).into_iter();
                values.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect::<Vec<_>>()
            };
            let told = json!({
                "line": format!("{} {}", parts.method, parts.uri),
                "context": all("x-amzn-request-context"),
                "lambda": all("x-amzn-lambda-context"),
                "cookie": all("cookie"),
                "body": String::from_utf8_lossy(&body),
            });
            ([("set-cookie", "a=1"), ("x-more", "yes")], told.to_string()).into_response()
        }))
    }

    fn event(payload: Value) -> LambdaEvent<Value> {
        let mut context = Context::default();
        (context.request_id, context.deadline) = ("r-1".into(), 1_900_000);
        LambdaEvent::new(payload, context)
    }

    async fn asked(payload: Value) -> (MetadataPrelude, Value) {
        let Ok(FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, mut stream })) =
            answer(echo(), event(payload)).await
        else {
            panic!("a stream is the answer to a request");
        };
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk.unwrap());
        }
        (metadata_prelude, serde_json::from_slice(&body).unwrap())
    }

    fn request(method: &str, path: &str, query: &str, body: Option<&str>, base64: bool) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "cookies": ["id=1", "theme=dark"],
            "headers": { "host": "x.lambda-url.eu-central-1.on.aws", "x-amzn-request-context": "null", "x-amzn-lambda-context": "mine" },
            "requestContext": {
                "accountId": "anonymous", "apiId": "x", "domainName": "x.lambda-url.eu-central-1.on.aws", "requestId": "q",
                "routeKey": "$default", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1583348638390u64,
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "a" }
            },
            "body": body, "isBase64Encoded": base64
        })
    }

    #[tokio::test]
    async fn a_request_is_what_the_adapter_would_make_of_it() {
        let (prelude, told) = asked(request("POST", "/api/chat/send", "a=1&b=%20x", Some("dGV4dD3DqQ=="), true)).await;
        assert_eq!(told["line"], "POST /api/chat/send?a=1&b=%20x");
        assert_eq!((&told["body"], &told["cookie"]), (&json!("text=é"), &json!(["id=1; theme=dark"])));
        // What a client claims of itself is overwritten.
        let context: Value = serde_json::from_str(told["context"][0].as_str().unwrap()).unwrap();
        assert_eq!(
            (told["context"].as_array().unwrap().len(), &context["http"]["sourceIp"]),
            (1, &json!("203.0.113.7"))
        );
        let lambda: Value = serde_json::from_str(told["lambda"][0].as_str().unwrap()).unwrap();
        assert_eq!(
            (told["lambda"].as_array().unwrap().len(), &lambda["deadline"], &lambda["request_id"]),
            (1, &json!(1_900_000), &json!("r-1"))
        );
        assert_eq!((prelude.status_code.as_u16(), &prelude.cookies[..]), (200, &["a=1".to_owned()][..]));
        assert!(prelude.headers.contains_key("x-more") && !prelude.headers.contains_key("set-cookie"));
        let (_, told) = asked(request("GET", "/", "", None, false)).await;
        assert_eq!((&told["line"], &told["body"]), (&json!("GET /"), &json!("")));
    }

    #[tokio::test]
    async fn what_is_not_ascii_is_no_function_error() {
        let mut payload = request("GET", "/%C3%A9", "", None, false);
        payload["requestContext"]["http"]["userAgent"] = json!("Ré\u{1f980}");
        payload["requestContext"]["http"]["path"] = json!("/é");
        let (prelude, told) = asked(payload).await;
        assert_eq!((prelude.status_code.as_u16(), &told["line"]), (200, &json!("GET /%C3%A9")));
        let context: Value = serde_json::from_str(told["context"][0].as_str().unwrap()).unwrap();
        assert_eq!((&context["http"]["userAgent"], &context["http"]["path"]), (&json!("Ré\u{1f980}"), &json!("/é")));
    }

    #[tokio::test]
    async fn any_other_event_is_posted_and_fails_only_as_a_whole() {
        static TOLD: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
        let router = |status: u16| {
            Router::new().route(
                "/events",
                any(move |req: Asked| async move {
                    let mark = req.headers()["x-amzn-request-context"].to_str().unwrap().to_owned();
                    let body = to_bytes(req.into_body(), 1 << 20).await.unwrap();
                    TOLD.lock().unwrap().push(format!("{mark} {}", String::from_utf8_lossy(&body)));
                    axum::http::StatusCode::from_u16(status).unwrap()
                }),
            )
        };
        let records = json!({ "Records": [{ "body": "x" }] });
        for (status, fine) in [(200, true), (400, true), (503, false)] {
            assert_eq!(answer(router(status), event(records.clone())).await.is_ok(), fine, "{status}");
        }
        assert_eq!(TOLD.lock().unwrap()[0], format!("null {records}"));
    }
}
