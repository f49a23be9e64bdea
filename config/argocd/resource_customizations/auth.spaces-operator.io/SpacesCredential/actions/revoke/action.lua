-- Every grant is revoked at the service now: each new value of the annotation acts once.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["auth.spaces-operator.io/revoke-requested-at"] = os.date("!%Y-%m-%dT%XZ")
return obj
