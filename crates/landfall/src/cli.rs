//! The arguments of every command; their doc comments are the manual.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Brings applications to Azure, and keeps them there.
///
/// One manifest, `landfall.toml`, describes an application; from it Landfall plans, builds, deploys and operates
/// it on Azure, or on local Azure: an embedded stand-in that needs no account and no network.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Work in this folder, or any folder above it that holds a `landfall.toml`
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The manifest's environment
    #[arg(long, value_name = "NAME", global = true, env = "LANDFALL_ENV")]
    pub env: Option<String>,
    /// Use local Azure, and start it where it is not running
    #[arg(long, global = true, env = "LANDFALL_LOCAL", value_parser = clap::builder::FalseyValueParser::new())]
    pub local: bool,
    /// Print JSON for programs instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Leave out progress and remarks: only what was asked for, and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more; twice for debugging
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Answer yes to every question that loses nothing
    #[arg(short, long, global = true)]
    pub yes: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at a folder, or at another tool's files, and write `landfall.toml`
    Init(InitArgs),
    /// Print the application after the environment's overlay, each value with where it came from
    Show(DirArgs),
    /// Say what a field of the manifest means
    Explain {
        /// The field's path, such as `service.web.scale`
        field: String,
    },
    /// Print the manifest's JSON Schema
    Schema,
    /// Print every Azure resource the application takes
    Blueprint(BlueprintArgs),
    /// Say what the source is, and why
    Detect(DirArgs),
    /// Build the images without deploying them
    Build(DirArgs),
    /// Print the difference between the manifest and what is live
    Plan(PlanArgs),
    /// Carry out a saved plan
    Apply(ApplyArgs),
    /// Plan, ask, build, apply, release: the main job
    Up(UpArgs),
    /// Go on with a run that was interrupted
    Resume(ResumeArgs),
    /// List past runs, or show one
    Runs {
        /// `show ID`
        #[command(subcommand)]
        command: Option<RunsCommand>,
    },
    /// Print each service: revisions, traffic, replicas, health, address
    Status(DirArgs),
    /// Print the services' output
    Logs(LogsArgs),
    /// Open a service in the browser
    Open {
        /// The service; needed where there are several
        service: Option<String>,
        /// Print the address only
        #[arg(long)]
        print: bool,
    },
    /// Set and list the secrets that services use
    Secrets {
        /// What to do
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// Delete everything the manifest made
    Destroy(DestroyArgs),
    /// Start, stop and ask local Azure
    Local {
        /// What to do
        #[command(subcommand)]
        command: LocalCommand,
    },
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Serve a folder of files over HTTP, as the images of static sites do
    #[command(hide = true)]
    Static {
        /// The folder
        #[arg(long)]
        root: PathBuf,
        /// Answer unknown paths with `index.html`
        #[arg(long)]
        spa: bool,
    },
}

impl Command {
    /// Whether its JSON lines end in a result, also when it is refused or fails.
    pub fn ends_in_a_result(&self) -> bool {
        matches!(self, Command::Up(_) | Command::Apply(_) | Command::Destroy(_) | Command::Resume(_))
    }

    /// Whether it answers Ctrl-C in a way of its own, or has nothing to tidy up.
    pub fn listens_itself(&self) -> bool {
        matches!(self, Command::Logs(_) | Command::Local { .. } | Command::Static { .. })
    }
}

/// A folder.
#[derive(Args, Debug)]
pub struct DirArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
}

/// `landfall blueprint`.
#[derive(Args, Debug)]
pub struct BlueprintArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// How to print them; a line each by default
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    pub format: Option<BlueprintFormat>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A form of a blueprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BlueprintFormat {
    /// A tree of services and groups, with what each does with others
    Tree,
    /// The bodies as ARM takes them, as `--json`
    Json,
    /// A drawing for documents
    Svg,
    /// A graph for Graphviz
    Dot,
}

/// `landfall init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// What to read instead of the source alone: a file or folder of azd, Docker Compose, fly.io, a Procfile, or systemd units
    /// with nginx sites, crontabs and `.env`. Compose files may be named several times and are merged
    #[arg(long, value_name = "FILE|FOLDER")]
    pub from: Vec<PathBuf>,
    /// The application's name; by default the one in the files that are read, or the folder's
    #[arg(long)]
    pub app: Option<String>,
    /// The Azure region; by default the one in the files that are read, or westeurope
    #[arg(long)]
    pub region: Option<String>,
    /// Replace a manifest that is there
    #[arg(long)]
    pub force: bool,
}

/// `landfall plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// Save the plan for `landfall apply`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit 2 when there is something to change, as Terraform does
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Consents that shape the plan
    #[command(flatten)]
    pub consent: ConsentArgs,
}

/// `landfall apply`.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// A plan that `landfall plan --out` saved
    pub plan: PathBuf,
    /// Consents
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// How long to wait for others
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// `landfall up`.
#[derive(Args, Debug)]
pub struct UpArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// Consents
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// How long to wait for others
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// How long to wait for others.
#[derive(Args, Clone, Debug)]
pub struct PatienceArgs {
    /// Wait this long for another run on the same environment, such as `5m`
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub wait: std::time::Duration,
}

/// `landfall resume`.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// How long to wait for others
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Answers given beforehand.
#[derive(Args, Clone, Debug, Default)]
pub struct ConsentArgs {
    /// Let go of what this resource holds; repeat for several
    #[arg(long, value_name = "NAME")]
    pub allow_data_loss: Vec<String>,
    /// What to do with a soft-deleted namesake
    #[arg(long, value_name = "WHAT")]
    pub soft_deleted: Option<SoftDeleted>,
    /// Take over a resource that exists and belongs to nobody; repeat for several
    #[arg(long, value_name = "ADDRESS")]
    pub adopt: Vec<String>,
}

/// What to do with a soft-deleted namesake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SoftDeleted {
    /// Bring it back with its contents
    Recover,
    /// Remove it for good
    Purge,
}

/// `landfall logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// The service; all of them by default
    pub service: Option<String>,
    /// Go on printing
    #[arg(short, long)]
    pub follow: bool,
    /// How many past lines of each replica
    #[arg(long, default_value_t = 100, value_name = "LINES")]
    pub tail: u32,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,
}

/// `landfall destroy`.
#[derive(Args, Debug)]
pub struct DestroyArgs {
    /// The application's folder, as `-C`
    pub dir: Option<PathBuf>,
    /// Let go of what this resource holds; repeat for several
    #[arg(long, value_name = "NAME")]
    pub allow_data_loss: Vec<String>,
    /// Free the names of soft-deleted resources for good
    #[arg(long)]
    pub purge: bool,
    /// How long to wait for others
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// `landfall runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Print one run: each operation's wait, work and retries, and the critical path
    Show {
        /// The run's id; the last run by default
        id: Option<String>,
    },
}

/// `landfall secrets`.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Set a secret's value, read from standard input, and bring it to the services that use it
    Set {
        /// The secret's name in the vault
        name: String,
        /// Do not touch the services that use it
        #[arg(long)]
        no_release: bool,
        /// How long to wait for others
        #[command(flatten)]
        patience: PatienceArgs,
    },
    /// List names, versions and dates; never values
    List,
}

/// `landfall local`.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Start it, detached; return when every plane answers
    Start(LocalStartArgs),
    /// Stop it
    Stop,
    /// Print address, seed, runtime and processes
    Status,
    /// Print what clients need to know, as shell exports
    Env,
    /// List the resource types by the depth to which they are modelled
    Coverage,
    /// Run it in the foreground
    #[command(hide = true)]
    Run(LocalRunArgs),
}

/// `landfall local run`.
#[derive(Args, Clone, Debug)]
pub struct LocalRunArgs {
    /// Where the state lives
    #[arg(long)]
    pub state: PathBuf,
    /// What `start` takes
    #[command(flatten)]
    pub start: LocalStartArgs,
}

/// `landfall local start`.
#[derive(Args, Clone, Debug)]
pub struct LocalStartArgs {
    /// Keep nothing on disk
    #[arg(long)]
    pub memory: bool,
    /// The seed of everything that is left to chance
    #[arg(long)]
    pub seed: Option<u64>,
    /// Azure's pace is 1, no waiting at all is 0; 0.05 by default, or what the folder had before
    #[arg(long, value_parser = speed, allow_hyphen_values = true)]
    pub speed: Option<f64>,
    /// The port of all planes; the last one used, or a free one, by default
    #[arg(long)]
    pub port: Option<u16>,
    /// A file of faults to begin with
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// A folder of Azure's resource types, to check every body against
    #[arg(long, value_name = "DIR")]
    pub types: Option<PathBuf>,
}

impl LocalStartArgs {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        let LocalStartArgs { memory, seed, speed, port, faults, types } = self;
        !memory && seed.is_none() && speed.is_none() && port.is_none() && faults.is_none() && types.is_none()
    }
}

/// A pace of time: 0 or more.
fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number, such as `0.05` or `1`".to_owned())?;
    let sound = speed.is_finite() && speed >= 0.0;
    sound.then_some(speed).ok_or_else(|| "a number that is 0 or more; 1 is Azure's pace".to_owned())
}

/// `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "a duration such as `90s`, `5m` or `1h`".to_owned())?;
    std::time::Duration::try_from(span).map_err(|_| "a duration that is not negative".to_owned())
}
