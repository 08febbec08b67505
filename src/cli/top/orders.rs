//! What keys order, given to the herd: one order after the other, on a thread of its own, so that a herd that takes
//! its time does not stop the view.

use std::sync::mpsc::{Receiver, SyncSender};

use super::model::{Act, Input, Verb};
use crate::cli::client::{Client, Target};
use crate::cli::members::{self, Verb as Members};
use crate::cli::term::{self, Pen};
use crate::cli::{escape, faults};
use crate::herd::api::{Failure, FaultOrder, HealOrder, Order, Wrong};

/// Gives the orders that come, and tells what became of each; ends with the view.
pub fn give_all(target: &Target, pen: Pen, orders: &Receiver<Act>, inputs: &SyncSender<Input>) {
    while let Ok(act) = orders.recv() {
        let said = give(target, pen, &act).unwrap_or_else(|failure| refusal(&failure, pen));
        if inputs.send(Input::Done(said)).is_err() {
            return;
        }
    }
}

fn give(target: &Target, pen: Pen, act: &Act) -> Result<String, Failure> {
    match act.verb {
        Verb::Kill => order(target, pen, Members::Kill, act),
        Verb::Start => order(target, pen, Members::Start, act),
        Verb::Restart => order(target, pen, Members::Restart, act),
        Verb::Pause => order(target, pen, Members::Pause, act),
        Verb::Resume => order(target, pen, Members::Resume, act),
        Verb::Cut => cut(target, pen, act),
        Verb::Heal => heal(target, &HealOrder { servers: act.names.clone(), all: false }),
        Verb::HealAll => heal(target, &HealOrder { servers: Vec::new(), all: true }),
    }
}

fn order(target: &Target, pen: Pen, verb: Members, act: &Act) -> Result<String, Failure> {
    let client = Client::new(target.clone(), verb.patience(false))?;
    let change = client.order(verb.route(), &Order { servers: act.names.clone(), ..Order::default() })?;
    let lines: Vec<String> = change.results.iter().map(|result| members::line(verb, result, pen)).collect();
    Ok(lines.join("; "))
}

fn cut(target: &Target, pen: Pen, act: &Act) -> Result<String, Failure> {
    let [from, to] = act.names.as_slice() else { return Ok(String::new()) };
    let order = FaultOrder {
        from: from.clone(),
        to: to.clone(),
        one_way: false,
        wrong: Wrong::Cut { silent: false },
        for_ms: None,
        seed: None,
    };
    let change = client(target)?.set_fault(&order)?;
    let lines: Vec<String> = change.set.iter().map(|fault| faults::set_line(fault, pen)).collect();
    Ok(lines.join("; "))
}

fn heal(target: &Target, order: &HealOrder) -> Result<String, Failure> {
    Ok(faults::healed(&client(target)?.heal(order)?))
}

fn client(target: &Target) -> Result<Client, Failure> {
    Client::new(target.clone(), crate::cli::session::ANSWER_MAX)
}

fn refusal(failure: &Failure, pen: Pen) -> String {
    let message = escape::text(failure.message.lines().next().unwrap_or_default());
    format!("{} {message}", pen.ink(term::ERROR, "error:"))
}
