//! What a place is, in Google's words: the types of a result.
//!
//! GeoNames and OpenStreetMap have words of their own; those that matter here are translated, and a word of the user's
//! is taken as it is if it could be Google's. A place with no word of its own is a point of interest.

use std::collections::HashMap;

use crate::limits::{PLACE_TYPE_BYTES_MAX, PLACE_TYPES_MAX};

/// Lists of types, each once; a place keeps the number of its own.
#[derive(Debug, Default)]
pub struct Kinds {
    lists: Vec<Vec<String>>,
    numbers: HashMap<String, u16>,
}

impl Kinds {
    /// The number of this list as a gazetteer's tag. A file with more than 65,535 different lists has the rest of its
    /// places called points of interest.
    pub(super) fn tag(&mut self, types: &[&str]) -> [u8; 2] {
        let key = types.join(" ");
        if let Some(number) = self.numbers.get(&key) {
            return number.to_le_bytes();
        }
        // The last number is nobody's.
        let number = u16::try_from(self.lists.len()).unwrap_or(u16::MAX);
        if number == u16::MAX {
            return number.to_le_bytes();
        }
        self.lists.push(types.iter().map(|&word| word.to_owned()).collect());
        self.numbers.insert(key, number);
        number.to_le_bytes()
    }

    /// The list of this tag.
    pub(super) fn types(&self, tag: [u8; 2]) -> impl Iterator<Item = &str> {
        let list = self.lists.get(usize::from(u16::from_le_bytes(tag)));
        let (own, rest) = match list {
            Some(list) => (list.as_slice(), &[][..]),
            None => (&[][..], SPOT),
        };
        own.iter().map(String::as_str).chain(rest.iter().copied())
    }
}

const SPOT: &[&str] = &["point_of_interest", "establishment"];
const LOCALITY: &[&str] = &["locality", "political"];
const NATURE: &[&str] = &["natural_feature"];

/// `words` with what goes with them in Google's answers: a shop is a point of interest too, a town is not.
pub(super) fn complete<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut types = words[..words.len().min(PLACE_TYPES_MAX - 2)].to_vec();
    let rest = match types.first() {
        Some(&"locality" | &"neighborhood" | &"sublocality" | &"country" | &"political") => &["political"][..],
        Some(&"natural_feature") => &[],
        _ => SPOT,
    };
    for &word in rest {
        if !types.contains(&word) {
            types.push(word);
        }
    }
    types
}

/// A word that could be one of Google's: `Coffee Shop` is `coffee_shop`.
pub(super) fn word(text: &str) -> Option<String> {
    let mut word = String::new();
    for char in text.trim().chars() {
        match char {
            'a'..='z' | '0'..='9' | '_' => word.push(char),
            'A'..='Z' => word.push(char.to_ascii_lowercase()),
            ' ' | '-' => word.push('_'),
            _ => return None,
        }
    }
    (!word.is_empty() && word.len() <= PLACE_TYPE_BYTES_MAX).then_some(word)
}

/// The types of a GeoNames feature class and code (<https://www.geonames.org/export/codes.html>).
pub(super) fn of_geonames(class: &[u8], code: &[u8]) -> &'static [&'static str] {
    match (class, code) {
        (b"P", b"PPLX") => &["neighborhood", "political"],
        (b"P", _) => LOCALITY,
        (b"A", b"PCLI" | b"PCL" | b"PCLD" | b"PCLS") => &["country", "political"],
        (b"A", b"ADM1") => &["administrative_area_level_1", "political"],
        (b"A", b"ADM2") => &["administrative_area_level_2", "political"],
        (b"A", _) => &["political"],
        (b"S", b"AIRP" | b"AIRF" | b"AIRH") => &["airport", "point_of_interest", "establishment"],
        (b"S", b"HTL" | b"RSRT" | b"GHSE" | b"HSTL") => &["lodging", "point_of_interest", "establishment"],
        (b"S", b"MUS") => &["museum", "point_of_interest", "establishment"],
        (b"S", b"SCH" | b"SCHC" | b"SCHA" | b"SCHT") => &["school", "point_of_interest", "establishment"],
        (b"S", b"UNIV") => &["university", "point_of_interest", "establishment"],
        (b"S", b"HSP" | b"HSPC" | b"HSPD") => &["hospital", "health", "point_of_interest", "establishment"],
        (b"S", b"CH") => &["church", "place_of_worship", "point_of_interest", "establishment"],
        (b"S", b"MSQE") => &["mosque", "place_of_worship", "point_of_interest", "establishment"],
        (b"S", b"TMPL") => &["hindu_temple", "place_of_worship", "point_of_interest", "establishment"],
        (b"S", b"SYG") => &["synagogue", "place_of_worship", "point_of_interest", "establishment"],
        (b"S", b"RSTN" | b"RSTP") => &["train_station", "transit_station", "point_of_interest", "establishment"],
        (b"S", b"MTRO") => &["subway_station", "transit_station", "point_of_interest", "establishment"],
        (b"S", b"LIBR") => &["library", "point_of_interest", "establishment"],
        (b"S", b"STDM") => &["stadium", "point_of_interest", "establishment"],
        (b"S", b"ZOO") => &["zoo", "point_of_interest", "establishment"],
        (b"S", b"CMTY") => &["cemetery", "point_of_interest", "establishment"],
        (b"S", b"MALL") => &["shopping_mall", "point_of_interest", "establishment"],
        (b"S", b"REST") => &["restaurant", "food", "point_of_interest", "establishment"],
        (b"L", b"PRK" | b"PRKGT" | b"PRKHQ") => &["park", "point_of_interest", "establishment"],
        (b"T" | b"H" | b"V" | b"U", _) => NATURE,
        (b"R", _) => &["route"],
        _ => SPOT,
    }
}

/// The word for an OpenStreetMap tag; nothing if it is no place of a kind that has one.
pub(super) fn of_osm(key: &str, value: &str) -> Option<String> {
    let known = match (key, value) {
        ("place", "neighbourhood" | "suburb" | "quarter") => "neighborhood",
        ("place", _) => "locality",
        ("natural", _) => "natural_feature",
        ("aeroway", "aerodrome" | "terminal") => "airport",
        ("railway", "station" | "halt") => "train_station",
        ("railway", "subway_entrance") => "subway_station",
        ("aeroway" | "railway", _) => return None,
        ("amenity", "fast_food") => "meal_takeaway",
        ("amenity", "pub") => "bar",
        ("amenity", "fuel") => "gas_station",
        ("amenity", "place_of_worship") => "place_of_worship",
        ("amenity", "college") => "university",
        ("amenity", "kindergarten") => "school",
        ("amenity", "clinic" | "doctors") => "doctor",
        ("amenity", "cinema") => "movie_theater",
        ("amenity", "townhall") => "city_hall",
        ("tourism", "hotel" | "motel" | "hostel" | "guest_house" | "apartment" | "chalet") => "lodging",
        ("tourism", "camp_site" | "caravan_site") => "campground",
        ("tourism", "gallery") => "art_gallery",
        ("tourism", "theme_park") => "amusement_park",
        ("tourism", "attraction" | "viewpoint" | "artwork" | "information") | ("historic", _) => "tourist_attraction",
        ("leisure", "garden" | "nature_reserve" | "park" | "playground") => "park",
        ("leisure", "fitness_centre" | "sports_centre") => "gym",
        ("shop", "mall") => "shopping_mall",
        ("shop", "clothes") => "clothing_store",
        ("shop", "books") => "book_store",
        ("shop", "convenience") => "convenience_store",
        ("shop", "bakery" | "supermarket" | "florist" | "laundry") => value,
        ("shop", _) => "store",
        _ => return word(value),
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_once_and_comes_back() {
        let mut kinds = Kinds::default();
        let (museum, park) = (kinds.tag(&["museum", "establishment"]), kinds.tag(&["park"]));
        assert_eq!(kinds.tag(&["museum", "establishment"]), museum);
        assert_eq!(kinds.types(museum).collect::<Vec<_>>(), ["museum", "establishment"]);
        assert_eq!(kinds.types(park).collect::<Vec<_>>(), ["park"]);
    }

    #[test]
    fn past_the_last_number_a_place_is_a_point_of_interest() {
        let mut kinds = Kinds::default();
        for number in 0..70_000 {
            kinds.tag(&[&number.to_string()]);
        }
        assert_eq!(kinds.types(kinds.numbers["65534"].to_le_bytes()).collect::<Vec<_>>(), ["65534"]);
        let last = kinds.tag(&["one more"]);
        assert_eq!(kinds.types(last).collect::<Vec<_>>(), SPOT);
        assert_eq!(kinds.tag(&["7"]), 7_u16.to_le_bytes());
    }

    #[test]
    fn words_are_google_s_or_none() {
        for (said, meant) in [
            ("Coffee Shop", Some("coffee_shop")),
            (" museum ", Some("museum")),
            ("art-gallery", Some("art_gallery")),
            ("<script>", None),
            ("café", None),
            ("", None),
        ] {
            assert_eq!(word(said).as_deref(), meant, "{said}");
        }
        assert_eq!(word(&"a".repeat(65)), None);
        assert_eq!(complete(&["museum"]), ["museum", "point_of_interest", "establishment"]);
        assert_eq!(complete(&["locality"]), ["locality", "political"]);
        assert_eq!(complete(&["natural_feature"]), ["natural_feature"]);
        assert_eq!(complete(&[]), SPOT);
        assert_eq!(complete(&["a"; 20]).len(), PLACE_TYPES_MAX);
    }
}
