//! Faults as a person or a script meets them: the real binary and a real herd.

use serde_json::Value;

use crate::commands::Field;
use crate::support::wait_until;

fn up() -> Field {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    field
}

fn summary(field: &Field) -> Value {
    field.json("ps --json")["summary"].clone()
}

#[test]
fn every_fault_is_shown_expires_heals_and_is_removed_by_zero() {
    let field = up();
    for (set, zero, kind, key, value) in [
        ("delay bona campbell 250ms --jitter 50ms", "delay Bona Campbell 0ms", "delay", "delay_ms", "250"),
        ("loss bona campbell 20% --seed 7313", "loss Bona Campbell 0%", "loss", "percent", "20.0"),
        ("dup bona campbell 5%", "dup Bona Campbell 0", "dup", "percent", "5.0"),
        ("reorder bona campbell 50%", "reorder Bona Campbell 0", "reorder", "percent", "50.0"),
        ("throttle bona campbell 64k", "throttle Bona Campbell 0", "throttle", "bytes_per_second", "64000"),
        ("cut bona campbell --silent", "heal Bona Campbell", "cut", "silent", "true"),
    ] {
        let change = field.json(&format!("{set} --one-way --json"));
        let fault = &change["set"][0];
        assert_eq!((fault["kind"].as_str(), fault[key].to_string().as_str()), (Some(kind), value), "{set}: {change}");
        assert_eq!((fault["from"].as_str(), fault["to"].as_str()), (Some("Bona"), Some("Campbell")));
        assert_eq!(fault["one_way"], true);
        let has_seed = ["delay", "loss", "dup", "reorder"].contains(&kind);
        assert_eq!(fault["seed"].is_u64(), has_seed, "{set}: {fault}");
        assert_eq!(field.json("ps --json")["faults"][0]["id"], fault["id"]);
        assert_eq!(field.json("links --json")["faults"][0]["kind"], kind);
        let ps = field.run("ps");
        assert!(ps.out.contains("· 1 fault ·") && ps.out.contains(&format!("Bona → Campbell {kind}")), "{ps:?}");
        assert!(ps.err.contains("herdctl heal --all"), "{ps:?}");

        assert_eq!(field.json(&format!("{zero} --json"))["healed"][0]["kind"], kind, "{zero}");
        assert_eq!(field.json(&format!("{zero} --json"))["changed"], false, "{zero}");
        assert_eq!(field.json("ps --json")["faults"], Value::Array(Vec::new()), "{zero}");

        let brief = field.run(&format!("{set} --for 50ms"));
        assert!(brief.code == 0 && brief.out.contains("ms left)"), "{brief:?}");
        wait_until(&format!("{set} to expire"), || summary(&field)["faults"] == 0);
    }
    wait_until("the links to be up", || field.run("ps --check").code == 0);
    // The herd says it as the command does.
    let said = field.run("loss Bona Campbell 20% --seed 7313 --for 20s");
    assert!(said.out.starts_with("≋ Bona – Campbell loss 20%, seed 7313 (20s left)"), "{said:?}");
    let log = field.run("logs herd --no-prefix").out;
    let said = "Bona – Campbell loss 20%, seed 7313 (20s left)";
    for line in ["Bona → Campbell loss 20%, seed 7313", "healed by itself", said] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn a_cut_says_which_islands_it_leaves_and_a_partition_is_healed_whole() {
    let field = up();
    let cut = field.run("cut Campbell Jaquez");
    assert!(cut.out.starts_with("✂ Campbell – Jaquez cut"), "{cut:?}");
    assert!(cut.err.contains("still one island.  Undo: herdctl heal Campbell Jaquez"), "{cut:?}");
    assert!(field.run("links").out.contains("Campbell – Jaquez  cut "), "{:?}", field.run("links"));
    assert_eq!(summary(&field)["links_up"], 5, "seen when the command answers");
    assert_eq!(field.run("heal --all").code, 0);
    wait_until("the link to be up", || field.run("ps --check").code == 0);

    let parted = field.run("partition clark,Jaquez");
    assert!(parted.out.contains("2 islands: {Bailey, Bona, Campbell} {Clark, Jaquez}"), "{parted:?}");
    assert_eq!(summary(&field)["islands"], 2);
    assert_eq!(field.run("iamat left +1+1 --to Clark").code, 0);
    assert_eq!(field.run("iamat right +1+1 --to Bona").code, 0);
    let apart = field.run("wait --converged --timeout 200ms");
    assert!(apart.code == 7 && apart.err.contains("for one, "), "{apart:?}");
    assert!(field.run("whereis left").out.contains("Bona      –"), "{:?}", field.run("whereis left"));

    assert_eq!(field.run("heal --all").code, 0);
    wait_until("the links to be up", || field.run("ps --check").code == 0);
    let silent = field.json("partition Clark,Jaquez --silent --json");
    assert_eq!(silent["summary"]["islands"], 2, "apart at once, and noticed later");

    let again = field.json("partition --isolate Bona --json");
    assert_eq!((again["set"].as_array().unwrap().len(), again["healed"].as_array().unwrap().len()), (3, 2));
    assert_eq!(field.json("heal --all --json")["healed"].as_array().unwrap().len(), 3);
    assert_eq!(field.run("wait --converged").code, 0);
    assert_eq!(field.run("wait --ready").code, 0);
    let chance = |field: &Field| field.json("partition --random --seed 4 --json")["islands"].clone();
    assert_eq!(chance(&field), chance(&field));
    assert_eq!(field.json("heal --all --json")["changed"], true);
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let field = up();
    let strangers = field.run("cut Bailey Jaquez");
    assert_eq!(strangers.code, 4, "{strangers:?}");
    assert!(strangers.err.contains("Bailey and Jaquez are not neighbours"), "{strangers:?}");
    assert!(strangers.err.contains("Bailey talks with: Campbell, Bona"), "{strangers:?}");
    for (line, code) in [
        ("cut Bona Clrk", 4),
        ("cut Bona Clark --one-way", 2),
        ("loss Bona Clark 101%", 2),
        ("delay Bona Clark 10ms --jitter 20ms", 2),
        ("delay Bona Clark 5m", 2),
        ("partition Clark,Bona,Bailey,Campbell,Jaquez", 2),
        ("partition Clark Clark", 2),
        ("partition", 2),
        ("heal", 2),
        ("kill Clark --seed 3", 2),
        ("wait", 2),
        ("whereis", 2),
    ] {
        assert_eq!(field.run(line).code, code, "{line}");
    }
    assert_eq!(summary(&field)["faults"], 0);
}

#[test]
fn a_kill_by_chance_follows_its_seed_and_undoes_itself() {
    let field = up();
    let killed = field.json("kill --random --seed 4 --power --for 300ms --json");
    let name = killed["results"][0]["server"].as_str().unwrap().to_owned();
    assert_eq!((killed["seed"].as_u64(), killed["for_ms"].as_u64()), (Some(4), Some(300)));
    assert_eq!(field.run("wait --ready").code, 0);
    let again = field.json("kill --random --seed 4 --json");
    assert_eq!(again["results"][0]["server"], name.as_str());
    assert_eq!(field.run(&format!("wait --down {name}")).code, 0);
    assert_eq!(field.run("start --all --wait").code, 0);
    let paused = field.run("pause Clark --for 200ms");
    assert!(paused.err.contains("By itself it goes on in 200ms"), "{paused:?}");
    assert_eq!(field.run("wait --ready").code, 0);
}

#[test]
fn an_event_is_waited_for_and_what_came_instead_is_said() {
    let field = up();
    let before = field.run("events --since 1 --count 1 --json").out;
    let seq = serde_json::from_str::<serde_json::Value>(&before).unwrap()["seq"].as_u64().unwrap();
    assert_eq!(field.run("kill Clark").code, 0);
    let killed = field.json(&format!("wait --event server.killed --server clark --since {seq} --json"));
    crate::schemas::check("event", &killed);
    assert_eq!((&killed["kind"], &killed["server"]), (&"server.killed".into(), &"Clark".into()));
    let family = field.run(&format!("wait --event link --server Clark --since {seq}"));
    assert!(family.code == 0 && family.out.contains(" link."), "{family:?}");

    let other = field.run(&format!("wait --event server.killed --server Bona --since {seq} --timeout 200ms"));
    assert_eq!(other.code, 7, "{other:?}");
    let said = "no event server.killed of Bona in 200ms; 1 such event of other servers";
    assert!(other.err.contains(said), "{other:?}");
    let past = field.run("wait --event server.killed --timeout 200ms");
    assert_eq!(past.code, 7, "what was before does not count: {past:?}");
    assert_eq!(field.run("wait --event server.killed --server Clrk").code, 4);
    assert_eq!(field.run("wait --ready --server Clark").code, 2);
}

#[test]
fn an_event_that_is_yet_to_come_ends_the_wait() {
    let field = up();
    assert_eq!(field.run("pause Clark --for 700ms").code, 0);
    let paused = field.json("wait --event server.paused --server Clark --since 1 --json");
    let resumed = field.run(&format!("wait --event server.running --server Clark --since {}", paused["seq"]));
    assert!(resumed.code == 0 && resumed.out.contains("server.running"), "{resumed:?}");
}

#[test]
fn what_is_forgotten_is_gone_and_what_could_bring_it_back_is_said() {
    let field = up();
    assert_eq!(field.run("iamat future +1+1 --at 9999999999 --to Clark").code, 0);
    assert_eq!(field.run("wait --converged").code, 0);
    assert_eq!(field.json("whereis future --json")["clients"][0]["agreed"], true);
    assert_eq!(field.run("pause Jaquez").code, 0);
    let forgotten = field.run("forget future");
    assert!(forgotten.out.contains("future forgotten by Bailey, Bona, Campbell and Clark"), "{forgotten:?}");
    assert!(forgotten.err.contains("it may come back: Jaquez is paused, and may still know it"), "{forgotten:?}");
    assert_eq!(field.run("whereis future").code, 8);
    assert_eq!(field.run("resume Jaquez").code, 0);
    let again = field.json("forget future --json");
    assert_eq!((&again["changed"], &again["may_return"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    assert_eq!(field.run("whereis future").code, 8);
    let nobody = field.run("forget futrue");
    assert_eq!((nobody.code, nobody.out.as_str()), (0, "· nothing to forget: no server that was asked knows futrue\n"));
    assert!(nobody.err.contains("hint: herdctl whereis --all"), "{nobody:?}");
    assert_eq!(field.json("forget futrue --json")["changed"], false);
    assert_eq!(field.run("whereis --all").code, 0);
}
