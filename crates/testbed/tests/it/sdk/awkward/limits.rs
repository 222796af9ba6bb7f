//! Registries, and what stands before them, that do not take everything in any form.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hythe_testbed::proxy::{Answer, Exchange};

use super::everything::Lacks;
use super::{awkward, nobody, rule};

#[test]
fn limits_on_the_way() {
    let most = 10_000_000;
    let refusals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refusals);
    awkward(
        "bodies of 10 MB at most",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            if exchange.announced().is_some_and(|size| size > most) {
                count.fetch_add(1, Ordering::SeqCst);
                return Answer::new(413)
                    .with("content-type", "text/html")
                    .body("<html>413 Request Entity Too Large");
            }
            behind.ask(exchange)
        }),
    );
    assert!(refusals.load(Ordering::SeqCst) > 0);
    awkward(
        "pieces of 5 MiB at least, and bodies of 10 MB at most",
        &nobody(),
        Lacks::default(),
        rule(move |exchange, behind| {
            if exchange.announced().is_some_and(|size| size > most) {
                return Answer::new(413);
            }
            let answer = behind.ask(exchange);
            if exchange.method == "POST" { answer.with("oci-chunk-min-length", "5242880") } else { answer }
        }),
    );
    awkward(
        "uploads that do not say where they stand",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            let answer = behind.ask(exchange);
            if exchange.method == "PATCH" { answer.without("range") } else { answer }
        }),
    );
}

/// The first number of a piece's `Content-Range`.
fn first_of(exchange: &Exchange<'_>) -> Option<u64> {
    exchange.header("content-range")?.split('-').next()?.parse().ok()
}

#[test]
fn registries_with_their_own_idea_of_pieces() {
    awkward(
        "pieces of 4 MiB at most, as at GitHub",
        &nobody(),
        Lacks::default(),
        rule(|exchange, behind| {
            let too_large = exchange.announced().is_some_and(|size| size > 4 << 20);
            if exchange.method == "PATCH" && too_large {
                return Answer::new(416).body(r#"{"errors":[{"code":"SIZE_INVALID","message":"4.00MiB"}]}"#);
            }
            behind.ask(exchange)
        }),
    );
    for fails_at in [0, 1] {
        let refusals = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refusals);
        awkward(
            "no pieces, as at Google",
            &nobody(),
            Lacks::default(),
            rule(move |exchange, behind| {
                if exchange.method == "PATCH" && first_of(exchange).is_some_and(|first| first >= fails_at) {
                    count.fetch_add(1, Ordering::SeqCst);
                    return Answer::new(400)
                        .body(r#"{"errors":[{"code":"UNSUPPORTED","message":"no chunked uploads"}]}"#);
                }
                behind.ask(exchange)
            }),
        );
        assert!(refusals.load(Ordering::SeqCst) > 0);
    }
    for status in [201, 204] {
        awkward(
            "a Range that stays behind, as at Amazon",
            &nobody(),
            Lacks::default(),
            rule(move |exchange, behind| {
                let answer = behind.ask(exchange);
                if exchange.method == "PATCH" && answer.status == 202 {
                    let answer = Answer { status, ..answer };
                    return answer.without("range").with("range", "0-4194303");
                }
                answer
            }),
        );
    }
}
