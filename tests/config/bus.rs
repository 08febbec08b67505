//! What is said about the bus.

use std::path::Path;

use herdctl::config::parse;

use super::{TWO, shown_of_two};

#[test]
fn a_bus_is_an_address_and_its_bridges() {
    let read = |added: &str| parse(&format!("{TWO}{added}"), Path::new("/herd.toml")).unwrap().0.bus;
    assert_eq!(read(""), None);
    let bus = read("[bus]\nurl = \"nats://bus.example:4222\"\n").unwrap();
    let plain = (bus.url.as_str(), bus.bucket.as_str(), bus.replicas, bus.servers.as_slice());
    assert_eq!(plain, ("nats://bus.example:4222", "herd_locations", 1, &[0][..]));
    let names = TWO.matches("name = \"").count();
    assert_eq!(names, 2);
    let bus =
        read("[bus]\nurl = \"tls://b\"\ncreds_file = \"c\"\nservers = [\"clark\", \"Clark\"]\nreplicas = 3\n").unwrap();
    assert_eq!((bus.servers.len(), bus.creds_file, bus.replicas), (1, Some("/c".into()), 3));
}

#[test]
fn a_bus_that_cannot_be_meant_is_refused() {
    for (added, why) in [
        ("[bus]\n", "error[H005]: [bus] has no `url`"),
        ("[bus]\nurl = \"4222\"\n", "it is no URL"),
        ("[bus]\nurl = \"http://b\"\n", "neither nats nor tls"),
        ("[bus]\nurl = \"nats://\"\n", "it names no host"),
        ("[bus]\nurl = \"nats://b/x\"\n", "it goes on after the host"),
        ("[bus]\nurl = \"nats://b\"\nservers = [\"Clrk\"]\n", "did you mean `Clark`?"),
        ("[bus]\nurl = \"nats://b\"\nservers = []\n", "error[H007]: `servers` holds 0 bridges"),
        ("[bus]\nurl = \"nats://b\"\nbucket = \"a.b\"\n", "error[H009]: `a.b` is no name for a bucket"),
        ("[bus]\nurl = \"nats://b\"\nreplicas = 6\n", "from 1 to 5"),
        ("[bus]\nurl = \"nats://b\"\nserver = []\n", "did you mean `servers`?"),
        ("bus = 1\n", "`bus` takes a table"),
    ] {
        let shown = shown_of_two(added);
        assert!(shown.contains(why) && shown.ends_with("\n1 error"), "{added}: {shown}");
    }
    for secret in
        ["url = \"nats://herd:CANARY@b\"", "url = \"nats://CANARY@b\"", "url = \"nats://b\"\npassword = \"CANARY\""]
    {
        let shown = shown_of_two(&format!("[bus]\n{secret}\n"));
        assert!(shown.starts_with("error[H023]") && !shown.contains("CANARY"), "{shown}");
    }
}
