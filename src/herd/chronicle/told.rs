//! An event of a server as it is told: indexes become names, bytes become text.

use super::super::api;
use super::super::panics::printable;
use crate::server::events::{Event, What};
use crate::server::record;

/// An event of a server, as it is told.
pub fn told(index: usize, event: Event, names: &[String]) -> api::Event {
    let peer_name = |peer: usize| Some(names[peer].clone());
    let mut told = api::Event {
        seq: event.seq,
        t: record::time(event.at),
        server: Some(names[index].clone()),
        ..api::Event::default()
    };
    match event.what {
        What::LinkUp { peer } => (told.kind, told.peer) = ("link.up".into(), peer_name(peer)),
        What::LinkDown { peer, why } => {
            (told.kind, told.peer, told.note) = ("link.down".into(), peer_name(peer), Some(printable(&why)));
        }
        What::LinkRefused { peer, why } => {
            (told.kind, told.peer, told.note) = ("link.refused".into(), peer_name(peer), Some(printable(&why)));
        }
        What::Connected { address } => {
            (told.kind, told.addr) = ("client.connected".into(), Some(address.to_string()));
        }
        What::Gone { address, why } => {
            (told.kind, told.addr, told.note) =
                ("client.gone".into(), Some(address.to_string()), Some(printable(&why)));
        }
        What::Heard { from, client, news } => {
            (told.kind, told.peer) = ("flood.heard".into(), from.and_then(peer_name));
            (told.client, told.news) = (Some(client_name(&client)), Some(news.name().into()));
        }
        What::Told { peer, client } => {
            (told.kind, told.peer, told.client) = ("flood.told".into(), peer_name(peer), Some(client_name(&client)));
        }
        What::Answered { address, client, answer } => {
            (told.kind, told.addr) = ("flood.answered".into(), Some(address.to_string()));
            (told.client, told.answer) = (client.as_deref().map(client_name), Some(answer.name().into()));
        }
    }
    told
}

/// A client's name as text: what is not UTF-8 is `\xNN`.
pub fn client_name(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        name.push_str(chunk.valid());
        name.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    name
}
