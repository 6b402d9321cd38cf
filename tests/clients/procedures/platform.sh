# A platform from its providers to its budget, as its deployment manual prints it, save for names and for what it
# leaves to a Bicep template (its compiler is no package of any registry): the network, the environment, the app.
AZURE_SUBSCRIPTION_ID=$SUBSCRIPTION_ID
ENVIRONMENT=prod
AZURE_LOCATION=australiaeast

# Set subscription
az account set --subscription "$AZURE_SUBSCRIPTION_ID"

# Verify subscription
az account show --query "{name:name, id:id}" -o table

# Register required providers
az provider register --namespace Microsoft.App
az provider register --namespace Microsoft.ContainerRegistry
az provider register --namespace Microsoft.OperationalInsights
az provider register --namespace Microsoft.KeyVault
az provider register --namespace Microsoft.Storage
az provider register --namespace Microsoft.CognitiveServices
az provider register --namespace Microsoft.Communication

# Check registration status
[[ $(az provider show -n Microsoft.App --query "registrationState" -o tsv) == Registered ]]

# Create resource group
az group create \
  --name "rg-talenti-${ENVIRONMENT}-aue" \
  --location "$AZURE_LOCATION" \
  --tags "project=talenti" "environment=${ENVIRONMENT}"

# The template: vault, network, workspace, environment, identity
az keyvault create --name kv-talenti-prod-aue --resource-group rg-talenti-prod-aue --location australiaeast
az role assignment create --assignee "$CLIENT_ID" --role "Key Vault Secrets Officer" \
  --scope "$(az keyvault show --name kv-talenti-prod-aue --query id -o tsv)"
az network vnet create --resource-group rg-talenti-prod-aue --name vnet-talenti --address-prefixes 10.0.0.0/16
az network vnet subnet create --resource-group rg-talenti-prod-aue --vnet-name vnet-talenti \
  --name snet-private-endpoints --address-prefixes 10.0.2.0/24
az monitor log-analytics workspace create --resource-group rg-talenti-prod-aue --workspace-name law-talenti-prod-aue
az identity create --resource-group rg-talenti-prod-aue --name id-talenti-prod-aue

# Create secrets in Key Vault
for SECRET in database-url jwt-secret jwt-issuer jwt-audience azure-storage-account azure-storage-account-key \
  azure-storage-container azure-openai-endpoint azure-openai-key azure-speech-key acs-connection-string; do
az keyvault secret set --vault-name kv-talenti-prod-aue --name "$SECRET" --value "value of $SECRET"
done

# List secrets
[[ $(az keyvault secret list --vault-name kv-talenti-prod-aue --query "length(@)") == 11 ]]
az keyvault secret list --vault-name kv-talenti-prod-aue --query "[].name" -o table

# Create ACR
az acr create \
  --resource-group rg-talenti-prod-aue \
  --name acrtalentiprod \
  --sku Premium \
  --zone-redundancy enabled \
  --admin-enabled false

# Enable content trust (image signing): retired, and so the CLI takes it no more
refused "not a valid value for '--status'" az acr config content-trust update \
  --registry acrtalentiprod \
  --status enabled

# Create service principal for GitHub Actions: there is no directory to make one in
refused "There is no Microsoft Graph" az ad sp create-for-rbac \
  --name "sp-github-talenti" \
  --role contributor \
  --scopes /subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/rg-talenti-prod-aue \
  --sdk-auth

# Grant ACR push permission
SP_ID=$CLIENT_ID
ACR_ID=$(az acr show --name acrtalentiprod --query id -o tsv)

az role assignment create \
  --assignee $SP_ID \
  --role AcrPush \
  --scope $ACR_ID

# Login to ACR, push image
az acr login --name acrtalentiprod --expose-token -o none
push_image acrtalentiprod talenti-api:latest
push_image acrtalentiprod talenti-api:v1.2.3

# Create storage account
az storage account create \
  --name sttalentiprodaue \
  --resource-group rg-talenti-prod-aue \
  --location australiaeast \
  --sku Standard_ZRS \
  --kind StorageV2 \
  --min-tls-version TLS1_2 \
  --allow-blob-public-access false

# Create containers (by role: the owner has none for data)
az role assignment create --assignee "$CLIENT_ID" --role "Storage Blob Data Contributor" \
  --scope "$(az storage account show --name sttalentiprodaue --query id -o tsv)"
az storage container create \
  --name interview-recordings \
  --account-name sttalentiprodaue \
  --auth-mode login

az storage container create \
  --name candidate-documents \
  --account-name sttalentiprodaue \
  --auth-mode login

# Configure lifecycle management
cat >storage-lifecycle-policy.json <<'POLICY'
{
  "rules": [
    {
      "enabled": true,
      "name": "delete-old-recordings",
      "type": "Lifecycle",
      "definition": {
        "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 30}}},
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["interview-recordings/"]}
      }
    },
    {
      "enabled": true,
      "name": "archive-old-exports",
      "type": "Lifecycle",
      "definition": {
        "actions": {"baseBlob": {"tierToArchive": {"daysAfterModificationGreaterThan": 90}}},
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["exports/"]}
      }
    }
  ]
}
POLICY
refused "the following arguments are required: --resource-group" az storage account management-policy create \
  --account-name sttalentiprodaue \
  --policy @storage-lifecycle-policy.json
# Azure has no archive on zone-redundant storage: the second rule is for other accounts
az storage account management-policy create \
  --account-name sttalentiprodaue \
  --resource-group rg-talenti-prod-aue \
  --policy "$("$PYTHON" -c 'import json; d = json.load(open("storage-lifecycle-policy.json")); print(json.dumps({"rules": d["rules"][:1]}))')"

# Create private endpoint for Key Vault
az network private-endpoint create \
  --name pe-keyvault-talenti \
  --resource-group rg-talenti-prod-aue \
  --vnet-name vnet-talenti \
  --subnet snet-private-endpoints \
  --private-connection-resource-id $(az keyvault show --name kv-talenti-prod-aue --query id -o tsv) \
  --group-id vault \
  --connection-name conn-keyvault

# Create private endpoint for Storage
az network private-endpoint create \
  --name pe-storage-talenti \
  --resource-group rg-talenti-prod-aue \
  --vnet-name vnet-talenti \
  --subnet snet-private-endpoints \
  --private-connection-resource-id $(az storage account show --name sttalentiprodaue --query id -o tsv) \
  --group-id blob \
  --connection-name conn-storage

# The template: environment and application
az role assignment create --role AcrPull --scope "$ACR_ID" --assignee-principal-type ServicePrincipal \
  --assignee-object-id "$(az identity show --resource-group rg-talenti-prod-aue --name id-talenti-prod-aue --query principalId -o tsv)"
IDENTITY=$(az identity show --resource-group rg-talenti-prod-aue --name id-talenti-prod-aue --query id -o tsv)
az containerapp env create --name cae-talenti-prod-aue --resource-group rg-talenti-prod-aue --location australiaeast \
  --logs-destination none
az containerapp create --name ca-api-talenti-prod-aue --resource-group rg-talenti-prod-aue \
  --environment cae-talenti-prod-aue --image mcr.microsoft.com/k8se/quickstart:latest --user-assigned "$IDENTITY" \
  --ingress external --target-port 8000 --min-replicas 2 --max-replicas 10 --revisions-mode multiple
APP=$(az containerapp show --name ca-api-talenti-prod-aue --resource-group rg-talenti-prod-aue --query id -o tsv)
az rest --method patch --url "$APP?api-version=2025-07-01" --body "{\"properties\": {\"configuration\": {\"registries\":
  [{\"server\": \"acrtalentiprod$ACR_SUFFIX\", \"identity\": \"$IDENTITY\"}]}}}"

# Deploy container app
az containerapp update \
  --name "ca-api-talenti-${ENVIRONMENT}-aue" \
  --resource-group "rg-talenti-${ENVIRONMENT}-aue" \
  --image "acrtalenti${ENVIRONMENT}$ACR_SUFFIX/talenti-api:latest"

# Verify deployment
az containerapp show \
  --name "ca-api-talenti-${ENVIRONMENT}-aue" \
  --resource-group "rg-talenti-${ENVIRONMENT}-aue" \
  --query "properties.latestRevisionFqdn" -o tsv

# Check image exists in ACR
EXISTS=$(az acr repository show-tags \
  --name acrtalentiprod \
  --repository talenti-api \
  --query "contains(@, 'v1.2.3')" \
  --output tsv)
[[ $EXISTS == true ]]

# Get current deployment state
CURRENT=$(az containerapp revision list \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "[?properties.active].name | [0]" \
  --output tsv)

# Create new revision with 0% traffic
az containerapp ingress traffic set --name ca-api-talenti-prod-aue --resource-group rg-talenti-prod-aue \
  --revision-weight "$CURRENT=100"
az containerapp update \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --image "acrtalentiprod$ACR_SUFFIX/talenti-api:v1.2.3" \
  --revision-suffix "deploy-17" \
  --set-env-vars "DEPLOY_SHA=0123abc"

# Get new revision name
NEW_REVISION=$(az containerapp revision list \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "sort_by(@, &properties.createdTime)[-1].name" \
  --output tsv)
[[ $NEW_REVISION == ca-api-talenti-prod-aue--deploy-17 ]]

# Health check new revision
FQDN=$(az containerapp show \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "properties.configuration.ingress.fqdn" \
  --output tsv)
fetch "https://${FQDN}/health/ready"

# Canary deployment (10% traffic)
az containerapp ingress traffic set \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --revision-weight \
    "$CURRENT=90" \
    "$NEW_REVISION=10"

# Full rollout (100% traffic): what is not named keeps its weight until it is named, so the other goes first
az containerapp ingress traffic set \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --revision-weight "$NEW_REVISION=100"

# Deactivate old revision
REVISIONS=$(az containerapp revision list \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "sort_by(@, &properties.createdTime)[:-1].name" \
  --output tsv)
for REV in $REVISIONS; do
  az containerapp revision deactivate \
    --name ca-api-talenti-prod-aue \
    --resource-group rg-talenti-prod-aue \
    --revision "${REV}"
done

# Rollback to previous revision
az containerapp revision activate --name ca-api-talenti-prod-aue --resource-group rg-talenti-prod-aue --revision "$CURRENT"
az containerapp ingress traffic set \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --revision-weight "$CURRENT=100"

# Create action group
refused "Failed to parse '--email-receivers'" az monitor action-group create \
  --name ag-talenti-alerts \
  --resource-group rg-talenti-prod-aue \
  --short-name talenti \
  --email-receiver name=ops email=ops@talenti.app
az monitor action-group create \
  --name ag-talenti-alerts \
  --resource-group rg-talenti-prod-aue \
  --short-name talenti \
  --action email ops ops@talenti.app

# High error rate alert
az monitor metrics alert create \
  --name "High Error Rate" \
  --resource-group rg-talenti-prod-aue \
  --scopes $(az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query id -o tsv) \
  --condition "avg requests/failed > 10" \
  --window-size 5m \
  --evaluation-frequency 1m \
  --action ag-talenti-alerts \
  --severity 2

# High latency alert
az monitor metrics alert create \
  --name "High Latency" \
  --resource-group rg-talenti-prod-aue \
  --scopes $(az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query id -o tsv) \
  --condition "avg requests/duration > 5000" \
  --window-size 5m \
  --evaluation-frequency 1m \
  --action ag-talenti-alerts \
  --severity 3

# Load testing is an extension, whose index is not on this machine
refused "extension" az extension add --name load

# Storage account geo-replication: zone-redundant accounts become RA-GZRS; Azure converts none to RA-GRS
refused StorageAccountTypeConversionNotAllowed az storage account update \
  --name sttalentiprodaue \
  --sku Standard_RAGRS
az storage account update --name sttalentiprodaue --sku Standard_RAGZRS

# Key Vault soft-delete and purge protection: the first is always on, and so the CLI takes it no more
refused "unrecognized arguments: --enable-soft-delete" az keyvault update \
  --name kv-talenti-prod-aue \
  --enable-soft-delete true \
  --enable-purge-protection true
az keyvault update \
  --name kv-talenti-prod-aue \
  --enable-purge-protection true

# ACR geo-replication
az acr replication create \
  --registry acrtalentiprod \
  --location southeastasia

# Create recovery resource group
az group create \
  --name rg-talenti-dr-sea \
  --location southeastasia

# Check revision status
az containerapp revision list \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "[].{name:name, status:properties.runningState, created:properties.createdTime}" \
  --output table

# View container logs
az containerapp logs show \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue

# Check system logs
az containerapp logs show \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --type system

# Verify ACR connectivity (without docker it ends where it looks for it)
refused "DOCKER_COMMAND_ERROR" az acr check-health \
  --name acrtalentiprod \
  --yes

# Check managed identity permissions
az role assignment list \
  --assignee $(az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query "identity.userAssignedIdentities.*.principalId" -o tsv) \
  --scope $(az acr show --name acrtalentiprod --query id -o tsv) \
  --output table

# Verify Key Vault access
az keyvault secret list \
  --vault-name kv-talenti-prod-aue \
  --query "[].name" -o table

# Check managed identity Key Vault permissions
az role assignment list \
  --assignee $(az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query "identity.userAssignedIdentities.*.principalId" -o tsv) \
  --scope $(az keyvault show --name kv-talenti-prod-aue --query id -o tsv) \
  --output table

# Check container metrics
az monitor metrics list \
  --resource $(az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query id -o tsv) \
  --metric "CpuUsage" "MemoryUsage" "Requests" \
  --interval PT1M \
  --output table

# Check scaling history
az containerapp revision list \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "[].{name:name, replicas:properties.replicas}" \
  --output table

# Get current deployment info
az containerapp show \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --query "{fqdn:properties.configuration.ingress.fqdn, latestRevision:properties.latestRevisionName, replicas:properties.template.scale}" \
  --output json

# Use Consumption tier for non-prod
az containerapp env update \
  --name cae-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --workload-profile-type Consumption

# Enable auto-shutdown for dev environment
az containerapp update \
  --name ca-api-talenti-prod-aue \
  --resource-group rg-talenti-prod-aue \
  --min-replicas 0

# Configure log retention
az monitor log-analytics workspace update \
  --resource-group rg-talenti-prod-aue \
  --workspace-name law-talenti-prod-aue \
  --retention-time 30

# View current month costs
az consumption usage list \
  --subscription $AZURE_SUBSCRIPTION_ID \
  --start-date $(date -d "$(date +%Y-%m-01)" +%Y-%m-%d) \
  --end-date $(date +%Y-%m-%d) \
  --query "[?contains(instanceName, 'talenti')].{name:instanceName, cost:pretaxCost}" \
  --output table

# Set up budget alert (the printed end is in the past)
refused "end date" az consumption budget create \
  --budget-name budget-talenti-monthly \
  --amount 2000 \
  --category Cost \
  --time-grain Monthly \
  --start-date $(date +%Y-%m-01) \
  --end-date 2025-12-31 \
  --resource-group rg-talenti-prod-aue
az consumption budget create \
  --budget-name budget-talenti-monthly \
  --amount 2000 \
  --category Cost \
  --time-grain Monthly \
  --start-date $(date +%Y-%m-01) \
  --end-date $(date -d "next year" +%Y-12-31) \
  --resource-group rg-talenti-prod-aue

# Update container image
az containerapp update -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --image "acrtalentiprod$ACR_SUFFIX/talenti-api:v1.2.3"

# Scale manually
az containerapp update -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --min-replicas 5 --max-replicas 20

# Restart container
az containerapp revision restart -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --revision "$CURRENT"

# Update secret
az keyvault secret set --vault-name kv-talenti-prod-aue --name azure-openai-key --value "<new-value>"

# List revisions
az containerapp revision list -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue -o table

# Get container app URL
az containerapp show -n ca-api-talenti-prod-aue -g rg-talenti-prod-aue --query "properties.configuration.ingress.fqdn" -o tsv
