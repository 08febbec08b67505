//! The bridge itself, in the words of NATS JetStream: a connection, a bucket, puts and their acknowledgements, a reader.
//!
//! A connection that breaks is not mended behind our back: it ends the bridge, which is built anew, for what is on
//! the other side then may be another bus. The bucket is a key-value bucket as every NATS client knows it, made by
//! hand: the call that makes one asks for more than nats-server 2.9 knows.

use std::convert::Infallible;
use std::sync::Arc;

use async_nats::connection::State;
use async_nats::jetstream::consumer::pull::Config as ConsumerConfig;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::{Context, ContextBuilder, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, Message};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use futures_util::{FutureExt, StreamExt};
use memchr::memchr_iter;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::News;
use super::batch::Batch;
use super::credentials::Credentials;
use super::keeper::{Address, End, Keeping, say};
use super::mark::Bucket;
use super::piece::{Piece, Reading};
use super::trouble::Trouble;
use crate::limits;
use crate::protocol::line::Report;

/// Joins the bus, and tells and reads until something is wrong.
pub(super) async fn bridge(keeping: &mut Keeping) -> End {
    match run(keeping).await {
        Err(end) => end,
    }
}

async fn run(keeping: &mut Keeping) -> Result<Infallible, End> {
    let broken = Arc::new(Notify::new());
    let client = connect(&keeping.address, &broken).await?;
    let context = ContextBuilder::new()
        .timeout(limits::BUS_ANSWER_MAX)
        .ack_timeout(limits::BUS_ANSWER_MAX)
        .max_ack_inflight(2 * limits::BUS_BATCH_REPORTS)
        .build(client.clone());
    let stream = bucket(&context, &keeping.address).await?;
    let info = stream.cached_info();
    let last = info.state.last_sequence;
    let found = Bucket { server: client.server_info().server_id, made: info.created.to_string(), last };
    let at_put = match &keeping.mark.put {
        Some((subject, _)) => last_at(&stream, subject).await?,
        None => 0,
    };
    let course = keeping.mark.come_to(found, at_put);
    keeping.session += 1;
    let Keeping { address, batches, news, mark, session } = keeping;
    say(news, News::Joined { session: *session, anew: course.anew }).await?;
    if course.read_from > last {
        say(news, News::Piece(Piece { level: true, ..Piece::default() })).await?;
    }
    let telling = Telling { context: &context, reading: &address.reading, news, session: *session };
    tokio::select! {
        end = telling.tell(batches, &mut mark.put) => end,
        end = read(&stream, &address.reading, news, course.read_from, last, &mut mark.read) => end,
        () = broken.notified() => Err(Trouble::Gone.into()),
    }
}

async fn connect(address: &Address, broken: &Arc<Notify>) -> Result<Client, Trouble> {
    let breaking = Arc::clone(broken);
    let options = match Credentials::find(address.creds_file.as_deref())? {
        Credentials::None => ConnectOptions::new(),
        Credentials::Signed(creds) => ConnectOptions::with_credentials(&creds).map_err(|_| Trouble::NoCredentials)?,
        Credentials::Password { user, password } => ConnectOptions::with_user_and_password(user, password),
        Credentials::Token(token) => ConnectOptions::with_token(token),
    };
    let options = options
        .name(&address.client)
        .connection_timeout(limits::BUS_CONNECT_MAX)
        .request_timeout(Some(limits::BUS_ANSWER_MAX))
        .ping_interval(limits::BUS_PING_EVERY)
        .subscription_capacity(2 * limits::BUS_READ_MESSAGES)
        .max_reconnects(1)
        .event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                // Kept for whoever asks next, also if nobody waits just now.
                breaking.notify_one();
            }
            std::future::ready(())
        });
    let connecting = options.connect(address.url.as_str());
    match timeout(limits::BUS_CONNECT_MAX, connecting).await {
        Ok(Ok(client)) if client.connection_state() == State::Connected => Ok(client),
        Ok(Err(why)) => Err(match why.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Trouble::Refused,
            ConnectErrorKind::Tls => Trouble::Tls,
            _ => Trouble::Unreachable,
        }),
        Ok(Ok(_)) | Err(_) => Err(Trouble::Unreachable),
    }
}

/// The bucket, made if there is none.
async fn bucket(context: &Context, address: &Address) -> Result<Stream, Trouble> {
    let name = format!("KV_{}", address.bucket);
    let subjects = vec![format!("{}>", address.reading.prefix)];
    let stream = match context.get_stream(&name).await {
        Ok(stream) => stream,
        Err(why) => match why.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                let config = bucket_config(name, subjects.clone(), address.replicas);
                context.create_stream(config).await.map_err(|_| Trouble::NoBucket)?
            }
            GetStreamErrorKind::Request => Trouble::NoJetStream.into_err()?,
            GetStreamErrorKind::JetStream(why)
                if [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT]
                    .contains(&why.error_code()) =>
            {
                Trouble::NoJetStream.into_err()?
            }
            _ => Trouble::Silent.into_err()?,
        },
    };
    if stream.cached_info().config.subjects == subjects { Ok(stream) } else { Err(Trouble::OtherStream) }
}

impl Trouble {
    fn into_err<T>(self) -> Result<T, Self> {
        Err(self)
    }
}

/// What a key-value bucket of history 1 is underneath:
/// <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md>
fn bucket_config(name: String, subjects: Vec<String>, replicas: usize) -> StreamConfig {
    StreamConfig {
        name,
        subjects,
        max_messages_per_subject: 1,
        max_messages: -1,
        max_bytes: -1,
        max_message_size: -1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: replicas,
        ..StreamConfig::default()
    }
}

/// The sequence number of what stands at a subject; 0: nothing.
async fn last_at(stream: &Stream, subject: &str) -> Result<u64, Trouble> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(entry) => Ok(entry.sequence),
        Err(why) if why.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(0),
        Err(_) => Err(Trouble::Silent),
    }
}

struct Telling<'a> {
    context: &'a Context,
    reading: &'a Reading,
    news: &'a mpsc::Sender<News>,
    session: u64,
}

impl Telling<'_> {
    /// Puts batch after batch; each is told when all of it has been acknowledged.
    async fn tell(
        &self,
        batches: &mut mpsc::Receiver<Batch>,
        put: &mut Option<(String, u64)>,
    ) -> Result<Infallible, End> {
        loop {
            let batch = batches.recv().await.ok_or(End::Gone)?;
            if batch.session == self.session {
                let too_long = self.put(&batch, put).await?;
                say(self.news, News::Told { session: self.session, too_long }).await?;
            }
        }
    }

    /// Puts a batch; returns how many reports are longer than the bus takes.
    async fn put(&self, batch: &Batch, put: &mut Option<(String, u64)>) -> Result<u64, Trouble> {
        let (mut acknowledgements, mut last, mut too_long, mut start) = (Vec::new(), None, 0, 0);
        for end in memchr_iter(b'\n', &batch.lines) {
            let line = &batch.lines[start..end];
            start = end + 1;
            let message = PublishMessage::build().payload(line.to_vec().into());
            match self.context.send_publish(self.subject(line), message).await {
                Ok(acknowledgement) => acknowledgements.push(acknowledgement),
                Err(why) if why.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    too_long += 1;
                    continue;
                }
                Err(_) => return Err(Trouble::Silent),
            }
            last = Some(line);
        }
        let mut sequence = 0;
        for acknowledgement in acknowledgements {
            sequence = acknowledgement.await.map_err(|why| trouble(why.kind()))?.sequence;
        }
        if let Some(line) = last {
            *put = Some((self.subject(line), sequence));
        }
        Ok(too_long)
    }

    /// Where the report of this line stands.
    fn subject(&self, line: &[u8]) -> String {
        self.reading.subject(Report::parse(line).expect("an atlas holds reports").client())
    }
}

fn trouble(why: PublishErrorKind) -> Trouble {
    match why {
        PublishErrorKind::TimedOut => Trouble::Silent,
        PublishErrorKind::BrokenPipe | PublishErrorKind::StreamNotFound => Trouble::Gone,
        _ => Trouble::NotTaken,
    }
}

/// Reads the bucket from an entry on, and then whatever is put, in pieces.
async fn read(
    stream: &Stream,
    reading: &Reading,
    news: &mpsc::Sender<News>,
    read_from: u64,
    last: u64,
    read: &mut u64,
) -> Result<Infallible, End> {
    let config = ConsumerConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: read_from },
        ack_policy: AckPolicy::None,
        inactive_threshold: limits::BUS_READER_IDLE_MAX,
        memory_storage: true,
        num_replicas: 1,
        ..ConsumerConfig::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|_| Trouble::Silent)?;
    let mut entries = consumer
        .stream()
        .max_messages_per_batch(limits::BUS_READ_MESSAGES)
        .expires(limits::BUS_PULL_EVERY)
        .heartbeat(limits::BUS_HEARTBEAT_EVERY)
        .messages()
        .await
        .map_err(|_| Trouble::Silent)?;
    let mut expected = 0;
    loop {
        let mut piece = Piece::default();
        let mut next = entries.next().await;
        // What has come already goes into the same piece.
        loop {
            let entry = next.ok_or(Trouble::Gone)?.map_err(|_| Trouble::Silent)?;
            expected += 1;
            *read = take(&entry, reading, expected, &mut piece)?;
            if piece.bytes() >= limits::BUS_PIECE_BYTES {
                break;
            }
            match entries.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        piece.level = *read >= last;
        say(news, News::Piece(piece)).await?;
    }
}

/// Takes an entry into a piece; returns its sequence number.
fn take(entry: &Message, reading: &Reading, expected: u64, piece: &mut Piece) -> Result<u64, Trouble> {
    let about = entry.info().map_err(|_| Trouble::Gone)?;
    if about.consumer_sequence != expected {
        // Something was left out on the way: it is read again.
        return Err(Trouble::Gone);
    }
    // A marker of somebody who has deleted a key is no report, and nothing is forgotten by it.
    if entry.headers.as_ref().is_none_or(|headers| headers.get("KV-Operation").is_none()) {
        reading.take(&entry.subject, &entry.payload, piece);
    }
    Ok(about.stream_sequence)
}
