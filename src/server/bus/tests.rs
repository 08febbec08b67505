//! The server's end of the bus, with the test in the keeper's place.

use super::*;

fn at(client: &str, time: u32) -> String {
    format!("AT S +0.000000000 {client} +1-1 {time}")
}

fn say(atlas: &mut Atlas, line: &str) {
    assert!(atlas.learn(Report::parse(line.as_bytes()).unwrap(), Source::CLIENT));
}

fn piece(own: &[String], level: bool) -> Piece {
    Piece { own: own.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect(), level, ..Piece::default() }
}

struct Desk {
    bus: Bus,
    batches: mpsc::Receiver<Batch>,
    atlas: Atlas,
}

/// A bus that is joined, and may be told.
fn joined() -> Desk {
    let (batches, told) = mpsc::channel(limits::BUS_BATCHES_MAX);
    let mut desk =
        Desk { bus: Bus::new(String::new(), batches, mpsc::channel(1).1), batches: told, atlas: Atlas::new() };
    desk.bus.joined(1, true, || Source::link(1));
    desk.bus.learn(&mut desk.atlas, &piece(&[], true));
    desk
}

impl Desk {
    /// What is told next; nothing if nothing is.
    fn told(&mut self) -> Option<String> {
        self.bus.tell(&self.atlas);
        self.batches.try_recv().ok().map(|batch| String::from_utf8(batch.lines).unwrap())
    }
}

#[test]
fn nothing_is_told_before_what_is_there_has_been_read() {
    let mut desk = joined();
    desk.bus.joined(2, true, || Source::link(2));
    say(&mut desk.atlas, &at("kiwi", 1));
    desk.bus.learn(&mut desk.atlas, &piece(&[at("mango", 1)], false));
    assert_eq!(desk.told(), None);
    desk.bus.learn(&mut desk.atlas, &piece(&[], true));
    assert_eq!(desk.told(), Some(format!("{}\n", at("kiwi", 1))));
}

#[test]
fn a_batch_that_was_on_its_way_is_told_again() {
    let mut desk = joined();
    say(&mut desk.atlas, &at("kiwi", 1));
    assert!(desk.told().is_some());
    assert_eq!(desk.told(), None, "one at a time");
    desk.bus.joined(2, false, || panic!("the same source"));
    desk.bus.learn(&mut desk.atlas, &piece(&[], true));
    desk.bus.has_told(1);
    assert!(desk.told().is_some(), "an acknowledgement of an earlier session is none");
    desk.bus.has_told(2);
    assert!(desk.told().is_none() && desk.bus.is_done(&desk.atlas));
}

#[test]
fn a_bus_that_has_lost_everything_is_told_also_what_it_said() {
    let mut desk = joined();
    desk.bus.learn(&mut desk.atlas, &piece(&[at("kiwi", 1)], true));
    assert_eq!(desk.told(), None);
    assert_eq!(desk.bus.told, 1);
    desk.bus.joined(2, true, || Source::link(2));
    desk.bus.learn(&mut desk.atlas, &piece(&[], true));
    assert_eq!(desk.told(), Some(format!("{}\n", at("kiwi", 1))));
}

#[test]
fn an_older_report_that_another_bridge_put_later_is_put_right() {
    let mut desk = joined();
    say(&mut desk.atlas, &at("kiwi", 2));
    assert!(desk.told().is_some());
    desk.bus.has_told(1);
    desk.bus.learn(&mut desk.atlas, &piece(&[at("kiwi", 1)], true));
    assert_eq!(desk.told(), Some(format!("{}\n", at("kiwi", 2))));
    desk.bus.has_told(1);
    desk.bus.learn(&mut desk.atlas, &piece(&[at("kiwi", 2)], true));
    assert_eq!(desk.told(), None, "the echo of one's own words changes nothing");
}

#[test]
fn when_too_many_are_owed_everything_is_told_again() {
    let mut desk = joined();
    let clients = limits::BUS_OWED_MAX + 1;
    (0..clients).for_each(|n| say(&mut desk.atlas, &at(&format!("c{n}"), 2)));
    while desk.told().is_some() {
        desk.bus.has_told(1);
    }
    let old: Vec<String> = (0..clients).map(|n| at(&format!("c{n}"), 1)).collect();
    desk.bus.learn(&mut desk.atlas, &piece(&old, true));
    assert_eq!((desk.bus.told, desk.bus.owed.len()), (0, limits::BUS_OWED_MAX));
}
