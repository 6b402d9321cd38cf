"""The command line procedures of deployment guides, by the Azure CLI.

Here are their most telling chains. `procedures/` has each guide whole, command by command as printed save for names;
LANDFALL_PROCEDURES=all (or the name of one: `webhook`) runs them, in some minutes:
    LANDFALL_PROCEDURES=all LANDFALL_BIN=target/debug/landfall PYTHON -m pytest tests/clients/test_procedures.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("procedures")
WANTED = os.environ.get("LANDFALL_PROCEDURES", "")


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.sh") if path.stem != "common"))
def test_a_guide_runs_as_it_is_printed(azure, az, name, tmp_path):
    if WANTED not in ("all", name):
        pytest.skip("LANDFALL_PROCEDURES=all runs whole guides")
    environment = {
        **az.environment,
        **{key: azure.env[key] for key in ("ARM_URL", "SUBSCRIPTION_ID", "CLIENT_ID", "ACR_SUFFIX", "KEYVAULT_SUFFIX")},
        "PATH": f"{Path(az.program).parent}:{os.environ['PATH']}",
        "HERE": str(FOLDER),
        "WORK": str(tmp_path),
        "PYTHON": sys.executable,
        "OBJECT_ID": azure.object_id(),
    }
    script = f"source {FOLDER}/common.sh; set -x; source {FOLDER}/{name}.sh"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment)
    told = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
    assert done.returncode == 0, "\n".join(told[-25:])


def test_a_vault_is_made_with_a_policy_for_whoever_makes_it_and_takes_its_secrets(az):
    az("group", "create", "--name", "rg-webhook", "--location", "westeurope")
    vault = az("keyvault", "create", "--name", "webhook-kv", "--resource-group", "rg-webhook", "--location",
               "westeurope", "--enable-rbac-authorization", "false")  # fmt: skip
    assert len(vault["properties"]["accessPolicies"]) == 1
    az("keyvault", "secret", "set", "--vault-name", "webhook-kv", "--name", "TOPDESK-USERNAME", "--value", "api_user")
    shown = az("keyvault", "secret", "list", "--vault-name", "webhook-kv", "--query", "[].name")
    assert shown == ["TOPDESK-USERNAME"]


def test_an_assignee_is_found_by_its_client_id(az, azure):
    client = azure.env["CLIENT_ID"]
    az("acr", "create", "--name", "acrprocedures", "--resource-group", "rg-webhook", "--sku", "Basic")
    registry = az("acr", "show", "--name", "acrprocedures", "--query", "id")
    az("role", "assignment", "create", "--assignee", client, "--role", "AcrPush", "--scope", registry)
    listed = az("role", "assignment", "list", "--assignee", client, "--scope", registry)
    assert [it["roleDefinitionName"] for it in listed] == ["AcrPush"]
    assert listed[0]["principalName"] == client


def test_a_revision_is_made_watched_and_given_traffic(az):
    app = ("--name", "ca-api", "--resource-group", "rg-webhook")
    az("containerapp", "env", "create", "--name", "cae", "--resource-group", "rg-webhook", "--logs-destination", "none")
    az("containerapp", "create", *app, "--environment", "cae", "--image", "mcr.microsoft.com/k8se/quickstart:latest",
       "--ingress", "external", "--target-port", "80", "--revisions-mode", "multiple")  # fmt: skip
    active = ("containerapp", "revision", "list", *app, "--query", "[?properties.active].name | [0]")
    current = az(*active)
    az("containerapp", "update", *app, "--revision-suffix", "deploy-1", "--set-env-vars", "DEPLOY_SHA=abc")
    newest = az("containerapp", "revision", "list", *app, "--query", "sort_by(@, &properties.createdTime)[-1].name")
    assert newest == "ca-api--deploy-1"
    set_traffic = ("containerapp", "ingress", "traffic", "set", *app, "--revision-weight")
    weights = az(*set_traffic, f"{current}=90", f"{newest}=10", "latest=0")
    assert {it.get("revisionName"): it["weight"] for it in weights if it["weight"]} == {current: 90, newest: 10}
