//! The session server.

fn main() -> std::process::ExitCode {
    antiphon::server::cli::main()
}
