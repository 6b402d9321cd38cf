# A webhook service, from its group to its alerts, as its deployment guide prints it.
# Names that end in Azure's suffixes take local Azure's; an image is pushed where the guide says `docker push`.

# Create resource group
az group create \
  --name rg-elevenlabs-webhook-prod \
  --location westeurope

# Tags
az group update \
  --name rg-elevenlabs-webhook-prod \
  --tags environment=production service=webhook project=elevenlabs

# Create ACR
az acr create \
  --name elevenlabswebhookacr \
  --resource-group rg-elevenlabs-webhook-prod \
  --sku Basic \
  --admin-enabled true

# Login to ACR
az acr login --name elevenlabswebhookacr --expose-token # docker is not needed: the token is what it would be given

# Create Key Vault
az keyvault create \
  --name elevenlabs-webhook-kv \
  --resource-group rg-elevenlabs-webhook-prod \
  --location westeurope \
  --enable-rbac-authorization false

# The CLI would give the caller a policy, had it Microsoft Graph to ask who that is
az keyvault set-policy --name elevenlabs-webhook-kv --object-id "$OBJECT_ID" --secret-permissions all

# Add secrets
az keyvault secret set --vault-name elevenlabs-webhook-kv \
  --name ELEVENLABS-WEBHOOK-SECRET --value "your-secret-here"

az keyvault secret set --vault-name elevenlabs-webhook-kv \
  --name TOPDESK-USERNAME --value "api_user"

az keyvault secret set --vault-name elevenlabs-webhook-kv \
  --name TOPDESK-PASSWORD --value "password"

az keyvault secret set --vault-name elevenlabs-webhook-kv \
  --name OPENAI-API-KEY --value "sk-..."

# Create storage account
az storage account create \
  --name elevenlabstranscripts \
  --resource-group rg-elevenlabs-webhook-prod \
  --location westeurope \
  --sku Standard_LRS \
  --access-tier Cool

# Create container
az storage container create \
  --account-name elevenlabstranscripts \
  --name transcripts \
  --public-access off

# Push to ACR
push_image elevenlabswebhookacr webhook:latest

# Create Container Apps environment
az containerapp env create \
  --name elevenlabs-webhook-env \
  --resource-group rg-elevenlabs-webhook-prod \
  --location westeurope

# Create container app with managed identity
az containerapp create \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --environment elevenlabs-webhook-env \
  --image "elevenlabswebhookacr$ACR_SUFFIX/webhook:latest" \
  --target-port 8000 \
  --ingress external \
  --min-replicas 0 \
  --max-replicas 10 \
  --cpu 0.5 \
  --memory 1Gi \
  --registry-server "elevenlabswebhookacr$ACR_SUFFIX" \
  --registry-username $(az acr credential show -n elevenlabswebhookacr --query username -o tsv) \
  --registry-password $(az acr credential show -n elevenlabswebhookacr --query passwords[0].value -o tsv) \
  --env-vars \
    "TOPDESK_URL=https://pietervanforeest-test.topdesk.net/tas/api" \
    "STORAGE_ENABLED=true" \
  --secrets \
    "elevenlabs-secret=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/ELEVENLABS-WEBHOOK-SECRET,identityref:system" \
    "topdesk-username=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/TOPDESK-USERNAME,identityref:system" \
    "topdesk-password=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/TOPDESK-PASSWORD,identityref:system" \
    "openai-key=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/OPENAI-API-KEY,identityref:system"

# Grant Key Vault access to managed identity
PRINCIPAL_ID=$(az containerapp show \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --query identity.principalId -o tsv)

az keyvault set-policy \
  --name elevenlabs-webhook-kv \
  --object-id $PRINCIPAL_ID \
  --secret-permissions get list
