//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    // Statements may be nested deeper than the stack of a main thread stands.
    consolidate::stack::on_large(consolidate::cli::run)
}
