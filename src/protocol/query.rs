//! What a `WHATSAT` asks, and how its answer is put together.
//!
//! A query carries all that its answer needs, so that nothing has to be remembered about it while places are
//! looked up: the client may move meanwhile, and the answer is still one consistent whole.

use memchr::{memchr, memmem};

use super::line::Place;

/// A `WHATSAT` on its way to a provider of places.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The newest `AT` line of the client, without a line ending.
    pub at_line: Vec<u8>,
    /// Where the client is.
    pub place: Place,
    /// Kilometres, more than 0 and at most 50.
    pub radius_km: f64,
    /// How many places at most, 0 to 20.
    pub bound: usize,
}

impl Query {
    /// The whole answer: the `AT` line, `json` with every run of newlines made one and none at its end, and
    /// the empty line that ends it.
    #[must_use]
    pub fn answer(&self, json: &str) -> Vec<u8> {
        let mut answer = Vec::with_capacity(self.at_line.len() + json.len() + 3);
        answer.extend_from_slice(&self.at_line);
        let json = json.trim_matches('\n');
        if memchr(b'\r', json.as_bytes()).is_none() && memmem::find(json.as_bytes(), b"\n\n").is_none() {
            // As most are, whoever wrote it.
            answer.push(b'\n');
            answer.extend_from_slice(json.as_bytes());
        } else {
            for line in json.lines().filter(|line| !line.is_empty()) {
                answer.push(b'\n');
                answer.extend_from_slice(line.as_bytes());
            }
        }
        answer.extend_from_slice(b"\n\n");
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_newlines_are_one_and_two_end_the_answer() {
        let query = Query {
            at_line: b"AT Clark +0.0 kiwi +1-1 1".to_vec(),
            place: Place { latitude: 1.0, longitude: -1.0 },
            radius_km: 10.0,
            bound: 5,
        };
        let answer = query.answer("{\n\n\n   \"a\" : 1\r\n\r\n}\n\n");
        assert_eq!(answer, b"AT Clark +0.0 kiwi +1-1 1\n{\n   \"a\" : 1\n}\n\n");
        assert_eq!(query.answer("\n{}"), b"AT Clark +0.0 kiwi +1-1 1\n{}\n\n");
        assert_eq!(query.answer("\n\n{\n}\n"), b"AT Clark +0.0 kiwi +1-1 1\n{\n}\n\n");
    }
}
