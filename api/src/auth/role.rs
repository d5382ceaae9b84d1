//! Roles of people and scopes of machines. A role is a set of scopes, so that every route asks one question.

/// What a route demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    EventsRead,
    FindingsRead,
    FindingsReview,
    AuditsRead,
    InventoryRead,
    Ingest,
    Admin,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::EventsRead,
        Self::FindingsRead,
        Self::FindingsReview,
        Self::AuditsRead,
        Self::InventoryRead,
        Self::Ingest,
        Self::Admin,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsRead => "events:read",
            Self::FindingsRead => "findings:read",
            Self::FindingsReview => "findings:review",
            Self::AuditsRead => "audits:read",
            Self::InventoryRead => "inventory:read",
            Self::Ingest => "ingest",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// 監査・立入検査: sees everything, decides nothing.
    Viewer,
    Reviewer,
    Admin,
    /// A company's technician: whether the devices send, nothing of what they say.
    Maintenance,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Reviewer, Self::Admin, Self::Maintenance];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
            Self::Maintenance => "maintenance",
        }
    }

    pub fn japanese(self) -> &'static str {
        match self {
            Self::Viewer => "閲覧者",
            Self::Reviewer => "確認者",
            Self::Admin => "管理者",
            Self::Maintenance => "保守",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text || role.japanese() == text)
    }

    /// No person may ingest: what comes in over HTTP comes from machines with a token for it.
    pub fn scopes(self) -> &'static [Scope] {
        use Scope::{Admin, AuditsRead, EventsRead, FindingsRead, FindingsReview, InventoryRead};
        match self {
            Self::Viewer => &[EventsRead, FindingsRead, AuditsRead, InventoryRead],
            Self::Reviewer => &[EventsRead, FindingsRead, FindingsReview, AuditsRead, InventoryRead],
            Self::Admin => &[EventsRead, FindingsRead, FindingsReview, AuditsRead, InventoryRead, Admin],
            Self::Maintenance => &[InventoryRead],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert!(Scope::ALL.into_iter().all(|scope| Scope::parse(scope.as_str()) == Some(scope)));
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == Some(role)));
        assert_eq!(Role::parse("確認者"), Some(Role::Reviewer));
        assert_eq!(Scope::parse("events:write"), None);
    }

    #[test]
    fn only_reviewers_and_admins_decide() {
        let deciders: Vec<Role> =
            Role::ALL.into_iter().filter(|role| role.scopes().contains(&Scope::FindingsReview)).collect();
        assert_eq!(deciders, [Role::Reviewer, Role::Admin]);
    }
}
