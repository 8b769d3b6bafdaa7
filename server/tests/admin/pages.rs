//! What admins see, that it is noted, and how long they stay signed in.

use app::domain::{SessionId, TurnId, UserId};
use server::storage::Kind;

use crate::{
    rig::{Reader, Rig, Server, killable, new_chat},
    support::Site,
};

/// A chat of a user's with one reply.
async fn talk(rig: &Rig, server: &Server, user: UserId, title: &str, script: &str) -> (SessionId, TurnId) {
    let (session, turn) = (rig.session(), rig.turn());
    let backend = server.of(user);
    let stream = backend.send(new_chat(session, turn, &format!("{title}\n/sim {script}"))).await.unwrap();
    let mut reader = Reader::default();
    reader.read(stream).await;
    reader.follow(&backend, turn).await;
    (session, turn)
}

#[tokio::test]
async fn an_admin_finds_anybodys_session_and_reads_it() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let site = Site::start(&rig, &server, false).await;
    let (ann, bob) = (rig.user(), rig.user());
    let (letter, letter_turn) =
        talk(&rig, &server, ann, "Letter to the <b>landlord</b>", "tokens=60 rate=100 seed=1").await;
    let (bees, _) = talk(&rig, &server, bob, "How do bees count?", "tokens=9 rate=0 seed=2").await;
    let (failed, _) = talk(&rig, &server, bob, "Doomed", "status=400").await;
    let admin = site.admin().await;

    let (status, all) = site.page("/admin", &admin).await;
    assert_eq!(status, 200);
    let places: Vec<usize> = [failed, bees, letter].iter().map(|id| all.find(&id.to_string()).unwrap()).collect();
    assert!(places.is_sorted(), "newest first");
    assert!(all.contains("Letter to the &lt;b&gt;landlord&lt;/b&gt;") && !all.contains("<b>landlord"));
    let shown = |html: &str| [letter, bees, failed].map(|id| html.contains(&format!("/admin/sessions/{id}")));
    let today = rig.clock.now().to_string();
    for (query, expected) in [
        ("q=LETTER+land".to_owned(), [true, false, false]),
        ("q=nothing-like-it".to_owned(), [false, false, false]),
        (format!("user={bob}"), [false, true, true]),
        (format!("user={bob}&q=bees"), [false, true, false]),
        (format!("user={bob}&outcome=failed"), [false, false, true]),
        ("outcome=complete".to_owned(), [true, true, false]),
        ("outcome=failed".to_owned(), [false, false, true]),
        ("model=claude-sonnet-5-5".to_owned(), [true, true, true]),
        ("model=claude-opus-5-5".to_owned(), [false, false, false]),
        (format!("day={}", &today[..10]), [true, true, true]),
        ("day=2020-01-01".to_owned(), [false, false, false]),
    ] {
        let (status, html) = site.page(&format!("/admin?{query}"), &admin).await;
        assert_eq!((status, shown(&html)), (200, expected), "{query}");
    }
    for bad in ["user=x", "day=x", "outcome=x"] {
        let (status, html) = site.page(&format!("/admin?{bad}"), &admin).await;
        assert_eq!(status, 422, "{bad}");
        assert!(html.contains("role=\"alert\""));
    }

    let (status, page) = site.page(&format!("/admin/sessions/{letter}"), &admin).await;
    assert_eq!(status, 200);
    let reply = &server.of(ann).get_session(letter, None, None).await.unwrap().messages[1].text;
    let words: Vec<&str> = reply.split_whitespace().take(3).collect();
    assert!(page.contains(&words.join(" ")), "{page}");
    for part in ["Claimed", "Text, ", "Ended: complete", "tokens read", "role=\"img\"", "You are reading somebody else"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("style=\""), "no script, no inline style");
    let (status, log) = site.page(&format!("/admin/sessions/{letter}?turn={letter_turn}"), &admin).await;
    assert_eq!(status, 200);
    assert!(log.contains(&letter_turn.to_string()));
    // To an admin it is said why there is nothing.
    for (path, words) in [
        (format!("/admin/sessions/{}", rig.session()), "There is no such session."),
        ("/admin/sessions/x".to_owned(), "no session’s name"),
        (format!("/admin/sessions/{letter}?turn={}", rig.turn()), "no such turn in this session"),
        (format!("/admin/sessions/{bees}?turn={letter_turn}"), "no such turn in this session"),
        ("/admin/else".to_owned(), "There is no such page."),
    ] {
        let (status, html) = site.page(&path, &admin).await;
        assert!(status == 404 && html.contains(words), "{path}: {status} {html}");
    }
    server.of(ann).delete_session(letter).await.unwrap();
    let (status, html) = site.page(&format!("/admin/sessions/{letter}"), &admin).await;
    assert!(status == 404 && html.contains("has deleted"), "{html}");

    // What they saw is noted, newest first, and no user's words are in it.
    let (_, audit) = site.page("/admin/audit", &admin).await;
    let read = audit.matches(&format!("Read {letter}")).count();
    assert_eq!(read, 3, "{audit}");
    assert!(audit.contains(&ann.to_string()) && audit.contains("127.0.0.1") && audit.contains("sign in"));
    assert!(audit.contains("list q=LETTER land") && !audit.contains("landlord"));
    let (list, sign_in) = (audit.find("list").unwrap(), audit.find("sign in").unwrap());
    assert!(list < sign_in);
}

#[tokio::test]
async fn a_list_is_paged_over_shards_and_days_without_a_gap() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let site = Site::start(&rig, &server, false).await;
    let user = rig.user();
    let mut made = Vec::new();
    // Two days ago, and today.
    for (ago, n) in [(2, 70), (0, 60)] {
        rig.clock.set_skew(-ago * 86_400_000);
        for _ in 0..n {
            made.push(server.of(user).create_session().await.unwrap().session_id);
        }
    }
    made.reverse();
    let admin = site.admin().await;
    for query in ["", &format!("user={user}"), "q=new"] {
        let (mut found, mut path, mut pages) = (Vec::new(), format!("/admin?{query}"), 0);
        loop {
            let (status, html) = site.page(&path, &admin).await;
            assert_eq!(status, 200);
            pages += 1;
            found.extend(
                html.match_indices("/admin/sessions/").map(|(i, _)| html[i + 16..i + 42].parse::<SessionId>().unwrap()),
            );
            let Some(next) = html.split("rel=\"next\" href=\"").nth(1) else { break };
            path = next.split('"').next().unwrap().replace("&amp;", "&");
        }
        assert_eq!(found.len(), made.len(), "{query}");
        // Of those made in one millisecond any may come first.
        assert!(found.is_sorted_by_key(|id| std::cmp::Reverse(id.timestamp())), "{query}");
        let (mut all, mut seen) = (made.clone(), found.clone());
        all.sort_unstable();
        seen.sort_unstable();
        assert_eq!(all, seen, "each once: {query}");
        assert!(pages >= 3, "{pages}");
    }
}

#[tokio::test]
async fn an_admins_view_claims_nothing() {
    let rig = Rig::start().await;
    // A process that dies in mid-reply.
    let doomed = killable();
    let (session, turn, user) = (rig.session(), rig.turn(), rig.user());
    let first = rig.server(false);
    let backend = first.of(user);
    doomed
        .spawn(async move {
            let send = new_chat(session, turn, "Left alone\n/sim tokens=5000 rate=100");
            let mut reader = Reader::default();
            let stream = backend.send(send).await.unwrap();
            reader.read_until(stream, |r| r.shown.len() > 100).await;
        })
        .await
        .unwrap();
    doomed.shutdown_background();

    let server = rig.server(false);
    let site = Site::start(&rig, &server, false).await;
    // Long past the lease, by the clock that counts.
    rig.clock.set_skew(600_000);
    let admin = site.admin().await;
    for path in [format!("/admin/sessions/{session}"), format!("/admin/sessions/{session}?turn={turn}")] {
        let (status, html) = site.page(&path, &admin).await;
        assert!(status == 200 && html.contains("being written"), "{html}");
    }
    assert!(site.page("/admin?outcome=running", &admin).await.1.contains(&session.to_string()));
    let log = server.store.read_log(turn, 0, true).await.unwrap();
    assert_eq!(log.iter().filter(|(_, s)| s.kind == Kind::Claim).count(), 1);
    // Its owner's does.
    let mut reader = Reader::default();
    let owner = server.of(user);
    let stream = owner.follow(turn, app::domain::Cursor::default()).await.unwrap();
    reader.read_until(stream, |r| r.shown.len() > 600).await;
    let log = server.store.read_log(turn, 0, true).await.unwrap();
    assert_eq!(log.iter().filter(|(_, s)| s.kind == Kind::Claim).count(), 2);
    let (_, html) = site.page(&format!("/admin/sessions/{session}"), &admin).await;
    assert!(html.contains("Silence of ") && html.contains("Taken over"), "{html}");
    owner.stop(turn).await.unwrap();
}

#[tokio::test]
async fn an_admin_is_signed_out_by_idleness_time_and_themselves() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let site = Site::start(&rig, &server, false).await;
    let status = async |cookie: &str| site.get("/admin", cookie).await.status().as_u16();
    let minutes = |n: i64| rig.clock.set_skew(n * 60_000);

    let admin = site.admin().await;
    assert_eq!(status(&admin).await, 200);
    minutes(59);
    assert_eq!(status(&admin).await, 200);
    minutes(59 + 59);
    assert_eq!(status(&admin).await, 200, "what is used stays");
    minutes(59 + 59 + 61);
    assert_eq!(status(&admin).await, 403, "an hour idle");

    minutes(0);
    let admin = site.admin().await;
    for n in (0..12 * 60).step_by(50) {
        minutes(n);
        assert_eq!(status(&admin).await, 200, "{n}");
    }
    minutes(12 * 60 + 1);
    assert_eq!(status(&admin).await, 403, "twelve hours, whatever they do");

    minutes(0);
    let (one, two) = (site.admin().await, site.admin().await);
    let res = site.post("/admin/sign-out", "", &one).await;
    assert_eq!(res.status(), 303);
    assert!(res.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!((status(&one).await, status(&two).await), (403, 200), "a copy of the cookie is worth nothing");
    let three = site.admin().await;
    assert_eq!(site.post("/admin/sign-out-everywhere", "", &two).await.status(), 303);
    assert_eq!((status(&two).await, status(&three).await), (403, 403));
    let admin = site.admin().await;
    assert_eq!(status(&admin).await, 200);
    // Another password ends what the old one began.
    let other = Site::start(&rig, &server, false).await;
    assert_eq!(other.get("/admin", &admin).await.status(), 403);
    // What nobody was given.
    for forged in ["outlast_admin=", "outlast_admin=x", &format!("outlast_admin={}", "A".repeat(43))] {
        assert_eq!(status(forged).await, 403, "{forged}");
    }
}

#[tokio::test]
async fn an_admins_cookie_is_kept_from_scripts_other_sites_and_plain_http() {
    let rig = Rig::start().await;
    let site = Site::start(&rig, &rig.server(true), false).await;
    let post = site.client.post(format!("{}/sign-in", site.base)).header("host", "chat.example");
    let res = post.body(format!("secret={}", site.password)).send().await.unwrap();
    let set: Vec<&str> = res.headers().get_all("set-cookie").into_iter().map(|c| c.to_str().unwrap()).collect();
    let admin = set.iter().find(|c| c.starts_with("outlast_admin=")).unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/admin"] {
        assert!(admin.contains(part), "{admin}");
    }
    let admin = site.admin().await;
    let res = site.get("/admin", &admin).await;
    assert!(res.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(res.headers()["cache-control"], "no-store");
    let cross = site.client.post(format!("{}/admin/sign-out-everywhere", site.base)).header("cookie", &admin);
    assert_eq!(cross.header("sec-fetch-site", "cross-site").send().await.unwrap().status(), 403);
    assert_eq!(site.get("/admin", &admin).await.status(), 200);
}

#[tokio::test]
async fn an_admin_finds_anybodys_jobs_and_reads_them() {
    let rig = Rig::start().await;
    let server = rig.server(true);
    let site = Site::start(&rig, &server, false).await;
    let (ann, admin) = (rig.user(), site.admin().await);
    let mut jobs: Vec<String> = Vec::new();
    for n in 0..53 {
        let job = rig.turn().to_string();
        let form = format!("job_id={job}&variants=1&prompt=Job%20{n}%20%3Cb%3Ebold%3C/b%3E%0A/sim+tokens=3+rate=0");
        assert_eq!(site.post("/api/jobs/submit", &form, &site.cookie(ann)).await.status(), 202);
        jobs.push(job);
    }
    // Newest first, over two pages.
    let (status, first) = site.page("/admin/jobs", &admin).await;
    assert_eq!(status, 200);
    let shown = |html: &str| jobs.iter().filter(|job| html.contains(&format!("/admin/jobs/{job}"))).count();
    assert_eq!(shown(&first), 50);
    assert!(first.find(&jobs[52]).unwrap() < first.find(&jobs[51]).unwrap());
    assert!(first.contains("&lt;b&gt;bold") && !first.contains("<b>bold") && !first.contains("<script"));
    let from = first.split("/admin/jobs?from=").nth(1).unwrap().split('"').next().unwrap();
    let (_, second) = site.page(&format!("/admin/jobs?from={from}"), &admin).await;
    assert_eq!(shown(&second), 3);
    let today = rig.clock.now().to_string();
    for (day, n) in [(&today[..10], 50), ("2020-01-01", 0)] {
        assert_eq!(shown(&site.page(&format!("/admin/jobs?day={day}"), &admin).await.1), n, "{day}");
    }
    assert_eq!(site.page("/admin/jobs?day=x", &admin).await.0, 422);

    let (status, page) = site.page(&format!("/admin/jobs/{}", jobs[7]), &admin).await;
    assert_eq!(status, 200);
    for part in ["Job 7 &lt;b&gt;bold", "Variant 1", "You are reading somebody else"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for (path, words) in
        [(format!("/admin/jobs/{}", rig.turn()), "There is no such job."), ("/admin/jobs/x".into(), "no job’s name")]
    {
        let (status, html) = site.page(&path, &admin).await;
        assert!(status == 404 && html.contains(words), "{path}: {html}");
    }
    let (_, audit) = site.page("/admin/audit", &admin).await;
    assert!(audit.contains("read job") && audit.contains(&jobs[7]) && audit.contains("list jobs"), "{audit}");
    assert_eq!(site.page("/admin/jobs", &site.cookie(ann)).await.0, 403);
    // Another cookie of the name, that somebody beside this site has set, shuts nobody out.
    let two = format!("outlast_admin={}; {admin}", "x".repeat(43));
    assert_eq!(site.page("/admin/jobs", &two).await.0, 200);
}
