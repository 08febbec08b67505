//! What stands in herd.toml and is a secret is not shown.

use snapbox::{IntoData as _, assert_data_eq, str};

use super::shown_of_two;

#[test]
fn h023_a_token_that_stands_here_is_not_shown() {
    assert_data_eq!(
        shown_of_two("[control]\ntoken = \"sesame\"\n"),
        str![[r#"
error[H023]: the token does not stand in herd.toml
 --> herd.toml:5:1
  |
5 | token = ********
  | ^^^^^ not shown
  |
  = help: put it into a file that only you can read and name that: token_file = "herd.token"

1 error
"#]]
    );
}

#[test]
fn h023_a_secret_does_not_stand_here() {
    let why = shown_of_two("[places]\nprovider = \"google\"\napi_key = \"Käse\" # not so\n");
    assert_data_eq!(
        why,
        str![[r#"
error[H023]: a provider's key does not stand in herd.toml
 --> herd.toml:6:1
  |
6 | api_key = ******* # not so
  | ^^^^^^^ not shown
  |
  = help: put it into a file that only you can read and name that: key_file = "google.key"

1 error
"#]]
        .raw()
    );
    let in_place_of_its_file =
        shown_of_two("[places]\nprovider = \"google\"\nkey_file = \"AIzaSyCANARYcanaryCANARYcanaryCANARYcan\"\n");
    assert!(in_place_of_its_file.starts_with("error[H023]") && !in_place_of_its_file.contains("CANARY"));
}
