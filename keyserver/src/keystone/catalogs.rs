//! The service catalogue, as Keystone shows it in tokens (`keystone/catalog/backends/sql.py`,
//! `get_v3_catalog`).
//!
//! A project sees all endpoints unless some were chosen for it, one by one or by groups with filters
//! (OS-EP-FILTER). Whatever it sees is enabled, and so is its service.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use tracing::warn;
use voussoir_core::record::{
    CatalogAnswer, CatalogRecord, CatalogRequest, Endpoint, MAX_CATALOG_BYTES, Service,
};

use super::shared::{Ask, Shared};
use crate::access_keys::{Answering, Unavailable};
use crate::database::{Database, DatabaseError, Row};
use crate::logging::Allowance;

/// Makes catalogues; those who ask for the same at the same time share them.
pub(crate) struct Catalogs {
    answers: Shared<Source>,
    allowance: Arc<Allowance>,
}

/// Why there is no catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCatalog {
    /// It has more in it than a client takes.
    TooLarge,
    /// It cannot be read now.
    Unavailable,
}

struct Source {
    database: Arc<Database>,
    /// Whether a project for which no endpoint was chosen sees none:
    /// `[endpoint_filter] return_all_endpoints_if_no_filter` is false.
    only_chosen: bool,
    allowance: Arc<Allowance>,
}

/// The rows behind a catalogue.
#[derive(Default)]
struct Rows {
    /// Those that are enabled, in the order of their ids.
    services: BTreeMap<String, Service>,
    /// Those of all services.
    endpoints: Vec<EndpointRow>,
    /// The ids of endpoints that were chosen for the project.
    chosen: HashSet<String>,
    /// Filters of the endpoint groups that were chosen for it.
    filters: Vec<HashMap<String, Value>>,
}

struct EndpointRow {
    service_id: String,
    is_enabled: bool,
    endpoint: Endpoint,
}

impl Catalogs {
    pub(crate) fn new(database: Arc<Database>, only_chosen: bool) -> Self {
        let allowance = Arc::new(Allowance::new());
        let source = Source { database, only_chosen, allowance: Arc::clone(&allowance) };
        Self { answers: Shared::new(source, AT_A_TIME), allowance }
    }

    /// The JSON of the answer.
    pub(crate) async fn answer(&self, request: CatalogRequest) -> Result<Bytes, NoCatalog> {
        let answer = timeout(MAX_DURATION, self.answers.answer(request)).await;
        let late = || Err(Arc::new(Unavailable::Database(DatabaseError::Timeout)));
        match answer.unwrap_or_else(|_| late()) {
            Ok(answer) => answer,
            Err(why) => {
                if let Some(unsaid) = self.allowance.take() {
                    warn!(unsaid, "the service catalogue cannot be read: {why}");
                }
                Err(NoCatalog::Unavailable)
            }
        }
    }
}

impl Ask for Source {
    type Question = CatalogRequest;
    type Answer = Result<Bytes, NoCatalog>;

    fn ask<'a>(
        &'a self,
        request: &'a CatalogRequest,
    ) -> Answering<'a, Result<Self::Answer, Unavailable>> {
        Box::pin(async {
            // The one who wants no project's gets none's: no id is empty.
            let project = request.project.as_deref().unwrap_or_default();
            let rows = self.database.rows(CATALOG, &[project.into(), project.into()]).await?;
            let (catalog, left_out) = Rows::read(&rows)?.record(self.only_chosen);
            if left_out > 0
                && let Some(unsaid) = self.allowance.take()
            {
                warn!(
                    left_out,
                    unsaid, "services or endpoints that nobody can be told of are left out"
                );
            }
            let answer = CatalogAnswer { request: request.clone(), catalog };
            let json = answer.to_json();
            let fault = answer.catalog.check().err().map(|why| why.to_string());
            let is_long = json.len() > MAX_CATALOG_BYTES;
            if fault.is_none() && !is_long {
                return Ok(Ok(json.into()));
            }
            if let Some(unsaid) = self.allowance.take() {
                let why = fault.unwrap_or_else(|| format!("longer than {MAX_CATALOG_BYTES} bytes"));
                warn!(unsaid, "the service catalogue is more than clients take: {why}");
            }
            Ok(Err(NoCatalog::TooLarge))
        })
    }
}

impl Rows {
    fn read(rows: &[Row]) -> Result<Self, DatabaseError> {
        let mut read = Self::default();
        for row in rows {
            let id = row.text(1)?;
            let enabled = || Ok::<bool, DatabaseError>(row.text(6)? == "y");
            match &*row.text(0)? {
                "service" if enabled()? => {
                    let service_type = row.optional_text(2)?.unwrap_or_default();
                    let name = name(row.optional_text(5)?.as_deref());
                    let service = Service { id, service_type, name, endpoints: Vec::new() };
                    read.services.insert(service.id.clone(), service);
                }
                "service" => {}
                "endpoint" => {
                    let (interface, region) = (row.text(2)?, row.optional_text(4)?);
                    let endpoint = Endpoint { id, interface, region, url: row.text(5)? };
                    let (service_id, is_enabled) = (row.text(3)?, enabled()?);
                    read.endpoints.push(EndpointRow { service_id, is_enabled, endpoint });
                }
                "chosen" => {
                    read.chosen.insert(id);
                }
                _ => {
                    // Keystone lets nothing else in.
                    let filters = serde_json::from_str(&row.text(5)?)
                        .map_err(|_| DatabaseError::Answer("the filters of an endpoint group"))?;
                    read.filters.push(filters);
                }
            }
        }
        read.endpoints.sort_by(|one, other| one.endpoint.id.cmp(&other.endpoint.id));
        Ok(read)
    }

    /// The record, and how much was left out of it since no text can say it.
    fn record(self, only_chosen: bool) -> (CatalogRecord, usize) {
        let Self { mut services, endpoints, chosen, filters } = self;
        let is_chosen = |row: &EndpointRow| {
            chosen.contains(&row.endpoint.id) || filters.iter().any(|filters| row.fits(filters))
        };
        // One that is disabled counts as chosen: then the project sees the others that were, or none.
        let is_filtered = endpoints.iter().any(is_chosen);
        if !is_filtered && only_chosen {
            return (CatalogRecord::default(), 0);
        }
        let mut left_out = 0;
        for row in endpoints {
            if !row.is_enabled || is_filtered && !is_chosen(&row) {
                continue;
            }
            let Some(service) = services.get_mut(&row.service_id) else { continue };
            if row.endpoint.is_sound() {
                service.endpoints.push(row.endpoint);
            } else {
                left_out += 1;
            }
        }
        let count = services.len();
        let services: Vec<Service> = services.into_values().filter(Service::is_sound).collect();
        left_out += count - services.len();
        let has_any = |service: &Service| !is_filtered || !service.endpoints.is_empty();
        let services = services.into_iter().filter(has_any).collect();
        (CatalogRecord { services, is_filtered }, left_out)
    }
}

impl EndpointRow {
    /// Whether a group with these filters has it. One without filters has all.
    fn fits(&self, filters: &HashMap<String, Value>) -> bool {
        let region = self.endpoint.region.as_deref();
        filters.iter().all(|(key, value)| match key.as_str() {
            "interface" => value.as_str() == Some(&self.endpoint.interface),
            "region_id" => value.as_str() == region && (value.is_string() || value.is_null()),
            "service_id" => value.as_str() == Some(&self.service_id),
            _ => false,
        })
    }
}

/// The name of a service is in a JSON object of whatever Keystone has no column for.
fn name(extra: Option<&str>) -> String {
    #[derive(Deserialize)]
    struct Extra {
        #[serde(default)]
        name: Option<String>,
    }
    let extra = extra.and_then(|extra| serde_json::from_str(extra).ok());
    extra.and_then(|Extra { name }| name).unwrap_or_default()
}

/// All that makes a catalogue, in one statement and so of one moment. The columns are: what the row
/// is, its id, interface or type, service, region, URL or JSON, `y` if enabled.
const CATALOG: &str = "\
    SELECT 'service', id, type, NULL, NULL, extra, CASE WHEN enabled THEN 'y' ELSE 'n' END \
    FROM service \
    UNION ALL SELECT 'endpoint', id, interface, service_id, region_id, url, \
    CASE WHEN enabled THEN 'y' ELSE 'n' END FROM endpoint \
    UNION ALL SELECT 'chosen', endpoint_id, NULL, NULL, NULL, NULL, 'y' \
    FROM project_endpoint WHERE project_id = ? \
    UNION ALL SELECT 'group', g.id, NULL, NULL, NULL, g.filters, 'y' \
    FROM project_endpoint_group p JOIN endpoint_group g ON g.id = p.endpoint_group_id \
    WHERE p.project_id = ?";

/// How many catalogues are read at a time.
const AT_A_TIME: usize = 2;
/// How long a catalogue takes: less than a request may.
const MAX_DURATION: Duration = Duration::from_secs(6);

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::database::Purpose;

    /// Makes Keystone's tables of the catalogue.
    pub(crate) async fn make_tables(database: &Database) {
        for table in [
            "CREATE TABLE service (id TEXT PRIMARY KEY, type TEXT, enabled BOOLEAN DEFAULT 1, \
             extra TEXT)",
            "CREATE TABLE endpoint (id TEXT PRIMARY KEY, interface TEXT, service_id TEXT, url TEXT, \
             extra TEXT, enabled BOOLEAN DEFAULT 1, region_id TEXT)",
            "CREATE TABLE project_endpoint (endpoint_id TEXT, project_id TEXT)",
            "CREATE TABLE endpoint_group (id TEXT PRIMARY KEY, name TEXT, filters TEXT)",
            "CREATE TABLE project_endpoint_group (endpoint_group_id TEXT, project_id TEXT)",
        ] {
            database.execute(table, &[]).await.unwrap();
        }
    }

    /// A database with these tables; and its directory.
    pub(in crate::keystone) async fn tables() -> (tempfile::TempDir, Arc<Database>) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/x.db", directory.path().display()).parse().unwrap();
        let database = Arc::new(Database::open(url, Purpose::Write));
        make_tables(&database).await;
        (directory, database)
    }

    struct World {
        _directory: tempfile::TempDir,
        database: Arc<Database>,
    }

    impl World {
        /// Services `s1` with endpoints in two regions, `s2` with one, `s3` with none, `s4` disabled.
        async fn new() -> Self {
            let (directory, database) = tables().await;
            let world = Self { _directory: directory, database };
            for statement in [
                "INSERT INTO service (id, type, extra) VALUES ('s3', 'c', NULL), \
                 ('s2', 'b', '{\"description\": 7}'), ('s1', 'a', '{\"name\": \"A\"}')",
                "INSERT INTO service (id, type, extra, enabled) VALUES ('s4', 'd', '{}', 0)",
                "INSERT INTO endpoint (id, interface, service_id, url, region_id) VALUES \
                 ('e2', 'public', 's1', 'http://2/$(project_id)s', 'R2'), \
                 ('e1', 'public', 's1', 'http://1', 'R1'), \
                 ('e3', 'internal', 's2', 'http://3', NULL), \
                 ('e4', 'internal', 's4', 'http://4', 'R1')",
                "INSERT INTO endpoint (id, interface, service_id, url, region_id, enabled) VALUES \
                 ('e5', 'admin', 's2', 'http://5', 'R1', 0)",
            ] {
                world.execute(statement).await;
            }
            world
        }

        async fn execute(&self, statement: &'static str) {
            self.database.execute(statement, &[]).await.unwrap();
        }

        async fn record(&self, project: Option<&str>, only_chosen: bool) -> CatalogRecord {
            let request = CatalogRequest { project: project.map(str::to_owned) };
            let catalogs = Catalogs::new(Arc::clone(&self.database), only_chosen);
            let json = catalogs.answer(request.clone()).await.unwrap();
            CatalogAnswer::from_json(&json, &request).unwrap().catalog
        }

        /// The ids of the services and endpoints of the project `p`.
        async fn ids(&self) -> String {
            ids(&self.record(Some("p"), false).await)
        }
    }

    fn ids(record: &CatalogRecord) -> String {
        let service = |service: &Service| {
            let endpoints: Vec<&str> = service.endpoints.iter().map(|it| &*it.id).collect();
            format!("{}: {}", service.id, endpoints.join(" "))
        };
        record.services.iter().map(service).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn has_what_is_enabled_in_the_order_of_ids() {
        let world = World::new().await;
        let record = world.record(None, false).await;
        assert_eq!(ids(&record), "s1: e1 e2; s2: e3; s3: ");
        assert!(!record.is_filtered);
        let first = &record.services[0];
        assert_eq!((&*first.service_type, &*first.name), ("a", "A"));
        assert_eq!(record.services[1].name, "");
        let endpoint = Endpoint {
            id: "e2".into(),
            interface: "public".into(),
            region: Some("R2".into()),
            url: "http://2/$(project_id)s".into(),
        };
        assert_eq!(first.endpoints[1], endpoint);
        assert_eq!(record.services[1].endpoints[0].region, None);
        assert_eq!(world.record(Some("p"), false).await, record, "nothing was chosen for it");
        assert_eq!(world.record(Some("p"), true).await, CatalogRecord::default());
        assert_eq!(world.record(None, true).await, CatalogRecord::default());
    }

    #[tokio::test]
    async fn has_what_was_chosen_for_the_project() {
        let world = World::new().await;
        world.execute("INSERT INTO project_endpoint VALUES ('e2', 'p'), ('gone', 'q')").await;
        for only_chosen in [false, true] {
            let record = world.record(Some("p"), only_chosen).await;
            assert_eq!((ids(&record), record.is_filtered), ("s1: e2".into(), true));
        }
        assert_eq!(ids(&world.record(Some("q"), false).await), "s1: e1 e2; s2: e3; s3: ");
        world.execute("INSERT INTO project_endpoint VALUES ('e3', 'p'), ('e4', 'p')").await;
        assert_eq!(world.ids().await, "s1: e2; s2: e3");
        world.execute("DELETE FROM project_endpoint").await;
        world.execute("INSERT INTO project_endpoint VALUES ('e5', 'p')").await;
        assert_eq!(world.ids().await, "", "what is disabled was chosen all the same");
    }

    #[tokio::test]
    async fn has_what_groups_choose() {
        let world = World::new().await;
        world.execute("INSERT INTO project_endpoint_group VALUES ('g', 'p'), ('h', 'q')").await;
        for (filters, expected) in [
            (r#"{"region_id": "R2"}"#, "s1: e2"),
            (r#"{"interface": "public"}"#, "s1: e1 e2"),
            (r#"{"interface": "public", "region_id": "R1"}"#, "s1: e1"),
            (r#"{"service_id": "s2"}"#, "s2: e3"),
            (r#"{"region_id": null}"#, "s2: e3"),
            ("{}", "s1: e1 e2; s2: e3"),
            (r#"{"service_id": "s5"}"#, "s1: e1 e2; s2: e3; s3: "),
            (r#"{"interface": 7}"#, "s1: e1 e2; s2: e3; s3: "),
        ] {
            world.execute("DELETE FROM endpoint_group").await;
            let insert = "INSERT INTO endpoint_group VALUES ('g', 'g', ?)";
            world.database.execute(insert, &[filters.into()]).await.unwrap();
            assert_eq!(world.ids().await, expected, "{filters}");
        }
        world.execute("UPDATE endpoint_group SET filters = '{\"region_id\": \"R2\"}'").await;
        world.execute("INSERT INTO project_endpoint VALUES ('e3', 'p')").await;
        assert_eq!(world.ids().await, "s1: e2; s2: e3", "a group and one more");
    }

    #[tokio::test]
    async fn what_nobody_can_be_told_of_is_left_out() {
        let world = World::new().await;
        world.execute("UPDATE endpoint SET url = 'http://1' || char(10) WHERE id = 'e1'").await;
        world.execute("UPDATE service SET type = NULL WHERE id = 's2'").await;
        assert_eq!(world.ids().await, "s1: e2; s3: ");
    }

    #[tokio::test]
    async fn too_many_and_none_at_all_are_told_apart() {
        let world = World::new().await;
        world
            .execute(
                "INSERT INTO service (id, type) WITH RECURSIVE n(i) AS \
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT 'n' || i, 't' FROM n",
            )
            .await;
        let catalogs = Catalogs::new(Arc::clone(&world.database), false);
        let answer = async || catalogs.answer(CatalogRequest::default()).await;
        assert_eq!(answer().await, Err(NoCatalog::TooLarge));
        world.execute("DROP TABLE endpoint_group").await;
        assert_eq!(answer().await, Err(NoCatalog::Unavailable));
    }
}
