use app::{
    domain::{Job, JobId, JobStatus, JobView, Timestamp, TurnError, Variant},
    error::{ApiError, Code},
};

use super::support::*;

const HTML: &str =
    "<!DOCTYPE html><title>t</title><LINK rel=preconnect href=//evil.example><script>top.x=1</script><p>Hi";

pub(crate) fn job_id(n: u128) -> JobId {
    JobId::from_parts(Timestamp::from_millis(4), n)
}

fn variant(index: u32, status: JobStatus, text: Option<&str>) -> Variant {
    let chars = text.map_or(0, |t| t.chars().count() as u64);
    let error = (status == JobStatus::Failed).then(|| TurnError {
        code: "upstream_reset".into(),
        message: "The model's server broke off.".into(),
        retryable: true,
    });
    let turn_id = turn_id(u128::from(index) + 20);
    Variant { index, turn_id, status, chars, text: text.map(Into::into), json: None, error }
}

fn view(id: JobId, variants: Vec<Variant>) -> JobView {
    let status = JobStatus::of(variants.iter().map(|v| v.status), false);
    let at = Timestamp::from_millis(1_800_000_000_000);
    let ended = variants.iter().map(|v| v.status.is_over().then(|| at.plus_millis(21_000))).collect();
    let finished_at = status.is_over().then(|| at.plus_millis(21_000));
    let (title, model) = ("A page for <tides>".to_owned(), "m".to_owned());
    let job = Job { job_id: id, status, title, model, structured: false, submitted_at: at, finished_at, variants };
    JobView { job, prompt: "A page for <tides>\n/sim html".into(), ended }
}

async fn with_job(variants: Vec<Variant>) -> (Server, JobId, String) {
    let server = Server::start().await;
    let id = job_id(1);
    server.script.lock().unwrap().jobs.insert(id, (user(1), view(id, variants)));
    let cookie = server.cookie(user(1));
    (server, id, cookie)
}

async fn page(server: &Server, path: &str, cookie: &str) -> (u16, String) {
    let res = server.get(path).header("cookie", cookie).send().await.unwrap();
    (res.status().as_u16(), res.text().await.unwrap())
}

fn finished() -> Vec<Variant> {
    use JobStatus::{Complete, Failed};
    vec![
        variant(0, Complete, Some("Know the water *before* you are in it, and after.")),
        variant(1, Complete, Some(HTML)),
        variant(2, Failed, Some("Half of")),
        variant(3, Complete, Some("{\"a\": [1, {\"b\": \"<i>\"}]}")),
        variant(4, Complete, Some("Read the water *before* you are in it, and after.")),
    ]
}

/// Foreign and missing are the same answer, on every address that names a job.
#[tokio::test]
async fn a_job_is_its_owners() {
    let (server, id, own) = with_job(finished()).await;
    let (other, none) = (server.cookie(user(2)), String::new());
    for rest in ["", "?v=0", "?compare=0,1", "/zip", "/0/text", "/1/preview"] {
        let path = format!("/jobs/{id}{rest}");
        let (status, _) = page(&server, &path, &own).await;
        assert_eq!(status, 200, "{path}");
        let missing = page(&server, &format!("/jobs/{}{rest}", job_id(2)), &other).await;
        for cookie in [&other, &none] {
            let (status, html) = page(&server, &path, cookie).await;
            assert!(status == 404 && html.contains("Nothing here."), "{path}");
            assert!(!html.contains("tides") && !html.contains("water"), "{path}");
        }
        assert_eq!(missing.0, 404);
    }
    for path in [
        format!("/jobs/{id}?v=9"),
        format!("/jobs/{id}?compare=0,9"),
        format!("/jobs/{id}/9/text"),
        format!("/jobs/{id}/0/preview"),
        "/jobs/nonsense".into(),
        format!("/jobs/{id}/x/text"),
    ] {
        assert_eq!(page(&server, &path, &own).await.0, 404, "{path}");
    }
    // A draft too.
    assert_eq!(page(&server, &format!("/?job={id}&v=0"), &other).await.0, 404);
    let (status, html) = page(&server, &format!("/?job={id}&v=0"), &own).await;
    assert!(status == 200 && html.contains(">Know the water *before* you"), "{html}");
}

#[tokio::test]
async fn variants_stand_side_by_side() {
    let (server, id, own) = with_job(finished()).await;
    let (_, html) = page(&server, &format!("/jobs/{id}"), &own).await;
    for wanted in [
        "4 of 5 done, 1 failed",
        "Variant 5",
        "<em>before</em>",
        "broke off.",
        "What it wrote, 7 characters, is kept.",
        "upstream_reset",
        "Retry the failed one",
        "Download 4",
        "sandbox loading=\"lazy\"",
        "A page for &lt;tides&gt;",
        "form=\"compare\" name=\"compare\" value=\"0\" autocomplete=\"off\" checked",
    ] {
        assert!(html.contains(wanted), "{wanted} is not in {html}");
    }
    assert!(!html.contains("<script>top.x") && !html.contains("http-equiv"), "{html}");
    let (_, html) = page(&server, &format!("/jobs/{id}?v=3"), &own).await;
    assert!(html.contains("<span class=\"k\">b</span>: &quot;&lt;i&gt;&quot;"), "{html}");
    let (_, html) = page(&server, &format!("/jobs/{id}?compare=0&compare=4"), &own).await;
    assert!(
        html.contains("<del data-place=\"1\">Know</del>") && html.contains("<ins data-place=\"1\">Read</ins>"),
        "{html}"
    );
    assert!(html.contains("They differ in 1 place, 1 word of 10."), "{html}");
    // Beside itself it is seen once.
    let (status, html) = page(&server, &format!("/jobs/{id}?compare=4&compare=4"), &own).await;
    assert_eq!((status, html.contains("id=\"l4\"")), (200, false), "{html}");
    let (_, html) = page(&server, &format!("/jobs/{id}?compare=0,4&marks=off&view=text"), &own).await;
    assert!(!html.contains("<del") && html.contains("*before*"));
}

/// What goes on is looked at again, and can be cancelled; nothing of it can be compared yet.
#[tokio::test]
async fn a_running_job_looks_again() {
    use JobStatus::{Complete, Queued, Running};
    let (server, id, own) =
        with_job(vec![variant(0, Complete, Some("a")), variant(1, Running, None), variant(2, Queued, None)]).await;
    let (_, html) = page(&server, &format!("/jobs/{id}"), &own).await;
    for wanted in [
        "1 of 3 done, 1 being written, 1 queued",
        "http-equiv",
        "looks again every 3 s",
        "/api/jobs/cancel",
        "Stop variant 2",
        "Stop variant 3",
        "data-watch=",
        "Waiting its turn",
    ] {
        assert!(html.contains(wanted), "{wanted} is not in {html}");
    }
    assert!(!html.contains("Compare two") && !html.contains("/api/jobs/retry"));
}

#[tokio::test]
async fn a_preview_can_do_nothing() {
    let (server, id, own) = with_job(finished()).await;
    let res = server.get(&format!("/jobs/{id}/1/preview")).header("cookie", &own).send().await.unwrap();
    let csp = header(&res, "content-security-policy").to_owned();
    for rule in ["sandbox", "default-src 'none'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'"] {
        assert!(csp.split(';').any(|r| r.trim() == rule), "{rule} is not in {csp}");
    }
    assert!(!csp.contains("allow-") && !csp.contains("script-src") && !csp.contains("http"), "{csp}");
    assert_eq!(header(&res, "x-dns-prefetch-control"), "off");
    assert_eq!(header(&res, "x-content-type-options"), "nosniff");
    let html = res.text().await.unwrap();
    assert!(html.contains("<no-LINK rel=preconnect") && html.ends_with("<p>Hi"), "{html}");
}

#[tokio::test]
async fn texts_are_files() {
    let (server, id, own) = with_job(finished()).await;
    for (index, name) in [(0, "variant-1.md"), (1, "variant-2.html"), (3, "variant-4.json")] {
        let res = server.get(&format!("/jobs/{id}/{index}/text")).header("cookie", &own).send().await.unwrap();
        assert_eq!(header(&res, "content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!(header(&res, "content-type"), "text/plain; charset=utf-8");
        assert!(header(&res, "content-security-policy").starts_with("default-src 'none'"));
    }
    let res = server.get(&format!("/jobs/{id}/zip")).header("cookie", &own).send().await.unwrap();
    assert_eq!(header(&res, "content-type"), "application/zip");
    let zip = res.bytes().await.unwrap();
    assert!(zip.starts_with(b"PK\x03\x04") && zip.windows(12).any(|w| w == b"variant-3.md"));
}

#[tokio::test]
async fn the_form_hands_in_and_keeps_what_is_refused() {
    let server = Server::start().await;
    let own = server.cookie(user(1));
    let id = job_id(5);
    let form = format!("job_id={id}&prompt=a%0D%0Ab&variants=6&model=m&schema=%7B%7D&webhook=");
    let send = |path: &str, form: &str| server.form(path, form, "").header("cookie", &own).send();
    let res = send("/jobs", &form).await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, &*format!("/jobs/{id}")));
    let asked = server.asked().remove(0);
    for part in ["prompt: \"a\\nb\"", "variants: 6", "schema: Some(\"{}\")", "model: Some(\"m\")", "webhook: None"] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }

    // An example is put into the form; what was written stays.
    let res = send("/jobs/new", &format!("{form}&example=verdict")).await.unwrap();
    let html = res.text().await.unwrap();
    assert!(
        html.contains(">\na\nb</textarea>") && html.contains("&quot;answer&quot;") && html.contains("value=\"6\""),
        "{html}"
    );
    // The composer's text too.
    let html = send("/jobs/new", "text=From+the+composer&model=m").await.unwrap().text().await.unwrap();
    assert!(html.contains("From the composer</textarea>"), "{html}");
    // From elsewhere nothing is taken.
    let res = server.post("/jobs", &form).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(res.status(), 403);

    server.fails(ApiError::invalid("schema", "This is no <JSON> Schema."));
    let res = send("/jobs", &form).await.unwrap();
    assert_eq!(res.status(), 422);
    let html = res.text().await.unwrap();
    for wanted in
        ["This is no &lt;JSON&gt; Schema.", "aria-invalid=\"true\"", ">\na\nb</textarea>", &format!("value=\"{id}\"")]
    {
        assert!(html.contains(wanted), "{wanted} is not in {html}");
    }
}

/// A form on a job's page leads back there.
#[tokio::test]
async fn a_form_that_fails_leads_back() {
    let (server, id, own) = with_job(finished()).await;
    server.fails(ApiError::new(Code::Invalid, "Nothing of this job failed."));
    let from = format!("{}/jobs/{id}", server.base);
    let res =
        server.form("/api/jobs/retry", &format!("job_id={id}"), &from).header("cookie", &own).send().await.unwrap();
    assert_eq!((res.status().as_u16(), header(&res, "location")), (303, &*format!("/jobs/{id}?error=invalid")));
}

#[tokio::test]
async fn a_new_user_has_no_jobs() {
    let server = Server::start().await;
    let res = server.get("/jobs").send().await.unwrap();
    assert_eq!(res.status(), 200);
    assert!(res.text().await.unwrap().contains("Hand in, and walk away."));
    assert_eq!(server.asked(), ["models"]);
}
