# A webhook service, from its group to its alerts, as its deployment guide prints it, save for names: those below
# Azure's domains are below local Azure's here. What Azure or its CLI refuses of it is said to be refused.

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

# Login to ACR (without docker the token is printed instead)
az acr login --name elevenlabswebhookacr --expose-token -o none

# Create Key Vault
az keyvault create \
  --name elevenlabs-webhook-kv \
  --resource-group rg-elevenlabs-webhook-prod \
  --location westeurope \
  --enable-rbac-authorization false

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
refused "identity" az containerapp create \
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

# Azure asks for the identity before what it may read: the app first, then its identity and its policy, then its secrets
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
  --system-assigned

# Grant Key Vault access to managed identity
PRINCIPAL_ID=$(az containerapp show \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --query identity.principalId -o tsv)

az keyvault set-policy \
  --name elevenlabs-webhook-kv \
  --object-id $PRINCIPAL_ID \
  --secret-permissions get list

az containerapp secret set \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --secrets \
    "elevenlabs-secret=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/ELEVENLABS-WEBHOOK-SECRET,identityref:system" \
    "topdesk-username=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/TOPDESK-USERNAME,identityref:system" \
    "topdesk-password=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/TOPDESK-PASSWORD,identityref:system" \
    "openai-key=keyvaultref:https://elevenlabs-webhook-kv$KEYVAULT_SUFFIX/secrets/OPENAI-API-KEY,identityref:system"

# Add custom domain
refused "asuid" az containerapp hostname add \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --hostname webhook.yourdomain.com

VERIFICATION=$(az containerapp show --name elevenlabs-webhook-app --resource-group rg-elevenlabs-webhook-prod \
  --query properties.customDomainVerificationId -o tsv)
FQDN=$(az containerapp show --name elevenlabs-webhook-app --resource-group rg-elevenlabs-webhook-prod \
  --query properties.configuration.ingress.fqdn -o tsv)
dns_record asuid.webhook.yourdomain.com TXT "$VERIFICATION"
dns_record webhook.yourdomain.com CNAME "$FQDN"
az containerapp hostname add \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --hostname webhook.yourdomain.com

# Bind certificate (managed certificate)
az containerapp hostname bind \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --hostname webhook.yourdomain.com \
  --environment elevenlabs-webhook-env \
  --validation-method CNAME

# Create Application Insights: `az monitor app-insights` is an extension, whose index is not on this machine; what it
# sends is sent by hand
WORKSPACE=$(az monitor log-analytics workspace create --resource-group rg-elevenlabs-webhook-prod \
  --workspace-name elevenlabs-webhook-logs --query id -o tsv)
INSIGHTS=/subscriptions/$SUBSCRIPTION_ID/resourceGroups/rg-elevenlabs-webhook-prod/providers/Microsoft.Insights/components/elevenlabs-webhook-insights
az rest --method put --url "$INSIGHTS?api-version=2020-02-02" --body "{\"location\": \"westeurope\", \"kind\": \"web\",
  \"properties\": {\"Application_Type\": \"web\", \"WorkspaceResourceId\": \"$WORKSPACE\"}}" -o none

# Get instrumentation key
INSTRUMENTATION_KEY=$(az rest --method get --url "$INSIGHTS?api-version=2020-02-02" \
  --query properties.InstrumentationKey -o tsv)

# Update container app with instrumentation key
az containerapp update \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --set-env-vars "APPLICATIONINSIGHTS_CONNECTION_STRING=InstrumentationKey=$INSTRUMENTATION_KEY"

# Error rate alert
refused "value of --action is invalid" az monitor metrics alert create \
  --name webhook-error-rate \
  --resource-group rg-elevenlabs-webhook-prod \
  --scopes $(az containerapp show --name elevenlabs-webhook-app --resource-group rg-elevenlabs-webhook-prod --query id -o tsv) \
  --condition "avg Percentage CPU > 80" \
  --window-size 5m \
  --evaluation-frequency 1m \
  --action email support@company.com

# Response time alert
az monitor metrics alert create \
  --name webhook-slow-response \
  --resource-group rg-elevenlabs-webhook-prod \
  --scopes $(az containerapp show --name elevenlabs-webhook-app --resource-group rg-elevenlabs-webhook-prod --query id -o tsv) \
  --condition "avg RequestDuration > 10000" \
  --window-size 5m \
  --evaluation-frequency 1m

# Get the webhook URL
WEBHOOK_URL=$(az containerapp show \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --query properties.configuration.ingress.fqdn -o tsv)

# Test health endpoint
fetch "https://$WEBHOOK_URL/elevenlabs/health"

# The pipeline: deploy, then ask for the health
az containerapp update \
  --name elevenlabs-webhook-app \
  --resource-group rg-elevenlabs-webhook-prod \
  --image "elevenlabswebhookacr$ACR_SUFFIX/webhook:latest"
