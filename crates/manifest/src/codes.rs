//! The codes of problems: stable, each with a page that says more than its message can.
//!
//! A code keeps its meaning for ever. A new problem gets a new number at the end; a number whose problem is gone is
//! not used again.

/// A kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `LF1003`.
    pub id: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why it is a problem and what to do.
    pub page: &'static str,
}

impl Code {
    /// The page as text for people.
    pub fn explain(&self) -> String {
        format!("{}: {}\n\n{}\n", self.id, self.title, self.page)
    }
}

/// The code of that number, whatever its case.
pub fn find(id: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// The text is not TOML.
pub const SYNTAX: &Code = &Code {
    id: "LF1001",
    title: "the text is not TOML",
    page: "The file must be TOML (https://toml.io). The underlined place is where reading stopped making sense; the cause is often just before it: a quote, a bracket or a comma that is missing.\n\
             Landfall reads on behind the mistake, so the other problems of the file are reported in the same go.",
};

/// A key or table is set twice.
pub const DUPLICATE_KEY: &Code = &Code {
    id: "LF1002",
    title: "a key or table is set twice",
    page: "TOML allows each key once and each `[table]` header once. Keep one of them, and put all keys of a table below one header.",
};

/// An unknown key.
pub const UNKNOWN_KEY: &Code = &Code {
    id: "LF1003",
    title: "an unknown key",
    page: "The manifest has no such key at this place. Nothing is ignored silently: a misspelt key would otherwise be a setting that never took effect.\n\
             `landfall explain PATH` lists the keys of a table.",
};

/// A value of the wrong type.
pub const WRONG_TYPE: &Code = &Code {
    id: "LF1004",
    title: "a value of the wrong type",
    page: "Each field takes one type of value: a text in quotes, a whole number, `true` or `false`, a list, or a table. `landfall explain PATH` says which.",
};

/// Not supported yet. Earlier versions said so; every word of the language is carried now.
pub const NOT_YET: &Code = &Code {
    id: "LF1005",
    title: "not supported yet",
    page: "The manifest's language has this word, and this version of Landfall cannot carry it out. It is refused rather than ignored, since an application without what it asks for would not be the one described.",
};

/// Something required is missing.
pub const MISSING: &Code = &Code {
    id: "LF1006",
    title: "something required is missing",
    page: "A few things have no default, because only you can know them: the application's name, its region, what a service is made from, what type a resource has, and the tier of an environment whose name does not tell it.",
};

/// A value that is not one of the choices.
pub const NOT_A_CHOICE: &Code = &Code {
    id: "LF1007",
    title: "a value that is not one of the choices",
    page: "The field takes one of a few words. `landfall explain PATH` lists them with their meanings.",
};

/// A number outside its bounds.
pub const OUT_OF_RANGE: &Code = &Code {
    id: "LF1008",
    title: "a number outside its bounds",
    page: "The number is outside of what Azure allows for this property.",
};

/// A quantity that cannot be read.
pub const NO_UNIT: &Code = &Code {
    id: "LF1009",
    title: "a quantity that cannot be read",
    page: "Quantities carry their unit, so that nobody has to guess it: memory `2Gi` or `512Mi`, days `7d`, shares `70` or `\"70%\"`, processors `0.5`.",
};

/// A name that is not allowed.
pub const NAME: &Code = &Code {
    id: "LF1010",
    title: "a name that is not allowed",
    page: "Names of applications, services, resources and environments are parts of Azure names. They are lower-case letters, digits and single hyphens, begin with a letter, and are short: a container app's name has 32 characters in all for the application, the service, the environment and the region.",
};

/// An unknown region.
pub const REGION: &Code = &Code {
    id: "LF1011",
    title: "an unknown region",
    page: "The region must be one of Azure's, by its name in the API, such as `westeurope`.",
};

/// A naming pattern that cannot be used.
pub const NAMING: &Code = &Code {
    id: "LF1012",
    title: "a naming pattern that cannot be used",
    page: "The pattern is made of lower-case letters, digits, hyphens and the placeholders `{type}`, `{app}`, `{name}` (of the service or resource; behind `{app}` where the pattern has none), `{env}` and `{region}`. `{app}` and `{env}` must be there, or two applications or environments would take each other's names; it begins with a letter or a placeholder.",
};

/// A tag that Azure refuses.
pub const TAG: &Code = &Code {
    id: "LF1013",
    title: "a tag that Azure refuses",
    page: "A tag's name has up to 512 characters (128 where a storage account is among the resources) and none of `< > % & \\ ? /`; its value has up to 256. Names that begin with `microsoft`, `azure` or `windows` are Azure's own, those that begin with `landfall-` mark what Landfall owns. A resource has 50 tags, two of which Landfall needs. Names compare without case.",
};

/// Two sources for one service.
pub const SOURCE_CONFLICT: &Code = &Code {
    id: "LF1014",
    title: "two sources for one service",
    page: "A service is made from a folder (`source`) or from an image that exists (`image`), never from both. An environment may replace one by the other.",
};

/// A source that cannot be one.
pub const SOURCE: &Code = &Code {
    id: "LF1015",
    title: "a source that cannot be one",
    page: "`source` is a folder relative to the manifest's own, with `/` between its parts. `image` is `registry/repository:tag` or `registry/repository@sha256:…`; without a tag or digest nobody could tell later what ran.",
};

/// A pair of cpu and memory that Azure does not offer.
pub const CPU_MEMORY: &Code = &Code {
    id: "LF1016",
    title: "a pair of cpu and memory that Azure does not offer",
    page: "A replica on the consumption profile of Azure Container Apps has 0.25 to 4 vCPU in steps of 0.25, and two gibibytes per vCPU: 0.25/0.5Gi, 0.5/1Gi, up to 4/8Gi. Say one of the two, and the other follows.",
};

/// More replicas at least than at most.
pub const REPLICAS: &Code = &Code {
    id: "LF1017",
    title: "more replicas at least than at most",
    page: "`scale.min` must not exceed `scale.max`. Of the two, the one that is left out follows the other.",
};

/// A service that would never start.
pub const NEVER_WAKES: &Code = &Code {
    id: "LF1018",
    title: "a service that would never start",
    page: "A service scales to zero only if something wakes it: a request (it needs a `port`) or a queue. Load of the processor or of the memory cannot wake what is not running. Use `min = 1`.",
};

/// A singleton with several replicas.
pub const SINGLETON: &Code = &Code {
    id: "LF1019",
    title: "a singleton with several replicas",
    page: "`singleton = true` means exactly one instance: `scale` must not say otherwise.",
};

/// A field that needs a port.
pub const NEEDS_PORT: &Code = &Code {
    id: "LF1020",
    title: "a field that needs a port",
    page: "Ingress, probes and scaling by requests are about a service that listens. Say on which `port`, or leave the field out.",
};

/// A probe that is not a path.
pub const PROBE: &Code = &Code {
    id: "LF1021",
    title: "a probe that is not a path",
    page: "A probe is the path of an HTTP request to the service's own port, such as `/health/ready`.",
};

/// A domain that cannot be bound.
pub const DOMAIN: &Code = &Code {
    id: "LF1022",
    title: "a domain that cannot be bound",
    page: "A domain is a full host name such as `www.example.com`: no scheme, no port, no path, no wildcard.",
};

/// An address range that cannot be allowed.
pub const ALLOW: &Code = &Code {
    id: "LF1023",
    title: "an address range that cannot be allowed",
    page: "`allow` takes IPv4 ranges as `address/length`, such as `203.0.113.0/24`, whose host bits are zero. Azure Container Apps has no rules for IPv6.",
};

/// An origin that cannot be allowed.
pub const CORS: &Code = &Code {
    id: "LF1024",
    title: "an origin that cannot be allowed",
    page: "A CORS origin is `https://host` or `http://host:port`, without a path, or `*` alone.",
};

/// An environment variable's name that is not allowed.
pub const ENV_NAME: &Code = &Code {
    id: "LF1025",
    title: "an environment variable's name that is not allowed",
    page: "The name begins with a letter or `_` and goes on with letters, digits, `_`, `.` and `-`.",
};

/// A variable that is plain and secret.
pub const ENV_TWICE: &Code = &Code {
    id: "LF1026",
    title: "a variable that is plain and secret",
    page: "The same environment variable stands in `env` and in `secrets`; only one can reach the service. (In an environment's overlay, either replaces the other.)",
};

/// A variable that is set for you.
pub const ENV_RESERVED: &Code = &Code {
    id: "LF1027",
    title: "a variable that is set for you",
    page: "Landfall sets `PORT` from the service's `port` and `AZURE_CLIENT_ID` from its identity, and Azure sets all that begins with `CONTAINER_APP_`.",
};

/// A secret's name that Key Vault refuses.
pub const SECRET_NAME: &Code = &Code {
    id: "LF1028",
    title: "a secret's name that Key Vault refuses",
    page: "A secret's name in Key Vault has 1 to 127 letters, digits and hyphens. The value is given with `landfall secrets set NAME`, never in the manifest.",
};

/// A reference that cannot be read.
pub const REFERENCE: &Code = &Code {
    id: "LF1029",
    title: "a reference that cannot be read",
    page: "`${…}` refers to `resource.NAME.ATTRIBUTE`, `service.NAME.url`, `env`, `app` or `region`. For a literal `${`, write `$${`.",
};

/// A reference to nothing.
pub const DANGLING: &Code = &Code {
    id: "LF1030",
    title: "a reference to nothing",
    page: "The reference names a resource, a service or an attribute that the manifest does not have in this environment.",
};

/// The use of an unknown resource.
pub const USES_UNKNOWN: &Code = &Code {
    id: "LF1031",
    title: "the use of an unknown resource",
    page: "`uses` names resources of this manifest: each needs a `[resource.NAME]`.",
};

/// An access that the resource does not have.
pub const ACCESS: &Code = &Code {
    id: "LF1032",
    title: "an access that the resource does not have",
    page: "Each type of resource allows a few kinds of access, and the service's identity gets the least role for it. `landfall explain resource.TYPE` lists them.",
};

/// An unknown environment.
pub const ENVIRONMENT: &Code = &Code {
    id: "LF1033",
    title: "an unknown environment",
    page: "A manifest without `[environment.NAME]` tables has `dev`, `staging` and `prod`. One with such tables has those and `dev`, so that a misspelt name cannot create a second production.",
};

/// A subscription that is not an id.
pub const SUBSCRIPTION: &Code = &Code {
    id: "LF1034",
    title: "a subscription that is not an id",
    page: "The subscription is given by its id, such as `00000000-0000-0000-0000-000000000000`; names can change and be taken twice. `az account show --query id` prints it.",
};

/// A resource whose type changes with the environment.
pub const TYPE_CHANGED: &Code = &Code {
    id: "LF1035",
    title: "a resource whose type changes with the environment",
    page: "A resource has the same type in every environment: services use it in the same way everywhere. Give the other one a name of its own.",
};

/// A blob container's name that Azure refuses.
pub const CONTAINER: &Code = &Code {
    id: "LF1036",
    title: "a blob container's name that Azure refuses",
    page: "A container's name has 3 to 63 lower-case letters, digits and single hyphens, and begins and ends with a letter or digit. Each stands in the list once.",
};

/// A lifecycle rule that cannot be.
pub const LIFECYCLE: &Code = &Code {
    id: "LF1037",
    title: "a lifecycle rule that cannot be",
    page: "A rule does something (`cool`, `archive` or `delete`), in that order of days, for containers that the account has. Zone-redundant accounts have no archive tier.",
};

/// A resource that nothing uses.
pub const UNUSED: &Code = &Code {
    id: "LF1038",
    title: "a resource that nothing uses",
    page: "No service reaches this resource, by `uses` or by a reference, so it would only cost. This is a warning.",
};

/// A body that cannot be sent.
pub const BODY: &Code = &Code {
    id: "LF1039",
    title: "a body that cannot be sent",
    page: "`body` is merged over the body that Landfall sends to Azure. What identifies the resource (`id`, `name`, `type`, `apiVersion`) is Landfall's, and JSON has no dates and no infinite numbers.",
};

/// A domain of two services.
pub const DOMAIN_TWICE: &Code = &Code {
    id: "LF1040",
    title: "a domain of two services",
    page: "A host name leads to one service, so each stands in one list of `ingress.domains`, once.",
};

/// A second vault or registry.
pub const SECOND_HOME: &Code = &Code {
    id: "LF1041",
    title: "a second vault or registry",
    page: "Secrets live in the application's vault and images in its registry. With two of a type nobody could tell in which.",
};

/// A command that cannot be started.
pub const COMMAND: &Code = &Code {
    id: "LF1042",
    title: "a command that cannot be started",
    page: "A command is a list: the program, then its arguments, each in quotes, with no empty program. There is no shell in between.",
};

/// A network's addresses that cannot be.
pub const SPACE: &Code = &Code {
    id: "LF1043",
    title: "a network's addresses that cannot be",
    page: "`network.space` is an IPv4 range from /8 to /29 whose host bits are zero, such as `10.0.0.0/16`. It may not hold addresses that Azure, Container Apps or Kubernetes keep for themselves: 169.254.0.0/16, 172.30.0.0/16, 172.31.0.0/16, 192.0.2.0/24, 100.100.0.0/16 and 168.63.129.16.",
};

/// A subnet that does not fit.
pub const SUBNET_RANGE: &Code = &Code {
    id: "LF1044",
    title: "a subnet that does not fit",
    page: "A subnet's range lies within the network's space, begins at a multiple of its own size, and shares no address with another subnet. The message proposes a range that is free.",
};

/// A subnet that is too small.
pub const SUBNET_SIZE: &Code = &Code {
    id: "LF1045",
    title: "a subnet that is too small",
    page: "Azure keeps five addresses of every subnet, and each of its services has a least size: /29 for any, /28 for PostgreSQL, App Service and private endpoints, /27 for Container Apps and an Application Gateway, /26 for Azure Bastion and the nodes of a cluster.",
};

/// Two subnets for one purpose.
pub const SUBNET_PURPOSE: &Code = &Code {
    id: "LF1046",
    title: "two subnets for one purpose",
    page: "What lies in a subnet finds it by what the subnet is `for`, so of each kind there is one.",
};

/// A condition that cannot be read.
pub const CONDITION: &Code = &Code {
    id: "LF1047",
    title: "a condition that cannot be read",
    page: "A condition is `METRIC OP VALUE`, then `for` how long it has to last and `over` (or `in`) which time it is looked at: `error_rate > 5% for 5m`, `latency_p95 > 3s for 10m`, `requests_failed > 10 in 5m`, `replicas < 2`, `dependency_failures \"OpenAI\" > 5 in 1h`, `metric \"ticket_success_rate\" < 98%`.\n\
             A share has its `%` and a time its unit, so that nobody has to guess in ten years what 5 meant.",
};

/// An alert about nothing.
pub const ALERT: &Code = &Code {
    id: "LF1048",
    title: "an alert that cannot ring",
    page: "An alert is about a service, a resource or the whole application, and each kind of them has its own metrics: a database has connections, a vault has secrets that expire. Two alerts need two names, since each is a resource of its own in Azure.",
};

/// A contact that cannot be reached.
pub const CONTACT: &Code = &Code {
    id: "LF1049",
    title: "a contact that cannot be reached",
    page: "Azure tells by mail, text message, call and webhook. Slack and Teams take bodies of a form of their own, which Azure's alerts do not have: Landfall writes there about releases, and alerts reach a channel by the address that each channel has.",
};

/// A secret in the manifest.
pub const SECRET_WRITTEN: &Code = &Code {
    id: "LF1050",
    title: "a secret in the manifest",
    page: "The manifest is kept where many can read it. A secret stands in the vault, set with `landfall secrets set NAME`; the manifest has its name.",
};

/// Something that is not recorded so.
pub const INSIGHTS: &Code = &Code {
    id: "LF1051",
    title: "a way of recording that Azure does not offer",
    page: "Application Insights keeps telemetry for 30, 60, 90, 120, 180, 270, 365, 550 or 730 days and makes its tests every 5, 10 or 15 minutes from addresses that no list of allowed ones can name.",
};

/// A budget that tells nobody anything.
pub const BUDGET: &Code = &Code {
    id: "LF1052",
    title: "a budget that Azure does not take",
    page: "A budget begins with the first of a month, ends after it begins, and has one to five thresholds.",
};

/// A load that contradicts itself.
pub const USAGE: &Code = &Code {
    id: "LF1053",
    title: "a load that contradicts itself",
    page: "`low` and `high` say how far the quiet and the busy month are from what is expected.",
};

/// A release that cannot go its way.
pub const RELEASE: &Code = &Code {
    id: "LF1054",
    title: "a release that cannot go its way",
    page: "A canary goes by steps, each with more of the traffic than the one before; all of it comes last by itself. Slots are App Service's alone. Jobs are told apart by their names.",
};

/// A recovery that recovers nothing.
pub const RECOVERY: &Code = &Code {
    id: "LF1055",
    title: "a recovery that recovers nothing",
    page: "What takes over lies in another region, and traffic moves there by itself only when something waits there.",
};

/// A waiver without reason or end.
pub const WAIVER: &Code = &Code {
    id: "LF1056",
    title: "a waiver without reason or end",
    page: "A rule is waived for a reason and until a day: who reads it in a year has to know whether it still holds.",
};

/// A feature that the size lacks.
pub const SKU_LACKS: &Code = &Code {
    id: "LF1057",
    title: "a feature that the size lacks",
    page: "Sizes differ in more than speed: slots, scaling, zones, domains and linked backends come with the greater ones only. Take a size that has the feature, or do without it.",
};

/// A resource that the host cannot reach.
pub const UNREACHABLE: &Code = &Code {
    id: "LF1058",
    title: "a resource that the host cannot reach",
    page: "A service reaches a resource by an identity. What only hands out files to browsers has none, and what is in a browser can keep no secret: let a service on another host do it.",
};

/// A runtime that App Service does not have.
pub const RUNTIME: &Code = &Code {
    id: "LF1059",
    title: "a runtime that App Service does not have",
    page: "App Service on Linux runs code on runtimes of its own, each a language and a version that is not retired, such as `python:3.12`. Anything else runs as an `image`.",
};

/// A slot that cannot be.
pub const SLOT: &Code = &Code {
    id: "LF1060",
    title: "a slot that cannot be",
    page: "A slot is a second place of the same application, under a name of its own besides `production`. What is sticky is a variable that the service sets.",
};

/// A schedule that cannot be.
pub const SCHEDULE: &Code = &Code {
    id: "LF1061",
    title: "a schedule that cannot be",
    page: "A schedule has cron's five fields, and one thing starts a job: somebody, the clock or a queue. Times of the day are written `08:00`.",
};

/// A backend that cannot be linked.
pub const BACKEND: &Code = &Code {
    id: "LF1062",
    title: "a backend that cannot be linked",
    page: "A static web app hands what is asked below `/api` on to one service, on Container Apps or App Service, that the internet reaches.",
};

/// A route that cannot be.
pub const ROUTE: &Code = &Code {
    id: "LF1063",
    title: "a route that cannot be",
    page: "A route begins with `/` and leads to a file of the site, or sends the browser elsewhere. A static web app does not hand requests on to another host.",
};

/// A place that is not there.
pub const PLACE: &Code = &Code {
    id: "LF1064",
    title: "a place that is not there",
    page: "A service names the workload profile or the pool of nodes it runs on, and the environment or the cluster has to have it.",
};

/// A store that Dapr cannot use.
pub const DAPR: &Code = &Code {
    id: "LF1065",
    title: "a store that Dapr cannot use",
    page: "Dapr keeps a service's state in a resource of type `redis` that the service also uses.",
};

/// A feature that needs a network.
pub const NEEDS_NETWORK: &Code = &Code {
    id: "LF1066",
    title: "a feature that needs a network",
    page: "Spreading a Container Apps environment over zones takes a subnet, which a `[network]` gives it.",
};

/// A version of Kubernetes that Azure does not have.
pub const KUBERNETES_VERSION: &Code = &Code {
    id: "LF1067",
    title: "a version of Kubernetes that Azure does not have",
    page: "Azure cares for the three newest minor versions of Kubernetes, and in tier `premium` with `support = \"long-term\"` for some before them. A cluster is made with one of those.",
};

/// A pool of nodes that cannot be.
pub const POOL: &Code = &Code {
    id: "LF1068",
    title: "a pool of nodes that cannot be",
    page: "One pool holds the cluster's own parts: it has a node at least, no spot nodes, and no taint that would keep them away. Taints are written `key=value:NoSchedule`.",
};

/// A cluster that cannot be.
pub const CLUSTER: &Code = &Code {
    id: "LF1069",
    title: "a cluster that cannot be",
    page: "A cluster's addresses for services and pods lie apart from each other and from the network's, and a private API server is reached from the network alone.",
};

/// A group that is not an id.
pub const GROUP: &Code = &Code {
    id: "LF1070",
    title: "a group that is not an id",
    page: "A group of the directory is given by its object id, since names change and may be taken twice.",
};

/// A security rule that cannot be.
pub const SECURITY_RULE: &Code = &Code {
    id: "LF1071",
    title: "a security rule that cannot be",
    page: "A rule has a name and a priority of its own in its direction, 100 to 3999; Landfall's own rules, which close the subnet, are from 4000 on. Its sides are subnets, IPv4 ranges, one service tag alone, or `*`; its ports are numbers or spans from 0 to 65535. Azure takes a thousand rules.",
};

/// A way in that leads nowhere.
pub const GATEWAY: &Code = &Code {
    id: "LF1072",
    title: "a way in that leads nowhere",
    page: "A gateway has routes, each to a service that listens or to backends, and each path once. A load balancer passes on ports with their protocols, each once. Names and limits of the firewall's rules are Azure's.",
};

/// A region that traffic cannot be sent to.
pub const TRAFFIC: &Code = &Code {
    id: "LF1073",
    title: "a region that traffic cannot be sent to",
    page: "An endpoint of Traffic Manager has a name of its own, and leads to a host name in a region, or to this application's own gateway or load balancer. Names and targets stand once; the probe is of the same kind everywhere.",
};

/// A DNS record that cannot be.
pub const RECORD: &Code = &Code {
    id: "LF1074",
    title: "a DNS record that cannot be",
    page: "A record leads to a part of this application (`to`) or says `values` of its type: IPv4 addresses, one host name, texts. A CNAME stands alone under its name, and never at the zone's own name `@`, where the zone's SOA and NS records are.",
};

/// A SKU that cannot be private.
pub const PRIVATE_SKU: &Code = &Code {
    id: "LF1075",
    title: "a SKU that cannot be private",
    page: "In a private network everything is reached through private endpoints, which container registries and Service Bus namespaces have as Premium only. Left out, `sku` is that by itself.",
};

/// A retired thing.
pub const RETIRED: &Code = &Code {
    id: "LF1076",
    title: "something that Azure has retired",
    page: "Azure no longer lets anybody create it, so a deployment would be refused. The help names what took its place; what that changes for the application (another port, other limits, other answers) is for you to look at.",
};

/// A value between what Azure has.
pub const NOT_OFFERED: &Code = &Code {
    id: "LF1077",
    title: "a value that Azure does not offer",
    page: "Azure sells some things in steps: disks of certain sizes, units in powers of two, throughput in hundreds. The help names the nearest step.",
};

/// A feature that the chosen SKU lacks.
pub const LACKS: &Code = &Code {
    id: "LF1078",
    title: "a feature that the chosen SKU or setting does not have",
    page: "Two fields of a resource do not go together: the SKU lacks the feature, or one setting excludes the other. Change one of the two. What was not written is a default of the environment's tier; `landfall show` prints it with its reason.",
};

/// A name within a resource that Azure refuses.
pub const ENTRY_NAME: &Code = &Code {
    id: "LF1079",
    title: "a name within a resource that Azure refuses",
    page: "Databases, queues, topics, deployments, shares, tables and keys have rules of their own for their names. What was written breaks the rule that the message says.",
};

/// The same thing twice in a list.
pub const TWICE: &Code = &Code {
    id: "LF1080",
    title: "the same thing twice in a list",
    page: "Each entry of the list becomes one thing in Azure, and two things cannot have one name.",
};

/// A resource that stays reachable in a private network.
pub const STAYS_PUBLIC: &Code = &Code {
    id: "LF1081",
    title: "a resource without private endpoints in a private network",
    page: "With `[network] private = true` everything that can be reached by private endpoints only is. The cheaper SKUs of some services have no private endpoints: such a resource stays reachable from the internet, where it lets in nobody but the identities that were given access. Take the SKU that has them, or leave it so.",
};

/// Scaling by a queue that cannot be counted.
pub const QUEUE: &Code = &Code {
    id: "LF1082",
    title: "scaling by a queue that is not clear",
    page: "`scale.queue` counts the messages of one queue, or of one subscription of a topic, of a `service-bus` or of a `storage` account with queues, with the service's own identity: so the service has to use the resource, too.",
};

/// Every code, by number.
pub const ALL: &[&Code] = &[
    SYNTAX,
    DUPLICATE_KEY,
    UNKNOWN_KEY,
    WRONG_TYPE,
    NOT_YET,
    MISSING,
    NOT_A_CHOICE,
    OUT_OF_RANGE,
    NO_UNIT,
    NAME,
    REGION,
    NAMING,
    TAG,
    SOURCE_CONFLICT,
    SOURCE,
    CPU_MEMORY,
    REPLICAS,
    NEVER_WAKES,
    SINGLETON,
    NEEDS_PORT,
    PROBE,
    DOMAIN,
    ALLOW,
    CORS,
    ENV_NAME,
    ENV_TWICE,
    ENV_RESERVED,
    SECRET_NAME,
    REFERENCE,
    DANGLING,
    USES_UNKNOWN,
    ACCESS,
    ENVIRONMENT,
    SUBSCRIPTION,
    TYPE_CHANGED,
    CONTAINER,
    LIFECYCLE,
    UNUSED,
    BODY,
    DOMAIN_TWICE,
    SECOND_HOME,
    COMMAND,
    SPACE,
    SUBNET_RANGE,
    SUBNET_SIZE,
    SUBNET_PURPOSE,
    CONDITION,
    ALERT,
    CONTACT,
    SECRET_WRITTEN,
    INSIGHTS,
    BUDGET,
    USAGE,
    RELEASE,
    RECOVERY,
    WAIVER,
    SKU_LACKS,
    UNREACHABLE,
    RUNTIME,
    SLOT,
    SCHEDULE,
    BACKEND,
    ROUTE,
    PLACE,
    DAPR,
    NEEDS_NETWORK,
    KUBERNETES_VERSION,
    POOL,
    CLUSTER,
    GROUP,
    SECURITY_RULE,
    GATEWAY,
    TRAFFIC,
    RECORD,
    PRIVATE_SKU,
    RETIRED,
    NOT_OFFERED,
    LACKS,
    ENTRY_NAME,
    TWICE,
    STAYS_PUBLIC,
    QUEUE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_consecutive_and_pages_say_something() {
        for (number, code) in (1001..).zip(ALL) {
            assert_eq!(code.id, format!("LF{number}"));
            assert!(code.page.len() > code.title.len() + 20, "{} needs a page", code.id);
            assert!(!code.title.ends_with('.'), "{} has a title, not a sentence", code.id);
        }
    }
}
