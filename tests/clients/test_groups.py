"""Resource groups, as Microsoft's Python client and the Azure CLI see them."""

from azure.mgmt.resource.resources import ResourceManagementClient
from conftest import refusal


def test_a_group_comes_and_goes(azure):
    groups = azure.management(ResourceManagementClient).resource_groups
    made = groups.create_or_update("rg-sdk", {"location": "westeurope", "tags": {"team": "a"}})
    assert (made.name, made.location, made.properties.provisioning_state) == ("rg-sdk", "westeurope", "Succeeded")
    assert groups.check_existence("RG-SDK")
    groups.begin_delete("rg-sdk").result()
    assert not groups.check_existence("rg-sdk")
    assert refusal(groups.get, "rg-sdk") == (404, "ResourceGroupNotFound")


def test_az_says_what_it_does_not_find(az):
    az("group", "create", "-n", "rg-az", "-l", "westeurope")
    refused = az.refused("group", "show", "-n", "rg-none")
    assert refused.code == 3 and "ResourceGroupNotFound" in refused.text
