//! What the machines are for: `[[machine]]` of `calendar.toml`. Owns which paths between them were never meant.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::net;

/// What a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineRole {
    /// 基幹: what the hospital cannot work without.
    Core,
    /// 部門: brought and kept by a department or a company.
    Department,
    /// 管理端末: from where servers are administered.
    Admin,
    /// 踏み台: through which companies go to servers.
    Jump,
}

impl MachineRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Department => "department",
            Self::Admin => "admin",
            Self::Jump => "jump",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineAsWritten {
    pub(super) name: String,
    #[serde(default)]
    pub(super) address: Vec<String>,
    pub(super) role: MachineRole,
    /// Machines that its programs log on to.
    #[serde(default)]
    pub(super) to: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Lower case, without domain.
    pub name: String,
    pub addresses: Vec<IpNet>,
    pub role: MachineRole,
    pub to: Vec<String>,
}

impl Machine {
    pub(super) fn of(written: &MachineAsWritten, addresses: Vec<IpNet>) -> Self {
        let to = written.to.iter().map(|name| net::short_name(name)).collect();
        Self { name: net::short_name(&written.name), addresses, role: written.role, to }
    }
}

/// The machine that has the name.
pub(super) fn named<'a>(machines: &'a [Machine], name: &str) -> Option<&'a Machine> {
    let name = net::short_name(name);
    machines.iter().find(|machine| machine.name == name)
}

/// The machine that has the address.
pub(super) fn at(machines: &[Machine], ip: IpAddr) -> Option<&Machine> {
    machines.iter().find(|machine| machine.addresses.iter().any(|net| net.contains(&ip)))
}

/// Whether a way from one machine to another was never declared: from a department's to what the hospital lives on.
pub(super) fn is_undeclared(from: &Machine, to: &Machine) -> bool {
    from.role == MachineRole::Department && to.role == MachineRole::Core && !from.to.contains(&to.name)
}
