# An App Service with a staging slot: its migration step, the swap, and the swap back, as its architecture prints them.
# The plan, the site and its vault are made here, since the document leaves that to its templates.
az group create --name rg-chatbot-prod --location westeurope
az appservice plan create --name plan-chatbot --resource-group rg-chatbot-prod --sku P1v3 --is-linux
az webapp create --name icarus-identity-chatbot --resource-group rg-chatbot-prod --plan plan-chatbot \
  --container-image-name mcr.microsoft.com/k8se/quickstart:latest
az webapp deployment slot create --name icarus-identity-chatbot --resource-group rg-chatbot-prod --slot staging
az keyvault create --name icarus-chatbot-kv --resource-group rg-chatbot-prod --location westeurope
az role assignment create --assignee "$CLIENT_ID" --role "Key Vault Secrets Officer" \
  --scope "$(az keyvault show --name icarus-chatbot-kv --query id -o tsv)"
az keyvault secret set --vault-name icarus-chatbot-kv --name chatbot-db-connection-string --value "postgresql://db"

# Fetch DB URL from Key Vault
DB_URL=$(az keyvault secret show \
  --vault-name icarus-chatbot-kv \
  --name chatbot-db-connection-string \
  --query value -o tsv)
[[ $DB_URL == postgresql://db ]]

# Swap, and roll back: the same in reverse
for _ in swap rollback; do
az webapp deployment slot swap \
  --name icarus-identity-chatbot \
  --resource-group rg-chatbot-prod \
  --slot staging \
  --target-slot production
done

# Another document's first step
az group create --name libra-resources --location eastus
