use super::*;

/// `«…»` marks the secret; the text must come out with it blotted out and nothing else changed.
fn check(marked: &str) {
    let text = marked.replace(['«', '»'], "");
    let mut expected = String::new();
    let mut rest = marked;
    while let Some((before, behind)) = rest.split_once('«') {
        let (secret, after) = behind.split_once('»').unwrap();
        expected.push_str(before);
        expected.push_str(mask_of(secret).unwrap());
        rest = after;
    }
    expected.push_str(rest);
    assert_eq!(redact(&text), expected, "{text}");
    assert_eq!(redact(&expected), expected, "blotting twice changes nothing");
}

#[test]
fn fields() {
    for marked in [
        "user=a password=«geheim» ip=1",
        "Passwd=\"«a b»\" x",
        "x pwd='«a b»' y",
        "山田 pwd=«ひみつ»,次=1",
        "a=1,password=«ab,cd»,user=sato",
        "password=«ab;cd&ef» user=sato",
        "password = «geheim» user = sato",
        "password: «geheim» user: sato",
        "user: yamada password:«geheim»",
        "{\"user\":\"sato\",\"Password\":\"«ge\\\"heim»\",\"x\":1}",
        "{\"api_key\": \"«0123456789»\", \"n\": 2}",
        "{\"pin\":1,\"secret\":«12345»,\"x\":2}",
        "{\"m\":\"{\\\"password\\\":\\\"«geheim»\\\",\\\"x\\\":1}\"}",
        "\"x\",\"{\"\"password\"\":\"\"«geheim»\"\"}\"",
        "<user>sato</user><password>«geheim»</password>",
        "<Data Name=\"NewPassword\">«geheim»</Data>",
        "client_secret=«abc»&grant_type=password",
        "GET /login?user=sato&pass=«geheim»&x=1 HTTP/1.1",
        "psksecret=\"«geheim»\" PSK=«geheim»",
        "preSharedKey: «geheim»",
        "access_token=«eyJhbGciOi.x.y» next",
        "community=\"«kanri»\" version=2c",
        "Authorization: Bearer «eyJhbGciOiJIUzI1NiJ9.e30.abc»",
        "\"authorization\":\"Basic «dXNlcjpwYXNz»\",",
        "sent Bearer «eyJhbGciOiJIUzI1NiJ9.e30.abc» ok",
        "fetch https://sato:«geheim»@files.hospital.example/a?b=c",
        "proxy=ftp://sato:«a:b@c»@192.0.2.1",
        "UID=sa;PWD=«geheim»;Database=x",
        "password=\"«cut in the mid",
    ] {
        check(&if marked.contains('»') { marked.to_owned() } else { format!("{marked}»") });
    }
}

#[test]
fn commands_of_network_devices() {
    for marked in [
        "logged command:username vendor01 password 7 «0822455D0A16»",
        "logged command:username vendor01 privilege 15 secret 9 «$9$abc$def»",
        "logged command:enable secret 5 «$1$mERr$hx5rVt7rPNoS4wqbXKX7m0»",
        "executed 'enable password «geheim»'",
        "snmp-server community «kanri» RO",
        "snmp community read-only «kanri»",
        "snmp trap community «kanri»",
        "login password «geheim»",
        "administrator password «geheim»",
        "pp auth username vendor01 «geheim»",
        "pp auth myname vendor01 «geheim»",
        "login user sato «geheim»",
        "login user sato encrypted «geheim»",
        "ipsec ike pre-shared-key 1 text «geheim»",
        "crypto isakmp key «geheim» address 192.0.2.1",
        "ikev1 pre-shared-key «geheim»",
        "pre-shared-key ascii-text \"«$9$abc»\"",
        "tacacs-server key 7 «0822455D0A16»",
        "set system login user sato authentication encrypted-password \"«$6$abc»\"",
        "set radius-server 192.0.2.1 secret \"«$9$abc»\"",
        "set psksecret ENC «abcdef==»",
        "set passwd «geheim»",
        "neighbor 192.0.2.1 password «geheim»",
        "ppp chap password 0 «geheim»",
    ] {
        check(marked);
    }
}

#[test]
fn command_lines() {
    for marked in [
        "net user sato «Geheim1» /add",
        "C:\\Windows\\System32\\net1.exe user sato",
        "net1 user sato «Geheim1» /domain",
        "cmd /c net.exe user sato «Geheim1»",
        "psexec.exe \\\\192.0.2.1 -u sato -p «Geheim1» cmd",
        "PsExec64.exe -p \"«Ge heim»\" x",
        "mysql -u root -p«geheim» db",
        "xfreerdp /u:sato /p:«geheim» /v:192.0.2.1",
        "tool --password «geheim» --verbose",
        "tool --password=«geheim» --verbose",
        "New-User -Password «geheim»",
        "cmdkey /add:srv /user:sato /pass:«geheim»",
        "ConvertTo-SecureString \"«Geheim1»\" -AsPlainText -Force",
        "ConvertTo-SecureString -String '«Geheim1»' -AsPlainText",
    ] {
        check(marked);
    }
}

#[test]
fn radius_passwords() {
    for marked in [
        "(29) Login incorrect (mschap: wrong): [sato/«geheim»] (from client ap1 port 0)",
        "Login OK: [sato/«ge]heim»] (from client ap1 port 0)",
        "Login OK: [host/pc1.hospital.example] (from client ap1 port 8)",
        "Login OK: [HOSP\\sato] (from client ap1 port 8)",
        "Login incorrect: [sato/<via Auth-Type = EAP>] (from client ap1 port 8)",
        "Login incorrect: [sato/<CHAP-Password>] (from client ap1 port 8)",
    ] {
        check(marked);
    }
}

#[test]
fn words_about_passwords_stay() {
    for text in [
        "Failed password for root from 192.0.2.1 port 22 ssh2",
        "Accepted password for sato from 192.0.2.1",
        "3 incorrect password attempts ; TTY=pts/0 ; PWD=/root ; USER=root",
        "passwd[77]: pam_unix(passwd:chauthtok): password changed for sato",
        "check that the username and password you have used are right",
        "origin:\"192.0.2.1\"; community:\"Kyoten\"; cookiei:\"1\"",
        "Password:",
        "Enter Password: ",
        "password=",
        "password= user=sato",
        "password=\"\" user=sato",
        "password=*** user=sato",
        "password=\"********\"",
        "reason = Invalid password : server = 192.0.2.1 : user = sato",
        "reason=\"Wrong password\" user=\"sato\"",
        "Login failed. Reason: Wrong Password",
        "bad password: sato",
        "auth type Password authentication and the user name is \"sato\"",
        "user sato password changed",
        "Password Last Set:\t\t<never>",
        "\"TokenElevationType\":\"%%1936\"",
        "method=password user=sato",
        "\"method\":\"password\",\"user\":\"sato\"",
        "ikev2 pre-shared-key authentication failed",
        "NOPASSWD: ALL",
        "password: true",
        "AAA authorization: succeeded",
        "Token: invalid",
        "BGP community 65000:100 set",
        "community strings were read",
        "login user sato succeeded",
        "login user sato from 192.0.2.1 port 22",
        "net user sato /active:no",
        "net user /domain",
        "ssh -p 2222 192.0.2.1",
        "mkdir -p data/x",
        "iptables -p tcp --dport 22",
        "mysql -P 3306 -u root",
        "msbuild /p:Configuration=Release",
        "https://files.hospital.example/a@b:c",
        "url=\"https://192.0.2.1:8443/x\" user=\"a@b\"",
        "tunnelid=1 action=\"tunnel-up\" passwd_type=0",
        "患者 山田 の記録",
        "",
    ] {
        assert!(matches!(redact(text), Cow::Borrowed(_)), "{text} became {}", redact(text));
    }
}

#[test]
fn fields_by_name() {
    assert_eq!(redact_field("Password", "geheim12x"), MASK);
    assert_eq!(redact_field("pwd", "/root"), "/root");
    assert_eq!(redact_field("TargetUserName", "sato"), "sato");
    assert_eq!(redact_field("CommandLine", "net user sato Geheim1! /add"), "net user sato ******** /add");
    assert_eq!(redact_field("secret", "-"), "-");
}

#[test]
fn whole_events() {
    let mut event = Event {
        message: Some("login password=geheim12 ok".to_owned()),
        process_command_line: Some("net user sato Geheim1! /add".to_owned()),
        native: [("user", "sato"), ("Password", "geheim12")].into_iter().collect(),
        ..Event::default()
    };
    redact_event(&mut event);
    let json = serde_json::Value::Object(event.to_json()).to_string().to_lowercase();
    assert!(!json.contains("geheim") && json.contains("\"native.user\":\"sato\""), "{json}");
}

#[test]
fn a_short_secret_does_not_make_the_text_longer() {
    assert_eq!(redact("password=x y"), "password=* y");
    assert_eq!(redact("pwd=山 y"), "pwd=*** y");
}

/// Time grows with the length and not with its square: a megabyte of the worst we know of each form.
#[test]
fn a_megabyte_of_marks_ends() {
    for part in
        ["pwd=", "password", "://a:", " -p a", "login user a ", "password=\"", "Login incorrect", "\\\"pwd\\\":"]
    {
        let text = part.repeat((1 << 20) / part.len());
        assert!(redact(&text).len() <= text.len());
    }
}

proptest::proptest! {
    #[test]
    fn no_secret_comes_through(
        form in 0_usize..12,
        before in "[a-z]{1,8}=[a-z0-9]{1,8}",
        secret in "[A-Za-z][A-Za-z0-9!#$%@+/._-]{5,20}[0-9]",
        after in "[a-z]{1,8}=[a-z0-9]{1,8}",
    ) {
        // A secret that is part of another word of the line would be found there, rightly.
        proptest::prop_assume!(!before.contains(&secret) && !after.contains(&secret));
        // Neither are the words around it secrets themselves (`psk=0`).
        proptest::prop_assume!(redact(&before) == before && redact(&after) == after);
        let core = match form {
            0 => format!("password={secret}"),
            1 => format!("passwd=\"{secret}\""),
            2 => format!("\"pwd\": \"{secret}\""),
            3 => format!("username sato password 7 {secret}"),
            4 => format!("enable secret 5 {secret}"),
            5 => format!("snmp-server community {secret}"),
            6 => format!("pp auth username sato {secret}"),
            7 => format!("pre-shared-key 1 text {secret}"),
            8 => format!("--password {secret}"),
            9 => format!("Authorization: Bearer {secret}"),
            10 => format!("net user sato {secret}"),
            _ => format!("client_secret: {secret}"),
        };
        let line = format!("{before} {core} {after}");
        let shown = redact(&line);
        proptest::prop_assert!(!shown.contains(&secret), "{line} became {shown}");
        proptest::prop_assert!(shown.len() <= line.len());
        proptest::prop_assert!(shown.starts_with(&before) && shown.ends_with(&after));
    }

    #[test]
    fn any_text_ends_and_never_grows(text in "\\PC{0,200}") {
        let shown = redact(&text).into_owned();
        proptest::prop_assert!(shown.len() <= text.len());
        proptest::prop_assert_eq!(redact(&shown).into_owned(), shown.clone());
    }
}
