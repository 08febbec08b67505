//! The chronicle alone: heralds at one end, readers at the other.

use super::*;
use crate::config;
use crate::server::events::What;

/// A herd of two, Bona and Clark.
fn chronicle() -> Chronicle {
    let text = r#"
        herd = "test"
        servers = [ { name = "Bona", address = "127.0.0.1:0" }, { name = "Clark", address = "127.0.0.1:0" } ]
        links = [ ["Bona", "Clark"] ]
    "#;
    let (config, _) = config::parse(text, std::path::Path::new("/herd.toml")).unwrap_or_else(|why| panic!("{why}"));
    Chronicle::new(&config, jiff::Timestamp::UNIX_EPOCH)
}

const RUN: &str = "1970-01-01T00:00:00.000000Z";

fn query(since: Option<&str>, kinds: &str) -> EventsQuery {
    EventsQuery { since: since.map(Into::into), run: None, kinds: kinds.into(), flood: false, client: None }
}

fn link_up(herald: &Herald, peer: usize) {
    herald.tell(|| _ = record::next_numbers(1), What::LinkUp { peer });
}

fn note(chronicle: &Chronicle, kind: &str) {
    record::next_numbers(1);
    chronicle.note(api::Event { kind: kind.into(), ..api::Event::default() });
}

/// What a reader has been told by now, without the opening.
fn read(subscription: &mut Subscription) -> Vec<api::Event> {
    let mut pieces: Vec<Bytes> = subscription.before.drain(..).collect();
    while let Ok(piece) = subscription.live.try_recv() {
        pieces.push(piece);
    }
    let text = pieces.concat();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<api::Event>(line).unwrap());
    events.filter(|event| event.kind != OPENED).collect()
}

fn kinds(events: &[api::Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[test]
fn events_of_all_come_in_the_order_in_which_they_happened() {
    let chronicle = chronicle();
    let mut reader = chronicle.subscribe(&query(None, "")).unwrap();
    let (bona, clark) = (chronicle.herald(0), chronicle.herald(1));
    link_up(&clark, 0);
    note(&chronicle, "server.killed");
    link_up(&bona, 1);
    link_up(&clark, 0);
    chronicle.gather();
    let events = read(&mut reader);
    assert_eq!(kinds(&events), ["link.up", "server.killed", "link.up", "link.up"]);
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq), "{events:?}");
    assert!(events.iter().all(|event| event.run == RUN && event.schema == "herd.event/1"));
    assert_eq!(events[2].server.as_deref(), Some("Bona"));
    assert_eq!(events[2].peer.as_deref(), Some("Clark"));
}

#[test]
fn what_a_server_is_about_to_tell_is_waited_for_but_not_for_ever() {
    let chronicle = chronicle();
    let mut reader = chronicle.subscribe(&EventsQuery { flood: true, ..query(None, "") }).unwrap();
    let (bona, clark) = (chronicle.herald(0), chronicle.herald(1));
    let mut hops = bona.hops().expect("somebody listens");
    hops.line(Some(What::Told { peer: 1, client: (*b"kiwi").into() }));
    let number = record::next_numbers(1);
    link_up(&clark, 0);
    assert!(!chronicle.gather());
    assert_eq!(read(&mut reader), [], "Bona may still tell something that was before");
    hops.send(crate::server::clock::now(), Some(number));
    chronicle.gather();
    assert_eq!(kinds(&read(&mut reader)), ["flood.told", "link.up"]);

    // A server that hangs in the midst of it holds nobody up; what it tells too late is counted.
    let mut hops = bona.hops().expect("somebody listens");
    hops.line(Some(What::Told { peer: 1, client: (*b"kiwi").into() }));
    let number = record::next_numbers(1);
    link_up(&clark, 0);
    chronicle.gather();
    std::thread::park_timeout(limits::EVENTS_TURN_MAX);
    while !chronicle.gather() {
        std::thread::yield_now();
    }
    assert_eq!(kinds(&read(&mut reader)), ["link.up"]);
    hops.send(crate::server::clock::now(), Some(number));
    while read_gap(&chronicle, &mut reader, "Bona", 1).is_none() {}
}

fn read_gap(chronicle: &Chronicle, reader: &mut Subscription, server: &str, missed: u64) -> Option<()> {
    chronicle.gather();
    let events = read(reader);
    let gap = events.first()?;
    assert_eq!((gap.kind.as_str(), gap.server.as_deref(), gap.missed), (GAP, Some(server), Some(missed)));
    Some(())
}

#[test]
fn a_reader_gets_the_kinds_it_wants_and_hops_only_if_it_asks() {
    let chronicle = chronicle();
    let mut links = chronicle.subscribe(&query(None, "link,herd.up")).unwrap();
    assert!(chronicle.herald(0).hops().is_none());
    let mut flood = chronicle.subscribe(&query(None, "flood")).unwrap();
    let bona = chronicle.herald(0);
    let mut hops = bona.hops().expect("somebody listens");
    hops.line(Some(What::Heard { from: Some(1), client: (*b"k\xff\xc3\xa9").into(), news: events::News::Known }));
    hops.send(crate::server::clock::now(), None);
    link_up(&bona, 1);
    note(&chronicle, "herd.up");
    note(&chronicle, "herd.down");
    chronicle.gather();
    assert_eq!(kinds(&read(&mut links)), ["link.up", "herd.up"]);
    let heard = read(&mut flood);
    assert_eq!(kinds(&heard), ["flood.heard"]);
    assert_eq!((heard[0].client.as_deref(), heard[0].news.as_deref()), (Some("k\\xffé"), Some("known")));
    drop(flood);
    chronicle.gather();
    assert!(chronicle.herald(0).hops().is_none(), "nobody listens any more");
}

#[test]
fn what_has_been_is_told_again_and_what_is_not_kept_is_a_stated_gap() {
    let chronicle = chronicle();
    let mut first = chronicle.subscribe(&query(None, "")).unwrap();
    let mut numbers = Vec::new();
    for _ in 0..limits::EVENTS_KEPT + 10 {
        note(&chronicle, "server.running");
        numbers.push(record::latest());
        chronicle.gather();
        read(&mut first);
    }
    let since = |seq: u64| read(&mut chronicle.subscribe(&query(Some(&seq.to_string()), "")).unwrap());
    let from = |events: &[api::Event]| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(from(&since(numbers[50])), numbers[51..]);
    assert_eq!(from(&since(*numbers.last().unwrap())), [0; 0]);
    let old = since(numbers[3]);
    assert_eq!((old[0].kind.as_str(), old[0].missed), (GAP, None));
    assert_eq!(from(&old[1..]), numbers[10..]);
    // From a time on.
    let time = old[100].t.clone();
    let later = read(&mut chronicle.subscribe(&query(Some(&time), "")).unwrap());
    assert!(later.len() > 1 && later[0].t >= time && later[0].seq <= old[100].seq);
    // The numbers of another run mean nothing.
    let other = EventsQuery { run: Some("2026-11-23T06:00:00.000000Z".into()), ..query(Some("999999999"), "") };
    let other = read(&mut chronicle.subscribe(&other).unwrap());
    assert_eq!((other[0].kind.as_str(), other.len()), (GAP, limits::EVENTS_KEPT + 1));
}

#[test]
fn a_reader_that_does_not_read_misses_events_is_told_how_many_and_holds_up_nobody() {
    let chronicle = chronicle();
    let mut slow = chronicle.subscribe(&query(None, "")).unwrap();
    let mut quick = chronicle.subscribe(&query(None, "")).unwrap();
    let (mut told, mut heard) = (0, 0);
    for _ in 0..100 {
        for _ in 0..100 {
            note(&chronicle, "server.running");
            told += 1;
        }
        chronicle.gather();
        heard += read(&mut quick).len();
    }
    assert_eq!(heard, told);
    assert!(!chronicle.gather(), "it has still to be told what it missed");
    let before = read(&mut slow);
    assert!(before.len() < told, "the queue is bounded");
    assert!(chronicle.gather());
    note(&chronicle, "herd.down");
    chronicle.gather();
    let after = read(&mut slow);
    assert_eq!(kinds(&after), [GAP, "herd.down"]);
    assert_eq!(before.len() as u64 + after[0].missed.unwrap(), told as u64);
    assert!(after[0].seq < after[1].seq);
}

#[test]
fn there_are_only_so_many_readers_and_those_who_left_do_not_count() {
    let chronicle = chronicle();
    let mut readers: Vec<_> =
        (0..limits::EVENTS_READERS_MAX).map(|_| chronicle.subscribe(&query(None, "")).unwrap()).collect();
    assert_eq!(chronicle.subscribe(&query(None, "")).unwrap_err().error, Kind::Taken);
    readers.pop();
    readers.push(chronicle.subscribe(&query(None, "")).unwrap());
    assert_eq!(chronicle.subscribe(&query(Some("soon"), "")).unwrap_err().error, Kind::Usage);
}

#[test]
fn at_the_end_all_is_told_and_the_stream_ends() {
    let chronicle = chronicle();
    let mut reader = chronicle.subscribe(&query(None, "")).unwrap();
    note(&chronicle, "herd.down");
    chronicle.close();
    assert_eq!(kinds(&read(&mut reader)), ["herd.down"]);
    assert!(reader.live.is_closed());
}
