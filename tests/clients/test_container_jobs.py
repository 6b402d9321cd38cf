"""Jobs: executions that really run, by hand and on schedule, their end as it was seen, and refusals."""

import pytest

from conftest import refusal
from workloads import APPS_API, Apps, until

QUICKSTART_JOB = "mcr.microsoft.com/k8se/quickstart-jobs:latest"


@pytest.fixture(scope="module")
def apps(azure):
    return Apps(azure, group="rgjobs")


@pytest.fixture(scope="module")
def client(azure):
    from azure.mgmt.appcontainers import ContainerAppsAPIClient

    return azure.management(ContainerAppsAPIClient)


def job(apps, mode="once", env=None, configuration=None, **container):
    variables = [{"name": name, "value": value} for name, value in {"MODE": mode, **(env or {})}.items()]
    configuration = {"triggerType": "Manual", "replicaTimeout": 60, "replicaRetryLimit": 0, **apps.login, **(configuration or {})}
    main = {"name": "main", "image": apps.image, "env": variables, **container}
    properties = {"environmentId": apps.environment, "configuration": configuration, "template": {"containers": [main]}}
    return {"location": "westeurope", "properties": properties}


def put(apps, name, body=None, **parts):
    return apps.azure.put(apps.id(name, "jobs"), APPS_API, body or job(apps, **parts))


def start(apps, name, template=None):
    answer = apps.azure.arm("POST", apps.id(name, "jobs") + "/start", APPS_API, template)
    assert answer.status_code in (200, 202), answer.text
    return answer.json()["name"]


def execution(apps, name, which):
    return apps.azure.arm("GET", f"{apps.id(name, 'jobs')}/executions/{which}", APPS_API).json()["properties"]


def ended(apps, name, which):
    until(lambda: execution(apps, name, which)["status"] != "Running")
    return execution(apps, name, which)


def test_an_execution_succeeds_when_its_containers_do(apps):
    put(apps, "good")
    which = start(apps, "good")
    assert which.startswith("good-")
    done = ended(apps, "good", which)
    assert done["status"] == "Succeeded"
    assert done["endTime"] >= done["startTime"]


def test_an_execution_fails_after_its_retries(apps):
    put(apps, "bad", mode="exit", configuration={"replicaRetryLimit": 1})
    done = ended(apps, "bad", start(apps, "bad"))
    assert done["status"] == "Failed"


def test_an_execution_that_takes_too_long_fails(apps):
    put(apps, "slow", mode="idle", configuration={"replicaTimeout": 1})
    assert ended(apps, "slow", start(apps, "slow"))["status"] == "Failed"


def test_an_execution_is_stopped(apps, client):
    put(apps, "long", mode="idle")
    which = start(apps, "long")
    assert execution(apps, "long", which)["status"] == "Running"
    client.jobs.begin_stop_execution("rgjobs", "long", which).result()
    assert execution(apps, "long", which)["status"] == "Stopped"


def test_a_start_may_bring_another_template(apps):
    container = {"name": "main", "image": apps.image, "env": [{"name": "MODE", "value": "exit"}]}
    which = start(apps, "good", {"containers": [container]})
    assert ended(apps, "good", which)["status"] == "Failed"
    assert ended(apps, "good", start(apps, "good"))["status"] == "Succeeded", "it was for once"


def test_several_replicas_must_succeed(apps):
    put(apps, "many", configuration={"manualTriggerConfig": {"parallelism": 2, "replicaCompletionCount": 3}})
    assert ended(apps, "many", start(apps, "many"))["status"] == "Succeeded"


def test_a_schedule_fires_when_the_clock_moves(apps):
    schedule = {"cronExpression": "*/5 * * * *", "parallelism": 1, "replicaCompletionCount": 1}
    put(apps, "cron", configuration={"triggerType": "Schedule", "scheduleTriggerConfig": schedule})

    def executions():
        return apps.azure.arm("GET", apps.id("cron", "jobs") + "/executions", APPS_API).json()["value"]

    assert executions() == []
    apps.azure.advance("PT10M")
    assert len(executions()) == 2
    until(lambda: {it["properties"]["status"] for it in executions()} == {"Succeeded"})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"triggerType": "Never"}, "InvalidParameterValueInContainerTemplate"),
        ({"replicaTimeout": 0}, "InvalidParameterValueInContainerTemplate"),
        ({"replicaRetryLimit": -1}, "InvalidParameterValueInContainerTemplate"),
        ({"triggerType": "Schedule", "scheduleTriggerConfig": {"cronExpression": "61 * * * *"}}, "InvalidCronExpression"),
        ({"triggerType": "Event", "eventTriggerConfig": {}}, "InvalidParameterValueInContainerTemplate"),
        ({"ingress": {"targetPort": 80}}, "InvalidParameterValueInContainerTemplate"),
    ],
)
def test_jobs_that_azure_refuses(apps, change, code):
    answer = apps.azure.arm("PUT", apps.id("never", "jobs"), APPS_API, job(apps, configuration=change))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_secrets_of_a_job_are_listed(apps):
    listed = apps.post(apps.id("good", "jobs") + "/listSecrets").json()["value"]
    assert listed[0]["name"] == "pull" and listed[0]["value"]


def test_microsofts_client_starts_and_lists(apps, client):
    begun = client.jobs.begin_start("rgjobs", "good").result()
    assert ended(apps, "good", begun.name)["status"] == "Succeeded"
    assert begun.name in [it.name for it in client.jobs_executions.list("rgjobs", "good")]
    assert client.job_execution("rgjobs", "good", begun.name).status == "Succeeded"
    assert refusal(client.jobs.get, "rgjobs", "none") == (404, "ResourceNotFound")
    assert {"good", "bad"} <= {it.name for it in client.jobs.list_by_resource_group("rgjobs")}
    client.jobs.begin_delete("rgjobs", "many").result()


def test_az_runs_a_job(apps, az):
    common = ("-n", "cli", "-g", "rgjobs")
    az("containerapp", "job", "create", *common, "--environment", "env1", "--trigger-type", "Manual", "--replica-timeout", "60", "--replica-retry-limit", "0",
       "--image", QUICKSTART_JOB, "--cpu", "0.25", "--memory", "0.5Gi")
    name = az("containerapp", "job", "start", *common)["name"]
    assert ended(apps, "cli", name)["status"] == "Succeeded"
    assert [it["name"] for it in az("containerapp", "job", "execution", "list", *common)] == [name]
    az("containerapp", "job", "update", *common, "--cpu", "0.5", "--memory", "1Gi")
    az("containerapp", "job", "secret", "set", *common, "--secrets", "x=y")
    assert az.run("containerapp", "job", "delete", *common, "-y").returncode == 0
