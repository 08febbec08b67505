use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(herdctl::cli::main(std::env::args_os()))
}
