//! Redis by TLS: whole jobs through it, and never anything to a server that does not prove who it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use advosync::queue::Tls;
use advosync_sandbox::Options;
use serde_json::json;
use tempfile::TempDir;

use super::support::{Ended, Home, until};
use crate::support::redis::{Redis, Way, free_port};
use crate::support::world::World;

/// An authority of the test's own.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        let made =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        authority.openssl(
            &[
                &made[..],
                &[
                    "-keyout",
                    "ca.key",
                    "-out",
                    "ca.pem",
                    "-subj",
                    &format!("/CN={}", authority.folder.path().display().to_string().replace('/', "-")),
                ],
            ]
            .concat(),
        );
        authority
    }

    fn openssl(&self, words: &[&str]) {
        let mut command = Command::new("openssl");
        let out = command.args(words).current_dir(self.folder.path()).output();
        let out = out.unwrap_or_else(|error| panic!("openssl: {error} (`make test` installs what is needed)"));
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A certificate for this name, good for so many days from now, as `<file>.pem` and `<file>.key`.
    fn signs(&self, file: &str, name: &str, days: &str) {
        let [key, request, pem] = ["key", "csr", "pem"].map(|end| format!("{file}.{end}"));
        let name = format!("subjectAltName=DNS:{name}");
        let asked = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"];
        self.openssl(&[&asked[..], &["-keyout", &key, "-out", &request, "-addext", &name]].concat());
        let signed = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy"];
        self.openssl(&[&signed[..], &["-days", days, "-out", &pem]].concat());
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// What makes a server speak TLS and nothing else, with the certificate of this file.
    fn server(&self, file: &str, asks_for_ours: bool) -> Vec<String> {
        let [ca, cert, key] = ["ca.pem", &format!("{file}.pem"), &format!("{file}.key")].map(|name| self.path(name));
        let clients = if asks_for_ours { "yes" } else { "no" };
        ["--port", "0", "--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca]
            .into_iter()
            .chain(["--tls-auth-clients", clients, "--tls-replication", "yes"])
            .map(str::to_owned)
            .collect()
    }

    fn way(&self, file: &str, asks_for_ours: bool) -> Way {
        let [cert, key] = ["client.pem", "client.key"].map(|name| self.path(name));
        let pem = |name: &str| std::fs::read_to_string(self.path(name)).unwrap().into();
        let mut server = self.server(file, asks_for_ours);
        server.push("--tls-port".to_owned());
        Way {
            server,
            // It looks at a server whose certificate nobody else should believe, too.
            cli: ["--tls", "--insecure", "--cert", &cert, "--key", &key].map(str::to_owned).to_vec(),
            address: Some("rediss://localhost".to_owned()),
            tls: Tls { authorities: Some(pem("ca.pem")), client: Some((pem("client.pem"), pem("client.key"))) },
        }
    }
}

/// An authority that has signed a good server and a client, and one server whose time is over.
fn authority() -> Authority {
    let authority = Authority::new();
    authority.signs("good", "localhost", "2");
    authority.signs("client", "advosync", "2");
    authority.signs("over", "localhost", "-1");
    authority
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_through_a_redis_that_speaks_only_tls_and_asks_for_our_certificate() {
    let authority = authority();
    let redis = Redis::reached_by(None, authority.way("good", true));
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| authority.path(name));
    let settings = [("REDIS_TLS_CA_FILE", ca.as_str()), ("REDIS_TLS_CERT_FILE", &cert), ("REDIS_TLS_KEY_FILE", &key)];
    let mut world = World::idle_at(redis, &settings, Options::default()).await;
    world.start_worker();
    let (id, number) = world.created(&json!({"firstName": "Max", "lastName": "Muster"})).await;
    assert_eq!(world.party(number)["name"], "Muster");
    // Connections are lost and made again.
    world.redis.restart();
    world.lawyer(number, &json!({"telGesch": "+4930987"}));
    world.until("it answers again", async || world.queue.ping().await.is_ok()).await;
    assert_eq!(world.done(&id).await, "updated");
    let (_, said) = world.run(&["doctor"]).await;
    assert!(said.contains("rediss://localhost") && !said.contains("redis encryption"), "{said}");
    let (code, said) = world.run(&["status"]).await;
    assert!(code == 0 && said.contains("vmh"), "{said}");
}

/// `status` fails and says all of this, and the password is not in it.
fn fails(home: &Home, words: &[&str]) -> Ended {
    let ended = home.run(&["status"]).with_code(1);
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("geheim"));
    ended
}

#[tokio::test]
async fn a_server_that_does_not_prove_who_it_is_gets_nothing() {
    let (authority, other) = (authority(), Authority::new());
    let good = Redis::reached_by(None, authority.way("good", false));
    let (ca, port) = (authority.path("ca.pem"), good.port());
    let to = |address: &str| Home::new().with("REDIS_URL", address).with("REDIS_TIMEOUT_SECONDS", "5");
    let url = format!("rediss://localhost:{port}/1");
    let believing = |address: &str| to(address).with("REDIS_TLS_CA_FILE", &ca);
    believing(&url).run(&["migrate"]).with_code(0);
    believing(&url).run(&["status"]).with_code(0);

    fails(&to(&url), &["UnknownIssuer", "REDIS_TLS_CA_FILE"]);
    fails(&to(&url).with("REDIS_TLS_CA_FILE", &other.path("ca.pem")), &["UnknownIssuer", "REDIS_TLS_CA_FILE"]);
    fails(&believing(&format!("rediss://:geheim@127.0.0.1:{port}/1")), &["not valid for name", "REDIS_URL"]);
    // To the port of TLS without it.
    fails(&to(&format!("redis://localhost:{port}/1")), &["redis is unavailable"]);

    let over = Redis::reached_by(None, authority.way("over", false));
    fails(&believing(&over.url()), &["Expired", "renew"]);
    let strict = Redis::reached_by(None, authority.way("good", true));
    fails(&believing(&strict.url()), &["REDIS_TLS_CERT_FILE"]);

    // To a port without TLS: nothing is sent there as it is, and no password either.
    let plain = Redis::start();
    let before = plain.cli(&["CONFIG", "RESETSTAT"]);
    fails(&believing(&format!("rediss://:geheim@localhost:{}/1", plain.port())), &["does not speak TLS", "silent"]);
    let calls = plain.cli(&["INFO", "commandstats"]);
    assert_eq!(before, "OK");
    assert!(
        !calls.contains("cmdstat_auth") && !calls.contains("cmdstat_ping") && !calls.contains("cmdstat_hgetall"),
        "{calls}"
    );
}

#[test]
fn settings_that_would_weaken_it_start_nothing() {
    let authority = authority();
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| authority.path(name));
    let check = |settings: &[(&str, &str)], words: &[&str]| {
        let home = settings.iter().fold(Home::new(), |home, (name, value)| home.with(name, value));
        let ended = home.run(&["status"]).with_code(78);
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    };
    let tls = ("REDIS_URL", "rediss://localhost:1/1");
    check(&[("REDIS_URL", "rediss://localhost:1/1#insecure")], &["REDIS_URL", "begins with #", "REDIS_TLS_CA_FILE"]);
    check(&[("REDIS_URL", "rediss-sentinel://localhost:1/main#insecure")], &["begins with #"]);
    check(&[("REDIS_URL", "redis://localhost:1/1"), ("REDIS_TLS_CA_FILE", &ca)], &["REDIS_TLS_CA_FILE", "rediss://"]);
    check(&[("REDIS_TLS_CA_FILE", &ca)], &["does not use TLS"]);
    check(&[tls, ("REDIS_TLS_CERT_FILE", &cert)], &["REDIS_TLS_KEY_FILE", "not set"]);
    check(&[tls, ("REDIS_TLS_KEY_FILE", &key)], &["REDIS_TLS_CERT_FILE", "not set"]);
    check(&[tls, ("REDIS_TLS_CA_FILE", "/nowhere.pem")], &["/nowhere.pem", "cannot be read"]);
    check(&[tls, ("REDIS_TLS_CA_FILE", &key)], &["holds no CERTIFICATE"]);
}

#[tokio::test]
async fn a_way_that_can_be_overheard_is_told_by_doctor() {
    let home = |url: &str| Home::new().with("REDIS_URL", url).with("REDIS_TIMEOUT_SECONDS", "1");
    // Nobody is there (RFC 5737), and what is said of the way does not depend on it.
    let said = home("redis://192.0.2.1:6379/1").run(&["doctor"]).stdout;
    assert!(said.lines().any(|line| line.starts_with("warn") && line.contains("redis encryption")), "{said}");
    for silent in ["redis://127.0.0.1:1/1", "redis://localhost:1/1", "redis://[::1]:1/1", "rediss://192.0.2.1:6379/1"] {
        let said = home(silent).run(&["doctor"]).stdout;
        assert!(said.contains("redis") && !said.contains("redis encryption"), "{silent}: {said}");
    }
}

/// A process that ends with the test.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn sentinels_and_the_master_they_name_are_both_reached_by_tls() {
    let authority = authority();
    let master = Redis::reached_by(None, authority.way("good", false));
    let (folder, port): (PathBuf, u16) = (authority.folder.path().to_owned(), free_port());
    let conf = folder.join("sentinel.conf");
    let names = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes";
    std::fs::write(&conf, format!("{names}\nsentinel monitor main localhost {} 1\n", master.port())).unwrap();
    let started = start_sentinel(&conf, &authority.server("good", false), port);
    let home = |scheme: &str| {
        Home::new().with("REDIS_URL", &format!("{scheme}://localhost:{port}/main/1")).with("REDIS_TIMEOUT_SECONDS", "5")
    };
    let believing = home("rediss-sentinel").with("REDIS_TLS_CA_FILE", &authority.path("ca.pem"));
    until("the Sentinel knows its master", || believing.run(&["migrate"]).code() == Some(0));
    believing.run(&["status"]).with_code(0);
    home("rediss-sentinel").run(&["status"]).with_code(1);
    home("redis-sentinel").run(&["status"]).with_code(1);
    drop(started);
}

fn start_sentinel(conf: &Path, words: &[String], port: u16) -> Child {
    let mut command = Command::new("redis-server");
    command.arg(conf).arg("--sentinel").args(words).args(["--tls-port", &port.to_string()]);
    Child(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[tokio::test]
async fn a_cluster_is_reached_by_tls() {
    let authority = authority();
    let mut way = authority.way("good", false);
    let names = ["--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname"];
    let cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes"].into_iter().chain(names).map(str::to_owned);
    way.server = cluster.chain(way.server).collect();
    way.cli.extend(["-n", "0"].map(str::to_owned));
    let redis = Redis::reached_by(None, way);
    assert_eq!(redis.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "OK");
    until("the cluster is up", || redis.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let home = || {
        let url = format!("rediss-cluster://localhost:{}", redis.port());
        Home::new().with("REDIS_URL", &url).with("ADVOSYNC_KEY_PREFIX", "{advosync}:")
    };
    let believing = home().with("REDIS_TLS_CA_FILE", &authority.path("ca.pem"));
    believing.run(&["migrate"]).with_code(0);
    believing.run(&["status"]).with_code(0);
    home().run(&["status"]).with_code(1);
}
