"""What applications do with Microsoft's azure-storage-blob, against the local Azure that the environment names
(as `landfall local env` prints it). Ends with `ALL OK`, or with the first thing that differs from Azure."""
import os, datetime as dt, json, urllib.request, ssl, socket, time
_orig = socket.getaddrinfo
def gai(host, *a, **k):
    if isinstance(host, str) and host.endswith('.localhost'): host = '127.0.0.1'
    return _orig(host, *a, **k)
socket.getaddrinfo = gai
E=os.environ
os.environ['REQUESTS_CA_BUNDLE']=E['CA_FILE']
from azure.identity import ClientSecretCredential
from azure.storage.blob import *
from azure.core.exceptions import *
from azure.core import MatchConditions
cred=ClientSecretCredential(E['TENANT_ID'],E['CLIENT_ID'],E['CLIENT_SECRET'],authority=E['AUTH_URL'],disable_instance_discovery=True)
ctx=ssl.create_default_context(cafile=E['CA_FILE'])
def arm(m,p,body=None):
    tok=ClientSecretCredential(E['TENANT_ID'],E['CLIENT_ID'],E['CLIENT_SECRET'],authority=E['AUTH_URL'],disable_instance_discovery=True).get_token(E['ARM_URL']+'/.default').token
    r=urllib.request.Request(E['ARM_URL']+p,method=m,data=json.dumps(body).encode() if body is not None else None,headers={'Authorization':'Bearer '+tok,'content-type':'application/json'})
    try:
        with urllib.request.urlopen(r,context=ctx) as f: return f.status, json.loads(f.read() or b'null')
    except urllib.error.HTTPError as e: return e.code, json.loads(e.read() or b'null')
def clock(s):
    r=urllib.request.Request(E['ARM_URL']+'/_local/clock',method='POST',data=json.dumps({'advance':s}).encode())
    return json.loads(urllib.request.urlopen(r,context=ctx).read())
S='/subscriptions/'+E['SUBSCRIPTION_ID']; G=S+'/resourceGroups/rg1'; A=G+'/providers/Microsoft.Storage/storageAccounts/stpy1'
V='?api-version=2023-05-01'
arm('PUT',G+'?api-version=2024-11-01',{'location':'westeurope'})
print(arm('PUT',A+V,{'location':'westeurope','kind':'StorageV2','sku':{'name':'Standard_LRS'},'properties':{}})[0])
while arm('GET',A+V)[1].get('properties',{}).get('provisioningState')!='Succeeded': time.sleep(.05)
keys=arm('POST',A+'/listKeys'+V,{})[1]['keys']; key=keys[0]['value']
import base64
def code(f,*a,**k):
    try: r=f(*a,**k)
    except HttpResponseError as e: return e.status_code, e.error_code if hasattr(e,'error_code') else None
    return 'ok', r
def expect(want,f,*a,**k):
    got=code(f,*a,**k)
    g = got if got[0]!='ok' else 'ok'
    assert g==want or (g!='ok' and (g[0],str(getattr(g[1],'value',g[1])))==want), (want,got)
host='https://stpy1'+E['BLOB_SUFFIX']
svc=BlobServiceClient(host,credential={'account_name':'stpy1','account_key':key})
c=svc.create_container('docs',metadata={'a_b':'1','ab':'2','a':'3'})
assert c.get_container_properties().metadata=={'a_b':'1','ab':'2','a':'3'}
b=c.get_blob_client('dir/x y+ü.txt')
b.upload_blob(b'hello world',metadata={'m':'v'},tags={'env':'prod','n':'1'},overwrite=True)
assert b.download_blob().readall()==b'hello world'
assert b.download_blob(offset=2,length=3).readall()==b'llo'
expect((409,'BlobAlreadyExists'),b.upload_blob,b'x')
assert b.get_blob_tags()=={'env':'prod','n':'1'}
print([x.name for x in c.list_blobs()])
print([ (x.name,x.container_name,x.tags) for x in svc.find_blobs_by_tags("\"env\"='prod' AND @container = 'docs'")])
print(svc.get_account_information()['sku_name'], svc.get_service_properties()['delete_retention_policy'].enabled)
# bad key
bad=BlobServiceClient(host,credential={'account_name':'stpy1','account_key':base64.b64encode(b'x'*64).decode()})
expect((403,'AuthenticationFailed'),bad.get_account_information)
# big upload
big=os.urandom(9_000_000)
bb=BlobClient(host,'docs','big',credential={'account_name':'stpy1','account_key':key},max_single_put_size=1<<20,max_block_size=1<<20)
bb.upload_blob(big,max_concurrency=4); assert bb.download_blob(max_concurrency=4).readall()==big
# append blob
ab=c.get_blob_client('log'); ab.create_append_blob(); ab.append_block(b'one'); ab.append_block(b'two'); assert ab.download_blob().readall()==b'onetwo'
# account SAS
now=dt.datetime.now(dt.timezone.utc); later=now+dt.timedelta(hours=1)
def asas(perm,rt='sco',**k): return generate_account_sas('stpy1',key,ResourceTypes.from_string(rt),AccountSasPermissions.from_string(perm),later,**k)
s=BlobServiceClient(host,credential=asas('rl'))
assert [x.name for x in s.list_containers()]==['docs']
sb=s.get_blob_client('docs','dir/x y+ü.txt')
assert sb.download_blob().readall()==b'hello world'
expect((403,'AuthorizationPermissionMismatch'),sb.upload_blob,b'x',overwrite=True)
expect((403,'AuthorizationResourceTypeMismatch'),BlobServiceClient(host,credential=asas('rl','o')).get_container_client('docs').get_container_properties)
expect((403,'AuthorizationSourceIPMismatch'),BlobServiceClient(host,credential=asas('rl',ip='10.0.0.1')).get_blob_client('docs','big').get_blob_properties)
expect('ok',BlobServiceClient(host,credential=asas('rl',ip='127.0.0.1-127.0.0.2')).get_blob_client('docs','big').get_blob_properties)
# service SAS
bs=generate_blob_sas('stpy1','docs','dir/x y+ü.txt',account_key=key,permission=BlobSasPermissions(read=True),expiry=later,content_type='text/odd')
x=BlobClient(host,'docs','dir/x y+ü.txt',credential=bs)
d=x.download_blob(); assert d.readall()==b'hello world' and d.properties.content_settings.content_type=='text/odd'
expect((403,'AuthenticationFailed'),BlobClient(host,'docs','big',credential=bs).get_blob_properties)
cs=generate_container_sas('stpy1','docs',account_key=key,permission=ContainerSasPermissions(read=True,list=True,write=True),expiry=later)
cc=ContainerClient(host,'docs',credential=cs); assert 'big' in [q.name for q in cc.list_blobs()]
cc.upload_blob('new','n'); expect((403,'AuthorizationPermissionMismatch'),cc.delete_blob,'new')
expect((403,'AuthorizationPermissionMismatch'),cc.get_container_properties)
# stored policy
c.set_container_access_policy({'p1':AccessPolicy(permission=ContainerSasPermissions(read=True),expiry=later,start=now-dt.timedelta(hours=1))})
pol=c.get_container_access_policy(); print(pol['public_access'],[(i.id,i.access_policy.permission) for i in pol['signed_identifiers']])
ps=generate_container_sas('stpy1','docs',account_key=key,policy_id='p1')
expect('ok',BlobClient(host,'docs','big',credential=ps).get_blob_properties)
c.set_container_access_policy({})
expect((403,'AuthenticationFailed'),BlobClient(host,'docs','big',credential=ps).get_blob_properties)
expect((409,'PublicAccessNotPermitted'),c.set_container_access_policy,{},public_access=PublicAccess.BLOB)
# Entra + UDK
es=BlobServiceClient(host,credential=cred)
expect((403,'AuthorizationPermissionMismatch'),es.get_blob_client('docs','big').get_blob_properties)
oid=json.loads(base64.urlsafe_b64decode(cred.get_token('https://storage.azure.com/.default').token.split('.')[1]+'=='))['oid']
role='ba92f5b4-2d11-453d-a403-e96b0029c9fe'
print(arm('PUT',A+'/providers/Microsoft.Authorization/roleAssignments/'+'11111111-aaaa-bbbb-cccc-000000000001?api-version=2022-04-01',{'properties':{'roleDefinitionId':S+'/providers/Microsoft.Authorization/roleDefinitions/'+role,'principalId':oid,'principalType':'ServicePrincipal'}})[0])
expect('ok',es.get_blob_client('docs','big').get_blob_properties)
k=es.get_user_delegation_key(now-dt.timedelta(minutes=5),later)
us=generate_blob_sas('stpy1','docs','big',user_delegation_key=k,permission=BlobSasPermissions(read=True),expiry=later)
expect('ok',BlobClient(host,'docs','big',credential=us).get_blob_properties)
expect((403,'AuthorizationPermissionMismatch'),BlobClient(host,'docs','big',credential=us).delete_blob)
expect((400,'InvalidXmlNodeValue'),es.get_user_delegation_key,now,now+dt.timedelta(days=9))
expect((403,'AuthorizationFailure'),svc.get_user_delegation_key,now,later)
arm('POST',A+'/revokeUserDelegationKeys'+V,{})
expect((403,'AuthenticationFailed'),BlobClient(host,'docs','big',credential=us).get_blob_properties)
# leases
lb=c.get_blob_client('leased'); lb.upload_blob(b'1')
l=lb.acquire_lease(15)
expect((412,'LeaseIdMissing'),lb.upload_blob,b'2',overwrite=True)
expect((409,'LeaseAlreadyPresent'),lb.acquire_lease,15)
lb.upload_blob(b'2',overwrite=True,lease=l)
assert lb.get_blob_properties().lease.state=='leased'
l.renew(); old=l.id; l.change('aaaaaaaa-0000-0000-0000-000000000001')
expect((412,'LeaseIdMismatchWithBlobOperation'),lb.set_blob_metadata,{},lease=old)
assert l.break_lease(10) in range(8,11)
assert lb.get_blob_properties().lease.state=='breaking'
l.release(); lb.acquire_lease(15); clock('PT20S'); assert lb.get_blob_properties().lease.state=='expired'
lb.upload_blob(b'3',overwrite=True); assert lb.get_blob_properties().lease.state=='available'
cl=c.acquire_lease(-1); expect((412,'LeaseIdMissing'),c.delete_container); cl.release()
# snapshots
snap=lb.create_snapshot(); lb.upload_blob(b'4',overwrite=True)
assert lb.from_blob_url(lb.url,credential={'account_name':'stpy1','account_key':key},snapshot=snap).download_blob().readall()==b'3'
expect((409,'SnapshotsPresent'),lb.delete_blob)
print([(i.name,i.snapshot) for i in c.list_blobs(include=['snapshots'],name_starts_with='leased')])
lb.delete_blob(delete_snapshots='include')
expect((404,'BlobNotFound'),lb.get_blob_properties)
# soft delete via data plane
svc.set_service_properties(delete_retention_policy=RetentionPolicy(True,3),cors=[CorsRule(['*'],['GET'])])
print(arm('GET',A+'/blobServices/default'+V)[1]['properties'])
lb.upload_blob(b'5'); lb.delete_blob(); expect((404,'BlobNotFound'),lb.get_blob_properties)
print([(i.name,i.deleted,i.remaining_retention_days) for i in c.list_blobs(include=['deleted'],name_starts_with='leased')])
lb.undelete_blob(); assert lb.download_blob().readall()==b'5'
lb.delete_blob(); clock('P3D'); clock('PT1M'); expect((404,'BlobNotFound'),lb.undelete_blob)
# versions
print(arm('PUT',A+'/blobServices/default'+V,{'properties':{'isVersioningEnabled':True,'containerDeleteRetentionPolicy':{'enabled':True,'days':2}}})[0])
def utc(): return dt.datetime.now(dt.timezone.utc)+dt.timedelta(days=4)
v=c.get_blob_client('ver'); r1=v.upload_blob(b'a'); r2=v.upload_blob(b'b',overwrite=True); v.set_blob_metadata({'k':'v'})
vs=[(i.version_id,i.is_current_version) for i in c.list_blobs(include=['versions'],name_starts_with='ver')]; print(vs)
assert len(vs)==3 and vs[2][1]
assert v.download_blob(version_id=r1['version_id']).readall()==b'a'
v.delete_blob(); expect((404,'BlobNotFound'),v.get_blob_properties)
assert v.download_blob(version_id=r2['version_id']).readall()==b'b'
v.start_copy_from_url(v.url+'?versionid='+r1['version_id']); assert v.download_blob().readall()==b'a'
v.delete_blob(version_id=r2['version_id'])
pages=list(c.list_blobs(include=['versions'],results_per_page=1).by_page()); print(len([i for p in pages for i in p]))
# containers soft delete
svc.create_container('gone').upload_blob('z','z'); svc.delete_container('gone')
d=[i for i in svc.list_containers(include_deleted=True) if i.deleted]; print([(i.name,i.version) for i in d])
svc.undelete_container('gone',d[0].version); assert svc.get_blob_client('gone','z').download_blob().readall()==b'z'
# tiers
t=c.get_blob_client('tier'); t.upload_blob(b't'); p=t.get_blob_properties(); print(p.blob_tier,p.blob_tier_inferred)
t.set_standard_blob_tier('Archive'); expect((409,'BlobArchived'),t.download_blob)
t.set_standard_blob_tier('Hot',rehydrate_priority='High'); p=t.get_blob_properties(); print(p.blob_tier,p.archive_status)
assert t.download_blob().readall()==b't'
# copy
cp=c.get_blob_client('copy'); r=cp.start_copy_from_url(c.get_blob_client('big').url); print(r['copy_status']); assert cp.get_blob_properties().copy.status=='success'
r=cp.upload_blob_from_url(c.get_blob_client('big').url,overwrite=True); assert cp.get_blob_properties().size==9_000_000
cp.stage_block_from_url('AAAA',c.get_blob_client('big').url,source_offset=10,source_length=5); cp.commit_block_list([BlobBlock('AAAA')]); assert cp.download_blob().readall()==big[10:15]
# conditions
e=cp.get_blob_properties().etag
expect((412,'ConditionNotMet'),cp.upload_blob,b'q',overwrite=True,etag='"0x1"',match_condition=MatchConditions.IfNotModified)
expect('ok',cp.set_blob_metadata,{'q':'1'},etag=e,match_condition=MatchConditions.IfNotModified)
b.set_blob_tags({'env':'dev'}); expect((412,'ConditionNotMet'),b.download_blob,if_tags_match_condition="\"env\"='prod'")
# batch
for i in range(5): c.upload_blob(f'batch{i}','x')
print([r.status_code for r in c.delete_blobs(*[f'batch{i}' for i in range(5)])])
print([r.status_code for r in ContainerClient(host,'docs',credential=ClientSecretCredential(E['TENANT_ID'],E['CLIENT_ID'],E['CLIENT_SECRET'],authority=E['AUTH_URL'],disable_instance_discovery=True)).delete_blobs('nope','big',raise_on_any_failure=False)])
# listing hierarchy
print([i.name for i in c.walk_blobs()])
# key rotation, keys forbidden
arm('POST',A+'/regenerateKey'+V,{'keyName':'key1'})
expect((403,'AuthenticationFailed'),svc.get_account_information)
k2=BlobServiceClient(host,credential={'account_name':'stpy1','account_key':keys[1]['value']}); expect('ok',k2.get_account_information)
st,r=arm('POST',A+'/ListAccountSas'+V,{'signedServices':'b','signedResourceTypes':'sco','signedPermission':'rl','signedExpiry':'2030-01-01T00:00:00.0000000Z'}); print(st)
expect('ok',BlobServiceClient(host,credential=r['accountSasToken']).get_account_information)
assert 'docs' in [q.name for q in BlobServiceClient(host,credential=r['accountSasToken']).list_containers()]
st,r=arm('POST',A+'/ListServiceSas'+V,{'canonicalizedResource':'/blob/stpy1/docs','signedResource':'c','signedPermission':'l','signedExpiry':'2030-01-01T00:00:00Z'}); print(st)
assert list(ContainerClient(host,'docs',credential=r['serviceSasToken']).list_blobs())
arm('PATCH',A+V,{'properties':{'allowSharedKeyAccess':False}})
expect((403,'KeyBasedAuthenticationNotPermitted'),k2.get_account_information)
arm('PATCH',A+V,{'properties':{'allowSharedKeyAccess':True,'allowBlobPublicAccess':True}})
k2.get_container_client('docs').set_container_access_policy({},public_access=PublicAccess.BLOB)
expect('ok',BlobClient(host,'docs','tier').download_blob)
expect((401,'NoAuthenticationInformation'),lambda: list(ContainerClient(host,'docs').list_blobs()))
arm('PATCH',A+V,{'properties':{'networkAcls':{'defaultAction':'Deny','ipRules':[]}}})
expect((403,'AuthorizationFailure'),k2.get_account_information)
arm('PATCH',A+V,{'properties':{'networkAcls':{'defaultAction':'Allow'}}})
# lifecycle
print(arm('PUT',A+'/managementPolicies/default'+V,{'properties':{'policy':{'rules':[{'name':'r1','type':'Lifecycle','enabled':True,'definition':{'filters':{'blobTypes':['blockBlob'],'prefixMatch':['docs/ti']},'actions':{'baseBlob':{'tierToCool':{'daysAfterModificationGreaterThan':5},'delete':{'daysAfterModificationGreaterThan':10}}}}}]}}}))
clock('P6D')
es=BlobServiceClient(host,credential={'account_name':'stpy1','account_key':keys[1]['value']})
print(es.get_blob_client('docs','tier').get_blob_properties().blob_tier)
clock('P6D'); expect((404,'BlobNotFound'),es.get_blob_client('docs','tier').get_blob_properties)
print('ALL OK')
