//! A front that stands before a real server and lies: to its clients, or to a neighbour and the server about each other.
//!
//! The server behind it is the real one and knows nothing of it. Each lie makes the whole look like a server with one
//! real bug. What neighbours prove to each other passes through unchanged; nothing after it is proven.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use herdctl::server::{self, Seat, Trouble};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// The bug that a server seems to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    /// A link that begins leaves out the first report that it owes.
    SkipOneOnResume,
    /// A neighbour is said to have heard what it has yet to be told.
    AnswerTooSoon,
    /// The last report that came is taken, whatever its time.
    TakeOlder,
    /// Now and then a batch is not said, and not missed either.
    DropABatch,
}

/// How long after a batch has been acknowledged it is told, for [`Lie::AnswerTooSoon`].
const TOO_SOON: Duration = Duration::from_millis(300);
/// One batch with reports in so many is dropped, for [`Lie::DropABatch`].
const DROPPED: u64 = 5;

/// Runs a server behind a front that lies.
pub fn run(mut seat: Seat, lie: Lie) -> Result<(), Trouble> {
    let private = TcpListener::bind("127.0.0.1:0").unwrap();
    private.set_nonblocking(true).unwrap();
    let address = private.local_addr().unwrap();
    let public = std::mem::replace(&mut seat.listener, private);
    let (end, ended) = oneshot::channel::<()>();
    let front = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default());
        runtime.unwrap().block_on(stand(public, address, lie, ended));
    });
    let outcome = server::main(seat);
    drop(end);
    front.join().unwrap();
    outcome
}

async fn stand(public: TcpListener, address: SocketAddr, lie: Lie, mut ended: oneshot::Receiver<()>) {
    let public = tokio::net::TcpListener::from_std(public).unwrap();
    let last_said = Rc::new(RefCell::new(HashMap::new()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut ended => return,
            accepted = public.accept() => {
                let Ok((outside, _)) = accepted else { continue };
                connections.spawn_local(connect(outside, address, lie, Rc::clone(&last_said)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

type LastSaid = Rc<RefCell<HashMap<Vec<u8>, Vec<u8>>>>;

async fn connect(outside: TcpStream, address: SocketAddr, lie: Lie, last_said: LastSaid) {
    let Ok(inside) = TcpStream::connect(address).await else { return };
    let _ = (outside.set_nodelay(true), inside.set_nodelay(true));
    let ((from_outside, to_outside), (from_inside, to_inside)) = (split(outside), split(inside));
    let (mut from_outside, from_inside) = (BufReader::new(from_outside), BufReader::new(from_inside));
    let mut first = Vec::new();
    if from_outside.read_until(b'\n', &mut first).await.unwrap_or(0) == 0 {
        return;
    }
    let (to_outside, to_inside) = (Rc::new(Mutex::new(to_outside)), Rc::new(Mutex::new(to_inside)));
    if first.starts_with(b"PEER ") {
        let mut inward = Wire::new(&to_inside, &to_outside, lie);
        let mut outward = Wire::new(&to_outside, &to_inside, lie);
        // Either end gone ends both, with all that is held back.
        tokio::select! {
            _ = inward.pass(first, from_outside) => {}
            _ = outward.pass(Vec::new(), from_inside) => {}
        }
        return;
    }
    let asked = RefCell::new(VecDeque::new());
    let questions = pass_questions(first, from_outside, &to_inside, &asked);
    let answers = pass_answers(from_inside, &to_outside, &asked, lie, &last_said);
    // A client that says no more still hears.
    let _ = tokio::join!(questions, answers);
}

type Writer = Rc<Mutex<WriteHalf<TcpStream>>>;

/// One direction of a link.
struct Wire {
    to: Writer,
    back: Writer,
    lie: Lie,
    /// Reports since the last `TOLD`.
    batch: Vec<u8>,
    left_out: u64,
    has_skipped: bool,
    batches: u64,
    has_resumed: bool,
    held: VecDeque<(Instant, Vec<u8>)>,
}

impl Wire {
    fn new(to: &Writer, back: &Writer, lie: Lie) -> Self {
        Self {
            to: Rc::clone(to),
            back: Rc::clone(back),
            lie,
            batch: Vec::new(),
            left_out: 0,
            has_skipped: false,
            batches: 0,
            has_resumed: false,
            held: VecDeque::new(),
        }
    }

    async fn pass(&mut self, first: Vec<u8>, mut from: BufReader<ReadHalf<TcpStream>>) -> io::Result<()> {
        let mut line = first;
        loop {
            if line.ends_with(b"\n") {
                let line = std::mem::take(&mut line);
                self.take(line).await?;
            }
            let due = self.held.front().map(|&(due, _)| due);
            tokio::select! {
                read = from.read_until(b'\n', &mut line) => if read? == 0 {
                    return Ok(());
                },
                () = until(due) => {
                    let (_, bytes) = self.held.pop_front().unwrap();
                    self.to.lock().await.write_all(&bytes).await?;
                }
            }
        }
    }

    async fn take(&mut self, line: Vec<u8>) -> io::Result<()> {
        let said = match told(&line) {
            Some((edition, reports)) => self.end_batch(edition, reports).await?,
            None if line.starts_with(b"AT ") => {
                let skips = self.lie == Lie::SkipOneOnResume && !std::mem::replace(&mut self.has_skipped, true);
                self.left_out += u64::from(skips);
                if !skips {
                    self.batch.extend_from_slice(&line);
                }
                return Ok(());
            }
            // What a neighbour really heard comes too late to be believed.
            None if line.starts_with(b"HEARD ") && self.lie == Lie::AnswerTooSoon => {
                if std::mem::replace(&mut self.has_resumed, true) { Vec::new() } else { line }
            }
            None => line,
        };
        self.to.lock().await.write_all(&said).await
    }

    /// What is said at once of a batch that has come as a whole.
    async fn end_batch(&mut self, edition: u64, reports: u64) -> io::Result<Vec<u8>> {
        let mut batch = std::mem::take(&mut self.batch);
        let mut said = reports - std::mem::take(&mut self.left_out);
        self.batches += u64::from(reports > 0);
        if self.lie == Lie::DropABatch && reports > 0 && self.batches.is_multiple_of(DROPPED) {
            batch.clear();
            said = 0;
        }
        batch.extend_from_slice(format!("TOLD {edition} {said}\n").as_bytes());
        if self.lie != Lie::AnswerTooSoon {
            return Ok(batch);
        }
        self.held.push_back((Instant::now() + TOO_SOON, batch));
        if reports > 0 {
            self.back.lock().await.write_all(format!("HEARD {edition}\n").as_bytes()).await?;
        }
        Ok(Vec::new())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The edition and the number of reports of a `TOLD` line.
fn told(line: &[u8]) -> Option<(u64, u64)> {
    let (edition, reports) = std::str::from_utf8(line).ok()?.trim_end().strip_prefix("TOLD ")?.split_once(' ')?;
    Some((edition.parse().ok()?, reports.parse().ok()?))
}

/// For each line that a client has said: whether it asks for places.
type Asked = RefCell<VecDeque<bool>>;

async fn pass_questions(
    first: Vec<u8>,
    mut from: BufReader<ReadHalf<TcpStream>>,
    to: &Writer,
    asked: &Asked,
) -> io::Result<()> {
    let mut line = first;
    while !line.is_empty() {
        asked.borrow_mut().push_back(line.starts_with(b"WHATSAT "));
        to.lock().await.write_all(&line).await?;
        line.clear();
        from.read_until(b'\n', &mut line).await?;
    }
    to.lock().await.shutdown().await
}

async fn pass_answers(
    mut from: BufReader<ReadHalf<TcpStream>>,
    to: &Writer,
    asked: &Asked,
    lie: Lie,
    last_said: &LastSaid,
) -> io::Result<()> {
    let (mut line, mut in_places) = (Vec::new(), false);
    while from.read_until(b'\n', &mut line).await? > 0 {
        if in_places {
            in_places = line != b"\n";
        } else {
            let is_question = asked.borrow_mut().pop_front().unwrap_or(false);
            let client = line.split(|&byte| byte == b' ').nth(3).map(<[u8]>::to_vec);
            in_places = is_question && line.starts_with(b"AT ");
            if let Some(client) = client.filter(|_| lie == Lie::TakeOlder && line.starts_with(b"AT ")) {
                if is_question {
                    line = last_said.borrow().get(&client).unwrap_or(&line).clone();
                } else {
                    last_said.borrow_mut().insert(client, line.clone());
                }
            }
        }
        to.lock().await.write_all(&line).await?;
        line.clear();
    }
    to.lock().await.shutdown().await
}
