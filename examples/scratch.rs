use advosync::queue::*;
use advosync::worker::{self, Failure, Gate, Handler, Health, Pool, Retries, Run, Success};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
struct Noop;
#[async_trait]
impl Handler for Noop {
    fn serves(&self, _: &Topic) -> bool {
        true
    }
    async fn run(&self, _: &Job, _: &Run) -> Result<Success, Failure> {
        Ok(Success { result: "noop".into(), detail: None })
    }
    async fn failed(&self, _: &Job, _: &Run, _: &Outcome) {}
}
async fn cpu(c: &mut redis::aio::MultiplexedConnection) -> f64 {
    let s: String = redis::cmd("INFO").arg("cpu").query_async(c).await.unwrap();
    s.lines()
        .filter_map(|l| l.strip_prefix("used_cpu_user:").or_else(|| l.strip_prefix("used_cpu_sys:")))
        .map(|v| v.trim().parse::<f64>().unwrap())
        .sum()
}
#[tokio::main]
async fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mode = std::env::args().nth(2).unwrap_or_default();
    let dir = tempfile::tempdir().unwrap();
    let _r = tokio::process::Command::new("redis-server")
        .args([
            "--port",
            "7777",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--auto-aof-rewrite-percentage",
            "0",
            "--dir",
        ])
        .arg(dir.path())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let url = "redis://127.0.0.1:7777/1";
    let mut c = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let q = Queue::new(&Options {
        server: Server::Single(url.to_owned().into()),
        prefix: String::new(),
        timeout: Duration::from_secs(5),
    })
    .unwrap();
    q.prepare(chrono::Utc::now()).await.unwrap();
    for round in 0..4 {
        // raw
        let tp = "00-89a6af60a55f446f473f854ab5f09451-8ba0521ddd0a1398-01";
        let c0 = cpu(&mut c).await;
        let t = Instant::now();
        for chunk in (0..n).collect::<Vec<_>>().chunks(50) {
            let mut p = redis::pipe();
            for i in chunk {
                p.cmd("XADD")
                    .arg("raw")
                    .arg("*")
                    .arg("topic")
                    .arg("vmh.beteiligte.update")
                    .arg("key")
                    .arg(format!("{i:017}"))
                    .arg("source")
                    .arg("webhook")
                    .arg("traceparent")
                    .arg(tp)
                    .ignore();
            }
            let _: () = p.query_async(&mut c).await.unwrap();
        }
        let raw_enq = t.elapsed();
        let raw_enq_cpu = cpu(&mut c).await - c0;
        let _: Result<(), _> =
            redis::cmd("XGROUP").arg("CREATE").arg("raw").arg("g").arg("0").query_async(&mut c).await;
        let c0 = cpu(&mut c).await;
        let t = Instant::now();
        let mut ids: Vec<String> = vec![];
        loop {
            let mut p = redis::pipe();
            if mode == "each" {
                for id in &ids {
                    p.cmd("XACK").arg("raw").arg("g").arg(id).ignore();
                    p.cmd("XDEL").arg("raw").arg(id).ignore();
                }
            } else if !ids.is_empty() {
                p.cmd("XACK").arg("raw").arg("g").arg(&ids).ignore();
                p.cmd("XDEL").arg("raw").arg(&ids).ignore();
            }
            p.cmd("XREADGROUP").arg("GROUP").arg("g").arg("c").arg("COUNT").arg(100).arg("STREAMS").arg("raw").arg(">");
            let (r,): (redis::streams::StreamReadReply,) = p.query_async(&mut c).await.unwrap();
            ids = r.keys.into_iter().flat_map(|k| k.ids).map(|e| e.id).collect();
            if ids.is_empty() {
                break;
            }
        }
        let raw = t.elapsed();
        let raw_cpu = cpu(&mut c).await - c0;
        // product
        let keys: Vec<String> = (0..n).map(|i| format!("{i:017}")).collect();
        let c0 = cpu(&mut c).await;
        let t = Instant::now();
        for chunk in keys.chunks(50) {
            let mut b = Batch::new(Topic::parse("vmh.beteiligte.update"), Lane::First, chunk, "webhook");
            b.traceparent = Some(tp);
            q.enqueue(&b).await.unwrap();
        }
        let enq = t.elapsed();
        let enq_cpu = cpu(&mut c).await - c0;
        let calls0: i64 = stat(&mut c).await;
        let stop = CancellationToken::new();
        let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut c).await.unwrap();
        let calls0 = calls0 * 0;
        let c0 = cpu(&mut c).await;
        let t = Instant::now();
        let pool = Pool::new(worker::Options {
            queue: q.clone(),
            flow: Flow::Vmh,
            consumer: format!("w{round}"),
            concurrency: 200,
            lease: Duration::from_secs(15),
            retries: Retries { waits: vec![Duration::from_secs(1)], attempts: 5 },
            drain: Duration::from_secs(5),
            handlers: vec![Arc::new(Noop)],
            health: Arc::new(Health::new(vec![])),
            gate: Gate::default(),
            entities: vec!["beteiligte".into()],
            clock: chrono::Utc::now,
        });
        let h = tokio::spawn(pool.run(stop.clone()));
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let l: i64 = redis::cmd("XLEN").arg("jobs:vmh").query_async(&mut c).await.unwrap();
            if l == 0 {
                break;
            }
        }
        let d = t.elapsed();
        let d_cpu = cpu(&mut c).await - c0;
        let calls = stat(&mut c).await - calls0;
        stop.cancel();
        h.await.unwrap();
        if round == 3 {
            let s: String = redis::cmd("INFO").arg("commandstats").query_async(&mut c).await.unwrap();
            for l in s.lines().filter(|l| l.contains("usec")) {
                let v: Vec<&str> = l.split([':', '=', ',']).collect();
                println!("{:22} calls {:>8} us/job {:.3}", v[0], v[2], v[4].parse::<f64>().unwrap() / n as f64);
            }
        }
        let us = |x: f64| x * 1e6 / n as f64;
        println!(
            "enq: raw {:.2}us cpu {:.2} | ours {:.2} cpu {:.2} ratio {:.2}   drain: raw {:.2}us cpu {:.2} | ours {:.2} cpu {:.2}  ratio {:.2} cpuratio {:.2} fcalls/job {:.3}",
            us(raw_enq.as_secs_f64()),
            us(raw_enq_cpu),
            us(enq.as_secs_f64()),
            us(enq_cpu),
            raw_enq.as_secs_f64() / enq.as_secs_f64(),
            us(raw.as_secs_f64()),
            us(raw_cpu),
            us(d.as_secs_f64()),
            us(d_cpu),
            raw.as_secs_f64() / d.as_secs_f64(),
            d_cpu / raw_cpu,
            calls as f64 / n as f64
        );
        let _ = &mode;
    }
}
async fn stat(c: &mut redis::aio::MultiplexedConnection) -> i64 {
    let s: String = redis::cmd("INFO").arg("commandstats").query_async(c).await.unwrap();
    s.lines()
        .filter(|l| l.starts_with("cmdstat_fcall:") || l.starts_with("cmdstat_xreadgroup:"))
        .map(|l| l.split("calls=").nth(1).unwrap().split(',').next().unwrap().parse::<i64>().unwrap())
        .sum()
}
