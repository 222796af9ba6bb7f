//! The SDK from outside: the public functions of `hythe-client` against the built binary and real engines.

mod engines;

/// Runs a test's asynchronous part.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
