//! Tokens, invites, kicks, roles, hands and presence, over real sockets.

use antiphon::param::TrackIndex;
use antiphon::session::{ClientId, Part, Role};
use antiphon::time::Beats;
use antiphon::wire::{Ask, Down, ErrorCode, Hello, News, Participant, PlayedNote, PresenceState, Up};
use tokio::time::timeout;

use crate::peer::{DEADLINE, Peer, hello, open, receive, refused, send};
use crate::server_process::{Answer, Invite, Server};

impl Peer {
    /// The next word about people for which `wanted` has an answer.
    async fn news<T>(&mut self, mut wanted: impl FnMut(News) -> Option<T>) -> T {
        self.until(|down| if let Down::People(news) = down { wanted(news) } else { None }).await
    }

    /// The token that comes with the welcome, or as an answer.
    async fn token(&mut self) -> String {
        self.news(|news| if let News::Token { token, .. } = news { Some(token.0) } else { None }).await
    }

    async fn ask(&mut self, ask: Ask) {
        self.send(&Up::People(ask)).await;
    }

    /// The list of participants, once it is as wanted.
    async fn people_when(&mut self, wanted: impl Fn(&[Participant]) -> bool) -> Vec<Participant> {
        self.until(|down| match down {
            Down::Participants(list) if wanted(&list) => Some(list),
            _ => None,
        })
        .await
    }

    /// Reads to the socket's end; the fatal error before it.
    async fn sent_away(&mut self) -> (ErrorCode, String) {
        let (code, message) = self
            .until(|down| match down {
                Down::Error { code, message, fatal: true } => Some((code, message)),
                _ => None,
            })
            .await;
        let ended = async { while receive(&mut self.socket).await.is_some() {} };
        timeout(DEADLINE, ended).await.expect("the socket closes");
        (code, message)
    }
}

fn with(invite: &Invite, secret: &str) -> Invite {
    Invite { session: invite.session.clone(), secret: secret.to_owned() }
}

fn track() -> TrackIndex {
    TrackIndex::new(2).expect("a track")
}

#[tokio::test]
async fn an_invite_is_exchanged_for_a_token_that_opens_the_session() {
    let server = Server::start();
    let session = server.session("owner").session;
    let link = server.command("session", &["--session", &session, "--role", "listener", "--uses", "1"]);
    let invite = Invite::from_link(&link);
    let mut a = Peer::join(&server, &invite, 1).await;
    let token = a.token().await;
    assert!(token.starts_with("t-") && token.len() == 28, "128 bits and a sign");
    let again = Peer::join(&server, &with(&invite, &token), 1).await;
    assert_eq!((again.welcome.client, again.welcome.role), (ClientId(1), Role::Listener));
    // It belongs to its profile, and to its session.
    let (code, _) = refused(&server, &session, hello(&with(&invite, &token), 2, 0)).await;
    assert_eq!(code, ErrorCode::Unauthorized);
    let elsewhere = server.session("editor").session;
    let (code, _) = refused(&server, &elsewhere, hello(&with(&invite, &token), 1, 0)).await;
    assert_eq!(code, ErrorCode::Expired);
    // The same by HTTP, where the token reads what the invite reads.
    let body = format!(
        r#"{{"session":"{session}","secret":"{}","client_key":"{}","name":"a"}}"#,
        invite.secret,
        "01".repeat(16)
    );
    let json = [("content-type", "application/json")];
    let answer = server.request("POST", "/api/v1/token", &json, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!((&answer["client"], &answer["role"]), (&1.into(), &"listener".into()));
    let bearer = format!("Bearer {}", answer["token"].as_str().expect("a token"));
    let path = format!("/api/v1/sessions/{session}/participants");
    assert_eq!(server.request("GET", &path, &[("authorization", &bearer)], "").status, 200);
    assert_eq!(server.request("GET", &path, &[("authorization", "Bearer t-guess")], "").status, 401);
    let wrong = body.replace(&invite.secret, "guess");
    assert_eq!(server.request("POST", "/api/v1/token", &json, &wrong).status, 401);
}

#[tokio::test]
async fn a_token_lapses_unless_it_is_renewed() {
    let server = Server::start_with(&["--token-seconds", "1.2"]);
    let invite = server.session("editor");
    let mut idle = Peer::join(&server, &invite, 1).await;
    let mut keen = Peer::join(&server, &invite, 2).await;
    let old = idle.token().await;
    let first = keen.token().await;
    keen.ask(Ask::Token).await;
    let fresh = keen.token().await;
    assert_ne!(first, fresh);
    let (code, message) = idle.sent_away().await;
    assert_eq!(code, ErrorCode::Expired);
    assert!(message.contains("invite"), "{message}");
    let (code, _) = refused(&server, &invite.session, hello(&with(&invite, &old), 1, 0)).await;
    assert_eq!(code, ErrorCode::Expired);
    Peer::join(&server, &invite, 1).await;
}

#[tokio::test]
async fn a_revoked_invite_reaches_live_sockets() {
    let server = Server::start();
    let owner = server.session("owner");
    let invite = server.invite(&owner.session, "editor");
    let mut boss = Peer::join(&server, &owner, 1).await;
    let mut guest = Peer::join(&server, &invite, 2).await;
    let token = guest.token().await;
    let mut clock = open(&server, "clock", &invite.session).await;
    send(&mut clock, &Up::Hello(hello(&invite, 2, 0))).await;
    send(&mut clock, &Up::Probe { t1: 1 }).await;
    while !matches!(receive(&mut clock).await.expect("it stays open"), Down::Pong { .. }) {}

    // From the command line, by another process than the one that serves.
    let number = server.number(&owner.session, "editor");
    assert_eq!(
        server.command_of(&["invite", "revoke", &number], &["--session", &owner.session]).trim(),
        "revoked"
    );
    let (code, message) = guest.sent_away().await;
    assert_eq!(code, ErrorCode::Unauthorized);
    assert!(message.contains("revoked"), "{message}");
    let told = loop {
        match receive(&mut clock).await {
            Some(Down::Clock(_)) => {}
            told => break told,
        }
    };
    assert!(matches!(told, Some(Down::Error { code: ErrorCode::Unauthorized, fatal: true, .. })), "{told:?}");
    for secret in [&invite.secret, &token] {
        let (code, _) = refused(&server, &owner.session, hello(&with(&invite, secret), 2, 0)).await;
        assert_eq!(code, ErrorCode::Unauthorized);
    }
    boss.people_when(|list| list.len() == 1).await;

    // From within, by an owner.
    boss.ask(Ask::Invite { role: Role::Editor, minutes: Some(60), uses: Some(3) }).await;
    let given = boss.news(|news| if let News::Invite(given) = news { Some(given) } else { None }).await;
    let second = with(&owner, &given.secret.0);
    let mut guest = Peer::join(&server, &second, 3).await;
    boss.ask(Ask::Invites).await;
    let list = boss.news(|news| if let News::Invites(list) = news { Some(list) } else { None }).await;
    let listed = list.iter().find(|invite| invite.id == given.id).expect("it is listed");
    assert_eq!(
        (listed.role, listed.uses_left, listed.people, listed.revoked),
        (Role::Editor, Some(2), 1, false)
    );
    assert!(listed.expires_in.is_some_and(|seconds| (3500..=3600).contains(&seconds)));
    boss.ask(Ask::Revoke(given.id)).await;
    assert_eq!(guest.sent_away().await.0, ErrorCode::Unauthorized);
    let own = list.iter().find(|invite| invite.role == Role::Owner).expect("the owner's own");
    boss.ask(Ask::Revoke(own.id)).await;
    assert!(boss.error().await.1.contains("yourself"));
}

#[tokio::test]
async fn who_is_kicked_stays_out_until_invited_again() {
    let server = Server::start();
    let owner = server.session("owner");
    let invite = server.invite(&owner.session, "editor");
    let mut boss = Peer::join(&server, &owner, 1).await;
    let mut guest = Peer::join(&server, &invite, 2).await;
    let token = guest.token().await;
    let other = Peer::join(&server, &invite, 3).await;
    guest.ask(Ask::Kick(ClientId(1))).await;
    assert_eq!(guest.error().await.0, ErrorCode::Unauthorized, "only owners kick");
    boss.ask(Ask::Kick(ClientId(1))).await;
    assert!(boss.error().await.1.contains("leave instead"));
    boss.ask(Ask::Kick(ClientId(2))).await;
    assert_eq!(guest.sent_away().await.0, ErrorCode::Kicked);
    boss.people_when(|list| list.len() == 2).await;
    let (code, _) = refused(&server, &owner.session, hello(&invite, 2, 0)).await;
    assert_eq!(code, ErrorCode::Kicked);
    let (code, _) = refused(&server, &owner.session, hello(&with(&invite, &token), 2, 0)).await;
    assert_eq!(code, ErrorCode::Expired, "its token is gone");
    assert_eq!(other.welcome.client, ClientId(3), "others by the same invite stay");
    let again = Peer::join(&server, &server.invite(&owner.session, "listener"), 2).await;
    assert_eq!((again.welcome.client, again.welcome.role), (ClientId(2), Role::Listener));
}

#[tokio::test]
async fn an_owner_changes_what_others_may_do() {
    let server = Server::start();
    let owner = server.session("owner");
    let invite = server.invite(&owner.session, "editor");
    let mut boss = Peer::join(&server, &owner, 1).await;
    let mut guest = Peer::join(&server, &invite, 2).await;
    guest.edit(1).await;
    guest.acked(1).await;
    boss.ask(Ask::Role { client: ClientId(2), role: Role::Listener }).await;
    guest.people_when(|list| list.iter().any(|p| p.client == ClientId(2) && p.role == Role::Listener)).await;
    guest.edit(2).await;
    let refused = guest.until(|down| if let Down::Nack { cseq, .. } = down { Some(cseq.0) } else { None });
    assert_eq!(refused.await, 2);
    drop(guest);
    assert_eq!(Peer::join(&server, &invite, 2).await.welcome.role, Role::Listener, "it holds on return");
    boss.ask(Ask::Role { client: ClientId(1), role: Role::Editor }).await;
    assert!(boss.error().await.1.contains("keeps an owner"));
}

#[tokio::test]
async fn a_short_code_yields_an_invite_for_a_while() {
    let server = Server::start();
    let owner = server.session("owner");
    let mut boss = Peer::join(&server, &owner, 1).await;
    let (code, seconds) = code_of(&mut boss).await;
    assert_eq!((code.len(), seconds), (6, 600));
    let answer = redeem(&server, &format!("{}-{}", code[..3].to_uppercase(), &code[3..]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let invite = Invite::from_link(answer.json()["link"].as_str().expect("a link"));
    assert_eq!(Peer::join(&server, &invite, 2).await.welcome.role, Role::Editor);
    // Each redemption is an invite for one.
    assert_eq!(refused(&server, &owner.session, hello(&invite, 3, 0)).await.0, ErrorCode::Unauthorized);
    // One of the command line's, for the server that runs.
    let link = server.code_link(&owner.session, "listener");
    let code = link.rsplit('/').next().expect("a code");
    assert_eq!(redeem(&server, code).status, 200);
    let tries: Vec<_> = (0..9).map(|_| redeem(&server, "aaaaaa").status).collect();
    assert_eq!(tries, [[404; 8].as_slice(), &[429]].concat(), "ten tries a minute");
    assert!(redeem(&server, "aaaaaa").body.contains("at most 10"));
}

#[tokio::test]
async fn a_short_code_lapses() {
    let server = Server::start_with(&["--code-seconds", "0.001"]);
    let mut boss = Peer::join(&server, &server.session("owner"), 1).await;
    let (code, _) = code_of(&mut boss).await;
    assert_eq!(redeem(&server, &code).status, 404);
}

async fn code_of(owner: &mut Peer) -> (String, u32) {
    owner.ask(Ask::Code(Role::Editor)).await;
    let code = |news| if let News::Code { code, seconds } = news { Some((code.0, seconds)) } else { None };
    owner.news(code).await
}

fn redeem(server: &Server, code: &str) -> Answer {
    let json = [("content-type", "application/json")];
    server.request("POST", "/api/v1/code", &json, &format!(r#"{{"code":"{code}"}}"#))
}

#[tokio::test]
async fn presence_goes_from_here_to_away_to_gone_to_cleared() {
    let server = Server::start_with(&["--away-seconds", "0.4", "--forget-seconds", "0.6"]);
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let b = Peer::join(&server, &invite, 2).await;
    let away = |client, is| {
        move |news| match news {
            News::Away(list) => list.contains(&(ClientId(client), is)).then_some(()),
            _ => None,
        }
    };
    a.news(away(1, true)).await;
    let state = PresenceState { cursor: Some((1, 2)), focus: Some(1), ..PresenceState::default() };
    a.send(&Up::Presence(state)).await;
    a.news(away(1, false)).await;
    let here = |list: &[Participant]| list.iter().any(|p| p.client == ClientId(2) && p.online);
    assert!(here(&{
        let late = Peer::join(&server, &invite, 3).await;
        let list = a.people_when(|list| list.len() == 3).await;
        drop(late);
        list
    }));
    drop(b);
    a.people_when(|list| list.iter().any(|p| p.client == ClientId(2) && !p.online)).await;
    a.people_when(|list| list.iter().all(|p| p.client == ClientId(1))).await;
}

#[tokio::test]
async fn a_soft_lock_is_shown_and_keeps_nobody_out() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut ana = Peer::join(&server, &invite, 1).await;
    let mut ben = Peer::join(&server, &invite, 2).await;
    let part = Part::Track(track());
    ana.ask(Ask::Lock(part)).await;
    let held =
        ben.news(|news| if let News::Lock { client, part } = news { Some((client, part)) } else { None });
    assert_eq!(held.await, (ClientId(1), part));
    // Ben's edit goes through, and both are told.
    let edit = antiphon::pattern::Edit::Step {
        pattern: antiphon::pattern::PatternIndex::FIRST,
        track: track(),
        step: 3,
        field: antiphon::pattern::StepField::On(true),
    };
    let op = antiphon::session::StampedOp { op: antiphon::session::Op::Edit(edit), at: None };
    ben.send_ops(1, 0, vec![op]).await;
    let touched = |news| match news {
        News::Touched { holder, by, .. } => Some((holder, by)),
        _ => None,
    };
    assert_eq!(ben.news(touched).await, (ClientId(1), ClientId(2)));
    assert_eq!(ana.news(touched).await, (ClientId(1), ClientId(2)));
    ana.ask(Ask::Unlock(part)).await;
    ben.news(|news| matches!(news, News::Unlock { .. }).then_some(())).await;
}

#[tokio::test]
async fn live_notes_reach_the_others_as_they_were_stamped() {
    let server = Server::start();
    let invite = server.session("editor");
    let mut a = Peer::join(&server, &invite, 1).await;
    let mut b = Peer::join(&server, &invite, 2).await;
    let note = PlayedNote { track: track(), note: 60, velocity: 90, tick: Beats(705_601) };
    a.ask(Ask::Notes(vec![note, PlayedNote { velocity: 0, tick: Beats(1_000_000), ..note }])).await;
    let heard = b.news(|news| match news {
        News::Notes { author, notes } => Some((author, notes)),
        _ => None,
    });
    let (author, notes) = heard.await;
    assert_eq!((author, notes.len(), notes[0]), (ClientId(1), 2, note));
    let listener = server.invite(&invite.session, "listener");
    let mut c = Peer::join(&server, &listener, 3).await;
    c.ask(Ask::Notes(vec![note])).await;
    assert_eq!(c.error().await.0, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn a_hello_keeps_its_secret_out_of_addresses_and_logs() {
    let server = Server::start();
    let invite = server.session("editor");
    // Nobody is let in by an address.
    let path = format!("/api/v1/sessions/{}/participants?secret={}", invite.session, invite.secret);
    assert_eq!(server.get(&path).status, 401);
    assert!(!format!("{:?}", Hello { ..hello(&invite, 1, 0) }).contains(&invite.secret));
}
