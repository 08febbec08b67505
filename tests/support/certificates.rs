//! Certificates for tests, made when they are needed: an authority, and what it signs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use herdctl::config::{self, Config};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

/// The part of a herd.toml.
pub const TLS: &str =
    "[tls]\nauthority = \"tls/authority.pem\"\ncertificate = \"tls/{server}.pem\"\nkey = \"tls/{server}.key\"\n";

/// The same, proven, with its files in this folder.
pub fn tls_in(folder: &Path) -> config::Tls {
    let toml = format!("herd = \"any\"\nservers = [{{ name = \"Any\", address = \"127.0.0.1:0\" }}]\n{TLS}");
    let (config, _) = config::parse(&toml, &folder.join("herd.toml")).unwrap_or_else(|why| panic!("{why}"));
    config.tls.unwrap()
}

/// An authority with a key of its own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate shall say.
#[derive(Clone)]
pub struct Wish {
    /// DNS names.
    pub names: Vec<String>,
    /// Seconds from now.
    pub from: i64,
    pub until: i64,
    pub purposes: Vec<ExtendedKeyUsagePurpose>,
}

/// A certificate and its key, in PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

impl Wish {
    /// Good for that server, now and for a day.
    pub fn good(name: &str) -> Self {
        Self {
            names: vec![name.into()],
            from: -60,
            until: 24 * 3600,
            purposes: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

impl Authority {
    pub fn new() -> Self {
        Self::called("herd")
    }

    pub fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn sign(&self, wish: &Wish) -> Signed {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(wish.names.clone()).unwrap();
        let now = jiff::Timestamp::now().as_second();
        let at = |seconds: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(now + seconds).unwrap());
        (params.not_before, params.not_after) = (at(wish.from), at(wish.until));
        params.extended_key_usages.clone_from(&wish.purposes);
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Signed { certificate, key: key.serialize_pem() }
    }

    /// Gives a herd that does not run yet good certificates, and links inside TLS.
    pub fn certify(&self, herd: &mut Config) {
        let names: Vec<&str> = herd.servers.iter().map(|server| server.name.as_str()).collect();
        self.furnish(&herd.directory().join("tls"), &names);
        herd.tls = Some(tls_in(herd.directory()));
    }

    /// Writes `authority.pem`, and a good certificate with its key for each of these servers.
    pub fn furnish(&self, folder: &Path, servers: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("authority.pem"), self.pem()).unwrap();
        for server in servers {
            self.sign(&Wish::good(server)).write(folder, server);
        }
    }
}

impl Signed {
    /// Writes `<server>.pem` and `<server>.key`, each at once, as a careful operator does.
    pub fn write(&self, folder: &Path, server: &str) {
        put(&folder.join(format!("{server}.pem")), &self.certificate, 0o644);
        put(&folder.join(format!("{server}.key")), &self.key, 0o600);
    }
}

/// Puts a file in the place of another, which is never seen half written.
pub fn put(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&new, path).unwrap();
}
