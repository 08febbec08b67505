//! How two neighbours prove to each other who they are.
//!
//! ```text
//! dialer    PEER 1 <herd> <from> <to> <run> <nonce>
//! listener  PEER 1 <herd> <from> <to> <run> <nonce> <proof>
//! dialer    PROOF <proof>
//! ```
//!
//! A proof is HMAC-SHA-256 (RFC 2104), keyed with the herd's secret, over the prover's role and every field of
//! both hellos. The role keeps a proof from being sent back to its maker; the nonces keep one from being used
//! twice; the names and runs keep one from being used elsewhere. Compared in constant time.
//!
//! Typestates: a [`Dialing`] or [`Answering`] end is consumed by the next line it hears, and only a proof that
//! holds yields a [`Proven`]. Nonces come from outside, for nothing here makes anything at random.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::line::{fields, parse_digits};

/// The version of the protocol between neighbours.
pub const VERSION: &str = "1";

/// What a listener says to who comes plainly and should come inside TLS, or the other way.
pub const REFUSED_OF_TLS: &[u8] = b"? TLS";

/// One end of a link to be, as it names itself.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    pub herd: &'a str,
    pub server: &'a str,
    /// Chosen at random at each start of the server.
    pub run: u64,
    /// The herd's secret: what this end proves itself with.
    pub secret: &'a [u8],
    /// Another one that is accepted of the other end, while the herd's secret is being changed.
    pub also: Option<&'a [u8]>,
}

/// A number that is used once; from a source that cannot be guessed.
pub type Nonce = [u8; 16];

/// The neighbour has proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    /// The run of the neighbour: what it was told in another run it has forgotten.
    pub run: u64,
}

/// Why a hello or a proof was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not the line that was due.
    NotAHello,
    /// Another version of this protocol.
    Version(String),
    /// Another herd.
    Herd(String),
    /// Meant for another server.
    Addressee(String),
    /// From a server that has no business to dial this one, or is not the one that was dialled.
    Stranger(String),
    /// The secrets differ, or the line is forged or replayed.
    Proof,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAHello => write!(f, "not the hello of a neighbour"),
            Self::Version(version) => write!(f, "speaks version {version} of the protocol, not {VERSION}"),
            Self::Herd(herd) => write!(f, "belongs to herd {herd}"),
            Self::Addressee(server) => write!(f, "wants to speak to {server}"),
            Self::Stranger(server) => write!(f, "is {server}, which is not the neighbour expected here"),
            Self::Proof => write!(f, "does not know the herd's secret"),
        }
    }
}

/// A dialer that has said its hello.
pub struct Dialing<'a> {
    me: Identity<'a>,
    to: &'a str,
    hello: String,
}

impl<'a> Dialing<'a> {
    /// Begins a link with the neighbour `to`; [`Dialing::hello`] is the line to say.
    #[must_use]
    pub fn new(me: Identity<'a>, to: &'a str, nonce: Nonce) -> Self {
        Self { hello: hello(me, to, nonce), me, to }
    }

    /// The line to say first, without its LF.
    #[must_use]
    pub fn hello(&self) -> &str {
        &self.hello
    }

    /// Hears the listener's hello. Returns the line to say next, without its LF.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the connection is not to be used.
    pub fn hear(self, line: &[u8]) -> Result<(Proven, String), Refusal> {
        let (hello, proof) = split_last_field(line).ok_or(Refusal::NotAHello)?;
        let theirs = Hello::parse(hello)?;
        theirs.check(self.me, |from| from == self.to)?;
        let both = Both { dialer: self.hello.as_bytes(), listener: hello };
        both.verify(self.me, Role::Listener, proof)?;
        let proof = both.prove(self.me.secret, Role::Dialer);
        Ok((Proven { run: theirs.run }, format!("PROOF {proof}")))
    }
}

/// A listener that has heard a hello and answered it.
pub struct Answering<'a> {
    me: Identity<'a>,
    theirs: String,
    their_run: u64,
    hello: String,
}

impl<'a> Answering<'a> {
    /// Hears the dialer's hello; `expected` says whether a server of that name dials this one. Returns the
    /// neighbour's name and the line to say, without its LF.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the connection is to be closed.
    pub fn new(
        me: Identity<'a>,
        line: &[u8],
        nonce: Nonce,
        expected: impl Fn(&str) -> bool,
    ) -> Result<(Self, String, String), Refusal> {
        let theirs = Hello::parse(line)?;
        theirs.check(me, expected)?;
        let from = theirs.from.to_owned();
        let hello = hello(me, &from, nonce);
        // A proven hello is all ASCII words, and so is text.
        let said = String::from_utf8_lossy(line).into_owned();
        let proof = Both { dialer: said.as_bytes(), listener: hello.as_bytes() }.prove(me.secret, Role::Listener);
        let answer = format!("{hello} {proof}");
        Ok((Self { me, their_run: theirs.run, theirs: said, hello }, from, answer))
    }

    /// Hears the dialer's proof.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the connection is to be closed.
    pub fn hear(self, line: &[u8]) -> Result<Proven, Refusal> {
        let proof = line.strip_prefix(b"PROOF ").ok_or(Refusal::NotAHello)?;
        let both = Both { dialer: self.theirs.as_bytes(), listener: self.hello.as_bytes() };
        both.verify(self.me, Role::Dialer, proof)?;
        Ok(Proven { run: self.their_run })
    }
}

/// Whether a connection's first line begins a hello: then it is a neighbour's, or is closed.
#[must_use]
pub fn is_hello(line: &[u8]) -> bool {
    line.starts_with(b"PEER ") && fields(line).count() == 7
}

fn hello(me: Identity<'_>, to: &str, nonce: Nonce) -> String {
    format!("PEER {VERSION} {} {} {to} {} {}", me.herd, me.server, me.run, hex(&nonce))
}

struct Hello<'a> {
    version: &'a str,
    herd: &'a str,
    from: &'a str,
    to: &'a str,
    run: u64,
}

impl<'a> Hello<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(line).map_err(|_| Refusal::NotAHello)?;
        let parts: Vec<&str> = text.split(' ').collect();
        let ["PEER", version, herd, from, to, run, nonce] = parts[..] else { return Err(Refusal::NotAHello) };
        let run = parse_digits(run.as_bytes()).ok_or(Refusal::NotAHello)?;
        (nonce.len() == 32).then_some(Self { version, herd, from, to, run }).ok_or(Refusal::NotAHello)
    }

    fn check(&self, me: Identity<'_>, expected: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        match self {
            _ if self.version != VERSION => Err(Refusal::Version(self.version.into())),
            _ if self.herd != me.herd => Err(Refusal::Herd(self.herd.into())),
            _ if self.to != me.server => Err(Refusal::Addressee(self.to.into())),
            _ if !expected(self.from) => Err(Refusal::Stranger(self.from.into())),
            _ => Ok(()),
        }
    }
}

/// Both hellos, without their proofs: what every proof is made over.
struct Both<'a> {
    dialer: &'a [u8],
    listener: &'a [u8],
}

#[derive(Clone, Copy)]
enum Role {
    Dialer,
    Listener,
}

impl Both<'_> {
    fn prove(&self, secret: &[u8], role: Role) -> String {
        hex(&self.mac(secret, role).finalize().into_bytes())
    }

    fn verify(&self, me: Identity<'_>, role: Role, proof: &[u8]) -> Result<(), Refusal> {
        let proof = unhex(proof).ok_or(Refusal::Proof)?;
        let holds = |secret| self.mac(secret, role).verify_slice(&proof).is_ok();
        (holds(me.secret) || me.also.is_some_and(holds)).then_some(()).ok_or(Refusal::Proof)
    }

    /// Hellos hold no LF, so the three parts cannot be cut in another way.
    fn mac(&self, secret: &[u8], role: Role) -> Hmac<Sha256> {
        let role: &[u8] = match role {
            Role::Dialer => b"dialer",
            Role::Listener => b"listener",
        };
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        [role, self.dialer, self.listener].iter().fold(mac, |mac, part| mac.chain_update(part).chain_update(b"\n"))
    }
}

fn split_last_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memrchr(b' ', line)?;
    Some((&line[..space], &line[space + 1..]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|value| value as u8);
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of the herd";

    fn bailey() -> Identity<'static> {
        Identity { herd: "ucla", server: "Bailey", run: 11, secret: SECRET, also: None }
    }

    fn bona() -> Identity<'static> {
        Identity { herd: "ucla", server: "Bona", run: 22, secret: SECRET, also: None }
    }

    fn answer(me: Identity<'static>, hello: &str) -> Result<(Answering<'static>, String), Refusal> {
        Answering::new(me, hello.as_bytes(), [2; 16], |from| from == "Bailey").map(|(end, _, line)| (end, line))
    }

    #[test]
    fn two_ends_of_one_herd_prove_themselves() {
        let dialing = Dialing::new(bailey(), "Bona", [1; 16]);
        assert_eq!(dialing.hello(), "PEER 1 ucla Bailey Bona 11 01010101010101010101010101010101");
        assert!(is_hello(dialing.hello().as_bytes()));
        let (answering, line) = answer(bona(), dialing.hello()).unwrap();
        assert!(line.starts_with("PEER 1 ucla Bona Bailey 22 02020202020202020202020202020202 "));
        let (proven, proof) = dialing.hear(line.as_bytes()).unwrap();
        assert_eq!(proven, Proven { run: 22 });
        assert_eq!(answering.hear(proof.as_bytes()), Ok(Proven { run: 11 }));
    }

    #[test]
    fn a_hello_for_another_place_is_refused_with_the_reason() {
        let refusal = |hello: &str| answer(bona(), hello).err().unwrap();
        let nonce = "0".repeat(32);
        assert_eq!(refusal(&format!("PEER 2 ucla Bailey Bona 1 {nonce}")), Refusal::Version("2".into()));
        assert_eq!(refusal(&format!("PEER 1 mit Bailey Bona 1 {nonce}")), Refusal::Herd("mit".into()));
        assert_eq!(refusal(&format!("PEER 1 ucla Bailey Clark 1 {nonce}")), Refusal::Addressee("Clark".into()));
        assert_eq!(refusal(&format!("PEER 1 ucla Jaquez Bona 1 {nonce}")), Refusal::Stranger("Jaquez".into()));
        for junk in ["PEER", "PEER 1 ucla Bailey Bona x 0", "PEER 1 ucla Bailey Bona 1 0", "HELLO", ""] {
            assert_eq!(refusal(junk), Refusal::NotAHello, "{junk}");
        }
    }

    #[test]
    fn another_secret_is_found_out_by_the_dialer_and_by_the_listener() {
        let liar = Identity { secret: b"another", ..bona() };
        let dialing = Dialing::new(bailey(), "Bona", [1; 16]);
        let (_, line) = answer(liar, dialing.hello()).unwrap();
        assert_eq!(dialing.hear(line.as_bytes()).err(), Some(Refusal::Proof));

        let liar = Identity { secret: b"another", ..bailey() };
        let dialing = Dialing::new(liar, "Bona", [1; 16]);
        let (answering, _) = answer(bona(), dialing.hello()).unwrap();
        assert_eq!(answering.hear(format!("PROOF {}", "0".repeat(64)).as_bytes()), Err(Refusal::Proof));
    }

    #[test]
    fn while_the_secret_is_changed_each_step_agrees_with_the_one_before_and_the_one_after() {
        let steps = [(SECRET, None), (SECRET, Some(b"new".as_slice())), (b"new", Some(SECRET)), (b"new", None)];
        let proves = |(secret, also), (their_secret, their_also)| {
            let dialing = Dialing::new(Identity { secret, also, ..bailey() }, "Bona", [1; 16]);
            let listener = Identity { secret: their_secret, also: their_also, ..bona() };
            let (answering, line) = answer(listener, dialing.hello()).unwrap();
            dialing.hear(line.as_bytes()).and_then(|(_, proof)| answering.hear(proof.as_bytes())).is_ok()
        };
        for (step, one) in steps.into_iter().enumerate() {
            for (other_step, other) in steps.into_iter().enumerate() {
                assert_eq!(proves(one, other), step.abs_diff(other_step) <= 1, "{step} {other_step}");
            }
        }
    }

    #[test]
    fn a_proof_cannot_be_reflected_replayed_or_cut_short() {
        let dialing = Dialing::new(bailey(), "Bona", [1; 16]);
        let hello = dialing.hello().to_owned();
        let (answering, line) = answer(bona(), &hello).unwrap();
        let reflected = format!("PROOF {}", line.rsplit(' ').next().unwrap());
        assert_eq!(answering.hear(reflected.as_bytes()), Err(Refusal::Proof), "the listener's own proof");

        let (_, proof) = dialing.hear(line.as_bytes()).unwrap();
        let (replayed, _, _) = Answering::new(bona(), hello.as_bytes(), [3; 16], |_| true).unwrap();
        assert_eq!(replayed.hear(proof.as_bytes()), Err(Refusal::Proof), "a proof of an earlier handshake");

        for wrong in ["PROOF", "PROOF ", &proof[..proof.len() - 2], &format!("{proof}00"), "PROOF zz", "TOLD 1 1"] {
            let (answering, _) = answer(bona(), &hello).unwrap();
            assert!(answering.hear(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
