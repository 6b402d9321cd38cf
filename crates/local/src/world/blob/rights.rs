//! What each operation needs: which of a role's actions, which letters of a shared access signature.
//!
//! Sources: `rest/api/storageservices/authorize-with-azure-active-directory` (actions by operation),
//! `create-account-sas` and `create-service-sas` (permissions by operation).

use super::Ask;
use super::auth::{self, Who};
use super::refusal::refuse;
use super::sas::Grant;
use crate::world::access::{Act, allows};
use crate::world::{Response, World};

/// Something one may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    AccountInfo,
    ReadService,
    WriteService,
    DelegationKey,
    ListContainers,
    CreateContainer,
    ReadContainer,
    WriteContainer,
    /// Breaking a lease is less than having it.
    BreakContainerLease,
    DeleteContainer,
    ReadAcl,
    WriteAcl,
    List,
    Find,
    Read,
    /// Writing what is not there.
    Create,
    Write,
    Append,
    Delete,
    DeleteVersion,
    BreakLease,
    ReadTags,
    WriteTags,
    /// Policies and legal holds of a blob.
    Immutability,
}

/// Actions, any of which is enough.
enum Roles {
    /// Of `Microsoft.Storage/storageAccounts/blobServices/…`.
    Control(&'static str),
    /// Data actions of `…/blobServices/containers/blobs/…`.
    Data(&'static [&'static str]),
}

impl Right {
    fn roles(self) -> Roles {
        use Roles::{Control, Data};
        match self {
            Right::AccountInfo => Control("getInfo/action"),
            Right::ReadService => Control("read"),
            Right::WriteService => Control("write"),
            Right::DelegationKey => Control("generateUserDelegationKey/action"),
            Right::ListContainers | Right::ReadContainer => Control("containers/read"),
            Right::CreateContainer | Right::WriteContainer | Right::BreakContainerLease => {
                Control("containers/write")
            }
            Right::DeleteContainer => Control("containers/delete"),
            Right::ReadAcl => Control("containers/getAcl/action"),
            Right::WriteAcl => Control("containers/setAcl/action"),
            Right::List | Right::Read => Data(&["read"]),
            Right::Find => Data(&["filter/action"]),
            Right::Create | Right::Append => Data(&["write", "add/action"]),
            Right::Write | Right::BreakLease => Data(&["write"]),
            Right::Delete => Data(&["delete"]),
            Right::DeleteVersion => Data(&["deleteBlobVersion/action"]),
            Right::ReadTags => Data(&["tags/read"]),
            Right::WriteTags => Data(&["tags/write"]),
            Right::Immutability => Data(&["immutableStorage/runAsSuperUser/action"]),
        }
    }

    /// Resource type of an account's signature (service, container, object) and permissions, any of which is
    /// enough; no resource type: not by signature.
    fn letters(self) -> (Option<char>, &'static str) {
        match self {
            // any signature tells the account's kind
            Right::AccountInfo => (Some('*'), ""),
            Right::ReadService => (Some('s'), "r"),
            Right::WriteService => (Some('s'), "w"),
            Right::ListContainers => (Some('s'), "l"),
            Right::CreateContainer => (Some('c'), "cw"),
            Right::ReadContainer => (Some('c'), "r"),
            Right::WriteContainer => (Some('c'), "w"),
            Right::BreakContainerLease => (Some('c'), "wd"),
            Right::DeleteContainer => (Some('c'), "d"),
            Right::DelegationKey | Right::ReadAcl | Right::WriteAcl => (None, ""),
            Right::List => (Some('c'), "l"),
            Right::Find => (Some('c'), "f"),
            Right::Read => (Some('o'), "r"),
            Right::Create => (Some('o'), "cw"),
            Right::Write => (Some('o'), "w"),
            Right::Append => (Some('o'), "aw"),
            Right::Delete => (Some('o'), "d"),
            Right::DeleteVersion => (Some('o'), "x"),
            Right::BreakLease => (Some('o'), "wd"),
            Right::ReadTags | Right::WriteTags => (Some('o'), "t"),
            Right::Immutability => (Some('o'), "i"),
        }
    }

    /// What a container makes public.
    fn is_public(self) -> bool {
        matches!(self, Right::Read | Right::List | Right::ReadContainer)
    }

    /// What a signature of one container or blob may give.
    fn is_of_blobs(self) -> bool {
        matches!(self.roles(), Roles::Data(_))
    }
}

impl Ask<'_> {
    /// Refuses unless whoever asks has the right.
    pub(super) fn may(&self, world: &World, right: Right) -> Result<(), Response> {
        match &self.who {
            Who::Key if right == Right::DelegationKey => Err(failed()),
            Who::Key => Ok(()),
            Who::Principal(oid) => by_role(world, self, oid, right),
            Who::Sas(grant) => by_grant(world, self, grant, right),
            Who::Anybody if right.is_public() && auth::public(world, self) => Ok(()),
            Who::Anybody => Err(auth::nobody(world, self)),
        }
    }

    /// Writing a blob: less is needed when nothing is overwritten.
    pub(super) fn may_put(&self, world: &World, there: bool) -> Result<(), Response> {
        self.may(world, if there { Right::Write } else { Right::Create })
    }
}

fn by_role(world: &World, ask: &Ask<'_>, oid: &str, right: Right) -> Result<(), Response> {
    let scope = match ask.container.as_str() {
        "" => ask.scope.clone(),
        container => format!("{}/blobServices/default/containers/{container}", ask.scope),
    };
    let services = "Microsoft.Storage/storageAccounts/blobServices";
    let has = match right.roles() {
        Roles::Control(action) => allows(world, oid, Act::Control(&format!("{services}/{action}")), &scope),
        Roles::Data(verbs) => verbs.iter().any(|verb| {
            allows(world, oid, Act::Data(&format!("{services}/containers/blobs/{verb}")), &scope)
        }),
    };
    if has { Ok(()) } else { Err(mismatch()) }
}

fn by_grant(world: &World, ask: &Ask<'_>, grant: &Grant, right: Right) -> Result<(), Response> {
    let (kind, letters) = right.letters();
    let Some(kind) = kind else { return Err(failed()) };
    if kind == '*' {
        return Ok(());
    }
    match &grant.types {
        Some(types) if !(types.contains(kind) || (right == Right::Find && types.contains('s'))) => {
            return Err(refuse(
                403,
                "AuthorizationResourceTypeMismatch",
                "This request is not authorized to perform this operation using this resource type.",
            ));
        }
        None if !right.is_of_blobs() => return Err(mismatch()),
        // what is for one blob is not for its container
        None if kind == 'c' && !grant.whole => return Err(mismatch()),
        _ => {}
    }
    if !grant.permissions.chars().any(|letter| letters.contains(letter)) {
        return Err(mismatch());
    }
    match &grant.delegator {
        Some(oid) => by_role(world, ask, oid, right),
        None => Ok(()),
    }
}

fn mismatch() -> Response {
    refuse(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )
}

/// What a kind of credentials never does.
pub(super) fn failed() -> Response {
    refuse(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
}
