//! Secrets out of AWS Systems Manager's Parameter Store, read once, before anything else.
//!
//! One call of one operation, so it is signed and sent by the SDK's own parts: the whole SDK of Systems Manager, with
//! its hundred operations, would cost minutes of every build
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html>).

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::{HeaderValue, Request, header};
use serde::Deserialize;

use super::{
    AwsCredentials, ConfigError,
    read::{Reader, bad},
};
use crate::{clock::Clock, storage};

/// The variable that names the path.
const PATH: &str = "OUTLAST_SECRETS_PATH";
/// What may stand there; anything else under the path is not ours.
const NAMES: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OUTLAST_SECRET",
    "OUTLAST_ACCESS_CODE_HASH",
    "OUTLAST_ADMIN_PASSWORD_HASH",
    ORIGIN,
    "OUTLAST_WEBHOOK_SECRET",
];
/// What a proxy in front shows. It is put there before the proxy is, and taken away after it.
const ORIGIN: &str = "OUTLAST_ORIGIN_SECRET";
/// Whether there is one.
const FRONT: &str = "OUTLAST_FRONT";
/// One attempt. Lambda gives a start ten seconds.
const ATTEMPT: Duration = Duration::from_millis(2500);
const ATTEMPTS: u32 = 3;
/// The most that one answer holds.
const A_PAGE: u32 = 10;

/// Where they are, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// With a slash in front and none behind.
    path: String,
    region: String,
    /// None: Amazon's.
    endpoint: Option<String>,
    credentials: AwsCredentials,
    /// Nothing stands in front, so nobody could show its secret.
    bare: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    parameters: Vec<Parameter>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    value: String,
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether a call is worth repeating, and what was wrong, without a secret in it.
struct Fault(bool, String);

impl Reader<'_> {
    /// Where secrets are, if anywhere else than in the environment.
    pub(super) fn secrets(&self) -> Result<Option<Place>, ConfigError> {
        let Some(path) = self.get(PATH) else { return Ok(None) };
        let path = path.trim_end_matches('/');
        let fits = path.starts_with('/')
            && path.len() > 1
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'.'));
        if !fits {
            return Err(bad(PATH, "is no parameter's path; use a name with slashes, such as /outlast/chat"));
        }
        let endpoint = self.endpoint("AWS_ENDPOINT_URL_SSM")?;
        let Some(region) = self.region() else {
            return Err(bad("AWS_REGION", "is not set; use the parameters' region, such as eu-central-1"));
        };
        let Some(credentials) = self.credentials(true)? else { return Ok(None) };
        let bare = match self.get(FRONT).as_deref() {
            None | Some("proxy") => false,
            Some("none") => true,
            Some(_) => return Err(bad(FRONT, "is neither proxy nor none")),
        };
        Ok(Some(Place { path: path.to_owned(), region, endpoint, credentials, bare }))
    }
}

impl Place {
    /// All of ours that stand there, by the names of their variables.
    ///
    /// # Errors
    /// When they cannot be read; the server must not start with half of them.
    pub(super) async fn read(&self) -> Result<BTreeMap<&'static str, String>, ConfigError> {
        let (mut found, mut token) = (BTreeMap::new(), None);
        loop {
            let page = self.page(token.as_deref()).await?;
            for Parameter { name, value } in page.parameters {
                let variable = name.rsplit('/').next().unwrap_or_default();
                let ours = NAMES.iter().find(|known| **known == variable);
                if let Some(known) = ours.filter(|known| !(self.bare && **known == ORIGIN)) {
                    found.insert(*known, value);
                }
            }
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn page(&self, token: Option<&str>) -> Result<Page, ConfigError> {
        let mut attempt = 1;
        loop {
            let asked = tokio::time::timeout(ATTEMPT, self.ask(token)).await;
            let Fault(again, fault) = match asked {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err(fault)) => fault,
                Err(_) => Fault(true, "no answer in time".to_owned()),
            };
            if !again || attempt == ATTEMPTS {
                return Err(bad(PATH, format!("names {}, whose parameters cannot be read: {fault}", self.path)));
            }
            tokio::time::sleep(Duration::from_millis(100 * u64::from(attempt))).await;
            attempt += 1;
        }
    }

    async fn ask(&self, token: Option<&str>) -> Result<Page, Fault> {
        let broken = |e: &dyn std::fmt::Display| Fault(false, e.to_string());
        let mut body = serde_json::json!({ "Path": self.path, "WithDecryption": true, "MaxResults": A_PAGE });
        if let Some(token) = token {
            body["NextToken"] = token.into();
        }
        let request = self.signed(body.to_string()).map_err(|e| broken(&e))?;
        let plain = self.endpoint.as_deref().is_some_and(|e| e.starts_with("http://"));
        let connector = storage::connector(plain, self.endpoint.is_none()).map_err(|e| broken(&e))?;
        let request = request.map(SdkBody::from).try_into().map_err(|e| broken(&e))?;
        let response = connector.call(request).await.map_err(|e| Fault(true, format!("{e:?}")))?;
        let status = response.status().as_u16();
        let body = ByteStream::new(response.into_body()).collect().await.map_err(|e| Fault(true, e.to_string()))?;
        let body = body.into_bytes();
        if status != 200 {
            // `{"__type": "AccessDeniedException", "message": "…"}`: AWS's own words, which name the role and the path.
            let said = String::from_utf8_lossy(&body).chars().take(300).collect::<String>();
            return Err(Fault(status >= 500 || status == 429, format!("{status} {said}")));
        }
        serde_json::from_slice(&body).map_err(|_| Fault(false, "the answer is not JSON as it should be".to_owned()))
    }

    fn signed(&self, body: String) -> Result<Request<String>, Box<dyn std::error::Error + Send + Sync>> {
        let host = format!("https://ssm.{}.{}", self.region, domain(&self.region));
        let uri = format!("{}/", self.endpoint.as_deref().unwrap_or(&host));
        let content_type = "application/x-amz-json-1.1";
        let target = "AmazonSSM.GetParametersByPath";
        let AwsCredentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let token = session_token.as_ref().map(|t| t.expose().to_owned());
        let identity = Credentials::new(access_key_id, secret_access_key.expose(), token, None, "environment").into();
        let now: SystemTime = UNIX_EPOCH + Duration::from_millis(Clock::default().now().millis());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ssm")
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = [("content-type", content_type), ("x-amz-target", target)];
        let signable = SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = Request::post(&uri)
            .header(header::CONTENT_TYPE, content_type)
            .header("x-amz-target", HeaderValue::from_static(target))
            .body(body)?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// China's regions have a domain of their own.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, http::HeaderMap, http::StatusCode, routing::post};

    use super::*;

    type Heard = Arc<Mutex<Vec<(HeaderMap, serde_json::Value)>>>;

    /// Answers as Parameter Store does: two pages, after as many faults as are asked for.
    async fn parameters(faults: usize, status: StatusCode) -> (String, Heard) {
        let heard = Heard::default();
        let told = Arc::clone(&heard);
        let app = Router::new().route(
            "/",
            post(move |headers: HeaderMap, body: String| async move {
                let body: serde_json::Value = serde_json::from_str(&body).unwrap();
                let mut told = told.lock().unwrap();
                told.push((headers, body.clone()));
                if told.len() <= faults {
                    return (status, r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned());
                }
                let page = if body["NextToken"] == "more" {
                    serde_json::json!({ "Parameters": [{ "Name": "/outlast/t/OUTLAST_SECRET", "Value": "s", "Type": "SecureString" }] })
                } else {
                    let all = [("ANTHROPIC_API_KEY", "k"), ("SOMETHING_ELSE", "x"), ("PATH", "/evil"), (ORIGIN, "o")];
                    let all = all.map(|(n, v)| serde_json::json!({ "Name": format!("/outlast/t/{n}"), "Value": v }));
                    serde_json::json!({ "Parameters": all, "NextToken": "more" })
                };
                (StatusCode::OK, page.to_string())
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (url, heard)
    }

    fn place(vars: &[(&str, &str)]) -> Result<Option<Place>, ConfigError> {
        let base = [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let all = [vars, &base].concat();
        Reader::new(&|name| all.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())).secrets()
    }

    #[tokio::test]
    async fn all_pages_are_read_and_only_what_is_ours_is_kept() {
        let (url, heard) = parameters(1, StatusCode::SERVICE_UNAVAILABLE).await;
        let place = place(&[(PATH, "/outlast/t/"), ("AWS_ENDPOINT_URL_SSM", &url)]).unwrap().unwrap();
        let found = place.read().await.unwrap();
        let kept = [("ANTHROPIC_API_KEY", "k"), (ORIGIN, "o"), ("OUTLAST_SECRET", "s")];
        assert_eq!(found, BTreeMap::from(kept.map(|(name, value)| (name, value.to_owned()))));
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 3, "one fault, two pages");
        let (headers, body) = &heard[0];
        assert_eq!((&body["Path"], &body["WithDecryption"]), (&"/outlast/t".into(), &true.into()));
        assert_eq!(headers["x-amz-target"], "AmazonSSM.GetParametersByPath");
        let signed = headers["authorization"].to_str().unwrap();
        assert!(signed.contains("eu-central-1/ssm/aws4_request") && signed.contains("x-amz-target"), "{signed}");
    }

    #[tokio::test]
    async fn a_refusal_is_said_and_not_repeated() {
        let (url, heard) = parameters(9, StatusCode::BAD_REQUEST).await;
        let place = place(&[(PATH, "/outlast/t"), ("AWS_ENDPOINT_URL_SSM", &url)]).unwrap().unwrap();
        let error = place.read().await.unwrap_err().to_string();
        assert!(error.starts_with("OUTLAST_SECRETS_PATH") && error.contains("AccessDenied"), "{error}");
        assert!(!error.contains('\n') && heard.lock().unwrap().len() == 1);
    }

    #[tokio::test]
    async fn what_a_front_shows_is_asked_for_only_where_there_is_one() {
        for (front, kept) in [(None, true), (Some("proxy"), true), (Some("none"), false)] {
            let (url, _) = parameters(0, StatusCode::OK).await;
            let vars = [(PATH, "/outlast/t"), ("AWS_ENDPOINT_URL_SSM", &*url), (FRONT, front.unwrap_or_default())];
            let vars = vars.get(..if front.is_some() { 3 } else { 2 }).unwrap();
            let found = place(vars).unwrap().unwrap().read().await.unwrap();
            assert_eq!(found.contains_key(ORIGIN), kept, "{front:?}");
            assert!(found.contains_key("OUTLAST_SECRET"));
        }
        assert_eq!(place(&[(PATH, "/outlast/t"), (FRONT, "maybe")]).unwrap_err().variable, FRONT);
    }

    #[test]
    fn the_path_is_checked_and_goes_to_the_regions_own_host() {
        assert_eq!(place(&[]).unwrap(), None);
        for bad in ["outlast", "/", "/a b", "/a?b"] {
            assert_eq!(place(&[(PATH, bad)]).unwrap_err().variable, PATH, "{bad}");
        }
        let signed = place(&[(PATH, "/x")]).unwrap().unwrap().signed(String::new()).unwrap();
        assert_eq!(signed.uri().host(), Some("ssm.eu-central-1.amazonaws.com"));
    }
}
