//! WHATSAT at one server over loopback: how many a second with the embedded places, and what a slow live provider
//! does to everybody else.
//!
//! The generator takes one core. Figures of one run can be compared with each other, not with those of another
//! machine or day.

#[path = "../tests/support.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herdctl::cli::fake_places::{Fake, Scenario};
use herdctl::config::{self, Config, PlacesFile, Provider, Traffic};
use herdctl::places::file::Dataset;
use support::Herd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};

const LOS_ANGELES: &str = "+34.052200-118.243700";
const CONNECTIONS: u64 = 32;

/// 50 km around Los Angeles, bound 20.
fn embedded(criterion: &mut Criterion) {
    for (what, traffic) in [("all logged", Traffic::All), ("no traffic log", Traffic::Off)] {
        let herd = Herd::one(|config| config.log.traffic = traffic);
        let address = herd.address("Clark");
        herd.client("Clark").ask(&format!("IAMAT kiwi {LOS_ANGELES} 1"));
        let mut group = criterion.benchmark_group(format!("WHATSAT, embedded places, {what}"));
        group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(4));
        for depth in [1, 16] {
            let mut worst = Duration::ZERO;
            group.bench_function(format!("{CONNECTIONS} connections, depth {depth}"), |bencher| {
                bencher.iter_custom(|questions| {
                    let rounds = questions.max(2000).div_ceil(CONNECTIONS * depth);
                    let (took, p99) = on_a_runtime(ask(address, rounds, depth));
                    worst = worst.max(p99);
                    took.mul_f64(questions as f64 / (rounds * CONNECTIONS * depth) as f64)
                });
            });
            eprintln!("    p99 of a round of {depth}, the worst of all samples: {worst:?}");
        }
    }
}

/// How long all rounds took, and the 99th percentile of one.
async fn ask(address: SocketAddr, rounds: u64, depth: u64) -> (Duration, Duration) {
    let mut talks = JoinSet::new();
    let start = Instant::now();
    for _ in 0..CONNECTIONS {
        talks.spawn_local(async move {
            let mut stream = connect(address).await;
            let questions = "WHATSAT kiwi 50 20\n".repeat(usize::try_from(depth).unwrap());
            let mut times = Vec::new();
            let (mut answers, mut last) = (vec![0; 256 * 1024], 0);
            for _ in 0..rounds {
                let begin = Instant::now();
                stream.write_all(questions.as_bytes()).await.unwrap();
                let mut missing = depth;
                while missing > 0 {
                    let read = stream.read(&mut answers).await.unwrap();
                    assert!(read > 0, "the server hung up");
                    for end in memchr::memchr_iter(b'\n', &answers[..read]) {
                        let before = if end == 0 { last } else { answers[end - 1] };
                        missing -= u64::from(before == b'\n');
                    }
                    last = answers[read - 1];
                }
                times.push(begin.elapsed());
            }
            times
        });
    }
    let mut times = Vec::new();
    while let Some(some) = talks.join_next().await {
        times.extend(some.unwrap());
    }
    (start.elapsed(), percentile(&mut times, 99))
}

/// A thousand different questions at once, eight on their way to a provider that takes 100 ms: what it does to the
/// `IAMAT`s of another connection.
fn slow_provider(_: &mut Criterion) {
    let fake = Fake::start_on(0, Scenario::Ok, Duration::from_millis(100), |_| {}).unwrap();
    let herd = Herd::one(ask_fake(&fake));
    let address = herd.address("Clark");
    let (mut quiet, mut busy) = on_a_runtime(async {
        let quiet = updates(address, 5000).await;
        let mut crowd = JoinSet::new();
        for number in 0..1000 {
            crowd.spawn_local(question(address, number));
        }
        let mut busy = Vec::new();
        let mut statuses = [0_u32; 2];
        while !crowd.is_empty() {
            tokio::select! {
                some = updates(address, 500) => busy.extend(some),
                Some(done) = crowd.join_next() => statuses[usize::from(done.unwrap())] += 1,
            }
        }
        let requests = fake.requests().len();
        println!(
            "1,000 questions: {} answered, {} told that it took too long, {requests} asked",
            statuses[1], statuses[0]
        );
        (quiet, busy)
    });
    for at in [50, 99] {
        let (quiet, busy) = (percentile(&mut quiet, at), percentile(&mut busy, at));
        println!(
            "IAMAT p{at}: {quiet:?} alone, {busy:?} beside them ({:.2} times)",
            busy.as_secs_f64() / quiet.as_secs_f64()
        );
    }
}

fn ask_fake(fake: &Fake) -> impl FnOnce(&mut Config) {
    let url = fake.url();
    move |config| {
        let key_file = config.directory().join("google.key");
        fs::write(&key_file, "any").unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        config.places.provider =
            Provider::Google(config::Google { key_file: Some(key_file), url: Some(url), ..Default::default() });
    }
}

/// Times of so many `IAMAT`s, one after the other.
async fn updates(address: SocketAddr, count: u32) -> Vec<Duration> {
    let mut stream = BufReader::new(connect(address).await);
    let mut answer = String::new();
    let mut times = Vec::new();
    for time in 0..count {
        let begin = Instant::now();
        stream.write_all(format!("IAMAT other {LOS_ANGELES} {time}\n").as_bytes()).await.unwrap();
        answer.clear();
        stream.read_line(&mut answer).await.unwrap();
        times.push(begin.elapsed());
    }
    times
}

/// Asks about a client that nobody else asks about; whether places came.
async fn question(address: SocketAddr, number: u32) -> bool {
    let mut stream = BufReader::new(connect(address).await);
    let commands = format!("IAMAT c{number} +{}.{:02}+1 1\nWHATSAT c{number} 10 20\n", number / 100, number % 100);
    stream.write_all(commands.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        assert!(stream.read_line(&mut text).await.unwrap() > 0, "the server hung up");
    }
    text.contains("\"status\" : \"OK\"")
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn percentile(times: &mut [Duration], at: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * at / 100).min(times.len() - 1)]
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}

/// 200,000 places of each format.
fn files(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("reading 200,000 places");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (format, write) in [("GeoNames", geonames as fn() -> String), ("CSV", csv), ("GeoJSON", geojson)] {
        let path = folder.path().join(format);
        let text = write();
        fs::write(&path, &text).unwrap();
        let config = PlacesFile { path, attribution: None };
        group.bench_function(format!("{format}, {} MB", text.len() / 1_000_000), |bencher| {
            bencher.iter(|| assert_eq!(Dataset::read(&config).unwrap().len(), 200_000));
        });
    }
}

fn spots() -> impl Iterator<Item = (u32, f64, f64)> {
    // Scattered over the globe, the same every time.
    (0..200_000_u32).map(|number| {
        let scattered = u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (a, b) = (scattered >> 40, (scattered >> 16) & 0xff_ffff);
        (number, (a as f64 / 16_777_216.0).mul_add(170.0, -85.0), (b as f64 / 16_777_216.0).mul_add(360.0, -180.0))
    })
}

fn geonames() -> String {
    let row = |(number, lat, lng): (u32, f64, f64)| {
        format!(
            "{number}\tSample Museum {number}\tSample Museum {number}\tMusee,Muzeum,Museo\t{lat:.5}\t{lng:.5}\tS\tMUS\tUS\t\tCA\t037\t\t\t0\t\t10\tAmerica/Los_Angeles\t2020-01-01\n"
        )
    };
    spots().map(row).collect()
}

fn csv() -> String {
    let row = |(number, lat, lng): (u32, f64, f64)| format!("\"Sample Museum {number}\",{lat:.5},{lng:.5},museum\n");
    std::iter::once("name,latitude,longitude,type\n".to_owned()).chain(spots().map(row)).collect()
}

fn geojson() -> String {
    let row = |(number, lat, lng): (u32, f64, f64)| {
        format!(
            "{{\"type\":\"Feature\",\"properties\":{{\"@id\":\"node/{number}\",\"name\":\"Sample Museum {number}\",\"tourism\":\"museum\",\"addr:street\":\"Sample Street\",\"wheelchair\":\"yes\"}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{lng:.5},{lat:.5}]}},\"id\":\"node/{number}\"}}"
        )
    };
    let features: Vec<String> = spots().map(row).collect();
    format!("{{\"type\":\"FeatureCollection\",\"features\":[\n{}\n]}}", features.join(",\n"))
}

criterion_group!(benches, embedded, slow_provider, files);
criterion_main!(benches);
