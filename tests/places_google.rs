//! The live provider against a fake on loopback: what it asks, what it makes of every answer, and how it spares a
//! provider that fails. Nothing here needs a network, and no proxy is ever asked.

use std::rc::Rc;
use std::sync::Arc;

use herdctl::cli::fake_places::{Fake, Request, Scenario};
use herdctl::config::{self, Fallback, FieldMask, GoogleApi};
use herdctl::limits;
use herdctl::places::google::legacy::Envelope;
use herdctl::places::google::new;
use herdctl::places::key::Key;
use herdctl::places::{Circle, Condition, Places, Provider};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{Duration, advance, pause, resume};

use crate::support::DEADLINE;
use crate::support::canary::KEY;

const UCLA: Circle = Circle { lat: 34.068_93, lng: -118.445_127, radius_km: 10.0 };
const BOTH: [GoogleApi; 2] = [GoogleApi::New, GoogleApi::Legacy];

fn provider(fake: &Fake, adjust: impl FnOnce(&mut config::Google)) -> Provider {
    let mut settings = config::Google { url: Some(fake.url()), ..Default::default() };
    adjust(&mut settings);
    Provider::Google(Arc::new(settings), Key::find_in(None, |_| Some(KEY.into())).unwrap())
}

fn open(fake: &Fake, api: GoogleApi) -> Rc<Places> {
    Rc::new(Places::open(&provider(fake, |settings| settings.api = api), limits::LOOKUPS_MAX))
}

/// Runs a test on a runtime like a server's.
fn on_a_server<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = LocalSet::new().block_on(&runtime, test);
    runtime.shutdown_background();
    outcome
}

async fn ask(places: &Places, circle: Circle, bound: usize) -> Value {
    let text = places.nearby(circle, bound).await.json;
    assert!(!text.contains(KEY), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why} in {text}"))
}

fn count(answer: &Value) -> usize {
    answer["results"].as_array().expect("an answer has results").len()
}

/// Another circle each time.
fn circle(number: u32) -> Circle {
    Circle { lat: f64::from(number) / 100.0, ..UCLA }
}

async fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !ready() {
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        yield_now().await;
    }
}

// What is asked.

#[test]
fn new_is_asked_as_google_wants_to_be_asked() {
    let fake = Fake::start(Scenario::Few).unwrap();
    on_a_server(async {
        let places = Places::open(&provider(&fake, |_| {}), 8);
        ask(&places, UCLA, 5).await;
        let full = Places::open(&provider(&fake, |settings| settings.fields = FieldMask::Full), 8);
        ask(&full, Circle { radius_km: 10.587_126_3, ..UCLA }, 0).await;
    });
    let [basic, full] = &fake.requests()[..] else { panic!("two requests") };
    assert_eq!(
        (basic.method.as_str(), basic.path.as_str(), basic.query.as_str()),
        ("POST", "/v1/places:searchNearby", "")
    );
    assert_eq!(basic.header("content-type"), Some("application/json"));
    assert_eq!(basic.header("x-goog-api-key"), Some(KEY));
    assert_eq!(basic.header("user-agent"), Some(concat!("herdctl/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(basic.header("referer"), None);
    assert_eq!(
        basic.header("x-goog-fieldmask"),
        Some(
            "places.id,places.displayName,places.location,places.viewport,places.types,places.shortFormattedAddress,\
             places.formattedAddress,places.businessStatus,places.plusCode,places.iconMaskBaseUri,\
             places.iconBackgroundColor,places.attributions"
        )
    );
    assert_eq!(
        serde_json::from_str::<Value>(&basic.body).unwrap(),
        serde_json::json!({
            "locationRestriction": { "circle": {
                "center": { "latitude": 34.06893, "longitude": -118.445127 }, "radius": 10000.0,
            } },
            "maxResultCount": 20,
            "rankPreference": "POPULARITY",
        })
    );
    let mask = full.header("x-goog-fieldmask").unwrap();
    assert!(
        mask.ends_with(",places.rating,places.userRatingCount,places.priceLevel,places.currentOpeningHours.openNow")
    );
    assert!(!mask.contains([' ', '*']));
    let body: Value = serde_json::from_str(&full.body).unwrap();
    assert_eq!(body["locationRestriction"]["circle"]["radius"], 10587.1263);
    assert_eq!(body["maxResultCount"], 20, "the bill is the same, and a bound of 0 cannot be asked for");
}

#[test]
fn legacy_is_asked_in_metres_and_without_a_plus() {
    let fake = Fake::start(Scenario::Few).unwrap();
    on_a_server(async {
        let places = open(&fake, GoogleApi::Legacy);
        ask(&places, UCLA, 5).await;
        ask(&places, Circle { lat: -0.000_000_1, lng: 180.0, radius_km: 50.0 }, 5).await;
    });
    let [first, second] = &fake.requests()[..] else { panic!("two requests") };
    assert_eq!((first.method.as_str(), first.path.as_str()), ("GET", "/maps/api/place/nearbysearch/json"));
    assert_eq!(first.query, format!("location=34.06893%2C-118.445127&radius=10000&key={KEY}"));
    assert_eq!(second.query, format!("location=-0.0000001%2C180&radius=50000&key={KEY}"));
    assert_eq!(first.header("x-goog-api-key"), None);
    assert_eq!(first.header("referer"), None);
}

// What is made of the answers.

#[test]
fn new_s_sample_becomes_legacy_s_byte_for_byte() {
    let told = new::read(include_bytes!("golden/new.json"), 200).unwrap();
    assert_eq!(told.cut(20).json + "\n", include_str!("golden/legacy_from_new.json"));
    let cut: Value = serde_json::from_str(&told.cut(1).json).unwrap();
    assert_eq!((count(&cut), &cut["results"][0]["name"]), (1, &"Sample University Hall".into()));
}

#[test]
fn legacy_s_sample_passes_through_byte_for_byte() {
    let sample = include_str!("golden/legacy.json");
    let envelope = Envelope::read(sample.into(), 200).unwrap();
    assert_eq!((envelope.cut(20).json.as_str(), envelope.cut(1).json.as_str()), (sample, sample));
    assert_eq!(envelope.cut(0).json.matches("\"results\" : \n   []").count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&envelope.cut(0).json).unwrap()["next_page_token"],
        "SAMPLE_NEXT_PAGE_TOKEN"
    );
    for (failure, status) in [
        (include_str!("golden/denied.json"), "REQUEST_DENIED"),
        (include_str!("golden/legacy_off.json"), "REQUEST_DENIED"),
        (include_str!("golden/quota.json"), "OVER_QUERY_LIMIT"),
        (include_str!("golden/timeout.json"), "UNKNOWN_ERROR"),
    ] {
        assert_eq!(Envelope::read(failure.into(), 200).unwrap_err().status(), status);
    }
    let zero = include_str!("golden/zero.json");
    assert_eq!(Envelope::read(zero.into(), 200).unwrap().cut(0).json, zero);
}

/// A scenario, the interface, the status word, the results of a bound of 5, and the requests that it took.
#[test]
fn every_scenario_has_its_answer() {
    use GoogleApi::{Legacy, New};
    use Scenario::*;
    let table = [
        (Ok, New, "OK", 5, 1),
        (Ok, Legacy, "OK", 5, 1),
        (Few, New, "OK", 3, 1),
        (Few, Legacy, "OK", 3, 1),
        (Zero, New, "ZERO_RESULTS", 0, 1),
        (Zero, Legacy, "ZERO_RESULTS", 0, 1),
        (OkOld, Legacy, "OK", 5, 1),
        (Crlf, New, "OK", 5, 1),
        (Crlf, Legacy, "OK", 5, 1),
        (Chunked, New, "OK", 5, 1),
        (Chunked, Legacy, "OK", 5, 1),
        (Denied, New, "REQUEST_DENIED", 0, 1),
        (Denied, Legacy, "REQUEST_DENIED", 0, 1),
        (Forbidden, New, "REQUEST_DENIED", 0, 1),
        (Forbidden, Legacy, "REQUEST_DENIED", 0, 1),
        (LegacyOnly, New, "REQUEST_DENIED", 0, 1),
        (NewOnly, Legacy, "REQUEST_DENIED", 0, 1),
        (Quota, New, "OVER_QUERY_LIMIT", 0, 1),
        (Quota, Legacy, "OVER_QUERY_LIMIT", 0, 1),
        (Invalid, New, "INVALID_REQUEST", 0, 1),
        (Invalid, Legacy, "INVALID_REQUEST", 0, 1),
        (Unknown, New, "UNKNOWN_ERROR", 0, 2),
        (Unknown, Legacy, "UNKNOWN_ERROR", 0, 2),
        (Unavailable, New, "UNKNOWN_ERROR", 0, 2),
        (Unavailable, Legacy, "UNKNOWN_ERROR", 0, 2),
        (BadGateway, New, "UNKNOWN_ERROR", 0, 2),
        (BadGateway, Legacy, "UNKNOWN_ERROR", 0, 2),
        (Truncated, New, "UNKNOWN_ERROR", 0, 1),
        (Truncated, Legacy, "UNKNOWN_ERROR", 0, 1),
        (Short, New, "UNKNOWN_ERROR", 0, 1),
        (Short, Legacy, "UNKNOWN_ERROR", 0, 1),
        (Reset, New, "UNKNOWN_ERROR", 0, 1),
        (Reset, Legacy, "UNKNOWN_ERROR", 0, 1),
        (Huge, New, "UNKNOWN_ERROR", 0, 1),
        (Huge, Legacy, "UNKNOWN_ERROR", 0, 1),
        (Redirect, New, "UNKNOWN_ERROR", 0, 1),
        (Redirect, Legacy, "UNKNOWN_ERROR", 0, 1),
    ];
    on_a_server(async {
        let asked = table.map(|(scenario, api, status, results, requests)| {
            spawn_local(async move {
                let fake = Fake::start(scenario).unwrap();
                let answer = ask(&open(&fake, api), UCLA, 5).await;
                let what = format!("{scenario:?} of {api:?}: {answer}");
                assert_eq!((answer["status"].as_str(), count(&answer)), (Some(status), results), "{what}");
                let failed = !matches!(status, "OK" | "ZERO_RESULTS");
                assert_eq!(answer.get("error_message").is_some(), failed, "{what}");
                assert!(!answer.to_string().contains("1234567"), "Google's own words: {what}");
                assert_eq!(fake.requests().len(), requests, "{what}");
            })
        });
        for task in asked {
            task.await.unwrap();
        }
    });
}

#[test]
fn one_answer_serves_every_bound() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    on_a_server(async {
        for api in BOTH {
            let places = open(&fake, api);
            let whole = ask(&places, UCLA, 20).await;
            for bound in 0..=20 {
                let cut = ask(&places, UCLA, bound).await;
                assert_eq!(cut["results"].as_array().unwrap(), &whole["results"].as_array().unwrap()[..bound]);
                assert_eq!(cut["status"], "OK");
            }
        }
    });
}

#[test]
fn nobody_is_there() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = config::Google { url: Some(format!("http://{port}")), ..Default::default() };
    let provider = Provider::Google(Arc::new(settings), Key::find_in(None, |_| Some(KEY.into())).unwrap());
    on_a_server(async {
        let places = Places::open(&provider, 8);
        let answer = ask(&places, UCLA, 5).await;
        assert_eq!(answer["status"], "UNKNOWN_ERROR");
        assert_eq!(answer["error_message"], "herdctl: the places provider cannot be reached: connection refused");
        assert_eq!(places.condition(), Condition::Failing);
    });
}

#[test]
fn silence_ends_within_the_deadline() {
    on_a_server(async {
        for scenario in [Scenario::SlowHeaders, Scenario::SlowBody] {
            for api in BOTH {
                let fake = Fake::start(scenario).unwrap();
                let places = open(&fake, api);
                let asked = spawn_local(async move { ask(&places, UCLA, 5).await });
                wait_until("the question to be asked", || fake.requests().len() == 1).await;
                // From here on the clock goes to the next deadline whenever there is nothing to do.
                pause();
                let start = tokio::time::Instant::now();
                let answer = asked.await.unwrap();
                assert!(start.elapsed() <= limits::LOOKUP_MAX);
                resume();
                assert_eq!(answer["status"], "UNKNOWN_ERROR", "{scenario:?} {api:?}");
                // By its own deadline, or on a slow machine by that of the whole lookup.
                let message = answer["error_message"].as_str().unwrap();
                assert!(message.starts_with("herdctl: the places provider did not answer within "), "{message}");
                assert_eq!(fake.requests().len(), 1, "what was slow is not asked again");
            }
        }
    });
}

// Kindness.

#[test]
fn identical_questions_are_one_request_and_no_one_s_leaving_ends_it() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    on_a_server(async {
        for api in BOTH {
            let before = fake.requests().len();
            fake.behave(Scenario::SlowHeaders, Duration::ZERO);
            let places = open(&fake, api);
            let mut asked: Vec<_> = (0..50)
                .map(|number| {
                    let places = Rc::clone(&places);
                    spawn_local(async move { ask(&places, UCLA, number % 21).await })
                })
                .collect();
            wait_until("the question to be asked", || fake.requests().len() > before).await;
            // The one who began it leaves; all others stay.
            asked.remove(0).abort();
            pause();
            for task in asked {
                assert_eq!(task.await.unwrap()["status"], "UNKNOWN_ERROR");
            }
            resume();
            assert_eq!(fake.requests().len(), before + 1);
        }
    });
}

#[test]
fn identical_questions_share_one_answer_each_with_its_bound() {
    let fake = Fake::start_on(0, Scenario::Ok, Duration::from_millis(50), |_| {}).unwrap();
    on_a_server(async {
        let places = open(&fake, GoogleApi::New);
        let asked: Vec<_> = (0..50)
            .map(|number| {
                let places = Rc::clone(&places);
                spawn_local(async move { (number % 21, count(&ask(&places, UCLA, number % 21).await)) })
            })
            .collect();
        for task in asked {
            let (bound, results) = task.await.unwrap();
            assert_eq!(bound, results);
        }
        assert_eq!(fake.requests().len(), 1);
        ask(&places, UCLA, 5).await;
        assert_eq!(fake.requests().len(), 2, "nothing is kept once it is answered");
    });
}

#[test]
fn a_question_that_all_have_left_is_asked_anew() {
    let fake = Fake::start(Scenario::SlowHeaders).unwrap();
    on_a_server(async {
        let places = open(&fake, GoogleApi::New);
        let asked = spawn_local({
            let places = Rc::clone(&places);
            async move { ask(&places, UCLA, 5).await }
        });
        wait_until("the question to be asked", || fake.requests().len() == 1).await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        fake.behave(Scenario::Ok, Duration::ZERO);
        assert_eq!(ask(&places, UCLA, 5).await["status"], "OK");
    });
}

#[test]
fn only_so_many_are_asked_at_once() {
    let fake = Fake::start_on(0, Scenario::Few, Duration::from_millis(5), |_| {}).unwrap();
    on_a_server(async {
        let places = Rc::new(Places::open(&provider(&fake, |_| {}), 3));
        let asked: Vec<_> = (0..60)
            .map(|number| {
                let places = Rc::clone(&places);
                spawn_local(async move { ask(&places, circle(number), 5).await })
            })
            .collect();
        for task in asked {
            assert_eq!(task.await.unwrap()["status"], "OK");
        }
        assert_eq!((fake.requests().len(), fake.busiest()), (60, 3));
    });
}

#[test]
fn who_has_no_turn_in_time_is_told_so_and_the_provider_is_not_blamed() {
    let fake = Fake::start(Scenario::SlowHeaders).unwrap();
    on_a_server(async {
        let places = Rc::new(Places::open(&provider(&fake, |_| {}), 1));
        let asked: Vec<_> = (0..10)
            .map(|number| {
                let places = Rc::clone(&places);
                spawn_local(async move { ask(&places, circle(number), 5).await })
            })
            .collect();
        wait_until("the first question to be asked", || fake.requests().len() == 1).await;
        pause();
        let mut messages = Vec::new();
        for task in asked {
            let answer = task.await.unwrap();
            assert_eq!(answer["status"], "UNKNOWN_ERROR");
            messages.push(answer["error_message"].as_str().unwrap().to_owned());
        }
        let busy = messages.iter().filter(|message| message.contains("no turn within 5 s")).count();
        assert_eq!((messages.len(), busy), (10, 9), "{messages:?}");
        resume();
        fake.behave(Scenario::Ok, Duration::ZERO);
        assert_eq!(ask(&places, circle(11), 5).await["status"], "OK", "one failure, nine that are ours");
    });
}

#[test]
fn five_failures_in_a_row_give_it_a_rest_and_one_trial_ends_it() {
    let fake = Fake::start(Scenario::Truncated).unwrap();
    on_a_server(async {
        let places = open(&fake, GoogleApi::New);
        for number in 0..5 {
            ask(&places, circle(number), 5).await;
        }
        let resting = ask(&places, circle(5), 5).await;
        let message = resting["error_message"].as_str().unwrap();
        assert!(message.ends_with("(HTTP 200); it is asked again in 30 s"), "{message}");
        assert_eq!(fake.requests().len(), 5);

        pause();
        advance(limits::PLACES_REST).await;
        resume();
        fake.behave(Scenario::Ok, Duration::from_millis(20));
        let all: Vec<_> = (10..20)
            .map(|number| {
                let places = Rc::clone(&places);
                spawn_local(async move { ask(&places, circle(number), 5).await["status"] == "OK" })
            })
            .collect();
        let mut fine = 0;
        for task in all {
            fine += usize::from(task.await.unwrap());
        }
        assert_eq!((fine, fake.requests().len()), (1, 6), "one trial, the others at once");
        assert_eq!(ask(&places, circle(20), 5).await["status"], "OK");
    });
}

#[test]
fn too_many_requests_give_it_a_rest_at_once() {
    for api in BOTH {
        let fake = Fake::start(Scenario::Quota).unwrap();
        on_a_server(async {
            let places = open(&fake, api);
            for number in 0..10 {
                assert_eq!(ask(&places, circle(number), 5).await["status"], "OVER_QUERY_LIMIT");
            }
            assert_eq!((fake.requests().len(), places.condition()), (1, Condition::Limited));
        });
    }
}

#[test]
fn auto_finds_legacy_once_and_remembers_it() {
    let fake = Fake::start(Scenario::LegacyOnly).unwrap();
    on_a_server(async {
        let places = open(&fake, GoogleApi::Auto);
        for number in 0..3 {
            assert_eq!(ask(&places, circle(number), 5).await["status"], "OK");
        }
    });
    let asked: Vec<_> = fake.requests().iter().map(Request::is_new).collect();
    assert_eq!(asked, [true, false, false, false]);

    let fake = Fake::start(Scenario::Disabled).unwrap();
    on_a_server(async {
        let answer = ask(&open(&fake, GoogleApi::Auto), UCLA, 5).await;
        let message = answer["error_message"].as_str().unwrap();
        assert_eq!(message, "herdctl: the places provider refuses the key (SERVICE_DISABLED)");
    });
}

#[test]
fn the_embedded_places_stand_in_if_wanted_and_say_so() {
    let fake = Fake::start(Scenario::Denied).unwrap();
    on_a_server(async {
        let places = Places::open(&provider(&fake, |settings| settings.fallback = Fallback::Embedded), 8);
        let answer = ask(&places, UCLA, 5).await;
        assert_eq!((answer["status"].as_str(), count(&answer)), (Some("OK"), 5));
        assert_eq!(
            answer["info_messages"],
            serde_json::json!(["herdctl: live provider unavailable, answered from embedded GeoNames"])
        );
        assert!(answer["html_attributions"][0].as_str().unwrap().contains("GeoNames"));
        assert_eq!(places.condition(), Condition::Refused);
        fake.behave(Scenario::Few, Duration::ZERO);
        let answer = ask(&places, UCLA, 5).await;
        assert_eq!((count(&answer), answer.get("info_messages")), (3, None));
        assert_eq!(places.condition(), Condition::Fine);
    });
}

// Secrets.

#[test]
fn the_key_goes_nowhere_but_to_the_provider() {
    let fake = Fake::start(Scenario::Redirect).unwrap();
    on_a_server(async {
        for api in BOTH {
            let provider = provider(&fake, |settings| settings.api = api);
            let places = Places::open(&provider, 8);
            ask(&places, UCLA, 5).await;
            for shown in [format!("{provider:?}"), format!("{places:?}"), provider.about()] {
                assert!(!shown.contains(KEY), "{shown}");
            }
        }
    });
    assert!(fake.requests().iter().all(|request| !request.query.contains("redirect")), "a redirect is not followed");
    assert_eq!(fake.requests().len(), 2);
}
