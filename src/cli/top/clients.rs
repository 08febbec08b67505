//! Where the clients are, for the map: of each its newest position that any server knows, and whether all know it.

use crate::cli::escape;
use crate::herd::api::{ClientStatus, Knows, Whereis};
use crate::protocol::line::Place;

#[derive(Debug, Default)]
pub struct Clients {
    pub dots: Vec<Dot>,
    /// How many there are; more than dots if only those that moved last are shown.
    pub known: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// Harmless on a terminal.
    pub name: String,
    pub place: Place,
    /// All servers that answered know it.
    pub agreed: bool,
}

impl Clients {
    pub fn of(whereis: &Whereis) -> Self {
        Self { dots: whereis.clients.iter().filter_map(dot).collect(), known: whereis.known }
    }

    /// The middle of all dots, as latitude and longitude; of none, the middle of the map.
    pub fn middle(&self) -> (f64, f64) {
        let n = self.dots.len().max(1) as f64;
        let sum = |of: fn(&Dot) -> f64| self.dots.iter().map(of).sum::<f64>() / n;
        (sum(|dot| dot.place.latitude), sum(|dot| dot.place.longitude))
    }
}

fn dot(client: &ClientStatus) -> Option<Dot> {
    let newest = client.servers.iter().find(|server| server.knows == Knows::Newest)?;
    Some(Dot {
        name: escape::text(&client.client).into_owned(),
        place: Place::parse(newest.location.as_ref()?.as_bytes())?,
        agreed: client.agreed,
    })
}
