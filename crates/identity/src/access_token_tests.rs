//! Forged, altered and honest access tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);
const END: Timestamp = Timestamp::from_secs(1_900_000_300);

fn tokens(key: u8) -> AccessTokens {
    AccessTokens::new("hythe.test", &SigningKey::from_bytes([key; 32]))
}

fn ada() -> User {
    User { id: UserId(42), name: "ada".parse().unwrap(), admin: false, epoch: 3 }
}

fn issue(tokens: &AccessTokens, scopes: &str) -> String {
    let token = tokens.issue(Some(&ada()), &ScopeSet::parse([scopes]), false, NOW, END).unwrap();
    token.token.expose_secret().to_owned()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The `index`th part of a token as JSON.
fn json_of(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn an_honest_token_says_who_and_what() {
    let tokens = tokens(1);
    let scopes = "repository:lab/app:pull,push repository:lab/lib:delete registry:catalog:*";
    let token = issue(&tokens, scopes);
    let genuine = tokens.read(&token).unwrap();
    assert_eq!(genuine.user, Some((UserId(42), 3)));
    assert_eq!(genuine.scopes, ScopeSet::parse([scopes]));
    assert_eq!((genuine.begins, genuine.ends), (NOW, END));
    let claims = json_of(&token, 1);
    assert_eq!(claims["iss"], "hythe.test");
    assert_eq!(claims["aud"], "hythe.test");
    assert_eq!(claims["sub"], "42");
    assert_eq!(claims["jti"], genuine.id.to_string());
    assert_eq!(
        claims["access"][0],
        json!({"type": "repository", "name": "lab/app", "actions": ["pull", "push"]})
    );
}

#[test]
fn a_token_of_nobody_has_an_empty_subject() {
    let tokens = tokens(1);
    let token = tokens.issue(None, &ScopeSet::new(), false, NOW, END).unwrap();
    assert_eq!(token.expires_in, 300);
    assert_eq!(json_of(token.token.expose_secret(), 1)["sub"], "");
    let genuine = tokens.read(token.token.expose_secret()).unwrap();
    assert_eq!(genuine.user, None);
    assert_eq!(genuine.id, token.id);
}

#[test]
fn a_repeated_token_is_checked_once() {
    let tokens = tokens(1);
    let token = issue(&tokens, "");
    let (first, second) = (tokens.read(&token).unwrap(), tokens.read(&token).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(tokens.verified.len(), 1);
}

#[test]
fn another_key_is_refused() {
    let token = issue(&tokens(1), "");
    assert!(matches!(tokens(2).read(&token), Err(TokenError::Signature)));
    // Also with the right name for the wrong key.
    let mut header = json_of(&token, 0);
    header["kid"] = json!(SigningKey::from_bytes([2; 32]).id());
    let rest = token.split_once('.').unwrap().1;
    let renamed = format!("{}.{rest}", part(&header));
    assert!(matches!(tokens(2).read(&renamed), Err(TokenError::Signature)));
}

#[test]
fn an_altered_token_is_refused() {
    let tokens = tokens(1);
    let token = issue(&tokens, "repository:lab/app:pull");
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut claims = json_of(&token, 1);
    claims["sub"] = json!("1");
    let altered = format!("{header}.{}.{signature}", part(&claims));
    assert!(matches!(tokens.read(&altered), Err(TokenError::Signature)));
    let cut = &token[..token.len() - 2];
    assert!(tokens.read(cut).is_err());
    assert_eq!(tokens.verified.len(), 0, "a refused token is not remembered");
}

#[test]
fn no_algorithm_but_ours_is_accepted() {
    let tokens = tokens(1);
    let token = issue(&tokens, "");
    let [_, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for algorithm in ["none", "None", "HS384", "HS512", "RS256", "ES256"] {
        let mut header = json_of(&token, 0);
        header["alg"] = json!(algorithm);
        for signature in ["", signature] {
            let forged = format!("{}.{claims}.{signature}", part(&header));
            assert!(tokens.read(&forged).is_err(), "{algorithm}");
        }
    }
}

#[test]
fn a_key_carried_by_the_header_is_not_used() {
    let ours = tokens(1);
    let theirs = [9; 32];
    let mut header = Header::new(Algorithm::HS256);
    header.kid = ours.header.kid.clone();
    header.jwk = Some(
        serde_json::from_value(json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(theirs)}))
            .unwrap(),
    );
    let claims = json_of(&issue(&ours, ""), 1);
    let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&theirs)).unwrap();
    assert!(matches!(ours.read(&forged), Err(TokenError::Signature)));
}

#[test]
fn a_token_of_another_service_is_refused() {
    let key = SigningKey::from_bytes([1; 32]);
    let token = issue(&AccessTokens::new("elsewhere.test", &key), "");
    assert!(matches!(tokens(1).read(&token), Err(TokenError::OtherService)));
}

#[test]
fn claims_that_must_be_there_are_missed() {
    let tokens = tokens(1);
    let whole = json_of(&issue(&tokens, ""), 1);
    for claim in ["iss", "sub", "aud", "exp", "nbf", "jti", "epoch", "access"] {
        let mut claims = whole.clone();
        claims.as_object_mut().unwrap().remove(claim);
        let token = jsonwebtoken::encode(&tokens.header, &claims, &tokens.encoding).unwrap();
        assert!(tokens.read(&token).is_err(), "{claim}");
    }
}

#[test]
fn a_refresh_token_is_no_access_token() {
    assert!(matches!(tokens(1).read("hyr_abc"), Err(TokenError::RefreshToken)));
}

#[test]
fn more_scopes_than_fit_are_left_out() {
    let service = format!("{}.test", "s".repeat(250));
    let tokens = AccessTokens::new(&service, &SigningKey::from_bytes([1; 32]));
    let mut scopes = ScopeSet::new();
    for number in 0..900 {
        let name = format!("lab/{number:0>200}");
        scopes.insert(name.parse().unwrap(), hythe_oci::Actions::all());
    }
    let token = tokens.issue(Some(&ada()), &scopes, false, NOW, END).unwrap();
    assert!(token.token.expose_secret().len() < LONGEST_TOKEN);
    assert!(token.scopes.repositories().count() > 20);
    assert_eq!(tokens.read(token.token.expose_secret()).unwrap().scopes, token.scopes);
}

#[test]
fn garbage_is_malformed() {
    let long = "x".repeat(LONGEST_TOKEN + 1);
    for garbage in ["", ".", "..", "a.b.c", "eyJ.eyJ.x", &long] {
        assert!(matches!(tokens(1).read(garbage), Err(TokenError::Malformed)), "{garbage:.20}");
    }
}

proptest! {
    #[test]
    fn one_changed_character_is_one_too_many(place in 0_usize..400, character in "[A-Za-z0-9_.-]") {
        let tokens = tokens(1);
        let honest = issue(&tokens, "repository:lab/app:pull");
        let place = place % honest.len();
        let changed = format!("{}{character}{}", &honest[..place], &honest[place + 1..]);
        // The last character of a part holds bits that base64 may not use; strict decoding refuses those too.
        prop_assert_eq!(tokens.read(&changed).is_ok(), changed == honest);
    }

    #[test]
    fn nothing_breaks_the_reader(text in ".{0,300}") {
        prop_assert!(tokens(1).read(&text).is_err());
    }
}
