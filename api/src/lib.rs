//! STUB
use std::sync::Arc;
use monban_event::*;
use monban_index::ledger::Ledger;
pub enum Scope {A}
impl Scope { pub const ALL: [Scope;1]=[Scope::A]; pub fn parse(_:&str)->Option<Self>{Some(Scope::A)} pub fn as_str(&self)->&'static str{""} }
pub struct NewToken{pub id:String,pub secret_sha256:String,pub display:String}
pub fn new_token()->NewToken{NewToken{id:String::new(),secret_sha256:String::new(),display:String::new()}}
pub struct SetupSecret; impl SetupSecret{pub fn new()->(Self,String){(Self,String::new())} pub fn spent()->Self{Self}}
#[derive(Default)] pub struct Health { pub journal_durable: RecordId, pub pipeline_position: RecordId, pub lag_ms: u64, pub records_per_second: f64, pub dropped: u64, pub version: String }
pub struct SiteSettings { pub hospital: String, pub checklist_edition: String, pub secure_cookies: bool }
pub trait RecordSource: Send + Sync { fn read(&self, id: RecordId) -> Result<Option<Record>, Box<dyn std::error::Error + Send + Sync>>; }
pub trait RuleTexts: Send+Sync { fn count(&self)->usize; }
pub struct Services { pub store: Arc<dyn EventStore>, pub ledger: Arc<Ledger>, pub acts: Arc<dyn ActSink>, pub records: Arc<dyn monban_index::partition::RecordSource>, pub rules: Arc<monban_detect::RuleSet>, pub clock: Arc<dyn Clock>, pub settings: Arc<SiteSettings>, pub setup: Arc<SetupSecret>, pub health: Arc<dyn Fn() -> Health + Send + Sync> }
pub fn router(_: Services)->axum::Router{axum::Router::new()}
