//! The embedded provider: the localities of GeoNames, packed into the program at build time (`pack.rs`).
//!
//! It needs no key, no network and no memory but its answer: the gazetteer is read where the program file is
//! mapped, and all servers share it. There are no populations in it, so what is nearest comes first.

use super::gazetteer::{Gazetteer, Place};
use super::local::{self, Data};
use super::{Answer, Circle, search};

/// What CC BY 4.0 asks for, in the place that Google keeps for it.
pub(super) const CREDIT: &str = "Places: <a href=\"https://www.geonames.org/\">GeoNames</a>, \
                      <a href=\"https://creativecommons.org/licenses/by/4.0/\">CC BY 4.0</a>";

static PLACES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/places.bin"));

/// A provider that answers from a gazetteer of localities, tagged with their countries.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    gazetteer: Gazetteer<'static>,
}

impl Embedded {
    /// The localities in the program.
    ///
    /// # Panics
    ///
    /// Never: the build script has read the block back.
    #[must_use]
    pub fn open() -> Self {
        Self::over(Gazetteer::open(PLACES).expect("the build script wrote a whole gazetteer"))
    }

    /// Any gazetteer.
    #[must_use]
    pub fn over(gazetteer: Gazetteer<'static>) -> Self {
        Self { gazetteer }
    }

    /// All there is to search.
    #[must_use]
    pub fn gazetteer(&self) -> &Gazetteer<'static> {
        &self.gazetteer
    }

    /// The `bound` places of `circle` nearest to its centre, as [`super::Places::nearby`] answers.
    #[must_use]
    pub fn nearby(&self, circle: Circle, bound: usize) -> Answer {
        local::answer(self, circle, bound, None)
    }

    /// The same in place of another provider; `info` says so.
    #[must_use]
    pub fn stand_in(&self, circle: Circle, bound: usize, info: &str) -> Answer {
        local::answer(self, circle, bound, Some(info))
    }

    /// The numbers of the `bound` places of `circle` nearest to its centre, as [`search::nearest`] finds them.
    #[must_use]
    pub fn nearest(&self, circle: Circle, bound: usize) -> Vec<usize> {
        search::nearest(&self.gazetteer, circle, bound)
    }
}

impl Data for Embedded {
    fn gazetteer(&self) -> Gazetteer<'_> {
        self.gazetteer
    }

    fn credit(&self) -> Option<&str> {
        Some(CREDIT)
    }

    /// Country and point: stable as long as GeoNames does not move the place.
    fn identify(&self, number: usize, place: &Place<'_>, id: &mut String) {
        id.push_str("herd:geonames:");
        id.extend(place.tag.map(char::from));
        id.push(':');
        local::push_point(place, self.gazetteer.rank_at_point(number), id);
    }

    fn types(&self, _: &Place<'_>) -> impl Iterator<Item = &str> {
        ["locality", "political"].into_iter()
    }
}
