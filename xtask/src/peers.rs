//! Programs that the tests talk to and that cannot be installed beside the others. Debian's syslog-ng and rsyslog
//! exclude each other, so syslog-ng is fetched as packages and unpacked below the target folder, where the tests look.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{find, run, say, shown, target_dir};

const PACKAGE: &str = "syslog-ng-core";

/// Makes `peers/syslog-ng` in the target folder, unless it is there or installed.
pub(crate) fn syslog_ng(install: bool) -> Result<()> {
    let folder = target_dir()?.join("peers/syslog-ng");
    if find("syslog-ng").is_some() || folder.join("usr/sbin/syslog-ng").is_file() {
        return Ok(());
    }
    if !(install && find("apt-get").is_some() && find("dpkg").is_some()) {
        bail!("syslog-ng is needed: install the Debian package {PACKAGE}, or unpack it into {}", folder.display());
    }
    let packages = packages_missing()?;
    say(&format!("unpacking {} into {}", packages.join(" "), folder.display()));
    let debs = folder.join("packages");
    fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
    let mut download = Command::new("apt-get");
    // Without its own user, who may not write here.
    download.args(["download", "--quiet", "--option", "APT::Sandbox::User=root"]).args(&packages).current_dir(&debs);
    run(&mut download)?;
    for entry in fs::read_dir(&debs).with_context(|| format!("list {}", debs.display()))? {
        run(Command::new("dpkg").arg("--extract").arg(entry?.path()).arg(&folder))?;
    }
    Ok(())
}

/// The package and everything it needs that is not installed, as apt would install it.
fn packages_missing() -> Result<Vec<String>> {
    let mut simulate = Command::new("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends", PACKAGE]);
    let output = simulate.output().with_context(|| format!("start {}", shown(&simulate)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let packages = installs(&text);
    if packages.is_empty() {
        bail!("{}: {}", shown(&simulate), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(packages)
}

fn installs(simulation: &str) -> Vec<String> {
    let lines = simulation.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_names_what_would_be_installed() {
        let text = "Reading package lists...\nRemv rsyslog [8.2302]\nInst libnet1 (1.1.6 Debian:12.1 [amd64])\n\
                    Inst syslog-ng-core (3.38 Debian:12.1 [amd64])\nConf libnet1 (1.1.6 Debian:12.1 [amd64])\n";
        assert_eq!(installs(text), ["libnet1", "syslog-ng-core"]);
    }
}
