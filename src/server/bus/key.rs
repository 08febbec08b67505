//! The key of a client in the bucket: two tokens of NATS, its herd's name and its own.
//!
//! A name is any bytes without white space; a token is not. What is no letter, digit, `-` or `_` is written as `=` and
//! two hexadecimal digits, so that a key can be read back by whoever looks into the bucket. A name too long for that is
//! written as `==` and its SHA-256, which no other name's key begins with; the whole name stands in the value anyway.

use sha2::{Digest, Sha256};

use crate::limits;

/// One token for these bytes; never empty, never longer than [`limits::BUS_TOKEN_BYTES_MAX`].
pub(super) fn token(name: &[u8]) -> String {
    let mut token = String::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => token.push(char::from(byte)),
            _ => escape(byte, &mut token),
        }
        if token.len() > limits::BUS_TOKEN_BYTES_MAX {
            return hashed(name);
        }
    }
    token
}

fn hashed(name: &[u8]) -> String {
    let mut token = String::from("==");
    Sha256::digest(name).iter().for_each(|&byte| hex(byte, &mut token));
    token
}

fn escape(byte: u8, into: &mut String) {
    into.push('=');
    hex(byte, into);
}

fn hex(byte: u8, into: &mut String) {
    for digit in [byte >> 4, byte & 15] {
        into.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a token that is no hash was made of.
    fn name(token: &str) -> Vec<u8> {
        let mut bytes = token.bytes();
        let mut name = Vec::new();
        while let Some(byte) = bytes.next() {
            name.push(match byte {
                b'=' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        name
    }

    #[test]
    fn a_plain_name_is_its_own_token_and_an_odd_one_is_escaped() {
        for (name, expected) in [
            (&b"kiwi-7_B"[..], "kiwi-7_B"),
            (b"kiwi.cs.ucla.edu", "kiwi=2Ecs=2Eucla=2Eedu"),
            (b"*", "=2A"),
            (b">", "=3E"),
            (b"a=b", "a=3Db"),
            (b"\x00\xff", "=00=FF"),
            ("\u{1f411}".as_bytes(), "=F0=9F=90=91"),
        ] {
            assert_eq!(token(name), expected);
        }
    }

    #[test]
    fn a_name_too_long_for_a_token_is_hashed() {
        let long = vec![b'x'; limits::BUS_TOKEN_BYTES_MAX];
        assert_eq!(token(&long).len(), limits::BUS_TOKEN_BYTES_MAX);
        for longer in [vec![b'x'; limits::BUS_TOKEN_BYTES_MAX + 1], vec![b'.'; 64 * 1024]] {
            let token = token(&longer);
            assert!(token.starts_with("==") && token.len() == 66, "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_legal_and_can_be_read_back(bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
            let token = token(&bytes);
            prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte)), "{}", token);
            prop_assert_eq!(name(&token), bytes);
        }
    }
}
