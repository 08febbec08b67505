//! Places: the embedded provider against sample answers, against known counts and against a search of
//! everything; the gazetteer against itself; the JSON writer against Google's style.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use herdctl::places::embedded::Embedded;
use herdctl::places::gazetteer::{self, DEGREE, Gazetteer, Place, TURN};
use herdctl::places::google::failure::Failure;
use herdctl::places::{Circle, Places, Provider, failure, json};
use proptest::prelude::*;
use serde_json::Value;

const UCLA: (f64, f64) = (34.068_930, -118.445_127);
const MID_PACIFIC: (f64, f64) = (0.0, -150.0);

fn circle((lat, lng): (f64, f64), radius_km: f64) -> Circle {
    Circle { lat, lng, radius_km }
}

// What is answered.

#[test]
fn an_answer_is_the_sample_byte_for_byte() {
    let sampleville = place("Sampleville", *b"US", 3_405_000, -11_845_000);
    let answer = over(&[sampleville]).nearby(circle(UCLA, 10.0), 20).json;
    assert_eq!(answer + "\n", include_str!("golden/embedded.json"));
}

#[test]
fn nothing_in_the_circle_is_the_sample_of_zero_results() {
    let answer = Embedded::open().nearby(circle(MID_PACIFIC, 50.0), 20).json;
    assert_eq!(answer + "\n", include_str!("golden/zero.json"));
}

#[test]
fn a_failure_is_the_sample_of_a_failure() {
    let answer = failure(&Failure::Slow(Duration::from_secs(5)));
    assert_eq!(answer.json + "\n", include_str!("golden/timeout.json"));
}

#[test]
fn the_configured_provider_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let places = Places::open(&Provider::Embedded, 1);
    let answer = runtime.block_on(places.nearby(circle(UCLA, 10.0), 5)).json;
    assert_eq!(answer, Embedded::open().nearby(circle(UCLA, 10.0), 5).json);
    assert_eq!(results(&parse(&answer)).len(), 5);
}

#[test]
fn the_credit_of_the_data_goes_with_the_data() {
    let credits = |answer: String| parse(&answer)["html_attributions"].as_array().unwrap().clone();
    let given = credits(Embedded::open().nearby(circle(UCLA, 10.0), 5).json);
    let [credit] = given.as_slice() else { panic!("one credit, not {given:?}") };
    for part in ["GeoNames", "https://www.geonames.org/", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"] {
        assert!(credit.as_str().unwrap().contains(part), "{credit} lacks {part}");
    }
    assert!(credits(Embedded::open().nearby(circle(MID_PACIFIC, 50.0), 5).json).is_empty());
}

#[test]
fn with_a_bound_of_zero_the_status_still_tells_about_the_circle() {
    for (centre, status) in [(UCLA, "OK"), (MID_PACIFIC, "ZERO_RESULTS")] {
        let answer = parse(&Embedded::open().nearby(circle(centre, 50.0), 0).json);
        assert_eq!(answer["status"], status);
        assert_eq!(results(&answer).len(), 0);
    }
}

#[test]
fn a_viewport_ends_at_the_poles_and_goes_on_past_the_antimeridian() {
    let cases = [
        // lat, lng, northeast, southwest
        (9_000_000, 0, (90.0, 0.01), (89.99, -0.01)),
        (-8_999_500, 17_999_500, (-89.985, -179.995), (-90.0, 179.985)),
        (0, -18_000_000, (0.01, -179.99), (-0.01, 179.99)),
        (0, 18_000_000, (0.01, -179.99), (-0.01, 179.99)),
        (0, 17_999_000, (0.01, 180.0), (-0.01, 179.98)),
    ];
    for (lat, lng, northeast, southwest) in cases {
        let provider = over(&[place("Edge", *b"XX", lat, lng)]);
        let answer = parse(&provider.nearby(circle((f64::from(lat) / 1e5, f64::from(lng) / 1e5), 1.0), 1).json);
        let viewport = &answer["results"][0]["geometry"]["viewport"];
        let corner = |name| {
            let corner: &Value = &viewport[name];
            (corner["lat"].as_f64().unwrap(), corner["lng"].as_f64().unwrap())
        };
        assert_eq!((corner("northeast"), corner("southwest")), (northeast, southwest), "at {lat} {lng}");
    }
}

#[test]
fn two_places_at_one_point_come_by_name_and_have_two_identities() {
    let at = |name, country| place(name, country, 4_790_000, 1_313_333);
    let provider = over(&[at("Seewalchen", *b"AT"), at("Seekirchen", *b"AT"), at("Seeheim", *b"DE")]);
    let answer = parse(&provider.nearby(circle((47.9, 13.13333), 1.0), 20).json);
    let found: Vec<_> = results(&answer).iter().map(|place| (&place["name"], &place["place_id"])).collect();
    assert_eq!(
        found,
        [
            (&"Seeheim".into(), &"herd:geonames:DE:+4790000+1313333".into()),
            (&"Seekirchen".into(), &"herd:geonames:AT:+4790000+1313333".into()),
            (&"Seewalchen".into(), &"herd:geonames:AT:+4790000+1313333:2".into()),
        ] as [(&Value, &Value); 3]
    );
}

// What is found.

#[test]
fn known_circles_hold_known_numbers_of_places() {
    let tokyo = (35.6812, 139.7671);
    let lagos = (6.5244, 3.3792);
    let reykjavik = (64.1466, -21.9426);
    // GeoNames has one more for Tokyo and for Reykjavik: the same name twice within a few kilometres.
    for (centre, hits) in [(UCLA, 164), (tokyo, 309), (lagos, 33), (MID_PACIFIC, 0), (reykjavik, 17)] {
        assert_eq!(Embedded::open().nearest(circle(centre, 50.0), usize::MAX).len(), hits, "around {centre:?}");
    }
}

#[test]
fn the_neighbourhoods_of_ucla_come_nearest_first() {
    let answer = parse(&Embedded::open().nearby(circle(UCLA, 10.0), 10).json);
    let names: Vec<_> = results(&answer).iter().map(|place| place["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Bel Air",
            "Westwood",
            "Century City",
            "Brentwood",
            "Sawtelle",
            "Beverly Hills",
            "Culver City",
            "Santa Monica",
            "Pacific Palisades",
            "West Hollywood"
        ]
    );
}

#[test]
fn a_circle_as_wide_as_the_globe_holds_every_place_once() {
    for centre in [UCLA, (90.0, 0.0), (-90.0, -0.0), (-0.0, 180.0), (0.0, -180.0)] {
        let mut found = Embedded::open().nearest(circle(centre, 20_100.0), usize::MAX);
        found.sort_unstable();
        assert!(found.into_iter().eq(0..EVERYWHERE.places.len()), "around {centre:?}");
    }
}

#[test]
fn a_place_on_the_far_side_of_a_pole_is_found_once() {
    // The frame around a circle that holds a pole ends where it began: on the far side.
    let far_side: Vec<_> = (-3..=3).map(|lng| place("Far", *b"XX", 90 * DEGREE - 1, lng)).collect();
    let provider = over(&far_side);
    for lng in [-180.0, 180.0] {
        assert_eq!(provider.nearest(circle((89.9, lng), 50.0), usize::MAX).len(), far_side.len());
    }
}

#[test]
fn a_point_is_the_smallest_circle() {
    let bel_air = (34.08334, -118.44869);
    assert_eq!(Embedded::open().nearest(circle(bel_air, 1e-9), 20).len(), 1);
    assert_eq!(Embedded::open().nearest(circle(UCLA, 1e-9), 20).len(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_grid_finds_what_a_search_of_everything_finds(
        centre in centres(), radius_km in radii(), bound in prop_oneof![0..=20_usize, Just(usize::MAX)],
    ) {
        EVERYWHERE.check(circle(centre, radius_km), bound)?;
        AT_THE_EDGES.check(circle(centre, radius_km), bound)?;
    }

    #[test]
    fn every_answer_is_google_s_style_within_the_bound(
        centre in centres(), radius_km in radii(), bound in 0..=20_usize,
    ) {
        let circle = circle(centre, radius_km);
        let answer = EVERYWHERE.provider.nearby(circle, bound).json;
        let json = parse(&answer);
        let hits = EVERYWHERE.distances(circle).filter(|km| *km <= radius_km).count();
        prop_assert_eq!(&json["status"], if hits == 0 { "ZERO_RESULTS" } else { "OK" });
        prop_assert_eq!(results(&json).len(), hits.min(bound));
        prop_assert!(!answer.ends_with('\n') && !answer.contains("\n\n"));
        // Its keys are sorted, its numbers shortest, its margins right: printed again it is the same.
        prop_assert_eq!(reprint(&json), answer);
    }
}

/// A provider, and all it has, with each place as a unit vector.
struct World {
    provider: Embedded,
    places: Vec<[f64; 3]>,
}

static EVERYWHERE: LazyLock<World> = LazyLock::new(|| World::of(Embedded::open()));

/// Places where the grid has its seams and GeoNames has nobody: both poles, the antimeridian, their corners.
static AT_THE_EDGES: LazyLock<World> = LazyLock::new(|| {
    let points = (0..).map(scattered).take(4_000).map(|[a, b]| {
        let polar = |a: i32| (90 * DEGREE - a % DEGREE) * if a % 2 == 0 { 1 } else { -1 };
        match b % 3 {
            0 => (polar(a), b % (TURN / 2)),
            1 => (a % (90 * DEGREE), b % DEGREE - TURN / 2),
            _ => (-(a % (90 * DEGREE)), TURN / 2 - b % DEGREE),
        }
    });
    let seams = [-90, -89, 0, 89, 90].map(|lat| [-180, -179, 0, 179, 180].map(|lng| (lat * DEGREE, lng * DEGREE)));
    let points = points.chain(seams.into_iter().flatten());
    let places: Vec<_> = points.map(|(lat, lng)| place("Edge", *b"XX", lat, lng)).collect();
    World::of(over(&places))
});

impl World {
    fn of(provider: Embedded) -> Self {
        let places = provider.gazetteer().places();
        let places = places.map(|place| vector(f64::from(place.lat) / 1e5, f64::from(place.lng) / 1e5)).collect();
        Self { provider, places }
    }

    /// The distance of each place from the centre in kilometres, by the chord between the two: another formula
    /// than the provider's.
    fn distances(&self, circle: Circle) -> impl Iterator<Item = f64> {
        let centre = vector(circle.lat, circle.lng);
        self.places.iter().map(move |place| {
            let chord = std::iter::zip(centre, place).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
            2.0 * 6_371.008_8 * (chord / 2.0).min(1.0).asin()
        })
    }

    fn check(&self, circle: Circle, bound: usize) -> Result<(), TestCaseError> {
        /// A tenth of a millimetre: which of two so near to each other is nearer is not for us to say.
        const NO_MATTER_KM: f64 = 1e-7;
        let km: Vec<_> = self.distances(circle).collect();
        let found = self.provider.nearest(circle, bound);
        let chosen: HashSet<_> = found.iter().copied().collect();
        prop_assert_eq!(chosen.len(), found.len(), "a place is found once");
        prop_assert!(found.len() <= bound);
        prop_assert!(found.iter().all(|&place| km[place] <= circle.radius_km + NO_MATTER_KM));
        prop_assert!(found.is_sorted_by(|&a, &b| km[a] <= km[b] + NO_MATTER_KM));

        let full = found.len() == bound;
        let within = if full { found.last().map_or(0.0, |&last| km[last]) } else { circle.radius_km };
        let missed = (0..km.len()).find(|place| km[*place] < within - NO_MATTER_KM && !chosen.contains(place));
        prop_assert_eq!(missed, None, "a nearer place is left out");
        Ok(())
    }
}

fn vector(lat: f64, lng: f64) -> [f64; 3] {
    let ((up, level), (east, front)) = (lat.to_radians().sin_cos(), lng.to_radians().sin_cos());
    [level * front, level * east, up]
}

/// Two numbers that look like chance and are the same on every run.
fn scattered(step: u64) -> [i32; 2] {
    let mixed = (step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    [mixed >> 33, mixed & 0x7fff_ffff].map(|half| i32::try_from(half).unwrap())
}

fn centres() -> impl Strategy<Value = (f64, f64)> {
    let at_a_place = (0..EVERYWHERE.places.len(), -0.3..0.3, -0.3..0.3).prop_map(|(number, north, east)| {
        let place = EVERYWHERE.provider.gazetteer().place(number);
        (f64::from(place.lat) / 1e5 + north, f64::from(place.lng) / 1e5 + east)
    });
    let exact = prop::sample::select(vec![-180.0, -0.0, 0.0, 180.0]);
    prop_oneof![
        (-90.0..=90.0, -180.0..=180.0),
        at_a_place,
        (prop_oneof![80.0..=90.0, -90.0..=-80.0, Just(90.0), Just(-90.0)], -180.0..=180.0),
        (-90.0..=90.0, prop_oneof![179.3..=180.0, -180.0..=-179.3, exact]),
    ]
}

fn radii() -> impl Strategy<Value = f64> {
    prop_oneof![0.1..=1.0, 1.0..=10.0, 10.0..=50.0, Just(50.0)]
}

// The gazetteer.

#[test]
fn the_gazetteer_is_the_same_bytes_for_any_order_of_the_same_places() {
    static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/places.bin"));
    let places: Vec<_> = Gazetteer::open(PACKED).unwrap().places().collect();
    let middle = places.len() / 2;
    let shuffled = places[middle..].iter().rev().chain(&places[..middle]).copied();
    assert!(gazetteer::write(shuffled).unwrap() == PACKED);
}

#[test]
fn no_locality_is_packed_twice() {
    let places = Embedded::open().gazetteer().places();
    assert_eq!(places.len(), 154_189);
    let tenth = |units: i32| units.div_euclid(DEGREE / 10);
    let distinct: HashSet<_> =
        places.map(|place| (place.name, place.tag, tenth(place.lat), tenth(place.lng))).collect();
    assert_eq!(distinct.len(), 154_189);
}

#[test]
fn what_is_no_place_is_refused_and_named() {
    let fine = place("Fine", *b"US", 0, 0);
    let long = "n".repeat(65_536);
    let refused = [
        Place { name: "", ..fine },
        Place { name: "two\nlines", ..fine },
        Place { name: &long, ..fine },
        Place { lat: 90 * DEGREE + 1, ..fine },
        Place { lat: i32::MIN, ..fine },
        Place { lng: -180 * DEGREE - 1, ..fine },
        Place { lng: i32::MAX, ..fine },
    ];
    for wrong in refused {
        let refused = gazetteer::write([fine, wrong]).expect_err(wrong.name);
        assert_eq!(refused.name, wrong.name);
    }
    assert!(gazetteer::write([fine, Place { name: &long[1..], ..fine }]).is_ok());
}

#[test]
fn a_block_cut_short_is_not_opened() {
    let name = "Sampleville";
    let block = gazetteer::write([place(name, *b"US", 0, 0)]).unwrap();
    let whole = block.len() - name.len();
    assert!(Gazetteer::open(&block[..whole]).is_some());
    for cut in [0, 3, 4, 1_000, whole - 16, whole - 1] {
        assert!(Gazetteer::open(&block[..cut]).is_none(), "cut at {cut}");
    }
}

fn place(name: &str, tag: [u8; 2], lat: i32, lng: i32) -> Place<'_> {
    Place { lat, lng, name, tag }
}

fn over(places: &[Place]) -> Embedded {
    let block = gazetteer::write(places.iter().copied()).unwrap();
    Embedded::over(Gazetteer::open(block.leak()).unwrap())
}

// The JSON writer.

#[test]
fn google_s_own_answers_are_printed_byte_for_byte() {
    for sample in [
        include_str!("golden/legacy.json"),
        include_str!("golden/legacy_from_new.json"),
        include_str!("golden/legacy_off.json"),
        include_str!("golden/denied.json"),
        include_str!("golden/quota.json"),
    ] {
        assert_eq!(reprint(&parse(sample)) + "\n", sample);
    }
}

#[test]
fn empty_containers_stay_inline_at_any_depth() {
    let nested = r#"{"a": {}, "b": [[], {}, [[1]]], "c": {"d": {"e": []}}}"#;
    let printed = r#"{
   "a" : {},
   "b" :·
   [
      [],
      {},
      [
         [
            1
         ]
      ]
   ],
   "c" :·
   {
      "d" :·
      {
         "e" : []
      }
   }
}"#;
    assert_eq!(reprint(&parse(nested)), printed.replace('·', " "));
    assert_eq!(json::document(0, |_| {}), "{}");
}

#[test]
fn strings_are_escaped_as_google_does() {
    for (text, escaped) in [
        ("Coeur d'Alene", "Coeur d'Alene"),
        ("Tai Hang (East & West)", "Tai Hang (East & West)"),
        ("東京, Čelinac", "東京, Čelinac"),
        ("a \"b\" \\ c/d", r#"a \"b\" \\ c/d"#),
        ("<b>", r"\u003cb\u003e"),
        ("\n\r\t\u{8}\u{c}", r"\n\r\t\b\f"),
        ("\0\u{1b}[2J\u{7f}\u{9b}", r"\u0000\u001b[2J\u007f\u009b"),
        ("\u{2028}\u{2029}\u{202e}\u{feff}", r"\u2028\u2029\u202e\ufeff"),
        ("<", r"\u003c"),
        ("", ""),
    ] {
        let printed = json::document(0, |object| object.field("k").string(text));
        assert_eq!(printed, format!("{{\n   \"k\" : \"{escaped}\"\n}}"));
    }
}

#[test]
fn numbers_are_as_short_as_they_can_be() {
    for (number, printed) in
        [(34.05, "34.05"), (-118.45, "-118.45"), (4.0, "4"), (0.1 + 0.2, "0.30000000000000004"), (f64::NAN, "null")]
    {
        let answer = json::document(0, |object| object.field("k").number(number));
        assert_eq!(answer, format!("{{\n   \"k\" : {printed}\n}}"));
    }
}

proptest! {
    #[test]
    fn any_text_reads_back_and_stays_on_its_line(text in any::<String>()) {
        let printed = json::document(0, |object| object.field("k").string(&text));
        prop_assert_eq!(&parse(&printed)["k"], &Value::from(text));
        prop_assert_eq!(printed.lines().count(), 3);
        prop_assert!(!printed.contains(['<', '>']));
        prop_assert!(printed.chars().all(|char| char == '\n' || !char.is_control()));
    }

    #[test]
    fn a_coordinate_is_printed_as_the_number_it_is(units in -18_000_000..=18_000_000) {
        let exact = json::document(0, |object| object.field("k").degrees(units));
        let shortest = json::document(0, |object| object.field("k").number(f64::from(units) / 1e5));
        prop_assert_eq!(exact, shortest);
    }
}

fn parse(answer: &str) -> Value {
    serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

fn results(answer: &Value) -> &[Value] {
    answer["results"].as_array().expect("an answer has results")
}

/// Prints what was parsed. `serde_json` keeps objects sorted by key, as Google does.
fn reprint(answer: &Value) -> String {
    json::document(0, |object| print_fields(object, answer))
}

fn print_fields(object: &mut json::Object<'_>, fields: &Value) {
    for (key, value) in fields.as_object().expect("an object") {
        print_value(object.field(key.clone().leak()), value);
    }
}

fn print_value(due: json::Value<'_>, value: &Value) {
    match value {
        Value::Null => due.number(f64::NAN),
        Value::Bool(truth) => due.boolean(*truth),
        Value::Number(number) => due.number(number.as_f64().expect("a number")),
        Value::String(text) => due.string(text),
        Value::Array(items) => due.array(|array| items.iter().for_each(|item| print_value(array.item(), item))),
        Value::Object(_) => due.object(|object| print_fields(object, value)),
    }
}
