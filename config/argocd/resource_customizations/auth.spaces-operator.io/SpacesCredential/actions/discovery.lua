-- A request of a suspended object would only wait, and one that is being deleted is revoked anyway.
local suspended = obj.spec.suspend == true
local deleted = obj.metadata.deletionTimestamp ~= nil

local actions = {}
actions["renew"] = { disabled = suspended or deleted }
actions["revoke"] = { disabled = suspended or deleted }
actions["suspend"] = { disabled = suspended or deleted }
actions["resume"] = { disabled = deleted or not suspended }
return actions
