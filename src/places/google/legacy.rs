//! Places API (Legacy): its answers are what clients are promised, so they pass through as the bytes they are.
//!
//! An answer is read only as far as its status and the places of its results, and shortened by cutting bytes: no
//! number changes, no field is lost.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::places::Answer;

pub(super) const PATH: &str = "/maps/api/place/nearbysearch/json";

/// An answer in Legacy's shape with all the results that were given; cut for each who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    json: String,
    /// Where the array of the results stands; nothing if there is none.
    array: Option<Range<usize>>,
    /// Where each result ends.
    ends: Vec<usize>,
    status: &'static str,
}

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow)]
    results: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<std::borrow::Cow<'a, str>>,
}

impl Envelope {
    /// Reads an answer that came with this HTTP status. If it says what it is, it is believed whatever that was.
    ///
    /// # Errors
    ///
    /// What it says has gone wrong, or that it is no answer at all.
    pub fn read(body: Vec<u8>, http: u16) -> Result<Self, Failure> {
        let json = match String::from_utf8(body) {
            Ok(json) => json,
            Err(_) => return Err(stranger(http)),
        };
        // Serde would take a list of the two fields too.
        let outline = if json.trim_start().starts_with('{') { serde_json::from_str(&json).ok() } else { None };
        let Some(Outline { results, status: Some(status) }) = outline else {
            return Err(stranger(http));
        };
        let status = match status.as_ref() {
            "OK" => "OK",
            "ZERO_RESULTS" => "ZERO_RESULTS",
            "REQUEST_DENIED" => return Err(Failure::Refused(None)),
            "OVER_QUERY_LIMIT" => return Err(Failure::Limited),
            "INVALID_REQUEST" => return Err(Failure::Misunderstood),
            "UNKNOWN_ERROR" => return Err(Failure::ItsOwn(http)),
            _ => return Err(Failure::Strange(http)),
        };
        let items: Vec<&RawValue> = match results.map(|results| serde_json::from_str(results.get())) {
            Some(Ok(items)) => items,
            Some(Err(_)) => return Err(stranger(http)),
            None => Vec::new(),
        };
        // They are slices of the answer, so the difference of their addresses is where they stand in it.
        let range = |part: &RawValue| {
            let start = part.get().as_ptr().addr() - json.as_ptr().addr();
            start..start + part.get().len()
        };
        let (array, ends) = (results.map(range), items.iter().map(|item| range(item).end).collect());
        Ok(Self { json, array, ends, status })
    }

    /// The answer with the first `bound` results.
    #[must_use]
    pub fn cut(&self, bound: usize) -> Answer {
        Answer { json: self.cut_json(bound), status: self.status, places: self.results().min(bound) }
    }

    fn cut_json(&self, bound: usize) -> String {
        let (Some(array), Some(&last)) = (&self.array, self.ends.last()) else {
            return self.json.clone();
        };
        match bound {
            0 => [&self.json[..array.start], "[]", &self.json[array.end..]].concat(),
            _ if bound < self.ends.len() => [&self.json[..self.ends[bound - 1]], &self.json[last..]].concat(),
            _ => self.json.clone(),
        }
    }

    /// How many results there are.
    #[must_use]
    pub fn results(&self) -> usize {
        self.ends.len()
    }
}

/// What came is no answer of Google's; perhaps the HTTP status alone says enough.
fn stranger(http: u16) -> Failure {
    match http {
        429 => Failure::Limited,
        _ => Failure::Strange(http),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Result<Envelope, Failure> {
        Envelope::read(body.into(), 200)
    }

    #[test]
    fn a_cut_changes_no_byte_of_what_stays() {
        let body = "{ \"html_attributions\":[],\r\n\"results\" : [ {\"a\":1.50, \"b\":\"]}\\\"\"} ,\n[2e3],3 ], \"status\":\"OK\",\"x\":[]}";
        let envelope = read(body).unwrap();
        assert_eq!(envelope.results(), 3);
        assert_eq!(envelope.cut(3).json, body);
        assert_eq!(envelope.cut(20).json, body);
        assert_eq!(envelope.cut(2).json, body.replace(",3 ]", " ]"));
        assert_eq!(envelope.cut(1).json, body.replace(" ,\n[2e3],3 ]", " ]"));
        assert_eq!(
            envelope.cut(0).json,
            "{ \"html_attributions\":[],\r\n\"results\" : [], \"status\":\"OK\",\"x\":[]}"
        );
    }

    #[test]
    fn without_results_there_is_nothing_to_cut() {
        for body in
            [r#"{"status":"ZERO_RESULTS","results":[]}"#, r#"{"status":"OK"}"#, r#"{"status":"OK","results":null}"#]
        {
            let envelope = read(body).unwrap();
            assert_eq!((envelope.cut(5).places, envelope.cut(5).json), (0, body.to_owned()));
        }
    }

    #[test]
    fn the_status_is_believed_whatever_http_says() {
        for http in [200, 400, 403, 500] {
            let said = |status: &str| Envelope::read(format!(r#"{{"status":"{status}","results":[]}}"#).into(), http);
            assert!(said("OK").is_ok());
            assert_eq!(said("REQUEST_DENIED"), Err(Failure::Refused(None)));
            assert_eq!(said("OVER_QUERY_LIMIT"), Err(Failure::Limited));
            assert_eq!(said("INVALID_REQUEST"), Err(Failure::Misunderstood));
            assert_eq!(said("UNKNOWN_ERROR"), Err(Failure::ItsOwn(http)));
            assert_eq!(said("\\u001b[2J"), Err(Failure::Strange(http)));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for body in [
            "",
            "<html>502</html>",
            r#"{"error":{"code":400}}"#,
            r#"{"status":200}"#,
            r#"{"status":"OK","results":{}}"#,
            r#"{"status":"OK","results":[1,2]"#,
            r#"{"status":"OK","results":[],"results":[]}"#,
            r#"[[], "OK"]"#,
            "null",
        ] {
            assert_eq!(read(body), Err(Failure::Strange(200)), "{body}");
        }
        assert_eq!(Envelope::read(vec![0xff], 200), Err(Failure::Strange(200)));
        assert_eq!(Envelope::read("busy".into(), 429), Err(Failure::Limited));
    }

    proptest! {
        #[test]
        fn any_cut_is_json_with_the_first_results(
            results in proptest::collection::vec(".{0,12}", 0..8), bound in 0..10_usize, pretty: bool,
        ) {
            let whole = serde_json::json!({ "html_attributions": [], "results": results, "status": "OK" });
            let body = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            let cut: serde_json::Value = serde_json::from_str(&read(&body).unwrap().cut(bound).json).unwrap();
            prop_assert_eq!(cut["results"].as_array().unwrap(), &whole["results"].as_array().unwrap()[..bound.min(results.len())]);
            prop_assert_eq!(&cut["status"], "OK");
        }
    }
}
