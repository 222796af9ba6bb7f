//! Passwords: right, wrong, changed, deleted, unknown, and too often.

use hythe_identity::SignInError;

use crate::house::{HERE, House, PASSWORD, THERE, name};

#[tokio::test]
async fn the_right_password_signs_in() {
    let house = House::new().await;
    let made = house.user("ada").await;
    assert_eq!(*house.sign_in("ada", PASSWORD).await.unwrap(), made);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_and_cost_the_same() {
    let house = House::new().await;
    house.user("ada").await;
    let mut sentences = Vec::new();
    for user in ["ada", "bob", "NOT A NAME", ""] {
        let before = house.identity.password_computations();
        let error = house.sign_in(user, "wrong password").await.unwrap_err();
        assert!(matches!(error, SignInError::WrongCredentials), "{error:?}");
        assert_eq!(house.identity.password_computations(), before + 1, "{user}");
        sentences.push(error.to_string());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1);
}

#[tokio::test]
async fn a_thousand_sign_ins_cost_one_computation() {
    let house = House::new().await;
    house.user("ada").await;
    let before = house.identity.password_computations();
    for _ in 0..1000 {
        house.sign_in("ada", PASSWORD).await.unwrap();
    }
    assert_eq!(house.identity.password_computations(), before + 1);
    house.later(300);
    house.sign_in("ada", PASSWORD).await.unwrap();
    assert_eq!(house.identity.password_computations(), before + 2);
}

#[tokio::test]
async fn many_at_once_are_neither_busy_nor_throttled() {
    let house = House::with(|options| options.waiting_checks = 2).await;
    house.user("ada").await;
    let before = house.identity.password_computations();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let identity = house.identity.clone();
        tasks.spawn(async move { identity.sign_in("ada", &PASSWORD.into(), HERE).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(house.identity.password_computations(), before + 1);
}

#[tokio::test]
async fn a_changed_password_is_never_accepted_again() {
    let house = House::new().await;
    house.user("ada").await;
    house.sign_in("ada", PASSWORD).await.unwrap();
    house.identity.set_password(&name("ada"), &"battery staple".into()).await.unwrap();
    assert!(matches!(house.sign_in("ada", PASSWORD).await, Err(SignInError::WrongCredentials)));
    house.sign_in("ada", "battery staple").await.unwrap();
}

#[tokio::test]
async fn a_deleted_user_is_closed_at_once_and_stays_closed_when_made_again() {
    let house = House::new().await;
    let old = house.user("ada").await;
    house.sign_in("ada", PASSWORD).await.unwrap();
    house.identity.delete_user(&name("ada")).await.unwrap();
    assert!(matches!(house.sign_in("ada", PASSWORD).await, Err(SignInError::WrongCredentials)));
    let again = house.identity.create_user(&name("ada"), &"battery staple".into(), false).await.unwrap();
    assert_ne!(again.user.id, old.id);
    assert!(house.sign_in("ada", PASSWORD).await.is_err());
}

#[tokio::test]
async fn guessing_is_throttled_here_and_not_elsewhere() {
    let house = House::new().await;
    house.user("ada").await;
    for number in 0..10 {
        let error = house.sign_in("ada", &format!("guess {number}")).await.unwrap_err();
        assert!(matches!(error, SignInError::WrongCredentials));
    }
    let before = house.identity.password_computations();
    let error = house.sign_in("ada", PASSWORD).await.unwrap_err();
    assert_eq!(error.retry_after_seconds(), Some(6));
    assert_eq!(house.identity.password_computations(), before, "a throttled attempt costs nothing");
    house.identity.sign_in("ada", &PASSWORD.into(), THERE).await.unwrap();
    house.later(6);
    house.sign_in("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn unknown_users_are_throttled_like_known_ones() {
    let house = House::new().await;
    for number in 0..10 {
        house.sign_in("nobody", &format!("guess {number}")).await.unwrap_err();
    }
    assert!(matches!(house.sign_in("nobody", "eleven").await, Err(SignInError::Throttled { .. })));
}

#[tokio::test]
async fn the_two_tries_of_containerd_count_once() {
    let house = House::new().await;
    house.user("ada").await;
    for number in 0..10 {
        let guess = format!("guess {number}");
        for _post_and_get in 0..2 {
            let error = house.sign_in("ada", &guess).await.unwrap_err();
            assert!(matches!(error, SignInError::WrongCredentials), "{number}: {error}");
        }
    }
    assert!(matches!(house.sign_in("ada", "eleven").await, Err(SignInError::Throttled { .. })));
}

#[tokio::test]
async fn a_password_beyond_the_limit_costs_no_computation() {
    let house = House::new().await;
    house.user("ada").await;
    let before = house.identity.password_computations();
    let error = house.sign_in("ada", &"x".repeat(100_000)).await.unwrap_err();
    assert!(matches!(error, SignInError::WrongCredentials));
    assert_eq!(house.identity.password_computations(), before);
    // Nor is it held against anybody: it cannot be a guess.
    for number in 0..20 {
        let error = house.sign_in("ada", &format!("{number:0>300}")).await.unwrap_err();
        assert!(matches!(error, SignInError::WrongCredentials), "{number}: {error}");
    }
    house.sign_in("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn what_somebody_else_has_signed_in_with_cannot_be_guessed_beyond_the_limit() {
    let house = House::new().await;
    house.user("ada").await;
    house.sign_in("ada", PASSWORD).await.unwrap();
    for number in 0..10 {
        house.sign_in("ada", &format!("guess {number}")).await.unwrap_err();
    }
    let error = house.sign_in("ada", PASSWORD).await.unwrap_err();
    assert!(matches!(error, SignInError::Throttled { .. }), "{error}");
}
