fn main() -> std::process::ExitCode {
    herdctl::cli::main(std::env::args_os())
}
