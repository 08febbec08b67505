//! A stand-in for Google Places on this machine, for tests and demonstrations: both interfaces, every way to fail.
//!
//! It answers with fictional places around the point it is asked about, checks what Google checks (the key is there,
//! the field mask is there, coordinates are numbers), remembers what it was asked, and fails as its [`Scenario`] says.
//! It is no model of Google's data or prices, and it listens on loopback only.

mod bodies;
mod command;
mod scenario;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::places::Circle;
pub(super) use command::run;
pub use scenario::Scenario;

/// Bytes of one request: ours have some 600.
const REQUEST_BYTES_MAX: u64 = 16 * 1024;
/// Requests that are remembered.
const REQUESTS_MAX: usize = 100_000;

/// A fake that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Mutex<(Scenario, Duration)>,
    requests: Mutex<Vec<Request>>,
    /// Requests being answered now, and the most there have been.
    busy: AtomicUsize,
    busiest: AtomicUsize,
    said: fn(&Request),
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// As it came, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The decoded value of a parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let url = reqwest::Url::parse(&format!("http://fake/?{}", self.query)).ok()?;
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// Whether the interface that is asked is Places API (New).
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.method == "POST"
    }
}

impl Fake {
    /// Listens on any free port of loopback.
    ///
    /// # Errors
    ///
    /// What the system says about the port, a thread or a runtime.
    pub fn start(scenario: Scenario) -> io::Result<Self> {
        Self::start_on(0, scenario, Duration::ZERO, |_| {})
    }

    /// Listens on this port of loopback, answers after `delay`, and tells `said` of every request.
    ///
    /// # Errors
    ///
    /// What the system says about the port, a thread or a runtime.
    pub fn start_on(port: u16, scenario: Scenario, delay: Duration, said: fn(&Request)) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour: Mutex::new((scenario, delay)),
            requests: Mutex::default(),
            said,
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("fake-places".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// What `url` in `[places]` should be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next request on.
    pub fn behave(&self, scenario: Scenario, delay: Duration) {
        *self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = (scenario, delay);
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most requests that were being answered at the same time.
    #[must_use]
    pub fn busiest(&self) -> usize {
        self.shared.busiest.load(Relaxed)
    }

    /// Waits until it is stopped from elsewhere; for a program that does nothing else.
    pub fn wait(mut self) {
        let stop = self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        drop(stop);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let (Some(stop), Some(thread)) = (self.stop.take(), self.thread.take()) {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a listener that does not block, inside a runtime");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let (scenario, delay) = *shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner);
        (shared.said)(&request);
        let _busy = Busy::with(&shared);
        let script = scenario.script(&request);
        {
            let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
            if requests.len() < REQUESTS_MAX {
                requests.push(request);
            }
        }
        if !delay.is_zero() {
            sleep(delay).await;
        }
        for step in script {
            match step {
                Step::Say(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Step::Wait(time) => sleep(time).await,
                Step::HangUp => return,
                Step::Reset => {
                    // Closing with unread input is a reset; lingering for no time is one too, and surer.
                    let _ = socket2::SockRef::from(stream.get_ref()).set_linger(Some(Duration::ZERO));
                    return;
                }
            }
        }
    }
}

/// A request being answered.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn with(shared: &'a Shared) -> Self {
        shared.busiest.fetch_max(shared.busy.fetch_add(1, Relaxed) + 1, Relaxed);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// What is done to answer a request, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Say(Vec<u8>),
    Wait(Duration),
    HangUp,
    Reset,
}

/// The next request; nothing if there is none, or it is not HTTP.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = stream.take(REQUEST_BYTES_MAX);
    let mut line = String::new();
    head.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        head.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, query, headers, body: String::new() };
    let length: u64 = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    head.set_limit(length.min(REQUEST_BYTES_MAX));
    let mut body = vec![0; usize::try_from(length.min(REQUEST_BYTES_MAX)).ok()?];
    head.read_exact(&mut body).await.ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// Where a request asks for places, if it asks as Google wants to be asked.
fn circle(request: &Request) -> Option<Circle> {
    let number = |text: &str| if text.starts_with('+') { None } else { text.parse::<f64>().ok() };
    if request.is_new() {
        let body: serde_json::Value = serde_json::from_str(&request.body).ok()?;
        let circle = &body["locationRestriction"]["circle"];
        let (lat, lng) = (circle["center"]["latitude"].as_f64()?, circle["center"]["longitude"].as_f64()?);
        return Some(Circle { lat, lng, radius_km: circle["radius"].as_f64()? / 1000.0 });
    }
    let location = request.parameter("location")?;
    let (lat, lng) = location.split_once(',')?;
    Some(Circle { lat: number(lat)?, lng: number(lng)?, radius_km: number(&request.parameter("radius")?)? / 1000.0 })
}
