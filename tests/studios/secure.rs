//! Two studios on the Internet: TLS, pinned certificates, and no plain HTTP beyond the machine.

use std::net::{IpAddr, UdpSocket};

use crate::peer::Peer;
use crate::server_process::{Invite, Server};

/// The link that the command line prints for a session, fingerprint and all.
fn link(server: &Server, arguments: &[&str]) -> String {
    server.command("session", arguments).trim().to_owned()
}

fn refusal(link: &str, environment: &[(&str, &str)]) -> String {
    let mut peer = Peer::start_in(link, "stranger", &[], environment);
    let message = peer.until("refused-for-good", |line| Some(line["message"].to_string()));
    assert!(peer.exit_code().is_some_and(|code| code != 0));
    message
}

/// Whether two peers on a link play in one session.
fn play_together(link: &str, environment: &[(&str, &str)]) {
    let mut a = Peer::start_in(link, "a", &[], environment);
    let mut b = Peer::start_in(link, "b", &[], environment);
    a.until("connected", |_| Some(()));
    b.until("connected", |_| Some(()));
    a.order("set master.level 0.5");
    b.state_when(|notation| notation.contains("level master: 0.5"));
    // The clock's own socket, too.
    a.answer_when("clock", "clock", |line| line["probes"].as_i64().is_some_and(|probes| probes > 3));
    assert!(a.quit() && b.quit());
}

#[test]
fn a_certificate_of_the_servers_own_making_is_known_by_its_fingerprint() {
    let server = Server::start_with(&["--self-signed"]);
    let link = link(&server, &["--role", "editor"]);
    assert!(link.starts_with("https://"), "{link}");
    let (front, pin) = link.rsplit_once('.').expect("a fingerprint");
    assert_eq!(pin.len(), 64);
    play_together(&link, &[]);
    let other = format!("{front}.{}", "0".repeat(64));
    assert!(refusal(&other, &[]).contains("not the one that the invite names"));
    assert!(refusal(front, &[]).contains("no authority vouches"), "without its fingerprint");
}

#[test]
fn a_given_certificate_is_trusted_by_its_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    // A second server's own making stands for a studio's authority.
    let maker = Server::start_with(&["--self-signed"]);
    std::fs::copy(maker.data().join("tls-certificate.pem"), &chain).expect("copied");
    std::fs::copy(maker.data().join("tls-key.pem"), &key).expect("copied");
    let [chain, key] = [&chain, &key].map(|path| path.to_str().expect("a plain path"));
    let server = Server::start_with(&["--cert", chain, "--key", key]);
    let link = link(&server, &["--role", "editor"]);
    assert!(!link.contains('.') || !link.rsplit('#').next().expect("a secret").contains('.'), "{link}");
    let by_name = link.replace("127.0.0.1", "localhost");
    play_together(&by_name, &[("SSL_CERT_FILE", chain)]);
    assert!(refusal(&link, &[("SSL_CERT_FILE", chain)]).contains("not to be trusted"), "another name");
}

#[test]
fn plain_http_meets_a_tls_server_with_a_word() {
    let server = Server::start_with(&["--self-signed"]);
    let answer = server.get("/health");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https"), "{}", answer.body);
}

/// This machine's address towards the world; nothing is sent to find it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|own| own.ip()).filter(|own| !own.is_loopback() && !own.is_unspecified())
}

#[test]
fn plain_http_stays_on_this_machine_unless_its_musician_says_otherwise() {
    // Refused before anything is looked for: nobody need listen there.
    let far = "http://192.0.2.7:4747/s/blue#secret";
    let message = refusal(far, &[]);
    assert!(message.contains("plain HTTP") && message.contains("--insecure-plaintext"), "{message}");
    let Some(own) = own_address() else { return };
    let server = Server::start_listening(&format!("{own}:0"), &["--insecure-plaintext"]);
    let invite = server.session("editor");
    let link = server.link(&Invite { ..invite });
    assert!(refusal(&link, &[]).contains("plain HTTP"));
    let mut allowed = Peer::join(&link, "allowed", &["--insecure-plaintext"]);
    allowed.state_when(|_| true);
    assert!(allowed.quit());
}

#[test]
fn secrets_lie_in_files_for_their_owner_alone() {
    let server = Server::start_with(&["--self-signed"]);
    let link = link(&server, &["--role", "editor"]);
    let secret = link.rsplit_once('#').expect("a secret").1.split('.').next().expect("one").to_owned();
    let peer = Peer::join(&link, "a", &[]);
    let mut kept = 0;
    for folder in [peer.profile(), server.data()] {
        for file in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
        {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            if !text.contains(&secret) && !text.contains("PRIVATE KEY") {
                continue;
            }
            kept += 1;
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", file.display());
            }
        }
    }
    assert_eq!(kept, 2, "the peer's invite and the server's key, and the store knows hashes alone");
    assert!(peer.quit());
}
