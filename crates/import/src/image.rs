//! Which service of Azure takes the place of a well-known image.

/// What becomes of a container that runs a well-known image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// A resource of the manifest.
    Resource {
        /// The word after `type =`.
        kind: &'static str,
        /// The major version that its tag names, where the resource has one.
        version: Option<String>,
        /// What is to be minded, if anything.
        mind: &'static str,
    },
    /// Nothing: what takes its place, or why nothing does.
    Nothing(&'static str),
}

/// Images by the last part of their repository: what they are, and what is to be minded.
const RESOURCES: &[(&str, &[&str], &str)] = &[
    (
        "postgres",
        &[
            "postgres",
            "postgresql",
            "postgis",
            "pgvector",
            "timescaledb",
            "timescaledb-ha",
            "alloydbomni",
            "postgres-ssl",
        ],
        "its data moves with `pg_dump` and `pg_restore`; extensions have to be allowed on the server",
    ),
    (
        "redis",
        &["redis", "redis-stack", "redis-stack-server", "valkey", "keydb", "dragonfly"],
        "it speaks TLS, on a port of its own, and has one database: numbers behind the address become key prefixes",
    ),
    ("service-bus", &["servicebus-emulator"], "its queues and topics have to be declared"),
    (
        "service-bus",
        &["rabbitmq", "activemq", "artemis", "activemq-artemis"],
        "Service Bus speaks AMQP 1.0 and not 0-9-1: the client library changes, and queues have to be declared",
    ),
    (
        "storage",
        &["azurite", "minio", "seaweedfs"],
        "services reach it by Azure's blob protocol with their identity, not by S3's or by a key",
    ),
    ("cosmos", &["cosmosdb", "azure-cosmos-emulator"], "its databases and containers have to be declared"),
];

/// Images whose work is done elsewhere in Azure, or that have no place in it.
const NOTHING: &[(&[&str], &str)] = &[
    (
        &["mysql", "mariadb", "percona", "mysql-server"],
        "the manifest has no MySQL: make an Azure Database for MySQL and give its address as a secret",
    ),
    (
        &["mongo", "mongodb", "mongodb-community-server", "ferretdb"],
        "the manifest has no MongoDB: make an Azure DocumentDB and give its connection string as a secret",
    ),
    (
        &["mssql", "server", "azure-sql-edge"],
        "the manifest has no SQL Server: make an Azure SQL database and give its address as a secret",
    ),
    (
        &["elasticsearch", "opensearch", "meilisearch", "typesense", "solr"],
        "it keeps its data on a disk, which a replica loses: use Azure AI Search (`type = \"search\"`) or a hosted one",
    ),
    (
        &[
            "qdrant",
            "weaviate",
            "chroma",
            "milvus",
            "neo4j",
            "clickhouse-server",
            "cassandra",
            "influxdb",
            "couchdb",
        ],
        "it keeps its data on a disk, which a replica loses: use a hosted one and give its address as a secret",
    ),
    (
        &["kafka", "cp-kafka", "zookeeper", "cp-zookeeper", "redpanda", "kafka-native", "nats"],
        "it keeps its data on a disk, which a replica loses: Azure Event Hubs speaks Kafka's protocol",
    ),
    (&["memcached"], "Azure has no memcached: use `type = \"redis\"`"),
    (
        &[
            "traefik",
            "haproxy",
            "nginx-proxy",
            "acme-companion",
            "certbot",
            "envoy",
            "docker-gen",
            "swag",
            "caddy-docker-proxy",
        ],
        "the ingress takes its place: routing, TLS and certificates",
    ),
    (
        &[
            "prometheus",
            "grafana",
            "loki",
            "tempo",
            "promtail",
            "jaeger",
            "all-in-one",
            "zipkin",
            "otel-collector",
            "opentelemetry-collector",
            "opentelemetry-collector-contrib",
            "cadvisor",
            "node-exporter",
            "alertmanager",
            "fluentd",
            "fluent-bit",
            "vector",
            "kibana",
            "logstash",
            "seq",
            "datadog-agent",
            "agent",
        ],
        "Azure Monitor takes its place: logs, metrics and traces are collected there",
    ),
    (
        &[
            "adminer",
            "pgadmin4",
            "phpmyadmin",
            "redis-commander",
            "redisinsight",
            "mongo-express",
            "pgweb",
            "kafka-ui",
            "flower",
            "portainer",
            "portainer-ce",
            "dozzle",
        ],
        "a tool for administrators is not put beside the application",
    ),
    (
        &["mailhog", "mailpit", "maildev", "smtp4dev", "mailcatcher", "greenmail"],
        "it catches mail on a developer's machine; mail is sent by `type = \"communication\"` or a provider",
    ),
    (
        &["watchtower", "ouroboros", "localstack", "docker", "wait-for-it", "dockerize", "autoheal"],
        "it serves the machine that Compose runs on",
    ),
    (&["keyvault-emulator", "vault"], "Key Vault takes its place: `landfall secrets set`"),
];

/// What becomes of a container of this image; `None` when it is an ordinary one.
pub(crate) fn becomes(image: &str) -> Option<Becomes> {
    let path = image.split('@').next().unwrap_or(image);
    let (repository, tag) = match path.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (path, None),
    };
    // Names as general as `server` are known by who publishes them only.
    const PUBLISHED: &[(&str, &str)] = &[
        ("server", "mssql/"),
        ("agent", "datadog/"),
        ("all-in-one", "jaegertracing/"),
        ("docker", "library/"),
    ];
    let name = repository.rsplit('/').next().unwrap_or(repository).to_ascii_lowercase();
    let is_published =
        PUBLISHED.iter().all(|(general, publisher)| name != *general || repository.contains(publisher));
    if !is_published {
        return None;
    }
    if let Some((kind, _, mind)) = RESOURCES.iter().find(|(_, names, _)| names.contains(&&*name)) {
        let version =
            (*kind == "postgres").then(|| tag.and_then(|tag| postgres_version(&name, tag))).flatten();
        return Some(Becomes::Resource { kind, version, mind });
    }
    NOTHING.iter().find(|(names, _)| names.contains(&&*name)).map(|(_, why)| Becomes::Nothing(why))
}

/// The major version of PostgreSQL in a tag: `16`, `16.4-alpine`, `16-3.4` of postgis, `pg16` of pgvector.
fn postgres_version(name: &str, tag: &str) -> Option<String> {
    let number = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let version = match tag.split(['-', '.']).find_map(|part| part.strip_prefix("pg")) {
        Some(version) => number(version),
        None if name.starts_with("timescale") => return None,
        None => number(tag),
    };
    (!version.is_empty() && version.len() <= 2).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_name_and_tag() {
        let version = |image: &str| match becomes(image) {
            Some(Becomes::Resource { kind, version, .. }) => {
                format!("{kind} {}", version.unwrap_or_default())
            }
            Some(Becomes::Nothing(_)) => "nothing".to_owned(),
            None => "runs".to_owned(),
        };
        for (image, expected) in [
            ("postgres:16", "postgres 16"),
            ("postgres:16.4-alpine", "postgres 16"),
            ("postgres", "postgres "),
            ("docker.io/bitnami/postgresql:15.3.0", "postgres 15"),
            ("postgis/postgis:16-3.4", "postgres 16"),
            ("pgvector/pgvector:pg17", "postgres 17"),
            ("timescale/timescaledb:2.17.2-pg16", "postgres 16"),
            ("postgres:latest@sha256:abc", "postgres "),
            ("redis:7-alpine", "redis "),
            ("localhost:5000/redis", "redis "),
            ("mcr.microsoft.com/azure-storage/azurite", "storage "),
            ("rabbitmq:3-management", "service-bus "),
            ("mcr.microsoft.com/mssql/server:2022-latest", "nothing"),
            ("example/server:1", "runs"),
            ("traefik:v3", "nothing"),
            ("ghcr.io/example/api:1.2", "runs"),
        ] {
            assert_eq!(version(image), expected, "{image}");
        }
    }
}
