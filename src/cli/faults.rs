//! `links`, `cut`, `delay`, `loss`, `dup`, `reorder`, `throttle`, `partition`, `heal`: what is wrong with the links, and
//! what is to be.

use std::time::Duration;

use super::args::{self, Ends};
use super::output::{Output, Stop};
use super::ps::{Cell, Table};
use super::session::Session;
use super::term::{self, Pen};
use super::{Done, Exit, escape, human, watch};
use crate::herd::api::{FaultChange, FaultOrder, FaultStatus, HealOrder, LinkStatus, Links, PartitionOrder, Wrong};

/// `herdctl links`
///
/// # Errors
///
/// As every call on the control channel.
pub fn links(args: &args::Links, session: &mut Session) -> Done {
    if args.watch {
        return watch::watch(session, |client, out| {
            let links = client.links()?;
            if out.json { out.json_of(&links).map(|json| vec![json]) } else { Ok(table(&links).lines(out.pen())) }
        });
    }
    let links = session.client()?.links()?;
    if session.out.json {
        session.out.document(&links)?;
    } else {
        let pen = session.out.pen();
        session.out.answer(&table(&links).lines(pen).join("\n"))?;
    }
    Ok(Exit::Fine)
}

/// `herdctl cut`
///
/// # Errors
///
/// As every call on the control channel; `unknown_name` for what is no link, `usage` for what makes no sense.
pub fn cut(args: &args::Cut, session: &mut Session) -> Done {
    set(&args.ends, Wrong::Cut { silent: args.silent }, None, session)
}

/// `herdctl delay`
///
/// # Errors
///
/// As [`cut`].
pub fn delay(args: &args::Delay, session: &mut Session) -> Done {
    let wrong = Wrong::Delay { delay_ms: human::ms(args.delay), jitter_ms: human::ms(args.jitter) };
    set(&args.ends, wrong, args.seed, session)
}

/// `herdctl loss`
///
/// # Errors
///
/// As [`cut`].
pub fn loss(args: &args::Chance, session: &mut Session) -> Done {
    set(&args.ends, Wrong::Loss { percent: args.percent }, args.seed, session)
}

/// `herdctl dup`
///
/// # Errors
///
/// As [`cut`].
pub fn dup(args: &args::Chance, session: &mut Session) -> Done {
    set(&args.ends, Wrong::Dup { percent: args.percent }, args.seed, session)
}

/// `herdctl reorder`
///
/// # Errors
///
/// As [`cut`].
pub fn reorder(args: &args::Chance, session: &mut Session) -> Done {
    set(&args.ends, Wrong::Reorder { percent: args.percent }, args.seed, session)
}

/// `herdctl throttle`
///
/// # Errors
///
/// As [`cut`].
pub fn throttle(args: &args::Throttle, session: &mut Session) -> Done {
    set(&args.ends, Wrong::Throttle { bytes_per_second: args.bytes_per_second }, None, session)
}

/// `herdctl partition`
///
/// # Errors
///
/// As [`cut`].
pub fn partition(args: &args::Partition, session: &mut Session) -> Done {
    let order = PartitionOrder {
        groups: args.groups.iter().map(|group| group.split(',').map(str::to_owned).collect()).collect(),
        isolate: args.isolate.clone(),
        random: args.random,
        seed: args.seed,
        silent: args.silent,
        for_ms: args.lasts.map(human::ms),
    };
    let change = session.client()?.partition(&order)?;
    say(&change, session, |change, out| show_partition(change, args.lasts, out))
}

/// `herdctl heal`
///
/// # Errors
///
/// As [`cut`].
pub fn heal(args: &args::Heal, session: &mut Session) -> Done {
    let order = HealOrder { servers: args.servers.clone(), all: args.all };
    let change = session.client()?.heal(&order)?;
    say(&change, session, |change, out| out.answer(&healed(change)))
}

fn set(ends: &Ends, wrong: Wrong, seed: Option<u64>, session: &mut Session) -> Done {
    let (from, to, one_way) = (ends.from.clone(), ends.to.clone(), ends.one_way);
    let order = FaultOrder { from, to, one_way, wrong, for_ms: ends.lasts.map(human::ms), seed };
    let change = session.client()?.set_fault(&order)?;
    say(&change, session, show_fault)
}

fn say(
    change: &FaultChange,
    session: &mut Session,
    show: impl FnOnce(&FaultChange, &mut Output) -> Result<(), Stop>,
) -> Done {
    if session.out.json {
        session.out.document(change)?;
    } else {
        show(change, &mut session.out)?;
    }
    Ok(Exit::Fine)
}

fn show_fault(change: &FaultChange, out: &mut Output) -> Result<(), Stop> {
    let Some(fault) = change.set.first() else { return out.answer(&healed(change)) };
    out.answer(&set_line(fault, out.pen()))?;
    let undo = format!("herdctl heal {} {}", escape::text(&fault.from), escape::text(&fault.to));
    out.message(&format!("  {}.  Undo: {undo}", meaning(fault.wrong, change)));
    Ok(())
}

fn meaning(wrong: Wrong, change: &FaultChange) -> String {
    match wrong {
        Wrong::Cut { .. } => match change.islands.len() {
            0 => "no server runs".into(),
            1 => "still one island".into(),
            n => format!("{n} islands: {}", islands(change)),
        },
        Wrong::Loss { .. } => "whole reports are dropped and told again; TCP itself loses nothing".into(),
        Wrong::Dup { .. } => "whole reports arrive twice".into(),
        Wrong::Reorder { .. } => "reports are overtaken by the next of their batch".into(),
        Wrong::Delay { .. } | Wrong::Throttle { .. } => "nothing is lost, and all arrives in order".into(),
    }
}

fn show_partition(change: &FaultChange, lasts: Option<Duration>, out: &mut Output) -> Result<(), Stop> {
    let mark = out.pen().ink(term::WARN, "⚡");
    let lasts = lasts.map(|lasts| format!(" for {}", human::limit(lasts))).unwrap_or_default();
    let count = human::count(change.islands.len() as u64, "island");
    let cuts: Vec<_> = change.set.iter().map(|fault| escape::text(&fault.ends()).into_owned()).collect();
    let cuts = if cuts.is_empty() { "no link".to_owned() } else { cuts.join(", ") };
    out.answer(&format!("{mark} {count}{lasts}: {}   cut: {cuts}", islands(change)))?;
    let seed = change.seed.map(|seed| format!("chosen by chance (seed {seed}).  ")).unwrap_or_default();
    out.message(&format!("  {seed}Undo: herdctl heal --all"));
    Ok(())
}

/// `✂ Campbell – Jaquez cut`
pub(super) fn set_line(fault: &FaultStatus, pen: Pen) -> String {
    let mark = if matches!(fault.wrong, Wrong::Cut { .. }) { "✂" } else { "≋" };
    let ends = pen.ink(term::BOLD, &escape::text(&fault.ends()));
    format!("{} {ends} {}", pen.ink(term::WARN, mark), fault.what())
}

/// `{Clark, Jaquez} {Bailey, Bona, Campbell}`
fn islands(change: &FaultChange) -> String {
    let islands: Vec<_> =
        change.islands.iter().map(|island| format!("{{{}}}", escape::text(&island.join(", ")))).collect();
    islands.join(" ")
}

pub(super) fn healed(change: &FaultChange) -> String {
    let faults: Vec<_> = change.healed.iter().map(described).collect();
    match faults.len() {
        0 => "· nothing was wrong there".into(),
        n => format!("✔ healed {}: {}", human::count(n as u64, "fault"), faults.join("; ")),
    }
}

/// `Bona → Campbell delay 250ms ±50ms, seed 7313 (22s left)`
pub fn described(fault: &FaultStatus) -> String {
    format!("{} {}", escape::text(&fault.ends()), fault.what())
}

fn table(links: &Links) -> Table {
    let rows = links.links.iter().map(|link| {
        let faults: Vec<&FaultStatus> = links.faults.iter().filter(|fault| is_on(fault, link)).collect();
        let (state, style) = state(link, &faults);
        let wrong: Vec<_> = faults.iter().map(|fault| arrowed(fault)).collect();
        vec![
            Cell::plain(&format!("{} – {}", link.from, link.to)),
            Cell { text: state.into(), style: Some(style) },
            Cell::plain(&super::ps::lag(link)),
            Cell::plain(&wrong.join("; ")),
        ]
    });
    Table { heads: vec!["LINK", "STATE", "LAG → / ←", "FAULTS"], rows: rows.collect() }
}

pub(super) fn is_on(fault: &FaultStatus, link: &LinkStatus) -> bool {
    let ends = (&fault.from, &fault.to);
    ends == (&link.from, &link.to) || ends == (&link.to, &link.from)
}

pub(super) fn state(link: &LinkStatus, faults: &[&FaultStatus]) -> (&'static str, anstyle::Style) {
    let is_cut = faults.iter().any(|fault| matches!(fault.wrong, Wrong::Cut { .. }));
    match link.up {
        true => ("up", term::GOOD),
        false if is_cut => ("cut", term::WARN),
        false => ("down", term::BAD),
    }
}

pub(super) fn arrowed(fault: &FaultStatus) -> String {
    if fault.one_way { format!("to {}: {}", fault.to, fault.what()) } else { fault.what() }
}

/// For the tests of whoever shows faults.
#[cfg(test)]
pub fn sample(wrong: Wrong) -> FaultStatus {
    FaultStatus {
        id: 7,
        wrong,
        from: "Bona".into(),
        to: "Campbell".into(),
        one_way: true,
        partition: false,
        seed: Some(7313),
        expires_in_ms: Some(21_500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_seed_and_what_is_left() {
        let delay = sample(Wrong::Delay { delay_ms: 250, jitter_ms: 50 });
        assert_eq!(described(&delay), "Bona → Campbell delay 250ms ±50ms, seed 7313 (22s left)");
        let cut =
            FaultStatus { one_way: false, seed: None, expires_in_ms: None, ..sample(Wrong::Cut { silent: true }) };
        assert_eq!(described(&cut), "Bona – Campbell cut, silent");
    }

    #[test]
    fn links_show_their_state_and_what_is_wrong() {
        let link =
            |from: &str, up| LinkStatus { from: from.into(), to: "Campbell".into(), up, lag: None, held: [false; 2] };
        let cut = FaultStatus { from: "Campbell".into(), to: "Jaquez".into(), ..sample(Wrong::Cut { silent: false }) };
        let links = Links {
            schema: "herd.links/1".into(),
            links: vec![link("Bona", true), link("Jaquez", false), link("Bailey", false)],
            faults: vec![sample(Wrong::Loss { percent: 20.0 }), FaultStatus { seed: None, one_way: false, ..cut }],
        };
        let lines = table(&links).lines(Pen { styled: false });
        assert_eq!(lines[1], "Bona – Campbell    up     –          to Campbell: loss 20%, seed 7313 (22s left)");
        assert_eq!(lines[2], "Jaquez – Campbell  cut    –          cut (22s left)");
        assert_eq!(lines[3], "Bailey – Campbell  down   –");
    }
}
