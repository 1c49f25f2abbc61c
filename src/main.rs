//! The program: arguments, and what is printed. All else is in the library.

mod cli;

fn main() -> std::process::ExitCode {
    // Statements may be nested deeper than the stack of a main thread stands.
    consolidate::stack::on_large(cli::run)
}
