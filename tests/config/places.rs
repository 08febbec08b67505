//! What is said about where places come from.

use herdctl::config::{Fallback, FieldMask, Google, GoogleApi, PlacesFile, Provider, Proxy};
use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, proven, shown_of_two};

#[test]
fn h020_what_is_no_url() {
    let url = |url: &str| shown_of_two(&format!("[places]\nprovider = \"google\"\nurl = \"{url}\"\n"));
    let long = format!("https://{}.example", "x".repeat(2048));
    for (wrong, why) in [
        ("places.example", "it is no URL"),
        ("https://", "it is no URL"),
        ("http://places.example", "not encrypted, and not this machine"),
        ("http://127.0.0.1.example:80", "not encrypted, and not this machine"),
        ("http://0.0.0.0:80", "not encrypted, and not this machine"),
        ("ftp://127.0.0.1", "neither https nor http"),
        ("https://places.example/v1", "it goes on after the host"),
        ("https://places.example/#x", "it holds a name, a password or a query"),
        (&long, "it is longer than any address"),
    ] {
        let shown = url(wrong);
        assert!(shown.starts_with("error[H020]: this is no address for a provider\n"), "{shown}");
        assert!(shown.contains(why), "{wrong}: {shown}");
    }
    for right in [
        "https://places.example",
        "https://places.example:8443/",
        "http://localhost:1",
        "http://[::1]:1",
        "http://127.9.9.9",
    ] {
        let (herd, warnings) = proven(&format!("{TWO}[places]\nprovider = \"google\"\nurl = \"{right}\"\n"));
        let Provider::Google(google) = herd.places.provider else { panic!("google was asked for") };
        assert_eq!((google.url.as_deref(), warnings.is_empty()), (Some(right.trim_end_matches('/')), true));
    }
}

#[test]
fn h021_an_attribution_is_one_line() {
    let attribution = |text: &str| {
        shown_of_two(&format!("[places]\nprovider = \"file\"\nfile = \"p.csv\"\nattribution = \"{text}\"\n"))
    };
    for (wrong, why) in [
        (" ", "it is empty"),
        ("a\\nb", "it holds a control character"),
        (&"x".repeat(1025), "longer than 1,024 bytes"),
    ] {
        let shown = attribution(wrong);
        assert!(
            shown.starts_with("error[H021]: an attribution is one line of text\n") && shown.contains(why),
            "{shown}"
        );
    }
}

#[test]
fn h022_a_key_of_another_provider() {
    let text =
        format!("{TWO}[places]\nprovider = \"file\"\nfile = \"p.csv\"\napi = \"new\"\nfallback = \"embedded\"\n");
    let (herd, warnings) = proven(&text);
    assert_eq!(herd.places.provider, Provider::File(PlacesFile { path: "/herds/one/p.csv".into(), attribution: None }));
    let why = warnings.render(false);
    assert_data_eq!(
        why,
        str![[r#"
warning[H022]: `api` has no effect with provider = "file"
 --> /herds/one/herd.toml:7:1
  |
7 | api = "new"
  | ^^^

warning[H022]: `fallback` has no effect with provider = "file"
 --> /herds/one/herd.toml:8:1
  |
8 | fallback = "embedded"
  | ^^^^^^^^

2 warnings
"#]]
        .raw()
    );
    // With a provider that is not known there is nothing to say about its keys.
    assert!(shown_of_two("[places]\nprovider = \"gogle\"\napi = \"new\"\n").ends_with("\n1 error"));
    assert!(shown_of_two("[places]\nprovider = \"file\"\n").contains("error[H005]: [places] has no `file`"));
}

#[test]
fn what_google_is_asked_is_set_word_by_word() {
    let (herd, warnings) = proven(&format!(
        "{TWO}[places]\nprovider = \"google\"\nkey_file = \"k\"\napi = \"auto\"\nfields = \"full\"\nfallback = \"embedded\"\nproxy = \"none\"\n"
    ));
    assert!(warnings.is_empty(), "{warnings}");
    let expected = Google {
        key_file: Some("/herds/one/k".into()),
        api: GoogleApi::Auto,
        fields: FieldMask::Full,
        fallback: Fallback::Embedded,
        proxy: Proxy::None,
        url: None,
    };
    assert_eq!(herd.places.provider, Provider::Google(expected));
}
