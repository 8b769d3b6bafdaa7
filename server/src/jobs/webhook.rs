//! Telling somebody's own server that a job is finished, without being made to knock at a private door.
//!
//! The address is resolved here, every address it has must be a public one, and the request goes to just those: not
//! through a proxy, and not on to where an answer points.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use app::domain::{JobId, Timestamp};
use hmac::{Hmac, Mac};
use reqwest::Url;
use sha2::Sha256;
use tokio::time::timeout;

use super::{Jobs, JobsConfig};
use crate::{
    config::Secret,
    storage::{JobItem, StoreError},
};

/// Longest address, in bytes.
const LONGEST: usize = 2_000;
/// One attempt, name and answer included.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Pauses between attempts; after the last there is none.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(900),
    Duration::from_secs(900),
];

/// Sends webhooks.
#[derive(Clone)]
pub struct Hooks {
    secret: Option<Secret>,
    private: bool,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("private", &self.private).finish_non_exhaustive()
    }
}

impl Hooks {
    pub(super) fn new(config: &JobsConfig) -> Self {
        Self { secret: config.secret.clone(), private: config.private_webhooks }
    }

    /// Whether an address may be a webhook's, as far as it can be told without asking for its name.
    ///
    /// # Errors
    /// A sentence for the person who gave it.
    pub fn check(&self, address: &str) -> Result<(), String> {
        if self.secret.is_none() {
            // Nobody could tell it from anybody else's.
            return Err("This server sends no webhooks: OUTLAST_WEBHOOK_SECRET is not set.".to_owned());
        }
        self.parse(address).map(|_| ())
    }

    fn parse(&self, address: &str) -> Result<Url, String> {
        if address.len() > LONGEST {
            return Err("The webhook's address is too long.".to_owned());
        }
        let url: Url = address.parse().map_err(|_| "The webhook is no address.".to_owned())?;
        if url.scheme() != "https" && !(self.private && url.scheme() == "http") {
            return Err("A webhook has to begin with https://.".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("A webhook's address must not hold a user or a password.".to_owned());
        }
        let literal = match url.host() {
            None => return Err("The webhook's address names no host.".to_owned()),
            Some(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(url::Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(url::Host::Domain(_)) => None,
        };
        if literal.is_some_and(|ip| !self.private && !is_public(ip)) {
            return Err("A webhook must not go to a private address.".to_owned());
        }
        Ok(url)
    }

    /// One attempt.
    async fn send(&self, address: &str, id: JobId, body: &str, now: Timestamp) -> Result<(), String> {
        let url = self.parse(address)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(|e| format!("no address: {e}"))?.collect();
        if found.is_empty() {
            return Err("no address".to_owned());
        }
        if !self.private && !found.iter().all(|a| is_public(a.ip())) {
            return Err("its name leads to a private address".to_owned());
        }
        self.deliver(url, &host, &found, (id, body, now)).await
    }

    /// Delivers it to addresses that were checked, and to no other.
    async fn deliver(
        &self,
        url: Url,
        host: &str,
        found: &[SocketAddr],
        (id, body, now): (JobId, &str, Timestamp),
    ) -> Result<(), String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("outlast/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Whatever the name leads to by now: only what was checked is asked.
            .resolve_to_addrs(host, found)
            .timeout(ATTEMPT)
            .build()
            .map_err(|e| e.to_string())?;
        let seconds = now.seconds().to_string();
        let signature = self.sign(&seconds, body).ok_or("there is no secret to sign it with")?;
        let answer = client
            .post(url)
            .header("content-type", "application/json")
            .header("outlast-job", id.to_string())
            .header("outlast-timestamp", &seconds)
            .header("outlast-signature", format!("v1={signature}"))
            .body(body.to_owned())
            .send()
            .await
            .map_err(|e| e.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status().as_u16())) }
    }

    /// HMAC-SHA256 over `<timestamp>.<body>`, in hexadecimal.
    fn sign(&self, seconds: &str, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_ref()?.expose().as_bytes()).ok()?;
        mac.update(seconds.as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        Some(mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// What became of telling a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was told, or given up, or somebody else is at it.
    Done,
    /// It did not take it: again after so long.
    Again(Duration),
    /// It is not time yet for another attempt: after so long.
    Early(Duration),
}

impl Jobs {
    /// Tells a finished job's webhook, if it is time to.
    pub(super) async fn tell(&self, job: &JobItem) -> Result<Told, StoreError> {
        let (Some(address), Some(open)) = (&job.webhook, job.open) else {
            self.inner.store.settle_job(job).await?;
            return Ok(Told::Done);
        };
        let now = self.inner.clock.now();
        if open.tries > 0 && open.next > now {
            let left = Duration::from_millis(open.next.since(now));
            return Ok(Told::Early(left.max(Duration::from_secs(1))));
        }
        let Some(tries) = self.inner.store.begin_webhook(job, now, &PAUSES).await? else { return Ok(Told::Done) };
        let (status, _) = self.status_of(job).await?;
        let body = serde_json::json!({
            "job_id": job.id, "status": status, "submitted_at": job.submitted_at, "finished_at": job.finished_at(),
        })
        .to_string();
        let sent = timeout(ATTEMPT, self.inner.hooks.send(address, job.id, &body, now)).await;
        let fault = match sent {
            Ok(Ok(())) => {
                self.inner.store.settle_job(job).await?;
                return Ok(Told::Done);
            }
            Ok(Err(fault)) => fault,
            Err(_) => "no answer in time".to_owned(),
        };
        let Some(pause) = PAUSES.get(tries as usize - 1) else {
            tracing::warn!(job = %job.id, tries, fault, "a webhook was given up");
            self.inner.store.settle_job(job).await?;
            return Ok(Told::Done);
        };
        tracing::info!(job = %job.id, tries, fault, "a webhook was not taken; it is tried again");
        Ok(Told::Again(*pause))
    }
}

/// Whether an address is somebody's on the public internet: not of this machine, of a private network, of a cloud's
/// metadata service, or with one of those inside (IANA's special-purpose registries).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    // An IPv4 address inside counts as that address: mapped, compatible, NAT64, 6to4.
    let inner = |hi: u16, lo: u16| Ipv4Addr::new((hi >> 8) as u8, hi as u8, (lo >> 8) as u8, lo as u8);
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(inner(s[6], s[7]));
    }
    if s[0] == 0x2002 {
        return is_public_v4(inner(s[1], s[2]));
    }
    // Only 2000::/3 is given out to the public; parts of it are not either.
    (s[0] & 0xe000) == 0x2000 && !(s[0] == 0x2001 && (s[1] < 0x0200 || s[1] == 0x0db8)) && s[0] != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks() -> Hooks {
        Hooks { secret: Some(Secret::new("k")), private: false }
    }

    #[test]
    fn private_doors_are_not_knocked_at() {
        for bad in [
            "http://example.com/",
            "ftp://example.com/",
            "https://user:pw@example.com/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.100.100.200/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:7f00:1::]/",
            "https://[2001:db8::1]/",
            "not an address",
        ] {
            assert!(hooks().check(bad).is_err(), "{bad}");
        }
        for good in ["https://example.com/hook?x=1", "https://93.184.216.34/", "https://[2606:2800:220:1::1]:8443/"] {
            assert_eq!(hooks().check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn without_a_secret_there_are_none() {
        let hooks = Hooks { secret: None, private: true };
        assert!(hooks.check("https://example.com/").unwrap_err().contains("OUTLAST_WEBHOOK_SECRET"));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_followed() {
        let id = JobId::from_parts(Timestamp::from_millis(1), 1);
        let sent = hooks().send("https://localhost:1/", id, "{}", Timestamp::from_millis(1)).await;
        assert_eq!(sent, Err("its name leads to a private address".to_owned()));
    }

    /// Its name is not looked up a second time, when it may lead elsewhere: here it leads nowhere at all.
    #[tokio::test]
    async fn what_was_checked_is_what_is_asked() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let checked = listener.local_addr().unwrap();
        let receiving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut got, mut part) = (Vec::new(), [0; 4096]);
            while !got.ends_with(b"{}") {
                let read = stream.read(&mut part).await.unwrap();
                got.extend(&part[..read]);
            }
            // Elsewhere is not gone to, even when it is asked for.
            let to =
                format!("HTTP/1.1 307 Elsewhere\r\nlocation: http://{checked}/private\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(to.as_bytes()).await.unwrap();
            String::from_utf8(got).unwrap().to_lowercase()
        });
        let url: Url = format!("http://nowhere.invalid:{}/hook", checked.port()).parse().unwrap();
        let now = Timestamp::from_millis(1_000);
        let job = (JobId::from_parts(now, 1), "{}", now);
        let sent = hooks().deliver(url, "nowhere.invalid", &[checked], job).await;
        assert_eq!(sent, Err("it answered 307".to_owned()));
        let got = receiving.await.unwrap();
        assert!(got.starts_with("post /hook ") && got.contains("host: nowhere.invalid"), "{got}");
        assert!(got.contains("outlast-timestamp: 1\r\n") && got.contains("outlast-signature: v1="), "{got}");
    }

    #[test]
    fn the_signature_is_over_time_and_body() {
        let sign = |seconds, body| hooks().sign(seconds, body).unwrap();
        let (a, b) = (sign("1", "{}"), sign("2", "{}"));
        assert_eq!(a.len(), 64);
        assert!(a != b && a != sign("1", "{ }"));
        // `printf '1.{}' | openssl dgst -sha256 -hmac k`
        assert_eq!(a, "3dd49b2593d0f9a349e9e71c4bde3e2b862c2be4003fe9b4ba81332029310158");
    }
}
