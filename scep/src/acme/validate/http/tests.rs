use std::sync::Mutex;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use http::{Response, StatusCode};
use mdm_transport::{TransportError, TransportErrorKind};

use super::{super::LookupError, *};

const KEY_AUTHORIZATION: &str = "token.thumbprint";
const PUBLIC: &str = "93.184.215.14";

/// The world outside: answers in their turn, and addresses, which change with each look where there are several lists.
#[derive(Debug, Default)]
struct Outside {
    answers: Mutex<Vec<Response<Bytes>>>,
    lists: Mutex<Vec<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
    reached: Mutex<Vec<Vec<IpAddr>>>,
    given: Mutex<Vec<Duration>>,
}

#[async_trait]
impl AddressLookup for Outside {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let mut lists = self.lists.lock().unwrap();
        match lists.len() {
            0 => Err(LookupError(host.to_owned())),
            1 => Ok(lists[0].clone()),
            _ => Ok(lists.remove(0)),
        }
    }
}

#[async_trait]
impl PinnedTransport for Outside {
    async fn send_to(
        &self,
        addresses: &[IpAddr],
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        self.asked.lock().unwrap().push(request.uri().to_string());
        self.reached.lock().unwrap().push(addresses.to_vec());
        let limits = request.extensions().get::<SendLimits>().unwrap();
        self.given.lock().unwrap().push(limits.deadline);
        let answer = self.answers.lock().unwrap().pop();
        answer.ok_or_else(|| TransportErrorKind::Timeout.into())
    }
}

fn outside(answers: &[(u16, &str, &str)], lists: &[&[&str]]) -> Arc<Outside> {
    let answers = answers.iter().rev().map(|(status, location, body)| {
        let mut response = Response::new(Bytes::from((*body).to_owned()));
        *response.status_mut() = StatusCode::from_u16(*status).unwrap();
        if !location.is_empty() {
            let location = location.parse().unwrap();
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    });
    let address = |it: &&str| it.parse().unwrap();
    let lists = lists.iter().map(|list| list.iter().map(address).collect());
    Arc::new(Outside {
        answers: Mutex::new(answers.collect()),
        lists: Mutex::new(lists.collect()),
        ..Outside::default()
    })
}

fn look_with(validation: &HttpValidation) -> Seen {
    validation
        .look("www.example.com", "token", KEY_AUTHORIZATION)
        .now_or_never()
        .unwrap()
}

/// Looks at a world of these answers, and says what was asked for.
fn look(answers: &[(u16, &str, &str)]) -> (Seen, Vec<String>) {
    let outside = outside(answers, &[&[PUBLIC]]);
    let seen = look_with(&HttpValidation::new(outside.clone(), outside.clone()));
    let asked = outside.asked.lock().unwrap().clone();
    (seen, asked)
}

fn kind(seen: Seen) -> Option<(ErrorType, bool)> {
    match seen {
        Seen::Met => None,
        Seen::Wrong(problem) => Some((problem.kind, true)),
        Seen::Nothing(problem) => Some((problem.kind, false)),
    }
}

#[test]
fn the_key_authorization_is_looked_for_under_its_token() {
    let (seen, asked) = look(&[(200, "", "token.thumbprint \r\n")]);
    assert_eq!(seen, Seen::Met);
    let url = "http://www.example.com/.well-known/acme-challenge/token";
    assert_eq!(asked, [url]);
    for body in ["", "token", " token.thumbprint", "token.thumbprint2"] {
        let (seen, _) = look(&[(200, "", body)]);
        assert_eq!(kind(seen), Some((ErrorType::Unauthorized, true)), "{body}");
    }
    let (seen, _) = look(&[(404, "", KEY_AUTHORIZATION)]);
    assert_eq!(kind(seen), Some((ErrorType::Unauthorized, true)));
}

#[test]
fn silence_may_end() {
    let (seen, _) = look(&[]);
    assert_eq!(kind(seen), Some((ErrorType::Connection, false)));
}

#[test]
fn a_look_has_one_deadline_for_all_of_its_requests() {
    let answers = [
        (301, "/x", ""),
        (301, "/y", ""),
        (200, "", KEY_AUTHORIZATION),
    ];
    let outside = outside(&answers, &[&[PUBLIC]]);
    let validation = HttpValidation::new(outside.clone(), outside.clone());
    assert_eq!(look_with(&validation), Seen::Met);
    let given = outside.given.lock().unwrap().clone();
    assert!(given[0] <= validation.deadline);
    assert!(given[1] < given[0] && given[2] < given[1], "{given:?}");

    let over = validation.with(|it| it.deadline = Duration::ZERO);
    let seen = look_with(&over);
    assert_eq!(kind(seen), Some((ErrorType::Connection, false)));
    assert_eq!(outside.asked.lock().unwrap().len(), 3);
}

#[test]
fn redirects_are_followed_to_named_hosts_on_usual_ports() {
    let (seen, asked) = look(&[
        (301, "https://Other.Example.com/x?Y", ""),
        (307, "/z", ""),
        (200, "", KEY_AUTHORIZATION),
    ]);
    assert_eq!(seen, Seen::Met);
    assert_eq!(asked[1], "https://other.example.com/x?Y");
    assert_eq!(asked[2], "https://other.example.com/z");
    for location in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://localhost/",
        "http://other.example.com:8080/",
        "https://other.example.com:80/",
        "ftp://other.example.com/",
        "http://user@other.example.com/",
        "//other.example.com/",
        "elsewhere",
    ] {
        let (seen, asked) = look(&[(302, location, ""), (200, "", KEY_AUTHORIZATION)]);
        assert_eq!(
            kind(seen),
            Some((ErrorType::Connection, true)),
            "{location}"
        );
        assert_eq!(asked.len(), 1);
    }
    let (seen, asked) = look(&[(302, "/again", ""); 20]);
    assert_eq!(kind(seen), Some((ErrorType::Connection, true)));
    assert_eq!(asked.len(), 6);
}

/// Looks once at a host of these addresses: what was seen, and which addresses were reached.
fn reach(
    lists: &[&[&str]],
    answers: &[(u16, &str, &str)],
    allowed: &[&str],
) -> (Seen, Vec<Vec<String>>) {
    let outside = outside(answers, lists);
    let validation = HttpValidation::new(outside.clone(), outside.clone())
        .with(|it| it.allowed = allowed.iter().map(|it| it.parse().unwrap()).collect());
    let seen = look_with(&validation);
    let reached = outside.reached.lock().unwrap();
    let text = |list: &Vec<IpAddr>| list.iter().map(ToString::to_string).collect();
    (seen, reached.iter().map(text).collect())
}

const MET: (u16, &str, &str) = (200, "", KEY_AUTHORIZATION);

#[test]
fn a_name_that_leads_into_a_private_network_is_connected_to_by_nobody() {
    for address in [
        "127.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "ff02::1",
    ] {
        let (seen, reached) = reach(&[&[address]], &[MET], &[]);
        assert_eq!(seen, nowhere(), "{address}");
        assert!(reached.is_empty(), "{address}");
    }
    // As a name without any address, and one that nobody can look up.
    assert_eq!(reach(&[&[]], &[MET], &[]).0, nowhere());
    assert_eq!(reach(&[], &[MET], &[]).0, nowhere());
    assert_eq!(kind(nowhere()), Some((ErrorType::Dns, false)));
}

#[test]
fn a_network_that_is_allowed_is_reached_and_no_other() {
    let (seen, reached) = reach(&[&["127.0.0.1"]], &[MET], &["127.0.0.0/8"]);
    assert_eq!(
        (seen, reached),
        (Seen::Met, vec![vec!["127.0.0.1".to_owned()]])
    );
    let (seen, reached) = reach(&[&["127.0.0.1", "::1"]], &[MET], &["10.0.0.0/8"]);
    assert_eq!((seen, reached.len()), (nowhere(), 0));
}

#[test]
fn of_many_addresses_the_first_public_ones_are_tried() {
    let many = [
        "10.0.0.1",
        "8.8.8.8",
        "::1",
        "8.8.4.4",
        "1.1.1.1",
        "2606:4700::1",
        "9.9.9.9",
    ];
    let (seen, reached) = reach(&[&many], &[MET], &[]);
    assert_eq!(seen, Seen::Met);
    assert_eq!(reached, [["8.8.8.8", "8.8.4.4", "1.1.1.1", "2606:4700::1"]]);
}

#[test]
fn the_address_that_was_checked_is_the_one_connected_to() {
    // A zone that says something else each time: it is asked once for a connection.
    let (seen, reached) = reach(&[&[PUBLIC], &["127.0.0.1"]], &[MET], &[]);
    assert_eq!((seen, reached), (Seen::Met, vec![vec![PUBLIC.to_owned()]]));
    // A redirect is a connection of its own, and looked at as the first.
    for to in [
        "/again",
        "http://inside.example.com/",
        "https://inside.example.com/",
    ] {
        let redirected = [(302, to, ""), MET];
        let (seen, reached) = reach(&[&[PUBLIC], &["169.254.169.254"]], &redirected, &[]);
        assert_eq!(seen, nowhere(), "{to}");
        assert_eq!(reached, [[PUBLIC]], "{to}");
    }
}
